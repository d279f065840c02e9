/**
 * The end of a supervisor: everything stops in reverse order, one at a time, then it ends for the reason that was first.
 */
import { answerWaiting, childAt, type EndReason, emit, lastIndex, refuseStart, stop, type Turn } from "./turn.ts"

/** Begins the end, unless one has begun. From here on nothing is restarted and nothing counted. */
export const end = <X>(turn: Turn<X>, reason: EndReason<X>): void => {
  const { phase } = turn
  if (phase._tag === "Ending" || phase._tag === "Ended") return
  turn.phase = { _tag: "Ending", reason }
  if (phase._tag === "Running") {
    for (const { round, wait } of phase.rounds) {
      if (wait._tag === "Sleeping") emit(turn, { _tag: "CancelSleep", round })
    }
  }
  for (const index of turn.children.keys()) answerWaiting(turn, index, { _tag: "SupervisorStopping" })
  // Nothing depends on a child that is not up: its start need not wait for the later siblings to stop.
  for (let index = turn.children.length - 1; index >= 0; index--) {
    if (childAt(turn, index).status._tag !== "Starting") continue
    refuseStart(turn, index, { _tag: "SupervisorStopping" })
    stop(turn, index)
  }
}

/** Takes the next step of the end. A zombie has had its time and is not waited for again. */
export const advanceEnding = <X>(turn: Turn<X>, reason: EndReason<X>): void => {
  const last = lastIndex(turn, ({ status }) => status._tag === "Up" || status._tag === "Stopping")
  if (last === -1) {
    turn.phase = { _tag: "Ended" }
    emit(turn, { _tag: "End", reason })
  } else if (childAt(turn, last).status._tag === "Up") {
    stop(turn, last)
  }
}
