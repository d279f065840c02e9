/**
 * Waits until nothing more can happen without the passing of time.
 *
 * No scheduler says when it has nothing left to do. So the tasks that are ready get their turn again and again, until
 * the processes of the kernel and their messages have not changed for a while.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { withLive } from "./liveClock.ts"
import { yieldTimes } from "./yieldTimes.ts"

type KernelState = ProcessRecord["kernel"]

/** How many turns without a change count as quiet. */
const quietYields = 25
/** The limit for processes that never become quiet. */
const mostNanos = 500_000_000n

const pause: Effect.Effect<void> = yieldTimes(quietYields)

const nanos = withLive(Clock.monotonicTimeNanos)

/** @internal */
export const untilQuiet = (kernel: KernelState): Effect.Effect<void> =>
  Effect.flatMap(nanos, (begun) => {
    const round = (before: string): Effect.Effect<void> =>
      Effect.flatMap(Effect.andThen(pause, nanos), (now) => {
        const after = activity(kernel)
        return after === before || now - begun > mostNanos ? Effect.void : round(after)
      })
    return round(activity(kernel))
  })

/** A text that changes whenever a process has come, gone, or got a message. */
const activity = (kernel: KernelState): string => {
  const { accepted, handled } = kernel.accounting
  let ids = 0
  for (const { id } of kernel.table.values()) ids += id
  return `${accepted} ${handled} ${kernel.table.size} ${ids} ${kernel.zombies.size}`
}
