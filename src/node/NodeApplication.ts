/**
 * Runs an application as the main program of a Node process: signals stop it in order, and the exit code says how it ended.
 *
 * | what happens | what follows | exit code |
 * | --- | --- | --- |
 * | SIGTERM or SIGINT | stop in order | 0 |
 * | a second signal | exit at once | 128 + its number |
 * | the tree ends on purpose | stop in order | 0 |
 * | the tree gives up | the reason on stderr | 1 |
 * | the start fails | the cause on stderr | 1 |
 * | `uncaughtException`, an unhandled rejection | the error on stderr, stop in order | 1 |
 * | stopping takes longer than its budget | who hung on stderr, exit | 1 |
 *
 * **In Erlang/OTP**
 *
 * `init:stop/0` and a permanent application; `heart` is whatever starts the process again.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import { constants } from "node:os"
import process from "node:process"
import * as Application from "../application/Application.ts"

/**
 * Runs an application until it ends, then exits the process.
 *
 * The default budget for stopping is 30 seconds.
 *
 * @category operations
 * @since 0.1.0
 */
export const runMain = <ROut, E>(layer: Layer.Layer<ROut, E>, options?: Application.Options): void => {
  // Effect's runtime does not keep Node alive.
  const keepAlive = setInterval(() => {}, 2 ** 30)
  const stopRequested = Deferred.makeUnsafe<void>()
  let started = false
  let stopping = false
  let failed = false

  const main = Effect.gen(function* () {
    const running = yield* Application.start(layer, options)
    started = true
    const end = yield* Effect.raceFirst(running.ended, Effect.as(Deferred.await(stopRequested), undefined))
    // What the tree ended of must not be lost when stopping hangs as well.
    if (end !== undefined && end.failed) complain(new Application.TreeFailed(end).message)
    yield* running.stop
  })

  const stop = () => {
    stopping = true
    if (!started) fiber.interruptUnsafe()
    Deferred.doneUnsafe(stopRequested, Exit.void)
  }
  const complain = (text: string) => {
    failed = true
    process.stderr.write(`${text}\n`)
  }
  process.on("SIGTERM", onSignal)
  process.on("SIGINT", onSignal)
  process.on("uncaughtException", (error) => {
    complain(`Uncaught: ${Cause.pretty(Cause.die(error))}`)
    if (!stopping) stop()
  })

  function onSignal(signal: NodeJS.Signals) {
    if (stopping) process.exit(128 + constants.signals[signal])
    stop()
  }
  // After the handlers are there: a signal may come as soon as the first line is printed.
  const fiber = Effect.runFork(main)
  fiber.addObserver((exit) => {
    clearInterval(keepAlive)
    const trouble = troubleOf(exit)
    if (trouble !== undefined) complain(trouble)
    process.exit(failed ? 1 : 0)
  })
}

/** What is to be said of an exit that is no orderly end. */
const troubleOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return undefined
  return exit.cause.reasons
    .filter((reason) => reason._tag !== "Interrupt")
    .map((reason) => (reason._tag === "Fail" ? messageOf(reason.error) : Cause.pretty(Cause.die(reason.defect))))
    .join("\n")
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)
