/**
 * The state of a supervisor's decision core, and the draft of it that one decision works on.
 *
 * A turn is a private copy: what is written to it never shows in the state it was opened from.
 */
import type { Child, Member, Request, Status } from "./child.ts"
import type { Limit, Window } from "./intensity.ts"

// ---- models -------------------------------------------------------------------------------------------------------

export interface Options {
  readonly strategy: "oneForOne" | "oneForAll" | "restForOne"
  readonly autoShutdown: "never" | "anySignificant" | "allSignificant"
  /** No counting at all if undefined. */
  readonly intensity: Limit | undefined
  /** In start order; ids are unique. A child's index in this list is its name in events and actions, for ever. */
  readonly members: ReadonlyArray<Member>
}

export type Event<X> =
  | { readonly _tag: "ChildStarted"; readonly child: number; readonly incarnation: number }
  | { readonly _tag: "StartFailed"; readonly child: number; readonly incarnation: number; readonly exit: X }
  | {
      readonly _tag: "ChildExited"
      readonly child: number
      readonly incarnation: number
      readonly expected: boolean
      /** Whether something was wrong: it crashed, was killed, or is a supervisor that has given up. */
      readonly failed: boolean
      readonly exit: X
    }
  | { readonly _tag: "ChildStopped"; readonly child: number; readonly incarnation: number }
  | { readonly _tag: "ReleaseTimedOut"; readonly child: number; readonly incarnation: number; readonly exit: X }
  | { readonly _tag: "Verdict"; readonly round: number; readonly verdict: Verdict }
  | { readonly _tag: "DelayPassed"; readonly round: number }
  | { readonly _tag: "StopRequested"; readonly reason: X }
  | Request

/** What a restart schedule says; `attempts` is how often it was asked since it last began anew. */
export type Verdict =
  | { readonly _tag: "Delay"; readonly millis: number }
  | { readonly _tag: "Exhausted"; readonly attempts: number }

export type Action<X> =
  | { readonly _tag: "StartChild"; readonly child: number; readonly incarnation: number }
  | { readonly _tag: "StopChild"; readonly child: number; readonly incarnation: number }
  | {
      readonly _tag: "AskSchedule"
      readonly round: number
      readonly child: number
      readonly incarnation: number
      readonly exit: X
    }
  | { readonly _tag: "Sleep"; readonly round: number; readonly millis: number }
  | { readonly _tag: "CancelSleep"; readonly round: number }
  | { readonly _tag: "Reply"; readonly request: number; readonly result: Result<X> }
  | { readonly _tag: "Forget"; readonly child: number }
  | { readonly _tag: "BootSucceeded" }
  | { readonly _tag: "End"; readonly reason: EndReason<X> }

/** What whoever asked is told. */
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

/** A restart in progress: what must stop, wait and start again because of one failure. */
export interface Round<X> {
  readonly round: number
  /** The child whose failure began it. */
  readonly child: number
  readonly exit: X
  /** Whether it minds everything from its first member on, not its own child alone. */
  readonly group: boolean
  /** The first child it may concern. */
  readonly from: number
  /** Those that are not yet up again, in start order; never empty. */
  readonly members: ReadonlyArray<number>
  readonly wait: Wait
}

/** How far a round is on its way through the verdict and the delay. */
export type Wait =
  | { readonly _tag: "Asked" }
  | { readonly _tag: "Granted"; readonly millis: number }
  | { readonly _tag: "Sleeping" }
  | { readonly _tag: "Over" }

/** The end of a child that came while others were still being started for the first time. */
export interface EarlyExit<X> {
  readonly child: number
  readonly expected: boolean
  readonly failed: boolean
  readonly exit: X
}

export type Phase<X> =
  | {
      readonly _tag: "Booting"
      /** What has ended by itself and is dealt with after the boot. */
      readonly exits: ReadonlyArray<EarlyExit<X>>
      /** The boot passes over these: somebody has told them to stop before their turn. */
      readonly skipped: ReadonlyArray<number>
    }
  | { readonly _tag: "Running"; readonly rounds: ReadonlyArray<Round<X>> }
  | { readonly _tag: "Ending"; readonly reason: EndReason<X> }
  | { readonly _tag: "Ended" }

export interface State<X> {
  readonly options: Options
  readonly children: ReadonlyArray<Child<X>>
  readonly phase: Phase<X>
  readonly window: Window | undefined
  /** The number of the latest round. */
  readonly lastRound: number
}

/** A decision in the making. */
export interface Turn<X> {
  readonly options: Options
  readonly nowMillis: number
  readonly children: Array<Child<X>>
  readonly actions: Array<Action<X>>
  phase: Phase<X>
  window: Window | undefined
  lastRound: number
}

// ---- operations ---------------------------------------------------------------------------------------------------

export const open = <X>(state: State<X>, nowMillis: number): Turn<X> => ({
  ...state,
  nowMillis,
  children: [...state.children],
  actions: []
})

export const close = <X>(turn: Turn<X>): readonly [State<X>, ReadonlyArray<Action<X>>] => {
  const { options, children, phase, window, lastRound } = turn
  return [{ options, children, phase, window, lastRound }, turn.actions]
}

export const emit = <X>(turn: Turn<X>, action: Action<X>): void => {
  turn.actions.push(action)
}

export const reply = <X>(turn: Turn<X>, request: number, result: Result<X>): void =>
  emit(turn, { _tag: "Reply", request, result })

export const childAt = <X>(turn: Turn<X>, index: number): Child<X> => turn.children[index]!

export const setStatus = <X>(turn: Turn<X>, index: number, status: Status<X>): void => {
  turn.children[index] = { ...childAt(turn, index), status }
}

export const setParked = <X>(turn: Turn<X>, index: number, parked: boolean): void => {
  turn.children[index] = { ...childAt(turn, index), parked }
}

/** Lets a request wait until a child is up. */
export const awaitUp = <X>(turn: Turn<X>, index: number, request: number): void => {
  const child = childAt(turn, index)
  turn.children[index] = { ...child, waiting: [...(child.waiting ?? []), request] }
}

/** Answers those who wait until a child is up; false if there are none. */
export const answerWaiting = <X>(turn: Turn<X>, index: number, result: Result<X>): boolean => {
  const { waiting, ...child } = childAt(turn, index)
  if (waiting === undefined) return false
  turn.children[index] = child
  for (const request of waiting) reply(turn, request, result)
  return true
}

/** The highest index that passes the test, or -1. */
export const lastIndex = <X>(turn: Turn<X>, test: (child: Child<X>, index: number) => boolean): number =>
  turn.children.findLastIndex(test)

export const start = <X>(turn: Turn<X>, index: number, request?: number): void => {
  const incarnation = childAt(turn, index).incarnation + 1
  turn.children[index] = { ...childAt(turn, index), incarnation, status: { _tag: "Starting", request } }
  emit(turn, { _tag: "StartChild", child: index, incarnation })
}

export const stop = <X>(turn: Turn<X>, index: number, requests: ReadonlyArray<Request> = []): void => {
  setStatus(turn, index, { _tag: "Stopping", requests })
  emit(turn, { _tag: "StopChild", child: index, incarnation: childAt(turn, index).incarnation })
}

/** Tells whoever waits for this start, if it is a start at all, that it will not come to its end. */
export const refuseStart = <X>(turn: Turn<X>, index: number, result: Result<X>): void => {
  const { status } = childAt(turn, index)
  if (status._tag === "Starting" && status.request !== undefined) reply(turn, status.request, result)
}
