/** The monotonic clock, which limits, windows and ages are measured by. */
import type * as Clock from "effect/Clock"

/** Its time in milliseconds. @internal */
export const monotonicMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
