/**
 * What must and must not compile about task supervisors. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics floatingEffect:off
import { Context, Data, Effect, type Layer, type Result, Schedule, Stream } from "effect"
import { type Pid, type Process, Supervisor, type Task, TaskSupervisor } from "effect-otp"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class Refused extends Data.TaggedError("Refused")<{}> {}
class Db extends Context.Service<Db, { readonly load: (id: number) => Effect.Effect<string, Refused> }>()("types/Db") {}
class Patience extends Context.Service<Patience, { readonly seconds: number }>()("types/Patience") {}

const load = (id: number) => Effect.flatMap(Db, (db) => db.load(id))

class Jobs extends TaskSupervisor.Service<Jobs>()("types/Jobs") {}
same<typeof Jobs.layer, Layer.Layer<Jobs>>(true)

const patient = Effect.map(Patience, ({ seconds }) => seconds)
class Slow extends TaskSupervisor.Service<Slow>()("types/Slow", {
  maxChildren: 10,
  shutdown: "Infinity",
  schedule: Schedule.spaced("1 second").pipe(Schedule.tap(() => patient))
}) {}
same<typeof Slow.layer, Layer.Layer<Slow, never, Patience>>(true)

// It is a child like any other.
class Tree extends Supervisor.Service<Tree>()("types/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Jobs.layer, { shutdown: "Infinity" })]
}) {}
same<typeof Tree.layer, Layer.Layer<Jobs | Tree>>(true)

type Refusal = TaskSupervisor.MaxChildren | TaskSupervisor.SupervisorDown

export const program = Effect.gen(function* () {
  const jobs = yield* Jobs

  // The starter must provide what a task needs.
  const linked = jobs.async(load(1))
  same<typeof linked, Effect.Effect<Task.Task<string, Refused>, Refusal, Db | Process.Self>>(true)
  const alone = jobs.asyncNoLink(load(1), { shutdown: "brutalKill", label: "load" })
  same<typeof alone, Effect.Effect<Task.Task<string, Refused>, Refusal, Db>>(true)
  const started = jobs.start(load(1), { restart: "transient" })
  same<typeof started, Effect.Effect<Pid.Pid, Refusal, Db>>(true)
  const stream = jobs.asyncStream(Stream.range(1, 2), load, { concurrency: 1, zipInput: true })
  same<
    typeof stream,
    Stream.Stream<readonly [input: number, outcome: string], Refused | Task.TaskExit | Task.TaskTimeout | Refusal, Db>
  >(true)
  const outcomes = jobs.asyncStreamNoLink(Stream.make(1), load, { concurrency: 1, onTimeout: "kill" })
  same<typeof outcomes, Stream.Stream<Result.Result<string, Refused | Task.TaskExit | Task.TaskTimeout>, Refusal, Db>>(
    true
  )
  same<
    typeof jobs.terminateChild,
    (pid: Pid.Pid) => Effect.Effect<void, TaskSupervisor.ChildNotFound | TaskSupervisor.SupervisorDown>
  >(true)
  same<typeof jobs.whichChildren, Effect.Effect<ReadonlyArray<TaskSupervisor.TaskInfo>>>(true)
  same<typeof jobs.countChildren, Effect.Effect<Supervisor.Counts>>(true)

  // @ts-expect-error a task with an answer is not restarted
  jobs.async(load(1), { restart: "permanent" })
  // @ts-expect-error unknown restart types are refused
  jobs.start(load(1), { restart: "always" })
  // @ts-expect-error a task is named by its pid
  jobs.terminateChild("task 1")
  // @ts-expect-error the concurrency is required
  jobs.asyncStream(Stream.make(1), load, {})
})

// @ts-expect-error a supervisor has no restart type of its own
TaskSupervisor.Service<Jobs>()("types/Bad", { restart: "permanent" })
