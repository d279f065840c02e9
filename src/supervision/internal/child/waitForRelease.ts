/** How long a supervisor waits for the release of a child. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Latch from "effect/Latch"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { awaitDeath, parse, type Limit } from "../../../kernel/shared/shutdown.ts"

interface Released {
  /** Builds its Layer. Undefined once that is over. */
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly record: ProcessRecord | undefined
  readonly done: Latch.Latch
}

/**
 * Waits this many limits until a child is released. If an orderly end has no limit, that end comes first, and the limit is
 * for the release after it.
 */
export const waitForRelease = (child: Released, limit: Limit, limits: number): Effect.Effect<unknown> => {
  const { own, release } = parse(limit)
  const started = Effect.suspend(() => (child.fiber === undefined ? Effect.void : Fiber.await(child.fiber)))
  const dead = Effect.suspend(() => (child.record === undefined ? Effect.void : awaitDeath(child.record)))
  const before = Duration.isFinite(own) ? Effect.void : Effect.andThen(started, dead)
  const time = Duration.isFinite(own) ? Duration.times(release, limits) : release
  return Effect.andThen(before, Effect.timeoutOption(child.done.await, time))
}
