/** One child in a group, as the decision core sees it: its options, where it stands, and the requests for it. */
import type { Restart } from "../../RestartPolicy.ts"
import type { ChildState } from "../core/childState.ts"

/**
 * What the core must know of a child. A resource has no restart type and no significance: later siblings hold it, so it
 * is always restarted, and always together with them. `rebuild` says whether the failure of a later sibling also
 * restarts it.
 */
export type Member =
  | (MemberBase & { readonly kind: "child"; readonly restart: Restart; readonly significant: boolean })
  | (MemberBase & { readonly kind: "resource"; readonly rebuild: "withHolder" | "onWatch" })

interface MemberBase {
  readonly id: string
  /** Whether its failures count for the intensity. Default: true. */
  readonly counted?: boolean | undefined
}

/** A request to the running supervisor. It gets exactly one reply. */
export type ChildRequest =
  | { readonly _tag: "TerminateRequested"; readonly request: number; readonly id: string }
  | { readonly _tag: "RestartRequested"; readonly request: number; readonly id: string }
  /**
   * Like `TerminateRequested`. In addition, the child does not come back with its group, but only by
   * `RestartRequested`.
   */
  | { readonly _tag: "ParkRequested"; readonly request: number; readonly id: string }
  /**
   * Answered when the child is up, whoever starts it. If its next start fails, it is parked, and that is not a failure.
   */
  | { readonly _tag: "UpRequested"; readonly request: number; readonly id: string }

export interface Child<X> {
  readonly member: Member
  /** The number of its latest start; 0 before the first. */
  readonly incarnation: number
  /** Where the latest run stands. Only the restarts say whether it will run again. */
  readonly state: ChildState<X>
  /**
   * The `restartChild` request that asked for the start that is under way. Undefined if the boot or a restart started
   * it.
   */
  readonly starter?: number | undefined
  /** The requests that wait until a run has stopped. */
  readonly afterStop?: ReadonlyArray<ChildRequest> | undefined
  /** Whether a restart of its group leaves it down. */
  readonly parked?: boolean | undefined
  /** The requests that wait until it is up. */
  readonly upRequests?: ReadonlyArray<number> | undefined
}

/** The restart type. A resource behaves like a permanent child. */
export const restartOf = (member: Member): Restart => (member.kind === "child" ? member.restart : "permanent")

export const isTemporary = (child: Child<unknown>): boolean => restartOf(child.member) === "temporary"

export const isSignificant = (child: Child<unknown>): boolean =>
  child.member.kind === "child" && child.member.significant
