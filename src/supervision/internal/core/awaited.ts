/**
 * What a supervisor waits for before it starts a child again, or before its boot or its end is over.
 *
 * Delays and schedules are left out: they pass without anybody's help.
 */
import { findRoundOf } from "./rounds.ts"
import type { State } from "./turn.ts"

/** Children by their index: those that have to be up first, and those that have to end first. */
export interface Awaited {
  readonly starting: ReadonlyArray<number>
  readonly ending: ReadonlyArray<number>
}

/** Before the next start of a child; undefined: before the boot or the end of the supervisor is over. */
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

type Test = (status: string, index: number) => boolean

const isStarting: Test = (status) => status === "Starting"
const isRunning: Test = (status) => status === "Up" || status === "Stopping" || status === "Starting"

const others = <X>({ children }: State<X>, child: number | undefined, test: Test): ReadonlyArray<number> =>
  children.flatMap(({ status }, index) => (index !== child && test(status._tag, index) ? [index] : []))

/** Members of its round start in order, after all of them have stopped, and in a group what comes after the first. */
const beforeRestart = <X>(state: State<X>, child: number): Awaited => {
  const round = findRoundOf(state, child)
  if (round === undefined) return nothing
  const { group, members } = round
  const isMember = (index: number) => members.includes(index)
  return {
    starting: others(state, child, (status, index) => isMember(index) && index < child && isStarting(status, index)),
    ending: others(state, child, (status, index) =>
      isMember(index) ? status === "Up" || status === "Stopping" : group && index > members[0]! && status === "Stopping"
    )
  }
}
