/**
 * Runs an application as the main program of a Node process: signals stop it in order, and the exit code says how it ended.
 *
 * | what happens | what follows | exit code |
 * | --- | --- | --- |
 * | SIGTERM or SIGINT, also while it starts | stop in order | 0 |
 * | a second signal | exit at once | 128 + its number |
 * | the tree ends on purpose | stop in order | 0 |
 * | the tree gives up, also while it starts | log the reason, stop in order | 1 |
 * | the start fails, or is interrupted from inside | log the whole cause, stop what was started | 1 |
 * | `uncaughtException`, an unhandled rejection | log the error, stop in order | 1 |
 * | stopping takes longer than its budget | log the processes that hung, exit | 1 |
 *
 * It logs each of these once, through Effect's logger, to stderr.
 *
 * **In Erlang/OTP**
 *
 * `init:stop/0` and a permanent application. Whatever starts the Node process again takes the part of `heart`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as References from "effect/References"
import { renderCause } from "../values/render.ts"
import { constants } from "node:os"
import process from "node:process"
import type * as Application from "../application/Application.ts"
import { launch } from "../application/shared/launch.ts"

/**
 * Runs an application as the main program of a Node process, and exits with a code that says how it ended.
 *
 * **When to use**
 *
 * Use as the last line of the main file.
 *
 * **Details**
 *
 * SIGTERM and SIGINT stop the application in order; a second signal exits at once. Stopping may take 30 seconds, unless
 * `stopWithin` says otherwise. The table at the top of this module lists the exit codes.
 *
 * **Errors**
 *
 * It throws nothing. Every failure is logged to stderr, and the exit code is 1.
 *
 * **Example** (A main file)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Supervisor } from "effect-otp"
 * import { NodeApplication } from "effect-otp/node"
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.worker("tick", Effect.delay(Effect.log("tick"), "1 second"))]
 * }) {}
 *
 * NodeApplication.runMain(App.layer, { stopWithin: "10 seconds" })
 * ```
 *
 * @see `Application.run` inside of a larger program
 * @see `init:stop/0`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const runMain = <ROut, E>(layer: Layer.Layer<ROut, E>, options?: Application.Options): void => {
  // Effect's runtime does not keep Node alive.
  const keepAlive = setInterval(() => {}, 2 ** 30)
  const stopRequested = Deferred.makeUnsafe<void>()
  let stopping = false
  let failed = false

  const complain = (message: string, cause: Cause.Cause<unknown>) =>
    Effect.suspend(() => {
      failed = true
      return Effect.logFatal(message, renderCause(cause))
    }).pipe(Effect.provideService(References.LogToStderr, true))

  const main = Effect.gen(function* () {
    const { over, stop } = yield* launch(layer, options)
    const end = yield* Effect.exit(Effect.raceFirst(over, Deferred.await(stopRequested)))
    // Logged at once, so that the reason is not lost if the stop hangs, too.
    if (Exit.isFailure(end)) yield* complain("The application failed:", end.cause)
    stopping = true
    yield* Effect.catchCause(stop, (cause) => complain("The application did not stop in order:", cause))
  })

  const requestStop = () => {
    stopping = true
    Deferred.doneUnsafe(stopRequested, Exit.void)
  }
  process.on("SIGTERM", onSignal)
  process.on("SIGINT", onSignal)
  process.on("uncaughtException", (error) => {
    Effect.runFork(complain("An error was not caught:", Cause.die(error)))
    requestStop()
  })

  function onSignal(signal: NodeJS.Signals) {
    if (stopping) process.exit(128 + constants.signals[signal])
    requestStop()
  }
  // The handlers must be there first, because a signal may come as soon as the first line is printed.
  Effect.runFork(main).addObserver((exit) => {
    clearInterval(keepAlive)
    process.exit(failed || Exit.isFailure(exit) ? 1 : 0)
  })
}
