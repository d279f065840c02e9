/**
 * From the step in which a supervisor adopts a process until the Layer of the child is built: the process is watched,
 * it ends in good order, and only the Layers that the child is made of find the adoption.
 */
import { assert, describe } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, PartitionSupervisor, Supervisor } from "effect-otp"
import { ExitReason, Handle, Kernel, Process } from "effect-otp/kernel"
import { crash, end, type Journal, pass, quiet, run, server, StartError, treeTest } from "../fixtures/supervision.ts"

/** A plain service that says when it is released. */
class Db extends Context.Service<Db, { readonly isOpen: () => boolean }>()("test/Db") {}

const makeDb = (journal: Journal) =>
  Layer.effect(
    Db,
    Effect.suspend(() => {
      let isOpen = true
      return Effect.acquireRelease(Effect.succeed({ isOpen: () => isOpen }), () =>
        Effect.sync(() => {
          isOpen = false
          journal.write("-db")
        })
      )
    })
  )

/** A server that needs its database for `terminate`. */
const writer = (journal: Journal) => {
  class Writer extends GenServer.Service<Writer>()("test/writer", []) {
    static readonly layer = this.define({
      init: () =>
        Effect.andThen(
          journal.starting("writer", () => Effect.void),
          Db
        ),
      handlers: {},
      terminate: (reason, db) => Effect.sync(() => journal.write(`terminate ${reason._tag}, db open: ${db.isOpen()}`))
    }).layer()
  }
  return Writer.layer.pipe(Layer.provide(makeDb(journal)))
}

/** Builds this after the Layer of a server, and around it. */
const around = <A, E>(layer: Layer.Layer<A, E>, rest: Effect.Effect<unknown, StartError>) =>
  Layer.provideMerge(Layer.effectDiscard(rest), layer)

const single = (layer: Layer.Layer<never, StartError>, options?: { readonly shutdown?: "brutalKill" }) => {
  class Sup extends Supervisor.Service<Sup>()("test/Sup", {
    strategy: "oneForOne",
    children: [Supervisor.child(layer, { id: "a", ...options })]
  }) {}
  return Sup
}

const causeOf = <A, E>(exit: Exit.Exit<A, E>): string => {
  assert.isTrue(Exit.isFailure(exit))
  return Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
}

describe("a stop while the Layer of a child is still building around its process", () => {
  treeTest("ends the process in good order, then releases its dependencies", ({ journal }) =>
    Effect.gen(function* () {
      const starting = yield* Effect.forkChild(run(single(around(writer(journal), Effect.never)).layer))
      yield* journal.expect("+writer1")
      yield* Fiber.interrupt(starting)
      yield* journal.expect("terminate Shutdown, db open: true", "-writer1", "-db")
    })
  )

  treeTest("kills it if the child's limit says so", ({ journal }) =>
    Effect.gen(function* () {
      const Sup = single(around(writer(journal), Effect.never), { shutdown: "brutalKill" })
      const starting = yield* Effect.forkChild(run(Sup.layer))
      yield* journal.expect("+writer1")
      yield* Fiber.interrupt(starting)
      yield* journal.expect("-writer1", "-db")
    })
  )

  treeTest("kills it when its limit is over, if the build cannot be interrupted", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const Sup = single(around(writer(journal), Effect.uninterruptible(Deferred.await(gate))))
      const starting = yield* Effect.forkChild(run(Sup.layer))
      yield* journal.expect("+writer1")
      const stopping = yield* Effect.forkChild(Fiber.interrupt(starting))
      yield* pass("4999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("-writer1")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(stopping)
      yield* journal.expect("-db")
    })
  )

  treeTest("under a partition supervisor, too", ({ journal }) =>
    Effect.gen(function* () {
      class Part extends GenServer.Service<Part>()("test/Part", []) {
        static readonly layer = this.define({
          init: () => journal.starting("part", () => Effect.void),
          handlers: {},
          terminate: (reason) => Effect.sync(() => journal.write(`terminate ${reason._tag}`))
        }).layer()
      }
      const child = { key: "test/Part", layer: around(Part.layer, Effect.never) }
      class Parts extends PartitionSupervisor.Service<Parts>()("test/Parts", {
        child: child as never,
        partitions: 2
      }) {}
      const starting = yield* Effect.forkChild(run((Parts as unknown as { layer: Layer.Layer<never> }).layer))
      yield* journal.expect("+part1")
      yield* Fiber.interrupt(starting)
      yield* journal.expect("terminate Shutdown", "-part1")
    })
  )

  treeTest("a build that fails ends the process in good order, too", ({ journal }) =>
    Effect.gen(function* () {
      const failing = Effect.fail(new StartError({ child: "rest" }))
      const error = yield* Effect.flip(run(single(around(writer(journal), failing)).layer))
      assert.deepStrictEqual(error, new StartError({ child: "rest" }))
      yield* journal.expect("+writer1", "terminate Shutdown, db open: true", "-writer1", "-db")
    })
  )
})

describe("a process that ends while the Layer of its child is still building", () => {
  treeTest("at the boot: the start fails at once, with the crash", ({ journal, crashes }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const starting = yield* Effect.forkChild(Effect.exit(run(single(around(A.layer, Effect.never)).layer)))
      yield* journal.expect("+a1")
      yield* crash(journal, "a")
      yield* journal.expect("-a1")
      assert.include(causeOf(yield* Fiber.join(starting)), "boom")
      assert.deepStrictEqual(
        crashes.map(({ decision }) => decision),
        ["give up"]
      )
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    })
  )

  for (const reason of [ExitReason.killed, ExitReason.normal, ExitReason.shutdown()]) {
    treeTest(`at the boot, by ${reason._tag}: the start fails with a sentence that says so`, ({ journal }) =>
      Effect.gen(function* () {
        const A = server(journal, "a")
        const starting = yield* Effect.forkChild(Effect.exit(run(single(around(A.layer, Effect.never)).layer)))
        yield* journal.expect("+a1")
        yield* end(journal, "a", reason)
        yield* journal.expect("-a1")
        assert.include(
          causeOf(yield* Fiber.join(starting)),
          `The Layer of child "a" was still being built when its process, test/a, ended`
        )
      })
    )
  }

  treeTest("at a restart: that is a failure, and it is started again at once", ({ journal, events }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      let starts = 0
      const rest = Effect.suspend(() => (++starts === 2 ? Effect.never : Effect.void))
      const Sup = single(around(A.layer, rest))
      yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      yield* crash(journal, "a")
      yield* journal.expect("-a2", "+a3")
      const exits = events.filter(({ name }) => name === "child.exit").map(({ metadata }) => metadata)
      assert.deepStrictEqual(
        exits.map((exit) => "incarnation" in exit && exit.incarnation),
        [1, 2]
      )
    })
  )

  treeTest("is killed if its end takes longer than its limit", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a", { terminate: () => Effect.never })
      const starting = yield* Effect.forkChild(Effect.exit(run(single(around(A.layer, Effect.never)).layer)))
      yield* journal.expect("+a1")
      yield* crash(journal, "a")
      yield* pass("5 seconds")
      yield* journal.expect("-a1")
      assert.include(causeOf(yield* Fiber.join(starting)), "boom")
    })
  )

  treeTest("a worker that ends at once was up", ({ journal }) =>
    Effect.gen(function* () {
      const ends = Effect.suspend(() => (journal.begin("w") < 3 ? Effect.die("not yet") : Effect.void))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.worker("w", ends, { restart: "transient" })]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* quiet
      assert.deepStrictEqual(
        (yield* Context.get(context, Sup).whichChildren).map(({ state, restarts }) => [state, restarts]),
        [["stopped", 2]]
      )
    })
  )
})

describe("what the Layer of a child forks", () => {
  treeTest("may provide another server, while it is built and later: a server of its own", ({ journal }) =>
    Effect.gen(function* () {
      const [A, B] = [server(journal, "a"), server(journal, "b")]
      const gate = yield* Deferred.make<void>()
      const useB = Effect.ignore(Effect.scoped(Effect.andThen(Layer.build(B.layer), Effect.never)))
      const forks = (effect: Effect.Effect<unknown>) => Layer.effectDiscard(Effect.forkScoped(effect))
      const rest = Layer.mergeAll(forks(useB), forks(Effect.andThen(Deferred.await(gate), useB)))
      const { close } = yield* run(single(Layer.provideMerge(A.layer, rest)).layer)
      yield* journal.expectAll("+a1", "+b1")
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+b2")
      yield* crash(journal, "a")
      yield* journal.expectAll("-a1", "-b1", "-b2", "+a2", "+b3", "+b4")
      yield* close
      yield* journal.expectAll("-a2", "-b3", "-b4")
    })
  )

  treeTest("gets the supervised handle if it provides the child's own server again", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const asks = Effect.flatMap(A, (a) => Effect.map(a.incarnation(), (n) => journal.write(`a is in run ${n}`)))
      const rest = Layer.effectDiscard(Effect.forkScoped(Effect.ignore(Effect.provide(asks, A.layer))))
      const { close } = yield* run(single(Layer.provideMerge(rest, A.layer)).layer)
      yield* journal.expect("+a1", "a is in run 1")
      yield* close
      yield* journal.expect("-a1")
    })
  )

  treeTest("no longer finds what the tree supervised if it outlives the tree", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const gate = yield* Deferred.make<void>()
      const seen = yield* Deferred.make<number>()
      const later = Effect.andThen(
        Deferred.await(gate),
        Effect.flatMap(A, (a) => Effect.flatMap(Effect.orDie(a.incarnation()), (n) => Deferred.succeed(seen, n)))
      )
      const early = Layer.effectDiscard(
        Effect.forkDetach(Effect.andThen(Deferred.await(gate), Effect.provide(later, A.layer)))
      )
      const { close } = yield* run(single(Layer.provideMerge(early, A.layer)).layer)
      yield* journal.expect("+a1")
      yield* close
      yield* journal.expect("-a1")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Deferred.await(seen), 2)
      yield* journal.expect("+a2", "-a2")
    })
  )
})

describe("what a tree supervises", () => {
  treeTest("is not found in another kernel: a server of its own runs there", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const seen: Array<number> = []
      const elsewhere = Effect.flatMap(A, (a) => Effect.map(Effect.orDie(a.incarnation()), (n) => seen.push(n))).pipe(
        Effect.provide(A.layer.pipe(Layer.provide(Kernel.layer))),
        Effect.orDie
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.child(A.layer, { id: "a" }),
          Supervisor.resource(Db, Layer.provideMerge(Layer.effectDiscard(elsewhere), makeDb(journal)))
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      assert.deepStrictEqual(seen, [2])
      yield* journal.expect("+a1", "+a2", "-a2")
      yield* close
      yield* journal.expect("-db", "-a1")
    })
  )
})

describe("inside one child", () => {
  treeTest("a Layer that is used twice is one process", ({ journal }) =>
    Effect.gen(function* () {
      class A extends GenServer.Service<A>()("test/a", [Rpc.make("run", { success: Schema.Finite })]) {
        static readonly layer = this.define({
          init: () => journal.starting("a", () => Effect.void),
          handlers: { run: (_, n) => GenServer.reply(n, n) }
        }).layer()
      }
      const warm = (name: string) =>
        Layer.provide(
          Layer.effectDiscard(
            Effect.flatMap(A, (a) => Effect.map(Effect.orDie(a.run()), (n) => journal.write(`${name} ${n}`)))
          ),
          A.layer
        )
      const child = Layer.provideMerge(Layer.mergeAll(warm("x"), warm("y")), A.layer)
      const { close, context } = yield* run(
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [Supervisor.child(child, { id: "a" })]
        }) {}.layer
      )
      yield* journal.expectAll("+a1", "x 1", "y 1")
      const pid = yield* Effect.flatMap(Handle.pid(Context.get(context, A)), Effect.fromOption)
      yield* Process.kill(pid)
      yield* journal.expectAll("-a1", "+a2", "x 2", "y 2")
      yield* close
      yield* journal.expect("-a2")
    })
  )
})
