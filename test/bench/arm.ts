/** What one arm measures, and the two ways to measure it. */
import { Effect, type Scope } from "effect"

/** One figure, or several of the same work. It is measured in a process of its own. */
export interface Arm {
  /** Default: Effect's own scheduler. */
  readonly scheduler?: "runQueue"
  /** How many times it is measured in one process, after `warmups` runs. The median counts. */
  readonly repetitions: number
  readonly warmups: number
  readonly measure: (scale: number) => Effect.Effect<Figure, unknown, Scope.Scope>
}

/**
 * If there are several figures, each has the end of its key: for the arm `busy_1000`, `gap_ms` is `busy_1000_gap_ms`.
 */
export type Figure = number | Readonly<Record<string, number>>

/** Arms by their key, which is the key of their figure if they have one. */
export type Arms = Readonly<Record<string, Arm>>

/** The work to be timed, once it is prepared. It ends when it is done, and dies if it was not done right. */
type Work = Effect.Effect<unknown, unknown, Scope.Scope>

interface Options {
  readonly scheduler?: "runQueue"
  readonly repetitions?: number
  readonly warmups?: number
}

const arm = (measure: Arm["measure"], options: Options): Arm => ({ repetitions: 3, warmups: 2, ...options, measure })

/** Operations a second. `prepare` gives the work of `operations` operations. */
export const perSecond = (
  operations: number,
  prepare: (operations: number) => Effect.Effect<Work, unknown, Scope.Scope>,
  options: Options = {}
): Arm =>
  arm((scale) => {
    const scaled = Math.ceil(operations * scale)
    return Effect.map(timed(prepare(scaled)), (millis) => (scaled / millis) * 1000)
  }, options)

/** Milliseconds for the whole work. */
export const millis = (
  size: number,
  prepare: (size: number) => Effect.Effect<Work, unknown, Scope.Scope>,
  options: Options = {}
): Arm => arm((scale) => timed(prepare(Math.ceil(size * scale))), options)

/** Microseconds for each of `count` things. `prepare` gives the work for all of them. */
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

/** Bytes of the heap for each of `count` things. `make` makes them and returns an array that keeps them. */
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

/** Two runs: the objects that the first one frees, weak references included, are gone after the second. */
const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("the benchmarks need node --expose-gc")
  globalThis.gc()
  globalThis.gc()
}

/** Dies unless a work has the wanted result. */
export const check = (what: string, found: unknown, wanted: unknown): Effect.Effect<void> =>
  found === wanted ? Effect.void : Effect.die(new Error(`${what}: ${String(found)}, wanted ${String(wanted)}`))
