/** What one arm measures, and the two ways to measure it. */
import { Effect, type Scope } from "effect"

/** One figure, or several of the same work, measured in a process of its own. */
export interface Arm {
  /** Default: Effect's own scheduler. */
  readonly scheduler?: "runQueue"
  /** How often it is measured in one process, after as many warm-ups as `warmups`; the median counts. */
  readonly repetitions: number
  readonly warmups: number
  readonly measure: (scale: number) => Effect.Effect<Figure, unknown, Scope.Scope>
}

/** Several figures are named by the end of their key: of the arm `busy_1000`, `gap_ms` is `busy_1000_gap_ms`. */
export type Figure = number | Readonly<Record<string, number>>

/** Arms by their key, which is that of their figure where they have one. */
export type Arms = Readonly<Record<string, Arm>>

/** What is to be timed, once it is prepared. It ends when the work is done and dies if the work was not done right. */
type Work = Effect.Effect<unknown, unknown, Scope.Scope>

interface Options {
  readonly scheduler?: "runQueue"
  readonly repetitions?: number
  readonly warmups?: number
}

const arm = (measure: Arm["measure"], options: Options): Arm => ({ repetitions: 3, warmups: 2, ...options, measure })

/** Operations a second: `prepare` gives the work of `operations` operations. */
export const perSecond = (
  operations: number,
  prepare: (operations: number) => Effect.Effect<Work, unknown, Scope.Scope>,
  options: Options = {}
): Arm =>
  arm((scale) => {
    const scaled = Math.ceil(operations * scale)
    return Effect.map(timed(prepare(scaled)), (millis) => (scaled / millis) * 1000)
  }, options)

/** Milliseconds for the whole of a work. */
export const millis = (
  size: number,
  prepare: (size: number) => Effect.Effect<Work, unknown, Scope.Scope>,
  options: Options = {}
): Arm => arm((scale) => timed(prepare(Math.ceil(size * scale))), options)

/** Microseconds for each of `count` things: `prepare` gives the work of so many. */
export const microsEach = (
  count: number,
  prepare: (count: number) => Effect.Effect<Work, unknown, Scope.Scope>,
  options: Options = {}
): Arm =>
  arm((scale) => {
    const scaled = Math.ceil(count * scale)
    return Effect.map(timed(prepare(scaled)), (millis) => (millis / scaled) * 1000)
  }, options)

const timed = (prepare: Effect.Effect<Work, unknown, Scope.Scope>) =>
  Effect.gen(function* () {
    const work = yield* prepare
    collect()
    const start = performance.now()
    yield* work
    return performance.now() - start
  })

/** Bytes of the heap for each of `count` things that `make` makes and its array keeps. */
export const bytesEach = (
  count: number,
  make: (count: number) => Effect.Effect<ReadonlyArray<unknown>, unknown, Scope.Scope>,
  options: Options = {}
): Arm =>
  arm(
    (scale) =>
      Effect.gen(function* () {
        const scaled = Math.ceil(count * scale)
        yield* make(Math.ceil(scaled / 100))
        collect()
        const before = process.memoryUsage().heapUsed
        const kept = yield* make(scaled)
        collect()
        return (process.memoryUsage().heapUsed - before) / kept.length
      }),
    { repetitions: 1, warmups: 0, ...options }
  )

/** Two runs: what the first lets go of, weak references included, is gone after the second. */
const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("the benchmarks need node --expose-gc")
  globalThis.gc()
  globalThis.gc()
}

/** Dies unless a work came to what it had to. */
export const check = (what: string, found: unknown, wanted: unknown): Effect.Effect<void> =>
  found === wanted ? Effect.void : Effect.die(new Error(`${what}: ${String(found)}, wanted ${String(wanted)}`))
