/**
 * Holds the processes, names, timers and message counts of one running system.
 *
 * The default kernel needs no wiring. A test, or a second system in one program, gets a kernel of its own by `layer`:
 * pids, names, counts and telemetry of two kernels have nothing to do with each other.
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
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scheduler from "effect/Scheduler"
import { ownKey } from "../values/copies.ts"
import { printAs } from "../values/printed.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import type { Accounting } from "./Accounting.ts"
import { summarise } from "./shared/reports.ts"
import { KernelState } from "./shared/kernelState.ts"
import { runQueueOver } from "./shared/runQueue.ts"
import type { Pid } from "./Pid.ts"
import type { ProcessRecord } from "./shared/processRecord.ts"
import { kill } from "./shared/death.ts"
import { awaitEnd } from "./Shutdown.ts"

const TypeId = "~effect-otp/kernel/Kernel"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * One running system of processes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Kernel {
  readonly [TypeId]: typeof TypeId
}

/**
 * What lives in a kernel at this moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly processes: number
  /** Killed processes whose fiber has not ended yet. */
  readonly zombies: number
  /** Timers that are still to fire. */
  readonly timers: number
  readonly names: number
  /** Answers that came when nobody waited for them any more. */
  readonly lateReplies: number
}

class KernelImpl implements Kernel {
  readonly [TypeId] = TypeId
  readonly state: KernelState<ProcessRecord>
  constructor(telemetry: Telemetry.Table, freezes: boolean) {
    this.state = new KernelState(telemetry, freezes)
  }
}

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * The kernel that processes started here belong to. Default: one for the whole program.
 *
 * @category services
 * @since 0.1.0
 */
export const Kernel: Context.Reference<Kernel> = Context.Reference<Kernel>(ownKey("effect-otp/kernel/Kernel"), {
  defaultValue: () => new KernelImpl(Context.get(Context.empty(), Telemetry.Telemetry), false)
})

// ---- layers -------------------------------------------------------------------------------------------------------

/**
 * A kernel of its own: another one each time the layer is provided. When its scope closes, what still lives in it is
 * killed and waited for, and timers are dropped.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.fresh(Layer.suspend(() => layerOf(false)))

/**
 * A kernel of its own for development: messages and states in it are deep-frozen, so that changing one in place throws
 * at once, where it happens.
 *
 * **When to use**
 *
 * Use in place of {@link layer}, or around a program that has no kernel of its own, wherever it does not run in
 * production. `TestKernel.layer` is one.
 *
 * **Details**
 *
 * Frozen are messages when they are sent, the state of a server after `init` and after each turn, and answers: plain
 * records, arrays, and instances of Effect's `Data` and `Schema` classes, as deep as they go. Left alone are records
 * with a function in them, maps, sets, dates, buffers, effects, fibers, handles, pids and instances of other classes.
 * What was frozen once is not walked again.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDevelopment: Layer.Layer<never> = Layer.fresh(Layer.suspend(() => layerOf(true)))

/**
 * The run queue for all fibers of a program: one queue of tasks, run in slices of 2 milliseconds.
 *
 * **When to use**
 *
 * Use for programs whose fibers exchange many small messages, or in which many processes always have something to do:
 * timers and I/O get a turn after each slice. `Application.Options.runQueue` does the latter for an application.
 *
 * **Details**
 *
 * A process runs on the scheduler of its starter, with all fibers it forks. There is one run queue in a program, wherever
 * this layer is provided.
 *
 * Where a test has its own scheduler (`TestClock`, `SeededScheduler`), the run queue asks that scheduler for its slices,
 * and ends them by the number of tasks instead of by time: `TestClock.adjust` waits for what it wakes, and a seed gives
 * the same order again.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerScheduler: Layer.Layer<never> = Layer.effect(
  Scheduler.Scheduler,
  Effect.withFiber((fiber) => Effect.succeed(runQueueOver(Context.get(fiber.context, Scheduler.Scheduler))))
)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * What became of all messages sent in this kernel.
 *
 * @category operations
 * @since 0.1.0
 */
export const messages: Effect.Effect<Accounting> = Effect.withFiber((fiber) =>
  Effect.succeed(currentUnsafe(fiber).accounting)
)

/**
 * How many processes, zombies, timers and names there are.
 *
 * @category operations
 * @since 0.1.0
 */
export const counts: Effect.Effect<Counts> = Effect.withFiber((fiber) => {
  const { table, zombies, timers, names, lateReplies } = currentUnsafe(fiber)
  return Effect.succeed({
    processes: table.size,
    zombies: zombies.size,
    timers,
    names: names.size,
    lateReplies
  })
})

/**
 * The processes that are alive, oldest first.
 *
 * @category operations
 * @since 0.1.0
 */
export const processes: Effect.Effect<ReadonlyArray<Pid>> = Effect.withFiber((fiber) =>
  Effect.succeed(Array.from(currentUnsafe(fiber).table.values()))
)

// ---- internals ----------------------------------------------------------------------------------------------------

const layerOf = (freezes: boolean): Layer.Layer<never> =>
  Layer.effect(
    Kernel,
    Effect.acquireRelease(
      Effect.map(Telemetry.Telemetry, (table): Kernel => new KernelImpl(table, freezes)),
      (kernel) => Effect.andThen(killAll(stateOf(kernel)), Effect.provideService(tellLeftOut, Kernel, kernel))
    )
  )

/** Says how many reports were left out in this second, for a program that may not see its end. @internal */
export const tellLeftOut: Effect.Effect<void> = Effect.withFiber((fiber) =>
  Effect.sync(() => summarise(currentUnsafe(fiber).reports, fiber.context))
)

/** @internal */
export const currentUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): KernelState<ProcessRecord> =>
  stateOf(Context.get(fiber.context, Kernel))

/** @internal */
export const stateOf = (kernel: Kernel): KernelState<ProcessRecord> => (kernel as KernelImpl).state

const killAll = (kernel: KernelState<ProcessRecord>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = [...kernel.table.values(), ...kernel.zombies]
    kernel.deadlines.close()
    if (left.length === 0) return Effect.void
    for (const record of left) kill(record)
    // Finalizers may have started others meanwhile.
    return Effect.andThen(Effect.forEach(left, awaitEnd, { discard: true }), killAll(kernel))
  })

printAs(KernelImpl.prototype, () => "Kernel")
