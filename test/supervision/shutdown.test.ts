import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Schedule } from "effect"
import { Supervisor } from "effect-otp"
import { ExitReason, Kernel, type Pid, Process, type Shutdown } from "effect-otp/kernel"
import { runKids, type Script as KidScript, supervisorOf } from "../fixtures/dynamic.ts"
import {
  beside,
  boom,
  child,
  crash,
  end,
  failing,
  type Journal,
  type Line,
  pass,
  pidOf,
  quiet,
  run,
  server,
  treeTest,
  type World
} from "../fixtures/supervision.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

const reasons = (journal: Journal, ...names: ReadonlyArray<string>) =>
  Effect.forEach(names, (name) => Process.awaitExit(journal.pid(name)))

/** A part of a child's life that cannot be interrupted. */
const stubborn = (millis: number) => () => Effect.uninterruptible(Effect.sleep(millis))

describe("order", () => {
  treeTest("#156 stops in reverse order, each when the one before has ended", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b", { script: { terminate: () => Deferred.await(gate) } }),
          child(journal, "c")
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+a1", "+b1", "+c1")
      const closing = yield* beside(close)
      yield* journal.expect("-c1")
      assert.isTrue(yield* Process.isAlive(journal.pid("a")))
      yield* Deferred.succeed(gate, undefined)
      yield* closing.join
      yield* journal.expect("-b1", "-a1")
      assert.deepStrictEqual(
        yield* reasons(journal, "a", "b", "c"),
        Array.from({ length: 3 }, () => ExitReason.shutdown())
      )
    })
  )

  treeTest(
    "what a child has built with its Layer is released after its process, before its elder sibling",
    ({ journal }) =>
      Effect.gen(function* () {
        class Pool extends Context.Service<Pool, number>()("test/Pool") {}
        const pool = Layer.effect(
          Pool,
          Effect.acquireRelease(Effect.succeed(1), () => Effect.sync(() => journal.write("-pool")))
        )
        const B = server(journal, "b")
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [child(journal, "a"), Supervisor.child(B.layer.pipe(Layer.provide(pool)))]
        }) {}
        const { close } = yield* run(Sup.layer)
        yield* close
        yield* journal.expect("+a1", "+b1", "-b1", "-pool", "-a1")
      })
  )

  treeTest("#330 a stop does not wait for a start: it interrupts it", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b", { script: { init: (n) => (n === 1 ? Effect.void : Effect.never) } }),
          child(journal, "c")
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+a1", "+b1", "+c1")
      yield* crash(journal, "b")
      yield* journal.expect("-b1")
      yield* close
      yield* journal.expectAll("!b2", "-b2", "-c1", "-a1")
    })
  )

  treeTest("#117 its exit reason is Shutdown, and no one is told of a tree that was asked to end", ({ lines }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.worker("w", Effect.never)]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      const [sup] = yield* Kernel.processes
      yield* close
      assert.deepStrictEqual(yield* Process.awaitExit(sup!), ExitReason.shutdown())
      assert.deepStrictEqual(yield* Context.get(context, Sup).whichChildren, [])
      assert.deepStrictEqual(lines, [])
    })
  )
})

describe("limits", () => {
  treeTest("#172 a busy child is killed at its limit; the others end in good order", ({ journal, lines }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a", { shutdown: "1 second" }),
          child(journal, "b", { shutdown: "1 second", script: { terminate: () => Effect.never } })
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+a1", "+b1")
      const closing = yield* beside(close)
      yield* pass("999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("-b1", "-a1")
      yield* closing.join
      assert.deepStrictEqual(yield* reasons(journal, "a", "b"), [ExitReason.shutdown(), ExitReason.killed])
      assert.deepStrictEqual(lines, [
        { level: "Warn", message: "test/Sup: child b did not end within its shutdown limit and was killed (stop)" }
      ])
    })
  )

  treeTest("the default limit is 5 seconds", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { terminate: () => Effect.never } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      const closing = yield* beside(close)
      yield* pass("4999 millis")
      yield* journal.expect("+a1")
      yield* pass("1 millis")
      yield* journal.expect("-a1")
      yield* closing.join
    })
  )

  treeTest("#173 brutalKill kills at once: no terminate, but finalizers", ({ journal }) =>
    Effect.gen(function* () {
      const terminate = () => Effect.sync(() => journal.write("terminate"))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a", { script: { terminate } }),
          child(journal, "b", { shutdown: "brutalKill", script: { terminate } })
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* close
      yield* journal.expect("+a1", "+b1", "-b1", "terminate", "-a1")
      assert.deepStrictEqual(yield* reasons(journal, "a", "b"), [ExitReason.shutdown(), ExitReason.killed])
    })
  )

  treeTest("a limit of 0 asks first, and kills in the same moment", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: 0, script: { terminate: () => Effect.never } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      const closing = yield* beside(close)
      yield* pass("0 millis")
      yield* journal.expect("+a1", "-a1")
      yield* closing.join
    })
  )

  treeTest("infinity waits as long as it takes", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: "Infinity", script: { terminate: () => Effect.sleep("1 day") } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      const closing = yield* beside(close)
      yield* pass("23 hours")
      yield* journal.expect("+a1")
      yield* pass("1 hour")
      yield* journal.expect("-a1")
      yield* closing.join
      assert.deepStrictEqual(yield* reasons(journal, "a"), [ExitReason.shutdown()])
    })
  )

  treeTest("a supervisor has no limit of its own, unless it is given one", ({ journal }) =>
    Effect.gen(function* () {
      const slow = (name: string) =>
        child(journal, name, { shutdown: "1 hour", script: { terminate: () => Effect.sleep("30 minutes") } })
      class Patient extends Supervisor.Service<Patient>()("test/Patient", {
        strategy: "oneForOne",
        children: [slow("a"), slow("b")]
      }) {}
      class Brisk extends Supervisor.Service<Brisk>()("test/Brisk", {
        strategy: "oneForOne",
        children: [slow("c"), slow("d")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Patient.layer), Supervisor.child(Brisk.layer, { shutdown: "45 minutes" })]
      }) {}
      const { close } = yield* run(Outer.layer)
      yield* journal.expect("+a1", "+b1", "+c1", "+d1")
      const closing = yield* beside(close)
      yield* pass("30 minutes")
      yield* journal.expect("-d1")
      yield* pass("15 minutes")
      yield* journal.expect("-c1")
      assert.deepStrictEqual(yield* reasons(journal, "d", "c"), [ExitReason.shutdown(), ExitReason.killed])
      yield* pass("30 minutes")
      yield* journal.expect("-b1")
      yield* pass("30 minutes")
      yield* journal.expect("-a1")
      yield* closing.join
    })
  )

  treeTest("the limit counts for a supervisor that is still starting, too", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [
          child(journal, "b", { shutdown: "1 hour", script: { terminate: () => Effect.never } }),
          child(journal, "c", { script: { init: () => Effect.never } })
        ]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.child(Inner.layer, { shutdown: "1 second" })]
      }) {}
      const starting = yield* Effect.forkChild(run(Outer.layer))
      yield* journal.expect("+a1", "+b1")
      const stopping = yield* beside(Fiber.interrupt(starting))
      yield* pass("999 millis")
      yield* journal.expect("!c1", "-c1")
      yield* pass("1 millis")
      yield* journal.expect("-b1", "-a1")
      yield* stopping.join
    })
  )

  treeTest("a child that ends by itself has its limit, too", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: "1 second", script: { terminate: () => Effect.never } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+a1")
      const first = journal.pid("a")
      yield* crash(journal, "a")
      yield* pass("999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("-a1", "+a2")
      // It keeps its own reason.
      assert.strictEqual((yield* Process.awaitExit(first))._tag, "Crash")
      const closing = yield* beside(close)
      yield* pass("1 second")
      yield* closing.join
    })
  )

  treeTest("even one that began to end before its start was through", ({ events, journal }) =>
    Effect.gen(function* () {
      const release = Effect.andThen(
        Effect.uninterruptible(Effect.sleep("1 hour")),
        Effect.sync(() => journal.write("-w"))
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.worker(
            "w",
            Effect.addFinalizer(() => release),
            { restart: "transient", shutdown: "1 second" }
          )
        ]
      }) {}
      yield* run(Sup.layer)
      yield* pass("999 millis")
      assert.notInclude(
        events.map(({ name }) => name),
        "child.exit"
      )
      yield* pass("1 millis")
      assert.include(
        events.map(({ name }) => name),
        "child.exit"
      )
      yield* pass("1 hour")
      yield* journal.expect("-w")
    })
  )

  treeTest("#174 siblings that end by themselves while a slow one stops are not restarted", ({ journal }) =>
    Effect.gen(function* () {
      const ends = [ExitReason.normal, ExitReason.shutdown(), ExitReason.shutdown("test"), boom]
      const restarts = ["permanent", "transient", "temporary"] as const
      const siblings = restarts.flatMap((restart) =>
        ends.map((reason, index) => ({ restart, reason, name: `${restart}${index}` }))
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          ...siblings.map(({ name, restart }) => child(journal, name, { restart })),
          child(journal, "slow", { script: { terminate: () => Effect.sleep("1 second") } })
        ]
      }) {}
      const { close } = yield* run(Sup.layer as Layer.Layer<Sup>)
      yield* journal.expect(...siblings.map(({ name }) => `+${name}1`), "+slow1")
      const closing = yield* beside(close)
      yield* quiet
      yield* Effect.forEach(siblings, ({ name, reason }) => end(journal, name, reason))
      yield* journal.expectAll(...siblings.map(({ name }) => `-${name}1`))
      yield* pass("1 second")
      yield* closing.join
      yield* journal.expect("-slow1")
      const ended = yield* reasons(journal, ...siblings.map(({ name }) => name))
      assert.deepStrictEqual(
        ended.map(({ _tag }) => _tag),
        siblings.map(({ reason }) => reason._tag)
      )
    })
  )
})

describe("a stop in the middle", () => {
  treeTest("of a restart delay: nothing starts any more", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.spaced("1 minute"),
        children: [child(journal, "a"), child(journal, "b")]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "+b1", "-a1")
      yield* close
      yield* journal.expect("-b1")
      yield* pass("1 hour")
      yield* journal.expect()
    })
  )

  treeTest("#166 of a restart loop: it ends", ({ journal }) =>
    Effect.gen(function* () {
      const init = (n: number) =>
        n === 1 ? Effect.void : Effect.andThen(Effect.sleep("100 millis"), failing("a", n)(n))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 1000, within: "10 seconds" },
        children: [child(journal, "a", { script: { init } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* pass("100 millis")
      yield* pass("50 millis")
      yield* journal.expect("+a1", "-a1", "!a2", "-a2")
      yield* close
      yield* journal.expect("!a3", "-a3")
    })
  )

  treeTest("of an immediate restart loop that never ends: it ends", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.forever,
        children: [child(journal, "a", { script: { init: (n) => (n === 1 ? Effect.void : failing("a", n)(n)) } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* end(journal, "a", boom)
      for (let step = 0; step < 20; step++) yield* Effect.yieldNow
      yield* close
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    })
  )

  treeTest("of a group restart, while the group stops", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [
          child(journal, "a"),
          child(journal, "b"),
          child(journal, "c", { script: { terminate: () => Effect.sleep("1 second") } })
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "b")
      yield* journal.expect("+a1", "+b1", "+c1", "-b1")
      const closing = yield* beside(close)
      yield* pass("1 second")
      yield* closing.join
      yield* journal.expect("-c1", "-a1")
    })
  )

  treeTest("of a group restart, while the group starts", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [
          child(journal, "a"),
          child(journal, "b", { script: { init: (n) => (n === 1 ? Effect.void : Effect.never) } }),
          child(journal, "c")
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "c")
      yield* journal.expect("+a1", "+b1", "+c1", "-c1", "-b1", "-a1", "+a2")
      yield* close
      yield* journal.expectAll("!b2", "-b2", "-a2")
    })
  )

  treeTest("of asking a schedule that never answers: its fiber ends, too", ({ journal }) =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      let interrupted = false
      const question = Effect.andThen(Deferred.succeed(asked, undefined), Effect.never).pipe(
        Effect.onInterrupt(() => Effect.sync(() => (interrupted = true)))
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.forever.pipe(Schedule.while(() => question)),
        children: [child(journal, "a")]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* Deferred.await(asked)
      yield* close
      yield* quiet
      assert.isTrue(interrupted)
    })
  )
})

describe("what does not end", () => {
  treeTest("is reported as a zombie at the stop, and left behind", ({ events, journal, lines }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b", { shutdown: "1 second", script: { terminate: stubborn(60_000) } })
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+a1", "+b1")
      const closing = yield* beside(close)
      yield* pass("1 second")
      // It is killed now, and links and monitors see it as dead. But `a` is not stopped before `b` has had its time.
      assert.deepStrictEqual(yield* reasons(journal, "b"), [ExitReason.killed])
      assert.isTrue(yield* Process.isAlive(journal.pid("a")))
      yield* pass("1 second")
      yield* closing.join
      yield* journal.expect("-a1")
      assert.strictEqual((yield* Kernel.counts).zombies, 1)
      const zombies = events.filter(({ name }) => name === "child.zombie")
      const metadata = { supervisor: "test/Sup", child: "b", incarnation: 1, pid: journal.pid("b") }
      assert.deepStrictEqual(zombies, [{ name: "child.zombie", measurements: { count: 1 }, metadata }])
      assert.deepStrictEqual(lines, [
        { level: "Warn", message: "test/Sup: child b did not end within its shutdown limit and was killed (stop)" },
        { level: "Warn", message: "test/Sup: child b did not end within its shutdown limit" }
      ])
      yield* pass("1 minute")
      yield* journal.expect("-b1")
    })
  )

  treeTest("is a failed start if it has to be restarted: the successor waits, and the limit names it", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        intensity: { max: 3, within: "1 minute" },
        children: [child(journal, "a", { shutdown: "1 second", script: { terminate: stubborn(60_000) } })]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 second" },
        children: [Supervisor.child(Inner.layer)]
      }) {}
      yield* run(Outer.layer)
      const [, inner] = yield* Kernel.processes
      yield* crash(journal, "a")
      // Killed after 1 second; overdue after 2, 3 and 4. With the crash these are four failures.
      yield* pass("3 seconds")
      yield* journal.expect("+a1")
      assert.isTrue(yield* Process.isAlive(inner!))
      yield* pass("1 second")
      const reason = yield* Process.awaitExit(inner!)
      assert.strictEqual(reason._tag, "Shutdown")
      const limit = reason._tag === "Shutdown" ? reason.detail : undefined
      assert.instanceOf(limit, Supervisor.RestartLimit)
      assert.strictEqual(limit.attempts, 4)
      assert.include(String(limit), "a did not end within its shutdown limit")
      yield* pass("1 minute")
      yield* journal.expect("-a1")
    })
  )

  treeTest("is not reported again when its supervisor has gone", ({ events, journal, lines }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: "1 second", script: { terminate: stubborn(60_000) } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* pass("2500 millis")
      const closing = yield* beside(close)
      // It was told to stop again at 2 seconds, and has its time.
      yield* pass("500 millis")
      yield* closing.join
      yield* pass("1 minute")
      yield* journal.expect("+a1", "-a1")
      assert.strictEqual(events.filter(({ name }) => name === "child.zombie").length, 2)
      assert.strictEqual(lines.filter(({ level }) => level === "Warn").length, 2)
    })
  )

  treeTest("is started again once it has ended after all", ({ journal }) =>
    Effect.gen(function* () {
      const terminate = (reason: ExitReason.ExitReason) => (reason._tag === "Crash" ? stubborn(4_500)() : Effect.void)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 4, within: "1 minute" },
        children: [child(journal, "a", { shutdown: "1 second", script: { terminate } })]
      }) {}
      yield* run(Sup.layer)
      yield* journal.expect("+a1")
      yield* crash(journal, "a")
      yield* pass("4 seconds")
      yield* journal.expect()
      yield* pass("500 millis")
      yield* journal.expect("-a1", "+a2")
    })
  )

  treeTest("delays its earlier siblings and its dependencies, in a group restart", ({ journal }) =>
    Effect.gen(function* () {
      class Pool extends Context.Service<Pool, number>()("test/Pool") {}
      const pool = Layer.effect(
        Pool,
        Effect.acquireRelease(
          Effect.sync(() => journal.begin("pool")),
          (n) => Effect.sync(() => journal.write(`-pool${n}`))
        )
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [
          Supervisor.resource(Pool, pool),
          child(journal, "a"),
          child(journal, "b", { shutdown: "brutalKill", script: { init: () => Effect.addFinalizer(stubborn(3_000)) } }),
          child(journal, "c")
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+a1", "+b1", "+c1")
      yield* crash(journal, "c")
      yield* journal.expect("-c1")
      // Links and monitors see it as dead at once, but it has not ended.
      assert.deepStrictEqual(yield* reasons(journal, "b"), [ExitReason.killed])
      yield* pass("2999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("-b1", "-a1", "-pool1", "+a2", "+b2", "+c2")
      const closing = yield* beside(close)
      yield* pass("3 seconds")
      yield* closing.join
    })
  )

  treeTest("a Layer's finalizer that dies is written to the log", ({ journal, lines }) =>
    Effect.gen(function* () {
      const leaky = Layer.effectDiscard(Effect.addFinalizer(() => Effect.die(new Error("cannot close"))))
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer.pipe(Layer.provide(leaky)), { id: "a" })]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* close
      assert.deepStrictEqual(lines, [
        { level: "Error", message: "test/Sup: child a failed while it released what it held" }
      ])
    })
  )
})

describe("what is dead and does not let go", () => {
  const zombies = (events: World["events"]) => events.filter(({ name }) => name === "child.zombie").length

  /** A finalizer of the first run that waits for a gate. */
  const held = (gate: Deferred.Deferred<void>) => (n: number) =>
    n === 1 ? Effect.addFinalizer(() => Deferred.await(gate)) : Effect.void

  treeTest("has 5 seconds, though there is no limit to its orderly end", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: "Infinity", script: { init: held(gate) } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* Process.kill(journal.pid("a"))
      yield* pass("4999 millis")
      assert.strictEqual(zombies(events), 0)
      yield* pass("1 millis")
      assert.strictEqual(zombies(events), 1)
      const terminating = yield* beside(Context.get(context, Sup).terminateChild("a"))
      yield* pass("5 seconds")
      yield* terminating.join
      yield* Deferred.succeed(gate, undefined)
      yield* quiet
      yield* Context.get(context, Sup).restartChild("a")
      yield* journal.expect("+a1", "-a1", "+a2")
    })
  )

  treeTest("is waited for without a limit while it ends in good order", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const terminate = () => Deferred.await(gate)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: "Infinity", script: { terminate } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      const closing = yield* beside(close)
      yield* pass("1 hour")
      assert.isFalse(yield* closing.isDone)
      yield* Deferred.succeed(gate, undefined)
      yield* closing.join
      assert.strictEqual(zombies(events), 0)
    })
  )

  treeTest("leaves its key after 5 seconds under a dynamic supervisor", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init: KidScript["init"] = (_, n) => held(gate)(n)
      const { kids, start } = yield* runKids(journal, { restart: "temporary", shutdown: "Infinity", script: { init } })
      yield* start("a")
      yield* Process.kill(journal.pid("a"))
      const starting = yield* beside(start("a"))
      yield* pass("4999 millis")
      assert.isFalse(yield* starting.isDone)
      yield* pass("1 millis")
      yield* starting.join
      assert.strictEqual(zombies(events), 1)
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a1", "+a2", "-a1")
    })
  )

  treeTest("is a failed restart under a dynamic supervisor, and is waited for again", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init: KidScript["init"] = (_, n) => held(gate)(n)
      const { start } = yield* runKids(journal, { shutdown: "Infinity", script: { init } })
      yield* start("a")
      yield* Process.kill(journal.pid("a"))
      yield* pass("5 seconds")
      assert.strictEqual(zombies(events), 1)
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a1", "-a1", "+a2")
    })
  )

  treeTest("is waited for again and again, which never adds up to giving up", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a"), child(journal, "b", { script: { init: held(gate) } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* Process.kill(journal.pid("b"))
      yield* journal.expect("+a1", "+b1")
      for (let waits = 1; waits <= 60; waits++) {
        yield* pass("5 seconds")
        assert.strictEqual(zombies(events), waits)
      }
      yield* journal.expect()
      assert.deepStrictEqual(
        (yield* Context.get(context, Sup).whichChildren).map(({ id, state }) => [id, state]),
        [
          ["a", "running"],
          ["b", "restarting"]
        ]
      )
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("-b1", "+b2")
    })
  )

  treeTest("is waited for again and again under a dynamic supervisor, which does not give up", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init: KidScript["init"] = (_, n) => held(gate)(n)
      const { kids, start } = yield* runKids(journal, { script: { init } })
      yield* start("a")
      yield* Process.kill(journal.pid("a"))
      yield* journal.expect("+a1")
      for (let waits = 1; waits <= 60; waits++) {
        yield* pass("5 seconds")
        assert.strictEqual(zombies(events), waits)
      }
      yield* journal.expect()
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 0, restarting: 1 })
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("-a1", "+a2")
    })
  )

  for (const [title, options, waits] of [
    ["an intensity with a longer window", { intensity: { max: 3, within: "1 minute" } }, 3],
    ["a schedule that ends", { schedule: Schedule.recurs(2) }, 2]
  ] as const) {
    treeTest(`makes its supervisor give up with ${title}: each wait is one failure`, ({ events, journal }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          ...options,
          children: [child(journal, "a"), child(journal, "b", { script: { init: held(gate) } })]
        }) {}
        const { context } = yield* run(Sup.layer)
        const supervisor = yield* pidOf(Context.get(context, Sup))
        yield* Process.kill(journal.pid("b"))
        for (let n = 1; n < waits; n++) yield* pass("5 seconds")
        yield* pass("4999 millis")
        yield* journal.expect("+a1", "+b1")
        assert.strictEqual(zombies(events), waits - 1)
        yield* pass("1 millis")
        yield* journal.expect("-a1")
        const reason = yield* Process.awaitExit(supervisor)
        assert.include(reason._tag === "Shutdown" ? reason.detail : undefined, { attempts: waits + 1 })
        yield* Deferred.succeed(gate, undefined)
        yield* journal.expect("-b1")
      })
    )
  }

  treeTest("is left behind, also if it is what the Layer of a nested supervisor holds", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "b")]
      }) {}
      const pool = Layer.effectDiscard(Effect.addFinalizer(() => Deferred.await(gate)))
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.child(Layer.provide(Inner.layer, pool), { id: "inner" })]
      }) {}
      const { close } = yield* run(Outer.layer)
      const closing = yield* beside(close)
      yield* journal.expect("+a1", "+b1", "-b1")
      yield* pass("5 seconds")
      yield* closing.join
      yield* journal.expect("-a1")
      assert.strictEqual(zombies(events), 1)
      yield* Deferred.succeed(gate, undefined)
    })
  )
})

describe("a killed supervisor", () => {
  const tree = (journal: Journal, release: () => Effect.Effect<void> = () => Effect.void) => {
    const C = server(journal, "c", { init: () => Effect.addFinalizer(release) })
    class Leaf extends Supervisor.Service<Leaf>()("test/Leaf", {
      strategy: "oneForOne",
      children: [Supervisor.child(C.layer), child(journal, "d")]
    }) {}
    class Inner extends Supervisor.Service<Inner>()("test/Inner", {
      strategy: "oneForOne",
      children: [child(journal, "b"), Supervisor.child(Leaf.layer)]
    }) {}
    class Outer extends Supervisor.Service<Outer>()("test/Outer", {
      strategy: "oneForOne",
      children: [child(journal, "a"), Supervisor.child(Inner.layer, { id: "inner" })]
    }) {}
    return { Outer, Inner, C }
  }

  treeTest("has all its descendants end before its parent restarts it", ({ journal }) =>
    Effect.gen(function* () {
      const { Outer, Inner } = tree(journal, stubborn(3_000))
      const { context, close } = yield* run(Outer.layer)
      yield* journal.expect("+a1", "+b1", "+c1", "+d1")
      yield* Process.kill(yield* pidOf(Context.get(context, Inner)))
      yield* journal.expect("-d1")
      // Its handle says so at once.
      assert.deepStrictEqual(yield* Context.get(context, Inner).whichChildren, [])
      yield* pass("2999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("-c1", "-b1", "+b2", "+c2", "+d2")
      const closing = yield* beside(close)
      yield* pass("3 seconds")
      yield* closing.join
    })
  )

  treeTest("its handles work again after the restart", ({ journal }) =>
    Effect.gen(function* () {
      const { Outer, Inner, C } = tree(journal)
      const { context } = yield* run(Outer.layer)
      const c = Context.get(context, C)
      assert.strictEqual(yield* c.incarnation(), 1)
      const first = journal.pid("c")
      yield* Process.kill(yield* pidOf(Context.get(context, Inner)))
      yield* Process.awaitExit(first)
      assert.strictEqual(yield* c.incarnation(undefined, { whenDown: "wait" }), 2)
      yield* quiet
      assert.deepStrictEqual(
        (yield* Context.get(context, Inner).whichChildren).map(({ id, state }) => ({ id, state })),
        [
          { id: "b", state: "running" },
          { id: "child 2", state: "running" }
        ]
      )
    })
  )

  treeTest("whatever it was doing: a child's init, a delay, a stop", ({ journal }) =>
    Effect.gen(function* () {
      let terminate: Effect.Effect<void> = Effect.never
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [
          child(journal, "b", { schedule: Schedule.spaced("1 minute") }),
          child(journal, "c", { script: { init: (n) => (n === 2 ? Effect.never : Effect.void) } }),
          child(journal, "d", { shutdown: "Infinity", script: { terminate: () => terminate } })
        ]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer, { id: "inner" })]
      }) {}
      const { context } = yield* run(Outer.layer)
      yield* journal.expect("+b1", "+c1", "+d1")
      yield* crash(journal, "b")
      yield* crash(journal, "c")
      yield* Effect.forkScoped(Context.get(context, Inner).terminateChild("d"))
      yield* journal.expectAll("-b1", "-c1")
      yield* Process.kill(yield* pidOf(Context.get(context, Inner)))
      yield* journal.expect("-d1", "!c2", "-c2", "+b2", "+c3", "+d2")
      terminate = Effect.void
    })
  )

  /** `b` holds something that is not released before the gate opens. */
  const stuck = (
    journal: Journal,
    gate: Deferred.Deferred<void>,
    options: { readonly shutdown?: Shutdown.Limit } = {}
  ) => {
    const init = (n: number) => (n === 1 ? Effect.addFinalizer(() => Deferred.await(gate)) : Effect.void)
    class Inner extends Supervisor.Service<Inner>()("test/Inner", {
      strategy: "oneForOne",
      children: [
        child(journal, "a"),
        Supervisor.child(server(journal, "b", { init }).layer, { id: "b", ...options }),
        child(journal, "c")
      ]
    }) {}
    class Outer extends Supervisor.Service<Outer>()("test/Outer", {
      strategy: "oneForOne",
      children: [Supervisor.child(Inner.layer, { id: "inner" })]
    }) {}
    return { Inner, Outer }
  }

  const killed: Line = { level: "Warn", message: "test/Outer: child inner was killed (restart)" }
  const zombie: Line = { level: "Warn", message: "test/Inner: child b did not end within its shutdown limit" }

  for (const [shutdown, millis] of [
    [undefined, 5_000],
    ["brutalKill", 5_000],
    ["Infinity", 5_000],
    ["1 second", 1_000]
  ] as const) {
    treeTest(`goes on without a child that does not end within its limit: ${shutdown}`, ({ events, journal, lines }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { Inner, Outer } = stuck(journal, gate, shutdown === undefined ? {} : { shutdown })
        const { context } = yield* run(Outer.layer)
        yield* journal.expect("+a1", "+b1", "+c1")
        yield* Process.kill(yield* pidOf(Context.get(context, Inner)))
        yield* journal.expect("-c1")
        yield* pass(millis - 1)
        yield* journal.expect()
        yield* pass(1)
        // Its earlier sibling is stopped all the same.
        yield* journal.expect("-a1")
        assert.deepStrictEqual(lines, [killed, zombie])
        assert.strictEqual(events.filter(({ name }) => name === "child.zombie").length, 1)
        // A second one is not started while the first is still there.
        yield* Deferred.succeed(gate, undefined)
        yield* journal.expect("-b1", "+a2", "+b2", "+c2")
      })
    )
  }

  treeTest("whose child never ends is not started again, and that is a failed start", ({ journal, lines }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { Inner, Outer } = stuck(journal, gate)
      const { context } = yield* run(Outer.layer)
      const outer = Context.get(context, Outer)
      yield* Process.kill(yield* pidOf(Context.get(context, Inner)))
      yield* pass("5 seconds")
      yield* journal.expect("+a1", "+b1", "+c1", "-c1", "-a1")
      assert.deepStrictEqual(
        (yield* outer.whichChildren).map(({ state }) => state),
        ["restarting"]
      )
      yield* pass("5 seconds")
      yield* journal.expect()
      yield* outer.terminateChild("inner")
      const restart = yield* beside(Effect.flip(outer.restartChild("inner")))
      yield* pass("5 seconds")
      const error = yield* restart.join
      assert.strictEqual(error._tag, "StartFailed")
      assert.include(String(error), "inner did not end within its shutdown limit")
      assert.deepStrictEqual(lines.slice(0, 2), [killed, zombie])
      yield* Deferred.succeed(gate, undefined)
      yield* quiet
      yield* outer.restartChild("inner")
      yield* journal.expect("-b1", "+a2", "+b2", "+c2")
    })
  )

  treeTest("leaves behind what a supervisor below has left behind", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { Outer } = stuck(journal, gate)
      class Top extends Supervisor.Service<Top>()("test/Top", {
        strategy: "oneForOne",
        children: [Supervisor.child(Outer.layer, { id: "outer" })]
      }) {}
      const { context } = yield* run(Top.layer)
      yield* Process.kill(yield* pidOf(Context.get(context, Outer)))
      yield* pass("5 seconds")
      yield* journal.expect("+a1", "+b1", "+c1", "-c1", "-a1")
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("-b1", "+a2", "+b2", "+c2")
    })
  )

  treeTest("at the root ends, though a child does not", ({ journal, lines }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { Inner } = stuck(journal, gate)
      const { close, context } = yield* run(Inner.layer)
      yield* Process.kill(yield* pidOf(Context.get(context, Inner)))
      const closing = yield* beside(close)
      yield* pass("5 seconds")
      yield* closing.join
      assert.deepStrictEqual(lines, [
        zombie,
        { level: "Fatal", message: "The supervision tree test/Inner ended: Killed" }
      ])
      yield* Deferred.succeed(gate, undefined)
    })
  )

  treeTest("is not started before what was left when it stopped has ended", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { Outer } = stuck(journal, gate)
      const { context } = yield* run(Outer.layer)
      const outer = Context.get(context, Outer)
      const stopping = yield* beside(outer.terminateChild("inner"))
      yield* pass("10 seconds")
      yield* stopping.join
      yield* journal.expect("+a1", "+b1", "+c1", "-c1", "-a1")
      const starting = yield* beside(outer.restartChild("inner"))
      yield* pass("3 seconds")
      yield* journal.expect()
      yield* Deferred.succeed(gate, undefined)
      yield* starting.join
      yield* journal.expect("-b1", "+a2", "+b2", "+c2")
    })
  )

  treeTest(
    "that is dynamic goes on without a child that does not end, and waits for it before it is started again",
    ({ events, journal }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const init: KidScript["init"] = (key, n) =>
          key === "b" && n === 1 ? Effect.addFinalizer(() => Deferred.await(gate)) : Effect.void
        const Kids = supervisorOf(journal, { shutdown: "Infinity", script: { init } })
        class Top extends Supervisor.Service<Top>()("test/Top", {
          strategy: "oneForOne",
          children: [Supervisor.child(Kids.layer, { id: "kids" })]
        }) {}
        const { context } = yield* run(Top.layer)
        const kids = Context.get(context, Kids)
        yield* kids.startChild("a", "a")
        yield* kids.startChild("b", "b")
        yield* Process.kill(yield* pidOf(kids))
        yield* journal.expect("+a1", "+b1", "-a1")
        yield* pass("5 seconds")
        assert.strictEqual(events.filter(({ name }) => name === "child.zombie").length, 1)
        assert.strictEqual((yield* Effect.flip(kids.startChild("b", "b")))._tag, "SupervisorDown")
        yield* Deferred.succeed(gate, undefined)
        yield* journal.expect("-b1")
        yield* kids.startChild("b", "b")
        yield* journal.expect("+b2")
      })
  )

  treeTest("at the root: it is logged as fatal, and its handles fail with that reason", ({ journal, lines }) =>
    Effect.gen(function* () {
      const { Outer, C } = tree(journal)
      const { context } = yield* run(Outer.layer)
      yield* Process.kill(yield* pidOf(Context.get(context, Outer)))
      yield* journal.expect("+a1", "+b1", "+c1", "+d1", "-d1", "-c1", "-b1", "-a1")
      assert.deepStrictEqual(lines, [{ level: "Fatal", message: "The supervision tree test/Outer ended: Killed" }])
      const error = yield* Effect.flip(Context.get(context, C).incarnation())
      assert.deepStrictEqual(fieldsOf(error.reason), { _tag: "ServerDown", reason: ExitReason.killed })
    })
  )
})

describe("signals", () => {
  for (const reason of [ExitReason.normal, ExitReason.shutdown(), boom]) {
    treeTest(`#328 a stranger's exit signal is ignored: ${reason._tag}`, ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [child(journal, "a")]
        }) {}
        const { context } = yield* run(Sup.layer)
        const sup = yield* pidOf(Context.get(context, Sup))
        yield* Process.exit(sup, reason)
        yield* Process.awaitExit(yield* Process.spawn(Process.exit(sup, reason)))
        yield* journal.expect("+a1")
        assert.isTrue(yield* Process.isAlive(sup))
      })
    )
  }

  treeTest("#328 the crash of a stranger that is linked to it is ignored", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = yield* pidOf(Context.get(context, Sup))
      const stranger = yield* Process.spawn(Effect.andThen(Effect.orDie(Process.link(sup)), Effect.die("boom")))
      assert.strictEqual((yield* Process.awaitExit(stranger))._tag, "Crash")
      yield* journal.expect("+a1")
      assert.isTrue(yield* Process.isAlive(sup))
    })
  )

  treeTest("#328 a message is counted, and ignored", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = yield* pidOf(Context.get(context, Sup))
      yield* Process.send(sup as Pid.Pid<unknown>, "hello")
      yield* journal.expect("+a1")
      assert.isTrue(yield* Process.isAlive(sup))
    })
  )

  treeTest("its parent's exit signal ends it in good order", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "b")]
      }) {}
      const host = yield* Process.spawn((inbox: Process.Inbox<"end it">) =>
        Effect.gen(function* () {
          const { context } = yield* run(Inner.layer)
          yield* inbox.take
          yield* Process.exit(yield* pidOf(Context.get(context, Inner)), ExitReason.shutdown("enough"))
          return yield* Effect.never
        })
      )
      yield* journal.expect("+b1")
      yield* Process.send(host, "end it")
      yield* journal.expect("-b1")
      assert.isTrue(yield* Process.isAlive(host))
      yield* Process.kill(host)
    })
  )
})
