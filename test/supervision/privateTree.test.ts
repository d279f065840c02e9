/** Trees that a process, or the Layer of a child, starts for itself: their end concerns only that process. */
import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { Application, ExitReason, GenServer, Kernel, Process, Supervisor } from "effect-otp"
import { kernelTest, settle } from "../fixtures/kernel.ts"

const never = { max: 0, within: "1 second" } as const

/** A tree with one job that ends as it is told. */
const batch = (job: Effect.Effect<void>) =>
  class Batch extends Supervisor.Service<Batch>()("test/Batch", {
    strategy: "oneForOne",
    intensity: never,
    autoShutdown: "anySignificant",
    children: [Supervisor.worker("job", job, { restart: "transient", significant: true })]
  }) {}

const failed = ExitReason.defect(
  new Application.TreeFailed({
    supervisor: "test/Batch",
    reason: ExitReason.shutdown(
      new Supervisor.RestartLimit({
        supervisor: "test/Batch",
        child: "job",
        reason: ExitReason.defect("boom"),
        attempts: 1,
        policy: "intensity"
      })
    )
  })
)

const boom: Effect.Effect<void> = Effect.die("boom")

describe("a tree that a process provides to itself", () => {
  kernelTest(
    "ends that process when it gives up, and nothing else",
    Effect.gen(function* () {
      const first = yield* Deferred.make<ExitReason.ExitReason>()
      let runs = 0
      const nightly = Effect.gen(function* () {
        if (++runs > 1) return yield* Effect.never
        const me = yield* Process.self
        yield* Effect.forkDetach(Effect.flatMap(Process.awaitExit(me), (reason) => Deferred.succeed(first, reason)))
        yield* Effect.exit(Effect.provide(Effect.never, batch(boom).layer))
        return yield* Effect.never
      })
      class Main extends Supervisor.Service<Main>()("test/Main", {
        strategy: "oneForOne",
        children: [Supervisor.worker("nightly", nightly)]
      }) {}
      const running = yield* Effect.forkChild(Application.run(Main.layer))
      assert.deepStrictEqual(yield* Deferred.await(first), failed)
      yield* settle
      assert.isUndefined(running.pollUnsafe())
      assert.strictEqual(runs, 2)
      yield* Fiber.interrupt(running)
    }),
    20
  )

  kernelTest(
    "does not end it when the tree ends on purpose",
    Effect.gen(function* () {
      let runs = 0
      const nightly = Effect.suspend(() => {
        runs++
        return Effect.provide(Effect.never, batch(Effect.void).layer)
      })
      class Main extends Supervisor.Service<Main>()("test/Main", {
        strategy: "oneForOne",
        children: [Supervisor.worker("nightly", nightly)]
      }) {}
      const running = yield* Effect.forkChild(Application.run(Main.layer))
      yield* settle
      assert.isUndefined(running.pollUnsafe())
      assert.strictEqual(runs, 1)
      yield* Fiber.interrupt(running)
    }),
    20
  )

  kernelTest(
    "is an Exit message to a process that traps exits",
    Effect.gen(function* () {
      const got = yield* Deferred.make<unknown>()
      const pid = yield* Process.spawn(
        (inbox: Process.Inbox<never>) =>
          Effect.andThen(
            Effect.forkChild(Effect.provide(Effect.never, batch(boom).layer)),
            Effect.flatMap(inbox.take, (signal) => Deferred.succeed(got, signal._tag === "Exit" && signal.reason))
          ),
        { trapExit: true }
      )
      assert.deepStrictEqual(yield* Deferred.await(got), failed)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.normal)
    }),
    20
  )

  kernelTest(
    "ends a process even if the tree has a kernel of its own",
    Effect.gen(function* () {
      const tree = batch(boom).layer.pipe(Layer.provide(Kernel.layer))
      const pid = yield* Process.spawn(Effect.provide(Effect.never, tree))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), failed)
    }),
    20
  )
})

class Pool extends Context.Service<Pool, number>()("test/Pool") {}

describe("a tree that a resource starts for itself", () => {
  kernelTest(
    "when it gives up, the resource counts as ended and is built anew with its holders",
    Effect.gen(function* () {
      let builds = 0
      const go = yield* Deferred.make<void>()
      const job = Effect.suspend(() => (builds === 1 ? Effect.andThen(Deferred.await(go), boom) : Effect.never))
      const pool = Layer.unwrap(
        Effect.sync(() => Layer.succeed(Pool, ++builds).pipe(Layer.provideMerge(batch(job).layer)))
      )
      const seen: Array<number> = []
      class Holder extends GenServer.Service<Holder>()("test/Holder", []) {
        static readonly layer = this.define({
          init: () => Effect.map(Pool, (pool) => void seen.push(pool)),
          handlers: {}
        }).layer()
      }
      class Main extends Supervisor.Service<Main>()("test/Main", {
        strategy: "oneForOne",
        children: [Supervisor.resource(Pool, pool), Supervisor.child(Holder.layer)]
      }) {}
      const { stop } = yield* Application.start(Main.layer)
      yield* Deferred.succeed(go, undefined)
      yield* settle
      assert.deepStrictEqual(seen, [1, 2])
      assert.deepStrictEqual(yield* Effect.exit(stop), Exit.void)
    }),
    20
  )
})
