/** How long timers wait while many fibers are always busy. */
import { Effect, Scheduler, Scope } from "effect"
import { GenServer } from "effect-otp"
import { cpuMillis } from "../../fixtures/cpu.ts"
import type { Arm, Arms, Figure } from "../arm.ts"

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
    // Without yields: each yield of this fiber would wait for a turn of all fibers that are busy already.
    yield* Effect.provideService(
      Effect.forEach(servers, (server) => server.go(), { discard: true }),
      Scheduler.PreventSchedulerYield,
      true
    )
  })
}

/** The leanest fiber that goes on for ever: it lets others have their turn each time. */
const spin = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* Effect.forkDetach(Effect.forever(Effect.yieldNow))
  })

/**
 * The longest time between two rings of an interval of one millisecond, measured for this many milliseconds after a
 * warm-up: by the clock, and by the processor time of this thread. The clock also counts the time in which the machine
 * ran something else.
 */
const worstGap = (millis: number): Effect.Effect<Figure> =>
  Effect.callback((resume) => {
    const begun = performance.now() + millis / 2
    let last = performance.now()
    let lastCpu = cpuMillis()
    const worst = { gap_ms: 0, gap_cpu_ms: 0 }
    const timer = setInterval(() => {
      const now = performance.now()
      const cpu = cpuMillis()
      // A gap that began before the measurement counts, too.
      if (now >= begun) {
        worst.gap_ms = Math.max(worst.gap_ms, now - last)
        worst.gap_cpu_ms = Math.max(worst.gap_cpu_ms, cpu - lastCpu)
      }
      last = now
      lastCpu = cpu
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
  busy_1000: gap(1000, servers),
  busy_1000_run_queue: gap(1000, servers, { scheduler: "runQueue" }),
  busy_50000: gap(50_000, servers),
  busy_50000_run_queue: gap(50_000, servers, { scheduler: "runQueue" }),
  rawBusy_1000: gap(1000, spin),
  rawBusy_50000: gap(50_000, spin)
}
