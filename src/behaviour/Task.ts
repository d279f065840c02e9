/**
 * Runs an effect as a process of its own and gives its outcome to every caller that asks.
 *
 * A task is a plain process with an answer. The success or failure of its effect is the answer. A crash, a kill, or any
 * other end without an answer is a `TaskExit` with the reason. The outcome is kept with the task: anybody can ask for
 * it, any number of times.
 *
 * How you start a task depends on its owner:
 *
 * - `async` *links* it to the calling process. A crash of either ends the other. It compiles only in a process.
 * - `asyncScoped` binds it to the current scope and works everywhere: when the scope closes, the task is told to end
 *   and waited for. Only the callers that await the task learn of a crash, and no process ends with it.
 * - `asyncNoLink` binds it to nothing: it goes on until it is done.
 *
 * **Guarantees**
 *
 * - A typed failure is an answer: the process ends with `Normal`, nothing is reported, and no linked process ends with
 *   it.
 * - A crash is never lost: it is the reason in the `TaskExit`, and it is reported once.
 * - The outcome is known when the process has ended, finalizers included. If the answer exists before a signal comes,
 *   it stands, unless a finalizer dies.
 * - A stream of tasks never has more than `concurrency` items that have begun and are unread. It begins nothing before
 *   its first pull. However it ends, its tasks have ended, too.
 *
 * **Not here**
 *
 * Use `Effect` to wait for many tasks (`Effect.all`), for the first of many (`Effect.raceAll`), or with a time limit
 * (`Effect.timeout`). For work without an answer use `Process.spawn`. For tasks that end with a supervisor use
 * `TaskSupervisor`.
 *
 * **In Erlang/OTP**
 *
 * `Task` of Elixir. There only the owner can await a task, only once, and by default for 5 seconds.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Check from "../values/check.ts"
import { isInstance } from "../values/describe.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { has } from "../values/valueKinds.ts"
import { shutdown as plainShutdown } from "../kernel/ExitReason.ts"
import type { Pid } from "../kernel/Pid.ts"
import { spawnLink, unlink, type Self } from "../kernel/Process.ts"
import { Self as SelfKey, type ProcessRecord } from "../kernel/shared/processRecord.ts"
import { kill } from "../kernel/shared/death.ts"
import { shutdown as askToEnd } from "../kernel/shared/signals.ts"
import { shutdown as shutdownProcess, type Limit } from "../kernel/Shutdown.ts"
import { awaitOutcome, spawnTask, TaskRun, toResult, TypeId } from "./shared/taskRun.ts"
import { streamOf } from "./shared/taskStream.ts"
import type { StartItem } from "./shared/taskStreamSpec.ts"
import { TaskExit, type TaskTimeout } from "./internal/task/taskError.ts"
import { checkedLimit } from "../kernel/shared/shutdown.ts"
import { selfUnsafe } from "../kernel/shared/processes.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * An effect that runs as a process, and its outcome.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Task<out A, out E = never> extends Pipeable {
  readonly [TypeId]: { readonly _A: A; readonly _E: E }
  readonly pid: Pid
}

/**
 * Options of a task.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Its name in crash reports and listings. */
  readonly label?: string | undefined
}

/**
 * The services that a task's effect needs from its starter: all except those that every process has.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Needs<R> = Exclude<R, Scope.Scope | Self>

/**
 * The options of a stream of tasks.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions<Z extends boolean = boolean> {
  /** How many items may have begun and be unread. */
  readonly concurrency: number
  /** Whether outcomes come in the order of the input (default), or as soon as they are known. */
  readonly ordered?: boolean | undefined
  /** How long an item may take, from the start of its task. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
  /** Whether each outcome comes together with its input. Default: false. */
  readonly zipInput?: Z | undefined
  /** How long the tasks may take to end if the stream ends before them. Default: 5 seconds. */
  readonly shutdown?: Limit | undefined
  /** The name of the tasks in crash reports and listings. */
  readonly label?: string | undefined
}

/**
 * The options of a stream that gives each outcome.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface NoLinkStreamOptions<
  Z extends boolean = boolean,
  T extends "exit" | "kill" = "exit" | "kill"
> extends StreamOptions<Z> {
  /** What a timeout does: it ends the stream (`"exit"`, default), or is the outcome of its item (`"kill"`). */
  readonly onTimeout?: T | undefined
}

/**
 * An element of a stream of tasks: an outcome, or an input and its outcome.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Element<I, X, Z extends boolean> = Z extends true ? readonly [input: I, outcome: X] : X

// ---- errors -------------------------------------------------------------------------------------------------------

export {
  /**
   * A task ended without an answer: it crashed, was killed or told to end, or ended itself.
   *
   * **Details**
   *
   * A failure of the task's effect is its answer, and keeps its own type.
   *
   * @see what `Task.await` of Elixir exits with: `{Reason, {Task, await, […]}}`
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  TaskExit,
  /**
   * An item of a stream of tasks took longer than its limit, and its task was killed.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  TaskTimeout
} from "./internal/task/taskError.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Starts a task that is linked to this process.
 *
 * **Details**
 *
 * If the task crashes, so does this process, unless it traps exits or has called `ignore`. If this process ends
 * abnormally, so does the task. If this process ends with `Normal`, the task goes on.
 *
 * **Example** (Working side by side)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process, Task } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const sum = yield* Deferred.make<number>()
 *   yield* Process.spawn(Effect.gen(function*() {
 *     const one = yield* Task.async(Effect.succeed(1))
 *     const two = yield* Task.async(Effect.succeed(2))
 *     yield* Deferred.succeed(sum, (yield* Task.await(one)) + (yield* Task.await(two)))
 *   }))
 *   return yield* Deferred.await(sum)
 * })
 *
 * await Effect.runPromise(program) // => 3
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const async = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: Options
): Effect.Effect<Task<A, E>, never, Needs<R> | Self> =>
  Effect.withFiber((fiber) => {
    const run = new TaskRun()
    run.owner = selfUnsafe(fiber)
    const spawned = spawnLink(run.body(effect as Effect.Effect<A, E>), { label: options?.label })
    return Effect.map(spawned, (pid) => {
      run.spawned(pid as unknown as ProcessRecord)
      return taskOf<A, E>(run)
    })
  })

/**
 * Starts a task that ends with the current scope. When the scope closes, the task is told to end and waited for. After
 * 5 seconds it is killed.
 *
 * **Example** (A crash as a value)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Task } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const task = yield* Task.asyncScoped(Effect.die("boom"))
 *   const error = yield* Effect.flip(Task.await(task))
 *   return error.reason._tag
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "Crash"
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const asyncScoped = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: Options
): Effect.Effect<Task<A, E>, never, Needs<R> | Scope.Scope> =>
  Effect.uninterruptible(
    Effect.flatMap(Scope.Scope, (scope) =>
      Effect.flatMap(spawned(effect, options), (run) => Effect.as(endWith(run, scope), taskOf<A, E>(run)))
    )
  )

/**
 * Starts a task that nobody owns: it runs until it is done.
 *
 * **When to use**
 *
 * Use for work that must go on when its starter ends. If it must also end at some time, start it under a
 * `TaskSupervisor`.
 *
 * **Details**
 *
 * A crash of the task is reported, and the callers that await it get it. No other process ends.
 *
 * **Example** (A crash that ends nobody)
 *
 * ```ts import.meta.vitest
 * import { Effect, Logger } from "effect"
 * import { Task } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const task = yield* Task.asyncNoLink(Effect.die("boom"))
 *   const error = yield* Effect.flip(Task.await(task))
 *   return [error._tag, error.reason._tag]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Logger.layer([]))) // => ["TaskExit", "Crash"]
 * ```
 *
 * @see {@link async} and {@link asyncScoped} for tasks with an owner
 * @see `Task.Supervisor.async_nolink/3` of Elixir
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const asyncNoLink = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: Options
): Effect.Effect<Task<A, E>, never, Needs<R>> => Effect.map(spawned(effect, options), taskOf<A, E>)

// ---- operations ---------------------------------------------------------------------------------------------------

const await_ = <A, E>(task: Task<A, E>): Effect.Effect<A, E | TaskExit> =>
  Effect.suspend(() => awaitOutcome(runOf("Task.await", task))) as Effect.Effect<A, E | TaskExit>

export {
  /**
   * Waits for a task, and succeeds or fails as the task did.
   *
   * **When to use**
   *
   * Use to get the answer of a task. You can wait several times, and from several processes.
   *
   * **Errors**
   *
   * - The failure of the task's effect.
   * - `TaskExit` if the task ended without an answer: it crashed, was killed or was told to end.
   *
   * **Interruption**
   *
   * Interrupting it stops the waiting. The task goes on.
   *
   * **Example** (Waiting for an answer)
   *
   * ```ts import.meta.vitest
   * import { Effect } from "effect"
   * import { Task } from "effect-otp"
   *
   * const program = Effect.gen(function*() {
   *   const task = yield* Task.asyncScoped(Effect.succeed(6 * 7))
   *   return [yield* Task.await(task), yield* Task.await(task)]
   * })
   *
   * await Effect.runPromise(Effect.scoped(program)) // => [42, 42]
   * ```
   *
   * @see {@link poll} to wait for a while only
   * @see `Task.await/2` of Elixir
   *
   * @stability experimental
   * @category operations
   * @since 0.1.0
   */
  await_ as await
}

/**
 * Gives the outcome of a task if it is known, or becomes known within the timeout.
 *
 * **When to use**
 *
 * Use to ask without waiting, or to wait for a while. You can ask again.
 *
 * **Errors**
 *
 * - Throws a `RangeError` for a negative timeout.
 *
 * **Example** (Looking and waiting)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option, Result } from "effect"
 * import { Task } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const task = yield* Task.asyncScoped(Effect.succeed(42))
 *   const now = yield* Task.poll(task)
 *   const later = yield* Task.poll(task, { timeout: "1 second" })
 *   return [Option.isSome(now), Option.map(later, Result.getOrThrow)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [false, Option.some(42)]
 * ```
 *
 * @see {@link await} to wait as long as it takes
 * @see `Task.yield/2` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const poll = <A, E>(
  task: Task<A, E>,
  options?: {
    /** How long to wait. Default: not at all. */
    readonly timeout?: Duration.Input | undefined
  }
): Effect.Effect<Option.Option<Result.Result<A, E | TaskExit>>> => {
  const run = runOf("Task.poll", task)
  const now = Effect.sync(() => resultOf<A, E>(run))
  if (options?.timeout === undefined) return now
  const timeout = Check.duration("The timeout of a poll", options.timeout)
  // An outcome that came at the last moment counts.
  return Effect.andThen(Effect.timeoutOption(Effect.exit(await_(task)), timeout), now)
}

/**
 * Ends a task and waits for it. It gives the outcome if there is one, and `None` if the task ended as it was told.
 *
 * **Details**
 *
 * The task is unlinked first, so its end affects no other process. Then it is interrupted, and killed at the limit (5
 * seconds by default). With `"brutalKill"` it is killed at once, with `"Infinity"` never. If the task has ended in
 * another way, you get that outcome: if it had to be killed, a `TaskExit` with `Killed`.
 *
 * **Errors**
 *
 * - Throws a `RangeError` for a negative limit. The task has not been told to end then.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The task has been told to end, but will not be killed.
 *
 * **Example** (Ending a task)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Task } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const task = yield* Task.asyncNoLink(Effect.never)
 *   return yield* Task.shutdown(task, { limit: "1 second" })
 * })
 *
 * await Effect.runPromise(program) // => Option.none()
 * ```
 *
 * @see {@link ignore} to let a task go on
 * @see `Task.shutdown/2` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const shutdown = <A, E>(
  task: Task<A, E>,
  options?: { readonly limit?: Limit | undefined }
): Effect.Effect<Option.Option<Result.Result<A, E | TaskExit>>> => {
  const run = runOf("Task.shutdown", task)
  const limit = options?.limit === undefined ? undefined : checkedLimit("The limit of a shutdown", options.limit)
  const brutal = limit === "brutalKill"
  const tell = Effect.sync(() => {
    const { record } = run
    if (record === undefined) return
    if (brutal) kill(record)
    else askToEnd(record, plainShutdown())
  })
  const ended = Effect.suspend(() => shutdownProcess(task.pid, { limit }))
  return Effect.uninterruptibleMask((restore) =>
    Effect.andThen(Effect.andThen(unlinked(run), tell), restore(ended)).pipe(
      Effect.map(() => Option.filter(resultOf<A, E>(run), (result) => !isAsTold(result, brutal)))
    )
  )
}

/**
 * Lets a task go on by itself: it is no longer linked and no longer bound to a scope.
 *
 * **Details**
 *
 * It gives the outcome if that is known already.
 *
 * **Example** (Letting a task go)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process, Task } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const task = yield* Effect.scoped(
 *     Effect.gen(function*() {
 *       const task = yield* Task.asyncScoped(Effect.never)
 *       const outcome = yield* Task.ignore(task)
 *       return { task, outcome }
 *     })
 *   )
 *   const alive = yield* Process.isAlive(task.task.pid)
 *   yield* Process.kill(task.task.pid)
 *   return [Option.isNone(task.outcome), alive]
 * })
 *
 * await Effect.runPromise(program) // => [true, true]
 * ```
 *
 * @see {@link shutdown} to end it
 * @see `Task.ignore/1` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const ignore = <A, E>(task: Task<A, E>): Effect.Effect<Option.Option<Result.Result<A, E | TaskExit>>> =>
  Effect.suspend(() => {
    const run = runOf("Task.ignore", task)
    run.ignored = true
    return Effect.map(unlinked(run), () => resultOf<A, E>(run))
  })

// ---- streams ------------------------------------------------------------------------------------------------------

/**
 * Runs an effect for each element of a stream, each as a task, at most `concurrency` at a time. If a task fails,
 * crashes or takes too long, the stream and the other tasks end at once.
 *
 * **Details**
 *
 * An item takes room from its beginning until its answer has been read: at most `concurrency` items have begun and are
 * unread, in whatever order. So a slow reader delays the tasks, and in order a slow item delays those behind it. A
 * fiber of its own pulls the input, and only while there is room.
 *
 * Throws a `RangeError` for a `concurrency` or a `timeout` that makes no sense.
 *
 * **Errors**
 *
 * - The failure of the input or of an item.
 * - `TaskExit` when a task ends without an answer.
 * - `TaskTimeout` when an item takes longer than `timeout`.
 *
 * **Interruption**
 *
 * However the stream ends, its tasks are told to end and waited for; after the `shutdown` limit they are killed.
 *
 * **Example** (In order, though the first takes longest)
 *
 * ```ts import.meta.vitest
 * import { Effect, Stream } from "effect"
 * import { Task } from "effect-otp"
 *
 * const squares = Stream.make(3, 2, 1).pipe(
 *   Task.asyncStream((n) => Effect.as(Effect.sleep(n), n * n), { concurrency: 3 })
 * )
 *
 * await Effect.runPromise(Stream.runCollect(squares)) // => [9, 4, 1]
 * ```
 *
 * @see {@link asyncStreamNoLink} for every outcome, crashes included
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const asyncStream: {
  <I, A, E2, R2, const Z extends boolean = false>(
    f: (input: I) => Effect.Effect<A, E2, R2>,
    options: StreamOptions<Z>
  ): <E, R>(
    self: Stream.Stream<I, E, R>
  ) => Stream.Stream<Element<I, A, Z>, E | E2 | TaskExit | TaskTimeout, R | Needs<R2>>
  <I, E, R, A, E2, R2, const Z extends boolean = false>(
    self: Stream.Stream<I, E, R>,
    f: (input: NoInfer<I>) => Effect.Effect<A, E2, R2>,
    options: StreamOptions<Z>
  ): Stream.Stream<Element<I, A, Z>, E | E2 | TaskExit | TaskTimeout, R | Needs<R2>>
} = dual(
  (args) => Stream.isStream(args[0]),
  (self: AnyStream, f: AnyItem, options: StreamOptions) => streamOf(self, f, { ...options, begin, linked: true })
)

/**
 * Runs an effect for each element of a stream, each as a task, at most `concurrency` at a time. It gives the outcome of
 * each as a `Result`, even of a crash.
 *
 * **Details**
 *
 * Like {@link asyncStream}, but only the input, and a timeout with `onTimeout: "exit"`, can fail the stream.
 *
 * **Example** (One of three crashes)
 *
 * ```ts import.meta.vitest
 * import { Effect, Result, Stream } from "effect"
 * import { Task } from "effect-otp"
 *
 * const halves = Stream.make(2, 3, 4).pipe(
 *   Task.asyncStreamNoLink((n) => n % 2 === 0 ? Effect.succeed(n / 2) : Effect.die("odd"), { concurrency: 2 }),
 *   Stream.map(Result.getOrElse((error) => error._tag))
 * )
 *
 * await Effect.runPromise(Stream.runCollect(halves)) // => [1, "TaskExit", 2]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const asyncStreamNoLink: {
  <I, A, E2, R2, const Z extends boolean = false, const T extends "exit" | "kill" = "exit">(
    f: (input: I) => Effect.Effect<A, E2, R2>,
    options: NoLinkStreamOptions<Z, T>
  ): <E, R>(
    self: Stream.Stream<I, E, R>
  ) => Stream.Stream<Element<I, Result.Result<A, E2 | TaskExit | LateItem<T>>, Z>, E | LateStream<T>, R | Needs<R2>>
  <I, E, R, A, E2, R2, const Z extends boolean = false, const T extends "exit" | "kill" = "exit">(
    self: Stream.Stream<I, E, R>,
    f: (input: NoInfer<I>) => Effect.Effect<A, E2, R2>,
    options: NoLinkStreamOptions<Z, T>
  ): Stream.Stream<Element<I, Result.Result<A, E2 | TaskExit | LateItem<T>>, Z>, E | LateStream<T>, R | Needs<R2>>
} = dual(
  (args) => Stream.isStream(args[0]),
  (self: AnyStream, f: AnyItem, options: NoLinkStreamOptions) => streamOf(self, f, { ...options, begin, linked: false })
)

/**
 * The failure of an item that took too long.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type LateItem<T> = "kill" extends T ? TaskTimeout : never

/**
 * The failure of a stream because an item took too long.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type LateStream<T> = "exit" extends T ? TaskTimeout : never

// ---- internals ----------------------------------------------------------------------------------------------------

const begin: StartItem = (fiber, run, options) => {
  spawnTask(fiber, run, options)
}

type AnyStream = Stream.Stream<unknown, unknown>
type AnyItem = (input: unknown) => Effect.Effect<unknown, unknown>

const taskOf = <A, E>(run: TaskRun): Task<A, E> => run as unknown as Task<A, E>
const runOf = (to: string, task: Task<unknown, unknown>): TaskRun => {
  if (isInstance(task, TaskRun)) return task
  return refuseArgument({ to, what: "a task", isForeign: has(task, TypeId) }, task)
}

const spawned = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: Options | undefined
): Effect.Effect<TaskRun, never, Needs<R>> =>
  Effect.withFiber((fiber) => {
    const run = new TaskRun()
    spawnTask(fiber, run, { effect: effect as Effect.Effect<A, E>, label: options?.label })
    return Exit.succeed(run)
  })

/** Frees the scope when the task has ended, because many tasks may come and go while it is open. */
const endWith = (run: TaskRun, scope: Scope.Scope): Effect.Effect<void> =>
  Effect.suspend(() => {
    const own = Scope.forkUnsafe(scope)
    const end = Effect.suspend(() =>
      run.ignored || run.record === undefined ? Effect.void : Effect.asVoid(shutdownProcess(run.record))
    )
    const close = Effect.runForkWith(Context.empty())
    const observer = { ended: () => void close(Scope.close(own, Exit.void)) }
    return Effect.map(Scope.addFinalizer(own, end), () => run.record?.observe(observer))
  })

/** Unlinks the task, so that its end does not reach its owner. */
const unlinked = (run: TaskRun): Effect.Effect<void> => {
  const { owner, record } = run
  if (owner === undefined || record === undefined) return Effect.void
  return Effect.provideService(unlink(record), SelfKey, owner)
}

const resultOf = <A, E>(run: TaskRun): Option.Option<Result.Result<A, E | TaskExit>> =>
  run.outcome === undefined ? Option.none() : Option.some(toResult(run.outcome) as Result.Result<A, E | TaskExit>)

/** Whether the task has ended as it was told. That is not an outcome to report. */
const isAsTold = (result: Result.Result<unknown, unknown>, brutal: boolean): boolean => {
  if (!Result.isFailure(result) || !isInstance(result.failure, TaskExit)) return false
  const { reason } = result.failure
  return brutal ? reason._tag === "Killed" : reason._tag === "Shutdown" && reason.detail === undefined
}
