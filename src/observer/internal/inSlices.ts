/** Runs long work in short slices, so that it never holds up the program for long. */
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../../kernel/shared/monotonic.ts"
import { sliceMillis } from "./defaults.ts"

/** Runs the steps of a work, and lets other fibers, timers and I/O have their turn after each slice. @internal */
export const inSlices = <A>(steps: Generator<void, A>): Effect.Effect<A> =>
  Effect.clockWith((clock) => {
    const slice: Effect.Effect<A> = Effect.suspend(() => {
      const end = monotonicMillis(clock) + sliceMillis
      for (let count = 1; ; count++) {
        const step = steps.next()
        if (step.done === true) return Effect.succeed(step.value)
        // A look at the clock takes as long as some steps.
        if (count % 16 === 0 && monotonicMillis(clock) >= end) return Effect.andThen(Effect.yieldNow, slice)
      }
    })
    return slice
  })
