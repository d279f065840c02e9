import { assert, describe, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Exit, Fiber, Layer, Ref, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Rpc } from "effect/rpc"
import { Application, ExitReason, GenServer, Process, Supervisor } from "effect-otp"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { inKernel, settle } from "../fixtures/kernel.ts"
import { seeds } from "../fixtures/seeds.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

class Echo extends GenServer.Service<Echo>()("test/Echo", [
  Rpc.make("say", { payload: { text: Schema.String }, success: Schema.String }),
  GenServer.cast("crash")
]) {
  static readonly layer = this.define({
    init: () => Effect.succeed(0),
    handlers: {
      say: ({ text }, n) => GenServer.reply(text, n),
      crash: () => Effect.die("asked to")
    }
  }).layer()
}

/** Gives up at the first crash. */
class Fragile extends Supervisor.Service<Fragile>()("test/Fragile", {
  strategy: "oneForOne",
  intensity: { max: 0, within: "1 second" },
  children: [Supervisor.child(Echo.layer, { id: "echo" })]
}) {}

const crashed = ExitReason.defect("asked to")
const gaveUp = (reason: ExitReason.ExitReason) =>
  ExitReason.shutdown(
    new Supervisor.RestartLimit({
      supervisor: "test/Fragile",
      child: "echo",
      reason,
      attempts: 1,
      policy: "intensity"
    })
  )

describe("run", () => {
  it.effect("succeeds when the tree ends on purpose", () =>
    inKernel(
      Effect.gen(function* () {
        class Job extends Supervisor.Service<Job>()("test/Job", {
          strategy: "oneForOne",
          autoShutdown: "anySignificant",
          children: [Supervisor.worker("work", Effect.void, { restart: "transient", significant: true })]
        }) {}
        yield* Application.run(Job.layer)
      })
    )
  )

  it.effect("fails with the error of a start, after stopping what was started", () =>
    inKernel(
      Effect.gen(function* () {
        const log = yield* Ref.make<ReadonlyArray<string>>([])
        class Broken extends Supervisor.Service<Broken>()("test/Broken", {
          strategy: "oneForOne",
          children: [
            Supervisor.worker(
              "first",
              Effect.onExit(Effect.never, () => Ref.update(log, (lines) => [...lines, "first ended"]))
            ),
            Supervisor.child(
              class extends GenServer.Service<Echo>()("test/Failing", []) {
                static readonly layer = this.define({
                  init: () => Effect.fail("no config" as const),
                  handlers: {}
                }).layer()
              }.layer,
              { id: "second" }
            )
          ]
        }) {}
        const exit = yield* Effect.exit(Application.run(Broken.layer))
        assert.deepStrictEqual(exit, Exit.fail("no config"))
        assert.deepStrictEqual(yield* Ref.get(log), ["first ended"])
      })
    )
  )

  it.effect("fails with TreeFailed and the reason when the tree gives up", () =>
    inKernel(
      Effect.gen(function* () {
        const echo = yield* Deferred.make<Context.Service.Shape<typeof Echo>>()
        const expose = Layer.effectDiscard(Effect.flatMap(Echo, (client) => Deferred.succeed(echo, client)))
        const running = yield* Effect.forkChild(Application.run(expose.pipe(Layer.provideMerge(Fragile.layer))))
        const client = yield* Deferred.await(echo)
        yield* client.crash()
        const error = yield* Effect.flip(Fiber.join(running))
        assert.ok(error instanceof Application.TreeFailed)
        assert.strictEqual(error.supervisor, "test/Fragile")
        assert.deepStrictEqual(error.reason, gaveUp(crashed))
        assert.include(error.message, "test/Fragile gave up on echo after 1 failure")
      })
    )
  )

  it.effect("stops in order when it is interrupted: stop accepting, drain, tree in reverse", () =>
    inKernel(
      Effect.gen(function* () {
        const log = yield* Ref.make<ReadonlyArray<string>>([])
        const say = (line: string) => Ref.update(log, (lines) => [...lines, line])
        const up = yield* Deferred.make<void>()
        const worker = (name: string) =>
          Supervisor.worker(
            name,
            Effect.gen(function* () {
              yield* Application.beforeStop("drain", say(`${name} drains`))
              yield* Application.beforeStop(
                "stopAccepting",
                Effect.flatMap(Application.readiness, (readiness) => say(`${name} stops accepting while ${readiness}`))
              )
              yield* Effect.addFinalizer(() => say(`${name} ended`))
              if (name === "b") yield* Deferred.succeed(up, undefined)
              return yield* Effect.never
            })
          )
        class Tree extends Supervisor.Service<Tree>()("test/Tree", {
          strategy: "oneForOne",
          children: [worker("a"), worker("b")]
        }) {}
        const running = yield* Effect.forkChild(Application.run(Tree.layer))
        yield* Deferred.await(up)
        yield* settle
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(yield* Ref.get(log), [
          "b stops accepting while draining",
          "a stops accepting while draining",
          "b drains",
          "a drains",
          "b ended",
          "a ended"
        ])
      })
    )
  )

  it.effect("an interruption while it starts stops what was started", () =>
    inKernel(
      Effect.gen(function* () {
        const log = yield* Ref.make<ReadonlyArray<string>>([])
        const initRuns = yield* Deferred.make<void>()
        class Hanging extends GenServer.Service<Hanging>()("test/Hanging", []) {
          static readonly layer = this.define({
            init: () => Effect.andThen(Deferred.succeed(initRuns, undefined), Effect.never),
            handlers: {}
          }).layer()
        }
        class Tree extends Supervisor.Service<Tree>()("test/Tree", {
          strategy: "oneForOne",
          children: [
            Supervisor.worker(
              "first",
              Effect.onExit(Effect.never, () => Ref.update(log, (lines) => [...lines, "first ended"]))
            ),
            Supervisor.child(Hanging.layer)
          ]
        }) {}
        const running = yield* Effect.forkChild(Application.run(Tree.layer))
        yield* Deferred.await(initRuns)
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(yield* Ref.get(log), ["first ended"])
      })
    )
  )

  it.effect("past the budget it fails with StopTimeout and names the processes that hung", () =>
    Effect.gen(function* () {
      const released = yield* Deferred.make<void>()
      class Stuck extends Supervisor.Service<Stuck>()("test/Stuck", {
        strategy: "oneForOne",
        children: [Supervisor.worker("stuck", Effect.uninterruptible(Deferred.await(released)), { shutdown: "1 hour" })]
      }) {}
      yield* inKernel(
        Effect.gen(function* () {
          const application = yield* Application.start(Stuck.layer, { stopWithin: "10 seconds" })
          yield* settle
          const stopping = yield* Effect.forkChild(Effect.flip(application.stop))
          yield* settle
          yield* TestClock.adjust("10 seconds")
          const error = yield* Fiber.join(stopping)
          assert.strictEqual(error._tag, "StopTimeout")
          assert.ok(
            error.hung.some((name) => name.startsWith("stuck ")),
            error.message
          )
          // A second call has the same result.
          assert.strictEqual((yield* Effect.flip(application.stop))._tag, "StopTimeout")
          yield* Deferred.succeed(released, undefined)
        })
      )
    })
  )
})

describe("provide", () => {
  it.effect("provides the services of the tree and stops it afterwards", () =>
    inKernel(
      Effect.gen(function* () {
        const program = Effect.flatMap(Echo, (echo) => echo.say({ text: "hello" }))
        assert.strictEqual(yield* Application.provide(Fragile.layer)(program), "hello")
      })
    )
  )

  it.effect("the program fails when the tree gives up", () =>
    inKernel(
      Effect.gen(function* () {
        const program = Effect.gen(function* () {
          const echo = yield* Echo
          yield* echo.crash()
          return yield* Effect.never
        })
        const error = yield* Effect.flip(program.pipe(Application.provide(Fragile.layer)))
        assert.deepStrictEqual(error._tag, "TreeFailed")
      })
    )
  )

  it.effect("handles fail at once with the reason of the root", () =>
    inKernel(
      Effect.gen(function* () {
        const echo = yield* Effect.provide(
          Effect.gen(function* () {
            const echo = yield* Echo
            yield* echo.crash()
            yield* settle
            const error = yield* Effect.flip(echo.say({ text: "anybody?" }))
            assert.ok(error instanceof GenServer.CallError)
            assert.deepStrictEqual(fieldsOf(error.reason), { _tag: "ServerDown", reason: gaveUp(crashed) })
            assert.strictEqual(error.started, "no")
            return echo
          }),
          Fragile.layer
        )
        assert.ok(echo)
      })
    )
  )
})

describe("readiness", () => {
  it.effect("is ready outside of an application", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Application.readiness, "ready")
    })
  )

  it.effect("goes from starting to ready to draining", () =>
    inKernel(
      Effect.gen(function* () {
        const seen: Array<string> = []
        const look = Effect.map(Application.readiness, (readiness) => void seen.push(readiness))
        const layer = Layer.effectDiscard(
          Effect.gen(function* () {
            yield* look
            yield* Process.spawn(Effect.andThen(Effect.sleep("1 second"), look))
            yield* Effect.addFinalizer(() => look)
          })
        )
        const application = yield* Application.start(layer)
        yield* settle
        yield* TestClock.adjust("1 second")
        yield* application.stop
        assert.deepStrictEqual(seen, ["starting", "ready", "draining"])
      })
    )
  )
})

it.effect("a tree that crashes and is stopped at any moment leaves nothing behind", () =>
  SeededScheduler.explore(
    inKernel(
      Effect.gen(function* () {
        const program = Effect.gen(function* () {
          const echo = yield* Echo
          yield* Effect.forkChild(Effect.exit(echo.say({ text: "hello" })))
          yield* echo.crash()
          return yield* Effect.never
        })
        const running = yield* Effect.forkChild(Effect.exit(program.pipe(Application.provide(Fragile.layer))))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(running)
      })
    ),
    { seeds: seeds(200) }
  )
)
