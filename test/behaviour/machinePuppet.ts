/**
 * A state machine whose messages carry what their handler does, so that each test writes its transition next to the
 * message.
 */
import { Effect, Schema } from "effect"
import type { Scope } from "effect"
import { Rpc } from "effect/rpc"
import { StateMachine } from "effect-otp/behaviour"
import type { ExitReason, Mailbox, Process, Signal } from "effect-otp/kernel"
import type { Name } from "effect-otp/naming"

/** Two states with the same data, so that only the tag changes. */
export type State = { readonly _tag: "A"; readonly data: unknown } | { readonly _tag: "B"; readonly data: unknown }
export type Own = { readonly _tag: "Own"; readonly step: Step }

export class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

type Action = Exclude<StateMachine.Action, StateMachine.Perform<unknown, unknown>> | Perform
type Perform = StateMachine.Perform<Own, Scope.Scope | Process.Self>
export type Transition = StateMachine.Transition<State, State, Action>

export type From = StateMachine.From<unknown, Refused>
export type Step = (state: State, from: From) => Transition

const step = Schema.declare((u: unknown): u is Step => typeof u === "function")
const call = Rpc.make("call", { payload: step, success: Schema.Unknown, error: Refused })
const cast = StateMachine.cast("cast", { payload: step })
export type Client = (typeof Puppet)["Service"]

export class Puppet extends StateMachine.Service<Puppet, Own>()("test/MachinePuppet", [call, cast]) {}

export interface Options {
  readonly init?: Effect.Effect<State | StateMachine.Start<State, never>, string, Scope.Scope | Process.Self>
  readonly onEnter?: (state: State, previous: State) => Transition
  readonly info?: (message: unknown, state: State) => Transition
  readonly terminate?: (reason: ExitReason.ExitReason, state: State) => Effect.Effect<void>
  readonly formatStatus?: (status: { readonly state: State; readonly message: unknown }) => {
    readonly state: unknown
    readonly message: unknown
  }
  readonly mailbox?: Mailbox.Bound
  readonly drain?: boolean
}

export const definition = ({ info, init, onEnter, ...options }: Options = {}) => {
  const any = (step: Step, state: State, from: unknown) => step(state, from as From) as never
  const handlers = {
    ...(onEnter === undefined ? {} : { onEnter: (state: State, previous: State) => onEnter(state, previous) as never }),
    call: (step: Step, state: State, { from }: { readonly from: unknown }) => any(step, state, from),
    cast: (step: Step, state: State) => any(step, state, undefined),
    Own: ({ step }: Own, state: State) => any(step, state, undefined)
  }
  return Puppet.define({
    ...options,
    init: () => init ?? Effect.succeed<State>({ _tag: "A", data: 0 }),
    ...(info === undefined
      ? {}
      : { info: (message: string | Signal.Signal, state: State) => info(message, state) as never }),
    states: { A: handlers, B: handlers }
  })
}

export const start = (options?: Options): Effect.Effect<Client, string | Name.AlreadyStarted, Scope.Scope> =>
  definition(options).start()

// ---- steps --------------------------------------------------------------------------------------------------------

const { keep, next, reply } = StateMachine

/** Answers with the state. */
export const get: Step = (state) => keep([reply(state)])

/** Goes to a state, with some actions. */
export const go =
  (_tag: State["_tag"], ...actions: ReadonlyArray<Action>): Step =>
  ({ data }) =>
    next({ _tag, data }, actions)

/** Stays, with some actions. */
export const stay =
  (...actions: ReadonlyArray<Action>): Step =>
  () =>
    keep(actions)

/** An event of the machine's own that records itself, and does what it is told. */
export const noting = (log: Array<string>, note: string, then: Step = stay()): Own => ({
  _tag: "Own",
  step: (state, from) => {
    log.push(`${state._tag} ${note}`)
    return then(state, from)
  }
})

/** A message that records itself. */
export const noted = (log: Array<string>, note: string, then: Step = stay()): Step => noting(log, note, then).step

/** Postpones itself in state `A`. */
export const inB =
  (then: Step): Step =>
  (state, from) =>
    state._tag === "A" ? keep([StateMachine.postpone]) : then(state, from)
