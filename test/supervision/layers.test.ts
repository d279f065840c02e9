/**
 * Layers are memoised, processes are not. Whatever surrounds a supervised Layer, each start of a child adopts one new
 * process, everybody gets its handle, and nobody gets a dead one.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { GenServer, Supervisor } from "effect-otp"
import { ExitReason, Handle, Kernel, type Pid, Process } from "effect-otp/kernel"
import { neverFreed } from "../fixtures/garbage.ts"
import { crash, end, inWorld, type Journal, quiet, run, server, treeTest } from "../fixtures/supervision.ts"

/** A plain service that counts its builds. */
class Db extends Context.Service<Db, { readonly number: number }>()("test/Db") {}

const makeDb = (journal: Journal) =>
  Layer.effect(
    Db,
    Effect.acquireRelease(
      Effect.sync(() => {
        const number = journal.begin("db")
        journal.write(`+db${number}`)
        return { number }
      }),
      ({ number }) => Effect.sync(() => journal.write(`-db${number}`))
    )
  )

/** A server that needs the plain service, and says which one it has. */
const account = (journal: Journal, name = "a") =>
  server(journal, name, { init: () => Effect.map(Db, ({ number }) => journal.write(`${name} has db${number}`)) })

const defectOf = (exit: Exit.Exit<unknown, unknown>): string => {
  assert.isTrue(Exit.isFailure(exit))
  return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
}

describe("a private dependency", () => {
  treeTest("is built anew with each start of its child, and released with it", ({ journal }) =>
    Effect.gen(function* () {
      const A = account(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer.pipe(Layer.provide(makeDb(journal))))]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+db1", "a has db1", "+a1")
      yield* crash(journal, "a")
      yield* journal.expect("-a1", "-db1", "+db2", "a has db2", "+a2")
      yield* close
      yield* journal.expect("-a2", "-db2")
    })
  )

  treeTest("is each child's own, even if it is the same Layer", ({ journal }) =>
    Effect.gen(function* () {
      const [A, B] = [account(journal, "a"), account(journal, "b")]
      const db = makeDb(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "restForOne",
        children: [Supervisor.child(A.layer.pipe(Layer.provide(db))), Supervisor.child(B.layer.pipe(Layer.provide(db)))]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+db1", "a has db1", "+a1", "+db2", "b has db2", "+b1")
      yield* crash(journal, "a")
      yield* quiet
      assert.deepStrictEqual(journal.entries.splice(0, 4).toSorted(), ["-a1", "-b1", "-db1", "-db2"])
      yield* journal.expect("+db3", "a has db3", "+a2", "+db4", "b has db4", "+b2")
      yield* close
      yield* journal.expect("-b2", "-db4", "-a2", "-db3")
    })
  )

  treeTest("that is provided outside, too, is shared with the outside, and no restart touches it", ({ journal }) =>
    Effect.gen(function* () {
      const A = account(journal)
      const db = makeDb(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer.pipe(Layer.provide(db)), { id: "a" })]
      }) {}
      const { close, context } = yield* run(Sup.layer.pipe(Layer.provideMerge(db)))
      yield* journal.expect("+db1", "a has db1", "+a1")
      yield* crash(journal, "a")
      yield* journal.expect("-a1", "a has db1", "+a2")
      assert.strictEqual(Context.get(context, Db).number, 1)
      yield* close
      yield* journal.expect("-a2", "-db1")
    })
  )

  treeTest("is built apart if it is fresh", ({ journal }) =>
    Effect.gen(function* () {
      const A = account(journal)
      const db = makeDb(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(Layer.fresh(A.layer.pipe(Layer.provide(db))))]
      }) {}
      const { close } = yield* run(Sup.layer.pipe(Layer.provideMerge(db)))
      yield* journal.expect("+db1", "+db2", "a has db2", "+a1")
      yield* crash(journal, "a")
      yield* journal.expect("-a1", "-db2", "+db3", "a has db3", "+a2")
      yield* close
      yield* journal.expect("-a2", "-db3", "-db1")
    })
  )
})

describe("the same server outside of the supervisor", () => {
  /** `a` outside is a process of its own without a supervisor. Code below the supervisor gets the supervised one. */
  treeTest(
    "provided to it: the child is a new process all the same, at the first start and at each restart",
    ({ journal }) =>
      Effect.gen(function* () {
        const A = server(journal, "a")
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [Supervisor.child(A.layer, { id: "a" })]
        }) {}
        const { close, context } = yield* run(Sup.layer.pipe(Layer.provideMerge(A.layer)))
        yield* journal.expect("+a1", "+a2")
        assert.strictEqual(yield* Context.get(context, A).incarnation(), 2)
        yield* end(journal, "a", ExitReason.killed)
        yield* journal.expect("-a2", "+a3")
        assert.strictEqual(yield* Context.get(context, A).incarnation(), 3)
        yield* close
        yield* journal.expect("-a3", "-a1")
      })
  )

  treeTest("beside it in a mergeAll: two processes; the supervised one is restarted alone", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer, { id: "a" })]
      }) {}
      const { close, context } = yield* run(Layer.mergeAll(A.layer, Sup.layer))
      yield* journal.expectAll("+a1", "+a2")
      const [child] = yield* Context.get(context, Sup).whichChildren
      yield* Process.kill(child!.pid!)
      yield* quiet
      assert.strictEqual((yield* Kernel.counts).processes, 3)
      // The program gets the last one of the merge: the supervised one.
      assert.strictEqual(yield* Context.get(context, A).incarnation(), 3)
      journal.entries.length = 0
      yield* close
      assert.strictEqual((yield* Kernel.counts).processes, 0)
      yield* quiet
      assert.strictEqual(journal.entries.length, 2)
      journal.entries.length = 0
    })
  )

  treeTest("with its dependencies as one Layer, memoised: a defect that names the child and the cure", ({ journal }) =>
    Effect.gen(function* () {
      const A = account(journal)
      const layer = A.layer.pipe(Layer.provide(makeDb(journal)))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(layer, { id: "the account" })]
      }) {}
      const defect = defectOf(yield* Effect.exit(run(Sup.layer.pipe(Layer.provideMerge(layer)))))
      assert.include(defect, `"the account"`)
      assert.include(defect, "started no process")
      assert.include(defect, "test/a already runs")
      assert.include(defect, "provided elsewhere")
      assert.include(defect, "Layer.fresh")
      yield* journal.expect("+db1", "a has db1", "+a1", "-a1", "-db1")
    })
  )

  treeTest("with its dependencies as one fresh Layer: each has its own", ({ journal }) =>
    Effect.gen(function* () {
      const A = account(journal)
      const layer = A.layer.pipe(Layer.provide(makeDb(journal)))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(Layer.fresh(layer))]
      }) {}
      const { close, context } = yield* run(Sup.layer.pipe(Layer.provideMerge(layer)))
      yield* journal.expect("+db1", "a has db1", "+a1", "+db2", "a has db2", "+a2")
      yield* crash(journal, "a")
      yield* journal.expect("-a2", "-db2", "+db3", "a has db3", "+a3")
      assert.strictEqual(yield* Context.get(context, A).incarnation(), 3)
      yield* close
      yield* journal.expect("-a3", "-db3", "-a1", "-db1")
    })
  )

  treeTest("in a Layer.unwrap as the child: it is found inside", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [Supervisor.child(Layer.unwrap(Effect.sync(() => A.layer))), Supervisor.worker("w", Effect.never)]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      assert.strictEqual(yield* Context.get(context, A).incarnation(), 2)
      yield* close
      yield* journal.expect("-a2")
    })
  )
})

describe("a child whose Layer is made at each start", () => {
  it.effect("keeps its present run and nothing of the former ones", () =>
    inWorld(({ journal }) =>
      Effect.gen(function* () {
        const made: Array<WeakRef<object>> = []
        const layerOf = (name: string) =>
          Layer.unwrap(
            Effect.sync(() => {
              const layer = server(journal, name).layer
              made.push(new WeakRef(layer))
              return layer
            })
          )
        class Inner extends Supervisor.Service<Inner>()("test/Inner", {
          strategy: "oneForAll",
          intensity: { max: 1000, within: "1 second" },
          children: [Supervisor.child(layerOf("a")), Supervisor.child(layerOf("b"))]
        }) {}
        class Outer extends Supervisor.Service<Outer>()("test/Outer", {
          strategy: "oneForOne",
          intensity: { max: 1000, within: "1 second" },
          children: [Supervisor.child(Inner.layer)]
        }) {}
        const { close, context } = yield* run(Outer.layer)
        for (let n = 1; n <= 40; n++) {
          yield* n % 10 === 0
            ? Effect.flatMap(Handle.pid(Context.get(context, Inner)), (pid) => Process.kill(Option.getOrThrow(pid)))
            : crash(journal, "a")
          while (!journal.entries.includes(`+b${n + 1}`)) yield* TestClock.withLive(Effect.sleep(1))
        }
        assert.strictEqual(made.length, 82)
        assert.strictEqual(yield* neverFreed(made, 2), 2)
        yield* close
        journal.entries.length = 0
      })
    )
  )
})

describe("a supervised server provided again by a younger sibling", () => {
  for (const [title, around] of [
    ["as it is", (layer: Layer.Layer<never>) => layer],
    ["in a Layer.unwrap", (layer: Layer.Layer<never>) => Layer.unwrap(Effect.succeed(layer))],
    ["fresh", (layer: Layer.Layer<never>) => Layer.fresh(layer)]
  ] as const) {
    treeTest(`${title}: the sibling gets the supervised handle, at the first start and later`, ({ journal }) =>
      Effect.gen(function* () {
        const A = server(journal, "a")
        const clients: Array<unknown> = []
        const B = server(journal, "b", { init: () => Effect.map(A, (a) => clients.push(a)) })
        const again = around(A.layer as unknown as Layer.Layer<never>) as unknown as typeof A.layer
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [Supervisor.child(A.layer), Supervisor.child(B.layer.pipe(Layer.provide(again)))]
        }) {}
        const { close, context } = yield* run(Sup.layer)
        yield* journal.expect("+a1", "+b1")
        yield* crash(journal, "a")
        yield* journal.expect("-a1", "+a2")
        yield* crash(journal, "b")
        yield* journal.expect("-b1", "+b2")
        const a = Context.get(context, A)
        assert.deepStrictEqual(
          clients.map((client) => client === a),
          [true, true]
        )
        assert.strictEqual(yield* a.incarnation(), 2)
        yield* close
        yield* journal.expect("-b2", "-a2")
      })
    )
  }

  treeTest("in a nested supervisor, and by a sibling of a nested supervisor", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const B = server(journal, "b", { init: () => A })
      const C = server(journal, "c", { init: () => A })
      class Lower extends Supervisor.Service<Lower>()("test/Lower", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer), Supervisor.child(B.layer.pipe(Layer.provide(A.layer)))]
      }) {}
      class Upper extends Supervisor.Service<Upper>()("test/Upper", {
        strategy: "restForOne",
        children: [Supervisor.child(Lower.layer), Supervisor.child(C.layer.pipe(Layer.provide(A.layer)))]
      }) {}
      const { close, context } = yield* run(Upper.layer)
      yield* journal.expect("+a1", "+b1", "+c1")
      const lower = yield* Effect.flatMap(Handle.pid(Context.get(context, Lower)), Effect.fromOption)
      yield* Process.kill(lower)
      yield* quiet
      journal.entries.length = 0
      assert.strictEqual(yield* Context.get(context, A).incarnation(), 2)
      yield* crash(journal, "c")
      yield* journal.expect("-c2", "+c3")
      yield* close
      yield* journal.expect("-c3", "-b2", "-a2")
    })
  )
})

describe("a child that starts no process, or several", () => {
  treeTest("a plain service: none", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        // The compiler refuses it, too.
        children: [Supervisor.child(makeDb(journal) as unknown as Layer.Layer<never>, { id: "db" })]
      }) {}
      const defect = defectOf(yield* Effect.exit(run(Sup.layer)))
      assert.include(defect, `"db"`)
      assert.include(defect, "Supervisor.resource")
      yield* journal.expect("+db1", "-db1")
    })
  )

  treeTest("a test double: none", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const double = A.of({
        [Handle.TypeId]: { key: A.key },
        incarnation: () => Effect.succeed(17),
        wait: () => Effect.never
      })
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(Layer.succeed(A, double), { id: "a" })]
      }) {}
      const defect = defectOf(yield* Effect.exit(run(Sup.layer)))
      assert.include(defect, `"a"`)
      assert.include(defect, "test double")
    })
  )

  const merged: ReadonlyArray<readonly [string, (a: Layer.Layer<never>, b: Layer.Layer<never>) => Layer.Layer<never>]> =
    [
      ["a merge of two servers", (a, b) => Layer.merge(a, b)],
      ["a server with a private server", (a, b) => Layer.provide(a, b)],
      ["a fresh merge", (a, b) => Layer.fresh(Layer.mergeAll(a, b))]
    ]
  for (const [title, merge] of merged) {
    treeTest(`${title}: several`, ({ journal }) =>
      Effect.gen(function* () {
        const [A, B] = [server(journal, "a"), server(journal, "b")]
        const both = merge(A.layer as unknown as Layer.Layer<never>, B.layer as unknown as Layer.Layer<never>)
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [Supervisor.worker("w", Effect.never), Supervisor.child(both, { id: "both" })]
        }) {}
        const defect = defectOf(yield* Effect.exit(run(Sup.layer)))
        assert.include(defect, `"both"`)
        // The one that came first, if one had got that far.
        assert.match(defect, /several processes|beside test\/[ab]/)
        assert.include(defect, "a child of its own")
        assert.strictEqual((yield* Kernel.counts).processes, 0)
      })
    )
  }

  treeTest("a worker whose effect starts servers: they are its own affair", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.worker("w", Effect.provide(Effect.andThen(A, Effect.never), A.layer))]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      yield* journal.expect("+a1")
      const [w] = yield* Context.get(context, Sup).whichChildren
      yield* Process.kill(w!.pid!)
      yield* journal.expectAll("-a1", "+a2")
      yield* close
      yield* journal.expect("-a2")
    })
  )

  treeTest("a server whose init starts others: they are its own affair", ({ journal }) =>
    Effect.gen(function* () {
      const B = server(journal, "b")
      const A = server(journal, "a", { init: () => Layer.build(B.layer) })
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer)]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* journal.expect("+b1", "+a1")
      yield* crash(journal, "a")
      yield* journal.expect("-b1", "-a1", "+b2", "+a2")
      yield* close
      yield* journal.expect("-b2", "-a2")
    })
  )
})

describe("several supervisors", () => {
  treeTest("two at the root over the same child: two processes, each supervised by its own", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const children = [Supervisor.child(A.layer, { id: "a" })] as const
      class One extends Supervisor.Service<One>()("test/One", { strategy: "oneForOne", children }) {}
      class Two extends Supervisor.Service<Two>()("test/Two", { strategy: "oneForOne", children }) {}
      const { close, context } = yield* run(Layer.mergeAll(One.layer, Two.layer))
      yield* journal.expectAll("+a1", "+a2")
      const pidIn = (sup: Supervisor.SupervisorHandle) => Effect.map(sup.whichChildren, ([a]) => a!.pid!)
      const [one, two] = [Context.get(context, One), Context.get(context, Two)]
      const second = yield* pidIn(two)
      assert.notStrictEqual(yield* pidIn(one), second)
      yield* Process.kill(yield* pidIn(one))
      yield* quiet
      assert.strictEqual(yield* pidIn(two), second)
      assert.isTrue(yield* Process.isAlive(yield* pidIn(one)))
      journal.entries.length = 0
      yield* close
      yield* quiet
      assert.strictEqual(journal.entries.length, 2)
      journal.entries.length = 0
    })
  )

  treeTest("two under one roof over the same child: the second is told that it is supervised already", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const children = [Supervisor.child(A.layer, { id: "the child" })] as const
      class One extends Supervisor.Service<One>()("test/One", { strategy: "oneForOne", children }) {}
      class Two extends Supervisor.Service<Two>()("test/Two", { strategy: "oneForOne", children }) {}
      class Roof extends Supervisor.Service<Roof>()("test/Roof", {
        strategy: "oneForOne",
        children: [Supervisor.child(One.layer), Supervisor.child(Two.layer)]
      }) {}
      const defect = defectOf(yield* Effect.exit(run(Roof.layer)))
      assert.include(defect, `"the child"`)
      assert.include(defect, "test/a is already supervised by test/One")
      yield* journal.expect("+a1", "-a1")
    })
  )

  treeTest("one that is provided to others of its own program is one", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer)]
      }) {}
      const user = (name: string) =>
        Layer.effectDiscard(
          Effect.flatMap(A, (a) => Effect.map(a.incarnation(), (n) => journal.write(`${name} sees a${n}`)))
        )
      const program = Layer.mergeAll(user("x").pipe(Layer.provide(Sup.layer)), user("y").pipe(Layer.provide(Sup.layer)))
      const { close } = yield* run(program)
      yield* journal.expectAll("+a1", "x sees a1", "y sees a1")
      yield* close
      yield* journal.expect("-a1")
    })
  )

  treeTest("one inside a plain Layer, provided twice, is one, and ends with the last who needs it", ({ journal }) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer)]
      }) {}
      const plain = Layer.effect(
        Db,
        Effect.flatMap(A, (a) => Effect.map(a.incarnation(), (number) => ({ number })))
      ).pipe(Layer.provide(Sup.layer))
      const { close, context } = yield* run(Layer.mergeAll(plain, Layer.effectDiscard(Db).pipe(Layer.provide(plain))))
      assert.strictEqual(Context.get(context, Db).number, 1)
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      yield* close
      yield* journal.expect("-a2")
    })
  )

  treeTest(
    "one inside a plain Layer that a child provides privately takes the child's adoption: a defect",
    ({ journal }) =>
      Effect.gen(function* () {
        const A = server(journal, "a")
        const B = server(journal, "b", { init: () => A })
        class Inner extends Supervisor.Service<Inner>()("test/Inner", {
          strategy: "oneForOne",
          children: [Supervisor.child(A.layer)]
        }) {}
        class Outer extends Supervisor.Service<Outer>()("test/Outer", {
          strategy: "oneForOne",
          children: [Supervisor.child(B.layer.pipe(Layer.provide(Inner.layer)), { id: "b with inner" })]
        }) {}
        const defect = defectOf(yield* Effect.exit(run(Outer.layer)))
        assert.include(defect, `"b with inner"`)
        assert.include(defect, "test/Inner")
        yield* journal.expect("+a1", "-a1")
      })
  )

  treeTest("a nested one over dependencies from outside shares them across all restarts", ({ journal }) =>
    Effect.gen(function* () {
      const A = account(journal)
      const db = makeDb(journal)
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 second" },
        children: [Supervisor.child(A.layer)]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForAll",
        children: [Supervisor.worker("w", Effect.never), Supervisor.child(Inner.layer)]
      }) {}
      const { close, context } = yield* run(Outer.layer.pipe(Layer.provide(db)))
      yield* crash(journal, "a")
      yield* journal.expect("+db1", "a has db1", "+a1", "-a1", "a has db1", "+a2")
      assert.strictEqual(yield* Context.get(context, A).incarnation(), 2)
      yield* close
      yield* journal.expect("-a2", "-db1")
    })
  )
})

describe("the environment of a child", () => {
  treeTest("is the supervisor's, without its adoption and its process", ({ journal }) =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      class Spy extends GenServer.Service<Spy>()("test/Spy", []) {
        static readonly layer = this.define({
          init: () =>
            Effect.gen(function* () {
              seen.push(yield* Process.self)
              const ancestors = yield* Process.ancestors
              seen.push(ancestors.length)
              // A process it spawns is its own child.
              const spawned = yield* Process.spawn(
                Effect.flatMap(Process.ancestors, (all) => Effect.sync(() => seen.push(all.length)))
              )
              yield* Process.awaitExit(spawned)
            }),
          handlers: {}
        }).layer()
      }
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [Supervisor.child(Spy.layer)]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer)]
      }) {}
      const { context } = yield* run(Outer.layer)
      const spy = yield* Effect.flatMap(Handle.pid(Context.get(context, Spy)), Effect.fromOption)
      assert.deepStrictEqual(seen, [spy, 2, 3])
      yield* journal.expect()
    })
  )

  treeTest("a Layer of a server that is built in a handler's turn starts a process of its own", ({ journal }) =>
    Effect.gen(function* () {
      const B = server(journal, "b")
      class Starter extends GenServer.Service<Starter>()("test/Starter", []) {
        static readonly layer = this.define({
          init: () => Effect.void,
          handlers: {},
          info: (_: unknown, state) =>
            Effect.as(
              Effect.orDie(
                Effect.provide(
                  Effect.flatMap(B, (b) => b.incarnation()),
                  B.layer
                )
              ),
              GenServer.noReply(state)
            )
        }).layer()
      }
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(Starter.layer)]
      }) {}
      const { context } = yield* run(Sup.layer)
      const starter = yield* Effect.flatMap(Handle.pid(Context.get(context, Starter)), Effect.fromOption)
      yield* Process.send(starter as Pid.Pid<unknown>, "go")
      yield* journal.expect("+b1", "-b1")
      assert.isTrue(yield* Process.isAlive(starter))
    })
  )
})
