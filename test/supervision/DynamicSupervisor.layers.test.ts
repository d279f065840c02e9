import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schedule, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, PartitionSupervisor, Supervisor } from "effect-otp"
import { ExitReason, Kernel, Process } from "effect-otp/kernel"
import { runTenants, tenantsOf } from "../fixtures/tenants.ts"
import {
  beside,
  boom,
  crash,
  failing,
  type Journal,
  pass,
  pidOf,
  quiet,
  run,
  server,
  StartError,
  treeTest
} from "../fixtures/supervision.ts"

const reasonOf = <A>(call: Effect.Effect<A, GenServer.CallError>) =>
  Effect.map(Effect.flip(call), ({ reason }) => reason)

describe("a start", () => {
  treeTest("gives the handles of all that its Layer provides", ({ journal }) =>
    Effect.gen(function* () {
      const { start, tenants } = yield* runTenants(journal)
      const acme = yield* start("acme")
      const bolt = yield* start("bolt")
      yield* journal.expect("+acme/store1", "+acme/desk1", "+bolt/store1", "+bolt/desk1")
      assert.deepStrictEqual([yield* acme.store.incarnation(), yield* bolt.desk.incarnation()], [1, 1])
      assert.deepStrictEqual(yield* GenServer.pid(acme.desk), Option.some(journal.pid("acme/desk")))
      assert.deepStrictEqual(yield* GenServer.pid(bolt.store), Option.some(journal.pid("bolt/store")))
      assert.deepStrictEqual(
        (yield* acme.tenant.whichChildren).map(({ id, state }) => [id, state]),
        [
          ["store", "running"],
          ["desk", "running"]
        ]
      )
      assert.deepStrictEqual(yield* tenants.whichChildren, [
        { key: "acme", state: "running", pid: yield* pidOf(acme.tenant), restarts: 0 },
        { key: "bolt", state: "running", pid: yield* pidOf(bolt.tenant), restarts: 0 }
      ])
      assert.deepStrictEqual(yield* tenants.countChildren, { children: 2, active: 2, restarting: 0 })
    })
  )

  treeTest("gives one Context to all that ask, which can be provided to a program", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = () => Deferred.await(gate)
      const { Desk, tenants } = yield* runTenants(journal, { script: { init } })
      const asked = yield* Effect.forkChild(
        Effect.all([tenants.startOrGet("acme", "acme"), tenants.startOrGet("acme", "acme")], { concurrency: 2 })
      )
      yield* quiet
      assert.deepStrictEqual(yield* tenants.get("acme"), Option.none())
      yield* Deferred.succeed(gate, undefined)
      const [first, second] = yield* Fiber.join(asked)
      assert.strictEqual(first, second)
      assert.strictEqual(Option.getOrThrow(yield* tenants.get("acme")), first)
      const program = Effect.flatMap(Desk, (desk) => desk.incarnation())
      assert.strictEqual(yield* Effect.provide(program, first), 1)
      yield* journal.expect("+acme/store1", "+acme/desk1")
    })
  )

  treeTest("is over when all children of its tree are up", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = (name: string) => (name === "acme/desk" ? Deferred.await(gate) : Effect.void)
      const { start, tenants } = yield* runTenants(journal, { script: { init } })
      const started = yield* beside(start("acme"))
      yield* journal.expect("+acme/store1")
      assert.isFalse(yield* started.isDone)
      assert.deepStrictEqual(
        (yield* tenants.whichChildren).map(({ key, state }) => [key, state]),
        [["acme", "starting"]]
      )
      assert.deepStrictEqual(yield* tenants.countChildren, { children: 1, active: 0, restarting: 1 })
      yield* start("bolt")
      yield* Deferred.succeed(gate, undefined)
      yield* started.join
      yield* journal.expect("+bolt/store1", "+bolt/desk1", "+acme/desk1")
    })
  )

  treeTest("fails with the failure of a child, and leaves nothing", ({ journal }) =>
    Effect.gen(function* () {
      const init = (name: string, incarnation: number) => failing(name, 1)(name === "acme/desk" ? incarnation : 2)
      const { start, tenants } = yield* runTenants(journal, { script: { init } })
      assert.deepStrictEqual(yield* Effect.exit(start("acme")), Exit.fail(new StartError({ child: "acme/desk" })))
      yield* journal.expect("+acme/store1", "!acme/desk1", "-acme/desk1", "-acme/store1")
      assert.deepStrictEqual(yield* tenants.whichChildren, [])
      yield* start("acme")
      yield* journal.expect("+acme/store2", "+acme/desk2")
    })
  )

  treeTest("can be interrupted by terminateChild, which ends what is up in order", ({ journal }) =>
    Effect.gen(function* () {
      const init = (name: string) => (name === "acme/desk" ? Effect.never : Effect.void)
      const { start, tenants } = yield* runTenants(journal, { script: { init } })
      const started = yield* beside(Effect.exit(start("acme")))
      yield* journal.expect("+acme/store1")
      yield* tenants.terminateChild("acme")
      yield* journal.expect("!acme/desk1", "-acme/desk1", "-acme/store1")
      assert.deepStrictEqual(yield* started.join, Exit.fail(new DynamicSupervisor.ChildNotFound({ id: "acme" })))
      assert.deepStrictEqual(yield* tenants.whichChildren, [])
    })
  )

  treeTest("of a key that is taken is refused", ({ journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runTenants(journal)
      const { tenant } = yield* start("acme")
      const { pid, processName } = (yield* Effect.flip(start("acme"))) as DynamicSupervisor.AlreadyStarted
      assert.deepStrictEqual([processName, pid], ["test/Tenant(acme)", yield* pidOf(tenant)])
    })
  )

  treeTest("of the same Layer for two keys starts two trees", ({ journal }) =>
    Effect.gen(function* () {
      class Server extends GenServer.Service<Server>()("test/Server", [
        Rpc.make("incarnation", { success: Schema.Finite })
      ]) {
        static readonly layer = this.define({
          init: () => journal.starting("server", () => Effect.void),
          handlers: { incarnation: (_, n) => GenServer.reply(n, n) }
        }).layer()
      }
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.child(Server.layer)]
      }) {}
      class Trees extends DynamicSupervisor.Service<Trees>()("test/Trees", { child: () => Tree.layer }) {}
      const { context } = yield* run(Trees.layer)
      const trees = Context.get(context, Trees)
      const a = Context.get(yield* trees.startChild("a"), Server)
      const b = Context.get(yield* trees.startChild("b"), Server)
      assert.deepStrictEqual([yield* a.incarnation(), yield* b.incarnation()], [1, 2])
      yield* trees.terminateChild("a")
      yield* journal.expect("+server1", "+server2", "-server1")
      assert.strictEqual(yield* b.incarnation(), 2)
    })
  )

  treeTest("that cannot be a child dies with what to do", ({ journal }) =>
    Effect.gen(function* () {
      const { Tenant } = tenantsOf(journal)
      const makers: Record<string, () => unknown> = {
        "a function that throws": () => assert.fail("no tree"),
        "no Layer": () => "acme",
        "a Layer without a process": () => Layer.empty
      }
      const messages: Array<string> = []
      const child = (maker: string) => makers[maker]!() as Layer.Layer<never>
      class Odd extends DynamicSupervisor.Service<Odd>()("test/Odd", { child }) {}
      class Transient extends DynamicSupervisor.Service<Transient>()("test/Transient", {
        child: Tenant.layer,
        restart: "transient"
      }) {}
      const { context } = yield* run(Layer.merge(Odd.layer, Transient.layer))
      const starts: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        ...Object.keys(makers).map((maker) => Context.get(context, Odd).startChild(maker, maker)),
        Context.get(context, Transient).startChild("acme", "acme")
      ]
      for (const start of starts) {
        const exit = yield* Effect.exit(start)
        messages.push(String(Cause.squash(Option.getOrThrow(Exit.getCause(exit)))))
      }
      assert.deepStrictEqual(
        messages.map((message) => message.slice(0, 64)),
        [
          "AssertionError: no tree",
          'RangeError: test/Odd: what child returns must be a Layer, not "ac',
          'Error: The Layer of child "a Layer without a process" started no',
          "RangeError: test/Tenant cannot be transient: a supervisor that g"
        ].map((message) => message.slice(0, 64))
      )
      yield* journal.expect("+acme/store1", "+acme/desk1", "-acme/desk1", "-acme/store1")
      assert.deepStrictEqual(yield* Context.get(context, Odd).whichChildren, [])
    })
  )

  it("a class in place of the function is refused where the supervisor is declared", () => {
    class Tree extends Supervisor.Service<Tree>()("test/Tree", { strategy: "oneForOne", children: [] }) {}
    const declare = () => DynamicSupervisor.Service<never>()("test/Trees", { child: Tree as never })
    assert.throws(declare, RangeError, "test/Trees: child")
  })
})

describe("a process that ends while its Layer is still being built", () => {
  /** Servers with something after them in their Layer, which cannot be interrupted and waits for the gate. */
  const runSlow = (journal: Journal, restart?: "temporary") =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { layer } = server(journal, "slow")
      const after = Layer.effectDiscard(Effect.uninterruptible(Deferred.await(gate)))
      class Slow extends DynamicSupervisor.Service<Slow>()("test/Slow", {
        child: () => Layer.provideMerge(after, layer),
        restart
      }) {}
      const { context } = yield* run(Slow.layer)
      return { gate, slow: Context.get(context, Slow) }
    })
  const defectOf = (exit: Exit.Exit<unknown, unknown>) => String(Cause.squash(Option.getOrThrow(Exit.getCause(exit))))

  treeTest("is a start that failed, also if the build does not end in time", ({ journal }) =>
    Effect.gen(function* () {
      const { gate, slow } = yield* runSlow(journal)
      const started = yield* beside(Effect.exit(slow.startChild("a")))
      yield* journal.expect("+slow1")
      yield* Process.kill(journal.pid("slow"))
      yield* pass("10 seconds")
      assert.strictEqual(
        defectOf(yield* started.join),
        "ReleaseTimeout: a did not end within its shutdown limit, nor in the same time again after it was killed"
      )
      assert.deepStrictEqual(yield* slow.whichChildren, [])
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("-slow1")
    })
  )

  treeTest("fails the start of a temporary child as usual, and the next caller starts another", ({ journal }) =>
    Effect.gen(function* () {
      const { gate, slow } = yield* runSlow(journal, "temporary")
      const first = yield* beside(Effect.exit(slow.startChild("a")))
      yield* journal.expect("+slow1")
      yield* Process.kill(journal.pid("slow"))
      yield* quiet
      const second = yield* beside(slow.startOrGet("a"))
      yield* quiet
      assert.deepStrictEqual([yield* first.isDone, yield* second.isDone], [false, false])
      yield* Deferred.succeed(gate, undefined)
      yield* second.join
      yield* journal.expect("-slow1", "+slow2")
      assert.include(defectOf(yield* first.join), 'The Layer of child "a" was still being built when its process')
    })
  )
})

describe("a restart", () => {
  treeTest("of a server inside is a matter of its own tree", ({ journal }) =>
    Effect.gen(function* () {
      const { start, tenants } = yield* runTenants(journal, { tree: { intensity: { max: 1, within: "1 hour" } } })
      const acme = yield* start("acme")
      yield* journal.expect("+acme/store1", "+acme/desk1")
      yield* crash(journal, "acme/store")
      yield* journal.expect("-acme/store1", "+acme/store2")
      assert.deepStrictEqual([yield* acme.store.incarnation(), yield* acme.desk.incarnation()], [2, 1])
      assert.strictEqual((yield* tenants.whichChildren)[0]!.restarts, 0)
    })
  )

  treeTest("of a tree that gave up is one failure; its handles point to the new processes", ({ journal, lines }) =>
    Effect.gen(function* () {
      const { start, tenants } = yield* runTenants(journal)
      const acme = yield* start("acme")
      const bolt = yield* start("bolt")
      yield* journal.expect("+acme/store1", "+acme/desk1", "+bolt/store1", "+bolt/desk1")
      yield* crash(journal, "acme/store")
      yield* journal.expect("-acme/store1", "-acme/desk1", "+acme/store2", "+acme/desk2")
      assert.deepStrictEqual([yield* acme.store.incarnation(), yield* acme.desk.incarnation()], [2, 2])
      assert.deepStrictEqual(yield* GenServer.pid(acme.desk), Option.some(journal.pid("acme/desk")))
      assert.strictEqual(yield* bolt.store.incarnation(), 1)
      assert.deepStrictEqual(
        (yield* tenants.whichChildren).map(({ key, restarts, state }) => [key, state, restarts]),
        [
          ["acme", "running", 1],
          ["bolt", "running", 0]
        ]
      )
      assert.deepStrictEqual(
        lines.filter(({ message }) => message.includes("gave up")),
        [
          {
            level: "Error",
            message: `test/Tenant gave up on store after 1 failure (intensity): ${ExitReason.format(boom)}`
          }
        ]
      )
    })
  )

  treeTest("while it goes on, calls fail at once, or wait if asked to", ({ journal }) =>
    Effect.gen(function* () {
      const { start, tenants } = yield* runTenants(journal, { schedule: Schedule.spaced("1 second") })
      const { desk, tenant } = yield* start("acme")
      yield* crash(journal, "acme/store")
      yield* quiet
      assert.deepStrictEqual(yield* Effect.map(reasonOf(desk.incarnation()), ({ _tag }) => _tag), "NoProcess")
      assert.deepStrictEqual(yield* tenant.whichChildren, [])
      assert.deepStrictEqual(yield* tenants.whichChildren, [
        { key: "acme", state: "restarting", pid: undefined, restarts: 0 }
      ])
      const waiting = yield* beside(desk.incarnation(undefined, { whenDown: "wait" }))
      yield* pass("999 millis")
      assert.isFalse(yield* waiting.isDone)
      yield* pass("1 milli")
      assert.strictEqual(yield* waiting.join, 2)
      yield* journal.expect(
        ...["+acme/store1", "+acme/desk1", "-acme/store1", "-acme/desk1", "+acme/store2", "+acme/desk2"]
      )
    })
  )

  treeTest("that fails counts, and follows the schedule of the child's own failures", ({ journal }) =>
    Effect.gen(function* () {
      const init = (name: string, incarnation: number) => failing(name, 2)(name === "acme/desk" ? incarnation : 1)
      const { start } = yield* runTenants(journal, {
        script: { init },
        schedule: ($) =>
          $(Schedule.spaced("1 second")).pipe(
            Schedule.while(
              ({ input }) => input.reason._tag !== "StartFailed" || input.reason.error.child === "acme/desk"
            )
          )
      })
      const { desk } = yield* start("acme")
      yield* crash(journal, "acme/store")
      yield* pass("1 second")
      yield* journal.expect(
        ...["+acme/store1", "+acme/desk1", "-acme/store1", "-acme/desk1"],
        ...["+acme/store2", "!acme/desk2", "-acme/desk2", "-acme/store2"]
      )
      yield* pass("1 second")
      yield* journal.expect("+acme/store3", "+acme/desk3")
      assert.strictEqual(yield* desk.incarnation(), 3)
    })
  )

  treeTest("too many: the supervisor gives up, and the reason is in every handle", ({ journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runTenants(journal, { intensity: { max: 1, within: "1 hour" } })
      const acme = yield* start("acme")
      const bolt = yield* start("bolt")
      yield* crash(journal, "acme/store")
      yield* quiet
      journal.entries.length = 0
      yield* crash(journal, "acme/desk")
      yield* journal.expectAll("-acme/desk2", "-acme/store2", "-bolt/desk1", "-bolt/store1")
      for (const server of [acme.store, acme.desk, bolt.store, bolt.desk]) {
        const reason = yield* reasonOf(server.incarnation())
        assert.strictEqual(reason._tag, "ServerDown")
        assert.include(String(reason._tag === "ServerDown" && ExitReason.format(reason.reason)), "gave up on acme")
      }
    })
  )

  treeTest("temporary: a tree that gave up is gone, and its handles say why", ({ journal }) =>
    Effect.gen(function* () {
      const { start, tenants } = yield* runTenants(journal, { restart: "temporary" })
      const { desk } = yield* start("acme")
      yield* crash(journal, "acme/store")
      yield* journal.expect("+acme/store1", "+acme/desk1", "-acme/store1", "-acme/desk1")
      assert.deepStrictEqual(yield* tenants.whichChildren, [])
      const reason = yield* reasonOf(desk.incarnation())
      assert.strictEqual(reason._tag, "ServerDown")
      assert.include(String(reason._tag === "ServerDown" && ExitReason.format(reason.reason)), "gave up on store")
      // The key is free, and the handles of another tree are others.
      const again = yield* start("acme")
      assert.strictEqual(yield* again.desk.incarnation(), 2)
      assert.strictEqual(yield* Effect.map(reasonOf(desk.incarnation()), ({ _tag }) => _tag), "ServerDown")
    })
  )

  treeTest("of a tree that was killed waits until everything below has ended", ({ journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runTenants(journal)
      const { tenant, desk } = yield* start("acme")
      yield* Process.kill(yield* pidOf(tenant))
      yield* journal.expect(
        ...["+acme/store1", "+acme/desk1", "-acme/desk1", "-acme/store1", "+acme/store2", "+acme/desk2"]
      )
      assert.strictEqual(yield* desk.incarnation(), 2)
    })
  )
})

describe("a stop", () => {
  treeTest("of one tree is in reverse order, and its key is free afterwards", ({ journal }) =>
    Effect.gen(function* () {
      const { start, tenants } = yield* runTenants(journal)
      const { desk } = yield* start("acme")
      yield* start("bolt")
      yield* tenants.terminateChild("acme")
      yield* journal.expect(
        ...["+acme/store1", "+acme/desk1", "+bolt/store1", "+bolt/desk1", "-acme/desk1", "-acme/store1"]
      )
      assert.strictEqual(yield* Effect.map(reasonOf(desk.incarnation()), ({ _tag }) => _tag), "NoProcess")
      yield* start("acme")
      yield* journal.expect("+acme/store2", "+acme/desk2")
    })
  )

  treeTest("of the supervisor stops the trees side by side, each in reverse order", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const terminate = (name: string) => (name === "acme/desk" ? Deferred.await(gate) : Effect.void)
      const { close, start } = yield* runTenants(journal, { script: { terminate } })
      yield* start("acme")
      yield* start("bolt")
      const closed = yield* beside(close)
      yield* journal.expect(
        ...["+acme/store1", "+acme/desk1", "+bolt/store1", "+bolt/desk1", "-bolt/desk1", "-bolt/store1"]
      )
      yield* Deferred.succeed(gate, undefined)
      yield* closed.join
      yield* journal.expect("-acme/desk1", "-acme/store1")
    })
  )

  treeTest("has no limit by default, because each child of the tree has its own", ({ journal, lines }) =>
    Effect.gen(function* () {
      const terminate = (name: string) => (name === "acme/desk" ? Effect.never : Effect.sleep("4 seconds"))
      const { start, tenants } = yield* runTenants(journal, { script: { terminate } })
      yield* start("acme")
      const stopped = yield* beside(tenants.terminateChild("acme"))
      yield* pass("5 seconds")
      yield* journal.expect("+acme/store1", "+acme/desk1", "-acme/desk1")
      yield* pass("4 seconds")
      yield* stopped.join
      yield* journal.expect("-acme/store1")
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        ["test/Tenant: child desk did not end within its shutdown limit and was killed (stop)"]
      )
    })
  )

  treeTest("kills the tree at the limit that it was given", ({ journal }) =>
    Effect.gen(function* () {
      const terminate = () => Effect.never
      const { tenants } = yield* runTenants(journal, { script: { terminate } })
      yield* tenants.startChild({ key: "acme", shutdown: "1 second" }, "acme")
      const stopped = yield* beside(tenants.terminateChild("acme"))
      yield* pass("1 second")
      yield* journal.expect("+acme/store1", "+acme/desk1", "-acme/desk1", "-acme/store1")
      yield* stopped.join
      assert.deepStrictEqual(yield* Kernel.counts, { ...(yield* Kernel.counts), zombies: 0 })
    })
  )

  treeTest("of a start that has failed waits until what it had built is released", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Held extends Context.Service<Held, object>()("test/Held") {}
      const held = Layer.effect(
        Held,
        Effect.acquireRelease(Effect.succeed({}), () => Deferred.await(gate))
      )
      const { Store } = tenantsOf(journal, { script: { init: () => Effect.fail(new StartError({ child: "store" })) } })
      const needsHeld = (tenant: string) =>
        Layer.unwrap(Effect.as(Held, Store.definition.layer(tenant))).pipe(Layer.provide(held))
      class Stores extends DynamicSupervisor.Service<Stores>()("test/Stores", { child: needsHeld }) {}
      const { context } = yield* run(Stores.layer)
      const stores = Context.get(context, Stores)
      const started = yield* beside(Effect.exit(stores.startChild("acme", "acme")))
      yield* journal.expect("!acme/store1", "-acme/store1")
      const stopped = yield* beside(stores.terminateChild("acme"))
      yield* quiet
      assert.deepStrictEqual([yield* started.isDone, yield* stopped.isDone], [false, false])
      yield* Deferred.succeed(gate, undefined)
      yield* stopped.join
      assert.deepStrictEqual(yield* started.join, Exit.fail(new DynamicSupervisor.ChildNotFound({ id: "acme" })))
    })
  )

  treeTest("of a tree that waits for its restart cancels the restart", ({ journal }) =>
    Effect.gen(function* () {
      const { start, tenants } = yield* runTenants(journal, { schedule: Schedule.spaced("1 second") })
      yield* start("acme")
      yield* crash(journal, "acme/store")
      yield* quiet
      yield* tenants.terminateChild("acme")
      yield* pass("10 seconds")
      yield* journal.expect("+acme/store1", "+acme/desk1", "-acme/store1", "-acme/desk1")
      assert.deepStrictEqual(yield* tenants.whichChildren, [])
    })
  )
})

describe("below other supervisors", () => {
  treeTest("a killed supervisor has ended with all its trees before it starts again", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const holds = Effect.addFinalizer(() => Deferred.await(gate))
      const init = (name: string) => (name === "acme/store" ? holds : Effect.void)
      const { Desk, Tenants } = tenantsOf(journal, { script: { init } })
      class App extends Supervisor.Service<App>()("test/App", {
        strategy: "oneForOne",
        children: [Supervisor.child(Tenants.layer, { id: "tenants" })]
      }) {}
      const { context } = yield* run(App.layer)
      const tenants = Context.get(context, Tenants)
      const desk = Context.get(yield* tenants.startChild("acme", "acme"), Desk)
      yield* Process.kill(yield* pidOf(tenants))
      yield* journal.expect("+acme/store1", "+acme/desk1", "-acme/desk1")
      assert.deepStrictEqual(
        (yield* Context.get(context, App).whichChildren).map(({ state }) => state),
        ["restarting"]
      )
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("-acme/store1")
      assert.deepStrictEqual(yield* tenants.whichChildren, [])
      // A dynamic supervisor begins without children, so the old handles are gone.
      assert.strictEqual(yield* Effect.map(reasonOf(desk.incarnation()), ({ _tag }) => _tag), "NoProcess")
    })
  )

  treeTest("the end of the whole tree is the reason in the handles of all trees below", ({ journal }) =>
    Effect.gen(function* () {
      const broken = yield* Deferred.make<void>()
      const { Desk, Tenants } = tenantsOf(journal)
      class App extends Supervisor.Service<App>()("test/App", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 hour" },
        children: [
          Supervisor.child(Tenants.layer, { id: "tenants" }),
          Supervisor.worker("fragile", Effect.andThen(Deferred.await(broken), Effect.die("broken")))
        ]
      }) {}
      const { context } = yield* run(App.layer)
      const desk = Context.get(yield* Context.get(context, Tenants).startChild("acme", "acme"), Desk)
      yield* Deferred.succeed(broken, undefined)
      yield* quiet
      const reason = yield* reasonOf(desk.incarnation())
      assert.include(String(reason._tag === "ServerDown" && ExitReason.format(reason.reason)), "gave up on fragile")
    })
  )

  treeTest("a tree can have dynamic children, and the trees can be partitioned", ({ journal }) =>
    Effect.gen(function* () {
      const { Desk, Tenants } = tenantsOf(journal)
      class Region extends Supervisor.Service<Region>()("test/Region", {
        strategy: "oneForOne",
        children: (_region: string) => [Supervisor.child(Tenants.layer)]
      }) {}
      class Regions extends DynamicSupervisor.Service<Regions>()("test/Regions", { child: Region.layer }) {}
      class World extends PartitionSupervisor.Service<World>()("test/World", { child: Regions, partitions: 2 }) {}
      const { close, context } = yield* run(World.layer)
      const regions = yield* Context.get(context, World).client("north")
      const north = Context.get(yield* regions.startChild("north", "north"), Tenants)
      const desk = Context.get(yield* north.startChild("acme", "acme"), Desk)
      assert.strictEqual(yield* desk.incarnation(), 1)
      yield* close
      yield* journal.expect("+acme/store1", "+acme/desk1", "-acme/desk1", "-acme/store1")
    })
  )
})

describe("the environment of a child's Layer", () => {
  class Database extends Context.Service<Database, { readonly name: string }>()("test/Database") {}
  class Reader extends GenServer.Service<Reader>()("test/Reader", [Rpc.make("read", { success: Schema.String })]) {
    static readonly definition = this.define({
      init: (of: string) => Effect.map(Database, ({ name }) => `${of} of ${name}`),
      handlers: { read: (_, text) => GenServer.reply(text, text) }
    })
  }

  treeTest(
    "is that of the supervisor, with what only the child has: built before it, released after it",
    ({ journal }) =>
      Effect.gen(function* () {
        const database = (name: string) =>
          Layer.effect(
            Database,
            Effect.as(
              Effect.acquireRelease(
                Effect.sync(() => journal.write(`open ${name}`)),
                () => Effect.sync(() => journal.write(`close ${name}`))
              ),
              { name }
            )
          )
        class Shared extends DynamicSupervisor.Service<Shared>()("test/Shared", {
          child: (of: string) => Reader.definition.layer(of)
        }) {}
        class Own extends DynamicSupervisor.Service<Own>()("test/Own", {
          child: (of: string) => Layer.provide(Reader.definition.layer(of), database(of))
        }) {}
        const { close, context } = yield* run(
          Layer.merge(Layer.provide(Shared.layer, database("everybody")), Own.layer)
        )
        const shared = Context.get(yield* Context.get(context, Shared).startChild("a", "a"), Reader)
        const own = Context.get(yield* Context.get(context, Own).startChild("b", "b"), Reader)
        assert.deepStrictEqual([yield* shared.read(), yield* own.read()], ["a of everybody", "b of b"])
        yield* journal.expect("open everybody", "open b")
        yield* Process.kill(yield* pidOf(own))
        yield* journal.expect("close b", "open b")
        assert.strictEqual(yield* own.read(), "b of b")
        yield* close
        yield* journal.expectAll("close b", "close everybody")
      })
  )

  treeTest("keeps its plain services to itself: a start gives only the handles", ({ journal }) =>
    Effect.gen(function* () {
      class Both extends DynamicSupervisor.Service<Both>()("test/Both", {
        child: (of: string) => Layer.provideMerge(Reader.definition.layer(of), Layer.succeed(Database, { name: "own" }))
      }) {}
      const { context } = yield* run(Both.layer)
      const handles = yield* Context.get(context, Both).startChild("a", "a")
      assert.deepStrictEqual(Array.from(handles.mapUnsafe.keys()), ["test/Reader"])
      assert.strictEqual(yield* Context.get(handles, Reader).read(), "a of own")
      yield* journal.expect()
    })
  )

  treeTest("below a child its own Layer gives its own handle", ({ journal }) =>
    Effect.gen(function* () {
      class Echo extends GenServer.Service<Echo>()("test/Echo", [Rpc.make("pid", { success: Schema.String })]) {
        static readonly layer: Layer.Layer<Echo> = Layer.suspend(() => Echo.own)
        private static readonly own = this.define({
          init: () => Effect.map(Process.self, String),
          handlers: { pid: (_, pid) => GenServer.reply(pid, pid) }
        }).layer()
      }
      class Asker extends GenServer.Service<Asker>()("test/Asker", [Rpc.make("pid", { success: Schema.String })]) {
        static readonly layer = this.define({
          init: () => Effect.void,
          handlers: {
            pid: (_, state) =>
              Effect.flatMap(Echo, (echo) => echo.pid()).pipe(
                Effect.provide(Echo.layer),
                Effect.orDie,
                Effect.map((pid) => GenServer.reply(pid, state))
              )
          }
        }).layer()
      }
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.child(Echo.layer), Supervisor.child(Asker.layer)]
      }) {}
      class Trees extends DynamicSupervisor.Service<Trees>()("test/Trees", { child: () => Tree.layer }) {}
      const { context } = yield* run(Trees.layer)
      for (const key of ["a", "b"]) {
        const handles = yield* Context.get(context, Trees).startChild(key)
        const pid = yield* Context.get(handles, Echo).pid()
        assert.strictEqual(yield* Context.get(handles, Asker).pid(), pid)
      }
      yield* journal.expect()
    })
  )
})

describe("reports", () => {
  treeTest("of a restart that fails before its process exists say what followed it", ({ journal, lines }) =>
    Effect.gen(function* () {
      let made = 0
      const { layer } = server(journal, "once")
      class Once extends DynamicSupervisor.Service<Once>()("test/Once", {
        child: () => (++made === 1 ? layer : assert.fail("no second Layer")),
        intensity: { max: 1, within: "1 hour" }
      }) {}
      const { context } = yield* run(Once.layer)
      yield* Context.get(context, Once).startChild("a")
      yield* Process.kill(journal.pid("once"))
      yield* journal.expect("+once1", "-once1")
      assert.deepStrictEqual(
        lines.slice(0, 2).map(({ message }) => message),
        ["test/Once: child test/once(a) was killed (restart)", "test/Once: child test/Once(a) did not start (give up)"]
      )
    })
  )

  treeTest("name the tree by its key", ({ crashes, events, journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runTenants(journal, { tree: { intensity: { max: 1, within: "1 hour" } } })
      const { tenant } = yield* start("acme")
      const pid = yield* pidOf(tenant)
      yield* crash(journal, "acme/desk")
      yield* quiet
      yield* Process.kill(pid)
      yield* quiet
      assert.deepStrictEqual(
        crashes.map(({ ancestors, label }) => [label, ancestors]),
        [["test/Desk", ["test/Tenant(acme)", "test/Tenants"]]]
      )
      assert.deepStrictEqual(
        events.filter(({ metadata }) => "child" in metadata && metadata.child === "acme").map(({ name }) => name),
        ["child.start", "child.exit", "child.restart", "child.start"]
      )
      const info = yield* Effect.flatMap(Process.info(yield* pidOf(tenant)), Effect.fromOption)
      assert.strictEqual(info.label, "test/Tenant")
    })
  )
})

describe("what did not end in time", () => {
  treeTest("is waited for when the supervisor is started again, wherever in a tree it is", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const holds = Effect.addFinalizer(() => Deferred.await(gate))
      const init = (name: string) => (name === "acme/desk" ? holds : Effect.void)
      const { Tenants } = tenantsOf(journal, { script: { init } })
      class App extends Supervisor.Service<App>()("test/App", {
        strategy: "oneForOne",
        children: [Supervisor.child(Tenants.layer, { id: "tenants", shutdown: "1 hour" })]
      }) {}
      const { context } = yield* run(App.layer)
      const tenants = Context.get(context, Tenants)
      yield* tenants.startChild("acme", "acme")
      yield* journal.expect("+acme/store1", "+acme/desk1")
      // Its fiber has ended, and its scope never will: past its limit the tree leaves it behind.
      const stopped = yield* beside(tenants.terminateChild("acme"))
      yield* pass("10 seconds")
      yield* stopped.join
      yield* journal.expect("-acme/store1")
      yield* Process.kill(yield* pidOf(tenants))
      yield* quiet
      assert.strictEqual((yield* Context.get(context, App).whichChildren)[0]!.state, "restarting")
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("-acme/desk1")
      assert.strictEqual((yield* Context.get(context, App).whichChildren)[0]!.state, "running")
    })
  )
})
