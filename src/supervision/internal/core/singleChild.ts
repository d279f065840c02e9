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
 * - `Ask(ticket, exit)`: step the restart schedule; one `Verdict` with that ticket. An earlier question for this child,
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
import * as Life from "./life.ts"
import * as Restart from "./restart.ts"
import { restartsAfter } from "./restartType.ts"

export interface Single<X> {
  /** The number of its latest start. */
  readonly incarnation: number
  readonly life: Life.Life<X>
  /** Undefined if it runs or will not be started again. */
  readonly restart: Pending<X> | undefined
}

/** A pending restart. */
interface Pending<X> {
  readonly stage: Restart.Stage
  /** The number of the question or delay that it waits for. */
  readonly ticket: number
  readonly exit: X
}

export type Event<X> =
  | Life.Report<X>
  /** The failure was counted, and there were not too many. Each ticket is new. */
  | { readonly _tag: "RestartAllowed"; readonly ticket: number }
  | { readonly _tag: "Verdict"; readonly ticket: number; readonly verdict: Restart.Verdict }
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

type Decision<X> = readonly [Single<X>, ReadonlyArray<Action<X>>]

// ---- constructors -------------------------------------------------------------------------------------------------

/** A child whose first start is under way. */
export const begun: Single<never> = { incarnation: 1, life: Life.starting, restart: undefined }

// ---- operations ---------------------------------------------------------------------------------------------------

/** Takes one event. */
export const decide = <X>(child: Single<X>, event: Event<X>, type: RestartType): Decision<X> => {
  switch (event._tag) {
    case "RestartAllowed":
      return allowed(child, event.ticket)
    case "Verdict":
      return judged(child, event.ticket, event.verdict)
    case "DelayPassed":
      return isAt(child, "Delaying", event.ticket)
        ? advance(child, { ...child.restart, stage: Restart.due })
        : [child, none]
    case "StopRequested":
      return stop(child)
    default:
      return reported(child, event, type)
  }
}

/** Whether its first start is under way. */
export const isFirstStart = ({ incarnation, life }: Single<unknown>): boolean =>
  life._tag === "Starting" && incarnation === 1

/** Whether it will be started again, or is being started again. */
export const isRestarting = ({ restart }: Single<unknown>): boolean => restart !== undefined

/** Whether it ends or has ended, and is never started again. */
export const isStopping = ({ life, restart }: Single<unknown>): boolean =>
  life._tag === "Dropped" || (life._tag === "Stopping" && restart === undefined)

// ---- internals ----------------------------------------------------------------------------------------------------

const none: ReadonlyArray<never> = []
const start: ReadonlyArray<Action<never>> = [{ _tag: "Start" }]
const stopIt: ReadonlyArray<Action<never>> = [{ _tag: "Stop" }]
const awaitRelease: ReadonlyArray<Action<never>> = [{ _tag: "AwaitRelease" }]
const forget: ReadonlyArray<Action<never>> = [{ _tag: "Forget" }]

const reported = <X>(child: Single<X>, report: Life.Report<X>, type: RestartType): Decision<X> => {
  const heard = Life.hear(child.life, report)
  if (heard === undefined) return [child, none]
  const { incarnation, restart } = child
  const { life } = heard
  switch (heard.what) {
    case "started":
      return [{ incarnation, life, restart: undefined }, none]
    case "startFailed":
      if (incarnation > 1) return failed(child, life, exitOf(report))
      return [rests(child, Life.dropped), [{ _tag: "NotStarted", exit: exitOf(report) }]]
    case "exited":
      if (report._tag === "ChildExited" && restartsAfter(type, report.expected)) {
        return failed(child, life, report.exit)
      }
      return [rests(child, life), none]
    case "stopped":
      return restart === undefined ? [rests(child, Life.dropped), forget] : advance({ ...child, life }, restart)
    case "overdue":
      return restart === undefined ? [rests(child, Life.dropped), forget] : failed(child, life, exitOf(report))
  }
}

const exitOf = <X>(report: Life.Report<X>): X => (report as Extract<Life.Report<X>, { readonly exit: X }>).exit

const rests = <X>({ incarnation }: Single<X>, life: Life.Life<X>): Single<X> => ({
  incarnation,
  life,
  restart: undefined
})

/** Earlier failures no longer matter. */
const failed = <X>({ incarnation }: Single<X>, life: Life.Life<X>, exit: X): Decision<X> => [
  { incarnation, life, restart: { stage: Restart.undecided, ticket: 0, exit } },
  [{ _tag: "Failed", exit }]
]

const allowed = <X>(child: Single<X>, ticket: number): Decision<X> => {
  if (child.restart?.stage._tag !== "Undecided") return [child, none]
  const { exit } = child.restart
  return [{ ...child, restart: { stage: Restart.asking, ticket, exit } }, [{ _tag: "Ask", ticket, exit }]]
}

const judged = <X>(child: Single<X>, ticket: number, verdict: Restart.Verdict): Decision<X> => {
  if (!isAt(child, "Asking", ticket)) return [child, none]
  const { restart } = child
  if (verdict._tag === "Delay") return advance(child, { ...restart, stage: Restart.granted(verdict.millis) })
  const { attempts } = verdict
  return [
    { ...child, restart: { ...restart, stage: Restart.undecided } },
    [{ _tag: "GiveUp", exit: restart.exit, attempts }]
  ]
}

const isAt = <X>(
  child: Single<X>,
  stage: Restart.Stage["_tag"],
  ticket: number
): child is Single<X> & { readonly restart: Pending<X> } =>
  child.restart?.stage._tag === stage && child.restart.ticket === ticket

/** Takes the next step of its restart. */
const advance = <X>({ incarnation, life }: Single<X>, restart: Pending<X>): Decision<X> => {
  const { stage, ticket } = restart
  switch (Restart.nextStep(stage, life)) {
    case "stop":
      return [{ incarnation, life: Life.stopping, restart }, awaitRelease]
    case "wait":
      return [{ incarnation, life, restart }, none]
    case "delay": {
      const millis = (stage as Extract<Restart.Stage, { readonly _tag: "Granted" }>).millis
      return [
        { incarnation, life, restart: { ...restart, stage: Restart.delaying } },
        [{ _tag: "Sleep", ticket, millis }]
      ]
    }
    case "start":
      return [{ incarnation: incarnation + 1, life: Life.starting, restart }, start]
  }
}

const stop = <X>(child: Single<X>): Decision<X> =>
  child.life._tag === "Dropped" ? [child, none] : [rests(child, Life.stopping), stopIt]
