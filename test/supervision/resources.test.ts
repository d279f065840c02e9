import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer, Schedule } from "effect"
import { GenServer, Supervisor } from "effect-otp"
import { ExitReason } from "effect-otp/kernel"
import {
  child,
  crash,
  end,
  failing,
  type Journal,
  pass,
  quiet,
  run,
  server,
  StartError,
  treeTest
} from "../fixtures/supervision.ts"

/** A pool that reports as children do, and can be told that it is broken. */
class Pool extends Context.Service<
  Pool,
  { readonly number: number; readonly broken: Deferred.Deferred<void, string> }
>()("test/Pool") {}

const makePool = (journal: Journal, init: (n: number) => Effect.Effect<void, StartError> = () => Effect.void) => {
  let latest: Context.Service.Shape<typeof Pool>
  const layer = Layer.effect(
    Pool,
    Effect.gen(function* () {
      const number = journal.begin("pool")
      yield* Effect.addFinalizer(() => Effect.sync(() => journal.write(`-pool${number}`)))
      yield* Effect.onError(init(number), () => Effect.sync(() => journal.write(`!pool${number}`)))
      journal.write(`+pool${number}`)
      latest = { number, broken: yield* Deferred.make<void, string>() }
      return latest
    })
  )
  const breaks = (exit: Exit.Exit<void, string>) => Effect.suspend(() => Deferred.done(latest.broken, exit))
  const watch = (pool: Context.Service.Shape<typeof Pool>) => Deferred.await(pool.broken)
  return { layer, breaks, watch }
}

/** A server that holds the pool it was started with. */
const user = (journal: Journal, name: string) => {
  const init = () => Effect.map(Pool, ({ number }) => journal.write(`${name} has pool${number}`))
  return Supervisor.child(server(journal, name, { init }).layer, { id: name })
}

describe("a resource", () => {
  treeTest("is given to younger siblings, released last, and does not leave the supervisor", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.resource(Pool, pool.layer, { rebuild: "onWatch" }),
          user(journal, "a"),
          user(journal, "b")
        ]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      assert.isFalse(context.mapUnsafe.has(Pool.key))
      yield* journal.expect("+pool1", "a has pool1", "+a1", "b has pool1", "+b1")
      yield* crash(journal, "a")
      yield* journal.expect("-a1", "a has pool1", "+a2")
      yield* close
      yield* journal.expect("-b1", "-a2", "-pool1")
    })
  )

  treeTest("is given to nested supervisors, too", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [user(journal, "a")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.resource(Pool, pool.layer, { watch: pool.watch }), Supervisor.child(Inner.layer)]
      }) {}
      yield* run(Outer.layer)
      yield* journal.expect("+pool1", "a has pool1", "+a1")
      yield* pool.breaks(Exit.void)
      yield* journal.expect("-a1", "-pool1", "+pool2", "a has pool2", "+a2")
      yield* crash(journal, "a")
      yield* journal.expect("-a2", "a has pool2", "+a3")
    })
  )

  const ways: ReadonlyArray<readonly [string, Exit.Exit<void, string>]> = [
    ["success", Exit.void],
    ["failure", Exit.fail("connection lost")],
    ["defect", Exit.die(new Error("watch died"))]
  ]
  for (const strategy of ["oneForOne", "oneForAll", "restForOne"] as const) {
    for (const [how, exit] of ways) {
      treeTest(`${strategy}: when its watch ends by ${how} it is rebuilt, and all younger siblings with it`, (world) =>
        Effect.gen(function* () {
          const { events, journal, lines } = world
          const pool = makePool(journal)
          class Sup extends Supervisor.Service<Sup>()("test/Sup", {
            strategy,
            children: [
              child(journal, "a"),
              Supervisor.resource(Pool, pool.layer, { watch: pool.watch }),
              user(journal, "b"),
              user(journal, "c")
            ]
          }) {}
          yield* run(Sup.layer)
          yield* journal.expect("+a1", "+pool1", "b has pool1", "+b1", "c has pool1", "+c1")
          yield* pool.breaks(exit)
          yield* journal.expect(
            ...["-c1", "-b1", "-pool1"],
            ...(strategy === "oneForAll" ? ["-a1", "+a2"] : []),
            ...["+pool2", "b has pool2", "+b2", "c has pool2", "+c2"]
          )
          // No process crashed, but it is logged.
          assert.deepStrictEqual(world.crashes, [])
          assert.deepStrictEqual(lines, [
            {
              level: "Warn",
              message: `test/Sup: child test/Pool ended: ${exit._tag === "Success" ? "Normal" : "Crash"} (restart)`
            }
          ])
          const told = events.filter(({ name }) => name === "child.exit" || name === "child.restart")
          const about = { supervisor: "test/Sup", child: "test/Pool", incarnation: 1, pid: undefined }
          assert.deepStrictEqual(told, [
            {
              name: "child.exit",
              measurements: { uptimeMillis: 0 },
              metadata: { ...about, reason: ExitReason.fromExit(exit) }
            },
            { name: "child.restart", measurements: { delayMillis: 0 }, metadata: about }
          ])
        })
      )
    }
  }

  treeTest("that ends before its start is through for all others is rebuilt after the boot", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      let first = true
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.resource(Pool, pool.layer, {
            watch: () =>
              Effect.suspend(() => {
                const ends = first
                first = false
                return ends ? Effect.void : Effect.never
              })
          }),
          user(journal, "a")
        ]
      }) {}
      yield* run(Sup.layer)
      yield* quiet
      assert.include(journal.entries, "a has pool2")
      assert.strictEqual(journal.entries.at(-1)?.slice(0, 2), "+a")
    })
  )

  treeTest("has its own schedule and is bounded by it", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [
          Supervisor.resource(Pool, pool.layer, {
            watch: pool.watch,
            schedule: ($) => $(Schedule.spaced("1 second")).pipe(Schedule.while(({ input }) => input.incarnation < 1))
          }),
          user(journal, "a")
        ]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer)]
      }) {}
      yield* run(Outer.layer)
      yield* journal.expect("+pool1", "a has pool1", "+a1")
      yield* pool.breaks(Exit.void)
      yield* journal.expect("-a1", "-pool1")
      yield* pass("1 second")
      yield* journal.expect("+pool2", "a has pool2", "+a2")
      // The schedule has ended, so Inner gives up and begins anew.
      yield* pool.breaks(Exit.void)
      yield* journal.expect("-a2", "-pool2", "+pool3", "a has pool3", "+a3")
    })
  )

  treeTest(
    "that does not come back is retried before any younger sibling starts, and each try is logged",
    ({ journal, lines }) =>
      Effect.gen(function* () {
        const pool = makePool(journal, failing("pool", 2, 3))
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [
            Supervisor.resource(Pool, pool.layer, { watch: pool.watch, schedule: Schedule.spaced("1 second") }),
            user(journal, "a")
          ]
        }) {}
        yield* run(Sup.layer)
        yield* pool.breaks(Exit.void)
        yield* pass("3 seconds")
        yield* journal.expect(
          ...["+pool1", "a has pool1", "+a1", "-a1", "-pool1"],
          ...["!pool2", "-pool2", "!pool3", "-pool3", "+pool4", "a has pool4", "+a2"]
        )
        const failed = new StartError({ child: "pool" })
        assert.deepStrictEqual(
          lines.map(({ message }) => message),
          [
            "test/Sup: child test/Pool ended: Normal (restart in 1000 ms)",
            `test/Sup: child test/Pool did not start: ${String(failed)} (restart in 1000 ms)`,
            `test/Sup: child test/Pool did not start: ${String(failed)} (restart in 1000 ms)`
          ]
        )
      })
  )

  for (const strategy of ["oneForOne", "restForOne"] as const) {
    treeTest(
      `${strategy}: without a watch it is rebuilt with a holder that crashes, as are all that hold it`,
      (world) =>
        Effect.gen(function* () {
          const { crashes, journal } = world
          const pool = makePool(journal)
          class Sup extends Supervisor.Service<Sup>()("test/Sup", {
            strategy,
            children: [
              child(journal, "a"),
              Supervisor.resource(Pool, pool.layer),
              user(journal, "b"),
              user(journal, "c")
            ]
          }) {}
          const { context } = yield* run(Sup.layer)
          yield* journal.expect("+a1", "+pool1", "b has pool1", "+b1", "c has pool1", "+c1")
          yield* crash(journal, "b")
          yield* journal.expect("-b1", "-c1", "-pool1", "+pool2", "b has pool2", "+b2", "c has pool2", "+c2")
          assert.deepStrictEqual(
            crashes.map(({ decision }) => decision),
            ["restart"]
          )
          const children = yield* Context.get(context, Sup).whichChildren
          assert.deepStrictEqual(
            children.map(({ id, restarts }) => [id, restarts]),
            [
              ["a", 0],
              ["test/Pool", 1],
              ["b", 1],
              ["c", 1]
            ]
          )
        })
    )
  }

  treeTest("with a watch it is left alone when a holder crashes, unless it is to be rebuilt with it", ({ journal }) =>
    Effect.gen(function* () {
      for (const rebuild of [undefined, "withHolder"] as const) {
        const pool = makePool(journal)
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [Supervisor.resource(Pool, pool.layer, { watch: pool.watch, rebuild }), user(journal, "a")]
        }) {}
        const { close } = yield* run(Sup.layer)
        yield* quiet
        const before = journal.entries.splice(0).filter((entry) => entry.startsWith("+pool")).length
        assert.strictEqual(before, 1)
        yield* crash(journal, "a")
        yield* quiet
        const built = journal.entries.splice(0).filter((entry) => entry.startsWith("+pool")).length
        assert.strictEqual(built, rebuild === undefined ? 0 : 1)
        yield* close
        yield* quiet
        journal.entries.length = 0
      }
    })
  )

  treeTest("a broken one does not burn the budget of its holder below another supervisor", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      const init = () =>
        Effect.flatMap(Pool, ({ number }) =>
          number === 1 && journal.entries.includes("+a1") ? Effect.fail(new StartError({ child: "a" })) : Effect.void
        )
      const A = server(journal, "a", { init })
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [Supervisor.child(A.layer, { id: "a" })]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        intensity: { max: 1, within: "5 seconds" },
        children: [Supervisor.resource(Pool, pool.layer), Supervisor.child(Inner.layer)]
      }) {}
      const { context } = yield* run(Outer.layer)
      yield* crash(journal, "a")
      yield* quiet
      // Inner gave up after three starts that failed on the broken pool. Outer rebuilt the pool with it.
      assert.deepStrictEqual(journal.entries.splice(0), [
        ...["+pool1", "+a1", "-a1", "!a2", "-a2", "!a3", "-a3", "!a4", "-a4"],
        ...["-pool1", "+pool2", "+a5"]
      ])
      assert.strictEqual(yield* Context.get(context, A).incarnation(), 5)
    })
  )

  treeTest("a holder whose end was expected leaves it alone", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.resource(Pool, pool.layer), user(journal, "a")]
      }) {}
      yield* run(Sup.layer)
      yield* end(journal, "a", ExitReason.normal)
      yield* journal.expect("+pool1", "a has pool1", "+a1", "-a1", "a has pool1", "+a2")
      yield* end(journal, "a", ExitReason.killed)
      yield* journal.expect("-a2", "-pool1", "+pool2", "a has pool2", "+a3")
    })
  )

  treeTest("is rebuilt with its group under oneForAll, whatever it says", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        children: [Supervisor.resource(Pool, pool.layer, { rebuild: "onWatch" }), user(journal, "a")]
      }) {}
      yield* run(Sup.layer)
      yield* crash(journal, "a")
      yield* journal.expect("+pool1", "a has pool1", "+a1", "-a1", "-pool1", "+pool2", "a has pool2", "+a2")
    })
  )

  treeTest("cannot be stopped or started by hand: its users would be left with a dead one", ({ journal }) =>
    Effect.gen(function* () {
      const pool = makePool(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.resource(Pool, pool.layer), user(journal, "a")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      const expected = Exit.fail(new Supervisor.ChildNotFound({ id: "test/Pool" }))
      assert.deepStrictEqual(yield* Effect.exit(sup.terminateChild("test/Pool")), expected)
      assert.deepStrictEqual(yield* Effect.exit(sup.restartChild("test/Pool")), expected)
    })
  )

  treeTest("its watch has the environment of the resource, and ends with it", ({ journal }) =>
    Effect.gen(function* () {
      class Health extends Context.Service<Health, string>()("test/Health") {}
      const watching: Array<string> = []
      const pool = makePool(journal)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.resource(Health, Layer.succeed(Health, "good")),
          Supervisor.resource(Pool, pool.layer, {
            watch: () =>
              Effect.flatMap(Health, (health) =>
                Effect.sync(() => watching.push(health)).pipe(
                  Effect.andThen(Effect.never),
                  Effect.onInterrupt(() => Effect.sync(() => watching.push("over")))
                )
              )
          })
        ]
      }) {}
      const { close } = yield* run(Sup.layer)
      yield* quiet
      assert.deepStrictEqual(watching, ["good"])
      yield* close
      assert.deepStrictEqual(watching, ["good", "over"])
    })
  )

  treeTest("its finalizers may take their time, within the limit, before anybody older stops", ({ journal }) =>
    Effect.gen(function* () {
      const slow = Layer.effect(
        Pool,
        Effect.acquireRelease(
          Effect.map(Deferred.make<void, string>(), (broken) => ({ number: 1, broken })),
          () =>
            Effect.andThen(
              Effect.sleep("3 seconds"),
              Effect.sync(() => journal.write("-pool1"))
            )
        )
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.resource(Pool, slow)]
      }) {}
      const { close } = yield* run(Sup.layer)
      const closing = yield* Effect.forkChild(close)
      yield* pass("2999 millis")
      yield* journal.expect("+a1")
      yield* pass("1 millis")
      yield* journal.expect("-pool1", "-a1")
      assert.isDefined(closing.pollUnsafe())
    })
  )

  treeTest("that is never released is reported, and holds nobody up for ever", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const stuck = Layer.effect(
        Pool,
        Effect.acquireRelease(
          Effect.map(Deferred.make<void, string>(), (broken) => ({ number: 1, broken })),
          () =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.sync(() => journal.write("-pool1"))
            )
        )
      )
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.resource(Pool, stuck, { shutdown: "1 second" })]
      }) {}
      const { close } = yield* run(Sup.layer)
      const closing = yield* Effect.forkChild(close)
      yield* pass("2 seconds")
      yield* journal.expect("+a1", "-a1")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(
        events.filter(({ name }) => name === "child.zombie").map(({ metadata }) => metadata),
        [{ supervisor: "test/Sup", child: "test/Pool", incarnation: 1, pid: undefined }]
      )
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("-pool1")
    })
  )

  treeTest("may hold processes of its own: they are nobody's children", ({ journal }) =>
    Effect.gen(function* () {
      class Cache extends GenServer.Service<Cache>()("test/Cache", []) {
        static readonly layer = this.define({
          init: () => journal.starting("cache", () => Effect.void),
          handlers: {}
        }).layer()
      }
      const layer = Layer.effect(
        Pool,
        Effect.gen(function* () {
          yield* Cache
          return { number: 1, broken: yield* Deferred.make<void, string>() }
        })
      ).pipe(Layer.provide(Cache.layer))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.resource(Pool, layer), user(journal, "a")]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      assert.deepStrictEqual(
        (yield* Context.get(context, Sup).whichChildren).map(({ id }) => id),
        ["test/Pool", "a"]
      )
      yield* close
      yield* journal.expect("+cache1", "a has pool1", "+a1", "-a1", "-cache1")
    })
  )
})
