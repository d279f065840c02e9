import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { type RestartPolicy, Supervisor } from "effect-otp"
import { ExitReason, Kernel } from "effect-otp/kernel"
import { boom, child, end, failing, run, server, StartError, treeTest } from "../fixtures/supervision.ts"

describe("boot", () => {
  treeTest("#117 a supervisor without children starts, and ends with its scope", ({ lines }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", { strategy: "oneForOne", children: [] }) {}
      const { close, context } = yield* run(Sup.layer)
      assert.deepStrictEqual(yield* Context.get(context, Sup).whichChildren, [])
      assert.strictEqual((yield* Kernel.counts).processes, 1)
      yield* close
      assert.strictEqual((yield* Kernel.counts).processes, 0)
      assert.deepStrictEqual(lines, [])
    })
  )

  treeTest("starts in list order, each child after the one before is up", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b", { script: { init: () => Deferred.await(gate) } }),
          child(journal, "c")
        ]
      }) {}
      const starting = yield* Effect.forkChild(run(Sup.layer))
      yield* journal.expect("+a1")
      assert.isUndefined(starting.pollUnsafe())
      yield* Deferred.succeed(gate, undefined)
      const { close } = yield* Fiber.join(starting)
      yield* journal.expect("+b1", "+c1")
      yield* close
      yield* journal.expect("-c1", "-b1", "-a1")
    })
  )

  treeTest("#133 a failed start stops what runs, in reverse, and fails the Layer with the child's error", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b"),
          child(journal, "c", { script: { init: failing("c", 1) } }),
          child(journal, "d")
        ]
      }) {}
      const exit = yield* Effect.exit(run(Sup.layer))
      assert.deepStrictEqual(exit, Exit.fail(new StartError({ child: "c" })))
      // All of it has ended when the Layer has failed.
      assert.strictEqual((yield* Kernel.counts).processes, 0)
      yield* journal.expect("+a1", "+b1", "!c1", "-c1", "-b1", "-a1")
      // The starter gets the failure, so the log does not.
      assert.deepStrictEqual(world.lines, [])
      assert.deepStrictEqual(world.crashes, [])
    })
  )

  for (const restart of ["transient", "temporary"] as const) {
    treeTest(`a ${restart} child whose start fails makes the boot fail like any other`, ({ journal }) =>
      Effect.gen(function* () {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [child(journal, "a"), child(journal, "b", { restart, script: { init: failing("b", 1) } })]
        }) {}
        assert.deepStrictEqual(yield* Effect.exit(run(Sup.layer)), Exit.fail(new StartError({ child: "b" })))
        yield* journal.expect("+a1", "!b1", "-b1", "-a1")
      })
    )
  }

  treeTest("a start that dies fails the Layer with that defect, and is reported once", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const defect = new Error("no disk")
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a"), child(journal, "b", { script: { init: () => Effect.die(defect) } })]
      }) {}
      assert.deepStrictEqual(yield* Effect.exit(run(Sup.layer)), Exit.die(defect))
      yield* journal.expect("+a1", "!b1", "-b1", "-a1")
      assert.strictEqual(world.crashes.length, 1)
      assert.deepStrictEqual(world.crashes[0]?.ancestors, ["test/Sup"])
    })
  )

  treeTest("a start that is interrupted from within is a defect of the Layer", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: () => Effect.interrupt } })]
      }) {}
      assert.isTrue(Exit.isFailure(yield* Effect.exit(run(Sup.layer))))
      yield* journal.expect("!a1", "-a1")
    })
  )

  treeTest("a resource whose start fails stops what was started, too", ({ journal }) =>
    Effect.gen(function* () {
      class Pool extends Context.Service<Pool, number>()("test/Pool") {}
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          Supervisor.resource(Pool, Layer.effect(Pool, new StartError({ child: "pool" }))),
          child(journal, "b")
        ]
      }) {}
      assert.deepStrictEqual(yield* Effect.exit(run(Sup.layer)), Exit.fail(new StartError({ child: "pool" })))
      yield* journal.expect("+a1", "-a1")
    })
  )

  treeTest("a nested supervisor that does not start stops its own children, then its earlier siblings", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "b"), child(journal, "c", { script: { init: failing("c", 1) } })]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.child(Inner.layer), child(journal, "d")]
      }) {}
      assert.deepStrictEqual(yield* Effect.exit(run(Outer.layer)), Exit.fail(new StartError({ child: "c" })))
      yield* journal.expect("+a1", "+b1", "!c1", "-c1", "-b1", "-a1")
    })
  )

  for (const [title, reason, restarted] of [
    ["crashes", boom, true],
    ["ends well", ExitReason.normal, false]
  ] as const) {
    treeTest(`a transient child that ${title} during the boot is dealt with after it`, ({ journal }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [
            child(journal, "a", { restart: "transient" }),
            child(journal, "b", { script: { init: () => Deferred.await(gate) } })
          ]
        }) {}
        const starting = yield* Effect.forkChild(run(Sup.layer))
        yield* journal.expect("+a1")
        yield* end(journal, "a", reason)
        yield* journal.expect("-a1")
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(starting)
        yield* journal.expect(...(restarted ? ["+b1", "+a2"] : ["+b1"]))
      })
    )
  }
})

describe("a starter that is interrupted", () => {
  treeTest("while an init never returns: the init is interrupted, the rest stops in reverse", ({ journal, lines }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b"),
          child(journal, "c", { script: { init: () => Effect.never } }),
          child(journal, "d")
        ]
      }) {}
      const starting = yield* Effect.forkChild(run(Sup.layer))
      yield* journal.expect("+a1", "+b1")
      yield* Fiber.interrupt(starting)
      assert.strictEqual((yield* Kernel.counts).processes, 0)
      yield* journal.expect("!c1", "-c1", "-b1", "-a1")
      assert.deepStrictEqual(lines, [])
    })
  )

  treeTest("in a nested supervisor: all of it, inner before outer", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "b"), child(journal, "c", { script: { init: () => Effect.never } })]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.child(Inner.layer)]
      }) {}
      const starting = yield* Effect.forkChild(run(Outer.layer))
      yield* journal.expect("+a1", "+b1")
      yield* Fiber.interrupt(starting)
      assert.strictEqual((yield* Kernel.counts).processes, 0)
      yield* journal.expect("!c1", "-c1", "-b1", "-a1")
    })
  )

  // The seed decides the step of the interruption: it may be between any two operations of the start.
  for (const steps of [0, 1, 2, 3, 5, 8, 13, 21]) {
    treeTest(
      `after ${steps} steps: nothing is left`,
      ({ journal }) =>
        Effect.gen(function* () {
          class Inner extends Supervisor.Service<Inner>()("test/Inner", {
            strategy: "oneForOne",
            children: [child(journal, "b"), Supervisor.worker("w", Effect.never)]
          }) {}
          class Outer extends Supervisor.Service<Outer>()("test/Outer", {
            strategy: "oneForOne",
            children: [child(journal, "a"), Supervisor.child(Inner.layer)]
          }) {}
          const starting = yield* Effect.forkChild(Effect.scoped(Layer.build(Outer.layer)))
          for (let step = 0; step < steps; step++) yield* Effect.yieldNow
          yield* Fiber.interrupt(starting)
          assert.strictEqual((yield* Kernel.counts).processes, 0)
        }),
      60
    )
  }
})

describe("options", () => {
  const worker = (id: string, options: Parameters<typeof Supervisor.worker>[2] = {}) =>
    Supervisor.worker(id, Effect.never, options)
  type Options = Omit<Supervisor.Options<ReadonlyArray<ReturnType<typeof worker>>>, "strategy" | "children">
  const define = (children: ReadonlyArray<ReturnType<typeof worker>>, options: Options = {}) =>
    Supervisor.Service()("test/Sup", { strategy: "oneForOne", children, ...options })

  it("#128 an id that is used twice is refused where the supervisor is defined", () => {
    assert.throws(
      () => define([worker("a"), worker("b"), worker("a")]),
      RangeError,
      `child "a" has the id of another child`
    )
  })

  for (const max of [-1, 1.5, Number.NaN, Infinity]) {
    it(`an intensity with max ${max} is refused`, () => {
      assert.throws(() => define([], { intensity: { max, within: "5 seconds" } }), RangeError, `not ${max}`)
    })
  }

  for (const within of ["0 seconds", -1, Number.NaN, "soon" as "1 second"] as const) {
    it(`an intensity within ${within} is refused`, () => {
      assert.throws(() => define([], { intensity: { max: 1, within } }), RangeError, "within")
    })
  }

  for (const shutdown of [-1, Number.NaN, "soon" as "1 second"] as const) {
    it(`a shutdown limit of ${shutdown} is refused, and the child is named`, () => {
      assert.throws(() => define([worker("a", { shutdown })]), RangeError, /child "a".*shutdown/)
    })
  }

  for (const resetAfter of [-1, Number.NaN, "soon" as "1 second"] as const) {
    it(`resetAfter ${resetAfter} is refused, and the child is named`, () => {
      const schedule = Schedule.forever
      assert.throws(() => define([worker("a", { resetAfter, schedule })]), RangeError, /child "a".*resetAfter/)
    })
  }

  it("#129 a significant child without autoShutdown, or one that is permanent, is refused", () => {
    assert.throws(() => define([worker("a", { significant: true, restart: "transient" })]), RangeError, `child "a"`)
    for (const options of [{}, { restart: "permanent" }] as const) {
      const children = [worker("a", { significant: true, ...options })]
      assert.throws(() => define(children, { autoShutdown: "anySignificant" }), RangeError, `child "a"`)
    }
  })

  it("every other combination is accepted", () => {
    for (const restart of ["permanent", "transient", "temporary"] as ReadonlyArray<RestartPolicy.Restart>) {
      for (const shutdown of ["brutalKill", "Infinity", "1 second", 0] as const) {
        for (const autoShutdown of ["never", "anySignificant", "allSignificant"] as const) {
          const significant = autoShutdown !== "never" && restart !== "permanent"
          const children = [worker("a", { restart, shutdown, significant })]
          assert.isDefined(define(children, { autoShutdown, intensity: { max: 0, within: 1 } }).layer)
        }
      }
    }
  })

  treeTest(
    "an id is that of the options, of the worker, of the resource's service, or the place in the list",
    (world) =>
      Effect.gen(function* () {
        class Pool extends Context.Service<Pool, number>()("test/Pool") {}
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [
            Supervisor.resource(Pool, Layer.succeed(Pool, 1), { id: undefined }),
            Supervisor.child(server(world.journal, "a").layer, { id: "named" }),
            Supervisor.worker("w", Effect.never, { id: undefined }),
            Supervisor.worker("v", Effect.never, { id: "other" })
          ]
        }) {}
        const { context } = yield* run(Sup.layer)
        const children = yield* Context.get(context, Sup).whichChildren
        assert.deepStrictEqual(
          children.map(({ id, kind, restarts, state }) => ({ id, kind, restarts, state })),
          [
            { id: "test/Pool", kind: "resource", restarts: 0, state: "running" },
            { id: "named", kind: "child", restarts: 0, state: "running" },
            { id: "w", kind: "child", restarts: 0, state: "running" },
            { id: "other", kind: "child", restarts: 0, state: "running" }
          ]
        )
        assert.isUndefined(children[0]?.pid)
        assert.strictEqual(children[1]?.pid, world.journal.pid("a"))
      })
  )

  treeTest("a transient supervisor without autoShutdown is refused: it would vanish silently", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "b")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.child(Inner.layer, { restart: "transient" })]
      }) {}
      const exit = yield* Effect.exit(run(Outer.layer))
      const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(defect, RangeError)
      assert.include(String(defect), "test/Inner")
      assert.include(String(defect), "autoShutdown")
      yield* journal.expect("+a1", "+b1", "-b1", "-a1")
    })
  )
})
