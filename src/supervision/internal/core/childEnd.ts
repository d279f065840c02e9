/** Why a child does not run, and the ending of a start that failed. */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { isGivingUp } from "./restartLimit.ts"
import { StartFailed } from "./errors.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"

/** Why a child does not run. The decision core passes this on without reading it. @internal */
export interface ChildEnd {
  readonly reason: ExitReason.ExitReason | StartFailed
  /** How the start failed, for the caller that waits for it. */
  readonly cause?: Cause.Cause<unknown>
}

/** What the decision core has to know of the end of a run. @internal */
export const outcomeOf = (reason: ExitReason.ExitReason): { readonly expected: boolean; readonly failed: boolean } => {
  const expected = ExitReason.isExpected(reason)
  // A supervisor that has given up ends with an expected reason, but has failed all the same.
  return { expected, failed: !expected || isGivingUp(reason) }
}

/** A dead process or an ended resource still holds something that its successor needs. @internal */
export class ReleaseTimeout extends Data.TaggedError("ReleaseTimeout")<{ readonly child: string }> {
  override get message() {
    return `${this.child} did not end within its shutdown limit, nor in the same time again after it was killed`
  }
}

/** How a run ended, or how a restart failed. @internal */
export interface RunEnd extends ChildEnd {
  readonly isStart: boolean
  /** How long the run was up. */
  readonly uptimeMillis: number
}

/** The end of a start that is not released in time, or cannot begin because the last run has not ended. @internal */
export const releaseTimedOut = (child: string): RunEnd => {
  const cause = Cause.die(new ReleaseTimeout({ child }))
  return { cause, isStart: true, reason: ExitReason.crash(cause), uptimeMillis: 0 }
}

/** The ending of a start whose process ended before the Layer was built. @internal */
export const endedDuringStart = (id: string, record: ProcessRecord): ChildEnd => {
  const reason = record.reason ?? ExitReason.killed
  const why = ExitReason.format(reason)
  const what = `The Layer of child "${id}" was still being built when its process, ${displayName(record)}, ended: ${why}`
  return { reason, cause: reason._tag === "Crash" ? reason.cause : Cause.die(new Error(what)) }
}

/** The ending of a start that failed, as a schedule sees it. @internal */
export const failedStart = (id: string, cause: Cause.Cause<unknown>): ChildEnd => {
  const failure = cause.reasons.find((reason) => reason._tag === "Fail")
  const onlyFails = failure !== undefined && cause.reasons.every((reason) => reason._tag === "Fail")
  return { cause, reason: onlyFails ? new StartFailed({ id, error: failure.error }) : ExitReason.crash(cause) }
}
