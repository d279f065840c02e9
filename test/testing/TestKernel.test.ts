import { assert, describe, it, layer } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Schedule,
  Schema,
  type Scope
} from "effect"
import { TestClock } from "effect/testing"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, Events, GenServer, Name, Supervisor, Telemetry } from "effect-otp"
import { ExitReason, Kernel, Process, Timer, type Pid } from "effect-otp/kernel"
import { Probe, SeededScheduler, TestDouble, TestKernel } from "effect-otp/testing"
import { seeds } from "../fixtures/seeds.ts"
import { recordOf } from "../../src/kernel/shared/processes.ts"

const idle = (label: string) => Process.spawn((inbox: Process.Inbox<string>) => inbox.receive(() => false), { label })

/** The failure of a test in a kernel of its own. */
const blame = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<TestKernel.Leaked> =>
  Effect.map(Effect.exit(Effect.provide(test, TestKernel.layer)), (exit) => {
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("the test passed")
    assert.instanceOf(error, TestKernel.Leaked)
    return error
  })

class Counter extends GenServer.Service<Counter>()("test/Counter", [Rpc.make("get", { success: Schema.Finite })]) {
  static readonly definition = this.define({
    init: (start: number) => Effect.succeed(start),
    handlers: { get: (_, count) => GenServer.reply(count, count) }
  })
}

describe("a test that leaves nothing", () => {
  it.effect("passes, with one line", () =>
    Effect.gen(function* () {
      const counter = yield* Counter.definition.start(3)
      assert.strictEqual(yield* counter.get(), 3)
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.live("passes by real time, too", () =>
    Effect.gen(function* () {
      const counter = yield* Counter.definition.start(3)
      assert.strictEqual(yield* counter.get(), 3)
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("passes in any order", () =>
    SeededScheduler.explore(
      Effect.gen(function* () {
        const counter = yield* Counter.definition.start(3)
        yield* Effect.forkChild(counter.get())
        const pid = yield* idle("ends")
        yield* Process.exit(pid, ExitReason.shutdown())
      }).pipe(Effect.provide(TestKernel.layer)),
      { seeds: seeds(100) }
    )
  )

  it.effect("passes while a process is on its way out, for real time if need be", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(
        Effect.andThen(
          Effect.addFinalizer(() => TestClock.withLive(Effect.sleep("20 millis"))),
          Effect.never
        )
      )
      yield* Effect.repeat(Effect.yieldNow, { times: 5 })
      yield* Process.kill(pid)
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("gives its value and its failure as they are", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.provide(Effect.succeed(1), TestKernel.layer), 1)
      assert.strictEqual(yield* Effect.flip(Effect.provide(Effect.fail("no"), TestKernel.layer)), "no")
    })
  )
})

describe("a leak fails the test, by name", () => {
  it.effect("a process, with what it was sent", () =>
    Effect.gen(function* () {
      const error = yield* blame(
        Effect.gen(function* () {
          const pid = yield* idle("poller")
          yield* Process.send(pid, "a")
          yield* Process.send(pid, "b")
        })
      )
      assert.strictEqual(error.message, "The test left behind:\n  - poller <0.1>, running, with 2 messages")
      const [process] = error.processes
      assert.deepStrictEqual([process?.label, process?.status, process?.pending], ["poller", "running", 2])
    })
  )

  it.effect("one without a label by its pid", () =>
    Effect.gen(function* () {
      const error = yield* blame(Process.spawn(Effect.never))
      assert.strictEqual(error.message, "The test left behind:\n  - <0.1>, running")
    })
  )

  it.effect("a name, and whose it is", () =>
    Effect.gen(function* () {
      const error = yield* blame(
        Effect.flatMap(Process.spawn(Effect.never), (pid) => Name.register(Name.make("test/clock"), pid))
      )
      assert.strictEqual(error.message, 'The test left behind:\n  - test/clock <0.1>, running\n  - name "test/clock"')
      assert.deepStrictEqual(error.names, ["test/clock"])
    })
  )

  it.effect("a zombie, and why it ends, after up to a second of real time", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const error = yield* blame(
        Effect.gen(function* () {
          const pid = yield* Process.spawn(Effect.uninterruptible(Deferred.await(gate)), { label: "stuck" })
          yield* Effect.repeat(Effect.yieldNow, { times: 5 })
          yield* Process.kill(pid)
        })
      )
      assert.strictEqual(error.message, "The test left behind:\n  - stuck <0.1>, zombie (Killed)")
      yield* Deferred.succeed(gate, undefined)
    })
  )

  it.effect("one whose end waits for time that nobody lets pass", () =>
    Effect.gen(function* () {
      const error = yield* blame(
        Effect.gen(function* () {
          const pid = yield* Process.spawn(
            Effect.andThen(
              Effect.addFinalizer(() => Effect.sleep("1 hour")),
              Effect.never
            ),
            { label: "slow" }
          )
          yield* Effect.repeat(Effect.yieldNow, { times: 5 })
          yield* Process.exit(pid, ExitReason.shutdown())
        })
      )
      assert.strictEqual(error.message, "The test left behind:\n  - slow <0.1>, exiting (Shutdown)")
      yield* TestClock.adjust("1 hour")
    })
  )

  it.effect("a timer", () =>
    Effect.gen(function* () {
      const error = yield* blame(
        Effect.gen(function* () {
          yield* Timer.sendAfter(Name.make<string>("test/nobody"), "tick", "1 hour")
          yield* Timer.sendEvery(Name.make<string>("test/nobody"), "tick", "1 hour")
        })
      )
      assert.strictEqual(error.message, "The test left behind:\n  - 2 timers that did not fire")
    })
  )

  it.effect("a message without a fate", () =>
    Effect.gen(function* () {
      const error = yield* blame(
        Effect.gen(function* () {
          const pid = yield* idle("miscounted")
          // No program can do this: the count of a record is set wrong.
          recordOf(pid).accepted += 2
          yield* Process.kill(pid)
        })
      )
      assert.strictEqual(error.message, "The test left behind:\n  - 2 messages that nobody handled or refused")
    })
  )

  it.effect("in the orders of many seeds", () =>
    Effect.forEach(seeds(30), (seed) =>
      Effect.map(Effect.exit(SeededScheduler.runSeed(Effect.provide(idle("leak"), TestKernel.layer), seed)), (exit) =>
        assert.instanceOf(Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined, TestKernel.Leaked)
      )
    )
  )
})

describe("a failed test", () => {
  it.effect("gets its own failure, and not the processes that it left", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.provide(Effect.andThen(idle("left"), Effect.die("assertion")), TestKernel.layer)
      )
      assert.deepStrictEqual(exit, Exit.die("assertion"))
    })
  )

  it.effect("has its processes killed", () =>
    Effect.gen(function* () {
      let pid: Pid.Pid | undefined
      const test = Effect.andThen(
        Effect.map(idle("left"), (made) => (pid = made)),
        Effect.fail("no")
      )
      yield* Effect.exit(Effect.provide(test, TestKernel.layer))
      assert.deepStrictEqual(yield* Process.awaitExit(pid!), ExitReason.killed)
    })
  )
})

describe("after a test", () => {
  it.effect("processes that it left are killed, and their finalizers run", () =>
    Effect.gen(function* () {
      const trace: Array<string> = []
      let pid: Pid.Pid | undefined
      yield* blame(
        Effect.gen(function* () {
          pid = yield* Process.spawn(
            Effect.andThen(
              Effect.addFinalizer(() => Effect.sync(() => trace.push("released"))),
              Effect.never
            )
          )
          yield* Effect.repeat(Effect.yieldNow, { times: 5 })
        })
      )
      assert.deepStrictEqual(yield* Process.awaitExit(pid!), ExitReason.killed)
      assert.deepStrictEqual(trace, ["released"])
    })
  )

  it.effect("its timers do not fire", () =>
    Effect.gen(function* () {
      let fired = 0
      const address: Timer.Address<string> = {
        resolve: () => {
          fired++
          return undefined
        }
      }
      yield* blame(
        Effect.andThen(Timer.sendAfter(address, "a", "1 second"), Timer.sendEvery(address, "b", "2 seconds"))
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(fired, 0)
    })
  )

  it.effect("the next one knows nothing of it", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const name = Name.make("test/same")
      const test = Effect.gen(function* () {
        yield* Telemetry.attach("same", Events.processExit, (_, { label }) => {
          events.push(String(label))
        })
        const pid = yield* idle("same")
        yield* Name.register(name, pid)
        assert.strictEqual(pid.id, 1)
        yield* Process.kill(pid)
        return pid
      })
      const first = yield* Effect.provide(test, TestKernel.layer)
      const second = yield* Effect.provide(test, TestKernel.layer)
      assert.notStrictEqual(first, second)
      assert.deepStrictEqual(events, ["same", "same"])
    })
  )
})

describe("quiet", () => {
  const relay = (length: number) =>
    Effect.gen(function* () {
      const done: Array<number> = []
      let next = yield* Process.spawn((inbox: Process.Inbox<number>) =>
        Effect.map(inbox.take, (n) => done.push(n as number))
      )
      for (let i = 1; i < length; i++) {
        const to = next
        next = yield* Process.spawn((inbox: Process.Inbox<number>) =>
          Effect.flatMap(inbox.take, (n) => Process.send(to, (n as number) + 1))
        )
      }
      yield* Process.send(next, 1)
      assert.deepStrictEqual(done, [])
      yield* TestKernel.quiet
      assert.deepStrictEqual(done, [length])
    }).pipe(Effect.provide(TestKernel.layer))

  it.effect("waits for a line of events of any length", () => Effect.forEach([1, 10, 1000], relay))

  it.effect("and in any order", () => SeededScheduler.explore(relay(30), { seeds: seeds(30) }))

  it.effect("lets no time pass", () =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.sleep("1 millis"))
      yield* TestKernel.quiet
      assert.isTrue(yield* Process.isAlive(pid))
      yield* TestClock.adjust("1 millis")
      yield* TestKernel.quiet
      assert.isFalse(yield* Process.isAlive(pid))
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

describe("check", () => {
  it.effect("checks in the middle of a test", () =>
    Effect.gen(function* () {
      yield* TestKernel.check
      const pid = yield* idle("wanted")
      assert.strictEqual((yield* Effect.flip(TestKernel.check)).processes[0]?.pid, pid)
      yield* Process.kill(pid)
      yield* TestKernel.check
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

describe("what else is provided", () => {
  it.effect("a Layer above it lives in its kernel and ends before the check", () =>
    Effect.gen(function* () {
      const counter = yield* Counter
      assert.strictEqual(yield* counter.get(), 7)
      assert.strictEqual((yield* Kernel.counts).processes, 1)
    }).pipe(Effect.provide(Layer.provideMerge(Counter.definition.layer(7), TestKernel.layer)))
  )

  it.effect("an effect that is stopped from outside leaves nothing", () =>
    Effect.gen(function* () {
      const running = yield* Effect.forkChild(
        Effect.provide(Effect.andThen(idle("left"), Effect.never), TestKernel.layer)
      )
      yield* Effect.repeat(Effect.yieldNow, { times: 5 })
      yield* Fiber.interrupt(running)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(running)))
    })
  )
})

describe("adjust", () => {
  it.effect("lets a delay begin before it passes, and waits for what follows", () =>
    Effect.gen(function* () {
      const steps: Array<string> = []
      const step = (name: string) => Effect.sync(() => steps.push(name))
      yield* Process.spawn(
        Effect.yieldNow.pipe(
          Effect.andThen(Effect.sleep("1 minute")),
          Effect.andThen(step("first")),
          Effect.andThen(Effect.sleep("1 minute")),
          Effect.andThen(step("second"))
        )
      )
      yield* TestKernel.adjust("1 minute")
      assert.deepStrictEqual(steps, ["first"])
      yield* TestKernel.adjust("1 minute")
      assert.deepStrictEqual(steps, ["first", "second"])
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

describe("startSupervised", () => {
  class Fragile extends GenServer.Service<Fragile>()("test/Fragile", [
    Rpc.make("next", { success: Schema.Finite }),
    GenServer.cast("crash")
  ]) {
    static readonly definition = this.define({
      init: (first: number) => (first < 0 ? Effect.fail("negative" as const) : Effect.succeed(first)),
      handlers: { next: (_, n) => GenServer.reply(n, n + 1), crash: () => Effect.die("asked to") }
    })
    static readonly layer = this.definition.layer(1)
  }
  const silent = Layer.provideMerge(TestKernel.layer, Logger.layer([]))

  it.effect("starts a service that has a layer, and restarts it behind the same client", () =>
    Effect.gen(function* () {
      const fragile = yield* TestKernel.startSupervised(Fragile)
      assert.deepStrictEqual([yield* fragile.next(), yield* fragile.next()], [1, 2])
      yield* fragile.crash()
      assert.strictEqual(yield* fragile.next(undefined, { whenDown: "wait" }), 1)
    }).pipe(Effect.provide(silent))
  )

  it.effect("passes in any order", () =>
    SeededScheduler.explore(
      Effect.gen(function* () {
        const fragile = yield* TestKernel.startSupervised(Fragile)
        yield* fragile.crash()
        yield* TestKernel.quiet
        assert.strictEqual(yield* fragile.next(), 1)
      }).pipe(Effect.provide(silent)),
      { seeds: seeds(30) }
    )
  )

  it.effect("starts a Layer, a tree for example, and gives all it provides", () =>
    Effect.gen(function* () {
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.child(Fragile.definition.layer(5)), Supervisor.worker("w", Effect.never)]
      }) {}
      const context = yield* TestKernel.startSupervised(Tree.layer)
      assert.strictEqual(yield* Context.get(context, Fragile).next(), 5)
      const children = yield* Context.get(context, Tree).whichChildren
      assert.deepStrictEqual(
        children.map(({ state }) => state),
        ["running", "running"]
      )
    }).pipe(Effect.provide(silent))
  )

  it.effect("treats its child by its options", () =>
    Effect.gen(function* () {
      const fragile = yield* TestKernel.startSupervised(Fragile, { restart: "temporary" })
      yield* fragile.crash()
      yield* TestKernel.quiet
      assert.strictEqual((yield* Effect.flip(fragile.next())).started, "no")
      const other = yield* TestKernel.startSupervised(Fragile, { schedule: Schedule.spaced("1 minute") })
      yield* other.crash()
      yield* TestKernel.adjust("59 seconds")
      assert.strictEqual((yield* Effect.flip(other.next())).reason._tag, "NoProcess")
      yield* TestKernel.adjust("1 second")
      assert.strictEqual(yield* other.next(), 1)
    }).pipe(Effect.provide(silent))
  )

  it.effect("fails with the failure of the start", () =>
    Effect.gen(function* () {
      const layer = Fragile.definition.layer(-1)
      assert.strictEqual(yield* Effect.flip(TestKernel.startSupervised(layer)), "negative")
    }).pipe(Effect.provide(silent))
  )

  it.effect("stops later starts before earlier ones, at the end of the scope", () =>
    Effect.gen(function* () {
      const stopped: Array<string> = []
      const named = (name: string) =>
        Supervisor.Service<never>()(name, {
          strategy: "oneForOne",
          children: [
            Supervisor.worker(
              name,
              Effect.onExit(Effect.never, () => Effect.sync(() => stopped.push(name)))
            )
          ]
        })
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* TestKernel.startSupervised(named("first").layer)
          yield* TestKernel.startSupervised(named("second").layer)
          yield* TestKernel.quiet
          assert.deepStrictEqual(stopped, [])
        })
      )
      assert.deepStrictEqual(stopped, ["second", "first"])
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    }).pipe(Effect.provide(silent))
  )

  it.effect("fails for a process that does not end, without waiting for virtual time", () =>
    Effect.gen(function* () {
      class Stubborn extends GenServer.Service<Stubborn>()("test/Stubborn", []) {
        static readonly layer = this.define({
          init: () => Effect.void,
          handlers: {},
          terminate: () => Effect.never
        }).layer()
      }
      const error = yield* blame(TestKernel.startSupervised(Stubborn))
      assert.deepStrictEqual(
        error.processes.map(({ label, status }) => `${label} ${status}`),
        ["effect-otp/testing/TestKernel/Tree running", "test/Stubborn exiting"]
      )
    })
  )
})

describe("a test double", () => {
  const left = { next: () => Effect.succeed(17) }

  it.effect("has the methods it is given, and says which one it has not", () =>
    Effect.gen(function* () {
      class Fragile extends GenServer.Service<Fragile>()("test/Fragile", [
        Rpc.make("next", { success: Schema.Finite }),
        GenServer.cast("crash")
      ]) {}
      const double = TestDouble.make(Fragile, left)
      assert.strictEqual(yield* double.next(), 17)
      const exit = yield* Effect.exit(double.crash())
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.strictEqual(String(error), `Error: test/Fragile: the test double has no method "crash"`)
      assert.strictEqual(
        yield* Effect.provide(
          Fragile.use((fragile) => fragile.next()),
          TestDouble.layer(Fragile, left)
        ),
        17
      )
      // It can be printed, compared and awaited like any value.
      assert.deepStrictEqual(yield* GenServer.pid(double), Option.none())
      assert.strictEqual(yield* Effect.promise(() => Promise.resolve(double)), double)
      assert.isString(JSON.stringify(double))
      assert.deepStrictEqual(double, double)
      assert.notStrictEqual(double, TestDouble.make(Fragile, left))
    })
  )

  it.effect("is down for its monitors, and can replace a dynamic supervisor, too", () =>
    Effect.gen(function* () {
      class Counters extends DynamicSupervisor.Service<Counters>()("test/Counters", { child: Counter.definition }) {}
      const counter = TestDouble.make(Counter, { get: () => Effect.succeed(3) })
      const counters = TestDouble.make(Counters, { startChild: () => Effect.succeed(counter) })
      const started = yield* counters.startChild("a", 1)
      assert.strictEqual(yield* started.get(), 3)
      const probe = yield* Probe.make()
      const monitor = yield* probe.monitor(counter)
      assert.strictEqual((yield* probe.expectDown(monitor))._tag, "NoProcess")
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("can be a dependency of a supervised server, and says why it cannot be a child", () =>
    Effect.gen(function* () {
      class Reader extends GenServer.Service<Reader>()("test/Reader", [Rpc.make("seen", { success: Schema.Finite })]) {
        static readonly layer = this.define({
          init: () => Effect.flatMap(Counter, (counter) => Effect.orDie(counter.get())),
          handlers: { seen: (_, n) => GenServer.reply(n, n) }
        }).layer()
      }
      const double = TestDouble.layer(Counter, { get: () => Effect.succeed(3) })
      const reader = yield* Effect.provide(TestKernel.startSupervised(Reader), double)
      assert.strictEqual(yield* reader.seen(), 3)
      const exit = yield* Effect.exit(TestKernel.startSupervised(double))
      const error = Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
      assert.include(error, "Provide a test double where test/Counter is needed")
    }).pipe(Effect.provide(Layer.provideMerge(TestKernel.layer, Logger.layer([]))))
  )
})

layer(Layer.provideMerge(Counter.definition.layer(1), TestKernel.layer))("a block of tests in one kernel", (it) => {
  it.effect("has a server of its own", () =>
    Effect.gen(function* () {
      const counter = yield* Counter
      assert.strictEqual(yield* counter.get(), 1)
      const other = yield* Counter.definition.start(2)
      assert.strictEqual(yield* other.get(), 2)
      assert.strictEqual((yield* Kernel.counts).processes, 2)
    })
  )

  it.effect("releases what one test has acquired before the next", () =>
    Effect.map(Kernel.counts, ({ processes }) => assert.strictEqual(processes, 1))
  )
})
