/**
 * What a state machine does about an event: the state it goes to, and the actions on the way.
 *
 * All of it is data. A handler returns one transition. Its actions are carried out in order: replies and effects first,
 * then inserted events, then timers. `StateMachine` exports everything here.
 *
 * **In Erlang/OTP**
 *
 * The return values and actions of `gen_statem`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Types from "effect/Types"
import * as Check from "../values/check.ts"
import type * as ExitReason from "../kernel/ExitReason.ts"
import { MachineEvent } from "./internal/machine/machineEvent.ts"
import type * as Protocol from "./Protocol.ts"

/**
 * @stability experimental
 * @category type IDs
 * @since 0.1.0
 */
export const StartTypeId = "~effect-otp/behaviour/Transition/Start"

/**
 * @stability experimental
 * @category type IDs
 * @since 0.1.0
 */
export const ElapseTypeId = "~effect-otp/behaviour/Transition/Elapse"

declare const FromTypeId: unique symbol
declare const MessageTypeId: unique symbol

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A state, or a machine's own event: a value with a tag.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Tagged {
  readonly _tag: string
}

/**
 * The caller that waits for the answer to a call. It is a value: keep it in a state to answer later.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface From<in A, in E = never> {
  readonly [FromTypeId]: { readonly answer: Types.Contravariant<A>; readonly failure: Types.Contravariant<E> }
}

/**
 * A message of the protocol as an event.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Message<out Tag extends string, out P, out F> {
  readonly [MessageTypeId]: { readonly tag: Tag; readonly payload: P; readonly from: F }
}

/**
 * A message to the machine's pid, or a signal, as an event.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface InfoEvent<out I> {
  readonly [MessageTypeId]: { readonly info: I }
}

/**
 * Any message of a protocol as an event.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type MessageOf<M extends Protocol.Any> = M extends Protocol.Any
  ? Message<M["_tag"], Protocol.Payload<M>, FromOf<M> | undefined>
  : never

/**
 * The caller that waits for the answer to a message; undefined for a message without an answer.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type FromOf<R> = R extends Protocol.Cast ? undefined : From<Protocol.Success<R>, Protocol.Error<R>>

/**
 * A timer: one of the two that end by themselves, or any other, by name.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type TimerName = string | typeof stateTimer | typeof eventTimer

/**
 * Answers the call in hand.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Reply<out A> {
  readonly _tag: "Reply"
  readonly value: A
}

/**
 * Makes the call in hand fail with an error that it declares.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Fail<out E> {
  readonly _tag: "Fail"
  readonly error: E
}

/**
 * Answers a call whose `From` the machine has kept.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ReplyTo {
  readonly _tag: "ReplyTo"
  readonly from: unknown
  readonly exit: Exit.Exit<unknown, unknown>
}

/**
 * Keeps the event in hand until the tag of the state has changed.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Postpone {
  readonly _tag: "Postpone"
}

/**
 * Handles an event before all waiting events.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Insert<out Ev> {
  readonly _tag: "Insert"
  readonly event: Ev
}

/**
 * Sets, ends or changes a timer.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type TimerAction<Ev> =
  | { readonly _tag: "SetTimer"; readonly timer: TimerName; readonly millis: number; readonly event: Ev }
  | { readonly _tag: "CancelTimer"; readonly timer: TimerName }
  | { readonly _tag: "UpdateTimer"; readonly timer: TimerName; readonly event: Ev }

/**
 * Runs an effect in the machine's turn. The event that it gives is handled as an inserted event.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Perform<out Ev, out R> {
  readonly _tag: "Perform"
  readonly name: string
  readonly effect: Effect.Effect<Ev | void, never, R>
}

/**
 * Any action.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Action =
  | Reply<unknown>
  | Fail<unknown>
  | ReplyTo
  | Postpone
  | Insert<unknown>
  | TimerAction<unknown>
  | Perform<unknown, unknown>

/**
 * Goes to a state. If the tag stays the same, only the data change.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Next<out S, out A> {
  readonly _tag: "Next"
  readonly state: S
  readonly actions: ReadonlyArray<A>
}

/**
 * Stays in the state as it is.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Keep<out A> {
  readonly _tag: "Keep"
  readonly actions: ReadonlyArray<A>
}

/**
 * Stays in the state, and enters it once more.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Repeat<out S, out A> {
  readonly _tag: "Repeat"
  readonly state: S
  readonly actions: ReadonlyArray<A>
}

/**
 * Ends the machine, after giving some answers.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Stop<out S, out A> {
  readonly _tag: "Stop"
  readonly reason: ExitReason.ExitReason
  readonly state: S | undefined
  readonly actions: ReadonlyArray<A>
}

/**
 * What a handler of a state may return: a transition to any state `S`, from its own state `Own`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Transition<S, Own, A> = Next<S, A> | Keep<A> | Repeat<Own, A> | Stop<S, Extract<A, Answer>>

/**
 * The first state of a machine, and its first actions.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Start<out S, out A> {
  readonly [StartTypeId]: typeof StartTypeId
  readonly state: S
  readonly actions: ReadonlyArray<A>
}

/**
 * An amount of time that passes.
 *
 * @stability experimental
 * @category testing
 * @since 0.1.0
 */
export interface Elapse {
  readonly [ElapseTypeId]: typeof ElapseTypeId
  readonly millis: number
}

// ---- constructors: transitions ------------------------------------------------------------------------------------

type Actions = ReadonlyArray<Action>
type Answer = Reply<unknown> | Fail<unknown> | ReplyTo

const none: ReadonlyArray<never> = []

/**
 * Goes to a state, and runs actions.
 *
 * **Details**
 *
 * If the tag of the state changes, postponed events come again, the state timer ends, and `onEnter` runs. With the same
 * tag only the data change.
 *
 * **Example** (Opening a door)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const { state, actions } = StateMachine.next({ _tag: "Open" }, [StateMachine.reply("come in")])
 * state // => { _tag: "Open" }
 * actions // => [{ _tag: "Reply", value: "come in" }]
 * ```
 *
 * @see {@link keep} to stay, {@link repeat} to enter the same state again
 * @see `{next_state, State, Data, Actions}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const next = <const S extends Tagged, const A extends Actions = readonly []>(
  state: S,
  actions?: A
): Next<S, A[number]> => ({ _tag: "Next", state, actions: actions ?? none })

/**
 * Stays in the state with the same data, and runs actions.
 *
 * **Example** (Refusing)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.keep([StateMachine.fail("locked")]) // => { _tag: "Keep", actions: [{ _tag: "Fail", error: "locked" }] }
 * ```
 *
 * @see {@link next} to change the data or the state
 * @see `keep_state_and_data` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const keep = <const A extends Actions = readonly []>(actions?: A): Keep<A[number]> => ({
  _tag: "Keep",
  actions: actions ?? none
})

/**
 * Stays in the state, possibly with other data, and runs its `onEnter` again. Timers and postponed events stay.
 *
 * **Example** (Entering again)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.repeat({ _tag: "Connecting", attempt: 2 }).state.attempt // => 2
 * ```
 *
 * @see `repeat_state` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const repeat = <const S extends Tagged, const A extends Actions = readonly []>(
  state: S,
  actions?: A
): Repeat<S, A[number]> => ({ _tag: "Repeat", state, actions: actions ?? none })

/**
 * Ends the machine. Calls without an answer fail with `ServerDown`, including postponed ones.
 *
 * **Example** (Ending)
 *
 * ```ts import.meta.vitest
 * import { ExitReason, StateMachine } from "effect-otp"
 *
 * StateMachine.stop(ExitReason.normal).reason // => { _tag: "Normal" }
 * ```
 *
 * @see {@link stopReply} to give answers first
 * @see `{stop, Reason}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const stop: {
  (reason: ExitReason.ExitReason): Stop<never, never>
  <const S extends Tagged>(reason: ExitReason.ExitReason, state: S): Stop<S, never>
} = (reason: ExitReason.ExitReason, state?: Tagged) => stopping(reason, none, state)

/**
 * Gives answers, in order, and ends the machine. The answers go out before `terminate` runs.
 *
 * **Example** (A last answer)
 *
 * ```ts import.meta.vitest
 * import { ExitReason, StateMachine } from "effect-otp"
 *
 * StateMachine.stopReply(ExitReason.normal, [StateMachine.reply("bye")]).actions // => [{ _tag: "Reply", value: "bye" }]
 * ```
 *
 * @see `{stop_and_reply, Reason, Replies}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const stopReply: {
  <const A extends ReadonlyArray<Answer>>(reason: ExitReason.ExitReason, replies: A): Stop<never, A[number]>
  <const A extends ReadonlyArray<Answer>, const S extends Tagged>(
    reason: ExitReason.ExitReason,
    replies: A,
    state: S
  ): Stop<S, A[number]>
} = (reason: ExitReason.ExitReason, replies: ReadonlyArray<Answer>, state?: Tagged) => stopping(reason, replies, state)

const stopping = (
  reason: ExitReason.ExitReason,
  replies: ReadonlyArray<Answer>,
  state: Tagged | undefined
): Stop<never, never> =>
  ({ _tag: "Stop", reason, state, actions: replies }) satisfies Stop<Tagged, Answer> as Stop<Tagged, Answer> as Stop<
    never,
    never
  >

/**
 * Says in which state a machine starts, and which actions it runs before the first message.
 *
 * **When to use**
 *
 * Use as the result of `init`, or as `from` of `simulate`.
 *
 * **Example** (Starting with a timer)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const started = StateMachine.start({ _tag: "Idle" }, [StateMachine.stateTimeout("1 minute", { _tag: "Bored" })])
 * started.state // => { _tag: "Idle" }
 * ```
 *
 * @see `{ok, State, Data, Actions}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const start = <const S extends Tagged, const A extends Actions>(state: S, actions: A): Start<S, A[number]> => ({
  [StartTypeId]: StartTypeId,
  state,
  actions
})

// ---- constructors: actions ----------------------------------------------------------------------------------------

/**
 * Answers the call in hand.
 *
 * **Details**
 *
 * A call that a turn does not answer stays open: keep its `context.from`, and answer it later with {@link replyTo}.
 *
 * **Example** (Answering)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.reply(42) // => { _tag: "Reply", value: 42 }
 * ```
 *
 * @see {@link fail} to make the call fail
 * @see `{reply, From, Reply}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const reply = <const A>(value: A): Reply<A> => ({ _tag: "Reply", value })

/**
 * Makes the call in hand fail with an error that it declares.
 *
 * **Example** (Refusing)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.fail("sold out") // => { _tag: "Fail", error: "sold out" }
 * ```
 *
 * @see {@link failTo} for a call that was left open
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const fail = <const E>(error: E): Fail<E> => ({ _tag: "Fail", error })

/**
 * Answers a call that was left open. A second answer is dropped and counted.
 *
 * **Example** (Answering when the door opens)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { StateMachine } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * type Guest = StateMachine.From<string, never>
 * type State = { readonly _tag: "Closed"; readonly guests: ReadonlyArray<Guest> } | { readonly _tag: "Open" }
 *
 * class Door extends StateMachine.Service<Door>()("app/Door", [
 *   Rpc.make("enter", { success: Schema.String }),
 *   StateMachine.cast("open")
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed<State>({ _tag: "Closed", guests: [] }),
 *     states: {
 *       Closed: {
 *         enter: (_, { guests }, { from }) => StateMachine.next({ _tag: "Closed", guests: [...guests, from] }),
 *         open: (_, { guests }) =>
 *           StateMachine.next({ _tag: "Open" }, guests.map((guest) => StateMachine.replyTo(guest, "come in")))
 *       },
 *       Open: { enter: () => StateMachine.keep([StateMachine.reply("it is open")]), open: () => StateMachine.keep() }
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const door = yield* Door
 *   const [answer] = yield* Effect.all([door.enter(), door.open()], { concurrency: 2 })
 *   return answer
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Door.layer)) // => "come in"
 * ```
 *
 * @see {@link reply} for the call in hand, {@link postpone} to handle the call itself again later
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const replyTo = <A, E>(from: From<A, E>, value: NoInfer<A>): ReplyTo => ({
  _tag: "ReplyTo",
  from,
  exit: Exit.succeed(value)
})

/**
 * Makes a call that was left open fail with an error that it declares. See {@link replyTo}.
 *
 * **Example** (Refusing later)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const turnAway = (guest: StateMachine.From<string, "full">) => StateMachine.failTo(guest, "full")
 * typeof turnAway // => "function"
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const failTo = <A, E>(from: From<A, E>, error: NoInfer<E>): ReplyTo => ({
  _tag: "ReplyTo",
  from,
  exit: Exit.fail(error)
})

/**
 * Keeps the event in hand until the tag of the state has changed. Then it is handled again, before all queued events.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const postpone: Postpone = { _tag: "Postpone" }

/**
 * Handles an event before all waiting events. Several are handled in the order listed.
 *
 * **Example** (An event of its own)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.insert({ _tag: "Retry" }) // => { _tag: "Insert", event: { _tag: "Retry" } }
 * ```
 *
 * @see `{next_event, Type, Content}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const insert = <const Ev>(event: Ev): Insert<Ev> => ({ _tag: "Insert", event })

/**
 * Runs an effect in the machine's turn, at its place among the actions.
 *
 * **Details**
 *
 * If the effect gives an event, the machine handles it before all waiting events. The name is for tests and diagrams.
 *
 * **Errors**
 *
 * The effect cannot fail: turn a failure into an event. If it dies, the machine crashes with the state from before the
 * turn.
 *
 * **Example** (An effect that gives an event)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { StateMachine } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * type State = { readonly _tag: "Waiting" } | { readonly _tag: "Done"; readonly price: number }
 * type Own = { readonly _tag: "Priced"; readonly price: number }
 *
 * class Quote extends StateMachine.Service<Quote, Own>()("app/Quote", [Rpc.make("price", { success: Schema.Finite })]) {
 *   static readonly layer = this.define({
 *     init: () =>
 *       Effect.succeed(
 *         StateMachine.start<State, readonly [StateMachine.Perform<Own, never>]>({ _tag: "Waiting" }, [
 *           StateMachine.perform("ask", Effect.succeed<Own>({ _tag: "Priced", price: 5 }))
 *         ])
 *       ),
 *     states: {
 *       Waiting: {
 *         price: () => StateMachine.keep([StateMachine.postpone]),
 *         Priced: ({ price }) => StateMachine.next({ _tag: "Done", price })
 *       },
 *       Done: {
 *         price: (_, { price }) => StateMachine.keep([StateMachine.reply(price)]),
 *         Priced: () => StateMachine.keep()
 *       }
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.flatMap(Quote, (quote) => quote.price())
 *
 * await Effect.runPromise(Effect.provide(program, Quote.layer)) // => 5
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const perform = <Ev, R = never>(
  name: string,
  effect: Effect.Effect<Ev, never, R>
): Perform<Exclude<Ev, void>, R> => ({
  _tag: "Perform",
  name,
  effect: effect as Effect.Effect<Exclude<Ev, void>, never, R>
})

/**
 * The timer that ends when the tag of the state changes.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const stateTimer: unique symbol = Symbol.for("effect-otp/behaviour/Transition/stateTimer")

/**
 * The timer that ends when any event is handled.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const eventTimer: unique symbol = Symbol.for("effect-otp/behaviour/Transition/eventTimer")

/**
 * Handles an event after a delay, unless the tag of the state changes first.
 *
 * **Details**
 *
 * A delay of zero needs no clock: the event is handled after all queued events, and before any message. `"Infinity"`
 * ends the timer.
 *
 * **Errors**
 *
 * - Throws a `RangeError` for a negative delay.
 *
 * **Example** (Falling shut)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const timer = StateMachine.stateTimeout("5 seconds", { _tag: "FallShut" })
 * timer._tag === "SetTimer" && timer.millis // => 5000
 * ```
 *
 * @see {@link eventTimeout}, {@link timeout} for timers that end in other ways
 * @see `{state_timeout, Time, Content}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const stateTimeout = <const Ev>(delay: Duration.Input, event: Ev): TimerAction<Ev> =>
  timeout(stateTimer, delay, event)

/**
 * Handles an event after a delay, unless any other event is handled first.
 *
 * **Errors**
 *
 * - Throws a `RangeError` for a negative delay.
 *
 * **Example** (Nothing happened)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const timer = StateMachine.eventTimeout("1 minute", { _tag: "Idle" })
 * timer._tag === "SetTimer" && timer.timer === StateMachine.eventTimer // => true
 * ```
 *
 * @see `{timeout, Time, Content}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const eventTimeout = <const Ev>(delay: Duration.Input, event: Ev): TimerAction<Ev> =>
  timeout(eventTimer, delay, event)

/**
 * Handles an event after a delay, whatever the state is then.
 *
 * **Details**
 *
 * Setting a timer with the same name replaces it. Setting a timer takes time in proportion to the number of timers that
 * are set, so use few.
 *
 * **Errors**
 *
 * - Throws a `RangeError` for a negative delay.
 *
 * **Example** (A timer with a name)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const timer = StateMachine.timeout("lease", "10 minutes", { _tag: "LeaseEnded" })
 * timer._tag === "SetTimer" && timer.event // => { _tag: "LeaseEnded" }
 * ```
 *
 * @see {@link cancel}, {@link update}
 * @see `{{timeout, Name}, Time, Content}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const timeout = <const Ev>(timer: TimerName, delay: Duration.Input, event: Ev): TimerAction<Ev> => {
  return { _tag: "SetTimer", timer, millis: Check.millis("A timeout", delay), event }
}

/**
 * Ends a timer, even if it is due and its event is not handled yet.
 *
 * **Example** (Ending a timer)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.cancel("lease") // => { _tag: "CancelTimer", timer: "lease" }
 * ```
 *
 * @see `{{timeout, Name}, cancel}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const cancel = (timer: TimerName): TimerAction<never> => ({ _tag: "CancelTimer", timer })

/**
 * Gives a timer another event. The event is due when the timer was due, or at once if the timer is not set.
 *
 * **Example** (Another event at the same time)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.update("lease", { _tag: "Renew" }) // => { _tag: "UpdateTimer", timer: "lease", event: { _tag: "Renew" } }
 * ```
 *
 * @see `{{timeout, Name}, update, Content}` of `gen_statem`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const update = <const Ev>(timer: TimerName, event: Ev): TimerAction<Ev> => ({
  _tag: "UpdateTimer",
  timer,
  event
})

// ---- constructors: events -----------------------------------------------------------------------------------------

/**
 * Makes an event from a message of the protocol.
 *
 * **When to use**
 *
 * Use to insert a message, as the event of a timer, or to give a message to a machine in a test.
 *
 * **Example** (A message in a test)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const push = StateMachine.message("push", { force: 3 })
 * typeof push // => "object"
 * ```
 *
 * @see {@link elapse} for time, {@link info} for messages to the pid
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const message: {
  <const Tag extends string>(tag: Tag): Message<Tag, void, undefined>
  <const Tag extends string, const P>(tag: Tag, payload: P): Message<Tag, P, undefined>
  <const Tag extends string, const P, A, E>(tag: Tag, payload: P, from: From<A, E>): Message<Tag, P, From<A, E>>
} = (tag: string, payload?: unknown, from?: unknown) =>
  new MachineEvent({ _tag: "Message", tag, content: payload, from }) as unknown as Message<never, never, never>

/**
 * Makes an event from a message to the machine's pid, or from a signal.
 *
 * **Example** (A message to the pid)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * const news = StateMachine.info("the shop is open")
 * typeof news // => "object"
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const info = <const I>(content: I): InfoEvent<I> =>
  new MachineEvent({ _tag: "Info", tag: "info", content }) as unknown as InfoEvent<I>

/**
 * Lets time pass in `simulate` and `step`: timers that are due by then fire, in order.
 *
 * **Errors**
 *
 * - Throws a `RangeError` for a duration that is negative or infinite.
 *
 * **Example** (Ten seconds)
 *
 * ```ts import.meta.vitest
 * import { StateMachine } from "effect-otp"
 *
 * StateMachine.elapse("10 seconds").millis // => 10000
 * ```
 *
 * @stability experimental
 * @category testing
 * @since 0.1.0
 */
export const elapse = (duration: Duration.Input): Elapse => {
  const millis = Check.millis("The time that passes", duration)
  if (millis === Infinity) Check.refuse("The time that passes", "a finite duration", duration)
  return { [ElapseTypeId]: ElapseTypeId, millis }
}
