/** The monotonic clock, which windows and ages are measured by. */
import * as Context from "effect/Context"

/**
 * The time of the monotonic clock, in milliseconds, for the policies that measure windows. It is there only while a
 * supervisor steps a schedule. @internal
 */
export const MonotonicNow: Context.Reference<number | undefined> = Context.Reference<number | undefined>(
  "effect-otp/supervision/MonotonicNow",
  { defaultValue: () => undefined }
)
