/**
 * Agents: processes that keep a state and nothing else.
 *
 * Functions read and change the state. They run in the agent, one at a time. An agent is declared as a service with the
 * type of its state. Its Layer gives the one agent of that name, which goes under a supervisor; `start` gives one of
 * many.
 *
 * **Guarantees**
 *
 * - One at a time: functions run in the order they were sent, and no other function runs in between.
 * - Success: the state is replaced. A typed failure: the caller gets it, the state stays. A defect: the agent crashes,
 *   the caller gets a `CallError` with `ServerDown`, and the supervisor starts the agent again from `init`.
 * - A stream of `changes` begins with the present state, always reaches the last one, and goes on after a restart.
 *
 * **Not here**
 *
 * An agent has no protocol: everybody with its client can do anything with its state. With a `GenServer` you say what
 * callers can ask. If no process has to own the state, a `Ref` of Effect is enough.
 *
 * **In Erlang/OTP**
 *
 * `Agent` of Elixir. The names are those of Effect's `Ref` and `SubscriptionRef`; `get_and_update` is `modify`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Check from "../values/check.ts"
import type { ExitReason } from "../kernel/ExitReason.ts"
import type { Bound } from "../kernel/Mailbox.ts"
import type * as Process from "../kernel/Process.ts"
import type { AlreadyStarted } from "../naming/Name.ts"
import type * as Registry from "../naming/Registry.ts"
import type { CallError, CallOptions, Client, Definition, Shown, Status } from "./GenServer.ts"
import * as Server from "./internal/server/agentServer.ts"
import { clientMaker } from "./internal/call/client.ts"
import { define, type DefineOptions } from "./internal/server/define.ts"
import { viaTarget } from "./internal/server/viaTarget.ts"
import type * as Protocol from "./Protocol.ts"
import { makeDefinition } from "./shared/definition.ts"
import type { Stateful } from "./Sys.ts"
import { isHandle, type HandleTarget, targetOf as handleTargetOf } from "../kernel/shared/handleTarget.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The protocol of an agent. It has no messages of its own, and carries the type of the state.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface AgentProtocol<in out S> extends Protocol.Any, Stateful<S> {
  readonly _tag: never
  readonly "~effect-otp/behaviour/Agent/Invariant": (state: S) => S
}

/**
 * A client of an agent whose state is an `S`. Like any client it stays valid across restarts.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Agent<S> = Client<AgentProtocol<S>>

type Name<A extends ReadonlyArray<unknown>> = string | Registry.Claim | ((...args: A) => string | Registry.Claim)
type NameError<N> = [N] extends [undefined] ? never : AlreadyStarted
type Without<R> = Exclude<R, Scope.Scope | Process.Self>

/**
 * The options of an agent.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<A extends ReadonlyArray<unknown>, S, E, R, N, RT> {
  /** Gives the first state of each run. It runs in the agent. Its scope ends with the run. */
  readonly init: (...args: A) => Effect.Effect<S, E, R>
  /** Runs when the agent ends, with its last good state. It does not run after a kill or a failed `init`. */
  readonly terminate?: ((reason: ExitReason, state: S) => Effect.Effect<void, never, RT>) | undefined
  /** A unique name, or a key of a registry by `Registry.via`. It is claimed before `init` runs. */
  readonly name?: N | undefined
  /** A bound for the mailbox. Default: none. */
  readonly mailbox?: Bound | undefined
  /** Whether an orderly shutdown waits for all messages that came before it. Default: false. */
  readonly drain?: boolean | undefined
  /** How long the agent may wait for a message before it stops with `Normal`. Default: for ever. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long one function may take, like the `turnTimeout` of a `GenServer`. Default: no limit. */
  readonly turnTimeout?: Duration.Input | undefined
  /** What crash reports and `Sys.getStatus` show in place of the state, the message and the reason of a crash. */
  readonly formatStatus?: ((status: Status<S>) => Shown) | undefined
}

/**
 * The options of an agent without a service.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface StartOptions<N> {
  /** Its name in crash reports and listings. Default: `"Agent"`. */
  readonly label?: string | undefined
  /** A unique name, or a key of a registry by `Registry.via`. It is claimed before the first state is made. */
  readonly name?: N | undefined
  /** A bound for the mailbox. Default: none. */
  readonly mailbox?: Bound | undefined
  /** How long the agent may wait for a message before it stops with `Normal`. Default: for ever. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long one function may take, like the `turnTimeout` of a `GenServer`. Default: no limit. */
  readonly turnTimeout?: Duration.Input | undefined
}

/**
 * The service class of an agent: its key in the environment, and `define`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, S> extends Context.ServiceClass<Self, Id, Agent<S>> {
  /** Says how the agent starts. The definition goes under a supervisor like that of a `GenServer`. */
  define<
    A extends ReadonlyArray<unknown>,
    E = never,
    R = never,
    const N extends Name<A> | undefined = undefined,
    RT = never
  >(
    options: Options<A, S, E, R, N, RT>
  ): Definition<Self, AgentProtocol<S>, A, E | NameError<N>, Without<R | RT | Registry.ClaimNeeds<N>>>
  /** The agent behind a key of a registry, like `via` of a `GenServer`. */
  via(key: Registry.Via): Agent<S>
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Declares an agent: its service, its name in the environment, and the type of its state.
 *
 * **Example** (Counting)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * class Counter extends Agent.Service<Counter, number>()("demo/Counter") {
 *   static readonly layer = this.define({ init: () => Effect.succeed(0) }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   yield* Agent.update(counter, (n) => n + 1)
 *   const before = yield* Agent.getAndUpdate(counter, (n) => n * 10)
 *   return [before, yield* Agent.get(counter)]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Counter.layer)) // => [1, 10]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self, S>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id, S> => {
    const key = Context.Service<Self, Agent<S>>()(id)
    const untyped = (options: Omit<DefineOptions, "handlers">) =>
      makeDefinition(define({ id, key, makeClient }, { ...options, behaviour: "Agent", handlers: Server.handlers }), {})
    const via = (at: Registry.Via) => makeClient(viaTarget(at, { id, key, makeClient }))
    return Object.assign(key, { define: untyped, via }) as unknown as ServiceClass<Self, Id, S>
  }

/**
 * Starts an agent. When the scope closes, the agent ends in good order.
 *
 * **Details**
 *
 * `init` runs in the agent. `start` returns when `init` has succeeded.
 *
 * **Errors**
 *
 * - The failure of `init`, and `AlreadyStarted` if another process has the given `name`. Then no agent is left.
 *
 * **Example** (Starting one of many)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const seen = yield* Agent.start(Effect.succeed<ReadonlyArray<string>>([]))
 *   yield* Agent.cast(seen, (names) => [...names, "Joe"])
 *   return yield* Agent.get(seen, (names) => names.length)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 1
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const start = <S, E = never, R = never, const N extends string | Registry.Claim | undefined = undefined>(
  init: Effect.Effect<S, E, R>,
  options?: StartOptions<N>
): Effect.Effect<Agent<S>, E | NameError<N>, Without<R | Registry.ClaimNeeds<N>> | Scope.Scope> =>
  Effect.suspend(() => {
    const { label = "Agent", ...rest } = options ?? {}
    const untyped = { ...rest, behaviour: "Agent", init: () => init, handlers: Server.handlers } as DefineOptions
    return define({ id: label, key: Anonymous, makeClient }, untyped).start()
  }) as Effect.Effect<Agent<S>, E | NameError<N>, Without<R | Registry.ClaimNeeds<N>> | Scope.Scope>

// ---- operations ---------------------------------------------------------------------------------------------------

/** Whether the agent is the first argument. If a function comes first, the agent comes later. */
const isDataFirst = (args: IArguments): boolean => typeof args[0] !== "function"

/** Whether two arguments are an agent and a value, and not a value and options. */
const isValueLast = ({ 0: first, 1: second, length }: IArguments): boolean =>
  length > 2 || (length === 2 && (isHandle(first) || (typeof second !== "object" && second !== undefined)))

/**
 * Gives the state, or the result of a function of it. The function runs in the agent.
 *
 * **Details**
 *
 * It waits at most `timeout`, 5 seconds by default.
 *
 * **Errors**
 *
 * - `CallError`, as for any call of a server.
 *
 * **Gotchas**
 *
 * The state is shared, not copied. Do not change it in place.
 *
 * **Example** (Reading a part of the state)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const names = yield* Agent.start(Effect.succeed(["ann", "bob"]))
 *   return [yield* Agent.get(names), yield* Agent.get(names, ({ length }) => length)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [["ann", "bob"], 2]
 * ```
 *
 * @see {@link modify} to read and change in one step, {@link changes} to follow the state
 * @see `Agent.get/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const get: {
  <S, A>(f: (state: S) => A, options?: CallOptions): (self: Agent<S>) => Effect.Effect<A, CallError>
  <S, A>(self: Agent<S>, f: (state: S) => A, options?: CallOptions): Effect.Effect<A, CallError>
  <S>(self: Agent<S>, options?: CallOptions): Effect.Effect<S, CallError>
} = dual(
  isDataFirst,
  <S>(
    self: Agent<S>,
    first?: ((state: S) => unknown) | CallOptions,
    options?: CallOptions
  ): Effect.Effect<never, CallError> => {
    const [f, how] = typeof first === "function" ? [first, options] : [(state: S) => state, first]
    // The overloads say which of the two types it returns. Here it may be either.
    return request<S, never>("get", self, { f: (state) => [f(state) as never, state], options: how })
  }
)

/**
 * Replaces the state.
 *
 * **Errors**
 *
 * - `CallError`, as for any call of a server.
 *
 * **Example** (Setting a state)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   yield* Agent.set(counter, 5)
 *   return yield* Agent.get(counter)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 5
 * ```
 *
 * @see {@link update} to make the next state from the present one
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const set: {
  <S>(value: S, options?: CallOptions): (self: Agent<S>) => Effect.Effect<void, CallError>
  <S>(self: Agent<S>, value: NoInfer<S>, options?: CallOptions): Effect.Effect<void, CallError>
} = dual(isValueLast, <S>(self: Agent<S>, value: S, options?: CallOptions) =>
  request("set", self, { f: (): readonly [void, S] => [undefined, value], options })
)

/**
 * Replaces the state, and gives the previous one.
 *
 * **Errors**
 *
 * - `CallError`, as for any call of a server.
 *
 * **Example** (Emptying a basket)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const basket = yield* Agent.start(Effect.succeed<ReadonlyArray<string>>(["tea"]))
 *   return [yield* Agent.getAndSet(basket, []), yield* Agent.get(basket)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [["tea"], []]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const getAndSet: {
  <S>(value: S, options?: CallOptions): (self: Agent<S>) => Effect.Effect<S, CallError>
  <S>(self: Agent<S>, value: NoInfer<S>, options?: CallOptions): Effect.Effect<S, CallError>
} = dual(isValueLast, <S>(self: Agent<S>, value: S, options?: CallOptions) =>
  request("getAndSet", self, { f: (state: S) => [state, value], options })
)

/**
 * Makes the next state from the present one.
 *
 * **Details**
 *
 * The function runs in the agent. If it throws, the agent crashes and its supervisor starts it again from `init`.
 *
 * **Errors**
 *
 * - `CallError`, as for any call of a server; `ServerDown` if the function throws.
 *
 * **Example** (Adding one)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   yield* Agent.update(counter, (n) => n + 1)
 *   return yield* Agent.get(counter)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 2
 * ```
 *
 * @see {@link cast}, which does not wait; {@link updateEffect} for a function that gives an effect
 * @see `Agent.update/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const update: {
  <S>(f: (state: S) => S, options?: CallOptions): (self: Agent<S>) => Effect.Effect<void, CallError>
  <S>(self: Agent<S>, f: (state: S) => NoInfer<S>, options?: CallOptions): Effect.Effect<void, CallError>
} = dual(isDataFirst, <S>(self: Agent<S>, f: (state: S) => S, options?: CallOptions) =>
  request("update", self, { f: (state: S): readonly [void, S] => [undefined, f(state)], options })
)

/**
 * Makes the next state from the present one, and gives the next one.
 *
 * **Errors**
 *
 * - `CallError`, as for {@link update}.
 *
 * **Example** (Counting up)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   return yield* Agent.updateAndGet(counter, (n) => n + 1)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 2
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const updateAndGet: {
  <S>(f: (state: S) => S, options?: CallOptions): (self: Agent<S>) => Effect.Effect<S, CallError>
  <S>(self: Agent<S>, f: (state: S) => NoInfer<S>, options?: CallOptions): Effect.Effect<S, CallError>
} = dual(isDataFirst, <S>(self: Agent<S>, f: (state: S) => S, options?: CallOptions) =>
  request("updateAndGet", self, { f: (state: S) => both(f(state)), options })
)

/**
 * Makes the next state from the present one, and gives the previous one.
 *
 * **Errors**
 *
 * - `CallError`, as for {@link update}.
 *
 * **Example** (Drawing numbers)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   const next = Agent.getAndUpdate(counter, (n) => n + 1)
 *   return [yield* next, yield* next]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [1, 2]
 * ```
 *
 * @see {@link modify}, which is Elixir's `get_and_update`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const getAndUpdate: {
  <S>(f: (state: S) => S, options?: CallOptions): (self: Agent<S>) => Effect.Effect<S, CallError>
  <S>(self: Agent<S>, f: (state: S) => NoInfer<S>, options?: CallOptions): Effect.Effect<S, CallError>
} = dual(isDataFirst, <S>(self: Agent<S>, f: (state: S) => S, options?: CallOptions) =>
  request("getAndUpdate", self, { f: (state: S) => [state, f(state)], options })
)

/**
 * Makes an answer and the next state from the present state.
 *
 * **When to use**
 *
 * Use to read and change the state in one step, so that no other function runs in between.
 *
 * **Errors**
 *
 * - `CallError`, as for {@link update}.
 *
 * **Example** (Taking from a stock)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const stock = yield* Agent.start(Effect.succeed(3))
 *   const take = (count: number) =>
 *     Agent.modify(stock, (left) => count <= left ? [true, left - count] as const : [false, left] as const)
 *   return [yield* take(2), yield* take(2), yield* Agent.get(stock)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [true, false, 1]
 * ```
 *
 * @see `Agent.get_and_update/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const modify: {
  <S, A>(f: (state: S) => readonly [A, S], options?: CallOptions): (self: Agent<S>) => Effect.Effect<A, CallError>
  <S, A>(self: Agent<S>, f: (state: S) => readonly [A, NoInfer<S>], options?: CallOptions): Effect.Effect<A, CallError>
} = dual(isDataFirst, <S, A>(self: Agent<S>, f: (state: S) => readonly [A, S], options?: CallOptions) =>
  request("modify", self, { f, options })
)

/**
 * Makes the next state by an effect that runs in the agent.
 *
 * **When to use**
 *
 * Use if making the next state needs a service, may fail, or takes time. Other requests wait meanwhile.
 *
 * **Details**
 *
 * The effect has the services of the caller. Its scope and its process are those of the agent: the fibers that it forks
 * as children end with it.
 *
 * **Errors**
 *
 * - The failure of the effect. The state stays as it was, and the agent lives.
 * - `CallError`, as for any call of a server; `ServerDown` if the effect dies.
 *
 * **Interruption**
 *
 * A caller that is interrupted stops waiting. The effect goes on.
 *
 * **Example** (A failure leaves the state)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const stock = yield* Agent.start(Effect.succeed(3))
 *   const take = (count: number) =>
 *     Agent.updateEffect(stock, (left) => count <= left ? Effect.succeed(left - count) : Effect.fail("sold out"))
 *   yield* take(2)
 *   const refused = yield* Effect.flip(take(2))
 *   return [refused, yield* Agent.get(stock)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["sold out", 1]
 * ```
 *
 * @see {@link update} for a plain function
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const updateEffect: {
  <S, E, R>(
    f: (state: S) => Effect.Effect<S, E, R>,
    options?: CallOptions
  ): (self: Agent<S>) => Effect.Effect<void, E | CallError, Without<R>>
  <S, E, R>(
    self: Agent<S>,
    f: (state: S) => Effect.Effect<NoInfer<S>, E, R>,
    options?: CallOptions
  ): Effect.Effect<void, E | CallError, Without<R>>
} = dual(isDataFirst, <S, E, R>(self: Agent<S>, f: (state: S) => Effect.Effect<S, E, R>, options?: CallOptions) =>
  requestEffect("updateEffect", self, { f: (state: S) => Effect.map(f(state), nothing), options })
)

/**
 * Makes the next state by an effect, and gives it. See {@link updateEffect}.
 *
 * **Example** (Adding what an effect gives)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   return yield* Agent.updateAndGetEffect(counter, (n) => Effect.as(Effect.yieldNow, n + 1))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 2
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const updateAndGetEffect: {
  <S, E, R>(
    f: (state: S) => Effect.Effect<S, E, R>,
    options?: CallOptions
  ): (self: Agent<S>) => Effect.Effect<S, E | CallError, Without<R>>
  <S, E, R>(
    self: Agent<S>,
    f: (state: S) => Effect.Effect<NoInfer<S>, E, R>,
    options?: CallOptions
  ): Effect.Effect<S, E | CallError, Without<R>>
} = dual(isDataFirst, <S, E, R>(self: Agent<S>, f: (state: S) => Effect.Effect<S, E, R>, options?: CallOptions) =>
  requestEffect("updateAndGetEffect", self, { f: (state: S) => Effect.map(f(state), both), options })
)

/**
 * Makes the next state by an effect, and gives the previous one. See {@link updateEffect}.
 *
 * **Example** (Getting the state before)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   return yield* Agent.getAndUpdateEffect(counter, (n) => Effect.as(Effect.yieldNow, n + 1))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 1
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const getAndUpdateEffect: {
  <S, E, R>(
    f: (state: S) => Effect.Effect<S, E, R>,
    options?: CallOptions
  ): (self: Agent<S>) => Effect.Effect<S, E | CallError, Without<R>>
  <S, E, R>(
    self: Agent<S>,
    f: (state: S) => Effect.Effect<NoInfer<S>, E, R>,
    options?: CallOptions
  ): Effect.Effect<S, E | CallError, Without<R>>
} = dual(isDataFirst, <S, E, R>(self: Agent<S>, f: (state: S) => Effect.Effect<S, E, R>, options?: CallOptions) =>
  requestEffect("getAndUpdateEffect", self, {
    f: (state: S) => Effect.map(f(state), (next): readonly [S, S] => [state, next]),
    options
  })
)

/**
 * Makes an answer and the next state by an effect. See {@link updateEffect}.
 *
 * **Example** (An answer and the next state)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   return yield* Agent.modifyEffect(counter, (n) => Effect.succeed([`it was ${n}`, n + 1] as const))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "it was 1"
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const modifyEffect: {
  <S, A, E, R>(
    f: (state: S) => Effect.Effect<readonly [A, S], E, R>,
    options?: CallOptions
  ): (self: Agent<S>) => Effect.Effect<A, E | CallError, Without<R>>
  <S, A, E, R>(
    self: Agent<S>,
    f: (state: S) => Effect.Effect<readonly [A, NoInfer<S>], E, R>,
    options?: CallOptions
  ): Effect.Effect<A, E | CallError, Without<R>>
} = dual(
  isDataFirst,

  <S, A, E, R>(self: Agent<S>, f: (state: S) => Effect.Effect<readonly [A, S], E, R>, options?: CallOptions) =>
    requestEffect("modifyEffect", self, { f, options })
)

/**
 * Makes the next state from the present one. The sender does not wait.
 *
 * **When to use**
 *
 * Use if it does not matter to the sender whether and when the change happens.
 *
 * **Details**
 *
 * While the agent is down, a cast is a dead letter.
 *
 * **Example** (Counting without waiting)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   yield* Agent.cast(counter, (n) => n + 1)
 *   return yield* Agent.get(counter)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 2
 * ```
 *
 * @see {@link update}, which waits
 * @see `Agent.cast/2` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const cast: {
  <S>(f: (state: S) => S): (self: Agent<S>) => Effect.Effect<void>
  <S>(self: Agent<S>, f: (state: S) => NoInfer<S>): Effect.Effect<void>
} = dual(isDataFirst, <S>(self: Agent<S>, f: (state: S) => S) => Server.tell("cast", targetOf("cast", self), f))

/**
 * Makes the next state by an effect that cannot fail. The sender does not wait.
 *
 * **Details**
 *
 * The effect has the services of the sender. See {@link updateEffect} and {@link cast}.
 *
 * **Example** (Reading a clock in the agent)
 *
 * ```ts import.meta.vitest
 * import { Clock, Effect } from "effect"
 * import { Agent } from "effect-otp"
 * import { TestClock } from "effect/testing"
 *
 * const program = Effect.gen(function*() {
 *   const seen = yield* Agent.start(Effect.succeed(-1))
 *   yield* Agent.castEffect(seen, () => Clock.currentTimeMillis)
 *   return yield* Agent.get(seen)
 * }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))
 *
 * await Effect.runPromise(program) // => 0
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const castEffect: {
  <S, R>(f: (state: S) => Effect.Effect<S, never, R>): (self: Agent<S>) => Effect.Effect<void, never, Without<R>>
  <S, R>(self: Agent<S>, f: (state: S) => Effect.Effect<NoInfer<S>, never, R>): Effect.Effect<void, never, Without<R>>
} = dual(
  isDataFirst,

  <S, R>(self: Agent<S>, f: (state: S) => Effect.Effect<S, never, R>): Effect.Effect<void, never, Without<R>> =>
    Effect.contextWith((asker: Context.Context<Without<R>>) => {
      const inAgent = Server.withServicesOf(asker)
      return Server.tell("castEffect", targetOf("castEffect", self), (state: S) => inAgent(f(state)))
    })
)

/**
 * Streams the states of an agent: first the present one, then each next one.
 *
 * **Details**
 *
 * A change that leaves the same value in place gives no element. A slow reader misses states in between, but never the
 * last one: at most `capacity` states wait for it (16 by default), and the oldest is dropped. While the agent is down,
 * the stream waits. After a restart it goes on with the state that `init` gives. It ends when the agent is gone for
 * good.
 *
 * **Errors**
 *
 * - Throws a `RangeError` unless `capacity` is a whole number of at least 1.
 *
 * **Interruption**
 *
 * Closing the stream leaves the agent as it was.
 *
 * **Example** (Following a counter)
 *
 * ```ts import.meta.vitest
 * import { Effect, Fiber, Stream } from "effect"
 * import { Agent } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   const states = yield* Effect.forkChild(Stream.runCollect(Stream.take(Agent.changes(counter), 2)), {
 *     startImmediately: true
 *   })
 *   yield* Agent.update(counter, (n) => n + 1)
 *   return yield* Fiber.join(states)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [1, 2]
 * ```
 *
 * @see {@link get} to read the state once
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const changes = <S>(self: Agent<S>, options?: { readonly capacity?: number | undefined }): Stream.Stream<S> => {
  const target = targetOf("changes", self)
  const capacity = Check.wholeNumber("The capacity of Agent.changes", Check.or(options?.capacity, 16), 1)
  return Stream.callback<S>((queue) => Server.follow(target, queue), {
    bufferSize: capacity,
    strategy: "sliding"
  })
}

// ---- internals ----------------------------------------------------------------------------------------------------

const makeClient = clientMaker([])

/** The key of an agent that is not a service. It is never looked up. */
class Anonymous extends Context.Service<Anonymous, unknown>()("effect-otp/behaviour/Agent/Anonymous") {}

const targetOf = <S>(tag: string, self: Agent<S>): HandleTarget => handleTargetOf(`Agent.${tag}`, self)

const both = <S>(state: S): readonly [S, S] => [state, state]
const nothing = <S>(state: S): readonly [void, S] => [undefined, state]

interface Asked<F> {
  readonly f: F
  readonly options: CallOptions | undefined
}

const request = <S, A>(
  tag: string,
  self: Agent<S>,
  { f, options }: Asked<(state: S) => readonly [A, S]>
): Effect.Effect<A, CallError> => Server.ask(tag, targetOf(tag, self), f, options) as Effect.Effect<A, CallError>

const requestEffect = <S, A, E, R>(
  tag: string,
  self: Agent<S>,
  { f, options }: Asked<(state: S) => Effect.Effect<readonly [A, S], E, R>>
): Effect.Effect<A, E | CallError, Without<R>> =>
  Effect.contextWith((asker: Context.Context<Without<R>>) => {
    const inAgent = Server.withServicesOf(asker)
    return Server.ask(tag, targetOf(tag, self), (state: S) => inAgent(f(state)), options)
  }) as Effect.Effect<A, E | CallError, Without<R>>
