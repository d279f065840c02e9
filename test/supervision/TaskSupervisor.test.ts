import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Result, Schedule, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Rpc } from "effect/rpc"
import { ExitReason, GenServer, Kernel, Process, Supervisor, Task, TaskSupervisor } from "effect-otp"
import type { Pid } from "effect-otp"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"

class Jobs extends TaskSupervisor.Service<Jobs>()("test/Jobs") {}
class Few extends TaskSupervisor.Service<Few>()("test/Few", { maxChildren: 2 }) {}

const trapping = { trapExit: true }
const infoOf = (pid: Pid.Pid) => Effect.map(Process.info(pid), Option.getOrThrow)
const exited = (task: Task.Task<unknown, unknown>, reason: ExitReason.ExitReason) =>
  new Task.TaskExit({ pid: task.pid, reason })

/** A task supervisor that runs until its scope closes, or `close` is called. */
const run = <A, E>(layer: Layer.Layer<A, E>) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const context = yield* Layer.buildWithScope(layer, scope)
    return { context, close: Scope.close(scope, Exit.void) }
  })

const runJobs = Effect.map(run(Layer.fresh(Jobs.layer)), ({ close, context }) => ({
  jobs: Context.get(context, Jobs),
  close
}))

/** An effect that waits, and records how it ended. */
const waiting = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<string>()
  const effect = Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate))
  return { begun: Deferred.await(begun), gate, effect }
})

/** The processes of the tasks that run. */
const pidsOf = ({ whichChildren }: TaskSupervisor.TaskSupervisorHandle) =>
  Effect.map(whichChildren, (tasks) => tasks.flatMap(({ pid }) => pid ?? []))

describe("async", () => {
  kernelTest(
    "#242 a task is listed, its parent is the supervisor, and it is linked to the caller if asked for",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const supervisor = (yield* Kernel.processes)[0]!
      yield* asProcess(
        (inbox) =>
          Effect.gen(function* () {
            for (const linked of [true, false]) {
              const { begun, effect, gate } = yield* waiting
              const answer = Effect.andThen(effect, Effect.all([Process.Callers, Process.ancestors]))
              const task = yield* linked ? jobs.async(answer) : jobs.asyncNoLink(answer)
              assert.deepStrictEqual(yield* pidsOf(jobs), [task.pid])
              yield* begun
              const info = yield* infoOf(task.pid)
              assert.strictEqual(info.parent, supervisor)
              assert.deepStrictEqual(info.links, linked ? [inbox.pid] : [])
              const monitor = yield* Process.monitor(task.pid)
              yield* Deferred.succeed(gate, "go")
              assert.deepStrictEqual(yield* Task.await(task), [[inbox.pid], [supervisor]])
              if (linked) assert.deepInclude(yield* inbox.take, { _tag: "Exit", reason: ExitReason.normal })
              assert.deepInclude(yield* inbox.take, { _tag: "Down", monitor, reason: ExitReason.normal })
              yield* settle
              assert.deepStrictEqual(yield* pidsOf(jobs), [])
            }
          }),
        trapping
      )
    })
  )

  kernelTest(
    "a crash ends a linked owner, and an owner that is not linked only learns it",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const boom = ExitReason.defect("boom")
      const linked = yield* Process.spawn(Effect.andThen(jobs.async(Effect.die("boom")), Effect.never))
      assert.deepStrictEqual(yield* Process.awaitExit(linked), boom)
      yield* asProcess(() =>
        Effect.gen(function* () {
          const task = yield* jobs.asyncNoLink(Effect.die("boom"))
          assert.deepStrictEqual(yield* Effect.exit(Task.await(task)), Exit.fail(exited(task, boom)))
        })
      )
    })
  )

  kernelTest(
    "a task of an owner that is killed ends, and does not run if it had not begun",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const owner = yield* Process.spawn(Effect.andThen(jobs.async(Effect.never), Effect.never))
      yield* settle
      assert.strictEqual((yield* jobs.countChildren).children, 1)
      yield* Process.kill(owner)
      yield* settle
      assert.deepStrictEqual(yield* pidsOf(jobs), [])
    })
  )

  kernelTest(
    "a task runs in the environment of its caller",
    Effect.gen(function* () {
      class Colour extends Context.Service<Colour, string>()("test/Colour") {}
      const { jobs } = yield* runJobs
      const task = yield* Effect.provideService(jobs.asyncNoLink(Colour), Colour, "red")
      assert.strictEqual(yield* Task.await(task), "red")
      const self = yield* jobs.asyncNoLink(Process.self)
      assert.strictEqual(yield* Task.await(self), self.pid)
    })
  )

  kernelTest(
    "a start past the limit fails with MaxChildren, and there is room when a task has ended",
    Effect.gen(function* () {
      const few = Context.get((yield* run(Layer.fresh(Few.layer))).context, Few)
      const { effect, gate } = yield* waiting
      const tasks = yield* Effect.all([few.asyncNoLink(effect), few.asyncNoLink(effect)])
      const full = Exit.fail(new TaskSupervisor.MaxChildren({ maxChildren: 2 }))
      assert.deepStrictEqual(yield* Effect.exit(few.asyncNoLink(effect)), full)
      assert.deepStrictEqual(yield* Effect.exit(few.start(effect)), full)
      assert.deepStrictEqual(yield* Effect.exit(asProcess(() => few.async(effect))), full)
      yield* Deferred.succeed(gate, "done")
      assert.deepStrictEqual(yield* Effect.all(tasks.map((task) => Task.await(task))), ["done", "done"])
      yield* settle
      assert.strictEqual(yield* Effect.flatMap(few.asyncNoLink(Effect.succeed(3)), Task.await), 3)
    })
  )

  kernelTest(
    "a supervisor that is down says so",
    Effect.gen(function* () {
      const { close, jobs } = yield* runJobs
      yield* close
      const down = new TaskSupervisor.SupervisorDown({ supervisor: "test/Jobs" })
      assert.deepStrictEqual(yield* Effect.exit(jobs.asyncNoLink(Effect.void)), Exit.fail(down))
      assert.deepStrictEqual(yield* Effect.exit(jobs.start(Effect.void)), Exit.fail(down))
      const stream = jobs.asyncStream(Stream.make(1), Effect.succeed, { concurrency: 1 })
      assert.deepStrictEqual(yield* Effect.exit(Stream.runDrain(stream)), Exit.fail(down))
      assert.deepStrictEqual(yield* pidsOf(jobs), [])
    })
  )

  it("options that make no sense are a RangeError where they are given", () => {
    assert.throws(() => TaskSupervisor.Service()("test/Bad", { maxChildren: -1 }), RangeError)
    assert.throws(() => TaskSupervisor.Service()("test/Bad", { shutdown: -1 }), RangeError)
  })
})

describe("the end", () => {
  kernelTest(
    "#245 tasks are told to end side by side, each within its own limit",
    Effect.gen(function* () {
      const { close, jobs } = yield* runJobs
      const gentle = yield* jobs.asyncNoLink(Effect.never)
      const brutal = yield* jobs.asyncNoLink(Effect.never, { shutdown: "brutalKill" })
      const stubborn = yield* waiting
      const short = yield* jobs.asyncNoLink(Effect.uninterruptible(stubborn.effect), { shutdown: "1 second" })
      const long = yield* jobs.asyncNoLink(Effect.uninterruptible(stubborn.effect), { shutdown: "3 seconds" })
      yield* stubborn.begun
      yield* settle
      const closing = yield* Effect.forkChild(close)
      yield* settle
      assert.deepStrictEqual(yield* Process.awaitExit(gentle.pid), ExitReason.shutdown())
      assert.deepStrictEqual(yield* Process.awaitExit(brutal.pid), ExitReason.killed)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Process.awaitExit(short.pid), ExitReason.killed)
      assert.isTrue(yield* Process.isAlive(long.pid))
      // It goes on within its limit.
      yield* Deferred.succeed(stubborn.gate, "done")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(yield* Task.poll(short), Option.some(Result.fail(exited(short, ExitReason.killed))))
      assert.strictEqual(Option.isSome(yield* Task.poll(long)), true)
    })
  )

  kernelTest(
    "#248 a task is terminated by its pid, and then there is none of it",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const pid = yield* jobs.start(Effect.never)
      yield* jobs.terminateChild(pid)
      assert.isFalse(yield* Process.isAlive(pid))
      assert.deepStrictEqual(yield* pidsOf(jobs), [])
      const none = Exit.fail(new TaskSupervisor.ChildNotFound({ id: String(pid) }))
      assert.deepStrictEqual(yield* Effect.exit(jobs.terminateChild(pid)), none)
      const other = yield* runJobs
      const stranger = yield* other.jobs.start(Effect.never)
      const unknown = Exit.fail(new TaskSupervisor.ChildNotFound({ id: String(stranger) }))
      assert.deepStrictEqual(yield* Effect.exit(jobs.terminateChild(stranger)), unknown)
    })
  )

  kernelTest(
    "a process that holds a task can shut it down, under a supervisor, too",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const result = yield* asProcess(() =>
        Effect.gen(function* () {
          const task = yield* jobs.async(Effect.never)
          return yield* Task.shutdown(task)
        })
      )
      assert.deepStrictEqual(result, Option.none())
      yield* settle
      assert.deepStrictEqual(yield* pidsOf(jobs), [])
    })
  )
})

describe("start", () => {
  kernelTest(
    "#246 a permanent task runs again after every end; its first pid still names it",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const runs: Array<Pid.Pid> = []
      const effect = Effect.flatMap(Process.self, (self) => {
        runs.push(self)
        return Effect.never
      })
      const pid = yield* jobs.start(effect, { restart: "permanent", label: "poller" })
      yield* settle
      yield* Process.exit(pid, ExitReason.shutdown())
      yield* settle
      assert.strictEqual(runs.length, 2)
      const again = { label: "poller", state: "running", pid: runs[1], restarts: 1 } as const
      assert.deepStrictEqual(yield* jobs.whichChildren, [again])
      assert.deepStrictEqual(yield* jobs.countChildren, { children: 1, active: 1, restarting: 0 })
      yield* jobs.terminateChild(pid)
      assert.deepStrictEqual(yield* jobs.whichChildren, [])
      assert.deepStrictEqual(yield* jobs.countChildren, { children: 0, active: 0, restarting: 0 })
    })
  )

  kernelTest(
    "by default it does not run again; a transient one does after a failure, typed or not",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const counting = (outcomes: ReadonlyArray<Effect.Effect<void, string>>) => {
        let runs = 0
        return { runs: () => runs, effect: Effect.suspend(() => outcomes[runs++] ?? Effect.never) }
      }
      const temporary = counting([Effect.die("boom")])
      const transient = counting([Effect.fail("typed"), Effect.die("boom"), Effect.void])
      yield* jobs.start(temporary.effect)
      yield* jobs.start(transient.effect, { restart: "transient" })
      yield* settle
      yield* settle
      assert.strictEqual(temporary.runs(), 1)
      assert.strictEqual(transient.runs(), 3)
      assert.deepStrictEqual(yield* pidsOf(jobs), [])
    })
  )

  kernelTest(
    "a schedule delays restarts; past the intensity the supervisor gives up and its tasks end",
    Effect.gen(function* () {
      class Patient extends TaskSupervisor.Service<Patient>()("test/Patient", {
        schedule: Schedule.spaced("1 second")
      }) {}
      const patient = Context.get((yield* run(Patient.layer)).context, Patient)
      let runs = 0
      yield* patient.start(
        Effect.suspend(() => (++runs === 1 ? Effect.die("boom") : Effect.never)),
        { restart: "transient" }
      )
      yield* settle
      assert.strictEqual(runs, 1)
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.strictEqual(runs, 2)

      const { jobs } = yield* runJobs
      const other = yield* jobs.asyncNoLink(Effect.never)
      yield* jobs.start(Effect.die("boom"), { restart: "permanent" })
      assert.strictEqual((yield* Process.awaitExit(other.pid))._tag, "Shutdown")
      yield* settle
      assert.strictEqual((yield* Effect.flip(jobs.start(Effect.void)))._tag, "SupervisorDown")
    }),
    20
  )
})

describe("streams", () => {
  kernelTest(
    "#244 a stream fails if the limit refuses a task, and leaves nothing behind",
    Effect.gen(function* () {
      const few = Context.get((yield* run(Layer.fresh(Few.layer))).context, Few)
      yield* asProcess(
        (inbox) =>
          Effect.gen(function* () {
            const stream = few.asyncStream(Stream.make(1, 2, 3), () => Effect.never, { concurrency: 4 })
            assert.deepStrictEqual(
              yield* Effect.exit(Stream.runCollect(stream)),
              Exit.fail(new TaskSupervisor.MaxChildren({ maxChildren: 2 }))
            )
            assert.deepStrictEqual((yield* infoOf(inbox.pid)).links, [])
            yield* settle
            assert.deepStrictEqual(yield* pidsOf(few), [])
            assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
          }),
        trapping
      )
    })
  )

  kernelTest(
    "#249 a stream that is not linked gives each crash as an outcome to a reader that does not trap exits",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      const reasons = yield* asProcess(() =>
        jobs
          .asyncStreamNoLink(Stream.make(1, 2, 3, 4), (n) => Effect.die(n), { concurrency: 4 })
          .pipe(
            Stream.map(Result.match({ onSuccess: () => undefined, onFailure: ({ reason }) => reason })),
            Stream.runCollect
          )
      )
      assert.deepStrictEqual(reasons, [1, 2, 3, 4].map(ExitReason.defect))
    })
  )

  kernelTest(
    "tasks of a stream are under the supervisor, and end with it or with the stream",
    Effect.gen(function* () {
      const { close, jobs } = yield* runJobs
      const { begun, effect } = yield* waiting
      const stream = jobs.asyncStream(Stream.make(1, 2, 3), () => effect, { concurrency: 3 })
      const first = yield* Effect.forkChild(Stream.runDrain(stream))
      yield* begun
      yield* settle
      assert.strictEqual((yield* jobs.countChildren).children, 3)
      yield* Fiber.interrupt(first)
      yield* settle
      assert.deepStrictEqual(yield* pidsOf(jobs), [])
      const second = yield* Effect.forkChild(Effect.flip(Stream.runDrain(stream)))
      yield* settle
      yield* close
      const error = yield* Fiber.join(second)
      assert.instanceOf(error, Task.TaskExit)
      assert.deepStrictEqual(error.reason, ExitReason.shutdown())
    })
  )

  kernelTest(
    "results come in order, within the bound, and nothing runs when the stream has ended, whenever that is",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      for (const count of [1, 3, 6]) {
        const stream = jobs.asyncStream(Stream.range(1, 6), (n) => Effect.as(n % 2 === 0 ? settle : Effect.void, n), {
          concurrency: 3
        })
        const read = yield* Stream.runCollect(Stream.take(stream, count))
        assert.deepStrictEqual(
          read,
          Array.from({ length: count }, (_, i) => i + 1)
        )
        yield* settle
        assert.deepStrictEqual(yield* pidsOf(jobs), [])
      }
    })
  )
})

describe("under all circumstances", () => {
  kernelTest(
    "as many tasks as allowed follow each other, however they end, and none is refused",
    Effect.gen(function* () {
      const few = Context.get((yield* run(Layer.fresh(Few.layer))).context, Few)
      for (let i = 0; i < 3; i++) {
        const tasks = yield* Effect.all([few.asyncNoLink(Effect.succeed(i)), few.asyncNoLink(Effect.die(i))])
        yield* Effect.all(tasks.map((task) => Effect.exit(Task.await(task))))
      }
      const endings = [Effect.void, Effect.die("boom"), Effect.never, Effect.fail("no")]
      const outcomes = few.asyncStreamNoLink(Stream.range(0, 7), (n) => endings[n % 4]!, {
        concurrency: 2,
        timeout: "1 second",
        onTimeout: "kill"
      })
      const reading = yield* Effect.forkChild(Stream.runCollect(outcomes))
      for (let i = 0; i < 3; i++) {
        yield* settle
        yield* TestClock.adjust("1 second")
      }
      yield* settle
      const tags = (yield* Fiber.join(reading)).map((result) =>
        Result.isSuccess(result) ? "ok" : typeof result.failure === "string" ? "no" : result.failure._tag
      )
      const once = ["ok", "TaskExit", "TaskTimeout", "no"]
      assert.deepStrictEqual(tags, [...once, ...once])
    })
  )

  kernelTest(
    "a stream that is left at any moment has ended its tasks when it has ended, started or not",
    Effect.gen(function* () {
      const { jobs } = yield* runJobs
      for (let round = 0; round < 24; round++) {
        const concurrency = 1 + (round % 3)
        const stream = jobs.asyncStream(Stream.range(1, 9), () => Effect.never, { concurrency })
        const reading = yield* Effect.forkChild(Stream.runDrain(stream), { startImmediately: true })
        yield* Effect.repeat(Effect.yieldNow, { times: Math.floor(round / 3) })
        yield* Fiber.interrupt(reading)
        assert.deepStrictEqual(yield* pidsOf(jobs), [])
      }
      yield* settle
      assert.deepStrictEqual(yield* pidsOf(jobs), [])
    })
  )

  kernelTest(
    "when the supervisor is killed its tasks are, too; callers that await them know, and it works again when it is back",
    Effect.gen(function* () {
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.child(Jobs.layer, { id: "jobs" })]
      }) {}
      const { context } = yield* run(Layer.fresh(Tree.layer))
      const jobs = Context.get(context, Jobs)
      const child = (yield* Context.get(context, Tree).whichChildren).find(({ id }) => id === "jobs")
      const task = yield* jobs.asyncNoLink(Effect.never)
      yield* Process.kill(child!.pid!)
      assert.deepStrictEqual(yield* Effect.exit(Task.await(task)), Exit.fail(exited(task, ExitReason.killed)))
      yield* settle
      yield* settle
      assert.strictEqual(yield* Effect.flatMap(jobs.asyncNoLink(Effect.succeed("back")), Task.await), "back")
    })
  )

  kernelTest(
    "every task has exactly one outcome, whatever ends it first",
    Effect.gen(function* () {
      const { close, jobs } = yield* runJobs
      const outcomes: Array<string> = []
      const enders = [
        (task: Task.Task<string>) => Task.shutdown(task),
        (task: Task.Task<string>) => Task.shutdown(task, { limit: "brutalKill" }),
        (task: Task.Task<string>) => Effect.exit(jobs.terminateChild(task.pid)),
        (task: Task.Task<string>) => Process.kill(task.pid),
        (task: Task.Task<string>) => Process.exit(task.pid, ExitReason.shutdown("stranger")),
        () => close
      ]
      const { effect, gate } = yield* waiting
      const fibers: Array<Fiber.Fiber<unknown>> = []
      for (const end of enders) {
        for (const other of enders) {
          if (end === other) continue
          const task = yield* Effect.exit(jobs.asyncNoLink(effect))
          // The supervisor may be closed by now.
          if (Exit.isFailure(task)) continue
          const asked = Effect.flatMap(Effect.exit(Task.await(task.value)), (exit) =>
            Effect.sync(() => outcomes.push(exit._tag))
          )
          fibers.push(yield* Effect.forkChild(asked))
          fibers.push(yield* Effect.forkChild(Effect.andThen(Deferred.succeed(gate, "answer"), end(task.value))))
          fibers.push(yield* Effect.forkChild(other(task.value)))
        }
      }
      for (const fiber of fibers) yield* Fiber.await(fiber)
      assert.strictEqual(outcomes.length * 3, fibers.length)
    })
  )
})

kernelTest(
  "a task that a handler links to its server ends the server when it crashes",
  Effect.gen(function* () {
    class Fragile extends GenServer.Service<Fragile>()("test/Fragile", [Rpc.make("work", { success: Schema.Finite })]) {
      static readonly definition = this.define({
        init: () => Effect.void,
        handlers: {
          work: (_, state) =>
            Effect.map(Effect.orDie(Effect.flatMap(Task.async(Effect.die("boom")), Task.await)), () =>
              GenServer.reply(0, state)
            )
        }
      })
    }
    const fragile = yield* Fragile.definition.start()
    const pid = Option.getOrThrow(yield* GenServer.pid(fragile))
    const error = yield* Effect.flip(fragile.work())
    assert.strictEqual(error.reason._tag, "ServerDown")
    assert.strictEqual((yield* Process.awaitExit(pid))._tag, "Crash")
  })
)

kernelTest(
  "a server under a supervisor uses tasks, lives through their crashes, and gets answers as messages",
  Effect.gen(function* () {
    class Desk extends GenServer.Service<Desk>()("test/Desk", [
      Rpc.make("ask", { payload: { n: Schema.Finite }, success: Schema.String }),
      Rpc.make("asked", { success: Schema.Finite })
    ]) {
      static readonly layer = this.define({
        init: () => Effect.succeed(0),
        handlers: {
          ask: ({ n }, asked, { from }) =>
            Effect.gen(function* () {
              const jobs = yield* Jobs
              // The answer is given later, and the server goes on meanwhile.
              const work = Effect.matchCauseEffect(n === 0 ? Effect.die("boom") : Effect.succeed(`answer ${n}`), {
                onSuccess: (answer) => from.succeed(answer),
                onFailure: (cause) => Effect.andThen(from.succeed("none"), Effect.failCause(cause))
              })
              yield* Effect.orDie(jobs.start(work))
              return GenServer.noReply(asked + 1)
            }),
          asked: (_, asked) => GenServer.reply(asked, asked)
        }
      }).layer()
    }
    class Tree extends Supervisor.Service<Tree>()("test/Tree", {
      strategy: "oneForOne",
      children: [Supervisor.child(Jobs.layer), Supervisor.child(Desk.layer)]
    }) {}
    const { context } = yield* run(Layer.fresh(Tree.layer))
    const desk = Context.get(context, Desk)
    assert.strictEqual(yield* desk.ask({ n: 1 }), "answer 1")
    assert.strictEqual(yield* desk.ask({ n: 0 }), "none")
    assert.strictEqual(yield* desk.asked(), 2)
  })
)
