/** Lets all other fibers have their turn. */
import * as Effect from "effect/Effect"

/**
 * Yields `times` times, each time behind all tasks that are ready. It is one operation of its fiber, so each yield
 * costs the scheduler only one task.
 *
 * @internal
 */
export const yieldTimes = (times: number): Effect.Effect<void> =>
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
