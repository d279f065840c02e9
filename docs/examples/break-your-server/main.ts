/**
 * Runs the server in an operating-system process of its own and starts it again when it fails: what systemd or a
 * container platform would do. `npm start` runs this.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Data, Effect, Exit, Schedule } from "effect"
import { RestartPolicy } from "effect-otp"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import { Settings } from "./Settings.ts"

class ServerFailed extends Data.TaggedError("ServerFailed")<{ readonly how: string }> {
  override get message() {
    return `The server has failed: ${this.how}`
  }
}

// In a process group of its own: Ctrl-C is for this process, which tells the server once.
const server = ChildProcess.make(
  process.execPath,
  [...process.execArgv, fileURLToPath(import.meta.resolve("./server.ts"))],
  {
    detached: true,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    forceKillAfter: "15 seconds"
  }
)

const runOnce = Effect.scoped(
  Effect.gen(function* () {
    const { exitCode } = yield* server
    const code = yield* Effect.mapError(exitCode, () => new ServerFailed({ how: "ended by a signal" }))
    if (code !== 0) return yield* new ServerFailed({ how: `exit code ${code}` })
  })
)

const patience = Schedule.max([
  Schedule.spaced("200 millis"),
  RestartPolicy.intensity({ max: 10, within: "30 seconds" })
])

const runner = Effect.gen(function* () {
  yield* Effect.provide(Settings, Settings.layer)
  yield* runOnce.pipe(
    Effect.tapError(({ message }) => Console.error(message)),
    Effect.retry(patience)
  )
}).pipe(
  Effect.tapErrorTag("BadSetting", ({ message }) => Console.error(message)),
  Effect.provide(NodeServices.layer)
)

NodeRuntime.runMain(runner, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
})
