/**
 * The life of one child: where its latest run stands, and what a report of that run means there.
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
export type Life<X> =
  /** Nothing runs, and everything is released. */
  | { readonly _tag: "Down" }
  | { readonly _tag: "Starting" }
  | { readonly _tag: "Up" }
  /** It was told to end, or is dead and not yet released. */
  | { readonly _tag: "Stopping" }
  /** It outlived its shutdown limit and the kill. Nothing new may start in its place. */
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
export interface Heard<X> {
  readonly life: Life<X>
  readonly what: "started" | "startFailed" | "exited" | "stopped" | "overdue"
}

export const down: Life<never> = { _tag: "Down" }
export const starting: Life<never> = { _tag: "Starting" }
export const up: Life<never> = { _tag: "Up" }
export const stopping: Life<never> = { _tag: "Stopping" }
export const dropped: Life<never> = { _tag: "Dropped" }

/** What a report means for a child that stands there. Undefined if it means nothing. */
export const hear = <X>(life: Life<X>, report: Report<X>): Heard<X> | undefined => {
  switch (life._tag) {
    case "Starting":
      if (report._tag === "ChildStarted") return heardStarted
      if (report._tag === "StartFailed") return heardStartFailed
      if (report._tag === "ReleaseTimedOut") return { life: zombie(report.exit), what: "startFailed" }
      return undefined
    case "Up":
      return report._tag === "ChildExited" ? heardExited : undefined
    case "Stopping":
      if (isReleased(report)) return heardStopped
      return report._tag === "ReleaseTimedOut" ? { life: zombie(report.exit), what: "overdue" } : undefined
    case "Zombie":
      return isReleased(report) ? heardStopped : undefined
    case "Down":
    case "Dropped":
      return undefined
  }
}

// ---- internals ----------------------------------------------------------------------------------------------------

const heardStarted: Heard<never> = { life: up, what: "started" }
const heardStartFailed: Heard<never> = { life: down, what: "startFailed" }
const heardExited: Heard<never> = { life: stopping, what: "exited" }
const heardStopped: Heard<never> = { life: down, what: "stopped" }

const zombie = <X>(exit: X): Life<X> => ({ _tag: "Zombie", exit })

/** If a start fails before it can be interrupted, everything is released, too. */
const isReleased = (report: Report<unknown>): boolean => report._tag === "ChildStopped" || report._tag === "StartFailed"
