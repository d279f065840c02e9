/**
 * Suites that every server, supervisor or registry must pass: those of this library, and your own.
 *
 * A law is a name and an effect to run, so it works with any test runner. Each law runs on a test clock and in its own
 * kernel, which must be empty afterwards. It runs in the default order and in the orders of some seeds.
 *
 * **Example** (Holding a server to the laws)
 *
 * ```ts import.meta.vitest
 * import { Effect, Logger, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Laws } from "effect-otp/testing"
 * import { Rpc } from "effect/rpc"
 *
 * class Stock extends GenServer.Service<Stock>()("example/Stock", [
 *   Rpc.make("left", { success: Schema.Int }),
 *   GenServer.cast("lose")
 * ]) {
 *   static readonly definition = this.define({
 *     init: (count: number) => Effect.succeed(count),
 *     handlers: {
 *       left: (_, count) => GenServer.reply(count, count),
 *       lose: () => Effect.die("all is lost")
 *     }
 *   })
 * }
 *
 * const laws = Laws.server({
 *   start: Stock.definition.start(5),
 *   ask: (stock) => stock.left(),
 *   crash: (stock) => stock.lose()
 * })
 *
 * // In a test file: for (const law of laws) it.effect(law.name, () => law.run)
 * const all = Effect.forEach(laws, (law) => Effect.as(law.run, "holds"))
 * const outcomes = await Effect.runPromise(Effect.provide(all, Logger.layer([])))
 * outcomes.every((outcome) => outcome === "holds") // => true
 * ```
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Handle } from "../kernel/Handle.ts"
import type { Pid } from "../kernel/Pid.ts"
import type { Self } from "../kernel/Process.ts"
import type { LawBroken } from "./internal/law.ts"
import { registryLaws } from "./internal/registryLaws.ts"
import { serverLaws } from "./internal/serverLaws.ts"
import { supervisorLaws } from "./internal/supervisorLaws.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A statement that must be true of every implementation.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Law {
  /** A sentence. It is the title of the law's test. */
  readonly name: string
  readonly run: Effect.Effect<void, LawBroken>
}

/**
 * Any handle: a client, or the service of a supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type AnyHandle = { readonly [K in keyof Handle<never>]: { readonly key: string } }

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The seeds in whose orders each law runs, too: from 0 up to a count, or these. Default: 10. If the subject waits for
   * real I/O, its order cannot be replayed: give 0.
   */
  readonly seeds?: number | Iterable<number> | undefined
}

/**
 * A server, and two things to do with it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Server<C extends AnyHandle> extends Options {
  /** Starts a server that ends with its scope. */
  readonly start: Effect.Effect<C, unknown, Scope.Scope>
  /** A call that is answered without the passing of time. */
  readonly ask: (client: C) => Effect.Effect<unknown, unknown>
  /** Makes the server die of a defect. */
  readonly crash: (client: C) => Effect.Effect<unknown, unknown>
}

/**
 * A supervisor of servers that are restarted at once after a crash, and two things to do with one of them. It must have
 * at least one child, and give up on a child that fails 100 times without the passing of time.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Supervisor<C extends AnyHandle> extends Options {
  /** Starts a supervisor with some children. It ends with its scope. */
  readonly start: Effect.Effect<
    { readonly supervisor: AnyHandle; readonly children: ReadonlyArray<C> },
    unknown,
    Scope.Scope
  >
  /** A call that a child answers without the passing of time. */
  readonly ask: (child: C) => Effect.Effect<unknown, unknown>
  /** Makes a child die of a defect. */
  readonly crash: (child: C) => Effect.Effect<unknown, unknown>
}

/**
 * Finds processes by key.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Registry<K> extends Options {
  /** Whether a key has at most one process. */
  readonly unique: boolean
  /** Two free keys. */
  readonly keys: readonly [K, K]
  /** Registers the process that runs it. Fails if that is refused. */
  readonly register: (key: K) => Effect.Effect<unknown, unknown, Self>
  /** Gives up the entries of the process that runs it. */
  readonly unregister: (key: K) => Effect.Effect<unknown, unknown, Self>
  /** The processes under a key, in the order they registered. */
  readonly lookup: (key: K) => Effect.Effect<Iterable<Pid>, unknown>
}

// ---- errors -------------------------------------------------------------------------------------------------------

export {
  /**
   * A law does not hold. `cause` says what is not true, `seed` in which order.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  LawBroken
} from "./internal/law.ts"

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The laws of every server: it is up when its start returns, answers every call, is not affected by callers that leave,
 * ends with its scope and when it is told to, and tells all waiting callers at once when it dies.
 *
 * **When to use**
 *
 * Use to test your own kind of server.
 *
 * **Example** (The laws of an agent)
 *
 * ```ts import.meta.vitest
 * import { Effect, Logger } from "effect"
 * import { Agent } from "effect-otp"
 * import { Laws } from "effect-otp/testing"
 *
 * const laws = Laws.server({
 *   start: Agent.start(Effect.succeed(1)),
 *   ask: (agent) => Agent.get(agent),
 *   crash: (agent) => Agent.castEffect(agent, () => Effect.die("broken")),
 *   seeds: 1
 * })
 * // In a test file: for (const law of laws) it.effect(law.name, () => law.run)
 * await Effect.runPromise(Effect.provide(laws[0]!.run, Logger.layer([]))) // => undefined
 * ```
 *
 * @see {@link supervisor}, {@link registry}
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const server: <C extends AnyHandle>(subject: Server<C>) => ReadonlyArray<Law> = serverLaws

/**
 * The laws of every supervisor: its children are up when its start returns, come back behind the same client, and have
 * ended before it has. It reports each crash once, and gives up on a child that fails too often.
 *
 * **Example** (The laws of a tree)
 *
 * ```ts import.meta.vitest
 * import { Context, Effect, Layer, Logger } from "effect"
 * import { Agent, Supervisor } from "effect-otp"
 * import { Laws } from "effect-otp/testing"
 *
 * class Counter extends Agent.Service<Counter, number>()("app/Counter") {
 *   static readonly layer = this.define({ init: () => Effect.succeed(1) }).layer()
 * }
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.child(Counter.layer)]
 * }) {}
 *
 * const laws = Laws.supervisor({
 *   start: Effect.map(Layer.build(Layer.fresh(App.layer)), (tree) => ({
 *     supervisor: Context.get(tree, App),
 *     children: [Context.get(tree, Counter)]
 *   })),
 *   ask: (agent) => Agent.get(agent),
 *   crash: (agent) => Agent.castEffect(agent, () => Effect.die("broken")),
 *   seeds: 1
 * })
 * await Effect.runPromise(Effect.provide(laws[0]!.run, Logger.layer([]))) // => undefined
 * ```
 *
 * @see {@link server}
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const supervisor: <C extends AnyHandle>(subject: Supervisor<C>) => ReadonlyArray<Law> = supervisorLaws

/**
 * The laws of every registry: a process is found under its key and under no other. A key that was given up is free. The
 * key of a dead process is free before anybody hears of the death.
 *
 * **Example** (The laws of a registry)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Registry } from "effect-otp"
 * import { Laws } from "effect-otp/testing"
 *
 * const Desks = Registry.make<number>("bank/laws", { keys: "unique" })
 *
 * const laws = Laws.registry({
 *   unique: true,
 *   keys: [1, 2],
 *   register: (key) => Registry.register(Desks, key),
 *   unregister: (key) => Registry.unregister(Desks, key),
 *   lookup: (key) => Effect.map(Registry.lookup(Desks, key), (found) => found.map(({ pid }) => pid)),
 *   seeds: 1
 * })
 * await Effect.runPromise(laws[0]!.run) // => undefined
 * ```
 *
 * @see {@link server}
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const registry: <K>(subject: Registry<K>) => ReadonlyArray<Law> = registryLaws
