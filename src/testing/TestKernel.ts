/**
 * Gives a test a kernel of its own, and fails the test if it leaves anything behind.
 *
 * The kernel ends with the scope of its layer: after a test, or after a block of tests. Then every process must have
 * ended. A process that is left fails the test by name and is killed, so that it cannot disturb another test.
 *
 * **Guarantees**
 *
 * - Leaks: a process that is alive, a killed process that has not ended, a timer, a name, a message that is unaccounted
 *   for.
 * - Scope: resources that a test acquires in its scope are released first, so they are no leak.
 * - A process that `startSupervised` has started is stopped with the scope. If it does not end, the test fails.
 * - Time: on the `TestClock` of the test the first sleep lasts as long as any other. With Effect's own `TestClock`, a
 *   finalizer whose sleep is the first one does not sleep.
 * - Isolation: two tests share no pids, names, message counts or telemetry handlers.
 *
 * **Not here**
 *
 * It brings no clock (`it.effect` brings a `TestClock`) and no scheduler (`SeededScheduler` does). If a test has failed
 * already, the processes it left are killed but not added to its failure.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { missing } from "../kernel/Accounting.ts"
import { format, type ExitReason } from "../kernel/ExitReason.ts"
import type { Pid } from "../kernel/Pid.ts"
import { Development } from "../kernel/shared/development.ts"
import { displayName } from "../kernel/shared/displayName.ts"
import type { ProcessRecord } from "../kernel/shared/processRecord.ts"
import { kill as killUnsafe } from "../kernel/shared/death.ts"
import { awaitEnd } from "../kernel/Shutdown.ts"
import type { ChildOptions, Stable } from "../supervision/ChildSpec.ts"
import * as Supervisor from "../supervision/Supervisor.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import { pointTo } from "./internal/callSite.ts"
import { leakLimit } from "./internal/defaults.ts"
import { withFirstSleep } from "./internal/firstSleep.ts"
import { withLive } from "./internal/liveClock.ts"
import { untilQuiet } from "./internal/quiet.ts"
import * as SeededScheduler from "./SeededScheduler.ts"
import { currentKernel } from "../kernel/shared/currentKernel.ts"
import { kernelLayer } from "../kernel/shared/kernelLayer.ts"
import { targetOf } from "../kernel/shared/handleTarget.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A process that a test has left behind.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface LeakedProcess {
  readonly pid: Pid
  /** Its label, else its name, else its pid. */
  readonly label: string
  readonly status: "starting" | "running" | "exiting" | "zombie"
  /** Why it is ending, if it is. */
  readonly reason: ExitReason | undefined
  /** Messages that wait or are in hand. */
  readonly pending: number
}

/**
 * A service that can be started: a class with a `layer`, such as a supervisor, or a server with a layer.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Startable<out S, in I, out E, out R> {
  readonly key: string
  readonly Service: S
  readonly layer: Layer.Layer<I, E, R>
}

/**
 * How a child of a test is supervised. By default it is restarted like any child.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface SupervisedOptions<E> extends Omit<ChildOptions<E>, "significant"> {
  /** How many failures are too many. Default: 3 in 5 seconds. */
  readonly intensity?: { readonly max: number; readonly within: Duration.Input } | undefined
}

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * A kernel is not empty when its test is over.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class Leaked extends Data.TaggedError("Leaked")<{
  readonly processes: ReadonlyArray<LeakedProcess>
  readonly names: ReadonlyArray<string>
  /** How many timers have not fired yet. */
  readonly timers: number
  /** How many accepted messages are unaccounted for. */
  readonly missing: number
}> {
  override get message() {
    const lines = [
      ...this.processes.map(describe),
      ...this.names.map((name) => `name "${name}"`),
      ...(this.timers > 0 ? [`${count(this.timers, "timer")} that did not fire`] : []),
      ...(this.missing !== 0 ? [`${count(this.missing, "message")} that nobody handled or refused`] : [])
    ]
    return ["The test left behind:", ...lines].join("\n  - ")
  }
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Waits until nothing more can happen in the kernel of this effect without the passing of time.
 *
 * **When to use**
 *
 * Use before you check the effects of a crash, a message or a step of the test clock.
 *
 * **Details**
 *
 * It waits as long as processes come, go, or get messages, but at most half a second of real time. It does not wait for
 * timers and I/O of the host.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const quiet: Effect.Effect<void> = Effect.withFiber((fiber) => untilQuiet(currentKernel(fiber)))

/**
 * Lets time pass on the test clock, and waits until everything that follows has happened.
 *
 * **When to use**
 *
 * Use in place of `TestClock.adjust`, which may come before a delay has begun. Such a delay would never end.
 *
 * **Details**
 *
 * It waits until nothing more happens, moves the clock, and waits again.
 *
 * **Example** (A minute later)
 *
 * ```ts import.meta.vitest
 * import { Clock, Effect } from "effect"
 * import { Agent } from "effect-otp"
 * import { TestKernel } from "effect-otp/testing"
 * import { TestClock } from "effect/testing"
 *
 * const test = Effect.gen(function*() {
 *   const at = yield* Agent.start(Effect.succeed(0))
 *   yield* Agent.castEffect(at, () => Effect.andThen(Effect.sleep("1 minute"), Clock.currentTimeMillis))
 *   yield* TestKernel.adjust("1 minute")
 *   return yield* Agent.get(at)
 * })
 *
 * await Effect.runPromise(test.pipe(Effect.scoped, Effect.provide(TestKernel.layer), Effect.provide(TestClock.layer())))
 * // => 60000
 * ```
 *
 * @see {@link quiet} if no time has to pass
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const adjust = (duration: Duration.Input): Effect.Effect<void> =>
  Effect.andThen(Effect.andThen(quiet, SeededScheduler.adjust(duration)), quiet)

/**
 * Starts a server, or a whole tree, under a supervisor of this test, which stops it when the scope closes.
 *
 * **When to use**
 *
 * Use for a server that has a supervisor in the program: it comes back after a crash, and its client stays valid. If
 * you need no supervisor, `Effect.provide(test, Stock.layer)` is shorter.
 *
 * **Details**
 *
 * For a class with a `layer` it gives the service; for a Layer it gives everything that the Layer provides. Later
 * starts are stopped first. With {@link layer} the scope is that of the test.
 *
 * **Errors**
 *
 * - The failure of the start.
 * - `Leaked`, as a defect, if it has not ended 1 second of real time after it was told to. It is then killed.
 *
 * **Example** (Crashing a server)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { GenServer } from "effect-otp"
 * import { TestKernel } from "effect-otp/testing"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", [
 *   Rpc.make("next", { success: Schema.Number }),
 *   GenServer.cast("crash")
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed(1),
 *     handlers: {
 *       next: (_, count) => GenServer.reply(count, count + 1),
 *       crash: () => Effect.die("asked to")
 *     }
 *   }).layer()
 * }
 *
 * const test = Effect.gen(function*() {
 *   const counter = yield* TestKernel.startSupervised(Counter)
 *   const before = [yield* counter.next(), yield* counter.next()]
 *   yield* counter.crash()
 *   yield* TestKernel.quiet
 *   return [...before, yield* counter.next()]
 * })
 *
 * await Effect.runPromise(Effect.provide(test, TestKernel.layer)) // => [1, 2, 1]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const startSupervised: {
  <S extends Stable["Service"], I, E, R>(
    service: Startable<S, I, E, R>,
    options?: SupervisedOptions<NoInfer<E>>
  ): Effect.Effect<S, E, R | Scope.Scope>
  <I extends Stable, E, R>(
    layer: Layer.Layer<I, E, R>,
    options?: SupervisedOptions<NoInfer<E>>
  ): Effect.Effect<Context.Context<I>, E, R | Scope.Scope>
} = (what: unknown, options?: unknown) =>
  // For a service it returns the client, for a layer the context. The overloads say which.
  startUntyped(what as UntypedStart, options as SupervisedOptions<unknown> | undefined) as never

/**
 * Fails if anything lives in the kernel of this effect. {@link layer} does this itself at the end.
 *
 * **Details**
 *
 * First it waits until nothing more can happen without the passing of time. Processes that are ending get up to 1
 * second of real time.
 *
 * **Errors**
 *
 * - `Leaked` with what is still there.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const check: Effect.Effect<void, Leaked> = Effect.withFiber((fiber) => {
  const kernel = currentKernel(fiber)
  const look = Effect.suspend(() => {
    const left = leftIn(kernel)
    return left === undefined ? Effect.void : Effect.fail(left)
  })
  return Effect.andThen(Effect.andThen(untilQuiet(kernel), awaitEnding(kernel)), look)
})

// ---- layers -------------------------------------------------------------------------------------------------------

/**
 * A kernel of its own for a test, which fails the test unless everything in it has ended.
 *
 * **When to use**
 *
 * Use as the last thing provided to a test: `it.effect("…", () => test.pipe(Effect.provide(TestKernel.layer)))`. For a
 * block of tests that share one kernel, `layer(TestKernel.layer)("…", (it) => …)` of `@effect/vitest`.
 *
 * **Details**
 *
 * Messages and states are deep-frozen as in `Kernel.layerDevelopment`: code that changes one in place throws.
 *
 * It also provides a `Scope`, which is closed before the kernel is checked. Processes that are left are killed. It does
 * not wait more than 1 second of real time for their ends.
 *
 * **Example** (Finding a leak)
 *
 * ```ts import.meta.vitest
 * import { Cause, Effect, Exit } from "effect"
 * import { Process } from "effect-otp"
 * import { TestKernel } from "effect-otp/testing"
 *
 * const test = Effect.gen(function*() {
 *   yield* Process.spawn(Effect.never, { label: "poller" })
 * })
 *
 * const exit = await Effect.runPromiseExit(Effect.provide(test, TestKernel.layer))
 * const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
 * error instanceof TestKernel.Leaked && error.message
 * // => "The test left behind:\n  - poller <0.1>, running"
 * ```
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Scope.Scope> = Layer.suspend(() => layerOf(new Development(true)))

/**
 * A kernel like that of {@link layer}, but messages and states are not frozen.
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layerUnfrozen: Layer.Layer<Scope.Scope> = Layer.suspend(() => layerOf(new Development(false)))

// ---- internals ----------------------------------------------------------------------------------------------------

const layerOf = (development: Development): Layer.Layer<Scope.Scope> =>
  Layer.fresh(
    Layer.effectContext(
      Effect.gen(function* () {
        // This runs last, even after a failed test, because a broken invariant may be the cause.
        yield* Effect.addFinalizer(() => development.check)
        const kernel = yield* Effect.acquireRelease(Scope.make(), closeWithin)
        const layer = Layer.provideMerge(kernelLayer(development), Layer.fresh(Telemetry.layer))
        const context = yield* Layer.buildWithScope(layer, kernel)
        // A failed test is not blamed for processes that it could not clean up.
        yield* Effect.addFinalizer((exit) =>
          Exit.isSuccess(exit) ? Effect.orDie(Effect.provide(check, context)) : Effect.void
        )
        const scope = yield* Scope.fork(yield* Effect.scope)
        const clock = withFirstSleep(yield* Clock.Clock)
        return Context.add(context, Scope.Scope, scope).pipe(Context.add(Clock.Clock, clock))
      })
    )
  )

type KernelState = ProcessRecord["kernel"]

const leftIn = (kernel: KernelState): Leaked | undefined => {
  const processes = [...kernel.table.values(), ...kernel.zombies].map(leakedOf)
  const names = [...kernel.names.keys()]
  const { timers } = kernel
  const unaccounted = missing(kernel.accounting)
  if (processes.length + names.length + timers === 0 && unaccounted === 0) return undefined
  // The error points to no line, because no line of the test is more to blame than another.
  return pointTo(new Leaked({ processes, names, timers, missing: unaccounted }), "")
}

const leakedOf = (record: ProcessRecord): LeakedProcess => ({
  pid: record,
  label: displayName(record),
  status: record.phase === "dead" ? "zombie" : record.phase,
  reason: record.exiting,
  pending: record.pending
})

const describe = ({ label, pending, pid, reason, status }: LeakedProcess): string => {
  const who = label === String(pid) ? label : `${label} ${String(pid)}`
  const why = reason === undefined ? "" : ` (${format(reason)})`
  const waiting = pending === 0 ? "" : `, with ${count(pending, "message")}`
  return `${who}, ${status}${why}${waiting}`
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

type UntypedLayer = Layer.Layer<never, unknown>
type UntypedStart = UntypedLayer | { readonly key: string; readonly layer: UntypedLayer }

const startUntyped = (
  what: UntypedStart,
  options: SupervisedOptions<unknown> | undefined
): Effect.Effect<unknown, unknown, Scope.Scope> =>
  "layer" in what
    ? Effect.map(supervised(what.layer, options), ({ mapUnsafe }) => mapUnsafe.get(what.key))
    : supervised(what, options)

const supervised = (layer: UntypedLayer, options: SupervisedOptions<unknown> = {}) => {
  const { intensity, ...child } = options
  const Tree = Supervisor.Service<never>()("effect-otp/testing/TestKernel/Tree", {
    strategy: "oneForOne",
    intensity,
    children: [Supervisor.child(layer, child)]
  })
  return Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const build = Layer.buildWithScope(Layer.fresh(Tree.layer), scope)
      const context = yield* Effect.onError(restore(build), (cause) => Scope.close(scope, Exit.failCause(cause)))
      const { current } = targetOf("TestKernel", Context.getUnsafe(context, Tree))
      yield* Effect.addFinalizer((exit) => Effect.andThen(closeWithin(scope, exit), hasEnded(current)))
      return context
    })
  )
}

/** Fails for processes that a supervisor could not stop in time. */
const hasEnded = (supervisor: ProcessRecord | undefined): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (supervisor === undefined || supervisor.ended) return Effect.void
    const { table, zombies } = supervisor.kernel
    const processes = [...table.values(), ...zombies].filter((record) => isBelow(record, supervisor)).map(leakedOf)
    killUnsafe(supervisor)
    return Effect.die(pointTo(new Leaked({ processes, names: [], timers: 0, missing: 0 }), ""))
  })

const isBelow = (record: ProcessRecord, above: ProcessRecord): boolean =>
  record === above || (record.parent !== undefined && isBelow(record.parent, above))

/** Waits for processes that are ending, if nothing else is left. */
const awaitEnding = (kernel: KernelState): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = [...kernel.table.values(), ...kernel.zombies]
    if (left.length === 0 || left.some(({ isOpen }) => isOpen)) return Effect.void
    const ended = Effect.forEach(left, awaitEnd, { discard: true })
    return Effect.andThen(withLive(Effect.timeoutOption(ended, leakLimit)), untilQuiet(kernel))
  })

/** Kills what is left, and does not wait for ever for a process that cannot be killed. */
const closeWithin = (scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true }), (closing) =>
    Effect.asVoid(withLive(Effect.timeoutOption(Fiber.await(closing), leakLimit)))
  )
