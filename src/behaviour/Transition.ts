/**
 * Says what a state machine does about an event: where it goes, and what it does on the way.
 *
 * All of it is data. A handler answers one transition; what it lists as actions is done in order, replies and effects
 * first, then inserted events, then timers. `StateMachine` exports everything here.
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
 * @category type IDs
 * @since 0.1.0
 */
export const StartTypeId = "~effect-otp/behaviour/Transition/Start"

/**
 * @category type IDs
 * @since 0.1.0
 */
export const ElapseTypeId = "~effect-otp/behaviour/Transition/Elapse"

declare const FromTypeId: unique symbol
declare const MessageTypeId: unique symbol

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A state, or an event of a machine's own: a value with a tag.
 *
 * @category models
 * @since 0.1.0
 */
export interface Tagged {
  readonly _tag: string
}

/**
 * Who waits for the answer to a call. A value: keep it in a state to answer later.
 *
 * @category models
 * @since 0.1.0
 */
export interface From<in A, in E = never> {
  readonly [FromTypeId]: { readonly answer: Types.Contravariant<A>; readonly failure: Types.Contravariant<E> }
}

/**
 * A message of the protocol as an event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message<out Tag extends string, out P, out F> {
  readonly [MessageTypeId]: { readonly tag: Tag; readonly payload: P; readonly from: F }
}

/**
 * A message to the machine's pid, or a signal, as an event.
 *
 * @category models
 * @since 0.1.0
 */
export interface InfoEvent<out I> {
  readonly [MessageTypeId]: { readonly info: I }
}

/**
 * Any message of a protocol as an event.
 *
 * @category models
 * @since 0.1.0
 */
export type MessageOf<M extends Protocol.Any> = M extends Protocol.Any
  ? Message<M["_tag"], Protocol.Payload<M>, FromOf<M> | undefined>
  : never

/**
 * Who waits for the answer to a message; undefined for one without.
 *
 * @category models
 * @since 0.1.0
 */
export type FromOf<R> = R extends Protocol.Cast ? undefined : From<Protocol.Success<R>, Protocol.Error<R>>

/**
 * A timer: one of the two that end by themselves, or any number by name.
 *
 * @category models
 * @since 0.1.0
 */
export type TimerName = string | typeof stateTimer | typeof eventTimer

/**
 * Answers the call in hand.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reply<out A> {
  readonly _tag: "Reply"
  readonly value: A
}

/**
 * Lets the call in hand fail as it declares.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fail<out E> {
  readonly _tag: "Fail"
  readonly error: E
}

/**
 * Answers a call of which the machine has kept the `From`.
 *
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
 * @category models
 * @since 0.1.0
 */
export interface Postpone {
  readonly _tag: "Postpone"
}

/**
 * Handles an event before all that wait.
 *
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
 * @category models
 * @since 0.1.0
 */
export type TimerAction<Ev> =
  | { readonly _tag: "SetTimer"; readonly timer: TimerName; readonly millis: number; readonly event: Ev }
  | { readonly _tag: "CancelTimer"; readonly timer: TimerName }
  | { readonly _tag: "UpdateTimer"; readonly timer: TimerName; readonly event: Ev }

/**
 * Runs an effect in the machine's turn. What it gives is handled as an inserted event.
 *
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
 * Goes to a state. It is another one if its tag is; else only its data change.
 *
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
 * @category models
 * @since 0.1.0
 */
export interface Repeat<out S, out A> {
  readonly _tag: "Repeat"
  readonly state: S
  readonly actions: ReadonlyArray<A>
}

/**
 * Ends the machine, after some answers.
 *
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
 * What a handler of a state may answer: to any state `S`, from its own `Own`.
 *
 * @category models
 * @since 0.1.0
 */
export type Transition<S, Own, A> = Next<S, A> | Keep<A> | Repeat<Own, A> | Stop<S, Extract<A, Answer>>

/**
 * The state a machine starts in, and what it does first.
 *
 * @category models
 * @since 0.1.0
 */
export interface Start<out S, out A> {
  readonly [StartTypeId]: typeof StartTypeId
  readonly state: S
  readonly actions: ReadonlyArray<A>
}

/**
 * Time that passes.
 *
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
 * Goes to a state.
 *
 * It is another state if its tag is another: then postponed events come again, the state timer ends, and `onEnter` runs.
 * With the same tag only the data change.
 *
 * @category constructors
 * @since 0.1.0
 */
export const next = <const S extends Tagged, const A extends Actions = readonly []>(
  state: S,
  actions?: A
): Next<S, A[number]> => ({ _tag: "Next", state, actions: actions ?? none })

/**
 * Stays in the state as it is.
 *
 * @category constructors
 * @since 0.1.0
 */
export const keep = <const A extends Actions = readonly []>(actions?: A): Keep<A[number]> => ({
  _tag: "Keep",
  actions: actions ?? none
})

/**
 * Stays in the state, maybe with other data, and runs its `onEnter` again. Timers and postponed events stay.
 *
 * @category constructors
 * @since 0.1.0
 */
export const repeat = <const S extends Tagged, const A extends Actions = readonly []>(
  state: S,
  actions?: A
): Repeat<S, A[number]> => ({ _tag: "Repeat", state, actions: actions ?? none })

/**
 * Ends the machine. Calls without an answer, the one in hand and postponed ones too, fail with `ServerDown`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stop: {
  (reason: ExitReason.ExitReason): Stop<never, never>
  <const S extends Tagged>(reason: ExitReason.ExitReason, state: S): Stop<S, never>
} = (reason: ExitReason.ExitReason, state?: Tagged) => stopping(reason, none, state)

/**
 * Gives answers, in order, and ends the machine. Unlike those of a `GenServer` they go out before `terminate`.
 *
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
 * The state a machine starts in, and what it does before the first message.
 *
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
 * Answers the call in hand. A call that is not answered stays open: keep its `from` and use `replyTo`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const reply = <const A>(value: A): Reply<A> => ({ _tag: "Reply", value })

/**
 * Lets the call in hand fail as it declares.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fail = <const E>(error: E): Fail<E> => ({ _tag: "Fail", error })

/**
 * Answers a call that was left open. A second answer is dropped and counted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const replyTo = <A, E>(from: From<A, E>, value: NoInfer<A>): ReplyTo => ({
  _tag: "ReplyTo",
  from,
  exit: Exit.succeed(value)
})

/**
 * Lets a call that was left open fail as it declares.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failTo = <A, E>(from: From<A, E>, error: NoInfer<E>): ReplyTo => ({
  _tag: "ReplyTo",
  from,
  exit: Exit.fail(error)
})

/**
 * Keeps the event in hand until the tag of the state has changed. It then comes again before all that are queued.
 *
 * @category constructors
 * @since 0.1.0
 */
export const postpone: Postpone = { _tag: "Postpone" }

/**
 * Handles an event before all that wait, in the order listed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const insert = <const Ev>(event: Ev): Insert<Ev> => ({ _tag: "Insert", event })

/**
 * Runs an effect in the machine's turn, at its place among the actions. The event it gives is handled as an inserted
 * one; nothing is if it gives none. The name is for tests and diagrams.
 *
 * The effect cannot fail: make an event of a failure. If it dies the machine crashes with the state before the turn.
 *
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
 * @category constructors
 * @since 0.1.0
 */
export const stateTimer: unique symbol = Symbol.for("effect-otp/behaviour/Transition/stateTimer")

/**
 * The timer that ends when any event is handled.
 *
 * @category constructors
 * @since 0.1.0
 */
export const eventTimer: unique symbol = Symbol.for("effect-otp/behaviour/Transition/eventTimer")

/**
 * Handles an event after a delay, unless the tag of the state changes before.
 *
 * A delay of zero needs no clock: the event comes after all that are queued and before any message. `"Infinity"` ends the
 * timer. Throws a `RangeError` for a negative delay.
 *
 * @category constructors
 * @since 0.1.0
 */
export const stateTimeout = <const Ev>(delay: Duration.Input, event: Ev): TimerAction<Ev> =>
  timeout(stateTimer, delay, event)

/**
 * Handles an event after a delay, unless any other event is handled before.
 *
 * @category constructors
 * @since 0.1.0
 */
export const eventTimeout = <const Ev>(delay: Duration.Input, event: Ev): TimerAction<Ev> =>
  timeout(eventTimer, delay, event)

/**
 * Handles an event after a delay, whatever the state is then. Setting a timer of the same name again replaces it.
 *
 * Timers are meant to be few: to set one takes time in proportion to how many are set.
 *
 * @category constructors
 * @since 0.1.0
 */
export const timeout = <const Ev>(timer: TimerName, delay: Duration.Input, event: Ev): TimerAction<Ev> => {
  return { _tag: "SetTimer", timer, millis: Check.millis("A timeout", delay), event }
}

/**
 * Ends a timer, also one that is due and not yet handled.
 *
 * @category constructors
 * @since 0.1.0
 */
export const cancel = (timer: TimerName): TimerAction<never> => ({ _tag: "CancelTimer", timer })

/**
 * Gives a timer another event, due when it was. If it is not set the event is due at once.
 *
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
 * A message of the protocol as an event, to be inserted, to come from a timer, or to be given to a machine in a test.
 *
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
 * A message to the machine's pid, or a signal, as an event.
 *
 * @category constructors
 * @since 0.1.0
 */
export const info = <const I>(content: I): InfoEvent<I> =>
  new MachineEvent({ _tag: "Info", tag: "info", content }) as unknown as InfoEvent<I>

/**
 * Time that passes, for `simulate` and `step`: timers that are due by then fire, in order.
 *
 * Throws a `RangeError` for a duration that is negative or infinite.
 *
 * @category testing
 * @since 0.1.0
 */
export const elapse = (duration: Duration.Input): Elapse => {
  const millis = Check.millis("The time that passes", duration)
  if (millis === Infinity) Check.refuse("The time that passes", "a finite duration", duration)
  return { [ElapseTypeId]: ElapseTypeId, millis }
}
