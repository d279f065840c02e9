/**
 * The restart that follows one failure: which children stop, wait and start again.
 *
 * A restart goes through the stages of `core/restartStage.ts`, one after the other. Its members that run are stopped in
 * reverse order and released. The schedule answers. The delay passes. The members start in order, one at a time.
 *
 * The restart of a *group* (under a group strategy, or of a resource) waits for all children from its first member on:
 * while one of them is stopping, it starts nothing. The restart of a single child waits only for that child.
 */
import { countFailure } from "../core/intensity.ts"
import * as ChildState from "../core/childState.ts"
import * as Restart from "../core/restartStage.ts"
import { childAt, type Draft, emit, type GroupRestart, lastIndex, refuseStart, start, stop } from "./draft.ts"
import { beginEnd } from "./supervisorEnd.ts"
import { findRestart, leaveRestart, restartsOf, setRestarts, setStage } from "./openRestarts.ts"
import { type Failure, whoRestarts } from "./whoRestarts.ts"

/** A child has failed by itself. Counts the failure, and begins a restart or the end. */
export const failed = <X>(draft: Draft<X>, failure: Failure<X>): void => {
  const { child, exit } = failure
  if (draft.phase._tag !== "Running") return
  if (draft.window !== undefined && childAt(draft, child).member.counted !== false) {
    const [window, exceeded] = countFailure(draft.window, draft.nowMillis)
    draft.window = window
    if (exceeded)
      return beginEnd(draft, { _tag: "RestartLimit", child, exit, attempts: window.count, policy: "intensity" })
  }
  const affected = whoRestarts(draft, failure)
  for (const member of affected.members) leaveRestart(draft, member)
  for (const member of affected.members.toReversed()) {
    if (childAt(draft, member).state._tag !== "Starting") continue
    refuseStart(draft, member, { _tag: "ChildRestarting" })
    stop(draft, member)
  }
  const restart = ++draft.lastRestart
  setRestarts(draft, [...restartsOf(draft), { restart, child, exit, ...affected, stage: Restart.asking }])
  emit(draft, { _tag: "AskSchedule", restart, child, incarnation: childAt(draft, child).incarnation, exit })
}

/** Takes the answer of a schedule. */
export const scheduleAnswered = <X>(draft: Draft<X>, number: number, answer: Restart.ScheduleAnswer): void => {
  const found = findRestart(draft, number)
  if (found?.stage._tag !== "Asking") return
  const { child, exit, members } = found
  if (answer._tag === "Delay") return setStage(draft, number, Restart.granted(answer.millis))
  // `terminateChild` took the child out meanwhile. Its siblings still come back, and its schedule does not decide about
  // them.
  if (!members.includes(child)) return setStage(draft, number, Restart.due)
  beginEnd(draft, { _tag: "RestartLimit", child, exit, attempts: answer.attempts, policy: "schedule" })
}

/** Its delay is over. */
export const delayPassed = <X>(draft: Draft<X>, number: number): void => {
  if (findRestart(draft, number)?.stage._tag === "Delaying") setStage(draft, number, Restart.due)
}

/** Takes the next step of each restart. */
export const advanceRestarts = <X>(draft: Draft<X>): void => {
  for (const restart of restartsOf(draft)) advance(draft, restart)
}

const advance = <X>(draft: Draft<X>, restart: GroupRestart<X>): void => {
  const last = lastInTheWay(draft, restart)
  const inTheWay = last === -1 ? ChildState.down : childAt(draft, last).state
  switch (Restart.nextStep(restart.stage, inTheWay)) {
    case "stop":
      return stop(draft, last)
    case "wait":
      return
    case "delay":
      return delay(draft, restart)
    case "start":
      return start(draft, restart.members[0]!)
  }
}

const delay = <X>(draft: Draft<X>, { restart, stage }: GroupRestart<X>): void => {
  if (stage._tag !== "Granted") return
  setStage(draft, restart, Restart.delaying)
  emit(draft, { _tag: "Sleep", restart, millis: stage.millis })
}

/** The last child that keeps this restart from starting its next member. */
const lastInTheWay = <X>(draft: Draft<X>, { group, members }: GroupRestart<X>): number =>
  lastIndex(draft, ({ state }, index) =>
    members.includes(index) ? state._tag !== "Down" : group && index > members[0]! && state._tag === "Stopping"
  )
