/** How long timers wait while many fibers always have something to do. */
import { Effect, Scope } from "effect"
import { GenServer } from "effect-otp"
import type { Arm, Arms } from "../arm.ts"

class Busy extends GenServer.Service<Busy>()("bench/Busy", [GenServer.cast("go")]) {}

type BusyClient = (typeof Busy)["Service"]

const castToThemselves = (count: number) => {
  const servers: Array<BusyClient> = []
  const definition = Busy.define({
    init: (index: number) => Effect.succeed(index),
    handlers: {
      go: (_, index, context) => {
        context.cast(servers[index]!, "go", undefined)
        return GenServer.noReply(index)
      }
    }
  })
  return Effect.gen(function* () {
    for (let i = 0; i < count; i++) servers.push(yield* definition.start(i))
    for (const server of servers) yield* server.go()
  })
}

/** The leanest fiber that always goes on: it lets others have their turn each time. */
const spin = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* Effect.forkDetach(Effect.forever(Effect.yieldNow))
  })

/** The longest time between two rings of an interval of one millisecond, in so many milliseconds after a warm-up. */
const worstGap = (millis: number): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const begun = performance.now() + millis / 2
    let last = performance.now()
    let worst = 0
    const timer = setInterval(() => {
      const now = performance.now()
      if (last >= begun) worst = Math.max(worst, now - last)
      last = now
      if (now < begun + millis) return
      clearInterval(timer)
      resume(Effect.succeed(worst))
    }, 1)
  })

const gap = (
  count: number,
  busy: (count: number) => Effect.Effect<void, unknown, never>,
  options?: Partial<Arm>
): Arm => ({
  repetitions: 1,
  warmups: 0,
  measure: (scale) => Effect.andThen(busy(Math.ceil(count * scale)), worstGap(Math.ceil(3000 * scale))),
  ...options
})

const servers = (count: number) => Effect.provideService(castToThemselves(count), Scope.Scope, Scope.makeUnsafe())

export const busyArms: Arms = {
  busy_1000_gap_ms: gap(1000, servers),
  busy_1000_run_queue_gap_ms: gap(1000, servers, { scheduler: "runQueue" }),
  busy_50000_gap_ms: gap(50_000, servers),
  busy_50000_run_queue_gap_ms: gap(50_000, servers, { scheduler: "runQueue" }),
  rawBusy_1000_gap_ms: gap(1000, spin),
  rawBusy_50000_gap_ms: gap(50_000, spin)
}
