/** An application that is still starting: stops, budgets and the end of its tree work as in one that is ready. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Application, GenServer, Kernel, Supervisor } from "effect-otp"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { fragile, gaveUp } from "../fixtures/fragile.ts"
import { inKernel, kernelTest, settle } from "../fixtures/kernel.ts"
import { seeds } from "../fixtures/seeds.ts"

/** A server whose `init` cannot be interrupted until the gate opens. */
const hanging = (begun: Deferred.Deferred<void>, letGo: Deferred.Deferred<void>) =>
  class Hanging extends GenServer.Service<Hanging>()("test/Hanging", []) {
    static readonly layer = this.define({
      init: () => Effect.uninterruptible(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(letGo))),
      handlers: {}
    }).layer()
  }

describe("a stop while an application starts", () => {
  it.effect("ends within its budget when a child hangs, and names the child", () =>
    inKernel(
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const letGo = yield* Deferred.make<void>()
        class Tree extends Supervisor.Service<Tree>()("test/Tree", {
          strategy: "oneForOne",
          children: [Supervisor.child(hanging(begun, letGo).layer, { id: "hanging", shutdown: "1 hour" })]
        }) {}
        const running = yield* Effect.forkChild(Application.run(Tree.layer, { stopWithin: "2 seconds" }))
        yield* Deferred.await(begun)
        running.interruptUnsafe()
        yield* settle
        yield* TestClock.adjust("1999 millis")
        assert.isUndefined(running.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const exit = yield* Fiber.await(running)
        assert.ok(Exit.isFailure(exit))
        const error = Cause.findErrorOption(exit.cause)
        assert.ok(error._tag === "Some" && error.value instanceof Application.StopTimeout, Cause.pretty(exit.cause))
        assert.deepStrictEqual(error.value.within, Duration.seconds(2))
        assert.deepStrictEqual(
          error.value.hung.map((name) => name.replace(/ <.*/, "")),
          ["test/Tree", "test/Hanging(hanging)"]
        )
        yield* Deferred.succeed(letGo, undefined)
        yield* settle
        yield* settle
      })
    )
  )

  it.effect("drains the layers that are up, then releases them", () =>
    inKernel(
      Effect.gen(function* () {
        const log: Array<string> = []
        const begun = yield* Deferred.make<void>()
        const listening = Layer.effectDiscard(
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.sync(() => log.push("closed")))
            yield* Application.beforeStop(
              "stopAccepting",
              Effect.sync(() => log.push("stops accepting"))
            )
            yield* Application.beforeStop(
              "drain",
              Effect.sync(() => log.push("drains"))
            )
          })
        )
        const slow = Layer.effectDiscard(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
        const running = yield* Effect.forkChild(Application.run(slow.pipe(Layer.provideMerge(listening))))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(log, ["stops accepting", "drains", "closed"])
      })
    )
  )
})

describe("a start", () => {
  kernelTest(
    "that is interrupted from inside is a defect that says so",
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Application.run(Layer.effectDiscard(Effect.interrupt)))
      const message = "Something inside the application interrupted its start, although nobody asked it to stop"
      assert.deepStrictEqual(exit, Exit.die(new Error(message)))
    }),
    20
  )

  kernelTest(
    "fails at once when a tree gives up while later layers are built",
    Effect.gen(function* () {
      const log: Array<string> = []
      const begun = yield* Deferred.make<void>()
      const hanging = Layer.effectDiscard(
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() => Effect.sync(() => log.push("released")))
          yield* Deferred.succeed(begun, undefined)
          return yield* Effect.never
        })
      )
      const layer = hanging.pipe(Layer.provideMerge(fragile(begun).layer))
      assert.deepStrictEqual(yield* Effect.exit(Application.run(layer)), Exit.fail(gaveUp))
      assert.deepStrictEqual(log, ["released"])
      assert.deepStrictEqual(yield* Effect.exit(Effect.asVoid(Application.start(layer))), Exit.fail(gaveUp))
      assert.deepStrictEqual(yield* Effect.exit(Effect.never.pipe(Application.provide(layer))), Exit.fail(gaveUp))
    }),
    20
  )
})

class A extends GenServer.Service<A>()("test/A", []) {
  static readonly layer = this.define({ init: () => Effect.void, handlers: {} }).layer()
}
class Tree extends Supervisor.Service<Tree>()("test/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(A.layer)]
}) {}

describe("provide", () => {
  it.effect("interrupted at any step of the end of its start leaves nothing behind", () =>
    inKernel(
      Effect.gen(function* () {
        for (let steps = 0; steps < 2200; steps++) {
          const armed = { now: false }
          const last = Layer.effectDiscard(
            Effect.gen(function* () {
              yield* Effect.yieldNow
              for (let step = 0; step < steps; step++) yield* Effect.void
              armed.now = true
            })
          )
          const layer = last.pipe(Layer.provideMerge(Tree.layer))
          const running = yield* Effect.forkChild(Application.provide(layer)(Effect.never))
          while (!armed.now) yield* Effect.yieldNow
          yield* Fiber.interrupt(running)
          assert.strictEqual((yield* Kernel.counts).processes, 0, `after ${steps} steps`)
        }
      })
    )
  )

  it.effect("interrupted at any moment in any order leaves nothing behind", () =>
    SeededScheduler.explore(
      inKernel(
        Effect.gen(function* () {
          for (let steps = 0; steps < 60; steps++) {
            const running = yield* Effect.forkChild(Application.provide(Tree.layer)(Effect.never))
            for (let step = 0; step < steps; step++) yield* Effect.yieldNow
            yield* Fiber.interrupt(running)
            assert.strictEqual((yield* Kernel.counts).processes, 0, `after ${steps} steps`)
          }
        })
      ),
      { seeds: seeds(30) }
    )
  )
})
