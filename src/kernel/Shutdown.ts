/**
 * Ends a process in good order, within a limit.
 *
 * The process is asked to end; at the limit it is killed. Its end is complete when its fiber and its scope have ended,
 * too. If that takes another limit, it is left behind as a zombie. With `"Infinity"` the orderly end has no limit, but
 * a process that is killed meanwhile has 5 seconds.
 *
 * **In Erlang/OTP**
 *
 * The shutdown protocol of a supervisor: `exit(Pid, shutdown)`, wait, `exit(Pid, kill)`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as ExitReason from "./ExitReason.ts"
import { kill as killUnsafe } from "./shared/death.ts"
import { recordBehind, type Target } from "./shared/processes.ts"
import {
  awaitEnded,
  type Limit,
  type Ended,
  shutdownAllTelling,
  shutdownTelling,
  tellOverrun
} from "./shared/shutdown.ts"

// ---- models -------------------------------------------------------------------------------------------------------

export type {
  /**
   * How long an orderly end may take: a duration, `"brutalKill"` to kill at once, or `"Infinity"` to wait for ever. A
   * dead process has the same time again for its release: 5 seconds with `"brutalKill"` and `"Infinity"`.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Limit,
  /**
   * How a process ended that was asked to end.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Ended
} from "./shared/shutdown.ts"

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Ends a process in good order and waits for it. At the limit it is killed.
 *
 * **When to use**
 *
 * Use to end a process that you started yourself, where no supervisor and no scope does it.
 *
 * **Details**
 *
 * The process is asked to end with `Shutdown`, or with the `reason` you give. `limit` is 5 seconds by default. The
 * result says how it ended, and whether it is a zombie: dead, but with a fiber or a finalizer that has not ended a
 * second limit later.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The process has been asked to end, but will not be killed.
 *
 * **Example** (Ending a process that cleans up)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.andThen(Effect.addFinalizer(() => Effect.yieldNow), Effect.never))
 *   yield* Effect.yieldNow
 *   const { reason, zombie } = yield* Shutdown.shutdown(pid, { limit: "2 seconds" })
 *   return [reason._tag, zombie]
 * })
 *
 * await Effect.runPromise(program) // => ["Shutdown", false]
 * ```
 *
 * @see {@link shutdownAll} for many processes at once
 * @see `supervisor`'s shutdown of a child
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const shutdown = (
  target: Target,
  options?: { readonly limit?: Limit | undefined; readonly reason?: ExitReason.ExitReason | undefined }
): Effect.Effect<Ended> =>
  Effect.withFiber((fiber) =>
    shutdownTelling(recordBehind("Shutdown.shutdown", fiber, target), { ...options, overran: tellOverrun })
  )

/**
 * Waits until the fiber and the scope of a process have ended.
 *
 * **When to use**
 *
 * Use to know that a killed process has released what it holds: a port, a file, a lock. `Process.awaitExit` returns
 * earlier, when the process is dead for others.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The process is not touched.
 *
 * **Example** (Waiting for finalizers)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * let released = false
 * const program = Effect.gen(function*() {
 *   const release = Effect.andThen(Effect.yieldNow, Effect.sync(() => { released = true }))
 *   const pid = yield* Process.spawn(Effect.andThen(Effect.addFinalizer(() => release), Effect.never))
 *   yield* Effect.yieldNow
 *   yield* Process.kill(pid)
 *   const atDeath = released
 *   yield* Shutdown.awaitEnd(pid)
 *   return [atDeath, released]
 * })
 *
 * await Effect.runPromise(program) // => [false, true]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const awaitEnd = (target: Target): Effect.Effect<void> =>
  Effect.withFiber((fiber) => awaitEnded(recordBehind("Shutdown.awaitEnd", fiber, target)))

/**
 * Kills a process and waits until its fiber and its scope have ended. There is no limit to the waiting.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The process is dead all the same.
 *
 * **Example** (Killing and waiting)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Shutdown.killAndAwait(pid)
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Killed" }
 * ```
 *
 * @see {@link shutdown} for an orderly end
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const killAndAwait = (target: Target): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const record = recordBehind("Shutdown.killAndAwait", fiber, target)
    killUnsafe(record)
    return awaitEnded(record)
  })

/**
 * Ends many processes at once and waits for all of them, within one limit.
 *
 * **Details**
 *
 * All are asked at the same moment. Those that have not ended at the limit (5 seconds by default) are killed.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The processes have been asked to end, but will not be killed.
 *
 * **Example** (Ending several processes)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pids = yield* Effect.all([Process.spawn(Effect.never), Process.spawn(Effect.never)])
 *   yield* Shutdown.shutdownAll(pids, { limit: "1 second" })
 *   return yield* Effect.forEach(pids, Process.isAlive)
 * })
 *
 * await Effect.runPromise(program) // => [false, false]
 * ```
 *
 * @see {@link shutdown} for one process
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const shutdownAll = (
  targets: ReadonlyArray<Target>,
  options?: { readonly limit?: Limit | undefined }
): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    shutdownAllTelling(
      targets.map((target) => recordBehind("Shutdown.shutdownAll", fiber, target)),
      { ...options, overran: tellOverrun }
    )
  )

// ---- internals ----------------------------------------------------------------------------------------------------
