import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Schema } from "effect"
import { DynamicSupervisor, GenServer, Pid, Process, Supervisor } from "effect-otp"
import { TestDouble, TestKernel } from "effect-otp/testing"
import { Rpc } from "effect/rpc"

class Bucket extends GenServer.Service<Bucket>()("test/schemas/Bucket", [
  Rpc.make("get", { success: Schema.String }),
  GenServer.cast("put", { payload: { value: Schema.String } })
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed("empty"),
    handlers: {
      get: (_, value) => GenServer.reply(value, value),
      put: ({ value }) => GenServer.noReply(value)
    }
  })
}

class Other extends GenServer.Service<Other>()("test/schemas/Other", [Rpc.make("size", { success: Schema.Finite })]) {}

class Buckets extends DynamicSupervisor.Service<Buckets>()("test/schemas/Buckets", { child: Bucket.definition }) {}

/** Finds buckets, and tells a process about each that it has made. */
class Directory extends GenServer.Service<Directory>()("test/schemas/Directory", [
  Rpc.make("lookup", {
    payload: { key: Schema.String },
    success: Schema.Option(GenServer.clientSchema(Bucket))
  }),
  Rpc.make("create", { payload: { key: Schema.String, by: Pid.schema<string>() }, success: Pid.schema() })
]) {
  static readonly layer = this.define({
    init: () => Effect.succeed(new Map<string, GenServer.Client<ProtocolOf>>()),
    handlers: {
      lookup: ({ key }, known) => GenServer.reply(Option.fromUndefinedOr(known.get(key)), known),
      create: ({ key, by }, known) =>
        Effect.gen(function* () {
          const bucket = yield* Effect.orDie((yield* Buckets).startOrGet(key))
          yield* Process.send(by, `made ${key}`)
          return GenServer.reply(Option.getOrThrow(yield* GenServer.pid(bucket)), new Map(known).set(key, bucket))
        })
    }
  }).layer()
}
type ProtocolOf = (typeof Bucket)["Service"] extends GenServer.Client<infer M> ? M : never

class Store extends Supervisor.Service<Store>()("test/schemas/Store", {
  strategy: "oneForAll",
  children: [Supervisor.child(Buckets.layer), Supervisor.child(Directory.layer)]
}) {}

const message = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? String(exit.cause) : assert.fail("it was encoded")

describe("the Schemas of pids and clients", () => {
  it.effect("let a server of one program take pids and hand out clients", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const by = yield* Process.spawn(({ take }: Process.Inbox<string>) =>
        Effect.map(take, (text) => void heard.push(String(text)))
      )
      const directory = yield* Directory
      assert.deepStrictEqual(yield* directory.lookup({ key: "a" }), Option.none())
      const pid = yield* directory.create({ key: "a", by })
      yield* Process.awaitExit(by)
      assert.deepStrictEqual(heard, ["made a"])
      const bucket = Option.getOrThrow(yield* directory.lookup({ key: "a" }))
      yield* bucket.put({ value: "full" })
      assert.strictEqual(yield* bucket.get(), "full")
      assert.deepStrictEqual(yield* GenServer.pid(bucket), Option.some(pid))
    }).pipe(Effect.provide(Store.layer.pipe(Layer.provideMerge(TestKernel.layer))))
  )

  it.effect("accept a pid, and a client of that server or a double of one, and nothing else", () =>
    Effect.gen(function* () {
      const bucket = yield* Bucket.definition.start()
      const pid = Option.getOrThrow(yield* GenServer.pid(bucket))
      const isBucket = Schema.is(GenServer.clientSchema(Bucket))
      const double = TestDouble.make(Bucket, { get: () => Effect.succeed("a double") })
      const stranger = TestDouble.make(Other, { size: () => Effect.succeed(1) })
      assert.deepStrictEqual([bucket, double, pid, {}, null, "Bucket"].map(isBucket), [
        true,
        true,
        false,
        false,
        false,
        false
      ])
      assert.strictEqual(stranger.size === undefined, false)
      assert.deepStrictEqual([pid, bucket, pid.toString(), 1].map(Schema.is(Pid.schema())), [true, false, false, false])
    }).pipe(Effect.scoped, Effect.provide(TestKernel.layer))
  )

  it.effect("refuse to encode them, and say what to send instead", () =>
    Effect.gen(function* () {
      const bucket = yield* Bucket.definition.start()
      const pid = Option.getOrThrow(yield* GenServer.pid(bucket))
      const pids = Schema.toCodecJson(Schema.Struct({ pid: Pid.schema() }))
      const clients = Schema.toCodecJson(GenServer.clientSchema(Bucket))
      assert.include(message(Schema.encodeExit(pids)({ pid })), "a pid means nothing outside its kernel")
      assert.include(
        message(Schema.encodeExit(clients)(bucket)),
        "a client of test/schemas/Bucket means nothing outside"
      )
      assert.include(message(Schema.decodeUnknownExit(pids)({ pid: String(pid) })), "a pid means nothing")
    }).pipe(Effect.scoped, Effect.provide(TestKernel.layer))
  )
})
