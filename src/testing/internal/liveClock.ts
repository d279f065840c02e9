/** Real time, even if a test has a clock of its own. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as TestClock from "effect/testing/TestClock"

/** @internal */
export const isTestClock = (clock: Clock.Clock): clock is TestClock.TestClock =>
  Predicate.hasProperty(clock, "withLive")

/** Runs an effect in real time. @internal */
export const withLive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => (isTestClock(clock) ? clock.withLive(effect) : effect))
