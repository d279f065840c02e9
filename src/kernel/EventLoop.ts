/**
 * Reports when the event loop was blocked.
 *
 * One thread runs all processes: a loop of plain JavaScript holds up every one of them, and nobody can stop it. What can
 * be done is to say so.
 *
 * **Guarantees**
 *
 * - It costs one timer, and nothing where it is not provided.
 * - A block that lasts five quarters of the threshold or longer is always reported, one shorter than the threshold never.
 *
 * **Not here**
 *
 * It cannot say who blocked the loop: by the time it looks others have run. A CPU profile can.
 *
 * **In Erlang/OTP**
 *
 * `erlang:system_monitor` with `long_schedule`. There a process is preempted, and only native code blocks.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Check from "../values/check.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import * as Events from "./Events.ts"
import * as Kernel from "./Kernel.ts"
import { monotonicMillis } from "./shared/monotonic.ts"

/**
 * Looks at the event loop as long as it is provided. A block is logged as a warning and sent as `otp.loop.blocked`.
 *
 * **Details**
 *
 * `threshold` is how long a block has to last to be reported, by default 100 milliseconds; it looks four times in each.
 * Throws a `RangeError` unless it is finite and at least 4 milliseconds.
 *
 * **Example** (Watching the loop of a program)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { EventLoop } from "effect-otp"
 *
 * const program = Effect.succeed("served")
 *
 * await Effect.runPromise(program.pipe(Effect.provide(EventLoop.layer({ threshold: "200 millis" })))) // => "served"
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: { readonly threshold?: Duration.Input | undefined }): Layer.Layer<never> => {
  const threshold = Check.millis(
    "The threshold of a blocked loop",
    Check.or<Duration.Input>(options?.threshold, "100 millis")
  )
  if (!Number.isFinite(threshold) || threshold < 4) {
    throw new RangeError(`The threshold of a blocked loop must be finite and at least 4 ms, got ${threshold} ms`)
  }
  return Layer.effectDiscard(Effect.forkScoped(watch(threshold)))
}

// ---- internals ----------------------------------------------------------------------------------------------------

const watch = (threshold: number): Effect.Effect<never> =>
  Effect.clockWith((clock) => {
    const interval = threshold / 4
    const look = Effect.suspend(() => {
      const before = monotonicMillis(clock)
      return Effect.flatMap(Effect.sleep(interval), () => {
        const late = monotonicMillis(clock) - before - interval
        return late < threshold ? Effect.void : report(late, threshold)
      })
    })
    return Effect.forever(look)
  })

const report = (lateMillis: number, thresholdMillis: number): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const { telemetry } = Kernel.currentUnsafe(fiber)
    if (Telemetry.isActiveUnsafe(telemetry, Events.loopBlocked)) {
      Telemetry.executeUnsafe(telemetry, Events.loopBlocked, { lateMillis }, { thresholdMillis })
    }
    return Effect.logWarning(`The event loop was blocked for ${Math.round(lateMillis)} ms`)
  })
