/**
 * What must happen before a supervisor starts a child again, or before its boot or its end is over.
 *
 * Delays and schedules are left out, because they pass by themselves.
 */
import { findRestartOf } from "./openRestarts.ts"
import type { State } from "./draft.ts"

/** Children, by their index: those that have to be up first, and those that have to end first. */
export interface Awaited {
  readonly starting: ReadonlyArray<number>
  readonly ending: ReadonlyArray<number>
}

/**
 * What must happen before the next start of a child or, if `child` is undefined, before the boot or the end is over.
 */
export const awaited = <X>(state: State<X>, child: number | undefined): Awaited => {
  switch (state.phase._tag) {
    case "Booting":
      return { starting: others(state, child, isStarting), ending: [] }
    case "Running":
      return child === undefined ? nothing : beforeRestart(state, child)
    case "Ending":
      return { starting: [], ending: others(state, child, isRunning) }
    case "Ended":
      return nothing
  }
}

const nothing: Awaited = { starting: [], ending: [] }

type Test = (life: string, index: number) => boolean

const isStarting: Test = (life) => life === "Starting"
const isRunning: Test = (life) => life === "Up" || life === "Stopping" || life === "Starting"

const others = <X>({ children }: State<X>, child: number | undefined, test: Test): ReadonlyArray<number> =>
  children.flatMap(({ life }, index) => (index !== child && test(life._tag, index) ? [index] : []))

/**
 * The members of a restart start in order, after all of them have stopped. In a group, later children that are stopping
 * must end first, too.
 */
const beforeRestart = <X>(state: State<X>, child: number): Awaited => {
  const restart = findRestartOf(state, child)
  if (restart === undefined) return nothing
  const { group, members } = restart
  const isMember = (index: number) => members.includes(index)
  return {
    starting: others(state, child, (life, index) => isMember(index) && index < child && isStarting(life, index)),
    ending: others(state, child, (life, index) =>
      isMember(index) ? life === "Up" || life === "Stopping" : group && index > members[0]! && life === "Stopping"
    )
  }
}
