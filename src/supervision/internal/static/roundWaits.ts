/** What restarts wait for: the answer of a schedule, then a delay. One fiber for each round at most. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** @internal */
export class RoundWaits {
  private readonly fibers = new Map<number, Fiber.Fiber<void>>()

  /** Runs it for a round, not in this step: it may be a user's. `then` must not run a user's code. */
  start<A>(round: number, context: Context.Context<never>, effect: Effect.Effect<A>, then: (result: A) => void): void {
    const waiting = Effect.flatMap(Effect.andThen(Effect.yieldNow, effect), (result) =>
      Effect.sync(() => {
        this.fibers.delete(round)
        then(result)
      })
    )
    this.fibers.set(round, Effect.runForkWith(context)(waiting))
  }

  cancel(round: number): void {
    const fiber = this.fibers.get(round)
    this.fibers.delete(round)
    if (fiber !== undefined) fiber.currentDispatcher.scheduleTask(() => fiber.interruptUnsafe(), 0)
  }

  cancelAll(): void {
    for (const round of this.fibers.keys()) this.cancel(round)
  }
}
