import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, Option, Schema, Scope } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { Application, DynamicSupervisor, GenServer, Kernel, Name, Process, Supervisor, Task } from "effect-otp"
import { inKernel, kernelTest, settle } from "../fixtures/kernel.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

/** A tree with one worker that does not end before the gate opens. */
const stuckUntil = (letGo: Deferred.Deferred<void>) =>
  class Stuck extends Supervisor.Service<Stuck>()("test/Stuck", {
    strategy: "oneForOne",
    children: [Supervisor.worker("stuck", Effect.uninterruptible(Deferred.await(letGo)), { shutdown: "1 hour" })]
  }) {}

const withoutPids = ({ hung }: Application.StopTimeout) => hung.map((name) => name.replace(/ <.*/, ""))

describe("stop", () => {
  kernelTest(
    "says how many reports were left out, though their second is not over",
    Effect.gen(function* () {
      class Fragile extends Supervisor.Service<Fragile>()("test/Fragile", {
        strategy: "oneForOne",
        intensity: { max: 19, within: "1 second" },
        children: [Supervisor.worker("fragile", Effect.die("no"))]
      }) {}
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(
        ({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`)
      )
      yield* Application.run(Fragile.layer).pipe(Effect.flip, Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(lines.slice(0, 10), Array(10).fill("Error fragile crashed"))
      assert.deepStrictEqual(
        lines.filter((line) => line.startsWith("Warn")),
        ["Warn 10 reports were left out: fragile 10"]
      )
    }),
    20
  )

  kernelTest(
    "goes on if the fiber that asked first is interrupted; the second waits for it",
    Effect.gen(function* () {
      const letGo = yield* Deferred.make<void>()
      const { stop } = yield* Application.start(stuckUntil(letGo).layer)
      yield* settle
      const first = yield* Effect.forkChild(stop)
      yield* settle
      yield* Fiber.interrupt(first)
      const second = yield* Effect.forkChild(stop)
      yield* settle
      assert.isUndefined(second.pollUnsafe())
      yield* Deferred.succeed(letGo, undefined)
      yield* Fiber.join(second)
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    }),
    20
  )

  it.effect("the second has what is left of the budget if the first was under a timeout", () =>
    inKernel(
      Effect.gen(function* () {
        const letGo = yield* Deferred.make<void>()
        const { stop } = yield* Application.start(stuckUntil(letGo).layer, { stopWithin: "10 seconds" })
        yield* settle
        const first = yield* Effect.forkChild(Effect.timeoutOption(stop, "4 seconds"))
        yield* settle
        yield* TestClock.adjust("4 seconds")
        assert.deepStrictEqual(yield* Fiber.join(first), Option.none())
        const second = yield* Effect.forkChild(Effect.flip(stop))
        yield* settle
        yield* TestClock.adjust("5999 millis")
        assert.isUndefined(second.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(second)
        assert.deepStrictEqual([withoutPids(error), error.within], [["test/Stuck", "stuck"], Duration.seconds(10)])
        yield* Deferred.succeed(letGo, undefined)
        yield* settle
      })
    )
  )

  it.effect("past the budget it names the processes of this application, and no others", () =>
    inKernel(
      Effect.gen(function* () {
        const letGo = yield* Deferred.make<void>()
        const stranger = yield* Process.spawn(Effect.never, { label: "stranger" })
        const other = yield* Application.start(Layer.effectDiscard(Process.spawn(Effect.never, { label: "other" })))
        const { stop } = yield* Application.start(stuckUntil(letGo).layer, { stopWithin: "1 second" })
        yield* settle
        const stopping = yield* Effect.forkChild(Effect.flip(stop))
        yield* settle
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(withoutPids(yield* Fiber.join(stopping)), ["test/Stuck", "stuck"])
        yield* Deferred.succeed(letGo, undefined)
        yield* other.stop
        assert.isTrue(yield* Process.isAlive(stranger))
        yield* Process.kill(stranger)
        yield* settle
      })
    )
  )

  it.effect("past the budget it names the processes in a kernel inside of the application", () =>
    inKernel(
      Effect.gen(function* () {
        const letGo = yield* Deferred.make<void>()
        const layer = stuckUntil(letGo).layer.pipe(Layer.provide(Kernel.layer))
        const { stop } = yield* Application.start(layer, { stopWithin: "1 second" })
        yield* settle
        const stopping = yield* Effect.forkChild(Effect.flip(stop))
        yield* settle
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(withoutPids(yield* Fiber.join(stopping)), ["test/Stuck", "stuck"])
        yield* Deferred.succeed(letGo, undefined)
        yield* settle
      })
    )
  )
})

const nisse = Name.make("nisse")

describe("processes outside of the tree", () => {
  /** A server that starts a process of its own, which has a name. */
  class Parent extends GenServer.Service<Parent>()("test/Parent", []) {
    static readonly layer = this.define({
      init: () =>
        Effect.flatMap(Process.spawn(Effect.never, { label: "stray" }), (pid) =>
          Effect.orDie(Name.register(nisse, pid))
        ),
      handlers: {}
    }).layer()
  }
  class Tree extends Supervisor.Service<Tree>()("test/Tree", {
    strategy: "oneForOne",
    children: [Supervisor.child(Parent.layer)]
  }) {}

  kernelTest(
    "end with the application: it can start again, and nothing has their names",
    Effect.gen(function* () {
      for (let run = 0; run < 2; run++) {
        const { stop } = yield* Application.start(Tree.layer)
        assert.isTrue(Option.isSome(yield* Name.whereis(nisse)))
        yield* stop
        assert.deepStrictEqual(yield* Name.whereis(nisse), Option.none())
        assert.strictEqual((yield* Kernel.counts).processes, 0)
      }
    }),
    20
  )

  kernelTest(
    "end with an application whose start fails",
    Effect.gen(function* () {
      const layer = Layer.effectDiscard(Effect.fail("no config")).pipe(Layer.provideMerge(Tree.layer))
      assert.strictEqual(yield* Effect.flip(Application.run(layer)), "no config")
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    }),
    20
  )

  kernelTest(
    "end even if their parents have ended long ago, or are such processes themselves",
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const spawnTwice = Effect.andThen(
        Process.spawn(Effect.never, { label: "b" }),
        Deferred.succeed(started, undefined)
      )
      const layer = Layer.effectDiscard(Process.spawn(Process.spawn(spawnTwice, { label: "a" })))
      const { stop } = yield* Application.start(layer)
      yield* Deferred.await(started)
      yield* settle
      assert.strictEqual((yield* Kernel.counts).processes, 1)
      yield* stop
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    }),
    20
  )

  kernelTest(
    "of an application within another one end with either of the two",
    Effect.gen(function* () {
      const started = yield* Deferred.make<Application.Running<never>>()
      const stray = Process.spawn(Effect.never, { label: "inner stray" })
      const inner = Application.start(Layer.effectDiscard(stray))
      const outer = Layer.effectDiscard(
        Process.spawn(
          Effect.andThen(
            Effect.flatMap(inner, (running) => Deferred.succeed(started, running)),
            Effect.never
          )
        )
      )
      const first = yield* Application.start(outer)
      yield* (yield* Deferred.await(started)).stop
      assert.strictEqual((yield* Kernel.counts).processes, 1)
      yield* first.stop
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    }),
    20
  )

  it.effect("that do not end are named when the budget is over", () =>
    inKernel(
      Effect.gen(function* () {
        const letGo = yield* Deferred.make<void>()
        const stray = Process.spawn(Effect.uninterruptible(Deferred.await(letGo)), { label: "stray" })
        const { stop } = yield* Application.start(Layer.effectDiscard(stray), { stopWithin: "1 minute" })
        yield* settle
        const stopping = yield* Effect.forkChild(Effect.flip(stop))
        yield* settle
        yield* TestClock.adjust("5 seconds")
        // It was killed, so it has no name any more.
        assert.strictEqual((yield* Kernel.counts).processes, 0)
        yield* settle
        yield* TestClock.adjust("55 seconds")
        assert.deepStrictEqual(withoutPids(yield* Fiber.join(stopping)), ["stray"])
        yield* Deferred.succeed(letGo, undefined)
        yield* settle
      })
    )
  )

  /** What delays the stop of the application, once the stray has its name. */
  const obstacles: Record<string, (letGo: Deferred.Deferred<void>) => Effect.Effect<void, never, Scope.Scope>> = {
    "a hook that never ends": () => Effect.andThen(Application.beforeStop("drain", Effect.never), Effect.never),
    "a hook that cannot be interrupted": (letGo: Deferred.Deferred<void>) =>
      Effect.andThen(Application.beforeStop("drain", Effect.uninterruptible(Deferred.await(letGo))), Effect.never),
    "a child that cannot be interrupted": (letGo: Deferred.Deferred<void>) =>
      Effect.uninterruptible(Deferred.await(letGo))
  }
  for (const [what, obstacle] of Object.entries(obstacles)) {
    it.effect(`are killed with those of the tree when the budget is over, whatever used it up: ${what}`, () =>
      inKernel(
        Effect.gen(function* () {
          yield* TestClock.adjust(0)
          const letGo = yield* Deferred.make<void>()
          const named = Effect.flatMap(Process.spawn(Effect.never, { label: "stray" }), (pid) =>
            Effect.orDie(Name.register(nisse, pid))
          )
          class Tree extends Supervisor.Service<Tree>()("test/Tree", {
            strategy: "oneForOne",
            children: [Supervisor.worker("worker", Effect.andThen(named, obstacle(letGo)), { shutdown: "1 hour" })]
          }) {}
          for (let run = 0; run < 2; run++) {
            const { stop } = yield* Application.start(Tree.layer, { stopWithin: "1 second" })
            yield* settle
            const stopping = yield* Effect.forkChild(Effect.flip(stop))
            yield* settle
            assert.isTrue(Option.isSome(yield* Name.whereis(nisse)))
            yield* TestClock.adjust("1 second")
            assert.deepStrictEqual(withoutPids(yield* Fiber.join(stopping)), ["test/Tree", "worker", "stray"])
            yield* settle
            assert.deepStrictEqual(yield* Name.whereis(nisse), Option.none())
            assert.strictEqual((yield* Kernel.counts).processes, 0)
          }
          yield* Deferred.succeed(letGo, undefined)
          yield* settle
          assert.strictEqual((yield* Kernel.counts).zombies, 0)
        })
      )
    )
  }

  it.effect("past the budget what the layers hold is released, once the processes have ended", () =>
    inKernel(
      Effect.gen(function* () {
        yield* TestClock.adjust(0)
        const log: Array<string> = []
        const holding = Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => log.push("released"))))
        const slow = Supervisor.worker("slow", Effect.never)
        class Tree extends Supervisor.Service<Tree>()("test/Tree", { strategy: "oneForOne", children: [slow] }) {}
        const hook = Layer.effectDiscard(Application.beforeStop("stopAccepting", Effect.never))
        const layer = Layer.merge(Tree.layer, hook).pipe(Layer.provide(holding))
        const { stop } = yield* Application.start(layer, { stopWithin: "1 second" })
        const stopping = yield* Effect.forkChild(Effect.exit(stop))
        yield* settle
        yield* TestClock.adjust("1 second")
        assert.isTrue(Exit.isFailure(yield* Fiber.join(stopping)))
        yield* settle
        assert.deepStrictEqual(log, ["released"])
      })
    )
  )
})

describe("a fiber that outlives its application", () => {
  class Till extends GenServer.Service<Till>()("test/Till", [
    Rpc.make("open", { success: Schema.Finite }),
    GenServer.cast("close")
  ]) {
    static readonly definition = this.define({
      init: () => Effect.succeed(1),
      handlers: {
        open: (_, count: number) => GenServer.reply(count, count),
        close: (_, count) => GenServer.noReply(count)
      },
      name: "test/till"
    })
  }
  class Pool extends DynamicSupervisor.Service<Pool>()("test/Pool", {
    child: GenServer.Service<never>()("test/Member", []).define({ init: () => Effect.void, handlers: {} })
  }) {}
  class Shop extends Supervisor.Service<Shop>()("test/Shop", {
    strategy: "oneForOne",
    children: [Supervisor.child(Till.definition.layer()), Supervisor.child(Pool.layer)]
  }) {}

  /** Runs an effect on a fiber that a layer of the application has forked, after the application has ended. */
  const afterwards = <A, E>(effect: Effect.Effect<A, E, Till | Pool | Scope.Scope>) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const done = yield* Deferred.make<A, E>()
      const outliving = Layer.effectDiscard(
        Effect.forkDetach(Deferred.into(Effect.andThen(Deferred.await(gate), effect), done))
      )
      const { stop } = yield* Application.start(Layer.provideMerge(outliving, Shop.layer))
      yield* settle
      yield* stop
      yield* Deferred.succeed(gate, undefined)
      return yield* Effect.exit(Deferred.await(done))
    })

  kernelTest(
    "has handles that lead nowhere: its calls fail at once, its casts are dead letters, and nothing is added to its tree",
    Effect.gen(function* () {
      const exit = yield* afterwards(
        Effect.gen(function* () {
          const till = yield* Till
          const pool = yield* Pool
          const call = yield* Effect.flip(till.open(undefined, { whenDown: "wait" }))
          const before = yield* Kernel.messages
          yield* till.close()
          const after = yield* Kernel.messages
          const add = yield* Effect.flip(pool.startChild("a"))
          return [fieldsOf(call.reason), after.deadLettered - before.deadLettered, add._tag]
        })
      )
      assert.deepStrictEqual(
        exit,
        Exit.succeed([{ _tag: "ServerDown", reason: { _tag: "Shutdown" } }, 1, "SupervisorDown"])
      )
    }),
    20
  )

  kernelTest(
    "starts nothing: a process or server it starts is a defect that says so, and no name is taken",
    Effect.gen(function* () {
      const starts: ReadonlyArray<Effect.Effect<unknown, unknown, Scope.Scope>> = [
        Process.spawn(Effect.never),
        Till.definition.start(),
        Task.asyncNoLink(Effect.never),
        Layer.build(Layer.fresh(Shop.layer))
      ]
      for (const start of starts) {
        const exit = yield* afterwards(start)
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(defect, RangeError)
        assert.strictEqual(
          defect.message,
          "Nothing can be started here: the application that this fiber belongs to has ended"
        )
        assert.deepStrictEqual(yield* Name.registered, [])
        assert.strictEqual((yield* Kernel.counts).processes, 0)
        // It can start again.
        const { stop } = yield* Application.start(Shop.layer)
        yield* stop
      }
    }),
    10
  )
})

describe("a fiber that outlives a tree without an application", () => {
  kernelTest(
    "starts servers only in an open scope: in the scope of the tree they end at once",
    Effect.gen(function* () {
      class Till extends GenServer.Service<Till>()("test/Till", []) {
        static readonly definition = this.define({ init: () => Effect.void, handlers: {}, name: "test/till" })
      }
      class Shop extends Supervisor.Service<Shop>()("test/Shop", {
        strategy: "oneForOne",
        children: [Supervisor.worker("idle", Effect.never)]
      }) {}
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const start = Effect.andThen(Deferred.await(gate), Till.definition.start())
      const outliving = yield* Effect.flatMap(Layer.buildWithScope(Shop.layer, scope), (context) =>
        Effect.forkDetach(Effect.provideContext(start, Context.add(context, Scope.Scope, scope)))
      )
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.await(outliving)
      yield* settle
      assert.deepStrictEqual(yield* Name.registered, [])
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    }),
    20
  )
})
