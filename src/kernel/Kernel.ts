/**
 * Holds the processes, names, timers and message counts of one running system.
 *
 * The default kernel needs no wiring. A test, or a second system in one program, gets its own kernel by `layer`. Two
 * kernels share no pids, names, counts or telemetry.
 *
 * **In Erlang/OTP**
 *
 * The emulator: the process table, the local name table and `erlang:system_info`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import type { Accounting } from "./Accounting.ts"
import { runQueueOver } from "./shared/runQueue.ts"
import type { Pid } from "./Pid.ts"
import { currentKernel } from "./shared/currentKernel.ts"
import { Development } from "./shared/development.ts"
import { kernelLayer } from "./shared/kernelLayer.ts"

// ---- models -------------------------------------------------------------------------------------------------------

export {
  /**
   * One running system of processes. As a service it is the kernel that processes started here belong to. Default: one
   * for the whole program.
   *
   * @stability experimental
   * @category services
   * @since 0.1.0
   */
  Kernel
} from "./shared/currentKernel.ts"

/**
 * What lives in a kernel at this moment.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly processes: number
  /** Killed processes whose fibers have not ended yet. */
  readonly zombies: number
  /** Timers that have not fired yet. */
  readonly timers: number
  readonly names: number
  /** Answers that came when their callers had stopped waiting. */
  readonly lateReplies: number
}

// ---- layers -------------------------------------------------------------------------------------------------------

/**
 * A kernel of its own, a new one each time the layer is provided. When its scope closes, the processes that still live
 * in it are killed and waited for, and timers are dropped.
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.fresh(Layer.suspend(() => kernelLayer(undefined)))

/**
 * A kernel of its own for development. It deep-freezes messages and states, so that code that changes one in place
 * throws at once.
 *
 * **When to use**
 *
 * Use outside of production, in place of {@link layer}, or around a program that has no kernel of its own.
 * `TestKernel.layer` is such a kernel.
 *
 * **Details**
 *
 * It freezes messages when they are sent, the state of a server after `init` and after each turn, and answers. It
 * freezes plain records, arrays, and instances of Effect's `Data` and `Schema` classes, at every level. It does not
 * freeze records with a function in them, maps, sets, dates, buffers, effects, fibers, handles, pids and instances of
 * other classes. A frozen value is not walked again.
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layerDevelopment: Layer.Layer<never> = Layer.fresh(Layer.suspend(() => kernelLayer(new Development(true))))

/**
 * The run queue for all fibers of a program: one queue of tasks, run in slices of 2 milliseconds.
 *
 * **When to use**
 *
 * Use for programs whose fibers exchange many small messages, or in which many processes are always busy: timers and
 * I/O get a turn after each slice. For a busy application there is `Application.Options.runQueue`.
 *
 * **Details**
 *
 * A process runs on the scheduler of its starter, with all fibers it forks. There is one run queue in a program, wherever
 * this layer is provided.
 *
 * If a test has its own scheduler (`TestClock`, `SeededScheduler`), the run queue gets its slices from that scheduler,
 * and ends them by the number of tasks instead of by time. So `TestClock.adjust` waits for the fibers that it wakes,
 * and a seed always gives the same order.
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layerScheduler: Layer.Layer<never> = Layer.effect(
  Scheduler.Scheduler,
  Effect.withFiber((fiber) => Effect.succeed(runQueueOver(Context.get(fiber.context, Scheduler.Scheduler))))
)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Counts what became of all messages that were sent in this kernel.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const messages: Effect.Effect<Accounting> = Effect.withFiber((fiber) =>
  Effect.succeed(currentKernel(fiber).accounting)
)

/**
 * Counts processes, zombies, timers and names.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const counts: Effect.Effect<Counts> = Effect.withFiber((fiber) => {
  const { table, zombies, timers, names, lateReplies } = currentKernel(fiber)
  return Effect.succeed({
    processes: table.size,
    zombies: zombies.size,
    timers,
    names: names.size,
    lateReplies
  })
})

/**
 * Lists the processes that are alive, oldest first.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const processes: Effect.Effect<ReadonlyArray<Pid>> = Effect.withFiber((fiber) =>
  Effect.succeed(Array.from(currentKernel(fiber).table.values()))
)
