/** Cases of OTP's suites that concern several modules at once. */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Rpc } from "effect/rpc"
import { ExitReason, GenServer, Name, Process, Supervisor } from "effect-otp"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"

class Named extends GenServer.Service<Named>()("test/Named", [
  Rpc.make("whoami", { success: Schema.Number }),
  GenServer.cast("crash")
]) {
  static readonly definition = this.define({
    init: () => Effect.map(Process.self, (pid) => pid.id),
    name: "test/named",
    handlers: {
      whoami: (_, id) => GenServer.reply(id, id),
      crash: () => Effect.die("asked to")
    }
  })
}

class Tree extends Supervisor.Service<Tree>()("test/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Named.definition.layer(), { id: "named" }), Supervisor.worker("other", Effect.never)]
}) {}

const name = Name.make<never>("test/named")

kernelTest(
  "#50 a name is a text that is not empty; without one a server has none",
  Effect.gen(function* () {
    assert.throws(
      () =>
        Named.define({
          init: () => Effect.void,
          name: "",
          handlers: { whoami: () => GenServer.reply(0, undefined), crash: (_, s) => GenServer.noReply(s) }
        }),
      RangeError
    )
    const unnamed = Named.define({
      init: () => Effect.void,
      handlers: { whoami: () => GenServer.reply(0, undefined), crash: (_, s) => GenServer.noReply(s) }
    })
    const client = yield* unnamed.start()
    const pid = Option.getOrThrow(yield* GenServer.pid(client))
    assert.strictEqual(Option.getOrThrow(yield* Process.info(pid)).name, undefined)
  })
)

kernelTest(
  "#58 no crash report for an expected reason; one with its ancestors for a crash",
  Effect.gen(function* () {
    const reports: Array<string> = []
    const logger = Logger.make(({ message }) => {
      reports.push(String(Array.isArray(message) ? message[0] : message))
    })
    const child = (body: Effect.Effect<never, unknown>) =>
      Effect.flatMap(Process.spawn(body, { label: "child" }), Process.awaitExit)
    yield* asProcess(() =>
      Effect.gen(function* () {
        const shut = yield* Process.spawn(Effect.never, { label: "shut down" })
        yield* Process.exit(shut, ExitReason.shutdown("reason"))
        assert.deepStrictEqual(yield* Process.awaitExit(shut), ExitReason.shutdown("reason"))
        yield* child(Effect.die("die"))
      })
    ).pipe(Effect.provide(Logger.layer([logger])))
    yield* settle
    assert.deepStrictEqual(reports, ["child crashed"])
  })
)

kernelTest(
  "#60 a label is set by the process itself and shown; without one it is undefined",
  asProcess((inbox) =>
    Effect.gen(function* () {
      const label = Effect.map(Process.info(inbox.pid), (info) => Option.getOrThrow(info).label)
      assert.strictEqual(yield* label, undefined)
      yield* Process.setLabel("a label")
      assert.strictEqual(yield* label, "a label")
    })
  )
)

kernelTest(
  "#101 a server is found by its client and by its name, and is not while it is down",
  Effect.gen(function* () {
    const client = yield* Named.definition.start()
    const pid = yield* GenServer.pid(client)
    assert.ok(Option.isSome(pid))
    assert.deepStrictEqual(yield* Name.whereis(name), pid)
    yield* GenServer.terminate(client)
    assert.deepStrictEqual(yield* GenServer.pid(client), Option.none())
    assert.deepStrictEqual(yield* Name.whereis(name), Option.none())
  })
)

kernelTest(
  "#125 by default a child is permanent and has 5 seconds to end",
  Effect.gen(function* () {
    const runs: Array<string> = []
    const again = yield* Deferred.make<void>()
    const ending = Supervisor.worker(
      "ending",
      Effect.suspend(() =>
        runs.push("run") < 2 ? Effect.void : Effect.andThen(Deferred.succeed(again, undefined), Effect.never)
      )
    )
    class Slow extends GenServer.Service<Slow>()("test/Slow", []) {
      static readonly layer = this.define({
        init: () => Effect.void,
        handlers: {},
        terminate: () => Effect.never
      }).layer()
    }
    class Defaults extends Supervisor.Service<Defaults>()("test/Defaults", {
      strategy: "oneForOne",
      children: [ending, Supervisor.child(Slow.layer)]
    }) {}
    const up = yield* Deferred.make<void>()
    const running = yield* Effect.forkChild(
      Effect.andThen(Deferred.await(again), Deferred.succeed(up, undefined)).pipe(Effect.provide(Defaults.layer))
    )
    yield* Deferred.await(up)
    yield* settle
    yield* TestClock.adjust("4999 millis")
    yield* settle
    assert.strictEqual(running.pollUnsafe(), undefined)
    yield* TestClock.adjust("1 millis")
    yield* Fiber.join(running)
    assert.deepStrictEqual(runs, ["run", "run"])
  })
)

kernelTest(
  "#136 a child that was restarted is reachable under its registered name again",
  Effect.gen(function* () {
    const client = yield* Named
    const before = yield* Name.whereis(name)
    yield* client.crash()
    yield* client.whoami(undefined, { whenDown: "wait" })
    const after = yield* Name.whereis(name)
    assert.ok(Option.isSome(before) && Option.isSome(after))
    assert.notStrictEqual(after.value, before.value)
    assert.deepStrictEqual(after, yield* GenServer.pid(client))
  }).pipe(Effect.provide(Tree.layer))
)

kernelTest(
  "#141 children are listed by id in start order",
  Effect.gen(function* () {
    const tree = yield* Tree
    const ids = (yield* tree.whichChildren).map(({ id }) => id)
    assert.deepStrictEqual(ids, ["named", "other"])
    const error = yield* Effect.flip(tree.terminateChild("nobody"))
    assert.deepStrictEqual(error, new Supervisor.ChildNotFound({ id: "nobody" }))
  }).pipe(Effect.provide(Layer.fresh(Tree.layer)))
)
