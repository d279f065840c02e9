/**
 * The state of a supervisor's decision core, and the draft of the next state, on which one decision works.
 *
 * A draft is a private copy. Changes to it never show in the state it was made from.
 */
import type { IntensityLimit, FailureWindow } from "../core/intensity.ts"
import * as ChildState from "../core/childState.ts"
import type { Stage, ScheduleAnswer } from "../core/restartStage.ts"
import type { Child, Member, ChildRequest } from "./member.ts"

// ---- models -------------------------------------------------------------------------------------------------------

export interface Options {
  readonly strategy: "oneForOne" | "oneForAll" | "restForOne"
  readonly autoShutdown: "never" | "anySignificant" | "allSignificant"
  /** Undefined if failures are not counted. */
  readonly intensity: IntensityLimit | undefined
  /** In start order. Ids are unique. Events and actions name a child by its index in this list, which never changes. */
  readonly members: ReadonlyArray<Member>
}

/** What the shell reports of a run of a child. */
export type ChildReport<X> = ReportOf<X> & { readonly child: number; readonly incarnation: number }

type ReportOf<X> =
  | Exclude<ChildState.Report<X>, { readonly _tag: "ChildExited" }>
  | (Extract<ChildState.Report<X>, { readonly _tag: "ChildExited" }> & {
      /** Whether it failed: it crashed, was killed, or is a supervisor that has given up. */
      readonly failed: boolean
    })

export type Event<X> =
  | ChildReport<X>
  | { readonly _tag: "ScheduleAnswered"; readonly restart: number; readonly answer: ScheduleAnswer }
  | { readonly _tag: "DelayPassed"; readonly restart: number }
  | { readonly _tag: "StopRequested"; readonly reason: X }
  | ChildRequest

export type Action<X> =
  | { readonly _tag: "StartChild"; readonly child: number; readonly incarnation: number }
  | { readonly _tag: "StopChild"; readonly child: number; readonly incarnation: number }
  | {
      readonly _tag: "AskSchedule"
      readonly restart: number
      readonly child: number
      readonly incarnation: number
      readonly exit: X
    }
  | { readonly _tag: "Sleep"; readonly restart: number; readonly millis: number }
  | { readonly _tag: "CancelSleep"; readonly restart: number }
  | { readonly _tag: "Reply"; readonly request: number; readonly result: Result<X> }
  | { readonly _tag: "Forget"; readonly child: number }
  | { readonly _tag: "BootSucceeded" }
  | { readonly _tag: "End"; readonly reason: EndReason<X> }

/** The answer to a request. */
export type Result<X> =
  | { readonly _tag: "Done" }
  | { readonly _tag: "ChildNotFound" }
  | { readonly _tag: "ChildRunning" }
  | { readonly _tag: "ChildRestarting" }
  | { readonly _tag: "StartFailed"; readonly exit: X }
  /** `terminateChild` came while `restartChild` was still starting it. */
  | { readonly _tag: "StartInterrupted" }
  | { readonly _tag: "SupervisorStopping" }

export type EndReason<X> =
  | { readonly _tag: "Requested"; readonly reason: X }
  | { readonly _tag: "BootFailed"; readonly child: number; readonly exit: X }
  | { readonly _tag: "AutoShutdown"; readonly child: number }
  | {
      readonly _tag: "RestartLimit"
      readonly child: number
      readonly exit: X
      /** How many failures were counted, the last one included. */
      readonly attempts: number
      readonly policy: "intensity" | "schedule"
    }

/** A pending restart: the children that must stop, wait and start again because of one failure. */
export interface GroupRestart<X> {
  /** Its number. */
  readonly restart: number
  /** The child whose failure began it. */
  readonly child: number
  readonly exit: X
  /** Whether it waits for all children from its first member on, and not only for its own child. */
  readonly group: boolean
  /** The first child that it may affect. */
  readonly from: number
  /** The members that are not yet up again, in start order. Never empty. */
  readonly members: ReadonlyArray<number>
  readonly stage: Stage
}

/** A child that ended while others were still being started for the first time. */
export interface EarlyExit<X> {
  readonly child: number
  readonly expected: boolean
  readonly failed: boolean
  readonly exit: X
}

export type Phase<X> =
  | {
      readonly _tag: "Booting"
      /** Children that have ended by themselves. They are dealt with after the boot. */
      readonly exits: ReadonlyArray<EarlyExit<X>>
      /** Children that the boot passes over, because they were told to stop before their turn. */
      readonly skipped: ReadonlyArray<number>
    }
  | { readonly _tag: "Running"; readonly restarts: ReadonlyArray<GroupRestart<X>> }
  | { readonly _tag: "Ending"; readonly reason: EndReason<X> }
  | { readonly _tag: "Ended" }

export interface State<X> {
  readonly options: Options
  readonly children: ReadonlyArray<Child<X>>
  readonly phase: Phase<X>
  readonly window: FailureWindow | undefined
  /** The number of the latest restart. */
  readonly lastRestart: number
}

/** A decision in progress. */
export interface Draft<X> {
  readonly options: Options
  readonly nowMillis: number
  readonly children: Array<Child<X>>
  readonly actions: Array<Action<X>>
  phase: Phase<X>
  window: FailureWindow | undefined
  lastRestart: number
}

// ---- operations ---------------------------------------------------------------------------------------------------

export const open = <X>(state: State<X>, nowMillis: number): Draft<X> => ({
  ...state,
  nowMillis,
  children: [...state.children],
  actions: []
})

export const close = <X>(draft: Draft<X>): readonly [State<X>, ReadonlyArray<Action<X>>] => {
  const { options, children, phase, window, lastRestart } = draft
  return [{ options, children, phase, window, lastRestart }, draft.actions]
}

export const emit = <X>(draft: Draft<X>, action: Action<X>): void => {
  draft.actions.push(action)
}

export const reply = <X>(draft: Draft<X>, request: number, result: Result<X>): void =>
  emit(draft, { _tag: "Reply", request, result })

export const childAt = <X>(draft: Draft<X>, index: number): Child<X> => draft.children[index]!

/** Sets where a child stands now. Requests for the start or end that is over are dropped. */
export const setChildState = <X>(draft: Draft<X>, index: number, state: ChildState.ChildState<X>): void => {
  const { incarnation, member, parked, upRequests } = childAt(draft, index)
  draft.children[index] = { member, incarnation, state, ...(parked && { parked }), ...(upRequests && { upRequests }) }
}

export const setParked = <X>(draft: Draft<X>, index: number, parked: boolean): void => {
  draft.children[index] = { ...childAt(draft, index), parked }
}

/** Lets a request wait until a child is up. */
export const awaitUp = <X>(draft: Draft<X>, index: number, request: number): void => {
  const child = childAt(draft, index)
  draft.children[index] = { ...child, upRequests: [...(child.upRequests ?? []), request] }
}

/** Lets a request wait until a child that is stopping has ended. */
export const awaitStop = <X>(draft: Draft<X>, index: number, request: ChildRequest): void => {
  const child = childAt(draft, index)
  draft.children[index] = { ...child, afterStop: [...(child.afterStop ?? []), request] }
}

/** Answers the requests that wait until a child is up. False if there are none. */
export const answerUpRequests = <X>(draft: Draft<X>, index: number, result: Result<X>): boolean => {
  const { upRequests, ...child } = childAt(draft, index)
  if (upRequests === undefined) return false
  draft.children[index] = child
  for (const request of upRequests) reply(draft, request, result)
  return true
}

/** The highest index that passes the test, or -1. */
export const lastIndex = <X>(draft: Draft<X>, test: (child: Child<X>, index: number) => boolean): number =>
  draft.children.findLastIndex(test)

/** Starts a child. `starter` is the request that asks for the start, if any. */
export const start = <X>(draft: Draft<X>, index: number, starter?: number): void => {
  setChildState(draft, index, ChildState.starting)
  const child = childAt(draft, index)
  const incarnation = child.incarnation + 1
  draft.children[index] = { ...child, incarnation, ...(starter !== undefined && { starter }) }
  emit(draft, { _tag: "StartChild", child: index, incarnation })
}

export const stop = <X>(draft: Draft<X>, index: number): void => {
  setChildState(draft, index, ChildState.stopping)
  emit(draft, { _tag: "StopChild", child: index, incarnation: childAt(draft, index).incarnation })
}

/** If a request waits for this start, tells it that the start will not finish. */
export const refuseStart = <X>(draft: Draft<X>, index: number, result: Result<X>): void => {
  const { starter } = childAt(draft, index)
  if (starter !== undefined) reply(draft, starter, result)
}
