/**
 * A machine that follows a script, event after event, whatever the event is. Its states are `s0`, `s1` and `s2`. It
 * logs each event with the state in which it was handled.
 */
import type { Action, Transition } from "effect-otp/behaviour/Transition"
import * as StateMachine from "effect-otp/behaviour/StateMachine"
import * as Engine from "../../../src/behaviour/internal/machine/machineEngine.ts"
import { MachineEvent } from "../../../src/behaviour/internal/machine/machineEvent.ts"

/** As texts: `postpone`, `insert 7`, `cancel state`, `update a 7`, `set event 0 7`. */
export type Step = ReadonlyArray<string>

export interface Script {
  /** What to do about each event: `keep`, `repeat` or a state to go to, then actions. */
  readonly script: ReadonlyArray<Step>
  /** What to do each time a state is entered. */
  readonly enters: ReadonlyArray<Step>
  readonly init: Step
  /** Events are numbered from 1. */
  readonly events: number
}

const timerOf = (name: string): StateMachine.TimerName =>
  name === "state" ? StateMachine.stateTimer : name === "event" ? StateMachine.eventTimer : name

const event = (id: string) => ({ _tag: "event", id })

const actionOf = (text: string): Action => {
  const [verb, name = "", first = "", second = ""] = text.split(" ")
  if (verb === "postpone") return StateMachine.postpone
  if (verb === "insert") return StateMachine.insert(event(name))
  if (verb === "cancel") return StateMachine.cancel(timerOf(name))
  if (verb === "update") return StateMachine.update(timerOf(name), event(first))
  return StateMachine.timeout(timerOf(name), first === "infinity" ? "Infinity" : Number(first), event(second))
}

const states = ["s0", "s1", "s2"]

/** The log of our engine. */
export const play = ({ enters, events, init, script }: Script): ReadonlyArray<string> => {
  const log: Array<string> = []
  const steps = script[Symbol.iterator]()
  const entries = enters[Symbol.iterator]()
  const handle = (content: unknown, state: Engine.State): Engine.Transition => {
    log.push(`${state._tag} ${(content as { readonly id: string }).id}`)
    const [way = "keep", ...texts] = steps.next().value ?? []
    const actions = texts.map(actionOf)
    if (way === "keep") return StateMachine.keep(actions) as Engine.Transition
    if (way === "repeat") return StateMachine.repeat(state, actions) as Engine.Transition
    return StateMachine.next({ _tag: way }, actions) as Engine.Transition
  }
  const onEnter: Engine.Handler = (state, previous) => {
    const { _tag } = state as Engine.State
    log.push(`${_tag} entered from ${previous._tag}`)
    return StateMachine.keep((entries.next().value ?? []).map(actionOf)) as Transition<never, never, never>
  }
  const machine: Engine.Machine = {
    id: "script",
    states: Object.fromEntries(states.map((state) => [state, { onEnter, event: handle }])),
    common: {},
    info: undefined
  }
  const settle = (decision: Engine.Decision): Engine.MachineState => {
    let running = Engine.applyResults(decision, [])
    for (let next = Engine.next(running); next !== undefined; next = Engine.next(running)) {
      running = Engine.applyResults(Engine.handle(machine, next.running, next.event), [])
    }
    return running
  }
  let running = settle(Engine.begin(machine, { _tag: "s0" }, init.map(actionOf)))
  for (let id = 1; id <= events; id++) running = settle(Engine.handle(machine, running, eventOf(String(id))))
  return log
}

const eventOf = (id: string): MachineEvent => new MachineEvent({ _tag: "Own", tag: "event", content: event(id) })

/**
 * The order of events again, written as plainly as possible: one list of queued events, one of postponed ones, one of
 * timers.
 */
export const model = ({ enters, events, init, script }: Script): ReadonlyArray<string> => {
  const log: Array<string> = []
  const todo = [...script]
  const entries = [...enters]
  let state = "s0"
  let queue: Array<string> = []
  let postponed: Array<string> = []
  let timers: Array<{ readonly name: string; readonly due: boolean; readonly id: string }> = []

  const end = (name: string) => {
    timers = timers.filter((timer) => timer.name !== name)
  }
  const set = (text: string) => {
    const [verb, name = "", first = "", second = ""] = text.split(" ")
    const known = timers.find((timer) => timer.name === name)
    if (verb === "update" && known !== undefined) {
      timers = timers.map((timer) => (timer === known ? { ...known, id: first } : timer))
      return
    }
    end(name)
    if (verb === "update") timers.push({ name, due: true, id: first })
    else if (verb === "set" && first !== "infinity") timers.push({ name, due: first === "0", id: second })
  }
  const enter = (previous: string): Step => {
    log.push(`${state} entered from ${previous}`)
    return entries.shift() ?? []
  }
  /** Everything that follows from a transition. */
  const follow = (actions: Step, changed: boolean, inHand: string | undefined) => {
    if (inHand !== undefined && actions.includes("postpone")) postponed.push(inHand)
    if (changed) {
      queue = [...postponed, ...queue]
      postponed = []
      end("state")
    }
    queue = [...actions.filter((a) => a.startsWith("insert")).map((a) => a.split(" ")[1]!), ...queue]
    const timed = actions.filter((a) => /^(set|cancel|update)/.test(a))
    const nameOf = (text: string) => text.split(" ")[1]
    timed.filter((a, i) => !timed.slice(i + 1).some((b) => nameOf(a) === nameOf(b))).forEach(set)
  }
  const handle = (id: string) => {
    end("event")
    log.push(`${state} ${id}`)
    const [way = "keep", ...actions] = todo.shift() ?? []
    const previous = state
    if (states.includes(way)) state = way
    const entered = state !== previous || way === "repeat" ? enter(previous) : []
    follow([...actions, ...entered], state !== previous, id)
  }
  const settle = () => {
    for (;;) {
      const due = timers.find((timer) => timer.due)
      if (queue.length > 0) handle(queue.shift()!)
      else if (due !== undefined) {
        end(due.name)
        handle(due.id)
      } else return
    }
  }
  follow([...init, ...enter("s0")], false, undefined)
  settle()
  for (let id = 1; id <= events; id++) {
    handle(String(id))
    settle()
  }
  return log
}
