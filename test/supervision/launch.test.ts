/**
 * `Layer.launch` of a tree that gives up. It depends on the inside of Effect's fibers, so these tests show if that
 * changes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Logger, ManagedRuntime, Result, Schema, Scope } from "effect"
import { DynamicSupervisor, GenServer, Supervisor } from "effect-otp"
import { Rpc } from "effect/rpc"
import { TestKernel } from "effect-otp/testing"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { TreeFailed, CurrentTreeEndListener } from "../../src/kernel/shared/treeEnd.ts"
import { fragile, gaveUp } from "../fixtures/fragile.ts"
import { kernelTest, settle } from "../fixtures/kernel.ts"

const nothing = Layer.effectDiscard(Effect.void)
const other = Layer.effectDiscard(Effect.forkScoped(Effect.never))
const quietLogger = Logger.layer([])

const shapes: Record<string, (tree: Layer.Layer<never>) => Effect.Effect<unknown>> = {
  "by itself": (tree) => Layer.launch(tree),
  "provided to others": (tree) => Layer.launch(nothing.pipe(Layer.provide(tree))),
  "that gives to others what it provides": (tree) => Layer.launch(nothing.pipe(Layer.provideMerge(tree))),
  "merged with others": (tree) => Layer.launch(Layer.mergeAll(nothing, tree, other)),
  "merged, and given what it needs": (tree) => Layer.launch(Layer.merge(tree, other).pipe(Layer.provide(nothing))),
  "provided together with others": (tree) => Layer.launch(other.pipe(Layer.provide([nothing, tree]))),
  "below an effect": (tree) => Layer.launch(Layer.unwrap(Effect.succeed(tree))),
  "with a logger around": (tree) => Effect.provide(Layer.launch(tree), quietLogger),
  "in a scope and in a layer": (tree) => Effect.provide(Effect.scoped(Layer.launch(tree)), nothing)
}

/** How a fiber has ended, without the interruption. */
const defects = (exit: Exit.Exit<unknown, unknown> | undefined): ReadonlyArray<unknown> =>
  exit?._tag !== "Failure" ? [] : exit.cause.reasons.flatMap((reason) => (reason._tag === "Die" ? [reason.defect] : []))

describe("a launched tree that gives up ends the launch with TreeFailed as a defect", () => {
  for (const [shape, launch] of Object.entries(shapes)) {
    kernelTest(
      shape,
      Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const tree = fragile(go).layer as Layer.Layer<unknown> as Layer.Layer<never>
        const launched = yield* Effect.forkChild(launch(tree))
        yield* settle
        assert.isUndefined(launched.pollUnsafe())
        yield* Deferred.succeed(go, undefined)
        yield* settle
        assert.deepStrictEqual(defects(launched.pollUnsafe()), [gaveUp])
      }),
      10
    )
  }

  kernelTest(
    "also if it gave up before the last layer was built",
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const later = yield* Deferred.make<void>()
      const last = Layer.effectDiscard(Deferred.await(later))
      const launched = yield* Effect.forkChild(Layer.launch(last.pipe(Layer.provide(fragile(go).layer))))
      yield* Deferred.succeed(go, undefined)
      yield* settle
      assert.isUndefined(launched.pollUnsafe())
      yield* Deferred.succeed(later, undefined)
      yield* SeededScheduler.adjust("1 second")
      yield* settle
      assert.deepStrictEqual(defects(launched.pollUnsafe()), [gaveUp])
    }),
    10
  )

  kernelTest(
    "also if it gave up while a layer it is merged with was built",
    Effect.gen(function* () {
      yield* SeededScheduler.adjust(0)
      const go = yield* Deferred.make<void>()
      const later = yield* Deferred.make<void>()
      const last = Layer.effectDiscard(Deferred.await(later))
      const launched = yield* Effect.forkChild(Layer.launch(Layer.merge(last, fragile(go).layer)))
      yield* Deferred.succeed(go, undefined)
      yield* settle
      assert.isUndefined(launched.pollUnsafe())
      yield* Deferred.succeed(later, undefined)
      yield* SeededScheduler.adjust("1 second")
      yield* settle
      assert.deepStrictEqual(defects(launched.pollUnsafe()), [gaveUp])
    }),
    10
  )

  kernelTest(
    "a dynamic one, too",
    Effect.gen(function* () {
      class Kid extends GenServer.Service<Kid>()("test/Kid", [GenServer.cast("crash")]) {
        static readonly definition = this.define({
          init: () => Effect.void,
          handlers: { crash: () => Effect.die("boom") }
        })
      }
      class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", {
        child: Kid.definition,
        intensity: { max: 0, within: "1 second" }
      }) {}
      const crash = Layer.effectDiscard(
        Effect.gen(function* () {
          const kid = yield* (yield* Kids).startChild("a")
          yield* Effect.forkDetach(Effect.andThen(settle, kid.crash()))
        }).pipe(Effect.orDie)
      )
      const launched = yield* Effect.forkChild(Layer.launch(crash.pipe(Layer.provideMerge(Kids.layer))))
      yield* Effect.andThen(settle, settle)
      const [defect] = defects(launched.pollUnsafe())
      assert.ok(defect instanceof TreeFailed)
      assert.strictEqual(defect.supervisor, "test/Kids")
    }),
    10
  )
})

describe("a tree that gives up leaves alone", () => {
  const withMore = Effect.provide(Effect.never, nothing)
  const goesOn: Record<string, (tree: Layer.Layer<never>) => Effect.Effect<unknown>> = {
    "a program it is provided to": (tree) => Effect.provide(Effect.never, tree),
    "a program it is provided to with others": (tree) => Effect.provide(Effect.never, Layer.merge(other, tree)),
    "such a program in a scope with others": (tree) =>
      Effect.scoped(Effect.provide(Effect.never, Layer.merge(other, tree))),
    "a program that has built it with others and goes on": (tree) =>
      Effect.scoped(Effect.andThen(Layer.build(Layer.merge(other, tree)), Effect.andThen(Effect.never, Effect.void))),
    "a fiber that had it built by another one": (tree) =>
      Effect.gen(function* () {
        const scope = yield* Effect.scope
        const build = Layer.buildWithMemoMap(tree, Layer.makeMemoMapUnsafe(), scope)
        yield* Effect.forkScoped(build)
        return yield* Effect.never
      }).pipe(Effect.scoped),
    "such a program in a scope": (tree) => Effect.scoped(Effect.provide(Effect.never, tree)),
    "such a program with more provided inside": (tree) => Effect.scoped(Effect.provide(withMore, tree)),
    "a program that has built it and goes on": (tree) =>
      Effect.scoped(Effect.andThen(Layer.build(tree), Effect.andThen(Effect.never, Effect.void))),
    "a program that has built it in a scope of its own": (tree) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
        yield* Layer.buildWithScope(tree, scope)
        return yield* Effect.never
      }).pipe(Effect.scoped),
    "a launch where somebody else watches": (tree) =>
      Effect.provideService(Layer.launch(tree), CurrentTreeEndListener, () => {})
  }
  for (const [shape, program] of Object.entries(goesOn)) {
    kernelTest(
      shape,
      Effect.gen(function* () {
        const go = yield* Deferred.make<void>()
        const tree = fragile(go).layer as Layer.Layer<unknown> as Layer.Layer<never>
        const running = yield* Effect.forkChild(program(tree))
        yield* Deferred.succeed(go, undefined)
        yield* settle
        assert.isUndefined(running.pollUnsafe())
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(defects(running.pollUnsafe()), [])
      }),
      10
    )
  }
})

describe("a tree that gives up, and what holds it goes on", () => {
  it.effect("a launch that cannot be interrupted: its log has the end of the tree", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const lines: Array<string> = []
      const log = Logger.layer([Logger.make(({ logLevel }) => void lines.push(logLevel))])
      const launched = yield* Layer.launch(fragile(go).layer).pipe(
        Effect.provide(log),
        Effect.uninterruptible,
        Effect.forkDetach
      )
      yield* Deferred.succeed(go, undefined)
      yield* settle
      assert.isUndefined(launched.pollUnsafe())
      assert.include(lines, "Fatal")
    }).pipe(Effect.provide(TestKernel.layer))
  )

  class Stock extends GenServer.Service<Stock>()("test/Stock", [Rpc.make("left", { success: Schema.Number })]) {
    static readonly layer = this.define({
      init: () => Effect.succeed(3),
      handlers: { left: (_, left) => GenServer.reply(left, left) }
    }).layer()
  }

  it.live("a ManagedRuntime: calls fail with ServerDown and the reason, and effects without the tree run", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      class Shop extends Supervisor.Service<Shop>()("test/Shop", {
        strategy: "oneForOne",
        intensity: { max: 0, within: "1 second" },
        children: [
          Supervisor.child(Stock.layer),
          Supervisor.worker("main", Effect.andThen(Deferred.await(go), Effect.die("boom")))
        ]
      }) {}
      const runtime = yield* Effect.acquireRelease(
        Effect.sync(() => ManagedRuntime.make(Layer.provideMerge(Shop.layer, Logger.layer([])))),
        (runtime) => runtime.disposeEffect
      )
      const left = Effect.promise(() => runtime.runPromiseExit(Effect.flatMap(Stock, (stock) => stock.left())))
      assert.deepStrictEqual(yield* left, Exit.succeed(3))
      yield* Deferred.succeed(go, undefined)
      const limitOf = (exit: Exit.Exit<number, GenServer.CallError>) => {
        const reason = Exit.isFailure(exit) ? Result.getOrThrow(Cause.findError(exit.cause)).reason : undefined
        return reason?._tag === "ServerDown" && reason.reason._tag === "Shutdown" ? reason.reason.detail : undefined
      }
      // While the tree is stopping, its servers have ended without a detail.
      const limit = yield* Effect.repeat(Effect.map(left, limitOf), { until: (limit) => limit !== undefined })
      assert.ok(limit instanceof Supervisor.RestartLimit)
      assert.strictEqual(limit.child, "main")
      assert.strictEqual(yield* Effect.promise(() => runtime.runPromise(Effect.succeed(1))), 1)
    }).pipe(Effect.scoped)
  )
})
