/**
 * Runs fibers in a random order that a seed decides. The same seed always gives the same interleaving.
 *
 * The seed decides which task runs next, and where a fiber is preempted. With a `TestClock` and a seeded `Random`, a
 * run depends only on its seed, so a failing seed replays the failure. `explore` runs an effect for many seeds and
 * names the first that fails; `runSeed` replays one.
 *
 * **Guarantees**
 *
 * - Replay: the same effect with the same seed takes the same steps in the same order.
 * - Preemption: a fiber may lose its turn between any two operations, as under any scheduler. Tasks that are ready
 *   together run in any order, even if they come from one fiber.
 * - End: a run in which no fiber can go on, or which never ends, fails with `Stuck`.
 *
 * **Not here**
 *
 * It does not decide the order of events from outside: real timers, I/O, `Date.now`, `Math.random`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import * as Check from "../values/check.ts"
import { defaultSeeds } from "./internal/defaults.ts"
import { withFirstSleep } from "./internal/firstSleep.ts"
import { isTestClock } from "./internal/liveClock.ts"

const TypeId = "~effect-otp/testing/SeededScheduler"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * A scheduler whose order depends on its seed and on the tasks scheduled on it before.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface SeededScheduler extends Scheduler.Scheduler {
  readonly [TypeId]: typeof TypeId
  readonly seed: number
}

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The probability that a fiber loses its turn between two operations. From 0 to below 1. Default: 0.2. */
  readonly preemption?: number | undefined
}

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface RunOptions extends Options {
  /** How many tasks one run may take before it counts as endless. Default: 1,000,000. */
  readonly maxTasks?: number | undefined
  /**
   * For how many macrotask turns the queue may stay empty before the run counts as stuck. Default: 3, which is enough
   * for resolved promises. A run that waits for real I/O needs more, and its order cannot be replayed.
   */
  readonly idleTurns?: number | undefined
}

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ExploreOptions extends RunOptions {
  /** The seeds: 0 up to a count, or these. Default: 100. */
  readonly seeds?: number | Iterable<number> | undefined
}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/**
 * A run cannot end. `deadlock`: nothing is ready and no fiber sleeps. `asleep`: `sleeping` fibers wait for a time to
 * which nobody adjusts the clock. `endless`: it has run as many tasks as it may.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class Stuck extends Data.TaggedError("Stuck")<{
  readonly reason: "deadlock" | "asleep" | "endless"
  readonly sleeping: number
  readonly tasks: number
}> {
  override get message() {
    switch (this.reason) {
      case "deadlock":
        return `Deadlock after ${this.tasks} tasks: no task is ready, and the effect has not ended`
      case "asleep":
        return `After ${this.tasks} tasks, only ${this.sleeping} sleeping fibers are left, and nothing moves the clock`
      case "endless":
        return `The effect has not ended after ${this.tasks} tasks`
    }
  }
}

/**
 * The run of one seed failed: `failure` is its whole cause.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class SeedFailed extends Data.TaggedError("SeedFailed")<{
  readonly seed: number
  readonly failure: Cause.Cause<unknown>
  readonly cause: unknown
}> {
  override get message() {
    return `Seed ${this.seed} failed (replay it with runSeed): ${Cause.pretty(this.failure)}`
  }
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Makes a scheduler from a seed.
 *
 * **When to use**
 *
 * Use with `Effect.provideService(Scheduler.Scheduler, …)` if you want real time. Otherwise use {@link layer} or {@link
 * runSeed}: they provide a clock that works with the scheduler.
 *
 * **Details**
 *
 * It knows one priority: tasks with the priority `Infinity` run when no other task is ready.
 *
 * **Errors**
 *
 * - Throws a `RangeError` for a seed that is not a safe integer, or a probability that is not from 0 to below 1.
 *
 * **Example** (The same order again)
 *
 * ```ts import.meta.vitest
 * import { Effect, Scheduler } from "effect"
 * import { SeededScheduler } from "effect-otp/testing"
 *
 * const order = (seed: number) => {
 *   const steps: Array<string> = []
 *   const task = (name: string) => Effect.andThen(Effect.yieldNow, Effect.sync(() => steps.push(name)))
 *   return Effect.all(["a", "b", "c"].map(task), { concurrency: 3 }).pipe(
 *     Effect.as(steps),
 *     Effect.provideService(Scheduler.Scheduler, SeededScheduler.make(seed)),
 *     Effect.runPromise
 *   )
 * }
 * await order(7) // => await order(7)
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const make = (seed: number, options?: Options): SeededScheduler => new SeededSchedulerImpl(seed, options)

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/**
 * Waits until no other task is ready, and resolved promises have gone on.
 *
 * **Gotchas**
 *
 * On another scheduler it only yields behind the tasks of the same fiber.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const settle: Effect.Effect<void> = Effect.yieldNowWith(Number.POSITIVE_INFINITY)

/**
 * Waits until everything that is due has happened, moves the test clock, and waits for what follows.
 *
 * **When to use**
 *
 * Use under a seeded scheduler. In the tests of a kernel use `TestKernel.adjust`.
 *
 * **Example** (A second later)
 *
 * ```ts import.meta.vitest
 * import { Clock, Effect } from "effect"
 * import { SeededScheduler } from "effect-otp/testing"
 *
 * const program = Effect.andThen(SeededScheduler.adjust("1 second"), Clock.currentTimeMillis)
 *
 * await Effect.runPromise(Effect.provide(program, SeededScheduler.layer(1))) // => 1000
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const adjust = (duration: Duration.Input): Effect.Effect<void> =>
  Effect.andThen(Effect.andThen(settle, TestClock.adjust(Check.duration("The time that passes", duration))), settle)

/**
 * Runs an effect in the world of one seed: a fresh seeded scheduler, a fresh `TestClock`, a seeded `Random`.
 *
 * **When to use**
 *
 * Use to replay a seed that {@link explore} found to fail.
 *
 * **Details**
 *
 * When the effect has ended, the tasks that it left behind go on until nothing is ready (at most 10,000 tasks). The
 * rest is then dropped.
 *
 * **Errors**
 *
 * - `Stuck` if the effect cannot end. It is interrupted first, so its finalizers run.
 *
 * **Interruption**
 *
 * An interruption interrupts the effect and waits for its end.
 *
 * **Example** (A deadlock)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { SeededScheduler } from "effect-otp/testing"
 *
 * const error = await Effect.runPromise(Effect.flip(SeededScheduler.runSeed(Effect.never, 1)))
 * error.reason // => "deadlock"
 * ```
 *
 * @see {@link explore} for many seeds
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const runSeed: {
  (seed: number, options?: RunOptions): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | Stuck, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, seed: number, options?: RunOptions): Effect.Effect<A, E | Stuck, R>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R>(self: Effect.Effect<A, E, R>, seed: number, options?: RunOptions) =>
    Effect.flatten(runExit(self, seed, options))
)

/**
 * Runs an effect once for each seed, and gives the results in the order of the seeds.
 *
 * **Errors**
 *
 * - `SeedFailed` for the first seed whose run fails, dies, is interrupted or is stuck.
 *
 * **Example** (Finding a lost update)
 *
 * ```ts import.meta.vitest
 * import { Effect, Ref } from "effect"
 * import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
 *
 * const program = Effect.gen(function*() {
 *   const count = yield* Ref.make(0)
 *   const increment = Effect.flatMap(Ref.get(count), (n) => Ref.set(count, n + 1))
 *   yield* Effect.all([increment, increment, increment], { concurrency: "unbounded" })
 *   return yield* Ref.get(count)
 * })
 *
 * const results = await Effect.runPromise(SeededScheduler.explore(program, { seeds: 200 }))
 * await Effect.runPromise(program) // => 3
 * results.every((count) => count === 3) // => false
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const explore = <A, E, R>(
  effect: Effect.Effect<A, E, R> | ((seed: number) => Effect.Effect<A, E, R>),
  options?: ExploreOptions
): Effect.Effect<ReadonlyArray<A>, SeedFailed, R> =>
  Effect.forEach(seedsOf(options), (seed) =>
    Effect.flatMap(
      runExit(Effect.isEffect(effect) ? effect : Effect.suspend(() => effect(seed)), seed, options),
      (exit) =>
        Exit.isSuccess(exit)
          ? Effect.succeed(exit.value)
          : Effect.fail(new SeedFailed({ seed, failure: exit.cause, cause: Cause.squash(exit.cause) }))
    )
  )

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Provides the world of a seed: its scheduler, a fresh `TestClock` on it, and a `Random` with the same seed.
 *
 * **Gotchas**
 *
 * This layer does not detect a deadlock. {@link runSeed} does.
 *
 * **Example** (Chance that repeats)
 *
 * ```ts import.meta.vitest
 * import { Effect, Random } from "effect"
 * import { SeededScheduler } from "effect-otp/testing"
 *
 * const draw = () => Effect.runPromise(Effect.provide(Random.nextInt, SeededScheduler.layer(7)))
 * await draw() // => await draw()
 * ```
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer = (seed: number, options?: Options): Layer.Layer<never> =>
  Layer.suspend(() => world(new SeededSchedulerImpl(seed, options), makeWaiting()))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

type Task = () => void

// How many tasks run in one macrotask. After that the host can interrupt a run that never ends.
const tasksPerTurn = 4_096
const closingTasks = 10_000

const { setImmediate: macrotask } = new Scheduler.MixedScheduler()

/** Mulberry32: random numbers from 0 to below 1. */
const numbers = (seed: number): (() => number) => {
  let state = (seed ^ Math.floor(seed / 4_294_967_296)) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let hash = Math.imul(state ^ (state >>> 15), 1 | state)
    hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash
    return ((hash ^ (hash >>> 14)) >>> 0) / 4_294_967_296
  }
}

class SeededSchedulerImpl implements SeededScheduler, Scheduler.SchedulerDispatcher {
  readonly [TypeId] = TypeId
  readonly executionMode = "async"
  readonly seed: number
  /** Tasks run so far, and how many it may run. */
  tasks = 0
  limit = Number.POSITIVE_INFINITY
  private readonly preemption: number
  private readonly random: () => number
  private ready: Array<Task> = []
  private settling: Array<Task> = []
  private scheduled = false

  constructor(seed: number, options: Options | undefined) {
    const preemption = Check.or(options?.preemption, 0.2)
    if (!Number.isSafeInteger(seed)) Check.refuse("A seed", "a safe integer", seed)
    if (!(preemption >= 0 && preemption < 1)) {
      Check.refuse("A probability of preemption", "from 0 to below 1", preemption)
    }
    this.seed = seed
    this.preemption = preemption
    this.random = numbers(seed)
  }

  get isEmpty(): boolean {
    return this.ready.length === 0 && this.settling.length === 0
  }

  get isExhausted(): boolean {
    return this.tasks >= this.limit
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    // Never before the first operation of a turn, because Effect does not expect that: a fiber that was interrupted
    // before it began, and is preempted there, would begin after all and forget its interruption.
    if (fiber.currentOpCount <= 1) return false
    return this.random() < this.preemption || fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
  }

  scheduleTask(task: Task, priority: number): void {
    const queue = priority === Number.POSITIVE_INFINITY ? this.settling : this.ready
    queue.push(task)
    this.schedule()
  }

  flush(): void {
    while (!this.isEmpty && !this.isExhausted) {
      this.wakeSettling()
      this.runTask()
    }
  }

  allow(tasks: number): void {
    this.limit = this.tasks + tasks
    this.schedule()
  }

  /** Drops all tasks, and all later ones. */
  halt(): void {
    this.limit = 0
    this.ready = []
    this.settling = []
  }

  private schedule(): void {
    if (this.scheduled || this.isEmpty || this.isExhausted) return
    this.scheduled = true
    macrotask(this.turn)
  }

  private readonly turn = (): void => {
    this.scheduled = !this.isEmpty && !this.isExhausted
    if (!this.scheduled) return
    // Scheduled before the tasks run, so that a task that throws loses none of the others.
    macrotask(this.turn)
    // Not earlier: between two turns promises have gone on, and may have made tasks ready.
    this.wakeSettling()
    let left = tasksPerTurn
    while (this.ready.length > 0 && !this.isExhausted && left-- > 0) this.runTask()
  }

  private wakeSettling(): void {
    if (this.ready.length === 0 && this.settling.length > 0) this.ready.push(this.settling.shift()!)
  }

  private runTask(): void {
    const index = Math.floor(this.random() * this.ready.length)
    const task = this.ready[index]!
    const last = this.ready.pop()!
    if (last !== task) this.ready[index] = last
    this.tasks++
    task()
  }
}

/** How many fibers of a run sleep on its test clock and on the live clock. */
interface Waiting {
  sleeping: number
  live: number
}

const makeWaiting = (): Waiting => ({ sleeping: 0, live: 0 })

const world = (scheduler: SeededSchedulerImpl, waiting: Waiting): Layer.Layer<never> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const outer = yield* Clock.Clock
      const live = isTestClock(outer) ? yield* outer.withLive(Clock.Clock) : outer
      // Its warnings come after real time. With no limit they never come.
      const built = yield* Layer.build(TestClock.layer({ warningDelay: Duration.infinity })).pipe(
        Effect.provideService(Clock.Clock, counted(live, waiting, "live")),
        Effect.provideService(Scheduler.Scheduler, scheduler)
      )
      const random = yield* Random.withSeed(Random.Random, scheduler.seed)
      return Context.make(Scheduler.Scheduler, Context.get(built, Scheduler.Scheduler)).pipe(
        Context.add(Clock.Clock, counted(withFirstSleep(Context.get(built, Clock.Clock)), waiting, "sleeping")),
        Context.add(Random.Random, random)
      )
    })
  )

const counted = (clock: Clock.Clock, waiting: Waiting, kind: keyof Waiting): Clock.Clock =>
  Object.assign(Object.create(clock) as Clock.Clock, {
    sleep: (duration: Duration.Duration) =>
      Duration.isFinite(duration)
        ? Effect.acquireUseRelease(
            Effect.sync(() => waiting[kind]++),
            () => clock.sleep(duration),
            () => Effect.sync(() => waiting[kind]--)
          )
        : clock.sleep(duration)
  })

const seedsOf = (options: ExploreOptions | undefined): Iterable<number> => {
  const seeds = options?.seeds ?? defaultSeeds
  return typeof seeds === "number" ? Array.from({ length: seeds }, (_, seed) => seed) : seeds
}

/** The exit as a value, so that an interruption of the caller cannot be taken for the effect's own. */
const runExit = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  seed: number,
  options: RunOptions | undefined
): Effect.Effect<Exit.Exit<A, E | Stuck>, never, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<Exit.Exit<A, E | Stuck>>((resume) => {
      const maxTasks = Check.or(options?.maxTasks, 1_000_000)
      if (maxTasks !== Infinity) Check.wholeNumber("maxTasks of a run", maxTasks, 1)
      const idleTurns = Check.wholeNumber("idleTurns of a run", Check.or(options?.idleTurns, 3), 0)
      const scheduler = new SeededSchedulerImpl(seed, options)
      const waiting = makeWaiting()
      scheduler.allow(maxTasks)
      const main = Effect.runForkWith(context)(Effect.provide(effect, world(scheduler, waiting)), { scheduler })
      let done = (exit: Exit.Exit<A, E | Stuck>): void => resume(Effect.succeed(exit))
      watch({ main, scheduler, waiting, idleTurns }, (exit) => done(exit))
      return Effect.callback<void>((resume) => {
        done = () => resume(Effect.void)
        main.interruptUnsafe()
      })
    })
  )

interface Run<A, E> {
  readonly main: Fiber.Fiber<A, E>
  readonly scheduler: SeededSchedulerImpl
  readonly waiting: Waiting
  readonly idleTurns: number
}

/** Checks a run between the turns of its scheduler until it has ended, and ends it when it is stuck. */
const watch = <A, E>(run: Run<A, E>, done: (exit: Exit.Exit<A, E | Stuck>) => void): void => {
  const { main, scheduler, waiting } = run
  let stuck: Stuck | undefined
  let closing = false
  let idleTurns = 0
  const look = (): void => {
    const exit = main.pollUnsafe()
    idleTurns = scheduler.isEmpty && waiting.live === 0 ? idleTurns + 1 : 0
    const over = scheduler.isExhausted || idleTurns > run.idleTurns
    if (closing && (over || (exit !== undefined && scheduler.isEmpty))) {
      scheduler.halt()
      return done(stuck === undefined ? exit! : Exit.fail(stuck))
    }
    if (!closing && (over || exit !== undefined)) {
      closing = true
      if (exit === undefined) {
        stuck = whyStuck(run)
        main.interruptUnsafe()
      }
      scheduler.allow(closingTasks)
      idleTurns = 0
    }
    macrotask(look)
  }
  look()
}

const whyStuck = <A, E>({ scheduler, waiting }: Run<A, E>): Stuck =>
  new Stuck({
    reason: scheduler.isExhausted ? "endless" : waiting.sleeping > 0 ? "asleep" : "deadlock",
    sleeping: waiting.sleeping,
    tasks: scheduler.tasks
  })
