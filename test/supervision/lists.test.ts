/** What supervisors say of their children is never older than what the caller has seen. */
import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schedule } from "effect"
import { DynamicSupervisor, GenServer, PartitionSupervisor, Supervisor, TaskSupervisor } from "effect-otp"
import { ExitReason, type Pid, Process, Signal } from "effect-otp/kernel"
import { kid, runKids } from "../fixtures/dynamic.ts"
import { asProcess } from "../fixtures/kernel.ts"
import { boom, child, crash, end, pass, pidOf, run, server, treeTest } from "../fixtures/supervision.ts"

/** Runs `end`, waits for the `Down` of a process, and asks in the step in which it is received. */
const afterDown = <A, E>(pid: Pid.Pid, end: Effect.Effect<unknown>, ask: Effect.Effect<A, E>) =>
  asProcess((inbox: Process.Inbox<unknown>) =>
    Effect.gen(function* () {
      yield* Process.monitor(pid)
      yield* end
      yield* inbox.receive(Signal.isDown)
      return yield* ask
    })
  )

/** Asks until an incarnation of a server has answered. */
const answersAs = (
  client: {
    readonly incarnation: (_: undefined, options: { readonly whenDown: "wait" }) => Effect.Effect<number, unknown>
  },
  incarnation: number
): Effect.Effect<void> =>
  Effect.flatMap(Effect.exit(client.incarnation(undefined, { whenDown: "wait" })), (exit) =>
    Exit.isSuccess(exit) && exit.value === incarnation ? Effect.void : answersAs(client, incarnation)
  )

const endings = [ExitReason.normal, boom, ExitReason.killed]

/** A finalizer that outlives a kill. */
const slow = () => Effect.addFinalizer(() => Effect.uninterruptible(Effect.sleep("1 second")))

/** Only for the first run of the child `a`. */
const slowFirst = (key: string, incarnation: number) => (key === "a" && incarnation === 1 ? slow() : Effect.void)

describe("a restarted child that has answered", () => {
  treeTest(
    "is running for its supervisor",
    ({ journal }) =>
      Effect.gen(function* () {
        const A = server(journal, "a")
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [Supervisor.child(A.layer, { id: "a" }), child(journal, "b")]
        }) {}
        const { context } = yield* run(Sup.layer)
        const [a, sup] = [Context.get(context, A), Context.get(context, Sup)]
        yield* crash(journal, "a")
        yield* answersAs(a, 2)
        assert.deepStrictEqual(yield* sup.whichChildren, [
          { id: "a", kind: "child", state: "running", pid: journal.pid("a"), restarts: 1 },
          { id: "b", kind: "child", state: "running", pid: journal.pid("b"), restarts: 0 }
        ])
        assert.deepStrictEqual(yield* Effect.flip(sup.restartChild("a")), new Supervisor.ChildRunning({ id: "a" }))
      }),
    100
  )

  treeTest("is running though its Layer still builds", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const A = server(journal, "a")
      const warmUp = Layer.effectDiscard(
        Effect.suspend(() => (journal.begin("warm") === 1 ? Effect.void : Deferred.await(gate)))
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(warmUp.pipe(Layer.provideMerge(A.layer)), { id: "a" })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const [a, sup] = [Context.get(context, A), Context.get(context, Sup)]
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      assert.strictEqual(yield* a.incarnation(), 2)
      assert.deepStrictEqual(
        (yield* sup.whichChildren).map(({ state }) => state),
        ["running"]
      )
      assert.deepStrictEqual(yield* Effect.flip(sup.restartChild("a")), new Supervisor.ChildRunning({ id: "a" }))
      yield* Deferred.succeed(gate, undefined)
    })
  )

  treeTest(
    "is running for a dynamic supervisor, and found there",
    ({ journal }) =>
      Effect.gen(function* () {
        const { kids, start } = yield* runKids(journal)
        const a = yield* start("a")
        assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
        yield* crash(journal, "a")
        yield* answersAs(a, 2)
        assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
        assert.deepStrictEqual(yield* kids.whichChildren, [
          { key: "a", state: "running", pid: journal.pid("a"), restarts: 1 }
        ])
      }),
    100
  )

  treeTest(
    "is running for a partition supervisor",
    ({ journal }) =>
      Effect.gen(function* () {
        class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", {
          child: kid(journal),
          args: (partition) => [`p${partition}`],
          partitions: 3
        }) {}
        const { context } = yield* run(Parts.layer)
        const parts = Context.get(context, Parts)
        const client = yield* parts.client(1)
        yield* crash(journal, "p1")
        yield* answersAs(client, 2)
        assert.deepStrictEqual(yield* parts.countChildren, { children: 3, active: 3, restarting: 0 })
        assert.deepStrictEqual((yield* parts.whichChildren)[1], {
          partition: 1,
          state: "running",
          pid: journal.pid("p1"),
          restarts: 1
        })
      }),
    100
  )

  treeTest(
    "of a dynamic supervisor is found before its starter knows",
    () =>
      Effect.gen(function* () {
        const there = yield* Deferred.make<void>()
        class Eager extends GenServer.Service<Eager>()("test/Eager", []) {
          static readonly definition = this.define({
            init: () => Effect.andThen(Effect.yieldNow, Effect.succeed(GenServer.initial(0, { continue: "now" }))),
            handlers: {},
            continue: (_: "now", state) => Effect.as(Deferred.succeed(there, undefined), GenServer.noReply(state))
          })
        }
        class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", { child: Eager.definition }) {}
        const kids = Context.get((yield* run(Kids.layer)).context, Kids)
        yield* Effect.forkChild(kids.startChild("e"))
        yield* Deferred.await(there)
        assert.isTrue(Option.isSome(yield* kids.get("e")))
        assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
      }),
    100
  )
})

describe("a supervisor whose children all answer", () => {
  treeTest(
    "is running for the supervisor above",
    ({ journal }) =>
      Effect.gen(function* () {
        const A = server(journal, "a")
        const B = server(journal, "b")
        class Inner extends Supervisor.Service<Inner>()("test/Inner", {
          strategy: "oneForOne",
          children: [Supervisor.child(A.layer), Supervisor.child(B.layer)]
        }) {}
        class Outer extends Supervisor.Service<Outer>()("test/Outer", {
          strategy: "oneForOne",
          children: [Supervisor.child(Inner.layer, { id: "inner" })]
        }) {}
        const { context } = yield* run(Outer.layer)
        yield* Process.kill(yield* pidOf(Context.get(context, Inner)))
        yield* answersAs(Context.get(context, B), 2)
        assert.deepStrictEqual(
          (yield* Context.get(context, Inner).whichChildren).map(({ state }) => state),
          ["running", "running"]
        )
        assert.deepStrictEqual(
          (yield* Context.get(context, Outer).whichChildren).map(({ state }) => state),
          ["running"]
        )
      }),
    100
  )
})

describe("a temporary child whose Down has arrived", () => {
  for (const reason of endings) {
    treeTest(`is gone: ${reason._tag}`, ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [child(journal, "a", { restart: "temporary", script: { init: slow } }), child(journal, "b")]
        }) {}
        const { context } = yield* run(Sup.layer)
        const sup = Context.get(context, Sup)
        // After an orderly end the finalizers run before the death.
        const ask = yield* Effect.forkChild(afterDown(journal.pid("a"), end(journal, "a", reason), sup.whichChildren))
        yield* pass("1 second")
        assert.deepStrictEqual(
          (yield* Fiber.join(ask)).map(({ id }) => id),
          ["b"]
        )
      })
    )

    treeTest(`is gone from a dynamic supervisor, and its room is free: ${reason._tag}`, ({ journal }) =>
      Effect.gen(function* () {
        const { kids, start } = yield* runKids(journal, {
          restart: "temporary",
          maxChildren: 1,
          script: { init: slowFirst }
        })
        yield* start("a")
        const ask = Effect.all([kids.countChildren, kids.whichChildren, kids.get("a"), start("b")])
        const asked = yield* Effect.forkChild(afterDown(journal.pid("a"), end(journal, "a", reason), ask))
        yield* pass("1 second")
        const [counts, list, found] = yield* Fiber.join(asked)
        assert.deepStrictEqual([counts, list, found], [{ children: 0, active: 0, restarting: 0 }, [], Option.none()])
        yield* pass("1 second")
      })
    )
  }

  treeTest("is gone from a dynamic supervisor when terminateChild has ended it, too", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal, {
        maxChildren: 1,
        shutdown: "brutalKill",
        script: { init: slowFirst }
      })
      yield* start("a")
      const ask = Effect.all([kids.countChildren, kids.whichChildren, kids.get("a"), start("b")])
      const stopping = yield* Effect.forkChild(
        afterDown(journal.pid("a"), Effect.forkChild(kids.terminateChild("a")), ask)
      )
      const [counts, list, found] = yield* Fiber.join(stopping)
      assert.deepStrictEqual([counts, list, found], [{ children: 0, active: 0, restarting: 0 }, [], Option.none()])
      // Its key is free when it has ended.
      const again = yield* Effect.forkChild(kids.terminateChild("b"))
      yield* pass("1 second")
      yield* Fiber.join(again)
      yield* start("a")
      yield* journal.expectAll("+a1", "+b1", "-a1", "-b1", "+a2")
      const ended = yield* Effect.forkChild(kids.terminateChild("a"))
      yield* pass("1 second")
      yield* Fiber.join(ended)
    })
  )

  treeTest("is no longer a task of its supervisor", () =>
    Effect.gen(function* () {
      class Jobs extends TaskSupervisor.Service<Jobs>()("test/Jobs", { maxChildren: 1 }) {}
      const jobs = Context.get((yield* run(Jobs.layer)).context, Jobs)
      const pid = yield* jobs.start(Effect.never)
      const [left] = yield* afterDown(
        pid,
        Process.kill(pid),
        Effect.all([jobs.whichChildren, jobs.start(Effect.never)])
      )
      assert.deepStrictEqual(left, [])
    })
  )
})

describe("any other child whose Down has arrived", () => {
  for (const reason of endings) {
    treeTest(`is not running: ${reason._tag}`, ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          schedule: Schedule.spaced("1 second"),
          children: [child(journal, "a"), child(journal, "b", { restart: "transient" })]
        }) {}
        const { context } = yield* run(Sup.layer)
        const sup = Context.get(context, Sup)
        for (const [index, name] of ["a", "b"].entries()) {
          const old = journal.pid(name)
          const { pid, state } = (yield* afterDown(old, end(journal, name, reason), sup.whichChildren))[index]!
          const isBack = name === "a" || reason._tag !== "Normal"
          assert.isUndefined(pid)
          assert.include(isBack ? ["restarting"] : ["stopping", "stopped"], state)
        }
        yield* pass("1 second")
      })
    )
  }

  treeTest("is not active for a dynamic supervisor", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal, { schedule: Schedule.spaced("1 second") })
      yield* start("a")
      const counts = yield* afterDown(journal.pid("a"), crash(journal, "a"), kids.countChildren)
      assert.deepStrictEqual(counts, { children: 1, active: 0, restarting: 1 })
      yield* pass("1 second")
    })
  )
})
