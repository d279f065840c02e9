/**
 * Supervises tasks. Any process or fiber can start them, and they end with their supervisor at the latest.
 *
 * A task supervisor is a service whose Layer goes under a supervisor. Its tasks run in the environment of their
 * starter, which is captured once. The supervisor is their parent, counts them, and stops them.
 *
 * - `async` also links the task to the calling process. `asyncNoLink` does not, and is right for a server: the callers
 *   that await the task learn of a crash, and the server lives.
 * - `start` starts a task without an answer. It may be restarted, and a failure is a crash.
 *
 * **Guarantees**
 *
 * - When the supervisor ends, its tasks are told to end side by side, each within its own limit, and then killed.
 * - If the supervisor refuses a task (`MaxChildren`, `SupervisorDown`), nothing was started.
 * - The promises of `Task` hold: a typed failure is an answer, a crash is never lost, a stream keeps its bound.
 *
 * **In Erlang/OTP**
 *
 * `Task.Supervisor` of Elixir.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import { TaskRun } from "../behaviour/shared/taskRun.ts"
import { streamOf } from "../behaviour/shared/taskStream.ts"
import type { StartItem } from "../behaviour/shared/taskStreamSpec.ts"
import type {
  Element,
  LateItem,
  LateStream,
  Needs,
  NoLinkStreamOptions,
  Options as PlainTaskOptions,
  StreamOptions,
  Task,
  TaskExit,
  TaskTimeout
} from "../behaviour/Task.ts"
import { describe } from "../values/describe.ts"
import { type Handle, TypeId as HandleTypeId } from "../kernel/Handle.ts"
import type { Pid } from "../kernel/Pid.ts"
import { type Self } from "../kernel/Process.ts"
import { type Limit } from "../kernel/Shutdown.ts"
import type { RestartSchedule } from "./ChildSpec.ts"
import type { ChildInfo } from "./DynamicSupervisor.ts"
import { type Counts, countsOf } from "./internal/child/childCounts.ts"
import { printHandle } from "./internal/child/exportedHandles.ts"
import { ChildNotFound, MaxChildren, SupervisorDown } from "./internal/core/errors.ts"
import {
  currentOf,
  awaitFirstStart,
  listed,
  terminate,
  withSupervisor
} from "./internal/dynamic/askDynamicSupervisor.ts"
import type { DynamicChild } from "./internal/dynamic/dynamicChild.ts"
import type { RunningDynamicSupervisor } from "./internal/dynamic/runningDynamicSupervisor.ts"
import type { DynamicSpec } from "./internal/dynamic/dynamicSpec.ts"
import { dynamicLayer } from "./internal/startSupervisor.ts"
import { dynamicSpecOf } from "./internal/options.ts"
import { keyOf, TaskJob, taskStarter } from "./internal/dynamic/taskJob.ts"
import { policyOf, type ChildPolicy } from "./internal/dynamic/childPolicy.ts"
import type { Restart } from "./RestartPolicy.ts"
import { selfUnsafe } from "../kernel/shared/processes.ts"
import type { HandleTarget } from "../kernel/shared/handleTarget.ts"

export {
  /**
   * There is no task with this pid.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  ChildNotFound,
  /**
   * The supervisor is down.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  SupervisorDown,
  /**
   * The supervisor has as many tasks as it may have.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  MaxChildren
} from "./internal/core/errors.ts"
export type {
  /**
   * How many tasks there are, how many run, and how many are being started or restarted.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Counts
} from "./internal/child/childCounts.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The options of a task supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<RS = never> {
  /** How many tasks there may be, including those that are being restarted. Default: no limit. */
  readonly maxChildren?: number | undefined
  /**
   * How long the orderly end of a task may take before the kill, unless the task sets its own limit. Default: 5
   * seconds.
   */
  readonly shutdown?: Limit | undefined
  /** One counter for all restarts. Default: 3 in 5 seconds. Off if a schedule is given without it. */
  readonly intensity?: { readonly max: number; readonly within: Duration.Input } | undefined
  /** The delay of restarts, and when to give up, for each task. Default: restart at once. */
  readonly schedule?: RestartSchedule<never, RS> | undefined
  /** The schedule of a task begins anew once the task has been up this long. Default: the window of the intensity. */
  readonly resetAfter?: Duration.Input | undefined
}

/**
 * Options of a supervised task.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface TaskOptions extends PlainTaskOptions {
  /** How long its orderly end may take before the kill. Default: the limit of its supervisor. */
  readonly shutdown?: Limit | undefined
}

/**
 * Options of a task without an answer.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface StartOptions extends TaskOptions {
  /** Which endings a restart follows. Default: `"temporary"`, none. */
  readonly restart?: Restart | undefined
}

/**
 * A task as its supervisor sees it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface TaskInfo extends Pick<ChildInfo, "state" | "pid" | "restarts"> {
  /** The `label` it was started with. */
  readonly label: string | undefined
}

/**
 * How a task supervisor can refuse a task.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Refusal = MaxChildren | SupervisorDown

/**
 * The service of a task supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface TaskSupervisorHandle extends Handle<never> {
  /** Starts a task that is also linked to this process. */
  readonly async: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ) => Effect.Effect<Task<A, E>, Refusal, Needs<R> | Self>
  /** Starts a task without a link. The callers that await it learn of a crash. */
  readonly asyncNoLink: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: TaskOptions
  ) => Effect.Effect<Task<A, E>, Refusal, Needs<R>>
  /** Starts a task without an answer. A failure, typed or not, is a crash of the task. */
  readonly start: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: StartOptions
  ) => Effect.Effect<Pid, Refusal, Needs<R>>
  /** Like `Task.asyncStream`, with tasks under this supervisor. If it refuses a task, the stream fails. */
  readonly asyncStream: <I, E, R, A, E2, R2, const Z extends boolean = false>(
    input: Stream.Stream<I, E, R>,
    f: (input: NoInfer<I>) => Effect.Effect<A, E2, R2>,
    options: StreamOptions<Z>
  ) => Stream.Stream<Element<I, A, Z>, E | E2 | TaskExit | TaskTimeout | Refusal, R | Needs<R2>>
  /** Like `Task.asyncStreamNoLink`, with tasks under this supervisor. If it refuses a task, the stream fails. */
  readonly asyncStreamNoLink: <
    I,
    E,
    R,
    A,
    E2,
    R2,
    const Z extends boolean = false,
    const T extends "exit" | "kill" = "exit"
  >(
    input: Stream.Stream<I, E, R>,
    f: (input: NoInfer<I>) => Effect.Effect<A, E2, R2>,
    options: NoLinkStreamOptions<Z, T>
  ) => Stream.Stream<
    Element<I, Result.Result<A, E2 | TaskExit | LateItem<T>>, Z>,
    E | LateStream<T> | Refusal,
    R | Needs<R2>
  >
  /**
   * The tasks, oldest first. The list is empty while the supervisor is down. It is never older than what the caller has
   * seen: a task whose `Down` has arrived is on it only if it is being restarted.
   */
  readonly whichChildren: Effect.Effect<ReadonlyArray<TaskInfo>>
  /**
   * How many tasks there are, how many run, and how many are being started or restarted. The counts are as new as
   * `whichChildren`.
   */
  readonly countChildren: Effect.Effect<Counts>
  /**
   * Ends a task for good, and waits until it has ended. The pid of any of its runs names the task. If the caller is
   * interrupted, the task ends all the same.
   */
  readonly terminateChild: (pid: Pid) => Effect.Effect<void, ChildNotFound | SupervisorDown>
}

/**
 * The service class of a task supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, R> extends Context.ServiceClass<Self, Id, TaskSupervisorHandle> {
  readonly layer: Layer.Layer<Self, never, R>
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Declares a task supervisor: its service and its name in the environment.
 *
 * Throws a `RangeError` for a `maxChildren`, an intensity or a limit that makes no sense.
 *
 * **Example** (A task whose crash is a value)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Task, TaskSupervisor } from "effect-otp"
 *
 * class Jobs extends TaskSupervisor.Service<Jobs>()("app/Jobs", { maxChildren: 100 }) {}
 *
 * const program = Effect.gen(function*() {
 *   const jobs = yield* Jobs
 *   const good = yield* jobs.asyncNoLink(Effect.succeed("done"))
 *   const bad = yield* jobs.asyncNoLink(Effect.die("boom"))
 *   const error = yield* Effect.flip(Task.await(bad))
 *   return [yield* Task.await(good), error.reason._tag]
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Jobs.layer))) // => ["done", "Crash"]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string, RS = never>(id: Id, options: Options<RS> = {}): ServiceClass<Self, Id, NoInfer<RS>> => {
    const key = Context.Service<Self, TaskSupervisorHandle>()(id)
    const schedule = options.schedule as unknown as RestartSchedule<unknown, never> | undefined
    const spec = dynamicSpecOf(id, taskStarter(id), {
      ...options,
      behaviour: "TaskSupervisor",
      schedule,
      restart: "temporary"
    })
    const handle = (target: HandleTarget) => Context.makeUnsafe<never>(new Map([[id, makeHandle(target, spec)]]))
    return Object.assign(key, { layer: dynamicLayer(spec, handle) }) as unknown as ServiceClass<Self, Id, RS>
  }

// ---- internals ----------------------------------------------------------------------------------------------------

type AnyEffect = Effect.Effect<unknown, unknown>
type AnyStream = Stream.Stream<unknown, unknown>
type AnyItem = (input: unknown) => AnyEffect
type AnyFiber = Fiber.Fiber<unknown, unknown>

interface JobSpec {
  readonly effect: AnyEffect
  readonly label: string | undefined
  readonly policy: ChildPolicy
  readonly run: TaskRun | undefined
}

const makeHandle = (target: HandleTarget, spec: DynamicSpec) =>
  printHandle({
    [HandleTypeId]: target,
    async: (effect: AnyEffect, options?: TaskOptions) => {
      const policy = policyOf(spec, options)
      return Effect.withFiber((fiber) => {
        const run = new TaskRun()
        run.owner = selfUnsafe(fiber)
        return Effect.as(startTask(target, { effect, label: options?.label, policy, run }), taskOf(run))
      })
    },
    asyncNoLink: (effect: AnyEffect, options?: TaskOptions) => {
      const policy = policyOf(spec, options)
      return Effect.suspend(() => {
        const run = new TaskRun()
        return Effect.as(startTask(target, { effect, label: options?.label, policy, run }), taskOf(run))
      })
    },
    start: (effect: AnyEffect, options?: StartOptions) =>
      startTask(target, { effect, label: options?.label, policy: policyOf(spec, options), run: undefined }),
    asyncStream: (input: AnyStream, f: AnyItem, options: StreamOptions) =>
      streamOf(input, f, { ...options, begin: beginIn(target, policyOf(spec, options)), linked: true }),
    asyncStreamNoLink: (input: AnyStream, f: AnyItem, options: NoLinkStreamOptions) =>
      streamOf(input, f, { ...options, begin: beginIn(target, policyOf(spec, options)), linked: false }),
    whichChildren: Effect.sync(() => Array.from(listed(target), infoOf)),
    countChildren: Effect.sync(() => countsOf(listed(target))),
    terminateChild: (pid: Pid) =>
      withSupervisor(target, (supervisor): Effect.Effect<void, ChildNotFound | SupervisorDown> => {
        const key = keyOf(pid, supervisor.record)
        const child = key === undefined ? undefined : supervisor.children.get(key)
        return child === undefined
          ? Effect.fail(new ChildNotFound({ id: describe(pid) }))
          : terminate(supervisor, child)
      })
  })

const infoOf = ({ record, restarts, state }: DynamicChild): TaskInfo => ({
  label: record?.label,
  state,
  pid: record?.isAlive === true ? record : undefined,
  restarts
})

const taskOf = <A, E>(run: TaskRun): Task<A, E> => run as unknown as Task<A, E>

/** Starts a task and waits until its process exists. */
const startTask = (target: HandleTarget, spec: JobSpec): Effect.Effect<Pid, Refusal> =>
  withSupervisor(target, (supervisor) =>
    Effect.withFiber((fiber) => {
      const job = jobOf(fiber, supervisor, spec)
      const child = add(supervisor, job, spec.policy)
      if (isRefusal(child)) return Effect.fail(child)
      return Effect.flatMap(awaitFirstStart(child), () =>
        job.firstProcess === undefined ? Effect.fail(downOf(supervisor)) : Effect.succeed(job.firstProcess)
      )
    })
  )

const jobOf = (fiber: AnyFiber, supervisor: RunningDynamicSupervisor, { effect, label, run }: JobSpec): TaskJob =>
  new TaskJob(fiber, { key: `task ${supervisor.added + 1}`, effect, label, run })

const add = (supervisor: RunningDynamicSupervisor, job: TaskJob, policy: ChildPolicy): DynamicChild | Refusal => {
  const child = supervisor.add(job.key, [job], policy)
  if (typeof child !== "string") return child
  const { maxChildren } = supervisor.spec
  return child === "MaxChildren" ? new MaxChildren({ maxChildren }) : downOf(supervisor)
}

const downOf = ({ spec }: RunningDynamicSupervisor) => new SupervisorDown({ supervisor: spec.id })

const isRefusal = (child: DynamicChild | Refusal): child is Refusal =>
  child instanceof MaxChildren || child instanceof SupervisorDown

/** Starts the items of a stream. */
const beginIn =
  (target: HandleTarget, policy: ChildPolicy): StartItem =>
  (fiber, run, { effect, label }) => {
    const supervisor = currentOf(target)
    if (supervisor === undefined) return run.refuse(new SupervisorDown({ supervisor: target.key }))
    const child = add(supervisor, jobOf(fiber, supervisor, { effect, label, run, policy }), policy)
    if (isRefusal(child)) return run.refuse(child)
    // It may be told to end before its process exists.
    const first = () => {
      if (run.record === undefined) run.refuse(downOf(supervisor))
    }
    if (child.firstStart === undefined) child.onFirstStart = new Set([first])
    else first()
  }
