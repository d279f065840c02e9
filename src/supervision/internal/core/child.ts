/**
 * One child of a supervisor, as the decision core sees it: what it is, and where it stands.
 */
import type { Restart } from "../../RestartPolicy.ts"

/**
 * What the core must know of a child. A resource has neither a restart type nor significance: later siblings hold what
 * it provides, so it is always restarted, and always together with them. `rebuild` says whether the failure of a later
 * sibling restarts it, too.
 */
export type Member =
  | (MemberBase & { readonly kind: "child"; readonly restart: Restart; readonly significant: boolean })
  | (MemberBase & { readonly kind: "resource"; readonly rebuild: "withHolder" | "onWatch" })

interface MemberBase {
  readonly id: string
  /** Whether its failures count for the intensity. Default true. */
  readonly counted?: boolean | undefined
}

/** A call on the running supervisor that is still owed its one reply. */
export type Request =
  | { readonly _tag: "TerminateRequested"; readonly request: number; readonly id: string }
  | { readonly _tag: "RestartRequested"; readonly request: number; readonly id: string }
  /** As `TerminateRequested`; and the child does not come back with its group, but only by `RestartRequested`. */
  | { readonly _tag: "ParkRequested"; readonly request: number; readonly id: string }
  /** Answered when the child is up, whoever starts it. If its next start fails it is parked, and that is no failure. */
  | { readonly _tag: "UpRequested"; readonly request: number; readonly id: string }

/** Where the latest incarnation of a child stands. Whether a child *will* run again is known by the rounds alone. */
export type Status<X> =
  /** Nothing runs and everything is released. */
  | { readonly _tag: "Down" }
  /** Its start was asked for: by `restartChild` if a request is there, else by the boot or a round. */
  | { readonly _tag: "Starting"; readonly request: number | undefined }
  | { readonly _tag: "Up" }
  /** Told to end, or dead and not yet released; these requests wait for the end of it. */
  | { readonly _tag: "Stopping"; readonly requests: ReadonlyArray<Request> }
  /** It outlived its shutdown limit and the kill. Nothing new may start in its place. */
  | { readonly _tag: "Zombie"; readonly exit: X }
  /** A temporary child after its end: out of the list for good. */
  | { readonly _tag: "Dropped" }

export interface Child<X> {
  readonly member: Member
  /** The number of its latest start; 0 before the first. */
  readonly incarnation: number
  readonly status: Status<X>
  /** Whether its group leaves it where it is. */
  readonly parked?: boolean | undefined
  /** The requests that wait until it is up. */
  readonly waiting?: ReadonlyArray<number> | undefined
}

/** Whether a child that ended by itself is started again. */
export const shouldRestart = (restart: Restart, expected: boolean): boolean =>
  restart === "permanent" || (restart === "transient" && !expected)

/** The restart type; a resource behaves as a permanent child. */
export const restartOf = (member: Member): Restart => (member.kind === "child" ? member.restart : "permanent")

export const isTemporary = (child: Child<unknown>): boolean => restartOf(child.member) === "temporary"

export const isSignificant = (child: Child<unknown>): boolean =>
  child.member.kind === "child" && child.member.significant
