/**
 * A test clock whose first sleep lasts as long as any other.
 *
 * The first sleep on a `TestClock` that was not adjusted yet starts a fiber, which warns if the test never adjusts the
 * clock. For that the sleeper becomes interruptible for a moment. So an interrupted fiber that sleeps in a finalizer
 * does not sleep at all. Here another fiber, which nobody interrupts, sleeps in its place until the clock is adjusted.
 */
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as TestClock from "effect/testing/TestClock"
import { isTestClock } from "./liveClock.ts"

/** The clocks that were made here. */
const careful = new WeakSet<Clock.Clock>()

/** Wraps a test clock. Any other clock, and one that was made here, is returned as it is. @internal */
export const withFirstSleep = (clock: Clock.Clock): Clock.Clock => {
  if (!isTestClock(clock) || careful.has(clock)) return clock
  let adjusted = false
  const markingAdjusted = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.ensuring(
      effect,
      Effect.sync(() => {
        adjusted = true
      })
    )
  const made = Object.assign(Object.create(clock) as TestClock.TestClock, {
    sleep: (duration: Duration.Duration) =>
      Effect.suspend(() => (adjusted ? clock.sleep(duration) : sleepBeside(clock.sleep(duration)))),
    adjust: (duration: Duration.Input) => markingAdjusted(clock.adjust(duration)),
    setTime: (timestamp: number) => markingAdjusted(clock.setTime(timestamp))
  })
  careful.add(made)
  return made
}

const sleepBeside = (sleep: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    Effect.forkDetach(sleep, { startImmediately: true }),
    (beside) => Effect.asVoid(Fiber.await(beside)),
    (beside) => Effect.sync(() => beside.interruptUnsafe())
  )
