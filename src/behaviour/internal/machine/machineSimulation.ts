/** Runs a machine without a process: it takes events and returns states, answers and timers. Pure. */
import type * as Exit from "effect/Exit"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import { ElapseTypeId, type Elapse, type Tagged, type TimerName, type Transition } from "../../Transition.ts"
import * as Engine from "./machineEngine.ts"
import { eventOf, MachineEvent, shown, type Event } from "./machineEvent.ts"
import * as Timers from "./machineTimers.ts"

/** @internal */
export interface Handled {
  readonly event: unknown
  /** The delay of the timer that it came from, if it came from one. */
  readonly afterMillis: number | undefined
  readonly in: Tagged
  readonly transition: Transition<unknown, unknown, unknown>["_tag"]
  readonly postponed: boolean
  readonly state: Tagged
}

/** @internal */
export interface Reply {
  readonly request: string
  readonly index: number
  readonly exit: Exit.Exit<unknown, unknown>
}

/** @internal */
export interface Simulation {
  readonly machine: Engine.Machine
  readonly running: Engine.MachineState
  readonly results: ReadonlyMap<string, unknown>
  readonly now: number
  /** When each timer is due, by its number. */
  readonly dues: ReadonlyMap<number, number>
  readonly events: number
  readonly open: ReadonlySet<Asker>
  readonly handled: ReadonlyArray<Handled>
  readonly replies: ReadonlyArray<Reply>
  readonly performed: ReadonlyArray<string>
  readonly stopped: ExitReason | undefined
}

/** The caller of a call in a simulation. */
class Asker {
  readonly request: string
  readonly index: number

  constructor(request: string, index: number) {
    this.request = request
    this.index = index
  }

  toJSON(): unknown {
    return "From"
  }
}

// ---- operations ---------------------------------------------------------------------------------------------------

/** @internal */
export const isElapse = (input: unknown): input is Elapse => ElapseTypeId in (input as object)

/** @internal */
export const begin = (
  machine: Engine.Machine,
  state: Tagged,
  actions: ReadonlyArray<never>,
  results: Simulation["results"]
): Simulation => {
  const fresh: Simulation = {
    machine,
    running: Engine.at(state),
    results,
    now: 0,
    dues: new Map(),
    events: 0,
    open: new Set(),
    handled: [],
    replies: [],
    performed: [],
    stopped: undefined
  }
  return drain(applyDecision(fresh, Engine.begin(machine, state, actions)))
}

/** @internal */
export const step = (simulation: Simulation, input: unknown): Simulation => {
  if (simulation.stopped !== undefined) return simulation
  if (isElapse(input)) return passTime(simulation, simulation.now + input.millis)
  const index = simulation.events
  const counted = { ...simulation, events: index + 1 }
  const event = eventOf(input)
  if (event._tag !== "Message" || event.from !== undefined)
    return drain(turn(counted, counted.running, event, undefined))
  const asker = new Asker(event.tag, index)
  const asked = new MachineEvent({ _tag: "Message", tag: event.tag, content: event.content, from: asker })
  const open = new Set(counted.open).add(asker)
  return drain(turn({ ...counted, open }, counted.running, asked, undefined))
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** Handles all events that come before the next one from outside. */
const drain = (simulation: Simulation): Simulation => {
  let now = simulation
  while (now.stopped === undefined) {
    const next = Engine.next(now.running)
    if (next === undefined) return now
    now = turn(now, next.running, next.event, now.running.queue === undefined ? 0 : undefined)
  }
  return now
}

/** Lets timers fire up to a moment. */
const passTime = (simulation: Simulation, until: number): Simulation => {
  let now = simulation
  for (let first = earliest(now, until); first !== undefined; first = earliest(now, until)) {
    const { event, running } = Timers.expire(now.running, first.name, first.number)!
    now = drain(turn({ ...now, now: first.due }, running, event, first.millis))
  }
  return { ...now, now: until }
}

const earliest = ({ dues, running, stopped }: Simulation, until: number) => {
  let first:
    | { readonly name: TimerName; readonly number: number; readonly due: number; readonly millis: number }
    | undefined
  if (stopped !== undefined) return undefined
  for (const [name, { millis, number }] of running.timers) {
    const due = dues.get(number) ?? Infinity
    if (due > until) continue
    if (first === undefined || due < first.due || (due === first.due && number < first.number)) {
      first = { name, number, due, millis }
    }
  }
  return first
}

const turn = (
  simulation: Simulation,
  running: Engine.MachineState,
  event: Event,
  afterMillis: number | undefined
): Simulation => {
  const decision = Engine.handle(simulation.machine, running, event)
  const after = applyDecision(simulation, decision)
  const { postponed, transition } = decision
  const { state } = after.running
  const handled = { event: shown(event), afterMillis, in: running.state, transition, postponed, state }
  return { ...after, handled: [...after.handled, handled] }
}

const applyDecision = (simulation: Simulation, decision: Engine.Decision): Simulation => {
  const results: Array<Event | undefined> = []
  const performed = [...simulation.performed]
  const replies = [...simulation.replies]
  const open = new Set(simulation.open)
  for (const output of decision.outputs) {
    if (output._tag === "Perform") {
      performed.push(output.name)
      const result = simulation.results.get(output.name)
      results.push(result === undefined ? undefined : eventOf(result))
    } else if (output.from instanceof Asker && open.delete(output.from)) {
      replies.push({ request: output.from.request, index: output.from.index, exit: output.exit })
    }
  }
  const running = Engine.applyResults(decision, results)
  return { ...simulation, running, dues: duesOf(simulation, running), open, replies, performed, stopped: decision.stop }
}

const duesOf = ({ dues, now }: Simulation, { timers }: Engine.MachineState): ReadonlyMap<number, number> => {
  const found = new Map<number, number>()
  for (const { millis, number } of timers.values()) if (number > 0) found.set(number, dues.get(number) ?? now + millis)
  return found
}
