/**
 * The states of one child: where its latest run stands, and what a report of that run means there.
 *
 * Every supervisor uses this table. A shell reports what happens to a run. If a report has crossed with a decision, its
 * cell in the table is empty, and nothing changes.
 *
 * | stands     | `ChildStarted` | `StartFailed` | `ChildExited` | `ChildStopped` | `ReleaseTimedOut` |
 * | ---------- | -------------- | ------------- | ------------- | -------------- | ----------------- |
 * | `Down`     |                |               |               |                |                   |
 * | `Starting` | `Up`           | `Down`        |               |                | `Zombie`          |
 * | `Up`       |                |               | `Stopping`    |                |                   |
 * | `Stopping` |                | `Down`        |               | `Down`         | `Zombie`          |
 * | `Zombie`   |                | `Down`        |               | `Down`         |                   |
 * | `Dropped`  |                |               |               |                |                   |
 */

/** Where the latest run of a child stands. `X` is what an ending means to the shell. The core never reads it. */
export type ChildState<X> =
  /** Nothing runs, and everything is released. */
  | { readonly _tag: "Down" }
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Up" }
  /** It was told to end, or is dead and not yet released. */
  | { readonly _tag: "Stopping" }
  /** It outlived its shutdown limit and the kill. No new run may start. */
  | { readonly _tag: "Zombie"; readonly exit: X }
  /** It has ended for good. */
  | { readonly _tag: "Dropped" }

/** What a shell reports of the latest run. */
export type Report<X> =
  | { readonly _tag: "ChildStarted" }
  /** Its start has failed, and everything of it is released. */
  | { readonly _tag: "StartFailed"; readonly exit: X }
  /** It has ended by itself, and is released without being asked. */
  | { readonly _tag: "ChildExited"; readonly expected: boolean; readonly exit: X }
  /** Everything of it has ended and is released. */
  | { readonly _tag: "ChildStopped" }
  /** It was not released within its limit. */
  | { readonly _tag: "ReleaseTimedOut"; readonly exit: X }

/** Where the child stands after a report, and what has happened. */
export interface Change<X> {
  readonly state: ChildState<X>
  readonly what: "started" | "startFailed" | "exited" | "stopped" | "overdue"
}

export const down: ChildState<never> = { _tag: "Down" }
export const starting: ChildState<never> = { _tag: "Starting" }
export const up: ChildState<never> = { _tag: "Up" }
export const stopping: ChildState<never> = { _tag: "Stopping" }
export const dropped: ChildState<never> = { _tag: "Dropped" }

/** What a report means for a child that stands there. Undefined if it means nothing. */
export const afterReport = <X>(state: ChildState<X>, report: Report<X>): Change<X> | undefined => {
  switch (state._tag) {
    case "Starting":
      if (report._tag === "ChildStarted") return startedChange
      if (report._tag === "StartFailed") return startFailedChange
      if (report._tag === "ReleaseTimedOut") return { state: zombie(report.exit), what: "startFailed" }
      return undefined
    case "Up":
      return report._tag === "ChildExited" ? exitedChange : undefined
    case "Stopping":
      if (isReleased(report)) return stoppedChange
      return report._tag === "ReleaseTimedOut" ? { state: zombie(report.exit), what: "overdue" } : undefined
    case "Zombie":
      return isReleased(report) ? stoppedChange : undefined
    case "Down":
    case "Dropped":
      return undefined
  }
}

// ---- internals ----------------------------------------------------------------------------------------------------

const startedChange: Change<never> = { state: up, what: "started" }
const startFailedChange: Change<never> = { state: down, what: "startFailed" }
const exitedChange: Change<never> = { state: stopping, what: "exited" }
const stoppedChange: Change<never> = { state: down, what: "stopped" }

const zombie = <X>(exit: X): ChildState<X> => ({ _tag: "Zombie", exit })

/** If a start fails before it can be interrupted, everything is released, too. */
const isReleased = (report: Report<unknown>): boolean => report._tag === "ChildStopped" || report._tag === "StartFailed"
