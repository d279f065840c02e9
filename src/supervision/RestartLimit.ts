/**
 * Says why a supervisor gave up.
 *
 * It is the detail of the `Shutdown` with which the supervisor ends.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { ExitReason } from "../kernel/ExitReason.ts"
import { format } from "../kernel/ExitReason.ts"
import { describe, isInstance } from "../values/describe.ts"
import type { StartFailed } from "./RestartPolicy.ts"

/**
 * A child failed more often than its supervisor allows. `attempts` counts the failures, including the last one.
 * `policy` names the limit that was exceeded: the `intensity` of the supervisor or the `schedule` of the child.
 *
 * @category models
 * @since 0.1.0
 */
export class RestartLimit extends Data.TaggedClass("RestartLimit")<{
  readonly supervisor: string
  readonly child: string
  readonly reason: ExitReason | StartFailed<unknown>
  readonly attempts: number
  readonly policy: "intensity" | "schedule"
}> {
  override toString(): string {
    const why =
      this.reason._tag === "StartFailed" ? `start failed: ${describe(this.reason.error)}` : format(this.reason)
    const failures = this.attempts === 1 ? "failure" : "failures"
    return `${this.supervisor} gave up on ${this.child} after ${this.attempts} ${failures} (${this.policy}): ${why}`
  }
}

/** Whether a supervisor ended because it gave up. @internal */
export const isGivingUp = (reason: ExitReason): boolean =>
  reason._tag === "Shutdown" && isInstance(reason.detail, RestartLimit)
