/**
 * The end of a supervisor: everything stops in reverse order, one at a time. Then it ends for the first reason that was
 * given.
 */
import { answerUpRequests, childAt, type EndReason, emit, lastIndex, refuseStart, stop, type Draft } from "./draft.ts"

/** Begins the end, unless it has begun already. After that nothing is restarted and nothing counted. */
export const beginEnd = <X>(draft: Draft<X>, reason: EndReason<X>): void => {
  const { phase } = draft
  if (phase._tag === "Ending" || phase._tag === "Ended") return
  draft.phase = { _tag: "Ending", reason }
  if (phase._tag === "Running") {
    for (const { restart, stage } of phase.restarts) {
      if (stage._tag === "Delaying") emit(draft, { _tag: "CancelSleep", restart })
    }
  }
  for (const index of draft.children.keys()) answerUpRequests(draft, index, { _tag: "SupervisorStopping" })
  // Nothing depends on a child that is not up, so its start is stopped at once.
  for (let index = draft.children.length - 1; index >= 0; index--) {
    if (childAt(draft, index).state._tag !== "Starting") continue
    refuseStart(draft, index, { _tag: "SupervisorStopping" })
    stop(draft, index)
  }
}

/** Takes the next step of the end. A zombie has had its time and is not waited for again. */
export const advanceEnd = <X>(draft: Draft<X>, reason: EndReason<X>): void => {
  const last = lastIndex(draft, ({ state }) => state._tag === "Up" || state._tag === "Stopping")
  if (last === -1) {
    draft.phase = { _tag: "Ended" }
    emit(draft, { _tag: "End", reason })
  } else if (childAt(draft, last).state._tag === "Up") {
    stop(draft, last)
  }
}
