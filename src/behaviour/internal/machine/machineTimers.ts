/** The timers of a state machine: which ones are set, with which events, and which are due. Pure. */
import type * as Transition from "../../Transition.ts"
import { eventOf, type Event } from "./machineEvent.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/** @internal */
export type Action = Transition.TimerAction<unknown>

/**
 * A timer that is set. Its number distinguishes it from earlier timers of the same name; it is zero if the timer has no
 * delay. @internal
 */
export interface Entry {
  readonly number: number
  readonly millis: number
  readonly event: Event
}

/** @internal */
export interface Timed {
  readonly timers: ReadonlyMap<Transition.TimerName, Entry>
  /** Timers that are due, in the order they were set. */
  readonly zeros: ReadonlyArray<Transition.TimerName>
  /** How many timers have been set. */
  readonly count: number
}

/** @internal */
export const none: Timed = { timers: new Map(), zeros: [], count: 0 }

// ---- operations ---------------------------------------------------------------------------------------------------

/** @internal */
export const without = <T extends Timed>(timed: T, name: Transition.TimerName): T => {
  if (!timed.timers.has(name)) return timed
  const timers = new Map(timed.timers)
  timers.delete(name)
  return { ...timed, timers, zeros: timed.zeros.filter((zero) => zero !== name) }
}

/**
 * Sets, ends and changes timers in order. If several actions concern one timer, only the last counts, as in OTP.
 * @internal
 */
export const apply = <T extends Timed>(timed: T, actions: ReadonlyArray<Action>): T => {
  let now = timed
  for (let at = 0; at < actions.length; at++) {
    const action = actions[at]!
    if (actions.some((later, index) => index > at && later.timer === action.timer)) continue
    const { timer } = action
    const known = now.timers.get(timer)
    switch (action._tag) {
      case "CancelTimer":
        now = without(now, timer)
        break
      case "SetTimer":
        now = action.millis === Infinity ? without(now, timer) : set(now, timer, action.millis, action.event)
        break
      case "UpdateTimer":
        now =
          known === undefined
            ? set(now, timer, 0, action.event)
            : { ...now, timers: new Map(now.timers).set(timer, { ...known, event: eventOf(action.event) }) }
    }
  }
  return now
}

/** Takes the first timer that is due. @internal */
export const due = <T extends Timed>(timed: T): { readonly event: Event; readonly running: T } | undefined => {
  const [name] = timed.zeros
  return name === undefined ? undefined : { event: timed.timers.get(name)!.event, running: without(timed, name) }
}

/** Takes the timer whose time has passed, if it is still set. @internal */
export const expire = <T extends Timed>(
  timed: T,
  name: Transition.TimerName,
  number: number
): { readonly event: Event; readonly running: T } | undefined => {
  const entry = timed.timers.get(name)
  return entry?.number === number ? { event: entry.event, running: without(timed, name) } : undefined
}

// ---- internals ----------------------------------------------------------------------------------------------------

const set = <T extends Timed>(timed: T, name: Transition.TimerName, millis: number, event: unknown): T => {
  const before = without(timed, name)
  const isDue = millis === 0
  const count = isDue ? before.count : before.count + 1
  const timers = new Map(before.timers).set(name, { number: isDue ? 0 : count, millis, event: eventOf(event) })
  return { ...before, count, timers, zeros: isDue ? [...before.zeros, name] : before.zeros }
}
