/**
 * What happens after the loop of a server: `terminate` runs, the last answer is given, and the process ends with its
 * fiber.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { finish, changeExitReason } from "../../../kernel/shared/death.ts"
import type { EndedBy } from "../../../kernel/shared/life.ts"
import { scopeUnsafe } from "../../../kernel/shared/processRecord.ts"
import { addDefects } from "../../../kernel/shared/scopeExit.ts"
import { isTypedFailure } from "../call/envelopes.ts"
import { answerAfterTerminate } from "./answers.ts"
import * as Limits from "./timeLimits.ts"
import type { Server } from "./server.ts"

/** Runs `terminate` in the scope of the server. @internal */
export const terminate = (server: Server): Effect.Effect<void> => {
  const { record, spec } = server
  const reason = record.exiting!
  // The server was killed meanwhile, so `terminate` does not run.
  if (spec.terminate === undefined || !record.isAlive) return Effect.sync(() => answerAfterTerminate(server, true))
  const last = Effect.suspend(() => spec.terminate!(reason, server.state))
  const inScope = Effect.provideService(last, Scope.Scope, scopeUnsafe(record))
  return Effect.flatMap(Effect.exit(inScope), (exit) => {
    if (exit._tag === "Failure") terminateFailed(server, exit.cause)
    answerAfterTerminate(server, exit._tag === "Success")
    return Effect.void
  })
}

/** A failed `terminate` makes the end a crash, whatever the reason was before. */
const terminateFailed = ({ record }: Server, cause: Cause.Cause<unknown>): void => {
  const died = isTypedFailure(cause) ? Cause.die(Cause.squash(cause)) : cause
  if (record.isAlive) changeExitReason(record, addDefects(record.exiting!, died))
}

/** The fiber of the server has ended. @internal */
export const fiberEnded = (server: Server, exit: Exit.Exit<unknown, unknown>): void => {
  const { record } = server
  record.turn = undefined
  Limits.stopIdling(server)
  const { exiting } = record
  if (exiting === undefined) finish(record, ExitReason.fromExit(exit), endedBy(server))
  else finish(record, exit._tag === "Failure" ? addDefects(exiting, exit.cause) : exiting)
}

/** A typed failure of `init` is not a crash: the starter handles it. */
const endedBy = ({ init }: Server): EndedBy =>
  init._tag === "failed" && isTypedFailure(init.cause) ? "starter" : "itself"
