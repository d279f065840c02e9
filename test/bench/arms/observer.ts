/** What it costs to look at many processes, and how long timers wait meanwhile. */
import { Context, Effect, Layer } from "effect"
import { GenServer } from "effect-otp"
import { Observer } from "effect-otp/observer"
import type { Arms, Figure } from "../arm.ts"
import { check } from "../arm.ts"

class Idle extends GenServer.Service<Idle>()("bench/Idle", []) {
  static readonly definition = this.define({ init: () => Effect.succeed(0), handlers: {} })
}

/** How long a work takes, and the longest time between two rings of an interval of one millisecond meanwhile. */
const withGap = (work: Effect.Effect<unknown>): Effect.Effect<Figure> =>
  Effect.suspend(() => {
    const begun = performance.now()
    let last = begun
    let gap = 0
    const timer = setInterval(() => {
      const now = performance.now()
      gap = Math.max(gap, now - last)
      last = now
    }, 1)
    return Effect.map(work, () => {
      clearInterval(timer)
      const now = performance.now()
      return { ms: now - begun, gap_ms: Math.max(gap, now - last) }
    })
  })

const snapshot = (count: number) =>
  Effect.gen(function* () {
    const observer = Context.get(yield* Layer.build(Observer.layer()), Observer.Observer)
    for (let at = 0; at < count; at++) yield* Idle.definition.start()
    globalThis.gc?.()
    const figure = yield* withGap(observer.snapshot)
    yield* check("processes", (yield* observer.snapshot).processes.length, count)
    return figure
  }).pipe(Effect.scoped)

export const observerArms: Arms = {
  snapshot_100000: { repetitions: 3, warmups: 1, measure: (scale) => snapshot(Math.ceil(100_000 * scale)) }
}
