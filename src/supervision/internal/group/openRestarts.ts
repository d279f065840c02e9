/**
 * The pending restarts of a group, and their members.
 *
 * A member that is up again leaves its restart, so "member of a restart" and "will be started again" are the same thing:
 *
 * - a member that is `Up` has yet to be stopped, and if it ends by itself before, that is not counted;
 * - a member that is `Starting` was started by its restart;
 * - no child is a member of two restarts.
 */
import type { Stage } from "../core/restartStage.ts"
import { restartsAfter } from "../core/restartType.ts"
import { childAt, type Draft, emit, type GroupRestart, type State } from "./draft.ts"
import { isTemporary, restartOf } from "./member.ts"

// ---- accessors ----------------------------------------------------------------------------------------------------

/** The part that a draft and a state have in common. */
type View<X> = Pick<State<X>, "children" | "phase">

export const restartsOf = <X>({ phase }: View<X>): ReadonlyArray<GroupRestart<X>> =>
  phase._tag === "Running" ? phase.restarts : []

export const findRestart = <X>(draft: Draft<X>, number: number): GroupRestart<X> | undefined =>
  restartsOf(draft).find(({ restart }) => restart === number)

/** The restart that this child is a member of. */
export const findRestartOf = <X>(view: View<X>, index: number): GroupRestart<X> | undefined =>
  restartsOf(view).find(({ members }) => members.includes(index))

/** Whether this child is a member of a restart, even if only to be stopped. */
export const isMember = (view: View<unknown>, index: number): boolean => findRestartOf(view, index) !== undefined

/** Whether this child will be started again, now or after the boot. */
export const isRestarting = (view: View<unknown>, index: number): boolean =>
  (isMember(view, index) && !isTemporary(view.children[index]!)) || hasEndedEarly(view, index)

/** Whether it ended during the boot, and a restart follows. */
const hasEndedEarly = ({ children, phase }: View<unknown>, index: number): boolean =>
  phase._tag === "Booting" &&
  phase.exits.some(
    ({ child, expected }) => child === index && restartsAfter(restartOf(children[index]!.member), expected)
  )

/** The restart that brings back an earlier resource. This child must not be started before that resource. */
export const resourceRestart = <X>(draft: Draft<X>, index: number): GroupRestart<X> | undefined =>
  restartsOf(draft).find(({ members }) =>
    members.some((member) => member < index && childAt(draft, member).member.kind === "resource")
  )

/** The restart under a group strategy that affects this child, whether it is a member or not. */
export const strategyRestart = <X>(draft: Draft<X>, index: number): GroupRestart<X> | undefined =>
  draft.options.strategy === "oneForOne" ? undefined : restartsOf(draft).find(({ from }) => from <= index)

// ---- operations ---------------------------------------------------------------------------------------------------

export const setRestarts = <X>(draft: Draft<X>, restarts: ReadonlyArray<GroupRestart<X>>): void => {
  if (draft.phase._tag === "Running") draft.phase = { _tag: "Running", restarts }
}

export const setStage = <X>(draft: Draft<X>, number: number, stage: Stage): void =>
  setRestarts(
    draft,
    restartsOf(draft).map((restart) => (restart.restart === number ? { ...restart, stage } : restart))
  )

/** Takes a child out of its restart, if it is in one. The last member to leave ends the restart. */
export const leaveRestart = <X>(draft: Draft<X>, index: number): void => {
  const left = findRestartOf(draft, index)
  if (left === undefined) return
  const members = left.members.filter((member) => member !== index)
  if (members.length === 0 && left.stage._tag === "Delaying") {
    emit(draft, { _tag: "CancelSleep", restart: left.restart })
  }
  const kept = members.length > 0 ? [{ ...left, members }] : []
  setRestarts(
    draft,
    restartsOf(draft).flatMap((restart) => (restart === left ? kept : [restart]))
  )
}

/** Lets a child come back with a restart that affects it. */
export const joinRestart = <X>(draft: Draft<X>, index: number, joined: GroupRestart<X>): void => {
  const members = [...joined.members, index].toSorted((a, b) => a - b)
  setRestarts(
    draft,
    restartsOf(draft).map((restart) => (restart === joined ? { ...restart, members } : restart))
  )
}
