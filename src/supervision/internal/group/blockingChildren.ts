/**
 * The children that a supervisor waits for: before it starts a child again, and before its boot or its end is over.
 *
 * Delays and schedules are left out, because they pass by themselves.
 */
import type { ChildState } from "../core/childState.ts"
import { findRestartOf } from "./openRestarts.ts"
import type { State } from "./draft.ts"

/** Children, by their index: those that have to be up first, and those that have to end first. */
export interface BlockingChildren {
  readonly starting: ReadonlyArray<number>
  readonly ending: ReadonlyArray<number>
}

/**
 * What must happen before the next start of a child or, if `child` is undefined, before the boot or the end is over.
 */
export const blockingChildren = <X>(state: State<X>, child: number | undefined): BlockingChildren => {
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

const nothing: BlockingChildren = { starting: [], ending: [] }

type Test = (tag: ChildState<unknown>["_tag"], index: number) => boolean

const isStarting: Test = (tag) => tag === "Starting"
const isRunning: Test = (tag) => tag === "Up" || tag === "Stopping" || tag === "Starting"

const others = <X>({ children }: State<X>, child: number | undefined, test: Test): ReadonlyArray<number> =>
  children.flatMap(({ state }, index) => (index !== child && test(state._tag, index) ? [index] : []))

/**
 * The members of a restart start in order, after all of them have stopped. In a group, later children that are stopping
 * must end first, too.
 */
const beforeRestart = <X>(state: State<X>, child: number): BlockingChildren => {
  const restart = findRestartOf(state, child)
  if (restart === undefined) return nothing
  const { group, members } = restart
  const isMember = (index: number) => members.includes(index)
  return {
    starting: others(state, child, (tag, index) => isMember(index) && index < child && isStarting(tag, index)),
    ending: others(state, child, (tag, index) =>
      isMember(index) ? tag === "Up" || tag === "Stopping" : group && index > members[0]! && tag === "Stopping"
    )
  }
}
