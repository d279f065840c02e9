/**
 * Says what a supervisor starts and how it treats each child.
 *
 * A `child` is a Layer that starts one process. A `worker` is an effect that runs as a process. A `resource` is a plain
 * service that later siblings need. A child provides a handle, which outlives its restarts. The service of a resource
 * does not outlive them, so it never leaves the supervisor.
 *
 * **In Erlang/OTP**
 *
 * The child specification of `supervisor`. OTP has no resources: there a pool is a process, too.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Prototype, type Pipeable } from "effect/Pipeable"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Handle } from "../kernel/Handle.ts"
import type { Self } from "../kernel/Process.ts"
import type { Limit } from "../kernel/Shutdown.ts"
import { workerLayer } from "./internal/child/workerLayer.ts"
import type { ChildExit, Restart } from "./RestartPolicy.ts"

const TypeId = "~effect-otp/supervision/ChildSpec"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A Schedule over the endings of a child, or (as in `Effect.retry`) a function that gets a typing helper:
 * `($) => $(Schedule.spaced("1 second")).pipe(Schedule.while(({ input }) => input.reason._tag === "Crash"))`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type RestartSchedule<E, R> =
  | Schedule.Schedule<unknown, ChildExit<NoInfer<E>>, never, R>
  | ((
      $: <O, SE, SR>(
        schedule: Schedule.Schedule<O, NoInfer<ChildExit<E>>, SE, SR>
      ) => Schedule.Schedule<O, ChildExit<E>, SE, SR>
    ) => Schedule.Schedule<unknown, ChildExit<NoInfer<E>>, never, R>)

/**
 * How a supervisor treats a child. `E` is the failure of its start.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ChildOptions<E, R = never> {
  /**
   * Unique among its siblings. Default: `"child 1"` and so on by its place in the list; for a resource, the key of its
   * service.
   */
  readonly id?: string | undefined
  /** Which endings a restart follows. Default: `"permanent"`. */
  readonly restart?: Restart | undefined
  /** The delay of restarts, and when to give up, for this child. It replaces the supervisor's schedule. */
  readonly schedule?: RestartSchedule<E, R> | undefined
  /** The schedule begins anew once the child has been up this long. Default: the window of the intensity, 5 seconds. */
  readonly resetAfter?: Duration.Input | undefined
  /** How long an orderly end may take before the kill. Default: 5 seconds; no limit for a supervisor. */
  readonly shutdown?: Limit | undefined
  /** Whether its final end can end the supervisor: see `autoShutdown`. Default: false. */
  readonly significant?: boolean | undefined
}

/**
 * How a supervisor treats a resource.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ResourceOptions<E, S, R = never, RW = never> extends Omit<
  ChildOptions<E, R>,
  "restart" | "significant"
> {
  /** Ends when the resource is broken. Then the resource and every later sibling start again. */
  readonly watch?: ((service: S) => Effect.Effect<unknown, unknown, RW>) | undefined
  /**
   * Whether the resource is rebuilt when a child that comes after it fails.
   *
   * - `"withHolder"`: yes, together with everything after the resource, under every strategy. A broken resource may be
   *   the cause of the failure, and later siblings hold the old one. It counts as one failure, of that child. A failure
   *   is a crash, a kill, a start that fails again, or a supervisor that gives up.
   * - `"onWatch"`: no. It is rebuilt when its `watch` ends, and with its group. Without a `watch` it is never rebuilt
   *   alone.
   *
   * Default: `"withHolder"` without a `watch`, `"onWatch"` with one.
   */
  readonly rebuild?: "withHolder" | "onWatch" | undefined
}

/**
 * Keys of services that are handles. Only these may leave a supervisor, because anything else would be stale after a
 * restart.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Stable {
  readonly Service: Handle<never> | Handle<unknown> | HandleOfAny
}

/** A handle of any protocol. Handles are invariant in their protocol, so this type leaves the protocol out. */
type HandleOfAny = { readonly [K in keyof Handle<never>]: { readonly key: string } }

/**
 * A process under a supervisor. `ROut` is what it provides, `E` the failure of its start, `RIn` what it needs.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ChildSpec<out ROut, out E, out RIn> extends Pipeable {
  readonly [TypeId]: { readonly _ROut: ROut; readonly _E: E; readonly _RIn: RIn }
  readonly kind: "child"
}

/**
 * A plain service under a supervisor. It is given to later siblings, rebuilt with them, and never exported.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ResourceSpec<out ROut, out E, out RIn> extends Pipeable {
  readonly [TypeId]: { readonly _ROut: ROut; readonly _E: E; readonly _RIn: RIn }
  readonly kind: "resource"
}

/**
 * Anything that a supervisor can start.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Any = ChildSpec<unknown, unknown, unknown> | ResourceSpec<unknown, unknown, unknown>

/**
 * What a child provides to later siblings.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Provides<C> = C extends { readonly [TypeId]: { readonly _ROut: infer A } } ? A : never

/**
 * What a child provides outside of the supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Exports<C> = C extends ChildSpec<infer A, unknown, unknown> ? A : never

/**
 * The failure of a child's start.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Fails<C> = C extends { readonly [TypeId]: { readonly _E: infer E } } ? E : never

type Needs<C> = C extends { readonly [TypeId]: { readonly _RIn: infer R } } ? R : never

/**
 * What a list of children needs from outside. Each child has what earlier siblings provide. If the compiler does not
 * know the order of the list, it needs everything.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Requirements<Cs, Have = never, Out = never> = Cs extends readonly [infer H, ...infer T]
  ? Requirements<T, Have | Provides<H>, Out | Exclude<Needs<H>, Have>>
  : Cs extends readonly []
    ? Out
    : Out | Exclude<Needs<Cs extends ReadonlyArray<infer X> ? X : never>, Have>

/**
 * What a list of children has to be so that each child comes after those that it needs. It is `unknown` in the place of
 * a child that does, and a sentence in the place of a child that does not: the compiler shows it at that child.
 *
 * **Details**
 *
 * Only what a later sibling provides, and no earlier one, is out of order. Whatever no sibling provides has to come from
 * outside. A sibling that itself needs the service it provides replaces the one from outside for the siblings after it.
 * Where the compiler does not know the order, as in a list that is spread from an array, it checks nothing.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type InOrder<Cs extends ReadonlyArray<unknown>> = Ordered<Cs, New<Cs[number]>>

/** What children provide without having got it from outside themselves. */
type New<C> = C extends unknown ? Exclude<Provides<C>, Needs<C>> : never

/** Tail-recursive, so that long lists are within the limits of the compiler. */
type Ordered<Cs, All, Have = never, Checked extends ReadonlyArray<unknown> = []> = Cs extends readonly [
  infer H,
  ...infer T
]
  ? Ordered<T, All, Have | Provides<H>, [...Checked, AfterSiblings<Exclude<Needs<H>, Have | Provides<H>>, All>]>
  : Cs extends readonly []
    ? Readonly<Checked>
    : Checked extends readonly []
      ? unknown
      : readonly [...Checked, ...ReadonlyArray<unknown>]

/** A child with these needs, which no earlier sibling meets. Nothing can be said of needs of type `any`. */
type AfterSiblings<Unmet, All> = 0 extends 1 & (Unmet | All)
  ? unknown
  : [Extract<Unmet, All>] extends [never]
    ? unknown
    : "this child needs what a later sibling provides: write it below that one"

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Makes a child from a Layer that starts one process: the Layer of a server, of an agent, of another supervisor.
 *
 * **Details**
 *
 * The child's `id` is `"child 1"` and so on by its place in the list, unless you give one. It is restarted after every
 * ending, unless `restart` says otherwise, and has 5 seconds for an orderly end.
 *
 * **Example** (A child with options)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Supervisor } from "effect-otp"
 *
 * class Counter extends Agent.Service<Counter, number>()("app/Counter") {
 *   static readonly layer = this.define({ init: () => Effect.succeed(0) }).layer()
 * }
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.child(Counter.layer, { id: "counter", restart: "transient", shutdown: "10 seconds" })]
 * }) {}
 *
 * const program = Effect.flatMap(App, (app) => app.whichChildren)
 * const children = await Effect.runPromise(Effect.provide(program, App.layer))
 * children.map(({ id, state }) => `${id} ${state}`) // => ["counter running"]
 * ```
 *
 * @see {@link worker} for an effect, {@link resource} for a plain service
 * @see the child specification of `supervisor`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const child = <ROut extends Stable, E, RIn, R = never>(
  layer: Layer.Layer<ROut, E, RIn>,
  options?: ChildOptions<E, R>
): ChildSpec<ROut, E, RIn | NoInfer<R>> => spec({ kind: "child", layer, options: options ?? {} })

/**
 * Makes a child from an effect, which runs as a process.
 *
 * **When to use**
 *
 * Use for loops and other work that nobody calls: a poller, a consumer of a queue, an HTTP server.
 *
 * **Details**
 *
 * When the effect ends, its `restart` type decides what follows. By default it is started again, even if it succeeded.
 * A typed failure counts as a crash.
 *
 * **Example** (Running until it succeeds)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect, Logger } from "effect"
 * import { Supervisor } from "effect-otp"
 *
 * let runs = 0
 * const done = Deferred.makeUnsafe<number>()
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [
 *     Supervisor.worker("import", Effect.suspend(() => ++runs < 2 ? Effect.fail("busy") : Deferred.succeed(done, runs)), {
 *       restart: "transient"
 *     })
 *   ]
 * }) {}
 *
 * await Effect.runPromise(Deferred.await(done).pipe(Effect.provide(App.layer), Effect.provide(Logger.layer([])))) // => 2
 * ```
 *
 * @see {@link child} for servers
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const worker = <A, E, R, RS = never>(
  id: string,
  run: Effect.Effect<A, E, R>,
  options?: ChildOptions<E, RS>
): ChildSpec<never, never, Exclude<R, Scope.Scope | Self> | NoInfer<RS>> =>
  spec({ kind: "child", layer: workerLayer(id, run), options: { ...options, id: options?.id ?? id } })

/**
 * Makes a child from a plain service that later siblings need, such as a connection pool. It is rebuilt together with
 * them.
 *
 * **When to use**
 *
 * Use for a service that is not a process and may break. If it cannot break, it is better to provide it to the
 * supervisor from outside.
 *
 * **Details**
 *
 * With a `watch` the resource says itself when it is broken. Without one, the failure of a later sibling rebuilds the
 * resource, and everything after it starts anew; `rebuild: "onWatch"` turns this off. A failure below a nested or
 * dynamic supervisor counts when that supervisor gives up. List children that do not need the resource before it.
 *
 * **Example** (A server that needs a connection)
 *
 * ```ts import.meta.vitest
 * import { Context, Effect, Layer, Schema } from "effect"
 * import { GenServer, Supervisor } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * class Database extends Context.Service<Database, { readonly size: Effect.Effect<number> }>()("app/Database") {
 *   static readonly layer = Layer.succeed(this, { size: Effect.succeed(3) })
 * }
 * class Stock extends GenServer.Service<Stock>()("app/Stock", [Rpc.make("left", { success: Schema.Finite })]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.flatMap(Database, ({ size }) => size),
 *     handlers: { left: (_, left) => GenServer.reply(left, left) }
 *   }).layer()
 * }
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.resource(Database, Database.layer), Supervisor.child(Stock.layer)]
 * }) {}
 *
 * await Effect.runPromise(Effect.provide(Effect.flatMap(Stock, (stock) => stock.left()), App.layer)) // => 3
 * ```
 *
 * @see {@link child}
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const resource = <I, S, E, RIn, R = never, RW = never>(
  key: Context.Key<I, S>,
  layer: Layer.Layer<I, E, RIn>,
  options?: ResourceOptions<E, S, R, RW>
): ResourceSpec<I, E, RIn | NoInfer<RW> | NoInfer<R>> =>
  spec({ kind: "resource", layer, key, options: { ...options, id: options?.id ?? key.key } })

// ---- internals ----------------------------------------------------------------------------------------------------

/** The constructors above give it its types. No value carries them. */
const spec = (options: object): never =>
  Object.assign(Object.create(Prototype) as object, { [TypeId]: undefined, key: undefined, ...options }) as never
