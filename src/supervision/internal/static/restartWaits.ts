/** What restarts wait for: the answer of a schedule, then a delay. Each restart has at most one fiber. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { interruptLater } from "../../../kernel/shared/waitUntil.ts"

interface Waited<A> {
  /** The number of the restart. */
  readonly restart: number
  readonly context: Context.Context<never>
  readonly effect: Effect.Effect<A>
}

/** @internal */
export class RestartWaits {
  private readonly fibers = new Map<number, Fiber.Fiber<void>>()

  /**
   * Runs an effect for a restart, in a later step, because it may be code of a user. `then` must not run a user's code.
   */
  start<A>({ context, effect, restart }: Waited<A>, then: (result: A) => void): void {
    const waiting = Effect.flatMap(Effect.andThen(Effect.yieldNow, effect), (result) =>
      Effect.sync(() => {
        this.fibers.delete(restart)
        then(result)
      })
    )
    this.fibers.set(restart, Effect.runForkWith(context)(waiting))
  }

  cancel(restart: number): void {
    const fiber = this.fibers.get(restart)
    this.fibers.delete(restart)
    if (fiber !== undefined) interruptLater(fiber)
  }

  cancelAll(): void {
    for (const restart of this.fibers.keys()) this.cancel(restart)
  }
}
