/**
 * The restarts that are on their way in a group, and who is a member of which.
 *
 * A member that is up again leaves its restart, so "member of a restart" and "will be started again" are the same thing:
 *
 * - a member that is `Up` is still to be stopped, and if it ends by itself before, that counts for nothing;
 * - a member that is `Starting` was started by its restart;
 * - no child is a member of two restarts.
 */
import type { Stage } from "../core/restart.ts"
import { restartsAfter } from "../core/restartType.ts"
import { childAt, type Draft, emit, type GroupRestart, type State } from "./draft.ts"
import { isTemporary, restartOf } from "./member.ts"

// ---- accessors ----------------------------------------------------------------------------------------------------

/** What can be asked of a draft and of a state alike. */
type View<X> = Pick<State<X>, "children" | "phase">

export const restartsOf = <X>({ phase }: View<X>): ReadonlyArray<GroupRestart<X>> =>
  phase._tag === "Running" ? phase.restarts : []

export const findRestart = <X>(draft: Draft<X>, number: number): GroupRestart<X> | undefined =>
  restartsOf(draft).find(({ restart }) => restart === number)

/** The restart that is going to deal with this child. */
export const findRestartOf = <X>(view: View<X>, index: number): GroupRestart<X> | undefined =>
  restartsOf(view).find(({ members }) => members.includes(index))

/** Whether a restart is going to deal with this child, be it only to stop it. */
export const isMember = (view: View<unknown>, index: number): boolean => findRestartOf(view, index) !== undefined

/** Whether this child is going to be started again, or will be once the boot is over. */
export const isRestarting = (view: View<unknown>, index: number): boolean =>
  (isMember(view, index) && !isTemporary(view.children[index]!)) || hasEndedEarly(view, index)

/** Whether it has ended during the boot in a way that is followed by a restart. */
const hasEndedEarly = ({ children, phase }: View<unknown>, index: number): boolean =>
  phase._tag === "Booting" &&
  phase.exits.some(
    ({ child, expected }) => child === index && restartsAfter(restartOf(children[index]!.member), expected)
  )

/** The restart that brings back an earlier resource, which this child must not be started without. */
export const resourceRestart = <X>(draft: Draft<X>, index: number): GroupRestart<X> | undefined =>
  restartsOf(draft).find(({ members }) =>
    members.some((member) => member < index && childAt(draft, member).member.kind === "resource")
  )

/** The restart under a group strategy that this child belongs to, member or not. */
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

/** Takes a child out of the restart it is in, if any; the last to leave ends the restart. */
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

/** Lets a child come back with a restart that is at work around it. */
export const joinRestart = <X>(draft: Draft<X>, index: number, joined: GroupRestart<X>): void => {
  const members = [...joined.members, index].toSorted((a, b) => a - b)
  setRestarts(
    draft,
    restartsOf(draft).map((restart) => (restart === joined ? { ...restart, members } : restart))
  )
}
