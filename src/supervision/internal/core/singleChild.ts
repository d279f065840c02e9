/**
 * One child without a group: the life of its runs, and its pending restart.
 *
 * Pure: `begun` is the first state, `decide` takes a state and an event and returns the next state and the actions to
 * run. No clock, no fiber. A shell owns the state, feeds it one event after the other and runs the actions. It decides
 * for each child of a dynamic supervisor.
 *
 * **Actions, and the events the shell owes for them**
 *
 * - `Start`: one `ChildStarted` or `StartFailed`.
 * - A child that ends by itself after `ChildStarted`: one `ChildExited` at its death. Then one `ChildStopped` when its
 *   fiber and its scope have ended; or one `ReleaseTimedOut`, and a late `ChildStopped` if it ends after all.
 * - `Stop`: end everything that is under way, including a start, a question or a delay. One `ChildStopped` or
 *   `ReleaseTimedOut`.
 * - `AwaitRelease`: like `Stop`, for a run that has had its time already.
 * - `Failed(exit)`: the owner counts the failure, then sends `RestartAllowed`, or gives up and stops all.
 * - `Ask(ticket, exit)`: step the restart schedule; one `ScheduleAnswered` with that ticket. An earlier question for this child,
 *   with another ticket, is no longer needed.
 * - `Sleep(ticket, millis)`: one `DelayPassed` with that ticket.
 * - `GiveUp(exit, attempts)`: the schedule is exhausted. The owner stops all.
 * - `NotStarted(exit)`: its first start has failed. The owner tells the caller and forgets the child.
 * - `Forget`: it has ended for good. If the last report was `ReleaseTimedOut`, its process may not have ended.
 *
 * **Guarantees**
 *
 * - It has one run at a time: a start comes only after the run before has ended and was released.
 * - An end by itself, a start that fails and a release that takes too long are one failure each. A failed first start
 *   is not counted, because the caller handles it.
 * - Once it is told to stop, or has ended without a restart by its restart type, it is never started again.
 */
import type { Restart as RestartType } from "../../RestartPolicy.ts"
import * as ChildState from "./childState.ts"
import * as Restart from "./restartStage.ts"
import { restartsAfter } from "./restartType.ts"

export interface SingleChild<X> {
  /** The number of its latest start. */
  readonly incarnation: number
  readonly state: ChildState.ChildState<X>
  /** Undefined if it runs or will not be started again. */
  readonly restart: PendingRestart<X> | undefined
}

/** A pending restart. */
interface PendingRestart<X> {
  readonly stage: Restart.Stage
  /** The number of the question or delay that it waits for. */
  readonly ticket: number
  readonly exit: X
}

export type Event<X> =
  | ChildState.Report<X>
  /** The failure was counted, and there were not too many. Each ticket is new. */
  | { readonly _tag: "RestartAllowed"; readonly ticket: number }
  | { readonly _tag: "ScheduleAnswered"; readonly ticket: number; readonly answer: Restart.ScheduleAnswer }
  | { readonly _tag: "DelayPassed"; readonly ticket: number }
  /** It must end for good, wherever it stands. */
  | { readonly _tag: "StopRequested" }

export type Action<X> =
  | { readonly _tag: "Start" }
  | { readonly _tag: "Stop" }
  | { readonly _tag: "AwaitRelease" }
  | { readonly _tag: "Failed"; readonly exit: X }
  | { readonly _tag: "Ask"; readonly ticket: number; readonly exit: X }
  | { readonly _tag: "Sleep"; readonly ticket: number; readonly millis: number }
  | { readonly _tag: "GiveUp"; readonly exit: X; readonly attempts: number }
  | { readonly _tag: "NotStarted"; readonly exit: X }
  | { readonly _tag: "Forget" }

type Decision<X> = readonly [SingleChild<X>, ReadonlyArray<Action<X>>]

// ---- constructors -------------------------------------------------------------------------------------------------

/** A child whose first start is under way. */
export const begun: SingleChild<never> = { incarnation: 1, state: ChildState.starting, restart: undefined }

// ---- operations ---------------------------------------------------------------------------------------------------

/** Takes one event. */
export const decide = <X>(child: SingleChild<X>, event: Event<X>, type: RestartType): Decision<X> => {
  switch (event._tag) {
    case "RestartAllowed":
      return restartAllowed(child, event.ticket)
    case "ScheduleAnswered":
      return scheduleAnswered(child, event.ticket, event.answer)
    case "DelayPassed":
      return isAt(child, "Delaying", event.ticket)
        ? advance(child, { ...child.restart, stage: Restart.due })
        : [child, none]
    case "StopRequested":
      return stop(child)
    default:
      return afterReport(child, event, type)
  }
}

/** Whether its first start is under way. */
export const isFirstStart = ({ incarnation, state }: SingleChild<unknown>): boolean =>
  state._tag === "Starting" && incarnation === 1

/** Whether it will be started again, or is being started again. */
export const isRestarting = ({ restart }: SingleChild<unknown>): boolean => restart !== undefined

/** Whether it ends or has ended, and is never started again. */
export const isStopping = ({ state, restart }: SingleChild<unknown>): boolean =>
  state._tag === "Dropped" || (state._tag === "Stopping" && restart === undefined)

// ---- internals ----------------------------------------------------------------------------------------------------

const none: ReadonlyArray<never> = []
const start: ReadonlyArray<Action<never>> = [{ _tag: "Start" }]
const stopIt: ReadonlyArray<Action<never>> = [{ _tag: "Stop" }]
const awaitRelease: ReadonlyArray<Action<never>> = [{ _tag: "AwaitRelease" }]
const forget: ReadonlyArray<Action<never>> = [{ _tag: "Forget" }]

const afterReport = <X>(child: SingleChild<X>, report: ChildState.Report<X>, type: RestartType): Decision<X> => {
  const change = ChildState.afterReport(child.state, report)
  if (change === undefined) return [child, none]
  const { incarnation, restart } = child
  const { state } = change
  switch (change.what) {
    case "started":
      return [{ incarnation, state, restart: undefined }, none]
    case "startFailed":
      if (incarnation > 1) return failed(child, state, exitOf(report))
      return [withoutRestart(child, ChildState.dropped), [{ _tag: "NotStarted", exit: exitOf(report) }]]
    case "exited":
      if (report._tag === "ChildExited" && restartsAfter(type, report.expected)) {
        return failed(child, state, report.exit)
      }
      return [withoutRestart(child, state), none]
    case "stopped":
      return restart === undefined
        ? [withoutRestart(child, ChildState.dropped), forget]
        : advance({ ...child, state }, restart)
    case "overdue":
      return restart === undefined
        ? [withoutRestart(child, ChildState.dropped), forget]
        : failed(child, state, exitOf(report))
  }
}

const exitOf = <X>(report: ChildState.Report<X>): X =>
  (report as Extract<ChildState.Report<X>, { readonly exit: X }>).exit

const withoutRestart = <X>({ incarnation }: SingleChild<X>, state: ChildState.ChildState<X>): SingleChild<X> => ({
  incarnation,
  state,
  restart: undefined
})

/** Earlier failures no longer matter. */
const failed = <X>({ incarnation }: SingleChild<X>, state: ChildState.ChildState<X>, exit: X): Decision<X> => [
  { incarnation, state, restart: { stage: Restart.undecided, ticket: 0, exit } },
  [{ _tag: "Failed", exit }]
]

const restartAllowed = <X>(child: SingleChild<X>, ticket: number): Decision<X> => {
  if (child.restart?.stage._tag !== "Undecided") return [child, none]
  const { exit } = child.restart
  return [{ ...child, restart: { stage: Restart.asking, ticket, exit } }, [{ _tag: "Ask", ticket, exit }]]
}

const scheduleAnswered = <X>(child: SingleChild<X>, ticket: number, answer: Restart.ScheduleAnswer): Decision<X> => {
  if (!isAt(child, "Asking", ticket)) return [child, none]
  const { restart } = child
  if (answer._tag === "Delay") return advance(child, { ...restart, stage: Restart.granted(answer.millis) })
  const { attempts } = answer
  return [
    { ...child, restart: { ...restart, stage: Restart.undecided } },
    [{ _tag: "GiveUp", exit: restart.exit, attempts }]
  ]
}

const isAt = <X>(
  child: SingleChild<X>,
  stage: Restart.Stage["_tag"],
  ticket: number
): child is SingleChild<X> & { readonly restart: PendingRestart<X> } =>
  child.restart?.stage._tag === stage && child.restart.ticket === ticket

/** Takes the next step of its restart. */
const advance = <X>({ incarnation, state }: SingleChild<X>, restart: PendingRestart<X>): Decision<X> => {
  const { stage, ticket } = restart
  switch (Restart.nextStep(stage, state)) {
    case "stop":
      return [{ incarnation, state: ChildState.stopping, restart }, awaitRelease]
    case "wait":
      return [{ incarnation, state, restart }, none]
    case "delay": {
      const millis = (stage as Extract<Restart.Stage, { readonly _tag: "Granted" }>).millis
      return [
        { incarnation, state, restart: { ...restart, stage: Restart.delaying } },
        [{ _tag: "Sleep", ticket, millis }]
      ]
    }
    case "start":
      return [{ incarnation: incarnation + 1, state: ChildState.starting, restart }, start]
  }
}

const stop = <X>(child: SingleChild<X>): Decision<X> =>
  child.state._tag === "Dropped" ? [child, none] : [withoutRestart(child, ChildState.stopping), stopIt]
