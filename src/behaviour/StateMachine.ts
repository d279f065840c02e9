/**
 * State machines: servers with pure handlers, which belong to states.
 *
 * A machine has a protocol like a `GenServer`. Its state is one of several, each with its own data. Every state says,
 * as a value, what it does about every event: where to go, what to answer, which timers to set, which effects to run.
 * So a machine can be run, drawn and tested without a process.
 *
 * **Guarantees**
 *
 * - A state without a handler for an event does not compile, unless `common` has one.
 * - The order of events is OTP's: inserted events come first, then postponed ones, then timers with no delay, then
 *   messages.
 * - A machine leaves a state when the tag changes: then postponed events come again and the state timer ends.
 * - The state is replaced only when a turn has succeeded, its effects included.
 * - Events that are postponed when the machine ends count as failed, and their callers are told.
 * - As a process it is a server: supervision, handles, `whenDown`, timeouts and reports are those of `GenServer`.
 *
 * **In Erlang/OTP**
 *
 * `gen_statem`. Differences: the tag of the value is the state, the rest is its data. Events from timers and from
 * `next_event` have tags, too. `onEnter` runs before the answers of the turn go out.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as Check from "../values/check.ts"
import type * as ExitReason from "../kernel/ExitReason.ts"
import type { Bound } from "../kernel/Mailbox.ts"
import type { Receives, Self } from "../kernel/Process.ts"
import type { Signal } from "../kernel/Signal.ts"
import type { AlreadyStarted } from "../naming/Name.ts"
import type * as Registry from "../naming/Registry.ts"
import type {
  Client,
  Definition as ServerDefinition,
  Shown as ServerShown,
  Status as ServerStatus
} from "./GenServer.ts"
import { clientMaker } from "./internal/call/client.ts"
import { messagesOf } from "./internal/call/messages.ts"
import { define } from "./internal/server/define.ts"
import { draw } from "./internal/machine/machineDiagram.ts"
import { machineOf, toArray, type Machine as Untyped } from "./internal/machine/machineEngine.ts"
import { serverOptions, startOf, type MachineOptions } from "./internal/machine/machineServer.ts"
import * as Simulated from "./internal/machine/machineSimulation.ts"
import { shown } from "./internal/machine/machineEvent.ts"
import { viaTarget } from "./internal/server/viaTarget.ts"
import * as Protocol from "./Protocol.ts"
import type { MachineStatus } from "./internal/server/serverSpec.ts"
import { makeDefinition } from "./shared/definition.ts"
import type * as T from "./Transition.ts"

export * from "./Transition.ts"

/**
 * @stability experimental
 * @category type IDs
 * @since 0.1.0
 */
export const MachineTypeId = "~effect-otp/behaviour/StateMachine/Machine"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * What a handler gets besides its event and its state.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface HandlerContext<out F> {
  /** The caller that waits for the answer. Keep it to answer later with `replyTo`. Undefined if there is none. */
  readonly from: F
}

type TagsOf<S extends T.Tagged> = S["_tag"]
type ByTag<S extends T.Tagged, K> = Extract<S, { readonly _tag: K }>

/** An event that a machine can handle: its own events, and messages of its protocol. */
type Event<M extends Protocol.Any, Ev> = Ev | T.MessageOf<M>

type EnterAction<M extends Protocol.Any, Ev> =
  | T.ReplyTo
  | T.TimerAction<Event<M, Ev>>
  | T.Perform<Event<M, Ev>, unknown>
type StartAction<M extends Protocol.Any, Ev> = EnterAction<M, Ev> | T.Insert<Event<M, Ev>>
type AnyAction<M extends Protocol.Any, Ev> = StartAction<M, Ev> | T.Postpone
type Answer<R> = R extends Protocol.Cast ? never : T.Reply<Protocol.Success<R>> | T.Fail<Protocol.Error<R>>

/** A handler for each message and for each own event. */
type EventHandlers<S extends T.Tagged, Own, M extends Protocol.Any, Ev extends T.Tagged> = {
  readonly [K in M["_tag"]]: (
    payload: Protocol.Payload<Protocol.ByTag<M, K>>,
    state: Own,
    context: HandlerContext<T.FromOf<Protocol.ByTag<M, K>>>
  ) => T.Transition<S, Own, AnyAction<M, Ev> | Answer<Protocol.ByTag<M, K>>>
} & {
  readonly [K in TagsOf<Ev>]: (
    event: ByTag<Ev, K>,
    state: Own,
    context: HandlerContext<undefined>
  ) => T.Transition<S, Own, AnyAction<M, Ev>>
}

interface Entering<S extends T.Tagged, Own, M extends Protocol.Any, Ev extends T.Tagged> {
  /**
   * Runs when the machine enters the state: from another state, at the start, and on a `repeat`. It cannot leave the
   * state.
   */
  readonly onEnter?: (
    state: Own,
    previous: S
  ) => T.Next<Own, EnterAction<M, Ev>> | T.Keep<EnterAction<M, Ev>> | T.Stop<S, T.ReplyTo>
}

/**
 * The handlers of each state, for each event. Only handlers that `common` has may be left out.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type States<S extends T.Tagged, M extends Protocol.Any, Ev extends T.Tagged> = {
  readonly [K in TagsOf<S>]: Partial<EventHandlers<S, ByTag<S, K>, M, Ev>> & Entering<S, ByTag<S, K>, M, Ev>
}

/** The handlers that the states of `H` have left out, and `C` does not have. */
type Missing<H, C, Keys extends string> = {
  readonly [K in keyof H]: {
    readonly [E in Exclude<Keys, keyof H[K] | keyof C>]: (...args: never) => T.Transition<never, never, never>
  }
}

type CommonHandlers<S extends T.Tagged, M extends Protocol.Any, Ev extends T.Tagged> = Partial<
  EventHandlers<S, S, M, Ev>
>

/** Only handlers of known events. */
type Only<H, Keys> = { readonly [K in Exclude<keyof H, Keys>]: never }
type OnlyInStates<H, Tags, Keys> = Only<H, Tags> & { readonly [K in keyof H]: Only<H[K], Keys> }

type ServicesOfAction<A> = A extends T.Perform<unknown, infer R> ? R : never
type ServicesOfTransition<X> = X extends { readonly actions: ReadonlyArray<infer A> } ? ServicesOfAction<A> : never
type ServicesOf<H> = {
  readonly [K in keyof H]-?: NonNullable<H[K]> extends (...args: never) => infer X ? ServicesOfTransition<X> : never
}[keyof H]
type ServicesOfStates<H> = { readonly [K in keyof H]-?: ServicesOf<H[K]> }[keyof H]

export type {
  /**
   * What a state machine has to handle besides the messages in its mailbox.
   *
   * @see `Sys.getStatus`, which shows it
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  MachineStatus,
  /**
   * A timer that a state machine has set.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  MachineTimer
} from "./internal/server/serverSpec.ts"

/**
 * What can be shown of a state machine. Its `formatStatus` gets this.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Status<out S> extends ServerStatus<S> {
  /** The events and timers of the machine. Undefined for a crash report. */
  readonly machine?: MachineStatus | undefined
}

/**
 * What a state machine shows of itself in a crash report and by `Sys.getStatus`. Its `formatStatus` returns this.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Shown extends ServerShown {
  /** If it is undefined or left out, no events and timers are shown. */
  readonly machine?: MachineStatus | undefined
}

/**
 * The options of a state machine.
 *
 * `init` gives the first state, or `start` with the first actions. If it fails, the start fails with its error.
 * Everything else is pure: a handler gets an event and a state and returns a transition.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<
  M extends Protocol.Any,
  Ev extends T.Tagged,
  A extends ReadonlyArray<unknown>,
  S extends T.Tagged,
  E,
  RI,
  C,
  H,
  I,
  N,
  B,
  X,
  RT
> {
  readonly init: (...args: A) => Effect.Effect<S | T.Start<S, B>, E, RI>
  /**
   * Handles messages and signals to the pid. Without it they are logged as warnings. Annotate the type of its message.
   */
  readonly info?: ((message: I | Signal, state: S, context: HandlerContext<undefined>) => X) | undefined
  /** Handlers that several states share. A state's own handler is used first. Write it before `states`. */
  readonly common?: (C & CommonHandlers<S, M, Ev> & Only<C, M["_tag"] | TagsOf<Ev>>) | undefined
  /** What each state does about each event. */
  readonly states: H &
    States<S, M, Ev> &
    Missing<H, C, M["_tag"] | TagsOf<Ev>> &
    OnlyInStates<H, TagsOf<S>, M["_tag"] | TagsOf<Ev> | "onEnter">
  /** Runs when the machine ends, with its last state. It does not run after a kill or a failed `init`. */
  readonly terminate?: ((reason: ExitReason.ExitReason, state: S) => Effect.Effect<void, never, RT>) | undefined
  /** A unique name, or a key of a registry by `Registry.via`. It is claimed before `init` runs. */
  readonly name?: N | undefined
  /** A bound for the mailbox. Default: none. */
  readonly mailbox?: Bound | undefined
  /** Whether an orderly shutdown waits for all messages that came before it. Default: false. */
  readonly drain?: boolean | undefined
  /**
   * How long one event may take, effects included. After that the machine crashes with `TurnTimeout`: callers learn it
   * at once, the turn is interrupted, and `terminate` runs. A turn that cannot be interrupted has the same time again;
   * then the machine ends as after a kill. Code that blocks the thread cannot be stopped. Default: no limit.
   */
  readonly turnTimeout?: Duration.Input | undefined
  /**
   * What crash reports and `Sys.getStatus` show in place of state, message, reason, events and timers, for example
   * without secrets.
   */
  readonly formatStatus?: ((status: Status<S>) => Shown) | undefined
}

/**
 * The pure part of a definition, which `simulate` runs and `toMermaid` draws.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Machine<S extends T.Tagged, Ev> extends AnyMachine {
  readonly [MachineTypeId]: AnyMachine[typeof MachineTypeId] & {
    readonly states: (state: S) => S
    readonly events: (event: Ev) => Ev
  }
}

interface AnyMachine {
  readonly [MachineTypeId]: { readonly machine: unknown }
}

type StateOf<X> = X extends Machine<infer S, infer _> ? S : never
type EventOf<X> = X extends Machine<infer _, infer Ev> ? Ev : never

/**
 * How to run a machine, as a process or without one.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Definition<
  in out Self,
  M extends Protocol.Any,
  in A extends ReadonlyArray<unknown>,
  out E,
  out R,
  S extends T.Tagged,
  Ev
>
  extends ServerDefinition<Self, M, A, E, R>, Machine<S, Ev> {}

type Name<A extends ReadonlyArray<unknown>> = string | Registry.Claim | ((...args: A) => string | Registry.Claim)
type NameError<N> = [N] extends [undefined] ? never : AlreadyStarted
type Without<R, I> = Exclude<R, Scope.Scope | Self | Receives<I>>

/**
 * The service class of a state machine: its key in the environment, and `define`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<
  Self,
  Id extends string,
  M extends Protocol.Any,
  Ev extends T.Tagged
> extends Context.ServiceClass<Self, Id, Client<M>> {
  /** Says how the machine starts and what each state does about each event. */
  define<
    A extends ReadonlyArray<unknown>,
    S extends T.Tagged,
    E,
    RI,
    H extends States<S, M, Ev>,
    C = {},
    I = never,
    const N extends Name<A> | undefined = undefined,
    B extends StartAction<M, Ev> = never,
    X extends T.Transition<S, S, AnyAction<M, Ev>> = never,
    RT = never
  >(
    options: Options<M, Ev, A, S, E, RI, C, H, I, N, B, X, RT>
  ): Definition<
    Self,
    M,
    A,
    E | NameError<N>,
    Without<
      | RI
      | ServicesOf<C>
      | ServicesOfStates<H>
      | ServicesOfAction<B>
      | ServicesOfTransition<X>
      | RT
      | Registry.ClaimNeeds<N>,
      I
    >,
    S,
    Event<M, Ev> | T.InfoEvent<I | Signal>
  >
  /** The messages, as a group of Effect. `GenServer.toRpcGroup` and `toRpcHandlers` serve a machine over a network, too. */
  readonly protocol: RpcGroup.RpcGroup<M>
  /** The client of the machine behind a key of a registry, like `via` of a `GenServer`. */
  via(key: Registry.Via): Client<M>
}

// ---- constructors -------------------------------------------------------------------------------------------------

/** Own events, messages and `onEnter` must have different tags. */
type Distinct<M extends Protocol.Any, Ev extends T.Tagged> = [M["_tag"] & Ev["_tag"]] extends [never]
  ? ["onEnter" & Ev["_tag"]] extends [never]
    ? unknown
    : "an event of the machine cannot be called onEnter"
  : "an event of the machine has the tag of a message"

/**
 * Declares a state machine: its service, its name in the environment, and its protocol. The second type parameter has
 * its own events, which come from timers, effects and `insert`.
 *
 * Throws a `RangeError` for a protocol with two messages of the same tag.
 *
 * **Example** (A turnstile)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { StateMachine } from "effect-otp"
 *
 * type State = { readonly _tag: "Locked" } | { readonly _tag: "Open"; readonly coins: number }
 *
 * class Turnstile extends StateMachine.Service<Turnstile>()("app/Turnstile", [
 *   Rpc.make("push", { success: Schema.Boolean }),
 *   StateMachine.cast("coin")
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed<State>({ _tag: "Locked" }),
 *     states: {
 *       Locked: {
 *         push: () => StateMachine.keep([StateMachine.reply(false)]),
 *         coin: () => StateMachine.next({ _tag: "Open", coins: 1 })
 *       },
 *       Open: {
 *         push: () => StateMachine.next({ _tag: "Locked" }, [StateMachine.reply(true)]),
 *         coin: (_, { coins }) => StateMachine.next({ _tag: "Open", coins: coins + 1 })
 *       }
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const turnstile = yield* Turnstile
 *   const before = yield* turnstile.push()
 *   yield* turnstile.coin()
 *   return [before, yield* turnstile.push(), yield* turnstile.push()]
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Turnstile.layer))) // => [false, true, false]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self, Ev extends T.Tagged = never>() =>
  <const Id extends string, const P extends Protocol.Source>(
    id: Id,
    protocol: P & Protocol.NoStreams<P> & Distinct<Protocol.MessagesOf<P>, Ev>
  ): ServiceClass<Self, Id, Protocol.MessagesOf<P>, Ev> => {
    const key = Context.Service<Self, Client<Protocol.MessagesOf<P>>>()(id)
    const { messages, protocol: group } = messagesOf(id, protocol)
    const tags = messages.map(({ tag }) => tag)
    if (tags.includes("onEnter"))
      throw new RangeError(`${id}: a message of a state machine cannot have the tag "onEnter"`)
    const makeClient = clientMaker(messages)
    const untyped = (options: Omit<MachineOptions, "machine" | "tags"> & Parameters<typeof machineOf>[1]) => {
      const machine = machineOf(id, options)
      const defined = define({ id, key, makeClient }, serverOptions({ ...options, machine, tags }))
      return makeDefinition(defined, { [MachineTypeId]: { machine } })
    }
    const via = (at: Registry.Via) => makeClient(viaTarget(at, { id, key, makeClient }))
    return Object.assign(key, { define: untyped, via, protocol: group }) as unknown as ServiceClass<
      Self,
      Id,
      Protocol.MessagesOf<P>,
      Ev
    >
  }

/**
 * Declares a message without an answer.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const cast = Protocol.cast

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * A machine that was run without a process, and the results so far.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Simulation<out S extends T.Tagged, out Ev> {
  readonly [MachineTypeId]: { readonly simulation: unknown }
  readonly state: S
  /** The events that were handled, in order: those that were given, and those that the machine made. */
  readonly handled: ReadonlyArray<{
    readonly event: Ev
    /** The delay of the timer that it came from. Undefined if it did not come from a timer. */
    readonly afterMillis: number | undefined
    /** The state before it. */
    readonly in: S
    readonly transition: "Next" | "Keep" | "Repeat" | "Stop"
    readonly postponed: boolean
    /** The state after it. */
    readonly state: S
  }>
  /** The answers, in the order they were given. `index` is the position of the call among the given events, from 0. */
  readonly replies: ReadonlyArray<{
    readonly request: string
    readonly index: number
    readonly exit: Exit.Exit<unknown, unknown>
  }>
  /** The timers that are set, and when they are due. */
  readonly timers: ReadonlyArray<{
    readonly timer: T.TimerName
    readonly event: Ev
    readonly left: Duration.Duration
  }>
  /** The events that are postponed, oldest first. */
  readonly postponed: ReadonlyArray<Ev>
  /** The names of the effects that a process would have run. */
  readonly performed: ReadonlyArray<string>
  /** Why it ended, if it did. Later events are not handled. */
  readonly stopped: Option.Option<ExitReason.ExitReason>
}

/**
 * Runs a machine on a list of events, without a process, a clock or services.
 *
 * **When to use**
 *
 * Use in tests: handlers are pure, so a test needs only values.
 *
 * **Details**
 *
 * An `elapse` among the events lets time pass. A call is given as `message("tag", payload)`, and its answer is in
 * `replies`. Effects are not run: `results` says, by the names of effects, which event each gives; an effect without
 * one gives none.
 *
 * **Errors**
 *
 * - If a handler throws, this throws. A process would crash.
 *
 * **Example** (Simulating a door)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { StateMachine } from "effect-otp"
 *
 * type State = { readonly _tag: "Open" } | { readonly _tag: "Shut" }
 * type Own = { readonly _tag: "FallShut" }
 *
 * class Door extends StateMachine.Service<Door, Own>()("app/Door", [StateMachine.cast("push")]) {
 *   static readonly definition = this.define({
 *     init: () => Effect.succeed<State>({ _tag: "Shut" }),
 *     states: {
 *       Shut: {
 *         push: () => StateMachine.next({ _tag: "Open" }, [StateMachine.stateTimeout("5 seconds", { _tag: "FallShut" })]),
 *         FallShut: () => StateMachine.keep()
 *       },
 *       Open: { push: () => StateMachine.keep(), FallShut: () => StateMachine.next({ _tag: "Shut" }) }
 *     }
 *   })
 * }
 *
 * const pushed = StateMachine.simulate(Door.definition, {
 *   from: { _tag: "Shut" },
 *   events: [StateMachine.message("push"), StateMachine.elapse("4 seconds")]
 * })
 * pushed.state._tag // => "Open"
 * StateMachine.step(pushed, StateMachine.elapse("1 second")).state._tag // => "Shut"
 * ```
 *
 * @see {@link step} to go on event by event, {@link toMermaid} to draw
 *
 * @stability experimental
 * @category testing
 * @since 0.1.0
 */
export const simulate = <X extends AnyMachine>(
  machine: X,
  options: {
    /** The state to begin in; its `onEnter` runs. */
    readonly from: StateOf<X> | T.Start<StateOf<X>, unknown>
    readonly events: ReadonlyArray<EventOf<X> | T.Elapse>
    readonly results?: Readonly<Record<string, EventOf<X>>> | undefined
  }
): Simulation<StateOf<X>, EventOf<X>> => {
  const started = begin(machine, options.from, options.results)
  return simulationOf(options.events.reduce<Simulated.Simulation>(Simulated.step, started))
}

/**
 * Gives a simulated machine one more event.
 *
 * **When to use**
 *
 * Use to look at the state between two events.
 *
 * **Example** (Event by event)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { StateMachine } from "effect-otp"
 *
 * type State = { readonly _tag: "Counting"; readonly count: number }
 *
 * class Counter extends StateMachine.Service<Counter>()("app/Counter", [StateMachine.cast("add")]) {
 *   static readonly definition = this.define({
 *     init: () => Effect.succeed<State>({ _tag: "Counting", count: 0 }),
 *     states: { Counting: { add: (_, { count }) => StateMachine.next({ _tag: "Counting", count: count + 1 }) } }
 *   })
 * }
 *
 * const start = StateMachine.simulate(Counter.definition, { from: { _tag: "Counting", count: 0 }, events: [] })
 * const once = StateMachine.step(start, StateMachine.message("add"))
 * const twice = StateMachine.step(once, StateMachine.message("add"))
 * twice.state.count // => 2
 * ```
 *
 * @see {@link simulate}
 *
 * @stability experimental
 * @category testing
 * @since 0.1.0
 */
export const step = <S extends T.Tagged, Ev>(
  simulation: Simulation<S, Ev>,
  event: Simulation<S, Ev>["handled"][number]["event"] | T.Elapse
): Simulation<S, Ev> =>
  simulationOf(Simulated.step(simulation[MachineTypeId].simulation as Simulated.Simulation, event))

/**
 * Draws a machine as a Mermaid state diagram, by running it.
 *
 * **Details**
 *
 * All states of the definition are drawn. A transition is drawn if one of the sample events, or a timer, makes it from
 * a situation that the samples lead to. Give each message that matters, with the payloads that make a difference. Also
 * give the events of effects that are not in `results`. Events that were never handled are named in a comment.
 * Situations that differ in data count separately, so a counter makes many: at most `limit` (1,000 by default) are
 * looked at.
 *
 * **Example** (Drawing a turnstile)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { StateMachine } from "effect-otp"
 *
 * type State = { readonly _tag: "Locked" } | { readonly _tag: "Open" }
 *
 * class Turnstile extends StateMachine.Service<Turnstile>()("app/Turnstile", [
 *   StateMachine.cast("coin"),
 *   StateMachine.cast("push")
 * ]) {
 *   static readonly definition = this.define({
 *     init: () => Effect.succeed<State>({ _tag: "Locked" }),
 *     states: {
 *       Locked: { coin: () => StateMachine.next({ _tag: "Open" }), push: () => StateMachine.keep() },
 *       Open: { coin: () => StateMachine.keep(), push: () => StateMachine.next({ _tag: "Locked" }) }
 *     }
 *   })
 * }
 *
 * const drawing = StateMachine.toMermaid(Turnstile.definition, {
 *   from: [{ _tag: "Locked" }],
 *   events: [StateMachine.message("coin"), StateMachine.message("push")]
 * })
 * drawing.includes("Locked --> Open: coin") // => true
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const toMermaid = <X extends AnyMachine>(
  machine: X,
  options: {
    /** The states to begin in. */
    readonly from: readonly [StateOf<X>, ...ReadonlyArray<StateOf<X>>]
    readonly events: ReadonlyArray<EventOf<X>>
    readonly results?: Readonly<Record<string, EventOf<X>>> | undefined
    readonly limit?: number | undefined
  }
): string => {
  const starts = options.from.map((state) => begin(machine, state, options.results))
  return draw(starts, options.events, Check.wholeNumber("The limit of toMermaid", Check.or(options.limit, 1000), 1))
}

// ---- internals ----------------------------------------------------------------------------------------------------

type Results = Readonly<Record<string, unknown>>

const begin = (machine: AnyMachine, from: T.Tagged | T.Start<T.Tagged, unknown>, results: Results = {}) => {
  const { actions, state } = startOf(from)
  return Simulated.begin(machine[MachineTypeId].machine as Untyped, state, actions, new Map(Object.entries(results)))
}

const simulationOf = <S extends T.Tagged, Ev>(simulated: Simulated.Simulation): Simulation<S, Ev> => {
  const { dues, handled, now, performed, replies, running, stopped } = simulated
  return {
    [MachineTypeId]: { simulation: simulated },
    state: running.state,
    handled,
    replies,
    timers: [...running.timers].map(([timer, { event, number }]) => ({
      timer,
      event: shown(event),
      left: Duration.millis((dues.get(number) ?? now) - now)
    })),
    postponed: toArray(running.postponed).toReversed().map(shown),
    performed,
    stopped: Option.fromUndefinedOr(stopped)
  } as unknown as Simulation<S, Ev>
}
