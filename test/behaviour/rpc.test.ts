import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  DateTime,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Schedule,
  Schema,
  Scope
} from "effect"
import { ExitReason, GenServer, Kernel, type Mailbox, Process, StateMachine, Supervisor } from "effect-otp"
import { TestDouble, TestKernel } from "effect-otp/testing"
import { TestClock } from "effect/testing"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import {
  Rpc,
  RpcClient,
  type RpcClientError,
  RpcGroup,
  RpcMiddleware,
  RpcSerialization,
  RpcServer,
  RpcTest
} from "effect/rpc"
import { Socket } from "effect/socket"
import { createServer } from "node:http"
import { fieldsOf, own } from "../fixtures/callReason.ts"
import { kernelTest, settle } from "../fixtures/kernel.ts"

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { left: Schema.Finite }) {}

/** The protocol as a group of Effect, as a program may have it already. */
class StockRpcs extends RpcGroup.make(
  Rpc.make("take", { payload: { count: Schema.Finite }, success: Schema.Finite, error: OutOfStock }),
  Rpc.make("breakDown", { success: Schema.Finite }),
  Rpc.make("hold", { success: Schema.Finite }),
  Rpc.make("starts", { success: Schema.Finite }),
  GenServer.cast("deliver", { payload: { count: Schema.Finite, on: Schema.DateTimeUtcFromString } })
) {}

/** What a test looks at and waits for. */
class Yard extends Context.Service<
  Yard,
  {
    readonly held: Deferred.Deferred<void>
    readonly open: Deferred.Deferred<void>
    readonly log: Array<string>
  }
>()("test/rpc/Yard") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      return { held: yield* Deferred.make<void>(), open: yield* Deferred.make<void>(), log: [] }
    })
  )
}

class Stock extends GenServer.Service<Stock>()("test/rpc/Stock", StockRpcs) {
  static readonly layer = this.define({
    init: () =>
      Effect.as(
        Yard.use(({ log }) => Effect.sync(() => log.push("start"))),
        10
      ),
    handlers: {
      take: ({ count }, left) =>
        count > left ? Effect.fail(new OutOfStock({ left })) : GenServer.reply(left - count, left - count),
      breakDown: () => Effect.die(new Error("no shelves")),
      hold: (_, left) =>
        Effect.gen(function* () {
          const { held, open, log } = yield* Yard
          log.push("begun")
          yield* Deferred.succeed(held, undefined)
          yield* Effect.onInterrupt(Deferred.await(open), () => Effect.sync(() => log.push("interrupted")))
          log.push("done")
          return GenServer.reply(left, left)
        }),
      starts: (_, left) =>
        Yard.use(({ log }) => Effect.succeed(GenServer.reply(log.filter((one) => one === "start").length, left))),
      deliver: ({ count, on }, left) =>
        Yard.use(({ log }) => {
          log.push(DateTime.formatIsoDateUtc(on))
          return Effect.succeed(GenServer.noReply(left + count))
        })
    }
  }).layer()
}

class Shop extends Supervisor.Service<Shop>()("test/rpc/Shop", {
  strategy: "oneForOne",
  children: [Supervisor.child(Stock.layer)]
}) {}

class Served extends GenServer.toRpcGroup(Stock) {}

type Remote<E = RpcClientError.RpcClientError> = RpcClient.RpcClient<RpcGroup.Rpcs<typeof Served>, E>

// The log is off, because the crash of the stock is intended.
const App = Shop.layer.pipe(Layer.provideMerge(Yard.layer), Layer.provideMerge(Logger.layer([])))
const Handlers = GenServer.toRpcHandlers(Stock, { whenDown: "fail", timeout: "10 seconds" })

/** The group of the program, whose messages do not declare `CallError`. */
const undeclared = RpcServer.layerHttp({ group: StockRpcs, path: "/undeclared", protocol: "http" })

/** A real HTTP server on a free port. */
const web = (protocol: "http" | "websocket") =>
  HttpRouter.serve(Layer.merge(RpcServer.layerHttp({ group: Served, path: "/rpc", protocol }), undeclared), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provide(Handlers), Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 })))

const host = Effect.map(HttpServer.HttpServer, ({ address }) =>
  "port" in address ? `127.0.0.1:${address.port}` : assert.fail("no port")
)

const connection = (protocol: "http" | "websocket") =>
  Layer.unwrap(
    Effect.map(host, (host) =>
      protocol === "http"
        ? RpcClient.layerProtocolHttp({ url: `http://${host}/rpc` }).pipe(Layer.provide(FetchHttpClient.layer))
        : RpcClient.layerProtocolSocket().pipe(
            Layer.provide(Socket.layerWebSocket(`ws://${host}/rpc`)),
            Layer.provide(Socket.layerWebSocketConstructorGlobal)
          )
    )
  )

const overHttp =
  (protocol: "http" | "websocket", serialization: Layer.Layer<RpcSerialization.RpcSerialization>) =>
  <A, E>(use: (remote: Remote) => Effect.Effect<A, E, Stock | Yard>) =>
    Effect.scoped(Effect.flatMap(RpcClient.make(Served), use)).pipe(
      Effect.provide(
        connection(protocol).pipe(Layer.provide(web(protocol)), Layer.provide(serialization), Layer.provideMerge(App))
      )
    )

const inMemory = <A, E>(use: (remote: Remote<never>) => Effect.Effect<A, E, Stock | Yard>) =>
  Effect.scoped(Effect.flatMap(RpcTest.makeClient(Served), use)).pipe(
    Effect.provide(Handlers.pipe(Layer.provideMerge(App)))
  )

const ways = [
  ["in memory", inMemory],
  ["over HTTP with JSON", overHttp("http", RpcSerialization.layerJson)],
  ["over HTTP with NDJSON", overHttp("http", RpcSerialization.layerNdjson)],
  ["over a WebSocket with JSON", overHttp("websocket", RpcSerialization.layerJson)],
  ["over a WebSocket in binary", overHttp("websocket", RpcSerialization.layerSchemaBinary())]
] as const

const failureOf = <A, E>(exit: Exit.Exit<A, E>) => {
  const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
  return reason?._tag === "Fail" ? reason.error : assert.fail(`no failure: ${String(exit)}`)
}

const callError = (error: unknown) =>
  error instanceof GenServer.CallError ? error : assert.fail(`no CallError: ${String(error)}`)

const today = DateTime.makeUnsafe("2026-01-02T03:04:05Z")

describe.each(ways)("a server that RpcServer serves %s", (_, connect) => {
  const way = connect as typeof inMemory

  it.live("answers, fails as declared, and has a cast in its mailbox when that is answered", () =>
    way((remote) =>
      Effect.gen(function* () {
        yield* remote.deliver({ count: 5, on: today })
        assert.strictEqual(yield* remote.take({ count: 12 }), 3)
        assert.deepStrictEqual(own(yield* Effect.flip(remote.take({ count: 4 }))), own(new OutOfStock({ left: 3 })))
        assert.deepStrictEqual((yield* Yard).log, ["start", "2026-01-02"])
      })
    )
  )

  it.live("tells a client whose call it crashes under, is restarted, and answers the next call", () =>
    way((remote) =>
      Effect.gen(function* () {
        yield* remote.take({ count: 1 })
        const error = callError(failureOf(yield* Effect.exit(remote.breakDown())))
        assert.deepStrictEqual(
          [error.server, error.request, error.started, error.isRetryable],
          ["test/rpc/Stock", "breakDown", "unknown", false]
        )
        const { reason } = error
        if (reason._tag !== "ServerDown" || reason.reason._tag !== "Crash") return assert.fail(reason.message)
        assert.strictEqual((Cause.squash(reason.reason.cause) as Error).message, "no shelves")
        yield* Stock.use((stock) => stock.starts(undefined, { whenDown: "wait" }))
        assert.strictEqual(yield* remote.take({ count: 1 }), 9)
        assert.strictEqual(yield* remote.starts(), 2)
      })
    )
  )

  it.live("does not interrupt a handler whose remote client has left, and takes back a call that has not begun", () =>
    way((remote) =>
      Effect.gen(function* () {
        const { held, log, open } = yield* Yard
        const stock = yield* Stock
        const pid = Option.getOrThrow(yield* GenServer.pid(stock))
        const pending = Effect.map(Process.info(pid), (info) => Option.getOrThrow(info).messages.pending)
        const begun = yield* Effect.forkChild(remote.hold())
        yield* Deferred.await(held)
        const waiting = yield* Effect.forkChild(remote.take({ count: 1 }))
        while ((yield* pending) < 2) yield* Effect.sleep("1 millis")
        yield* Fiber.interrupt(waiting)
        while ((yield* pending) > 1) yield* Effect.sleep("1 millis")
        yield* Fiber.interrupt(begun)
        yield* Deferred.succeed(open, undefined)
        assert.strictEqual(yield* stock.take({ count: 0 }), 10)
        assert.deepStrictEqual(log, ["start", "begun", "done"])
      })
    )
  )
})

describe("a server that RpcServer serves", () => {
  it.live("does not interrupt a handler when the connection of its client breaks", () =>
    Effect.gen(function* () {
      const { held, log, open } = yield* Yard
      const scope = yield* Scope.make()
      const client = yield* Layer.buildWithScope(connection("websocket"), scope)
      const remote = yield* Effect.provide(RpcClient.make(Served), client)
      const begun = yield* Effect.forkChild(remote.hold())
      yield* Deferred.await(held)
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.interrupt(begun)
      yield* Deferred.succeed(open, undefined)
      assert.strictEqual(yield* Stock.use((stock) => stock.take({ count: 0 })), 10)
      assert.deepStrictEqual(log, ["start", "begun", "done"])
    }).pipe(
      Effect.scoped,
      Effect.provide(web("websocket").pipe(Layer.provideMerge(RpcSerialization.layerNdjson), Layer.provideMerge(App)))
    )
  )

  it.live("over HTTP: a payload that cannot be decoded is a defect of that request, and no message", () => {
    const way = web("http").pipe(Layer.provide(RpcSerialization.layerJson), Layer.provideMerge(App))
    return Effect.gen(function* () {
      const at = `http://${yield* host}`
      const ask = (tag: string, payload: unknown, path = "/rpc") =>
        Effect.promise(async () => {
          const body = JSON.stringify([{ _tag: "Request", id: "1", tag, payload, headers: [] }])
          const headers = { "content-type": "application/json" }
          const response = await fetch(`${at}${path}`, { method: "POST", headers, body })
          return JSON.stringify(await response.json())
        })
      const before = Option.getOrThrow(yield* GenServer.pid(yield* Stock))
      for (const payload of [{ count: "many" }, {}, null, [1]]) {
        const answer = yield* ask("take", payload)
        assert.include(answer, `"_tag":"Die"`)
        assert.notInclude(answer, "CallError")
      }
      assert.include(yield* ask("take", { count: 3 }), `"value":7`)
      assert.include(yield* ask("steal", { count: 3 }), "Unknown request tag")
      assert.strictEqual(Option.getOrThrow(yield* GenServer.pid(yield* Stock)), before)
      const info = Option.getOrThrow(yield* Process.info(before))
      assert.strictEqual(info.messages.accepted, 1)
      // A group that does not declare CallError cannot send it.
      const undeclared = yield* ask("breakDown", null, "/undeclared")
      assert.include(undeclared, `"_tag":"Die"`)
      assert.include(undeclared, "Failed to encode response")
    }).pipe(Effect.provide(way))
  })

  /** A small server that a test starts and stops itself. */
  class Box extends GenServer.Service<Box>()("test/rpc/Box", [
    Rpc.make("get", { success: Schema.Finite }),
    Rpc.make("hang", { success: Schema.Finite }),
    GenServer.cast("put", { payload: { value: Schema.Finite } })
  ]) {
    static readonly at = (mailbox?: Mailbox.Bound) =>
      this.define({
        init: () => Effect.succeed(0),
        handlers: {
          get: (_, value) => GenServer.reply(value, value),
          hang: () => Effect.never,
          put: ({ value }) => GenServer.noReply(value)
        },
        mailbox
      })
  }
  /** Ends a box at once, also one that hangs. */
  const kill = Effect.flatMap(Box, (box) =>
    Effect.flatMap(GenServer.pid(box), (pid) => Process.kill(Option.getOrThrow(pid)))
  )

  class BoxRpcs extends GenServer.toRpcGroup(Box) {}

  const boxTest = (
    title: string,
    body: Effect.Effect<unknown, unknown, Box | Scope.Scope | Rpc.ToHandler<RpcGroup.Rpcs<typeof BoxRpcs>>>,
    mailbox?: Mailbox.Bound
  ) =>
    kernelTest(
      title,
      Effect.provide(body, GenServer.toRpcHandlers(Box).pipe(Layer.provideMerge(Box.at(mailbox).layer()))),
      20
    )

  const refusal = <A, E>(call: Effect.Effect<A, E>) =>
    Effect.map(Effect.exit(call), (exit) => {
      const { reason, request, started } = callError(failureOf(exit))
      return [request, fieldsOf(reason), started]
    })

  boxTest(
    "answers with NoProcess while it is down, also to a cast, which is a dead letter",
    Effect.gen(function* () {
      const remote = yield* RpcTest.makeClient(BoxRpcs)
      yield* GenServer.terminate(yield* Box)
      const before = (yield* Kernel.messages).deadLettered
      assert.deepStrictEqual(yield* refusal(remote.get()), ["get", { _tag: "NoProcess" }, "no"])
      assert.deepStrictEqual(yield* refusal(remote.put({ value: 1 })), ["put", { _tag: "NoProcess" }, "no"])
      assert.strictEqual((yield* Kernel.messages).deadLettered, before + 1)
    })
  )

  /** The client of a box with a call in hand and a message in its mailbox, which has room for one. */
  const fullBox = Effect.gen(function* () {
    const remote = yield* RpcTest.makeClient(BoxRpcs)
    const box = yield* Box
    yield* Effect.forkChild(box.hang())
    yield* settle
    yield* remote.put({ value: 1 })
    return remote
  })

  boxTest(
    "answers with MailboxFull, also to a cast",
    Effect.gen(function* () {
      const remote = yield* fullBox
      assert.deepStrictEqual(yield* refusal(remote.get()), ["get", { _tag: "MailboxFull" }, "no"])
      assert.deepStrictEqual(yield* refusal(remote.put({ value: 2 })), ["put", { _tag: "MailboxFull" }, "no"])
      yield* kill
    }),
    { capacity: 1, strategy: "fail" }
  )

  boxTest(
    "answers a cast that finds no room within the timeout with Timeout, and takes its message back",
    Effect.gen(function* () {
      const remote = yield* fullBox
      const waiting = yield* Effect.forkChild(refusal(remote.put({ value: 2 })))
      yield* settle
      yield* TestClock.adjust("5 seconds")
      yield* settle
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["put", { _tag: "Timeout" }, "no"])
      yield* kill
    }),
    { capacity: 1, strategy: "suspend" }
  )

  boxTest(
    "answers a cast that waits for room once it is in the mailbox, and with ServerDown if the server ends first",
    Effect.gen(function* () {
      const remote = yield* fullBox
      const waiting = yield* Effect.forkChild(refusal(remote.put({ value: 2 })))
      yield* settle
      assert.isUndefined(waiting.pollUnsafe())
      yield* kill
      const reason = { _tag: "ServerDown", reason: ExitReason.killed } as const
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["put", reason, "no"])
    }),
    { capacity: 1, strategy: "suspend" }
  )

  it.effect("fails a remote call with Timeout after the timeout of the handlers", () =>
    Effect.gen(function* () {
      const remote = yield* RpcTest.makeClient(BoxRpcs)
      const asked = yield* Effect.forkChild(refusal(remote.hang()))
      yield* settle
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(asked), ["hang", { _tag: "Timeout" }, "unknown"])
      yield* kill
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.provideMerge(
          GenServer.toRpcHandlers(Box, { timeout: "2 seconds" }).pipe(Layer.provideMerge(Box.at().layer())),
          TestKernel.layer
        )
      )
    )
  )

  it.effect("keeps its remote callers waiting over a restart with whenDown: wait", () => {
    class Tree extends Supervisor.Service<Tree>()("test/rpc/Tree", {
      strategy: "oneForOne",
      schedule: Schedule.spaced("1 second"),
      children: [Supervisor.child(Box.at().layer())]
    }) {}
    return Effect.gen(function* () {
      const remote = yield* RpcTest.makeClient(BoxRpcs)
      yield* remote.put({ value: 5 })
      yield* kill
      const asked = yield* Effect.forkChild(remote.get())
      yield* settle
      assert.isUndefined(asked.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(asked), 0)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        GenServer.toRpcHandlers(Box, { whenDown: "wait" }).pipe(
          Layer.provideMerge(Tree.layer),
          Layer.provideMerge(TestKernel.layer)
        )
      )
    )
  })

  it.effect("can have a prefix, so that servers with the same tags share one RpcServer", () => {
    class Chest extends GenServer.Service<Chest>()("test/rpc/Chest", [Rpc.make("get", { success: Schema.Finite })]) {
      static readonly layer = this.define({
        init: () => Effect.succeed(7),
        handlers: { get: (_, value) => GenServer.reply(value, value) }
      }).layer()
    }
    class Both extends GenServer.toRpcGroup(Box).merge(GenServer.toRpcGroup(Chest).prefix("chest.")) {}
    const handlers = Layer.merge(GenServer.toRpcHandlers(Box), GenServer.toRpcHandlers(Chest, { prefix: "chest." }))
    return Effect.gen(function* () {
      const remote = yield* RpcTest.makeClient(Both)
      assert.deepStrictEqual([yield* remote.get(), yield* remote["chest.get"]()], [0, 7])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.provideMerge(handlers.pipe(Layer.provide([Box.at().layer(), Chest.layer])), TestKernel.layer)
      )
    )
  })

  it.effect("runs its handlers in the trace of the remote caller", () => {
    class Traced extends GenServer.Service<Traced>()("test/rpc/Traced", [
      Rpc.make("trace", { success: Schema.String })
    ]) {
      static readonly layer = this.define({
        init: () => Effect.void,
        handlers: {
          trace: (_, state) =>
            Effect.map(Effect.orDie(Effect.currentParentSpan), ({ traceId }) => GenServer.reply(traceId, state))
        }
      }).layer()
    }
    return Effect.gen(function* () {
      const remote = yield* RpcTest.makeClient(GenServer.toRpcGroup(Traced))
      const mine = yield* Effect.orDie(Effect.currentParentSpan)
      assert.strictEqual(yield* remote.trace(), mine.traceId)
    }).pipe(
      Effect.withSpan("caller"),
      Effect.scoped,
      Effect.provide(
        GenServer.toRpcHandlers(Traced).pipe(Layer.provide(Traced.layer), Layer.provideMerge(TestKernel.layer))
      )
    )
  })

  it.effect("may be a state machine, or a double", () => {
    class Door extends StateMachine.Service<Door>()("test/rpc/Door", [
      Rpc.make("isOpen", { success: Schema.Boolean }),
      StateMachine.cast("push")
    ]) {
      static readonly layer = this.define({
        init: () => Effect.succeed<{ readonly _tag: "open" } | { readonly _tag: "shut" }>({ _tag: "shut" }),
        states: {
          open: {
            isOpen: () => StateMachine.keep([StateMachine.reply(true)]),
            push: () => StateMachine.next({ _tag: "shut" })
          },
          shut: {
            isOpen: () => StateMachine.keep([StateMachine.reply(false)]),
            push: () => StateMachine.next({ _tag: "open" })
          }
        }
      }).layer()
    }
    class DoorRpcs extends GenServer.toRpcGroup(Door) {}
    const pushed = Effect.gen(function* () {
      const remote = yield* RpcTest.makeClient(DoorRpcs)
      const before = yield* remote.isOpen()
      yield* remote.push()
      return [before, yield* remote.isOpen()]
    }).pipe(Effect.scoped)
    const double = TestDouble.layer(Door, { isOpen: () => Effect.succeed(true), push: () => Effect.void })
    const handlers = GenServer.toRpcHandlers(Door)
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.provide(pushed, handlers.pipe(Layer.provide(Door.layer))), [false, true])
      assert.deepStrictEqual(yield* Effect.provide(pushed, handlers.pipe(Layer.provide(double))), [true, true])
    }).pipe(Effect.provide(TestKernel.layer))
  })
})

describe("a protocol", () => {
  class Guard extends RpcMiddleware.Service<Guard>()("test/rpc/Guard", { error: OutOfStock }) {}

  it("that is a list becomes a group, and one that is a group stays it", () => {
    class Listed extends GenServer.Service<Listed>()("test/rpc/Listed", [
      Rpc.make("get", { success: Schema.Finite }),
      GenServer.cast("put")
    ]) {}
    assert.deepStrictEqual([...Listed.protocol.requests.keys()], ["get", "put"])
    assert.strictEqual(Stock.protocol, StockRpcs)
  })

  it.effect("keeps its casts in a group that has a prefix, middleware and annotations", () => {
    const Note = Context.Reference<string>("test/rpc/CastNote", { defaultValue: () => "none" })
    class Marked extends GenServer.Service<Marked>()(
      "test/rpc/Marked",
      RpcGroup.make(GenServer.cast("put").annotate(Note, "one"), Rpc.make("get", { success: Schema.Finite }))
        .middleware(Guard)
        .prefix("box.")
    ) {
      static readonly layer = this.define({
        init: () => Effect.succeed(0),
        handlers: {
          "box.put": (_, puts, { from }) => {
            assert.isUndefined(from)
            return GenServer.noReply(puts + 1)
          },
          "box.get": (_, puts) => GenServer.reply(puts, puts)
        }
      }).layer()
    }
    return Effect.gen(function* () {
      const marked = yield* Marked
      yield* marked["box.put"]()
      assert.strictEqual(yield* marked["box.get"](), 1)
    }).pipe(Effect.provide(Marked.layer.pipe(Layer.provideMerge(TestKernel.layer))))
  })

  it("that is a group is refused like any other if no server can have it", () => {
    const group = RpcGroup.make(Rpc.make("ticks", { success: Schema.Finite, stream: true }))
    assert.throws(
      () => GenServer.Service<object>()("test/rpc/Ticks", group as never),
      RangeError,
      'test/rpc/Ticks: the message "ticks" answers with a stream, which a server cannot do'
    )
  })

  it.effect(
    "keeps its middleware and its annotations: RpcServer runs them, and calls inside the program do not",
    () => {
      const Note = Context.Reference<string>("test/rpc/Note", { defaultValue: () => "none" })
      class Guarded extends GenServer.Service<Guarded>()(
        "test/rpc/Guarded",
        RpcGroup.make(Rpc.make("get", { success: Schema.Finite }).annotate(Note, "one"))
          .middleware(Guard)
          .annotate(Note, "group")
      ) {
        static readonly layer = this.define({
          init: () => Effect.succeed(4),
          handlers: { get: (_, value) => GenServer.reply(value, value) }
        }).layer()
      }
      class GuardedRpcs extends GenServer.toRpcGroup(Guarded) {}
      assert.strictEqual(Context.get(GuardedRpcs.annotations, Note), "group")
      assert.strictEqual(Context.get(GuardedRpcs.requests.get("get")!.annotations, Note), "one")
      const closed = Layer.succeed(Guard, () => Effect.fail(new OutOfStock({ left: 0 })))
      return Effect.gen(function* () {
        assert.strictEqual(yield* Guarded.use((guarded) => guarded.get()), 4)
        const remote = yield* RpcTest.makeClient(GuardedRpcs)
        assert.deepStrictEqual(own(yield* Effect.flip(remote.get())), own(new OutOfStock({ left: 0 })))
      }).pipe(
        Effect.scoped,
        Effect.provide(
          Layer.provideMerge(
            Layer.merge(GenServer.toRpcHandlers(Guarded), closed).pipe(Layer.provideMerge(Guarded.layer)),
            TestKernel.layer
          )
        )
      )
    }
  )
})
