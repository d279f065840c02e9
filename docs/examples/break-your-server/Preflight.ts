/**
 * Tries the settings before anything starts. No restart could repair a failure here, so the server ends with one
 * sentence.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { createServer } from "node:net"
import { BadSetting, Settings } from "./Settings.ts"
import { isHistoryWhole } from "./Storage.ts"

export const preflight = Effect.gen(function* () {
  const settings = yield* Settings
  yield* canListen(settings)
  const bad = (trouble: string) => new BadSetting({ message: `DATA_DIR ${settings.dataDir} ${trouble}` })
  const isWhole = yield* Effect.mapError(isHistoryWhole, ({ reason }) => bad(historyTrouble(reason.cause)))
  if (!isWhole) return yield* bad(DAMAGED)
})

const canListen = ({ port, host }: Settings["Service"]) =>
  Effect.callback<void, BadSetting>((resume) => {
    const server = createServer()
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new BadSetting({ message: listenTrouble(error, { port, host }) })))
    )
    server.listen(port, host, () => server.close(() => resume(Effect.void)))
  })

const listenTrouble = (
  { code, message }: NodeJS.ErrnoException,
  { port, host }: { readonly port: number; readonly host: string }
) => {
  switch (code) {
    case "EADDRINUSE":
      return `PORT ${port} is taken: another program listens on ${host}:${port}`
    case "EACCES":
      return `PORT ${port} is not allowed: this user may not listen on it`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `HOST ${host} is no address of this machine`
    default:
      return `HOST ${host} and PORT ${port} cannot be listened on: ${message}`
  }
}

const DAMAGED = "holds a chat.sqlite that is damaged or no database"

const READ_ONLY = 8
const CORRUPT = 11
const CANNOT_OPEN = 14
const NOT_A_DATABASE = 26

const historyTrouble = (cause: unknown) => {
  if (Predicate.hasProperty(cause, "errcode") && typeof cause.errcode === "number") {
    // The low byte is the kind of error. The other bytes are its details.
    const kind = cause.errcode & 0xff
    if (kind === CORRUPT || kind === NOT_A_DATABASE) return DAMAGED
    if (kind === READ_ONLY || kind === CANNOT_OPEN) return "must be writable, and so must the chat.sqlite in it"
  }
  const code = Predicate.hasProperty(cause, "code") ? cause.code : undefined
  if (code === "EEXIST" || code === "ENOTDIR") return "must be a folder, and there is a file of that name"
  if (code === "ENOENT") return "cannot be made: there can be no folder in that place"
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "must be writable"
  return `cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`
}
