/**
 * Shows a running system as data: once, or as a stream of changes.
 *
 * Provide {@link layer} next to your supervision tree, in the same kernel. Then `Observer.snapshot` lists all processes,
 * with what became of their messages, and `Observer.changes` goes on telling what has changed.
 *
 * **Guarantees**
 *
 * - Cost: with nobody reading, only crashes, restarts and the times of starts are noted. No message pays anything.
 * - Politeness: a look at the system runs in slices of 2 milliseconds, however many processes there are. With very many
 *   of them the garbage collector adds pauses of its own: timers waited up to 13 milliseconds during a first look at
 *   100,000 servers. A look sends no messages, so a busy or suspended process does not delay it.
 * - Safety: everything of a user is shown without secrets and within the limits of `Display`.
 * - Memory: a reader that is slow gets fewer and larger changes. It costs no memory and delays nobody.
 *
 * **Not here**
 *
 * A look takes several steps, so a snapshot is not of one instant: a process may be in it that has ended since. Each
 * process is shown as it was at one moment.
 *
 * **In Erlang/OTP**
 *
 * `observer`, `recon`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { currentKernel } from "../kernel/shared/currentKernel.ts"
import * as Check from "../values/check.ts"
import { pollEvery } from "./internal/defaults.ts"
import { detailsOf } from "./internal/details.ts"
import { noteIncidents } from "./internal/incidents.ts"
import { makeLooks, Observation, reading, watchBirths } from "./internal/observation.ts"
import type * as Snapshot from "./Snapshot.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * What an observer offers.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Service {
  readonly snapshot: Effect.Effect<Snapshot.Snapshot>
  readonly changes: Stream.Stream<Snapshot.Change>
  readonly snapshots: Stream.Stream<Snapshot.Snapshot>
  readonly process: (id: number) => Effect.Effect<Option.Option<Snapshot.ProcessDetails>>
}

/**
 * Options of an observer.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How often it looks at the system while somebody reads its changes. Default: 1 second. */
  readonly every?: Duration.Input | undefined
}

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * The observer of a kernel.
 *
 * @stability experimental
 * @category services
 * @since 0.1.0
 */
export class Observer extends Context.Service<Observer, Service>()("effect-otp/observer/Observer") {}

// ---- layers -------------------------------------------------------------------------------------------------------

/**
 * Observes the kernel in which it is built.
 *
 * **Details**
 *
 * Crashes and restarts are noted from now on: the last 200 crashes and the last 1,000 restarts are kept. Processes that
 * were there before have no time of start. Throws a `RangeError` unless `every` is finite and more than zero.
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Observer> => {
  const every = interval(Check.or<Duration.Input>(options.every, pollEvery))
  return Layer.effect(
    Observer,
    Effect.gen(function* () {
      const observation = new Observation(yield* kernelHere)
      yield* watchBirths(observation.kernel)
      yield* noteIncidents(observation)
      const looks = yield* makeLooks(observation, every)
      return {
        snapshot: observation.snapshot,
        changes: reading(looks, (seen) => observation.change(seen)),
        snapshots: reading(looks, (seen) => observation.picture(seen)),
        process: (id) => detailsOf(observation, id)
      }
    })
  )
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Looks at the system once.
 *
 * **When to use**
 *
 * Use for a report, a test or a health check. To follow a system use {@link changes}.
 *
 * **Example** (Listing the processes)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Agent, Kernel, Supervisor } from "effect-otp"
 * import { Observer } from "effect-otp/observer"
 *
 * class Counter extends Agent.Service<Counter, number>()("app/Counter") {
 *   static readonly layer = this.define({ init: () => Effect.succeed(1) }).layer()
 * }
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.child(Counter.layer)]
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   const { processes } = yield* Observer.snapshot
 *   return processes.map(({ behaviour, displayName }) => `${behaviour} ${displayName}`)
 * })
 *
 * const system = Layer.provide(Layer.merge(App.layer, Observer.layer()), Kernel.layer)
 * await Effect.runPromise(Effect.provide(program, system)) // => ["Supervisor app/App", "Agent app/Counter"]
 * ```
 *
 * @see `observer_cli`, `recon:info/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const snapshot: Effect.Effect<Snapshot.Snapshot, never, Observer> = Effect.flatMap(
  Observer,
  (observer) => observer.snapshot
)

/**
 * Follows the system: first a snapshot, then what has changed, once a second unless the layer says otherwise.
 *
 * **Details**
 *
 * All readers share the looks at the system. The observer looks only while somebody reads. A reader that falls behind
 * gets larger changes, and after very many removed processes a new snapshot. If nothing has changed, a change still
 * comes: its totals have the time. `Snapshot.apply` turns changes into snapshots.
 *
 * **Interruption**
 *
 * Closing the stream stops nothing but the looks, once nobody else reads.
 *
 * @see {@link snapshot} for one look
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const changes: Stream.Stream<Snapshot.Change, never, Observer> = Stream.unwrap(
  Effect.map(Observer, (observer) => observer.changes)
)

/**
 * Follows the system as whole snapshots, once a second unless the layer says otherwise.
 *
 * **When to use**
 *
 * Use for a tool in the same program. To send what you see, use {@link changes}, which are smaller.
 *
 * **Example** (Waiting until something is up)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer, Option, Stream } from "effect"
 * import { Kernel, Process } from "effect-otp"
 * import { Observer } from "effect-otp/observer"
 *
 * const program = Effect.gen(function*() {
 *   yield* Process.spawn(Effect.never, { label: "cook" })
 *   const kitchen = Stream.filter(Observer.snapshots, ({ processes }) => processes.some(({ label }) => label === "cook"))
 *   return Option.isSome(yield* Stream.runHead(kitchen))
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.provideMerge(Observer.layer(), Kernel.layer))) // => true
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const snapshots: Stream.Stream<Snapshot.Snapshot, never, Observer> = Stream.unwrap(
  Effect.map(Observer, (observer) => observer.snapshots)
)

/**
 * Shows one process in full: its state, its neighbours, its children and its last crash. `id` is the number in its pid.
 * It gives `None` if there is no such process.
 *
 * **Details**
 *
 * The state is read between two turns, without a message: a busy or suspended server shows it, too. It is shown as
 * `formatStatus` gives it.
 *
 * @see `Sys.getStatus` for one server
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const process = (id: number): Effect.Effect<Option.Option<Snapshot.ProcessDetails>, never, Observer> =>
  Effect.flatMap(Observer, (observer) => observer.process(id))

// ---- internals ----------------------------------------------------------------------------------------------------

const interval = (input: Duration.Input): Duration.Duration => {
  const every = Check.positiveDuration("every of an observer", input)
  return Duration.isFinite(every) ? every : Check.refuse("every of an observer", "finite", input)
}

const kernelHere = Effect.withFiber((fiber) => Effect.succeed(currentKernel(fiber)))
