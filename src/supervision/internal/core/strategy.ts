/**
 * Decides what a static supervisor does: who is started, stopped and restarted, in which order, and when it gives up.
 *
 * Pure: `boot` gives the first state, `decide` takes a state and an event to the next state and the actions to run. No
 * clock, no fiber. A shell owns one state, feeds it one event after the other (never two at a time) and runs the
 * actions of each decision in the order given, without waiting for what they start; whatever comes of an action comes
 * back as an event. `X` is what the ending of a child means to the shell (exit reason, start error, reason of a stop):
 * it is passed on and never looked at. Children are named by their index in `options.members`, starts by a number that
 * grows by one with each start of that child.
 *
 * **Actions, and the events the shell owes for them**
 *
 * - `StartChild(child, incarnation)`: exactly one `ChildStarted`, or `StartFailed` with everything of it released. If it
 *   has failed and that takes too long, one `ReleaseTimedOut` before.
 * - A child that ends by itself after `ChildStarted`: one `ChildExited` at its death (`expected` as in
 *   `ExitReason.isExpected`), then, without being asked, the same answer as to `StopChild`. A resource that is no longer
 *   good: one `ChildExited`; it is told to stop when nobody holds it any more.
 * - `StopChild(child, incarnation)`: interrupt the start if it is still starting, else stop it by its own shutdown. One
 *   `ChildStopped` when its fiber and scope have ended, or one `ReleaseTimedOut(exit)` when that took longer than its
 *   limit, and a late `ChildStopped` if it ends after all. It may come for a child that timed out before: wait again.
 * - `AskSchedule(round, child, incarnation, exit)`: step that child's restart schedule; one `Verdict`. Without a
 *   schedule: `Delay` of 0.
 * - `Sleep(round, millis)`: one `DelayPassed`; `CancelSleep(round)`: none.
 * - `Reply(request, result)`: the answer to a request; each gets exactly one.
 * - `Forget(child)`: a temporary child has ended; it is never spoken of again.
 * - `BootSucceeded`: all children are up. At most once, and never after a failed or stopped boot.
 * - `End(reason)`: nothing runs any more and nothing will. Only requests are still answered after it. A zombie may be
 *   left, see below.
 *
 * Answers that crossed with a decision (an old incarnation, a round that was absorbed, a `ChildStarted` after its
 * `StopChild`) change nothing, so the shell need not filter them.
 *
 * **Guarantees**
 *
 * - Boot starts in list order, one at a time. A failed start stops what runs, in reverse, and ends the supervisor. What
 *   ends by itself meanwhile is dealt with when the boot is over, unless somebody terminates it before that.
 * - Requests are served at once, during the boot, too. A child that is terminated before the boot has come to it is passed
 *   over; one that is starting is interrupted, and the boot goes on. A start that was asked for is no part of the boot: the
 *   boot neither waits for it nor ends with it.
 * - One failure event is one entry of the intensity (unless the child is not `counted`) and one question to the
 *   schedule of the child that failed; the end of a sibling that is going to be stopped for it is none. A start that
 *   fails again, or a dead child that does not release what it holds within its limit, is a failure of its own.
 * - A failure's round (see `rounds.ts`) takes in the rounds it overlaps; rounds without a common child run side by side.
 *   A start that fails makes `oneForAll` stop what was already restarted and begin from the first child, `restForOne`
 *   go on from the failing one, `oneForOne` retry that child alone.
 * - The end of a resource restarts it and every later sibling, under every strategy. So does the failure of a later
 *   sibling, if the resource is rebuilt with its holders: it may have failed because the resource is broken. That is one
 *   failure event, of the sibling. An expected end that is followed by a restart says nothing of the resource. Under `oneForOne` a later sibling
 *   that is down stays down; under a group strategy one that is down comes back with its group.
 * - Nothing starts while its former incarnation, or in a group a later child, still stops. Only starts that are
 *   interrupted stop out of order: nothing depends on them yet.
 * - A stop may come at any time: it interrupts starts, cancels delays, stops all in reverse, one at a time.
 * - A zombie (it outlived its limit and the kill) keeps its place taken. In a round that is a failure, and the next
 *   attempt is to stop it again; at the end of the supervisor, or if temporary, it is left behind for the shell to report.
 *
 * **In Erlang/OTP**
 *
 * The callbacks of `supervisor` as one function. On purpose different: a start is interrupted rather than waited for, and a
 * supervisor answers while it boots;
 * `terminateChild` takes one child out of a pending group restart, where OTP would leave the whole group down.
 */
import { isSignificant, isTemporary, type Member, restartOf, shouldRestart } from "./child.ts"
import { advanceEnding, end } from "./ending.ts"
import { make } from "./intensity.ts"
import { handleRequest, isWaitersAffair, rest } from "./requests.ts"
import {
  advanceRounds,
  failed,
  findRound,
  isMember,
  isRestarting,
  joinRound,
  leaveRound,
  resourceRound,
  setWait
} from "./rounds.ts"
import {
  type Action,
  answerWaiting,
  childAt,
  close,
  type EarlyExit,
  emit,
  type Event,
  open,
  type Options,
  type Phase,
  reply,
  type Round,
  setStatus,
  start,
  type State,
  type Turn,
  type Verdict
} from "./turn.ts"

export { shouldRestart } from "./child.ts"
export { validate } from "./validate.ts"
export type { Member } from "./child.ts"
export type { Action, EndReason, Event, Options, Result, State, Verdict } from "./turn.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

/** The first state of a supervisor, and its first actions. */
export const boot = <X>(options: Options): readonly [State<X>, ReadonlyArray<Action<X>>] => {
  const children = options.members.map((member) => ({ member, incarnation: 0, status: { _tag: "Down" } }) as const)
  const window = options.intensity === undefined ? undefined : make(options.intensity)
  const phase = { _tag: "Booting", exits: [], skipped: [] } as const
  const turn = open<X>({ options, children, phase, window, lastRound: 0 }, 0)
  advance(turn)
  return close(turn)
}

// ---- operations ---------------------------------------------------------------------------------------------------

/** Takes one event. `nowMillis` is the time of a monotonic clock. */
export const decide = <X>(
  state: State<X>,
  event: Event<X>,
  nowMillis: number
): readonly [State<X>, ReadonlyArray<Action<X>>] => {
  const turn = open(state, nowMillis)
  handle(turn, event)
  advance(turn)
  return close(turn)
}

/** What the shell knows of the process of a start. The core hears of it a little later. */
export type Sight = "up" | "dead" | undefined

/** What `whichChildren` shows of a child. */
export interface ChildView {
  readonly id: string
  readonly kind: Member["kind"]
  readonly state: "starting" | "running" | "restarting" | "stopping" | "stopped"
}

/**
 * All children in start order, without the temporary ones that have ended. `look` says what can be seen of a start by now:
 * a process that is up may have answered somebody, although its Layer is not built yet; one that is dead may still be
 * released.
 */
export const whichChildren = <X>(
  state: State<X>,
  look: (child: number, incarnation: number) => Sight = () => undefined
): ReadonlyArray<ChildView> =>
  state.children.flatMap((child, index) => {
    const { incarnation, member, status } = child
    const sight = look(index, incarnation)
    if (status._tag === "Dropped" || (sight === "dead" && isTemporary(child))) return []
    const { id, kind } = member
    if (status._tag === "Starting" && sight === "up") return [{ id, kind, state: "running" }]
    return [{ id, kind, state: isRestarting(state, index) ? "restarting" : shown[status._tag] }]
  })

// ---- internals ----------------------------------------------------------------------------------------------------

const shown = { Starting: "starting", Up: "running", Stopping: "stopping", Down: "stopped", Zombie: "stopped" } as const

const handle = <X>(turn: Turn<X>, event: Event<X>): void => {
  switch (event._tag) {
    case "ChildStarted":
    case "StartFailed":
    case "ChildExited":
    case "ChildStopped":
    case "ReleaseTimedOut":
      if (turn.children[event.child]?.incarnation === event.incarnation) handleChild(turn, event)
      return
    case "Verdict":
    case "DelayPassed":
      return handleRound(turn, event)
    case "StopRequested":
      return end(turn, { _tag: "Requested", reason: event.reason })
    case "TerminateRequested":
    case "RestartRequested":
    case "ParkRequested":
    case "UpRequested":
      return handleRequest(turn, event)
  }
}

type ChildEvent<X> = Extract<Event<X>, { readonly child: number }>

const handleChild = <X>(turn: Turn<X>, event: ChildEvent<X>): void => {
  const { child } = event
  const { status } = childAt(turn, child)
  switch (status._tag) {
    case "Starting":
      if (event._tag === "ChildStarted") return started(turn, child, status.request)
      if (event._tag === "StartFailed") return startFailed(turn, event, status.request)
      if (event._tag === "ReleaseTimedOut") return startOverdue(turn, event, status.request)
      return
    case "Up":
      if (event._tag === "ChildExited") exited(turn, event)
      return
    case "Stopping":
      // A start that failed before it could be interrupted has released everything as well.
      if (event._tag === "ChildStopped" || event._tag === "StartFailed") return stopped(turn, child)
      if (event._tag === "ReleaseTimedOut") return overdue(turn, child, event.exit)
      return
    case "Zombie":
      if (event._tag === "ChildStopped" || event._tag === "StartFailed") rest(turn, child, { _tag: "Down" })
      return
    case "Down":
    case "Dropped":
  }
}

const started = <X>(turn: Turn<X>, child: number, request: number | undefined): void => {
  setStatus(turn, child, { _tag: "Up" })
  leaveRound(turn, child)
  if (request !== undefined) reply(turn, request, { _tag: "Done" })
  answerWaiting(turn, child, { _tag: "Done" })
}

const startFailed = <X>(
  turn: Turn<X>,
  { child, exit }: Extract<Event<X>, { readonly _tag: "StartFailed" }>,
  request: number | undefined
): void => {
  setStatus(turn, child, { _tag: "Down" })
  const isTold = isWaitersAffair(turn, child, exit)
  if (request !== undefined) return reply(turn, request, { _tag: "StartFailed", exit })
  if (isTold) return
  if (turn.phase._tag === "Booting") return end(turn, { _tag: "BootFailed", child, exit })
  return failed(turn, { child, exit, isSuspicious: true })
}

/** A start that has failed does not release what it holds. */
const startOverdue = <X>(
  turn: Turn<X>,
  { child, exit }: Extract<Event<X>, { readonly _tag: "ReleaseTimedOut" }>,
  request: number | undefined
): void => {
  setStatus(turn, child, { _tag: "Zombie", exit })
  const isTold = isWaitersAffair(turn, child, exit)
  if (request !== undefined) return reply(turn, request, { _tag: "StartFailed", exit })
  if (isTold) return
  if (turn.phase._tag === "Booting") return end(turn, { _tag: "BootFailed", child, exit })
  return failed(turn, { child, exit, isSuspicious: false })
}

const exited = <X>(turn: Turn<X>, early: EarlyExit<X>): void => {
  const { child, expected, exit, failed } = early
  // A resource is released when those who hold it have ended: until then it counts as up.
  if (childAt(turn, child).member.kind === "child") setStatus(turn, child, { _tag: "Stopping", requests: [] })
  if (turn.phase._tag === "Booting") {
    turn.phase = { ...turn.phase, exits: [...turn.phase.exits, { child, expected, exit, failed }] }
  } else {
    conclude(turn, early)
  }
}

/** Draws the conclusion from the end of a child: a restart, the end of the supervisor, or none. */
const conclude = <X>(turn: Turn<X>, early: EarlyExit<X>): void => {
  const { child, expected, exit } = early
  if (turn.phase._tag !== "Running" || isMember(turn, child)) return
  if (shouldRestart(restartOf(childAt(turn, child).member), expected)) {
    // Only after the boot: it was dead already when a resource's round looked for those it had to stop.
    const round = resourceRound(turn, child)
    if (round !== undefined) return joinRound(turn, child, round)
    return failed(turn, { child, exit, isSuspicious: early.failed && childAt(turn, child).member.kind === "child" })
  }
  if (shutsDown(turn, child)) end(turn, { _tag: "AutoShutdown", child })
}

const shutsDown = <X>(turn: Turn<X>, ended: number): boolean => {
  const { autoShutdown } = turn.options
  if (autoShutdown === "never" || !isSignificant(childAt(turn, ended))) return false
  if (autoShutdown === "anySignificant") return true
  return !turn.children.some((child, index) => isSignificant(child) && isActive(turn, index))
}

/** Up or on its way there; a temporary child that its group will stop is not. */
const isActive = <X>(turn: Turn<X>, index: number): boolean => {
  const { _tag } = childAt(turn, index).status
  return isRestarting(turn, index) || (!isMember(turn, index) && (_tag === "Up" || _tag === "Starting"))
}

const stopped = <X>(turn: Turn<X>, child: number): void =>
  rest(turn, child, { _tag: isTemporary(childAt(turn, child)) ? "Dropped" : "Down" })

/** A child is not released in time. If it is to be started again, that is as if its start had failed. */
const overdue = <X>(turn: Turn<X>, child: number, exit: X): void => {
  if (isTemporary(childAt(turn, child))) return stopped(turn, child)
  rest(turn, child, { _tag: "Zombie", exit })
  if (isWaitersAffair(turn, child, exit)) return
  if (isMember(turn, child)) failed(turn, { child, exit, isSuspicious: false })
}

const handleRound = <X>(
  turn: Turn<X>,
  event: Extract<Event<X>, { readonly _tag: "Verdict" | "DelayPassed" }>
): void => {
  const round = findRound(turn, event.round)
  if (round === undefined) return
  if (event._tag === "DelayPassed") {
    if (round.wait._tag === "Sleeping") setWait(turn, round.round, { _tag: "Over" })
  } else if (round.wait._tag === "Asked") {
    judge(turn, round, event.verdict)
  }
}

const judge = <X>(turn: Turn<X>, { round, child, exit, members }: Round<X>, verdict: Verdict): void => {
  if (verdict._tag === "Delay") return setWait(turn, round, { _tag: "Granted", millis: verdict.millis })
  // Taken out by `terminateChild` meanwhile: its siblings still come back, and its schedule has no say in that.
  if (!members.includes(child)) return setWait(turn, round, { _tag: "Over" })
  end(turn, { _tag: "RestartLimit", child, exit, attempts: verdict.attempts, policy: "schedule" })
}

const advance = <X>(turn: Turn<X>): void => {
  if (turn.phase._tag === "Booting") advanceBoot(turn, turn.phase)
  if (turn.phase._tag === "Running") advanceRounds(turn)
  if (turn.phase._tag === "Ending") advanceEnding(turn, turn.phase.reason)
}

const advanceBoot = <X>(turn: Turn<X>, { exits, skipped }: Extract<Phase<X>, { readonly _tag: "Booting" }>): void => {
  // The boot's own start of a child is the first one.
  if (turn.children.some(({ incarnation, status }) => status._tag === "Starting" && incarnation === 1)) return
  const next = turn.children.findIndex(({ incarnation }, index) => incarnation === 0 && !skipped.includes(index))
  if (next !== -1) return start(turn, next)
  turn.phase = { _tag: "Running", rounds: [] }
  emit(turn, { _tag: "BootSucceeded" })
  for (const exit of exits) conclude(turn, exit)
}
