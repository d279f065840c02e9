import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Random, Schedule, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, PartitionSupervisor, Supervisor, TaskSupervisor } from "effect-otp"
import { ExitReason, Process } from "effect-otp/kernel"
import { kid, type Script } from "../fixtures/dynamic.ts"
import {
  boom,
  crash,
  end,
  failing,
  type Journal,
  pass,
  pidOf,
  quiet,
  run,
  type StartError,
  treeTest
} from "../fixtures/supervision.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

const { NoPartitions, partitionOf, StartFailed, SupervisorDown } = PartitionSupervisor

type Options = PartitionSupervisor.PartitionOptions<StartError, never> & { readonly script?: Script }

/** Partitions that report to a journal as p0, p1 and so on. */
const partsOf = (journal: Journal, { script, ...options }: Options = {}) => {
  class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", {
    child: kid(journal, script),
    args: (partition) => [`p${partition}`],
    ...options
  }) {}
  return Parts
}

const runParts = (journal: Journal, options?: Options) =>
  Effect.suspend(() => {
    const Parts = partsOf(journal, options)
    return Effect.map(run(Parts.layer), ({ close, context }) => ({ parts: Context.get(context, Parts), close }))
  })

const reasonOf = <A>(call: Effect.Effect<A, GenServer.CallError>) =>
  Effect.map(Effect.flip(call), ({ reason }) => fieldsOf(reason))

const names = (count: number) => Array.from({ length: count }, (_, partition) => `p${partition}`)

const started = (count: number, incarnation = 1) => names(count).map((name) => `+${name}${incarnation}`)

const ended = (count: number, incarnation = 1) =>
  names(count)
    .map((name) => `-${name}${incarnation}`)
    .toReversed()

describe("partitionOf", () => {
  it("takes whole numbers by their remainder, whatever their sign", () => {
    const of = (key: PartitionSupervisor.Key) => partitionOf(key, 3)
    assert.deepStrictEqual([0, 1, 2, 3, -0, -1, -2, -3, -4].map(of), [0, 1, 2, 0, 0, 1, 2, 0, 1])
    assert.deepStrictEqual([0n, 7n, -7n, 2n ** 64n].map(of), [0, 1, 1, 1])
    assert.strictEqual(partitionOf(Number.MAX_SAFE_INTEGER, 10), 1)
  })

  it("takes texts by FNV-1a of their UTF-8, which never changes", () => {
    // With 2^32 partitions the partition is the whole hash.
    const hash = (key: PartitionSupervisor.Key) => partitionOf(key, 2 ** 32)
    // From the list of the algorithm's authors.
    assert.strictEqual(hash(""), 0x811c9dc5)
    assert.strictEqual(hash("a"), 0xe40c292c)
    assert.strictEqual(hash("b"), 0xe70c2de5)
    assert.strictEqual(hash("foobar"), 0xbf9cf968)
    // Two, three and four bytes. Half of a surrogate pair counts as the replacement character.
    const bytes = (...all: ReadonlyArray<number>) =>
      all.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5)
    assert.strictEqual(hash("é"), bytes(0xc3, 0xa9))
    assert.strictEqual(hash("€"), bytes(0xe2, 0x82, 0xac))
    assert.strictEqual(hash("😀"), bytes(0xf0, 0x9f, 0x98, 0x80))
    assert.strictEqual(hash("\ud83d"), hash("\ufffd"))
    assert.deepStrictEqual(
      ["lobby", "user-1", "user-2", "7", "é"].map((key) => partitionOf(key, 8)),
      [3, 4, 5, 6, 1]
    )
    // A number that is not whole goes by its text.
    assert.strictEqual(hash(1.5), hash("1.5"))
    assert.strictEqual(hash(NaN), hash("NaN"))
  })

  it("spreads keys evenly", () => {
    const counts = Array.from({ length: 8 }, () => 0)
    for (let n = 0; n < 8000; n++) counts[partitionOf(`user-${n}`, 8)]!++
    for (const count of counts) assert.isTrue(count > 800 && count < 1200, String(counts))
  })

  it("refuses a count that makes no sense", () => {
    for (const count of [0, -1, 1.5, NaN]) assert.throws(() => partitionOf("a", count), RangeError, "count")
  })
})

describe("a partition supervisor", () => {
  treeTest("#206 has 8 partitions; each of many keys belongs to exactly one, and none is lost", ({ journal }) =>
    Effect.gen(function* () {
      const { close, parts } = yield* runParts(journal)
      yield* journal.expect(...started(8))
      assert.strictEqual(yield* parts.size, 8)
      const clients = yield* parts.clients
      assert.strictEqual(new Set(clients).size, 8)
      const reached = new Set<unknown>()
      for (let n = 0; n < 100; n++) {
        const client = yield* parts.client(`key ${n}`)
        assert.strictEqual(client, clients[partitionOf(`key ${n}`, 8)])
        assert.strictEqual(yield* client.incarnation(), 1)
        reached.add(client)
      }
      assert.strictEqual(reached.size, 8)
      yield* close
      yield* journal.expect(...ended(8))
    })
  )

  it("#208 refuses a number of partitions, a strategy or an intensity that makes no sense", () => {
    const given = (options: object) => () => partsOf(undefined as never, options)
    for (const partitions of [0, -1, 1.5, NaN, "8"]) {
      const what = `test/Parts: partitions must be a whole number, 1 or more, not ${JSON.stringify(partitions)}`
      assert.throws(given({ partitions }), RangeError, Number.isNaN(partitions) ? "NaN" : what)
    }
    assert.throws(given({ strategy: "oneForFour" }), RangeError, "strategy must be one of")
    assert.throws(given({ intensity: { max: -1, within: 1 } }), RangeError, "max")
    assert.throws(given({ shutdown: "soon" }), RangeError, "shutdown")
  })

  treeTest("gives init the number of its partition", () =>
    Effect.gen(function* () {
      class Numbered extends GenServer.Service<Numbered>()("test/Numbered", [
        Rpc.make("number", { success: Schema.Finite }),
        GenServer.cast("crash")
      ]) {
        static readonly definition = this.define({
          init: (partition: number) => Effect.succeed(partition),
          handlers: { number: (_, n) => GenServer.reply(n, n), crash: () => Effect.die("asked to") }
        })
      }
      class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", {
        child: Numbered.definition,
        partitions: 3
      }) {}
      const { context } = yield* run(Parts.layer)
      const clients = yield* Context.get(context, Parts).clients
      const numbers = Effect.forEach(clients, (client) => client.number(undefined, { whenDown: "wait" }))
      assert.deepStrictEqual(yield* numbers, [0, 1, 2])
      yield* clients[1]!.crash()
      assert.deepStrictEqual(yield* numbers, [0, 1, 2])
    })
  )

  treeTest("#341 a call to a partition that is down fails, or waits; the key reaches its successor", ({ journal }) =>
    Effect.gen(function* () {
      const { parts } = yield* runParts(journal, { partitions: 2, schedule: Schedule.spaced("1 second") })
      yield* end(journal, "p1", boom)
      yield* quiet
      const client = yield* parts.client(1)
      assert.deepStrictEqual(yield* reasonOf(client.incarnation()), { _tag: "NoProcess" })
      assert.strictEqual(yield* Effect.flatMap(parts.client(0), (other) => other.incarnation()), 1)
      const waiting = yield* Effect.forkChild(client.incarnation(undefined, { whenDown: "wait" }))
      yield* pass("1 second")
      assert.strictEqual(yield* Fiber.join(waiting), 2)
      assert.strictEqual(yield* parts.client(1), client)
      const [p0, p1] = yield* parts.whichChildren
      assert.deepStrictEqual([p0?.restarts, p1?.restarts, p1?.partition, p1?.state], [0, 1, 1, "running"])
      assert.strictEqual(p1?.pid, yield* pidOf(client))
    })
  )

  treeTest("#212 that is down cannot be resized; its clients name servers that are down", ({ journal }) =>
    Effect.gen(function* () {
      const { close, parts } = yield* runParts(journal, { partitions: 2 })
      yield* close
      assert.deepStrictEqual(yield* Effect.flip(parts.resize(1)), new SupervisorDown({ supervisor: "test/Parts" }))
      const client = yield* parts.client("a")
      assert.strictEqual((yield* Effect.flip(client.incarnation())).started, "no")
      assert.deepStrictEqual(yield* parts.whichChildren, [])
      assert.deepStrictEqual(yield* parts.countChildren, { children: 0, active: 0, restarting: 0 })
    })
  )

  treeTest("#213 has ended when its scope has closed: a name is free, and it can be started again", () =>
    Effect.gen(function* () {
      class Named extends GenServer.Service<Named>()("test/Named", [Rpc.make("get", { success: Schema.Finite })]) {
        static readonly definition = this.define({
          init: (partition: number) => Effect.succeed(partition),
          name: (partition: number) => `partition ${partition}`,
          handlers: { get: (_, n) => GenServer.reply(n, n) }
        })
      }
      class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", {
        child: Named.definition,
        partitions: 2
      }) {}
      for (let round = 0; round < 2; round++) {
        const { close, context } = yield* run(Parts.layer)
        const client = yield* Context.get(context, Parts).client(1)
        assert.strictEqual(yield* client.get(), 1)
        yield* close
      }
    })
  )

  treeTest("fails to start if a partition does, and leaves none", ({ journal }) =>
    Effect.gen(function* () {
      class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", {
        child: kid(journal, { init: (key, n) => (key === "p2" ? failing(key, 1)(n) : Effect.void) }),
        args: (partition) => [`p${partition}`],
        partitions: 3
      }) {}
      const error = yield* Effect.flip(run(Parts.layer))
      assert.strictEqual(error._tag, "StartError")
      yield* journal.expect("+p01", "+p11", "!p21", "-p21", "-p11", "-p01")
    })
  )

  treeTest("gives up like any supervisor, and its clients say why", ({ journal }) =>
    Effect.gen(function* () {
      const { parts } = yield* runParts(journal, { partitions: 2, intensity: { max: 0, within: "1 hour" } })
      const supervisor = yield* pidOf(parts)
      const client = yield* parts.client(0)
      yield* end(journal, "p1", boom)
      const reason = yield* Process.awaitExit(supervisor)
      const limit = { supervisor: "test/Parts", child: "1", reason: boom, attempts: 1, policy: "intensity" } as const
      assert.deepStrictEqual(reason, ExitReason.shutdown(new Supervisor.RestartLimit(limit)))
      assert.deepStrictEqual(yield* reasonOf(client.incarnation()), { _tag: "ServerDown", reason })
    })
  )

  treeTest("has all partitions in use behind the same clients when its parent has started it again", ({ journal }) =>
    Effect.gen(function* () {
      const Parts = partsOf(journal, { partitions: 3 })
      class Root extends Supervisor.Service<Root>()("test/Root", {
        strategy: "oneForOne",
        children: [Supervisor.child(Parts.layer)]
      }) {}
      const { context } = yield* run(Root.layer)
      const parts = Context.get(context, Parts)
      const before = yield* parts.clients
      assert.strictEqual(yield* parts.resize(1), 3)
      yield* Process.kill(yield* pidOf(parts))
      yield* quiet
      assert.strictEqual(yield* parts.size, 3)
      assert.deepStrictEqual(yield* parts.clients, before)
      assert.deepStrictEqual(yield* Effect.forEach(before, (client) => client.incarnation()), [2, 2, 2])
    })
  )

  treeTest("a partition is not given to others that ask for its service", ({ journal }) =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      class Echo extends GenServer.Service<Echo>()("test/Echo", [Rpc.make("who", { success: Schema.String })]) {
        static readonly definition = this.define({
          init: (name: string) => Effect.succeed(name),
          handlers: { who: (_, name) => GenServer.reply(name, name) }
        })
        static readonly asking = this.define({
          init: (partition: number) =>
            Effect.gen(function* () {
              const outside = yield* Echo
              seen.push(yield* Effect.orDie(outside.who()))
              return `p${partition}`
            }),
          handlers: { who: (_, name) => GenServer.reply(name, name) }
        })
      }
      class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", { child: Echo.asking, partitions: 2 }) {}
      const { context } = yield* run(Layer.provideMerge(Parts.layer, Echo.definition.layer("outside")))
      assert.deepStrictEqual(seen, ["outside", "outside"])
      assert.strictEqual(yield* Context.get(context, Echo).who(), "outside")
      const inside = yield* Effect.forEach(yield* Context.get(context, Parts).clients, (client) => client.who())
      assert.deepStrictEqual(inside, ["p0", "p1"])
      yield* journal.expect()
    })
  )

  treeTest("may have dynamic supervisors as partitions", ({ journal }) =>
    Effect.gen(function* () {
      class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", { child: kid(journal) }) {}
      class Groups extends PartitionSupervisor.Service<Groups>()("test/Groups", { child: Kids, partitions: 3 }) {}
      const { close, context } = yield* run(Groups.layer)
      const groups = Context.get(context, Groups)
      const start = (key: string) => Effect.flatMap(groups.client(key), (kids) => kids.startChild(key, key))
      const keys = ["a", "b", "c", "lobby", "attic", "cellar"]
      const clients = yield* Effect.forEach(keys, start)
      const counts = yield* Effect.forEach(yield* groups.clients, (kids) => kids.countChildren)
      const wanted = [0, 1, 2].map((partition) => keys.filter((key) => partitionOf(key, 3) === partition).length)
      assert.deepStrictEqual(
        counts.map(({ active }) => active),
        wanted
      )
      // When one partition crashes, only its own children end.
      const [first] = yield* groups.clients
      yield* Process.kill(yield* pidOf(first!))
      yield* quiet
      const alive = yield* Effect.forEach(clients, (client) => Effect.exit(client.incarnation()))
      assert.deepStrictEqual(
        alive.map(Exit.isSuccess),
        keys.map((key) => partitionOf(key, 3) !== 0)
      )
      const again = yield* start(keys.find((key) => partitionOf(key, 3) === 0)!)
      assert.strictEqual(yield* again.incarnation(), 2)
      assert.deepStrictEqual(yield* groups.countChildren, { children: 3, active: 3, restarting: 0 })
      yield* close
    })
  )

  treeTest("may have whole trees as partitions, each with processes of its own, before and after a restart", () =>
    Effect.gen(function* () {
      class Leaf extends GenServer.Service<Leaf>()("test/Leaf", [Rpc.make("get", { success: Schema.Finite })]) {
        static readonly layer = this.define({
          init: () => Effect.succeed(0),
          handlers: { get: (_, n) => GenServer.reply(n, n) }
        }).layer()
      }
      class Pair extends Supervisor.Service<Pair>()("test/Pair", {
        strategy: "oneForOne",
        children: [Supervisor.child(Leaf.layer, { id: "leaf" }), Supervisor.worker("w", Effect.never)]
      }) {}
      class Pairs extends PartitionSupervisor.Service<Pairs>()("test/Pairs", { child: Pair, partitions: 3 }) {}
      const { context } = yield* run(Pairs.layer)
      const pairs = yield* Context.get(context, Pairs).clients
      const processes = Effect.map(
        Effect.forEach(pairs, (pair) => pair.whichChildren),
        (all) => all.flat().map(({ pid }) => pid)
      )
      assert.strictEqual(new Set(yield* processes).size, 6)
      yield* Process.kill(yield* pidOf(pairs[1]!))
      yield* quiet
      const after = yield* processes
      assert.strictEqual(new Set(after).size, 6)
      assert.notInclude(after, undefined)
    })
  )

  treeTest("lets others use the Layer of its partitions", ({ journal }) =>
    Effect.gen(function* () {
      class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", { child: kid(journal) }) {}
      class Groups extends PartitionSupervisor.Service<Groups>()("test/Groups", { child: Kids, partitions: 2 }) {}
      const started = Effect.fnUntraced(function* (context: Context.Context<Kids | Groups>) {
        const kids = Context.get(context, Kids)
        const groups = yield* Context.get(context, Groups).clients
        assert.strictEqual(new Set(yield* Effect.forEach([kids, ...groups], pidOf)).size, 3)
      })
      class Before extends Supervisor.Service<Before>()("test/Before", {
        strategy: "oneForOne",
        children: [Supervisor.child(Groups.layer), Supervisor.child(Kids.layer)]
      }) {}
      yield* started((yield* run(Before.layer)).context)
      class After extends Supervisor.Service<After>()("test/After", {
        strategy: "oneForOne",
        children: [Supervisor.child(Kids.layer), Supervisor.child(Groups.layer)]
      }) {}
      yield* started((yield* run(After.layer)).context)
    })
  )

  treeTest("may have task supervisors, and other partitions, as partitions", () =>
    Effect.gen(function* () {
      class Tasks extends TaskSupervisor.Service<Tasks>()("test/Tasks") {}
      class Halves extends PartitionSupervisor.Service<Halves>()("test/Halves", { child: Tasks, partitions: 2 }) {}
      class Quarters extends PartitionSupervisor.Service<Quarters>()("test/Quarters", {
        child: Halves,
        partitions: 2
      }) {}
      const { context } = yield* run(Quarters.layer)
      const quarters = yield* Effect.forEach(yield* Context.get(context, Quarters).clients, (half) => half.clients)
      assert.strictEqual(new Set(quarters.flat()).size, 4)
      const processes = yield* Effect.forEach(quarters.flat(), pidOf)
      assert.strictEqual(new Set(processes).size, 4)
    })
  )
})

describe("strategies", () => {
  treeTest("oneForAll restarts every partition in use, and none that is not", ({ journal }) =>
    Effect.gen(function* () {
      const { parts } = yield* runParts(journal, { partitions: 4, strategy: "oneForAll" })
      yield* journal.expect(...started(4))
      assert.strictEqual(yield* parts.resize(2), 4)
      yield* journal.expectAll("-p21", "-p31")
      yield* end(journal, "p0", boom)
      yield* journal.expect("-p01", "-p11", "+p02", "+p12")
      assert.deepStrictEqual(
        (yield* parts.whichChildren).map(({ state }) => state),
        ["running", "running", "stopped", "stopped"]
      )
      // Once in use again, they belong to the group again.
      assert.strictEqual(yield* parts.resize(3), 2)
      yield* journal.expect("+p22")
      yield* end(journal, "p1", boom)
      yield* journal.expect("-p12", "-p22", "-p02", "+p03", "+p13", "+p23")
    })
  )

  treeTest("restForOne restarts those after it that are in use", ({ journal }) =>
    Effect.gen(function* () {
      const { parts } = yield* runParts(journal, { partitions: 4, strategy: "restForOne" })
      yield* parts.resize(3)
      yield* journal.expect(...started(4), "-p31")
      yield* end(journal, "p1", boom)
      yield* journal.expect("-p11", "-p21", "+p12", "+p22")
    })
  )
})

describe("resize", () => {
  const to = (parts: PartitionSupervisor.PartitionSupervisorHandle<{ readonly incarnation: Incarnation }>) =>
    Effect.fnUntraced(function* (size: number, before: number) {
      assert.strictEqual(yield* parts.resize(size), before)
      assert.strictEqual(yield* parts.size, size)
      assert.strictEqual((yield* parts.clients).length, size)
      assert.deepStrictEqual(yield* parts.countChildren, { children: 8, active: size, restarting: 0 })
      const reached = new Set<unknown>()
      for (const key of size === 0 ? [] : [0, 1, 2, 3, 4, 5, 6, 7]) {
        const client = yield* parts.client(key)
        assert.isAtLeast(yield* client.incarnation(), 1)
        reached.add(client)
      }
      assert.strictEqual(reached.size, size)
      return size
    })
  type Incarnation = () => Effect.Effect<number, GenServer.CallError>

  treeTest(
    "#209 uses any number of its partitions, in falling, rising and mixed order",
    ({ journal }) =>
      Effect.gen(function* () {
        const { parts } = yield* runParts(journal)
        const change = to(parts)
        let size = 8
        for (const next of [7, 6, 5, 4, 3, 2, 1, 0]) size = yield* change(next, size)
        for (const next of [1, 2, 3, 4, 5, 6, 7, 8]) size = yield* change(next, size)
        for (const next of yield* Random.shuffle([0, 1, 2, 3, 4, 5, 6, 7, 8])) size = yield* change(next, size)
      }),
    10
  )

  treeTest("#210 to zero leaves no partition, and back again gives all", ({ journal }) =>
    Effect.gen(function* () {
      const { parts } = yield* runParts(journal)
      assert.strictEqual(yield* parts.resize(0), 8)
      assert.deepStrictEqual(yield* Effect.flip(parts.client("a")), new NoPartitions({ supervisor: "test/Parts" }))
      assert.deepStrictEqual(yield* parts.clients, [])
      assert.strictEqual(yield* parts.resize(8), 0)
      const client = yield* parts.client("a")
      assert.strictEqual(yield* client.incarnation(), 2)
    })
  )

  treeTest("refuses a size that makes no sense", ({ journal }) =>
    Effect.gen(function* () {
      const { parts } = yield* runParts(journal, { partitions: 2 })
      for (const size of [3, -1, 0.5, NaN]) {
        assert.throws(() => parts.resize(size), RangeError, `size must be a whole number from 0 to 2, not ${size}`)
      }
      assert.strictEqual(yield* parts.resize(2), 2)
    })
  )

  treeTest("to fewer routes keys anew before it stops the others, side by side", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const terminate = (key: string) => (key < "p2" ? Effect.void : Deferred.await(gate))
      const { parts } = yield* runParts(journal, { partitions: 4, script: { terminate } })
      const left = yield* parts.client(3)
      const resizing = yield* Effect.forkChild(parts.resize(2))
      yield* quiet
      assert.strictEqual(resizing.pollUnsafe(), undefined)
      assert.strictEqual(yield* parts.size, 2)
      const other = yield* parts.client(3)
      assert.notStrictEqual(other, left)
      assert.strictEqual(yield* other.incarnation(), 1)
      assert.deepStrictEqual(
        (yield* parts.whichChildren).map(({ state }) => state),
        ["running", "running", "stopping", "stopping"]
      )
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(resizing), 4)
      yield* journal.expectAll(...started(4), "-p21", "-p31")
    })
  )

  treeTest("to more routes keys to a partition only when it is up", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = (_: string, incarnation: number) => (incarnation === 1 ? Effect.void : Deferred.await(gate))
      const { parts } = yield* runParts(journal, { partitions: 2, script: { init } })
      yield* parts.resize(1)
      const resizing = yield* Effect.forkChild(parts.resize(2))
      yield* quiet
      assert.strictEqual(resizing.pollUnsafe(), undefined)
      assert.strictEqual(yield* parts.size, 1)
      assert.strictEqual(yield* Effect.flatMap(parts.client(1), (client) => client.incarnation()), 1)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(resizing), 1)
      assert.strictEqual(yield* Effect.flatMap(parts.client(1), (client) => client.incarnation()), 2)
    })
  )

  treeTest("that cannot start one leaves everything as it was", ({ journal }) =>
    Effect.gen(function* () {
      const init = (key: string, incarnation: number) => (key === "p2" ? failing("p2", 2)(incarnation) : Effect.void)
      class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", {
        child: kid(journal, { init }),
        args: (partition) => [`p${partition}`],
        partitions: 3
      }) {}
      const { context } = yield* run(Parts.layer)
      const parts = Context.get(context, Parts)
      yield* parts.resize(1)
      const error = yield* Effect.flip(parts.resize(3))
      assert.isTrue(error instanceof StartFailed && error.id === "2", error._tag)
      assert.strictEqual(yield* parts.size, 1)
      assert.deepStrictEqual(yield* parts.countChildren, { children: 3, active: 1, restarting: 0 })
      // The caller got the failure, and it was not counted.
      assert.strictEqual(yield* parts.resize(3), 1)
      assert.strictEqual(yield* parts.size, 3)
    })
  )

  treeTest("waits for partitions that come back with their group", ({ journal }) =>
    Effect.gen(function* () {
      const { parts } = yield* runParts(journal, {
        partitions: 3,
        strategy: "oneForAll",
        schedule: Schedule.spaced("1 second")
      })
      yield* parts.resize(1)
      yield* crash(journal, "p0")
      yield* quiet
      const growing = yield* Effect.forkChild(parts.resize(3))
      yield* pass("999 millis")
      assert.isUndefined(growing.pollUnsafe())
      assert.strictEqual(yield* parts.size, 1)
      yield* pass("1 millis")
      assert.strictEqual(yield* Fiber.join(growing), 1)
      assert.strictEqual(yield* parts.size, 3)
      assert.deepStrictEqual(yield* parts.countChildren, { children: 3, active: 3, restarting: 0 })
    })
  )

  treeTest("is undone if a partition does not come back with its group", ({ journal }) =>
    Effect.gen(function* () {
      const init = (key: string, incarnation: number) => (key === "p2" ? failing("p2", 2)(incarnation) : Effect.void)
      const { parts } = yield* runParts(journal, {
        partitions: 3,
        strategy: "oneForAll",
        schedule: Schedule.spaced("1 second"),
        script: { init }
      })
      yield* parts.resize(1)
      yield* crash(journal, "p0")
      yield* quiet
      const growing = yield* Effect.forkChild(Effect.flip(parts.resize(3)))
      yield* pass("1 second")
      const error = yield* Fiber.join(growing)
      assert.isTrue(error instanceof StartFailed && error.id === "2", error._tag)
      assert.strictEqual(yield* parts.size, 1)
      yield* quiet
      assert.deepStrictEqual(yield* parts.countChildren, { children: 3, active: 1, restarting: 0 })
      assert.strictEqual(yield* parts.resize(3), 1)
      assert.deepStrictEqual(yield* parts.countChildren, { children: 3, active: 3, restarting: 0 })
    })
  )

  treeTest("to fewer ends the start of one that hangs", ({ journal }) =>
    Effect.gen(function* () {
      const init = (key: string, incarnation: number) =>
        key === "p2" && incarnation === 2 ? Effect.never : Effect.void
      const { parts } = yield* runParts(journal, { partitions: 3, script: { init } })
      yield* parts.resize(1)
      const growing = yield* Effect.forkChild(Effect.flip(parts.resize(3)))
      yield* quiet
      assert.isUndefined(growing.pollUnsafe())
      assert.strictEqual(yield* parts.resize(0), 1)
      assert.strictEqual((yield* Fiber.join(growing))._tag, "StartFailed")
      assert.strictEqual(yield* parts.size, 0)
      assert.deepStrictEqual(yield* parts.countChildren, { children: 3, active: 0, restarting: 0 })
      assert.strictEqual(yield* parts.resize(3), 0)
    })
  )

  treeTest("goes on once begun, one at a time, if its caller is interrupted", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const terminate = () => Deferred.await(gate)
      const { parts } = yield* runParts(journal, { partitions: 4, script: { terminate } })
      const first = yield* Effect.forkChild(parts.resize(1))
      yield* quiet
      const second = yield* Effect.forkChild(parts.resize(3))
      yield* quiet
      yield* Fiber.interrupt(first)
      assert.strictEqual(yield* parts.size, 1)
      assert.strictEqual(second.pollUnsafe(), undefined)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(second), 1)
      assert.deepStrictEqual(yield* parts.countChildren, { children: 4, active: 3, restarting: 0 })
    })
  )

  treeTest("is answered when the supervisor ends meanwhile", ({ journal }) =>
    Effect.gen(function* () {
      const { close, parts } = yield* runParts(journal, { partitions: 2, script: { terminate: () => Effect.never } })
      const resizing = yield* Effect.forkChild(Effect.exit(parts.resize(0)))
      yield* quiet
      const closing = yield* Effect.forkChild(close)
      yield* pass("10 seconds")
      yield* Fiber.join(closing)
      const exit = yield* Fiber.join(resizing)
      if (Exit.isFailure(exit)) {
        assert.deepStrictEqual<unknown>(exit, Exit.fail(new SupervisorDown({ supervisor: "test/Parts" })))
      }
      assert.deepStrictEqual(yield* Effect.flip(parts.resize(1)), new SupervisorDown({ supervisor: "test/Parts" }))
    })
  )

  treeTest(
    "ends with the requested number of partitions, among crashes and kills",
    ({ journal }) =>
      Effect.gen(function* () {
        const strategy = yield* Random.choice(["oneForOne", "oneForAll", "restForOne"] as const)
        const { parts } = yield* runParts(journal, {
          partitions: 5,
          strategy,
          intensity: { max: 1000, within: "1 hour" }
        })
        const crashes = Effect.gen(function* () {
          for (let n = 0; n < 10; n++) {
            const running = (yield* parts.whichChildren).flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
            if (running.length > 0) yield* Process.kill(yield* Random.choice(running))
            yield* Effect.yieldNow
          }
        })
        const resizes = Effect.gen(function* () {
          for (let n = 0; n < 6; n++) {
            const resized = parts.resize(yield* Random.nextIntBetween(0, 5))
            // It was killed in its `init`.
            yield* Effect.catchTag(resized, "StartFailed", () => Effect.void)
          }
        })
        yield* Effect.all([crashes, resizes, resizes], { concurrency: "unbounded", discard: true })
        yield* quiet
        const size = yield* parts.size
        const states = (yield* parts.whichChildren).map(({ state }) => state)
        assert.deepStrictEqual(
          states,
          states.map((_, partition) => (partition < size ? "running" : "stopped"))
        )
      }),
    60
  )
})
