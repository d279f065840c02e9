/**
 * Reports when the event loop was blocked.
 *
 * One thread runs all processes. A loop of plain JavaScript holds up all of them and cannot be stopped. This module at
 * least reports it.
 *
 * **Guarantees**
 *
 * - It costs one timer, and nothing if it is not provided.
 * - A block of at least five quarters of the threshold is always reported. A block shorter than the threshold is never
 *   reported.
 *
 * **Not here**
 *
 * It cannot say which code blocked the loop, because other code has run by the time it looks. A CPU profile can.
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
import * as Events from "./shared/events.ts"
import { blockedAfter } from "./internal/defaults.ts"
import { monotonicMillis } from "./shared/monotonic.ts"
import { currentKernel } from "./shared/currentKernel.ts"

/**
 * Looks at the event loop as long as it is provided. A block is logged as a warning and sent as `otp.loop.blocked`.
 *
 * **Details**
 *
 * `threshold` is how long a block must last to be reported. The default is 100 milliseconds. The loop is checked four
 * times in each threshold. Throws a `RangeError` unless the threshold is finite and at least 4 milliseconds.
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
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: { readonly threshold?: Duration.Input | undefined }): Layer.Layer<never> => {
  const threshold = Check.millis(
    "The threshold of a blocked loop",
    Check.or<Duration.Input>(options?.threshold, blockedAfter)
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
    const { telemetry } = currentKernel(fiber)
    if (Telemetry.isActiveUnsafe(telemetry, Events.loopBlocked)) {
      Telemetry.executeUnsafe(telemetry, Events.loopBlocked, { lateMillis }, { thresholdMillis })
    }
    return Effect.logWarning(`The event loop was blocked for ${Math.round(lateMillis)} ms`)
  })
