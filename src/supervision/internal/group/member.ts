/**
 * One child in a group, as the decision core sees it: what it is, where it stands, and who has asked for what.
 */
import type { Restart } from "../../RestartPolicy.ts"
import type { Life } from "../core/life.ts"

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

export interface Child<X> {
  readonly member: Member
  /** The number of its latest start; 0 before the first. */
  readonly incarnation: number
  /** Where the latest run stands. Whether it *will* run again is known by the restarts alone. */
  readonly life: Life<X>
  /** The `restartChild` that has asked for the start that is under way; undefined: the boot or a restart did. */
  readonly starter?: number | undefined
  /** The requests that wait for the end of a run that is stopping. */
  readonly afterStop?: ReadonlyArray<Request> | undefined
  /** Whether its group leaves it where it is. */
  readonly parked?: boolean | undefined
  /** The requests that wait until it is up. */
  readonly waiting?: ReadonlyArray<number> | undefined
}

/** The restart type; a resource behaves as a permanent child. */
export const restartOf = (member: Member): Restart => (member.kind === "child" ? member.restart : "permanent")

export const isTemporary = (child: Child<unknown>): boolean => restartOf(child.member) === "temporary"

export const isSignificant = (child: Child<unknown>): boolean =>
  child.member.kind === "child" && child.member.significant
