/** The warning of a supervisor about an abnormal end that no crash report covers. */
import type * as Cause from "effect/Cause"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { describe } from "../../../values/describe.ts"
import { render, type Settings } from "../../../values/render.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import { StartFailed } from "../core/errors.ts"
import { shownOf } from "../../../kernel/shared/shownReason.ts"

/** @internal */
export interface AbnormalEnd {
  readonly what: string
  readonly cause?: Cause.Cause<unknown>
}

/** Undefined if the end is not abnormal, or if another process reports it. @internal */
export const abnormalEnd = (
  reason: ChildEnd["reason"],
  of: { readonly record: ProcessRecord | undefined; readonly isStart: boolean; readonly isResource: boolean }
): AbnormalEnd | undefined => {
  const { isResource, isStart, record } = of
  if (reason._tag === "StartFailed") return { what: `did not start: ${describe(reason.error)}` }
  if (ExitReason.isExpected(reason) && !isResource && !isStart) return undefined
  if (reason._tag === "Killed") return { what: "was killed" }
  if (reason._tag !== "Crash") return { what: isStart ? `did not start: ${reason._tag}` : `ended: ${reason._tag}` }
  if (isResource) return { what: isStart ? "did not start" : "ended: Crash", cause: reason.cause }
  if (record?.isReported === true) return undefined
  // The process it was linked to reports the crash.
  if (record?.endedByLink === true) return undefined
  return { what: isStart ? "did not start" : "was ended by an exit signal", cause: reason.cause }
}

/** How a child ended, as an event shows it. @internal */
export const shownEnd = (reason: ChildEnd["reason"], settings: Settings): ChildEnd["reason"] => {
  if (reason._tag !== "StartFailed") return shownOf(reason, settings)
  const error = render(reason.error, "same", settings)
  return error === reason.error ? reason : new StartFailed({ id: reason.id, error })
}
