/** Lets all others have their turn. */
import * as Effect from "effect/Effect"

/**
 * As many yields behind all that is ready as `times` says. It is one operation of its fiber, so it costs the scheduler one
 * task for each yield, and nothing else.
 *
 * @internal
 */
export const settleTimes = (times: number): Effect.Effect<void> =>
  Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      let left = times
      const yielded = (): void => {
        if (left-- > 0) fiber.currentDispatcher.scheduleTask(yielded, Number.POSITIVE_INFINITY)
        else resume(Effect.void)
      }
      yielded()
      return Effect.sync(() => {
        left = 0
      })
    })
  )
