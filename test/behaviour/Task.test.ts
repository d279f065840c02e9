import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Deferred, Effect, Exit, Fiber, Option, Result, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type CrashReport, Events, ExitReason, Kernel, type Pid, Process, Task, Telemetry } from "effect-otp"
import { asProcess, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly by: string }> {}

const trapping = { trapExit: true }
const infoOf = (pid: Pid.Pid) => Effect.map(Process.info(pid), Option.getOrThrow)
const exited = (task: Task.Task<unknown, unknown>, reason: ExitReason.ExitReason) =>
  new Task.TaskExit({ pid: task.pid, reason })
const reasonOf = <A, E>(task: Task.Task<A, E>) =>
  Effect.map(Effect.flip(Task.await(task)), (error) => {
    assert.instanceOf(error, Task.TaskExit)
    return error.reason
  })

/** An effect that waits, and records how it ended. */
const waiting = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<string>()
  const released = yield* Deferred.make<void>()
  const effect = Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate)).pipe(
    Effect.onExit(() => Deferred.succeed(released, undefined))
  )
  return { begun: Deferred.await(begun), gate, released: Deferred.await(released), effect }
})

/** The crash reports of a program. */
const crashes = Effect.gen(function* () {
  const reports: Array<CrashReport.CrashReport> = []
  yield* Telemetry.attach("test", Events.processCrash, (_, { report }) => void reports.push(report))
  return reports
})

describe("async", () => {
  kernelTest(
    "#214 a task is linked, answers, then ends with Normal, and knows its callers",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          const task = yield* Task.async(Effect.andThen(Deferred.await(gate), Process.Callers))
          const monitor = yield* Process.monitor(task.pid)
          assert.deepStrictEqual((yield* infoOf(inbox.pid)).links, [task.pid])
          yield* Deferred.succeed(gate, undefined)
          assert.deepStrictEqual(yield* Task.await(task), [inbox.pid])
          const exit = yield* inbox.take
          assert.deepInclude(exit, { _tag: "Exit", from: task.pid, reason: ExitReason.normal })
          assert.deepInclude(yield* inbox.take, { _tag: "Down", monitor, reason: ExitReason.normal })
        }),
      trapping
    )
  )

  kernelTest(
    "a typed failure is an answer: the process ends with Normal, nothing is reported, its owner lives",
    Effect.gen(function* () {
      const reports = yield* crashes
      const reason = yield* asProcess(() =>
        Effect.gen(function* () {
          const task = yield* Task.async(Effect.fail(new Refused({ by: "me" })))
          assert.deepStrictEqual(yield* Effect.exit(Task.await(task)), Exit.fail(new Refused({ by: "me" })))
          return yield* Process.awaitExit(task.pid)
        })
      )
      assert.deepStrictEqual(reason, ExitReason.normal)
      assert.deepStrictEqual(reports, [])
    })
  )

  kernelTest(
    "#217 a task that dies, throws, is interrupted or ends itself gives the reason to a caller that awaits it",
    asProcess(
      () =>
        Effect.gen(function* () {
          const boom = new Error("boom")
          const died = yield* Task.async(Effect.die(boom))
          assert.deepStrictEqual(yield* reasonOf(died), ExitReason.defect(boom))
          const threw = yield* Task.async(
            Effect.sync(() => {
              throw boom
            })
          )
          assert.deepStrictEqual(yield* reasonOf(threw), ExitReason.defect(boom))
          const interrupted = yield* reasonOf(yield* Task.async(Effect.interrupt))
          assert.ok(interrupted._tag === "Crash" && Cause.hasInterruptsOnly(interrupted.cause))
          const ended = yield* Task.async(
            Effect.flatMap(Process.self, (self) => Process.exit(self, ExitReason.shutdown("unknown")))
          )
          assert.deepStrictEqual(yield* reasonOf(ended), ExitReason.shutdown("unknown"))
          const killed = yield* Task.async(Effect.never)
          yield* Process.kill(killed.pid)
          assert.deepStrictEqual(yield* reasonOf(killed), ExitReason.killed)
          const both = yield* Task.async(
            Effect.failCause(Cause.combine(Cause.fail(new Refused({ by: "x" })), Cause.die(boom)))
          )
          assert.strictEqual((yield* reasonOf(both))._tag, "Crash")
        }),
      trapping
    )
  )

  kernelTest(
    "#216 a task that ends with Normal and has not answered is a TaskExit, too",
    asProcess(() =>
      Effect.gen(function* () {
        const self = Effect.flatMap(Process.self, (pid) => Process.exit(pid, ExitReason.normal))
        const task = yield* Task.async(Effect.andThen(self, Effect.never))
        assert.deepStrictEqual(yield* Effect.exit(Task.await(task)), Exit.fail(exited(task, ExitReason.normal)))
      })
    )
  )

  kernelTest(
    "a crash ends its owner with the same reason, and is reported once",
    Effect.gen(function* () {
      const reports = yield* crashes
      const owner = yield* Process.spawn(Effect.andThen(Task.async(Effect.die("boom"), { label: "bad" }), Effect.never))
      assert.deepStrictEqual(yield* Process.awaitExit(owner), ExitReason.defect("boom"))
      assert.deepStrictEqual(
        reports.map(({ label }) => label),
        ["bad"]
      )
    })
  )

  kernelTest(
    "#342 a task outlives an owner that ends with Normal, and ends with any other",
    Effect.gen(function* () {
      const owned = (then: Effect.Effect<void>) =>
        Effect.gen(function* () {
          const { effect, gate, released } = yield* waiting
          const started = yield* Deferred.make<Task.Task<string>>()
          const owner = yield* Process.spawn(
            Effect.gen(function* () {
              yield* Deferred.succeed(started, yield* Task.async(effect))
              yield* then
            })
          )
          const task = yield* Deferred.await(started)
          yield* Process.awaitExit(owner)
          return { task, gate, released }
        })
      const normal = yield* owned(Effect.void)
      yield* settle
      assert.deepStrictEqual(yield* Task.poll(normal.task), Option.none())
      yield* Deferred.succeed(normal.gate, "done")
      assert.strictEqual(yield* Task.await(normal.task), "done")

      const crashed = yield* owned(Effect.die("owner"))
      assert.deepStrictEqual(yield* reasonOf(crashed.task), ExitReason.defect("owner"))
    })
  )

  it.effect("a task whose owner is killed before its first step does not run", () =>
    inKernel(
      Effect.gen(function* () {
        let ran = false
        const owner = yield* Process.spawn(
          Effect.andThen(Task.async(Effect.sync(() => void (ran = true))), Effect.flatMap(Process.self, Process.kill))
        )
        assert.deepStrictEqual(yield* Process.awaitExit(owner), ExitReason.killed)
        yield* settle
        assert.isFalse(ran)
      })
    )
  )
})

describe("asyncScoped", () => {
  kernelTest(
    "a task works outside of any process, and its crash ends no other process",
    Effect.gen(function* () {
      const good = yield* Task.asyncScoped(Effect.succeed(1))
      const bad = yield* Task.asyncScoped(Effect.die("bad"))
      assert.deepStrictEqual(yield* reasonOf(bad), ExitReason.defect("bad"))
      assert.strictEqual(yield* Task.await(good), 1)
    })
  )

  kernelTest(
    "when its scope closes the task is told to end, and has released what it holds",
    Effect.gen(function* () {
      const { begun, effect } = yield* waiting
      const log: Array<string> = []
      const task = yield* Effect.scoped(
        Effect.gen(function* () {
          const task = yield* Task.asyncScoped(
            Effect.ensuring(
              effect,
              Effect.sync(() => log.push("released"))
            )
          )
          yield* begun
          return task
        })
      )
      assert.deepStrictEqual(log, ["released"])
      assert.deepStrictEqual(yield* reasonOf(task), ExitReason.shutdown())
    })
  )

  kernelTest(
    "when its scope closes a task that does not end within 5 seconds is killed",
    Effect.gen(function* () {
      const { begun, effect, gate } = yield* waiting
      const scope = yield* Scope.make()
      const task = yield* Effect.provideService(Task.asyncScoped(Effect.uninterruptible(effect)), Scope.Scope, scope)
      yield* begun
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      yield* TestClock.adjust("4999 millis")
      yield* settle
      assert.isTrue(yield* Process.isAlive(task.pid))
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* reasonOf(task), ExitReason.killed)
      yield* Deferred.succeed(gate, "open")
      yield* Fiber.join(closing)
    })
  )

  kernelTest(
    "the scope does not keep tasks that have ended",
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const before = finalizers(scope)
      for (let i = 0; i < 10; i++) yield* Task.await(yield* Task.asyncScoped(Effect.succeed(i)))
      yield* settle
      assert.strictEqual(finalizers(scope), before)
    })
  )
})

const finalizers = (scope: { readonly state: { readonly _tag: string; readonly finalizers?: unknown } }): number =>
  scope.state.finalizers instanceof Map ? scope.state.finalizers.size : 0

describe("asyncNoLink", () => {
  kernelTest(
    "only callers that await it learn of a crash",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const task = yield* Task.asyncNoLink(Effect.die("boom"))
        assert.deepStrictEqual((yield* infoOf(inbox.pid)).links, [])
        assert.deepStrictEqual(yield* reasonOf(task), ExitReason.defect("boom"))
      })
    )
  )
})

describe("await", () => {
  kernelTest(
    "the outcome is kept: it can be awaited again, also by another process",
    Effect.gen(function* () {
      const task = yield* Task.asyncScoped(Effect.succeed("kept"))
      const other = asProcess(() => Task.await(task))
      const both = Effect.all([other, Task.await(task)], { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* both, ["kept", "kept"])
      yield* settle
      assert.deepStrictEqual(yield* Effect.all([other, Task.await(task)]), ["kept", "kept"])
    })
  )

  kernelTest(
    "interrupting it does not affect the task",
    Effect.gen(function* () {
      const { begun, effect, gate } = yield* waiting
      const task = yield* Task.asyncScoped(effect)
      yield* begun
      const fiber = yield* Effect.forkChild(Task.await(task))
      yield* settle
      yield* Fiber.interrupt(fiber)
      yield* Deferred.succeed(gate, "still there")
      assert.strictEqual(yield* Task.await(task), "still there")
    })
  )

  kernelTest(
    "#220 awaiting many fails with the first that crashes, though others still run",
    Effect.gen(function* () {
      const { begun, effect, released } = yield* waiting
      const slow = yield* Task.asyncScoped(effect)
      yield* begun
      const bad = yield* Task.asyncScoped(Effect.die("boom"))
      const all = Effect.all([Task.await(slow), Task.await(bad)], { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* Effect.exit(all), Exit.fail(exited(bad, ExitReason.defect("boom"))))
      assert.deepStrictEqual(yield* Task.poll(slow), Option.none())
      yield* Task.shutdown(slow)
      yield* released
    })
  )

  kernelTest(
    "the outcome is known when the finalizers have run, and one that dies is a crash",
    Effect.gen(function* () {
      const log: Array<string> = []
      const release = Effect.sync(() => log.push("released"))
      const good = yield* Task.asyncScoped(
        Effect.as(
          Effect.addFinalizer(() => release),
          "answer"
        )
      )
      assert.strictEqual(yield* Task.await(good), "answer")
      assert.deepStrictEqual(log, ["released"])
      const bad = yield* Task.asyncScoped(
        Effect.as(
          Effect.addFinalizer(() => Effect.die("torn")),
          "answer"
        )
      )
      assert.deepStrictEqual(yield* reasonOf(bad), ExitReason.defect("torn"))
    })
  )
})

describe("poll", () => {
  kernelTest(
    "#221 the outcome is known when reply and Down have come, and the monitoring process keeps the Down",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const task = yield* Task.async(Effect.succeed("result"))
        const monitor = yield* Process.monitor(task.pid)
        yield* settle
        assert.deepStrictEqual(yield* Task.poll(task), Option.some(Result.succeed("result")))
        assert.deepInclude(yield* inbox.take, { _tag: "Down", monitor })
      })
    )
  )

  kernelTest(
    "it gives None without an outcome, waits for the given time, and can be asked again",
    Effect.gen(function* () {
      const { effect, gate } = yield* waiting
      const task = yield* Task.asyncScoped(effect)
      assert.deepStrictEqual(yield* Task.poll(task), Option.none())
      const waits = yield* Effect.forkChild(Task.poll(task, { timeout: "10 millis" }))
      yield* settle
      yield* TestClock.adjust("9 millis")
      yield* settle
      assert.isUndefined(waits.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(waits), Option.none())
      const again = yield* Effect.forkChild(Task.poll(task, { timeout: "10 millis" }))
      yield* settle
      yield* Deferred.succeed(gate, "now")
      assert.deepStrictEqual(yield* Fiber.join(again), Option.some(Result.succeed("now")))
      yield* Deferred.succeed(gate, "never")
    })
  )

  kernelTest(
    "#222 many are polled in input order under one clock; a race gives the first of them; the rest can be killed",
    Effect.gen(function* () {
      const fast = yield* Task.asyncScoped(Effect.succeed("fast"))
      const slow = yield* Task.asyncScoped(Effect.never)
      const bad = yield* Task.asyncScoped(Effect.fail("bad"))
      const tasks: ReadonlyArray<Task.Task<string, string>> = [slow, fast, bad]
      const first = yield* Effect.raceAllFirst([slow, fast].map((task) => Task.await(task)))
      assert.strictEqual(first, "fast")
      assert.deepStrictEqual(yield* Task.poll(slow), Option.none())
      const polled = yield* Effect.forkChild(
        Effect.forEach(tasks, (task) => Task.poll(task, { timeout: "1 second" }), { concurrency: "unbounded" })
      )
      yield* settle
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(polled), [
        Option.none(),
        Option.some(Result.succeed("fast")),
        Option.some(Result.fail("bad"))
      ])
      assert.deepStrictEqual(yield* Task.shutdown(slow, { limit: "brutalKill" }), Option.none())
    })
  )
})

describe("shutdown", () => {
  /** A task that ends by itself as it is told, after it has been asked to. */
  const ending = (reason: ExitReason.ExitReason) =>
    Effect.flatMap(Process.self, (self) => (reason._tag === "Killed" ? Process.kill(self) : Process.exit(self, reason)))

  kernelTest(
    "#224 an existing answer stands, whatever comes after it",
    Effect.gen(function* () {
      const done = yield* Task.asyncScoped(Effect.succeed("answer"))
      yield* Task.await(done)
      assert.deepStrictEqual(yield* Task.shutdown(done), Option.some(Result.succeed("answer")))
      for (const limit of ["1 second", "brutalKill"] as const) {
        // It has its answer, and a finalizer delays its end when it is told to end.
        const gate = yield* Deferred.make<void>()
        const held = yield* Deferred.make<void>()
        const finalizer = Effect.andThen(Deferred.succeed(held, undefined), Deferred.await(gate))
        const task = yield* Task.asyncNoLink(
          Effect.as(
            Effect.addFinalizer(() => finalizer),
            limit
          )
        )
        yield* Deferred.await(held)
        const told = yield* Effect.forkChild(Task.shutdown(task, { limit }))
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(yield* Fiber.join(told), Option.some(Result.succeed(limit)))
      }
    })
  )

  kernelTest(
    "#225 a task that ends as it was told gives None, one with any other reason its outcome",
    Effect.gen(function* () {
      const told = (reason: ExitReason.ExitReason, limit: "5 seconds" | "brutalKill") =>
        Effect.gen(function* () {
          const task = yield* Task.asyncNoLink(Effect.andThen(ending(reason), Effect.never))
          yield* Process.awaitExit(task.pid)
          return { task, result: yield* Task.shutdown(task, { limit }) }
        })
      assert.deepStrictEqual((yield* told(ExitReason.shutdown(), "5 seconds")).result, Option.none())
      assert.deepStrictEqual((yield* told(ExitReason.killed, "brutalKill")).result, Option.none())
      const others = [
        [ExitReason.normal, "5 seconds"],
        [ExitReason.killed, "5 seconds"],
        [ExitReason.shutdown("why"), "5 seconds"],
        [ExitReason.shutdown(), "brutalKill"]
      ] as const
      for (const [reason, limit] of others) {
        const { result, task } = yield* told(reason, limit)
        assert.deepStrictEqual(result, Option.some(Result.fail(exited(task, reason))))
      }
    })
  )

  kernelTest(
    "#226 a task that does not end in time is killed, and says so unless a kill was asked for",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const { begun, effect, gate } = yield* waiting
          const task = yield* Task.async(Effect.uninterruptible(effect))
          yield* begun
          const told = yield* Effect.forkChild(Task.shutdown(task, { limit: "1 millis" }))
          yield* settle
          yield* TestClock.adjust("1 millis")
          yield* settle
          // It is killed now. Its fiber has the same time again to end.
          assert.deepStrictEqual(yield* Task.poll(task), Option.some(Result.fail(exited(task, ExitReason.killed))))
          yield* Deferred.succeed(gate, "late")
          assert.deepStrictEqual(yield* Fiber.join(told), Option.some(Result.fail(exited(task, ExitReason.killed))))
          const killed = yield* Task.async(Effect.never)
          assert.deepStrictEqual(yield* Task.shutdown(killed, { limit: "brutalKill" }), Option.none())
          yield* settle
          // It was unlinked, so no message is left.
          assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
        }),
      trapping
    )
  )

  kernelTest(
    "it ends a linked task, and its owner lives",
    asProcess(() =>
      Effect.gen(function* () {
        const { begun, effect, released } = yield* waiting
        const task = yield* Task.async(effect)
        yield* begun
        assert.deepStrictEqual(yield* Task.shutdown(task), Option.none())
        yield* released
        yield* settle
      })
    )
  )

  kernelTest(
    "if it is interrupted, the task was told all the same",
    Effect.gen(function* () {
      const task = yield* Task.asyncNoLink(Effect.never)
      const told = yield* Effect.forkChild(Task.shutdown(task, { limit: "Infinity" }))
      yield* settle
      yield* Fiber.interrupt(told)
      yield* settle
      assert.isFalse(yield* Process.isAlive(task.pid))
    })
  )
})

describe("ignore", () => {
  kernelTest(
    "#228 it gives the outcome so far, and no later result or failure reaches the owner",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const none = Effect.flatMap(settle, () =>
            Effect.map(
              inbox.poll(() => true),
              (found) => assert.deepStrictEqual(found, Option.none())
            )
          )
          const onTime = yield* Task.async(Effect.succeed("ok"))
          yield* Task.await(onTime)
          assert.deepStrictEqual(yield* Task.ignore(onTime), Option.some(Result.succeed("ok")))
          yield* none

          const late = yield* waiting
          const lateTask = yield* Task.async(late.effect)
          assert.deepStrictEqual(yield* Task.ignore(lateTask), Option.none())
          yield* Deferred.succeed(late.gate, "late")
          yield* none
          assert.strictEqual(yield* Task.await(lateTask), "late")

          const failed = yield* Task.async(Effect.die("oops"))
          yield* Effect.exit(Task.await(failed))
          const oops = Result.fail(exited(failed, ExitReason.defect("oops")))
          assert.deepStrictEqual(yield* Task.ignore(failed), Option.some(oops))
          yield* none

          const gate = yield* Deferred.make<void>()
          const lateFailure = yield* Task.async(Effect.andThen(Deferred.await(gate), Effect.die("oops")))
          assert.deepStrictEqual(yield* Task.ignore(lateFailure), Option.none())
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual((yield* reasonOf(lateFailure))._tag, "Crash")
          yield* none
        }),
      trapping
    )
  )

  kernelTest(
    "a task that is ignored is not ended by its scope any more",
    Effect.gen(function* () {
      const { begun, effect, gate } = yield* waiting
      const task = yield* Effect.scoped(
        Effect.gen(function* () {
          const task = yield* Task.asyncScoped(effect)
          yield* begun
          yield* Task.ignore(task)
          return task
        })
      )
      yield* Deferred.succeed(gate, "done")
      assert.strictEqual(yield* Task.await(task), "done")
    })
  )
})

kernelTest(
  "a timeout or a limit that makes no sense is a RangeError where it is given, and affects no task",
  Effect.gen(function* () {
    const task = yield* Task.asyncNoLink(Effect.never)
    for (const wrong of ["soon", NaN, -1] as ReadonlyArray<unknown>) {
      const range = /must be a duration of 0 or more, not /
      assert.throws(() => Task.shutdown(task, { limit: wrong as number }), RangeError, range)
      assert.throws(() => Task.poll(task, { timeout: wrong as number }), RangeError, range)
    }
    assert.isTrue(yield* Process.isAlive(task.pid))
    yield* Process.kill(task.pid)
  })
)

it.effect("a task in a kernel of its own belongs to it", () =>
  inKernel(
    Effect.gen(function* () {
      const { effect, gate } = yield* waiting
      const task = yield* Task.asyncNoLink(effect)
      assert.deepStrictEqual(yield* Kernel.processes, [task.pid])
      yield* Deferred.succeed(gate, "done")
      yield* Task.await(task)
    })
  )
)
