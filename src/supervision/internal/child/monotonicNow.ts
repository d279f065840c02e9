/** The monotonic clock for schedules. */
import * as Context from "effect/Context"

/**
 * The time of the monotonic clock in milliseconds, for policies that measure windows. It is set only while a supervisor
 * steps a schedule. @internal
 */
export const MonotonicNow: Context.Reference<number | undefined> = Context.Reference<number | undefined>(
  "effect-otp/supervision/MonotonicNow",
  { defaultValue: () => undefined }
)
