/** Our tasks. */
import { Effect, Stream } from "effect"
import { Task } from "effect-otp"
import { check, perSecond, type Arms } from "../arm.ts"

/** The same as `Task.async_stream(& &1, max_concurrency: 8)` over a range. */
const streamed = (count: number) =>
  Stream.range(1, count).pipe(
    Task.asyncStream(Effect.succeed, { concurrency: 8 }),
    Stream.runCount,
    Effect.flatMap((read) => check("items read", read, count))
  )

/** The same with fibers. */
const mapped = (count: number) =>
  Stream.range(1, count).pipe(
    Stream.mapEffect((n) => Effect.suspend(() => Effect.succeed(n)), { concurrency: 8 }),
    Stream.runCount,
    Effect.flatMap((read) => check("items read", read, count))
  )

export const taskArms: Arms = {
  async_stream_per_s: perSecond(100_000, (count) => Effect.succeed(streamed(count)), { warmups: 1 }),
  rawAsync_stream_per_s: perSecond(100_000, (count) => Effect.succeed(mapped(count)), { warmups: 1 })
}
