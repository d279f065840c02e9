/** Why a supervisor gave up. */
import * as Data from "effect/Data"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import { format } from "../../../kernel/ExitReason.ts"
import { describe, isInstance } from "../../../values/describe.ts"
import type { StartFailed } from "./errors.ts"

export class RestartLimit extends Data.TaggedClass("RestartLimit")<{
  readonly supervisor: string
  readonly child: string
  readonly reason: ExitReason | StartFailed
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

/** Whether a supervisor ended because it gave up. */
export const isGivingUp = (reason: ExitReason): boolean =>
  reason._tag === "Shutdown" && isInstance(reason.detail, RestartLimit)
