/** Our plain processes. */
import { Effect } from "effect"
import { Kernel, Process } from "effect-otp"
import { perSecond, type Arms } from "../arm.ts"

const spawned = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* Process.spawn(Effect.void)
    while ((yield* Kernel.counts).processes > 0) yield* Effect.yieldNow
  })

export const processArms: Arms = {
  spawn_exit_per_s: perSecond(100_000, (count) => Effect.succeed(spawned(count)), { warmups: 1 })
}
