/**
 * Decides what a static supervisor does: which children start, stop and restart, in which order, and when it gives up.
 *
 * Pure: `boot` gives the first state, `decide` takes a state and an event and returns the next state and the actions to
 * run. No clock, no fiber. A shell owns one state, feeds it one event after the other (never two at a time) and runs
 * the actions of each decision in order, without waiting for what they start. The result of an action comes back as an
 * event. `X` is what the ending of a child means to the shell (exit reason, start error, reason of a stop). The core
 * passes it on and never reads it. Children are named by their index in `options.members`, starts by a number that
 * grows by one with each start of that child.
 *
 * **Actions, and the events the shell owes for them**
 *
 * - `StartChild(child, incarnation)`: exactly one `ChildStarted`, or one `StartFailed` after everything was released.
 *   If it failed and the release takes too long, one `ReleaseTimedOut` before.
 * - A child that ends by itself after `ChildStarted`: one `ChildExited` at its death (`expected` as in
 *   `ExitReason.isExpected`), then, without being asked, the same answer as to `StopChild`. A resource whose watch has
 *   ended: one `ChildExited`; it is told to stop when no child holds it any more.
 * - `StopChild(child, incarnation)`: interrupt the start if it is still starting, else stop it by its own shutdown. One
 *   `ChildStopped` when its fiber and scope have ended, or one `ReleaseTimedOut(exit)` when that took longer than its
 *   limit, and a late `ChildStopped` if it ends after all. For a child that timed out before: wait again.
 * - `AskSchedule(restart, child, incarnation, exit)`: step that child's restart schedule; one `ScheduleAnswered`. Without a
 *   schedule: `Delay` of 0.
 * - `Sleep(restart, millis)`: one `DelayPassed`; `CancelSleep(restart)`: none.
 * - `Reply(request, result)`: the answer to a request; each gets exactly one.
 * - `Forget(child)`: a temporary child has ended, and will not be mentioned again.
 * - `BootSucceeded`: all children are up. At most once, and never after a failed or stopped boot.
 * - `End(reason)`: nothing runs any more, and nothing will. After it only requests are answered. A zombie may be left,
 *   see below.
 *
 * Answers that crossed with a decision (an old incarnation, a restart that was absorbed, a `ChildStarted` after its
 * `StopChild`) change nothing, so the shell need not filter them.
 *
 * **Guarantees**
 *
 * - The boot starts children in list order, one at a time. A failed start stops the children that run, in reverse, and
 *   ends the supervisor. A child that ends by itself meanwhile is dealt with after the boot, unless somebody terminates
 *   it before that.
 * - Requests are served at once, also during the boot. If a child is terminated before its turn, the boot passes over
 *   it; if it is starting, its start is interrupted, and the boot goes on. A start that was requested is not part of
 *   the boot: the boot neither waits for it nor fails with it.
 * - One failure event is one entry of the intensity (unless the child is not `counted`) and one question to the
 *   schedule of the child that failed. If a sibling that is about to be stopped for it ends by itself, that is no
 *   failure event. A start that fails again, or a dead child that is not released within its limit, is a failure of its
 *   own.
 * - The restart for a failure (see `groupRestart.ts`) includes the restarts that it overlaps. Restarts without a common
 *   child run side by side. A start that fails makes `oneForAll` stop what was already restarted and begin from the
 *   first child, `restForOne` go on from the one that failed, and `oneForOne` retry only that child.
 * - The end of a resource restarts it and every later sibling, under every strategy. So does the failure of a later
 *   sibling, if the resource is rebuilt with its holders: it may have failed because the resource is broken. That is
 *   one failure event, of the sibling. An expected end that is followed by a restart does not restart the resource.
 *   Under `oneForOne` a later sibling that is down stays down. Under a group strategy it comes back with its group.
 * - No child starts while its former incarnation, or in a group a later child, is still stopping. Only starts that are
 *   interrupted stop out of order, because nothing depends on them yet.
 * - A stop may come at any time. It interrupts starts, cancels delays, and stops all children in reverse, one at a
 *   time.
 * - While a child is a zombie (it outlived its limit and the kill), no new run of it starts. In a restart that is a
 *   failure, and the next attempt stops it again. At the end of the supervisor, or if it is temporary, it is left behind
 *   and the shell reports it.
 *
 * **In Erlang/OTP**
 *
 * The callbacks of `supervisor` as one function. Three things differ on purpose. A start is interrupted rather than
 * waited for. A supervisor answers while it boots. `terminateChild` takes one child out of a pending group restart,
 * where OTP would leave the whole group down.
 */
import { make } from "../core/intensity.ts"
import * as ChildState from "../core/childState.ts"
import { restartsAfter } from "../core/restartType.ts"
import {
  type Action,
  answerUpRequests,
  childAt,
  type ChildReport,
  close,
  type Draft,
  type EarlyExit,
  emit,
  type Event,
  open,
  type Options,
  type Phase,
  reply,
  setChildState,
  start,
  type State
} from "./draft.ts"
import { advanceEnd, beginEnd } from "./supervisorEnd.ts"
import { advanceRestarts, delayPassed, failed, scheduleAnswered } from "./groupRestart.ts"
import { isSignificant, isTemporary, type Member, restartOf } from "./member.ts"
import { isMember, isRestarting, joinRestart, leaveRestart, resourceRestart } from "./openRestarts.ts"
import { handleRequest, parkIfAwaited, childStopped } from "./childRequests.ts"

export { checkOptions } from "./checkOptions.ts"
export type { ScheduleAnswer } from "../core/restartStage.ts"
export type { Member } from "./member.ts"
export type { Action, EndReason, Event, Options, Result, State } from "./draft.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

/** The first state of a supervisor, and its first actions. */
export const boot = <X>(options: Options): readonly [State<X>, ReadonlyArray<Action<X>>] => {
  const children = options.members.map((member) => ({ member, incarnation: 0, state: ChildState.down }))
  const window = options.intensity === undefined ? undefined : make(options.intensity)
  const phase = { _tag: "Booting", exits: [], skipped: [] } as const
  const draft = open<X>({ options, children, phase, window, lastRestart: 0 }, 0)
  advance(draft)
  return close(draft)
}

// ---- operations ---------------------------------------------------------------------------------------------------

/** Takes one event. `nowMillis` is the time of a monotonic clock. */
export const decide = <X>(
  state: State<X>,
  event: Event<X>,
  nowMillis: number
): readonly [State<X>, ReadonlyArray<Action<X>>] => {
  const draft = open(state, nowMillis)
  handle(draft, event)
  advance(draft)
  return close(draft)
}

/** What the shell knows of the process of a start. The core learns it a little later. */
export type KnownState = "up" | "dead" | undefined

/** What `whichChildren` shows of a child. */
export interface ChildView {
  readonly id: string
  readonly kind: Member["kind"]
  readonly state: "starting" | "running" | "restarting" | "stopping" | "stopped"
}

/**
 * All children in start order, without temporary ones that have ended. `knownState` says what the shell knows of a start
 * by now: a process that is up may have answered already, although its Layer is not built yet; a dead one may not be
 * released yet.
 */
export const whichChildren = <X>(
  supervisor: State<X>,
  knownState: (child: number, incarnation: number) => KnownState = () => undefined
): ReadonlyArray<ChildView> =>
  supervisor.children.flatMap((child, index) => {
    const { incarnation, member, state } = child
    const known = knownState(index, incarnation)
    if (state._tag === "Dropped" || (known === "dead" && isTemporary(child))) return []
    const { id, kind } = member
    if (state._tag === "Starting" && known === "up") return [{ id, kind, state: "running" }]
    return [{ id, kind, state: isRestarting(supervisor, index) ? "restarting" : shown[state._tag] }]
  })

// ---- internals ----------------------------------------------------------------------------------------------------

const shown = { Starting: "starting", Up: "running", Stopping: "stopping", Down: "stopped", Zombie: "stopped" } as const

const handle = <X>(draft: Draft<X>, event: Event<X>): void => {
  switch (event._tag) {
    case "ChildStarted":
    case "StartFailed":
    case "ChildExited":
    case "ChildStopped":
    case "ReleaseTimedOut":
      if (draft.children[event.child]?.incarnation === event.incarnation) handleReport(draft, event)
      return
    case "ScheduleAnswered":
      return scheduleAnswered(draft, event.restart, event.answer)
    case "DelayPassed":
      return delayPassed(draft, event.restart)
    case "StopRequested":
      return beginEnd(draft, { _tag: "Requested", reason: event.reason })
    case "TerminateRequested":
    case "RestartRequested":
    case "ParkRequested":
    case "UpRequested":
      return handleRequest(draft, event)
  }
}

/** Decides what a report means for the other children. What it means for the child itself is in `childState.ts`. */
const handleReport = <X>(draft: Draft<X>, report: ChildReport<X>): void => {
  const { child } = report
  const before = childAt(draft, child)
  const change = ChildState.afterReport(before.state, report)
  if (change === undefined) return
  const { state } = change
  switch (change.what) {
    case "started":
      return started(draft, child)
    case "startFailed":
      return startFailed(draft, report as FailedStart<X>, state)
    case "exited":
      return exited(draft, report as EarlyExit<X>, state)
    case "stopped":
      // A zombie was reported when it was left behind.
      return childStopped(
        draft,
        child,
        isTemporary(before) && before.state._tag !== "Zombie" ? ChildState.dropped : state
      )
    case "overdue":
      return overdue(draft, report as FailedStart<X>, state)
  }
}

type FailedStart<X> = Extract<ChildReport<X>, { readonly _tag: "StartFailed" | "ReleaseTimedOut" }>

const started = <X>(draft: Draft<X>, child: number): void => {
  const { starter } = childAt(draft, child)
  setChildState(draft, child, ChildState.up)
  leaveRestart(draft, child)
  if (starter !== undefined) reply(draft, starter, { _tag: "Done" })
  answerUpRequests(draft, child, { _tag: "Done" })
}

/**
 * A start has failed. With `StartFailed` it is released, with `ReleaseTimedOut` it is not; in the second case no
 * resource is suspected.
 */
const startFailed = <X>(
  draft: Draft<X>,
  { _tag, child, exit }: FailedStart<X>,
  state: ChildState.ChildState<X>
): void => {
  const { starter } = childAt(draft, child)
  setChildState(draft, child, state)
  const isTold = parkIfAwaited(draft, child, exit)
  if (starter !== undefined) return reply(draft, starter, { _tag: "StartFailed", exit })
  if (isTold) return
  if (draft.phase._tag === "Booting") return beginEnd(draft, { _tag: "BootFailed", child, exit })
  return failed(draft, { child, exit, mayBlameResource: _tag === "StartFailed" })
}

const exited = <X>(draft: Draft<X>, early: EarlyExit<X>, state: ChildState.ChildState<X>): void => {
  const { child, expected, exit, failed } = early
  // A resource is released when its holders have ended. Until then it counts as up.
  if (childAt(draft, child).member.kind === "child") setChildState(draft, child, state)
  if (draft.phase._tag === "Booting") {
    draft.phase = { ...draft.phase, exits: [...draft.phase.exits, { child, expected, exit, failed }] }
  } else {
    decideAfterExit(draft, early)
  }
}

/** Decides what follows the end of a child: a restart, the end of the supervisor, or nothing. */
const decideAfterExit = <X>(draft: Draft<X>, early: EarlyExit<X>): void => {
  const { child, expected, exit } = early
  if (draft.phase._tag !== "Running" || isMember(draft, child)) return
  if (restartsAfter(restartOf(childAt(draft, child).member), expected)) {
    // This happens only after the boot: the child was dead already when a resource's restart looked for the children it
    // had to stop.
    const around = resourceRestart(draft, child)
    if (around !== undefined) return joinRestart(draft, child, around)
    return failed(draft, {
      child,
      exit,
      mayBlameResource: early.failed && childAt(draft, child).member.kind === "child"
    })
  }
  if (shutsDown(draft, child)) beginEnd(draft, { _tag: "AutoShutdown", child })
}

const shutsDown = <X>(draft: Draft<X>, ended: number): boolean => {
  const { autoShutdown } = draft.options
  if (autoShutdown === "never" || !isSignificant(childAt(draft, ended))) return false
  if (autoShutdown === "anySignificant") return true
  return !draft.children.some((child, index) => isSignificant(child) && isActive(draft, index))
}

/** Whether it is up or will be. A temporary child that its group will stop is not. */
const isActive = <X>(draft: Draft<X>, index: number): boolean => {
  const { _tag } = childAt(draft, index).state
  return isRestarting(draft, index) || (!isMember(draft, index) && (_tag === "Up" || _tag === "Starting"))
}

/** A child was not released in time. If it is to be started again, that counts like a failed start. */
const overdue = <X>(draft: Draft<X>, { child, exit }: FailedStart<X>, state: ChildState.ChildState<X>): void => {
  if (isTemporary(childAt(draft, child))) return childStopped(draft, child, ChildState.dropped)
  childStopped(draft, child, state)
  if (parkIfAwaited(draft, child, exit)) return
  if (isMember(draft, child)) failed(draft, { child, exit, mayBlameResource: false })
}

const advance = <X>(draft: Draft<X>): void => {
  if (draft.phase._tag === "Booting") advanceBoot(draft, draft.phase)
  if (draft.phase._tag === "Running") advanceRestarts(draft)
  if (draft.phase._tag === "Ending") advanceEnd(draft, draft.phase.reason)
}

const advanceBoot = <X>(draft: Draft<X>, { exits, skipped }: Extract<Phase<X>, { readonly _tag: "Booting" }>): void => {
  // Only the boot's own start of a child has incarnation 1.
  if (draft.children.some(({ incarnation, state }) => state._tag === "Starting" && incarnation === 1)) return
  const next = draft.children.findIndex(({ incarnation }, index) => incarnation === 0 && !skipped.includes(index))
  if (next !== -1) return start(draft, next)
  draft.phase = { _tag: "Running", restarts: [] }
  emit(draft, { _tag: "BootSucceeded" })
  for (const exit of exits) decideAfterExit(draft, exit)
}
