/**
 * The order of events of a state machine: pure, without clock or fiber.
 *
 * `begin` and `handle` ask the handlers and return a `Decision`: the answers and effects that go out at once. When the
 * effects have run, `applyResults` returns the next state of the machine. `next` takes the event that comes before any
 * message.
 *
 * 1. The event timer ends. The handler runs, and the state is set.
 * 2. If the tag has changed, at the start, and on a repeat, the state's `onEnter` runs, too. Its actions follow those
 *    of the handler.
 * 3. Replies and effects go out as listed.
 * 4. A postponed event joins the postponed ones. If the tag has changed, they all go in front of the queue, oldest
 *    first, and the state timer ends.
 * 5. Inserted events go in front of those, as listed.
 * 6. Timers are set. A timer with no delay is due when the queue is empty, before any message. Several such timers are
 *    due in the order they were set.
 */
import * as Exit from "effect/Exit"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import * as Transitions from "../../Transition.ts"
import { eventOf, type Event } from "./machineEvent.ts"
import * as Timers from "./machineTimers.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/** @internal */
export type State = Transitions.Tagged

/** @internal */
export type Transition = Transitions.Transition<State, State, Transitions.Action>

/** @internal */
export type Perform = Transitions.Perform<unknown, unknown>

/** @internal */
export interface Context {
  readonly from: unknown
}

/** @internal */
export type Handler = (content: unknown, state: State, context: Context) => Transition

/** @internal */
export interface Machine {
  readonly id: string
  readonly states: Readonly<Record<string, Handlers>>
  readonly common: Handlers
  readonly info: Handler | undefined
}

type Handlers = Readonly<Record<string, Handler>>

/** Makes a machine from a user's records. A tag may have any name, so the records have no prototype. @internal */
export const machineOf = (
  id: string,
  options: {
    readonly states: Readonly<Record<string, Handlers>>
    readonly common: Handlers | undefined
    readonly info: Handler | undefined
  }
): Machine => {
  const states = bare(options.states)
  for (const tag of Object.keys(states)) states[tag] = bare(states[tag]!)
  return { id, states, common: bare(options.common ?? {}), info: options.info }
}

const bare = <A>(record: Readonly<Record<string, A>>): Record<string, A> => Object.assign(Object.create(null), record)

/** A list as in Erlang: an element can be added in front without copying it. @internal */
export type List<A> = { readonly head: A; readonly tail: List<A> } | undefined

/** @internal */
export interface MachineState extends Timers.Timed {
  readonly state: State
  /** Inserted events, and postponed events that are to be handled again. */
  readonly queue: List<Event>
  /** The latest one first. */
  readonly postponed: List<Event>
}

/** What goes out before the turn is over, in order. @internal */
export type Output =
  | { readonly _tag: "Answer"; readonly from: unknown; readonly exit: Exit.Exit<unknown, unknown> }
  | Perform

/** @internal */
export interface Decision {
  readonly running: MachineState
  readonly outputs: ReadonlyArray<Output>
  /** Events to insert. An effect stands for the event that it will give. */
  readonly inserts: ReadonlyArray<Event | Perform>
  readonly timers: ReadonlyArray<Timers.Action>
  readonly stop: ExitReason | undefined
  /** What happened to the state, for observers. */
  readonly transition: Transition["_tag"]
  readonly postponed: boolean
}

// ---- operations ---------------------------------------------------------------------------------------------------

/** A machine in a state, before anything has happened. @internal */
export const at = (state: State): MachineState => ({ state, queue: undefined, postponed: undefined, ...Timers.none })

/** @internal */
export const begin = (machine: Machine, state: State, actions: ReadonlyArray<Transitions.Action>): Decision => {
  return decide({ machine, running: at(state), event: undefined }, { _tag: "Repeat", state, actions })
}

/** @internal */
export const handle = (machine: Machine, before: MachineState, event: Event): Decision => {
  const running = Timers.without(before, Transitions.eventTimer)
  const handler = handlerOf(machine, running.state, event)
  if (handler === undefined)
    throw new RangeError(`${machine.id}: the state ${running.state._tag} has no handler for ${event.tag}`)
  return decide({ machine, running, event }, handler(event.content, running.state, { from: event.from }))
}

/** Ends a turn. `results` are what its effects have given, in order. @internal */
export const applyResults = (decision: Decision, results: ReadonlyArray<Event | undefined>): MachineState => {
  const { inserts, running, timers } = decision
  let queue = running.queue
  let result = results.length
  for (let i = inserts.length - 1; i >= 0; i--) {
    const insert = inserts[i]!
    const event = insert._tag === "Perform" ? results[--result] : insert
    if (event !== undefined) queue = { head: event, tail: queue }
  }
  const inserted = queue === running.queue ? running : { ...running, queue }
  return timers.length === 0 ? inserted : Timers.apply(inserted, timers)
}

/** The event that comes before any message, and the machine without it. @internal */
export const next = (running: MachineState): { readonly event: Event; readonly running: MachineState } | undefined => {
  const { queue } = running
  return queue === undefined ? Timers.due(running) : { event: queue.head, running: { ...running, queue: queue.tail } }
}

/** @internal */
export const isIdle = (running: MachineState): boolean => running.queue === undefined && running.zeros.length === 0

/** @internal */
export const toArray = <A>(list: List<A>): Array<A> => {
  const array: Array<A> = []
  for (let at = list; at !== undefined; at = at.tail) array.push(at.head)
  return array
}

// ---- internals ----------------------------------------------------------------------------------------------------

interface DecisionInput {
  readonly machine: Machine
  readonly running: MachineState
  /** Undefined at the start. */
  readonly event: Event | undefined
}

const handlerOf = (machine: Machine, state: State, event: Event): Handler | undefined =>
  event._tag === "Info" ? machine.info : (machine.states[state._tag]?.[event.tag] ?? machine.common[event.tag])

const decide = (turn: DecisionInput, transition: Transition): Decision => {
  const { event, machine, running } = turn
  checkTransition(turn, transition)
  if (transition._tag === "Stop") return stopped(turn, transition, running.state)
  const state = transition._tag === "Keep" ? running.state : transition.state
  const changed = state._tag !== running.state._tag
  const entered = changed || transition._tag === "Repeat" ? enter(machine, state, running.state) : undefined
  if (entered?._tag === "Stop") return stopped(turn, entered, state, transition.actions)
  const { actions } = transition
  const all = entered === undefined || entered.actions.length === 0 ? actions : [...actions, ...entered.actions]
  const postpones = event !== undefined && actions.some((action) => action._tag === "Postpone")
  const moved = move(running, entered?._tag === "Next" ? entered.state : state, changed, postpones ? event : undefined)
  const base = { running: moved, stop: undefined, transition: transition._tag, postponed: postpones }
  return all.length === 0 ? { ...base, ...nothing } : { ...base, ...sorted(all, event) }
}

const nothing = { outputs: [], inserts: [], timers: [] }

const checkTransition = ({ event, machine, running }: DecisionInput, transition: Transition): void => {
  if (transitions.has(transition?._tag)) return
  throw new RangeError(
    `${machine.id}: the handler of ${running.state._tag} for ${event?.tag} did not answer with a transition`
  )
}

const transitions: ReadonlySet<string | undefined> = new Set(["Next", "Keep", "Repeat", "Stop"])

/** Runs the `onEnter` of the state that is entered. It may change the data of the state, but not its tag. */
const enter = (machine: Machine, state: State, previous: State): Transition | undefined => {
  const entered = machine.states[state._tag]?.["onEnter"]?.(state, previous, nobody)
  if (entered === undefined || entered._tag === "Keep" || entered._tag === "Stop") return entered
  if (entered._tag === "Next" && entered.state._tag === state._tag) return entered
  throw new RangeError(`${machine.id}: the onEnter of ${state._tag} cannot leave or repeat the state`)
}

const nobody: Context = { from: undefined }

const stopped = (
  { event, running }: DecisionInput,
  { actions, reason, state }: Transition & { readonly _tag: "Stop" },
  otherwise: State,
  before: ReadonlyArray<Transitions.Action> = []
): Decision => ({
  running: { ...running, state: state ?? otherwise },
  outputs: sorted([...before, ...actions], event).outputs,
  inserts: [],
  timers: [],
  stop: reason,
  transition: "Stop",
  postponed: false
})

const move = (running: MachineState, state: State, changed: boolean, postpone: Event | undefined): MachineState => {
  const postponed = postpone === undefined ? running.postponed : { head: postpone, tail: running.postponed }
  if (!changed) {
    return state === running.state && postpone === undefined ? running : { ...running, state, postponed }
  }
  let queue = running.queue
  for (let at = postponed; at !== undefined; at = at.tail) queue = { head: at.head, tail: queue }
  return { ...Timers.without(running, Transitions.stateTimer), state, queue, postponed: undefined }
}

/** Sorts actions by the time at which they take effect. */
const sorted = (actions: ReadonlyArray<Transitions.Action>, event: Event | undefined) => {
  const outputs: Array<Output> = []
  const inserts: Array<Event | Perform> = []
  const timers: Array<Timers.Action> = []
  for (const action of actions) {
    switch (action._tag) {
      case "Reply":
        outputs.push({ _tag: "Answer", from: event?.from, exit: Exit.succeed(action.value) })
        break
      case "Fail":
        outputs.push({ _tag: "Answer", from: event?.from, exit: Exit.fail(action.error) })
        break
      case "ReplyTo":
        outputs.push({ _tag: "Answer", from: action.from, exit: action.exit })
        break
      case "Perform":
        outputs.push(action)
        inserts.push(action)
        break
      case "Insert":
        inserts.push(eventOf(action.event))
        break
      case "Postpone":
        break
      default:
        timers.push(action)
    }
  }
  return { outputs, inserts, timers }
}
