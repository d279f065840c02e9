/** The monotonic clock. It measures limits, windows and ages. */
import type * as Clock from "effect/Clock"

/** The monotonic time in milliseconds. @internal */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
