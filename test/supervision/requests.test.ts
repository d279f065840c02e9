import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schedule } from "effect"
import { DynamicSupervisor, Supervisor } from "effect-otp"
import { ExitReason, Kernel, Process } from "effect-otp/kernel"
import { runKids } from "../fixtures/dynamic.ts"
import {
  boom,
  child,
  crash,
  end,
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

const states = (sup: Supervisor.SupervisorHandle) =>
  Effect.map(sup.whichChildren, (children) => children.map(({ id, state }) => `${id} ${state}`))

/** The result of a request that runs beside the test. Undefined while it waits. */
const beside = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.forkChild(effect), (fiber) =>
    Effect.andThen(
      quiet,
      Effect.sync(() => fiber.pollUnsafe())
    )
  )

const down = Exit.fail(new Supervisor.SupervisorDown({ supervisor: "test/Sup" }))

describe("whichChildren", () => {
  treeTest("gives the children in start order with state, process and restarts", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b", { schedule: Schedule.spaced("1 second") }),
          child(journal, "c", { restart: "transient" }),
          child(journal, "d", { restart: "temporary" })
        ]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* crash(journal, "a")
      yield* crash(journal, "b")
      yield* end(journal, "c", ExitReason.normal)
      yield* end(journal, "d", ExitReason.normal)
      yield* quiet
      assert.deepStrictEqual(yield* sup.whichChildren, [
        { id: "a", kind: "child", state: "running", pid: journal.pid("a"), restarts: 1 },
        { id: "b", kind: "child", state: "restarting", pid: undefined, restarts: 0 },
        { id: "c", kind: "child", state: "stopped", pid: undefined, restarts: 0 }
      ])
      assert.deepStrictEqual(yield* sup.countChildren, { children: 3, active: 1, restarting: 1 })
      yield* pass("1 second")
      assert.deepStrictEqual((yield* sup.whichChildren)[1], {
        id: "b",
        kind: "child",
        state: "running",
        pid: journal.pid("b"),
        restarts: 1
      })
    })
  )

  treeTest("answers while a nested supervisor starts its children again", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [
          child(journal, "a"),
          child(journal, "b", { script: { init: (n) => (n === 1 ? Effect.void : Deferred.await(gate)) } }),
          child(journal, "c")
        ]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer, { id: "inner" })]
      }) {}
      const { context } = yield* run(Outer.layer)
      const inner = Context.get(context, Inner)
      yield* Process.kill(yield* pidOf(inner))
      yield* quiet
      assert.deepStrictEqual(yield* states(Context.get(context, Outer)), ["inner restarting"])
      assert.deepStrictEqual(yield* states(inner), ["a running", "b starting", "c stopped"])
      yield* inner.terminateChild("a")
      assert.deepStrictEqual(yield* states(inner), ["a stopped", "b starting", "c stopped"])
      yield* Deferred.succeed(gate, undefined)
      yield* quiet
      assert.deepStrictEqual(yield* states(inner), ["a stopped", "b running", "c running"])
    })
  )
})

describe("a supervisor that starts its children anew", () => {
  /**
   * Two children, of which the second never comes up again, and one that needs both. The supervisor was killed once.
   */
  const bootingAnew = (journal: Journal) =>
    Effect.gen(function* () {
      const A = server(journal, "a")
      const B = server(journal, "b", { init: (n) => (n === 2 ? Effect.never : Effect.void) })
      const asks = Effect.flatMap(Effect.all([A, B]), ([a, b]) =>
        Effect.map(Effect.all([Effect.exit(a.incarnation()), Effect.exit(b.incarnation())]), (exits) =>
          journal.write(exits.map(({ _tag }) => _tag).join(" "))
        )
      )
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [
          Supervisor.child(A.layer, { id: "a" }),
          Supervisor.child(B.layer, { id: "b" }),
          Supervisor.worker("c", Effect.andThen(asks, Effect.never))
        ]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer, { id: "inner" })]
      }) {}
      const { close, context } = yield* run(Outer.layer)
      const inner = Context.get(context, Inner)
      yield* journal.expect("+a1", "+b1", "Success Success")
      yield* Process.kill(yield* pidOf(inner))
      yield* journal.expect("-b1", "-a1", "+a2")
      assert.deepStrictEqual(yield* states(Context.get(context, Outer)), ["inner restarting"])
      assert.deepStrictEqual(yield* states(inner), ["a running", "b starting", "c stopped"])
      return { inner, close, b: Context.get(context, B), outer: Context.get(context, Outer) }
    })

  treeTest("terminates a child that hangs; children that need it are started all the same", ({ journal }) =>
    Effect.gen(function* () {
      const { b, inner, outer } = yield* bootingAnew(journal)
      yield* inner.terminateChild("b")
      yield* journal.expectAll("!b2", "-b2", "Success Failure")
      assert.deepStrictEqual(yield* states(inner), ["a running", "b stopped", "c running"])
      assert.deepStrictEqual(yield* states(outer), ["inner running"])
      yield* inner.restartChild("b")
      assert.strictEqual(yield* b.incarnation(), 3)
    })
  )

  treeTest("passes over a child that is terminated before its turn, and starts it when asked to", ({ journal }) =>
    Effect.gen(function* () {
      const { inner } = yield* bootingAnew(journal)
      yield* inner.terminateChild("c")
      yield* inner.terminateChild("b")
      yield* journal.expect("!b2", "-b2")
      assert.deepStrictEqual(yield* states(inner), ["a running", "b stopped", "c stopped"])
      yield* inner.restartChild("c")
      yield* journal.expect("Success Failure")
    })
  )

  treeTest("does not end because a requested start fails", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const again = { init: (n: number) => (n === 2 ? Deferred.await(gate) : Effect.void) }
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: failing("a", 3) } }), child(journal, "b", { script: again })]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer, { id: "inner" })]
      }) {}
      const { context } = yield* run(Outer.layer)
      const inner = Context.get(context, Inner)
      yield* Process.kill(yield* pidOf(inner))
      yield* quiet
      yield* inner.terminateChild("a")
      const failed = new Supervisor.StartFailed({ id: "a", error: new StartError({ child: "a" }) })
      assert.deepStrictEqual(yield* Effect.flip(inner.restartChild("a")), failed)
      yield* inner.restartChild("a")
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a1", "+b1", "-b1", "-a1", "+a2", "-a2", "!a3", "-a3", "+a4", "+b2")
      assert.deepStrictEqual(yield* states(inner), ["a running", "b running"])
    })
  )
})

describe("a supervisor that is killed", () => {
  /** Its release waits until the gate is opened. */
  const held = (gate: Deferred.Deferred<void>) => () => Effect.addFinalizer(() => Deferred.await(gate))

  treeTest("answers waiting callers at once", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: held(gate) } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      const request = yield* beside(sup.terminateChild("a"))
      assert.isUndefined(yield* request)
      yield* Process.kill(yield* pidOf(sup))
      assert.deepStrictEqual(yield* request, down)
      yield* Deferred.succeed(gate, undefined)
    })
  )

  treeTest("answers at once, too, if it is dynamic", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = (key: string) =>
        Effect.andThen(held(gate)(), key === "slow" ? Effect.uninterruptible(Deferred.await(gate)) : Effect.void)
      const { kids, start } = yield* runKids(journal, { script: { init } })
      yield* start("a")
      const terminate = yield* beside(kids.terminateChild("a"))
      const starting = yield* beside(start("slow"))
      assert.deepStrictEqual([yield* terminate, yield* starting], [undefined, undefined])
      yield* Process.kill(yield* pidOf(kids))
      const down = Exit.fail(new DynamicSupervisor.SupervisorDown({ supervisor: "test/Kids" }))
      assert.deepStrictEqual([yield* terminate, yield* starting], [down, down])
      yield* Deferred.succeed(gate, undefined)
    })
  )
})

describe("terminateChild", () => {
  treeTest("#138 stops a child and waits until it has ended; twice is fine; knows only its own", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { terminate: () => Effect.sleep("1 second") } }), child(journal, "b")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      const request = yield* beside(sup.terminateChild("a"))
      assert.isUndefined(yield* request)
      assert.deepStrictEqual(yield* states(sup), ["a stopping", "b running"])
      yield* pass("1 second")
      assert.deepStrictEqual(yield* request, Exit.void)
      assert.deepStrictEqual(yield* states(sup), ["a stopped", "b running"])
      yield* sup.terminateChild("a")
      yield* journal.expect("+a1", "+b1", "-a1")
      assert.deepStrictEqual(
        yield* Effect.exit(sup.terminateChild("z")),
        Exit.fail(new Supervisor.ChildNotFound({ id: "z" }))
      )
    })
  )

  treeTest("of a temporary child removes it from the list", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { restart: "temporary" })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* sup.terminateChild("a")
      assert.deepStrictEqual(yield* states(sup), [])
      const expected = Exit.fail(new Supervisor.ChildNotFound({ id: "a" }))
      assert.deepStrictEqual(yield* Effect.exit(sup.terminateChild("a")), expected)
      assert.deepStrictEqual(yield* Effect.exit(sup.restartChild("a")), expected)
    })
  )

  treeTest("#165 during a delay cancels the restart", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        schedule: Schedule.spaced("1 minute"),
        children: [child(journal, "a")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* crash(journal, "a")
      yield* quiet
      assert.deepStrictEqual(yield* states(sup), ["a restarting"])
      assert.deepStrictEqual(
        yield* Effect.exit(sup.restartChild("a")),
        Exit.fail(new Supervisor.ChildRestarting({ id: "a" }))
      )
      yield* sup.terminateChild("a")
      assert.deepStrictEqual(yield* states(sup), ["a stopped"])
      yield* pass("1 hour")
      yield* journal.expect("+a1", "-a1")
      yield* sup.restartChild("a")
      yield* journal.expect("+a2")
    })
  )

  treeTest("#165 in a restart loop ends it, and restartChild works once starts succeed again", ({ journal }) =>
    Effect.gen(function* () {
      let broken = true
      const init = (n: number) =>
        n > 1 && broken ? Effect.andThen(Effect.sleep("100 millis"), failing("a", n)(n)) : Effect.void
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 8, within: "10 seconds" },
        children: [child(journal, "a", { script: { init } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* crash(journal, "a")
      yield* pass("250 millis")
      assert.deepStrictEqual(yield* states(sup), ["a restarting"])
      assert.deepStrictEqual(
        yield* Effect.exit(sup.restartChild("a")),
        Exit.fail(new Supervisor.ChildRestarting({ id: "a" }))
      )
      yield* sup.terminateChild("a")
      yield* journal.expect("+a1", "-a1", "!a2", "-a2", "!a3", "-a3", "!a4", "-a4")
      yield* pass("1 minute")
      yield* journal.expect()
      broken = false
      yield* sup.restartChild("a")
      yield* journal.expect("+a5")
    })
  )

  treeTest("interrupts an init that never returns", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: (n) => (n === 2 ? Effect.never : Effect.void) } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1")
      assert.deepStrictEqual(yield* states(sup), ["a restarting"])
      yield* sup.terminateChild("a")
      yield* journal.expect("!a2", "-a2")
      assert.deepStrictEqual(yield* states(sup), ["a stopped"])
      yield* sup.restartChild("a")
      yield* journal.expect("+a3")
    })
  )

  treeTest("while restartChild waits for the init: both are answered", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: (n) => (n === 2 ? Effect.never : Effect.void) } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* sup.terminateChild("a")
      const restarting = yield* beside(sup.restartChild("a"))
      assert.isUndefined(yield* restarting)
      assert.deepStrictEqual(yield* states(sup), ["a starting"])
      yield* sup.terminateChild("a")
      const exit = yield* restarting
      assert.isTrue(exit?._tag === "Failure")
      const error = yield* Effect.flip(Effect.flatten(Effect.succeed(exit!)))
      assert.isTrue(error instanceof Supervisor.StartFailed && error.id === "a")
      assert.include(String(error), "told to stop")
    })
  )

  treeTest("takes one member out of a group restart; the others come back", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        schedule: Schedule.spaced("1 second"),
        children: [child(journal, "a"), child(journal, "b"), child(journal, "c")]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* crash(journal, "b")
      yield* journal.expect("+a1", "+b1", "+c1", "-b1", "-c1", "-a1")
      yield* Context.get(context, Sup).terminateChild("b")
      yield* pass("1 second")
      yield* journal.expect("+a2", "+c2")
    })
  )

  treeTest("of a nested supervisor stops all of it, in reverse", ({ journal }) =>
    Effect.gen(function* () {
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "b"), child(journal, "c")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [child(journal, "a"), Supervisor.child(Inner.layer, { id: "inner" })]
      }) {}
      const { context } = yield* run(Outer.layer)
      yield* Context.get(context, Outer).terminateChild("inner")
      yield* journal.expect("+a1", "+b1", "+c1", "-c1", "-b1")
      const gone = Exit.fail(new Supervisor.SupervisorDown({ supervisor: "test/Inner" }))
      assert.deepStrictEqual(yield* Effect.exit(Context.get(context, Inner).terminateChild("b")), gone)
      yield* Context.get(context, Outer).restartChild("inner")
      yield* journal.expect("+b2", "+c2")
      yield* Context.get(context, Inner).terminateChild("b")
      yield* journal.expect("-b2")
    })
  )

  treeTest("#170 stops a child that a stranger holds: links and monitors make no difference", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const stranger = yield* Process.spawn(
        Effect.andThen(Effect.orDie(Process.link(journal.pid("a"))), Effect.never),
        { trapExit: true }
      )
      yield* quiet
      yield* Context.get(context, Sup).terminateChild("a")
      yield* journal.expect("+a1", "-a1")
      yield* Process.kill(stranger)
    })
  )
})

describe("restartChild", () => {
  treeTest("#148 #138 starts only what is stopped, and waits until it is up", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a", {
            restart: "transient",
            script: { init: (n) => (n === 1 ? Effect.void : Deferred.await(gate)) }
          })
        ]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      const running = Exit.fail(new Supervisor.ChildRunning({ id: "a" }))
      assert.deepStrictEqual(yield* Effect.exit(sup.restartChild("a")), running)
      assert.deepStrictEqual(
        yield* Effect.exit(sup.restartChild("z")),
        Exit.fail(new Supervisor.ChildNotFound({ id: "z" }))
      )
      yield* end(journal, "a", ExitReason.normal)
      yield* quiet
      assert.deepStrictEqual(yield* states(sup), ["a stopped"])
      const request = yield* beside(sup.restartChild("a"))
      assert.isUndefined(yield* request)
      // It answers meanwhile.
      assert.deepStrictEqual(yield* states(sup), ["a starting"])
      assert.deepStrictEqual(
        yield* Effect.exit(sup.restartChild("a")),
        Exit.fail(new Supervisor.ChildRestarting({ id: "a" }))
      )
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* request, Exit.void)
      assert.deepStrictEqual(yield* states(sup), ["a running"])
    })
  )

  treeTest("#124 gives the failure of the start to the caller; nothing is counted, logged or retried", (world) =>
    Effect.gen(function* () {
      const { events, journal, lines } = world
      const defect = new Error("no disk")
      const init = (n: number) => (n === 3 ? Effect.die(defect) : failing("a", 2)(n))
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 hour" },
        children: [child(journal, "a", { script: { init } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* sup.terminateChild("a")
      assert.deepStrictEqual(
        yield* Effect.exit(sup.restartChild("a")),
        Exit.fail(new Supervisor.StartFailed({ id: "a", error: new StartError({ child: "a" }) }))
      )
      assert.deepStrictEqual(lines, [])
      const second = yield* Effect.flip(sup.restartChild("a"))
      assert.deepStrictEqual(second, new Supervisor.StartFailed({ id: "a", error: defect }))
      assert.include(second.message, "no disk")
      assert.deepStrictEqual(
        world.crashes.map(({ decision }) => decision),
        ["no restart"]
      )
      assert.deepStrictEqual(yield* states(sup), ["a stopped"])
      assert.deepStrictEqual(
        events.filter(({ name }) => name === "child.restart"),
        []
      )
      yield* sup.restartChild("a")
      yield* journal.expect("+a1", "-a1", "!a2", "-a2", "!a3", "-a3", "+a4")
    })
  )

  treeTest("#332 neither it nor terminateChild counts as a failure", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForAll",
        intensity: { max: 0, within: "1 hour" },
        children: [child(journal, "a"), child(journal, "b")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      for (let n = 0; n < 5; n++) {
        yield* sup.terminateChild("a")
        yield* sup.restartChild("a")
      }
      assert.deepStrictEqual(yield* states(sup), ["a running", "b running"])
    })
  )

  treeTest("of a child that is stopping waits until it has stopped", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { terminate: () => Effect.sleep("1 second") } })]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      const stopping = yield* beside(sup.terminateChild("a"))
      assert.isUndefined(yield* stopping)
      const starting = yield* beside(sup.restartChild("a"))
      assert.isUndefined(yield* starting)
      yield* pass("1 second")
      assert.deepStrictEqual([yield* stopping, yield* starting], [Exit.void, Exit.void])
      yield* journal.expect("+a1", "-a1", "+a2")
      const closing = yield* beside(close)
      yield* pass("1 second")
      assert.deepStrictEqual(yield* closing, Exit.void)
    })
  )

  treeTest("of a zombie fails with what keeps it from starting", ({ journal }) =>
    Effect.gen(function* () {
      let stubborn = Effect.uninterruptible(Effect.sleep("1 minute"))
      const terminate = () => Effect.suspend(() => stubborn)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: "1 second", script: { terminate } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      const stopping = yield* beside(sup.terminateChild("a"))
      yield* pass("2 seconds")
      assert.deepStrictEqual(yield* stopping, Exit.void)
      const error = yield* Effect.flip(sup.restartChild("a"))
      assert.include(error.message, "did not end within its shutdown limit")
      yield* pass("1 minute")
      yield* journal.expect("+a1", "-a1")
      stubborn = Effect.void
      yield* sup.restartChild("a")
      yield* journal.expect("+a2")
    })
  )

  treeTest("rebuilds the dependencies that only this child has", ({ journal }) =>
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
        strategy: "oneForOne",
        children: [Supervisor.child(server(journal, "a").layer.pipe(Layer.provide(pool)), { id: "a" })]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      yield* Context.get(context, Sup).terminateChild("a")
      yield* journal.expect("+a1", "-a1", "-pool1")
      yield* Context.get(context, Sup).restartChild("a")
      yield* close
      yield* journal.expect("+a2", "-a2", "-pool2")
    })
  )
})

describe("a supervisor that is down", () => {
  treeTest("answers SupervisorDown, also to callers that wait while it ends", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          child(journal, "a", { script: { init: (n) => (n === 1 ? Effect.void : Effect.never) } }),
          child(journal, "b")
        ]
      }) {}
      const { close, context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* sup.terminateChild("a")
      const waiting = yield* beside(sup.restartChild("a"))
      assert.isUndefined(yield* waiting)
      yield* close
      assert.deepStrictEqual(yield* waiting, down)
      assert.deepStrictEqual(yield* Effect.exit(sup.restartChild("a")), down)
      assert.deepStrictEqual(yield* Effect.exit(sup.terminateChild("b")), down)
      assert.deepStrictEqual(yield* sup.whichChildren, [])
      assert.include(String(yield* Effect.flip(sup.terminateChild("b"))), "test/Sup")
    })
  )

  treeTest("because it was killed answers at once, to new and to waiting callers", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { terminate: () => Effect.sleep("1 hour") }, shutdown: "Infinity" })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      const waiting = yield* beside(sup.terminateChild("a"))
      assert.isUndefined(yield* waiting)
      yield* Process.kill(yield* pidOf(sup))
      assert.deepStrictEqual(yield* Effect.exit(sup.terminateChild("a")), down)
      assert.deepStrictEqual(yield* waiting, down)
      yield* journal.expect("+a1", "-a1")
    })
  )

  treeTest("because it gave up answers so", ({ journal }) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 second" },
        children: [child(journal, "a"), child(journal, "b")]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* end(journal, "a", boom)
      yield* quiet
      assert.deepStrictEqual(yield* Effect.exit(sup.restartChild("a")), down)
    })
  )
})

describe("#329 a caller that is gone", () => {
  for (const [how, leave] of [
    ["killed", (pid: Parameters<typeof Process.kill>[0]) => Process.kill(pid)],
    ["ended by a signal", (pid: Parameters<typeof Process.kill>[0]) => Process.exit(pid, boom)]
  ] as const) {
    treeTest(`because it was ${how}: the child is stopped, or started, all the same`, ({ journal }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [
            child(journal, "a", {
              script: {
                init: (n) => (n === 1 ? Effect.void : Deferred.await(gate)),
                terminate: () => Effect.sleep("1 second")
              }
            })
          ]
        }) {}
        const { close, context } = yield* run(Sup.layer)
        const sup = Context.get(context, Sup)
        const first = yield* Process.spawn(Effect.orDie(sup.terminateChild("a")))
        yield* quiet
        yield* leave(first)
        yield* pass("1 second")
        assert.deepStrictEqual(yield* states(sup), ["a stopped"])
        const second = yield* Process.spawn(Effect.orDie(sup.restartChild("a")))
        yield* quiet
        yield* leave(second)
        yield* Deferred.succeed(gate, undefined)
        yield* journal.expect("+a1", "-a1", "+a2")
        assert.deepStrictEqual(yield* states(sup), ["a running"])
        const closing = yield* beside(close)
        yield* pass("1 second")
        assert.deepStrictEqual(yield* closing, Exit.void)
      })
    )
  }

  treeTest("because its fiber was interrupted: likewise", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: (n) => (n === 1 ? Effect.void : Deferred.await(gate)) } })]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* sup.terminateChild("a")
      const fiber = yield* Effect.forkChild(sup.restartChild("a"))
      yield* quiet
      yield* Fiber.interrupt(fiber)
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a1", "-a1", "+a2")
      assert.strictEqual((yield* Kernel.counts).processes, 2)
    })
  )

  treeTest("because it stops itself: its own child may ask for its end", ({ journal }) =>
    Effect.gen(function* () {
      const handle = yield* Deferred.make<Supervisor.SupervisorHandle>()
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [
          Supervisor.worker(
            "w",
            Effect.flatMap(Deferred.await(handle), (sup) => sup.terminateChild("w"))
          )
        ]
      }) {}
      const { context } = yield* run(Sup.layer)
      const sup = Context.get(context, Sup)
      yield* Deferred.succeed(handle, sup)
      yield* quiet
      assert.deepStrictEqual(yield* states(sup), ["w stopped"])
      yield* journal.expect()
    })
  )
})
