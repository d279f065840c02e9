import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema } from "effect"
import { ExitReason, GenServer } from "effect-otp"
import { TestKernel } from "effect-otp/testing"
import { HttpRouter, HttpServer, HttpServerRespondable } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiTest, OpenApi } from "effect/http-api"
import { Rpc } from "effect/rpc"
import { fieldsOf, own } from "../fixtures/callReason.ts"

const SECRET = "hunter2"

class Broken extends Error {
  override readonly name = "Broken"
}

const crash = ExitReason.defect(new Broken("out of paper", { cause: new Error("no trees") }))

const reasons: ReadonlyArray<GenServer.CallReason> = [
  new GenServer.Timeout(),
  new GenServer.NoProcess(),
  new GenServer.ServerDown({ reason: crash }),
  new GenServer.ServerDown({ reason: ExitReason.shutdown("deploy") }),
  new GenServer.ServerDown({ reason: ExitReason.shutdown() }),
  new GenServer.ServerDown({ reason: ExitReason.killed }),
  new GenServer.MailboxFull(),
  new GenServer.CallCycle({ path: ["a", "b", "a"] })
]

const errorOf = (reason: GenServer.CallReason, started: GenServer.CallStarted = "no") =>
  new GenServer.CallError({ server: "app/Printer", request: "print", reason, started })

/** What arrives at the other side of a network. */
const sent = (error: GenServer.CallError, schema = GenServer.CallError) =>
  Effect.flatMap(Schema.encodeEffect(schema)(error), (encoded) =>
    Schema.decodeUnknownEffect(schema)(JSON.parse(JSON.stringify(encoded)))
  )

/** What the server crashed with. */
const defectOf = (reason: GenServer.CallReason): unknown =>
  reason._tag === "ServerDown" && reason.reason._tag === "Crash" ? Cause.squash(reason.reason.cause) : undefined

class Printer extends GenServer.Service<Printer>()("app/Printer", [
  Rpc.make("print", { success: Schema.Finite }),
  Rpc.make("jam", { success: Schema.Finite }),
  Rpc.make("hang", { success: Schema.Finite })
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed(0),
    handlers: {
      print: (_, pages) => GenServer.reply(pages + 1, pages + 1),
      jam: () => Effect.die(new Broken("out of paper")),
      hang: (_, pages) => GenServer.noReply(pages)
    }
  })
}

describe("the reason of a CallError", () => {
  it.effect("can be caught by its tag, alone and with others, and can take the place of the error", () =>
    Effect.gen(function* () {
      const printer = yield* Printer.definition.start()
      const hang = printer.hang(undefined, { timeout: 0 })
      const seen = yield* Effect.all([
        Effect.catchReason(hang, "CallError", "Timeout", ({ message }) => Effect.succeed(message)),
        Effect.catchReasons(hang, "CallError", {
          Timeout: () => Effect.succeed("too late"),
          ServerDown: ({ reason }) => Effect.succeed(reason._tag)
        }),
        Effect.flip(Effect.unwrapReason(hang, "CallError")),
        Effect.catchReason(printer.jam(), "CallError", "ServerDown", ({ reason }) => Effect.succeed(reason._tag))
      ])
      assert.deepStrictEqual(
        seen.map((one) => (one instanceof GenServer.Timeout ? fieldsOf(one) : one)),
        ["no answer within the timeout", "too late", { _tag: "Timeout" }, "Crash"]
      )
    }).pipe(Effect.scoped, Effect.provide(TestKernel.layer))
  )

  it("is the cause of the error", () => {
    for (const reason of reasons) assert.strictEqual(errorOf(reason).cause, reason)
  })

  it("says that a retry may succeed, except after a cycle", () => {
    assert.deepStrictEqual(
      reasons.map((reason) => reason.isRetryable),
      [true, true, true, true, true, true, true, false]
    )
  })
})

describe("a CallError", () => {
  it("is retryable if the call did not begin and its reason may pass", () => {
    assert.deepStrictEqual(
      reasons.map((reason) => errorOf(reason).isRetryable),
      [true, true, true, true, true, true, true, false]
    )
    assert.deepStrictEqual(
      reasons.map((reason) => errorOf(reason, "unknown").isRetryable),
      reasons.map(() => false)
    )
  })

  it("is the same, made by a call and made by hand", () =>
    Effect.gen(function* () {
      const printer = yield* Printer.definition.start()
      const error = yield* Effect.flip(printer.hang(undefined, { timeout: 0 }))
      const made = new GenServer.CallError({
        server: "app/Printer",
        request: "hang",
        reason: new GenServer.Timeout(),
        started: "no"
      })
      assert.instanceOf(error, GenServer.CallError)
      assert.deepStrictEqual(Object.keys(error), Object.keys(made))
      assert.deepStrictEqual({ ...own(error), reason: own(error.reason) }, { ...own(made), reason: own(made.reason) })
      assert.deepStrictEqual([error.name, error.message], [made.name, made.message])
      assert.strictEqual(yield* Schema.decodeUnknownEffect(Schema.toType(GenServer.CallError))(error), error)
    }).pipe(Effect.scoped, Effect.provide(TestKernel.layer), Effect.runPromise))

  it("refuses fields that are none", () => {
    assert.throws(() => errorOf(reasons[0]!, "yes" as never))
    assert.throws(() => new GenServer.ServerDown({ reason: { _tag: "Tired" } as never }))
    assert.throws(() => new GenServer.ServerDown({ reason: { _tag: "Crash" } as never }))
  })

  it.effect("survives JSON, with whatever reason", () =>
    Effect.gen(function* () {
      for (const reason of reasons) {
        const error = errorOf(reason, "unknown")
        const received = yield* sent(error)
        assert.instanceOf(received, GenServer.CallError)
        assert.deepStrictEqual(
          [received.message, received.server, received.request, received.started],
          [error.message, "app/Printer", "print", "unknown"]
        )
        assert.strictEqual(received.reason._tag, reason._tag)
        if (reason._tag !== "ServerDown" || reason.reason._tag !== "Crash") {
          assert.deepStrictEqual(fieldsOf(received.reason), fieldsOf(reason))
        }
      }
    })
  )

  it.effect("carries the defect of the server through JSON: name, message and cause, without the stack", () =>
    Effect.gen(function* () {
      const { reason } = yield* sent(errorOf(new GenServer.ServerDown({ reason: crash })))
      const cause = defectOf(reason)
      if (!(cause instanceof Error)) return assert.fail(`no error: ${String(cause)}`)
      assert.deepStrictEqual(
        [cause.name, cause.message, (cause.cause as Error).message],
        ["Broken", "out of paper", "no trees"]
      )
      assert.notInclude(cause.stack ?? "", import.meta.filename)
      // A reason that was received hides its cause from JSON, as any other does.
      assert.notInclude(JSON.stringify(reason), "out of paper")
    })
  )

  it.effect("carries no secrets, and a defect of any size within limits", () =>
    Effect.gen(function* () {
      const huge = Array.from({ length: 10_000 }, (_, index) => `item ${index}`)
      const defect = Object.assign(new Error(`postgres://me:${SECRET}@host`), { password: SECRET, huge })
      for (const reason of [
        ExitReason.crash(Cause.fromReasons([Cause.makeDieReason(defect), Cause.makeFailReason({ password: SECRET })])),
        ExitReason.shutdown({ password: SECRET, huge })
      ]) {
        const encoded = yield* Schema.encodeEffect(GenServer.CallError)(errorOf(new GenServer.ServerDown({ reason })))
        const text = JSON.stringify(encoded)
        assert.notInclude(text, SECRET)
        assert.isBelow(text.length, 20_000)
      }
    })
  )

  it.effect("is retried by Effect.retry only while that is safe", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const failing = (...errors: ReadonlyArray<GenServer.CallError>) => {
        let at = 0
        return Effect.suspend(() => {
          const error = errors[at++]
          calls.push(error === undefined ? "answer" : `${error.reason._tag} ${error.started}`)
          return error === undefined ? Effect.succeed("answer") : Effect.fail(error)
        }).pipe(Effect.retry({ while: ({ isRetryable }) => isRetryable, times: 5 }))
      }
      const full = errorOf(new GenServer.MailboxFull())
      assert.strictEqual(yield* failing(full, errorOf(new GenServer.NoProcess())), "answer")
      yield* Effect.flip(failing(full, errorOf(new GenServer.Timeout(), "unknown")))
      assert.deepStrictEqual(calls, ["MailboxFull no", "NoProcess no", "answer", "MailboxFull no", "Timeout unknown"])
    })
  )
})

describe("over HTTP, a CallError", () => {
  class Refused extends Schema.TaggedError<Refused>()("Refused", {}, { httpApiStatus: 409 }) {}

  class Api extends HttpApi.make("api").add(
    HttpApiGroup.make("calls")
      .add(
        HttpApiEndpoint.get("outlined", "/outlined/:at", {
          params: { at: Schema.FiniteFromString },
          success: Schema.Finite,
          error: [Refused, ...GenServer.HttpCallError]
        })
      )
      .add(
        HttpApiEndpoint.get("whole", "/whole/:at", {
          params: { at: Schema.FiniteFromString },
          success: Schema.Finite,
          error: GenServer.CallError
        })
      )
  ) {}

  const fail = (at: number) => Effect.fail(errorOf(reasons[at]!))

  const Handlers = HttpApiBuilder.group(Api, "calls", (handlers) =>
    handlers.handleAll({
      outlined: ({ params }) => fail(params.at),
      whole: ({ params }) => fail(params.at)
    })
  )

  const statusOf = (error: GenServer.CallError) =>
    Effect.map(HttpServerRespondable.toResponse(error), ({ status, body }) => [status, body._tag])

  it.effect("is answered with 504 for a timeout, and with 503 otherwise", () =>
    Effect.gen(function* () {
      const statuses = yield* Effect.forEach(reasons, (reason) => statusOf(errorOf(reason)))
      assert.deepStrictEqual(statuses, [[504, "Empty"], ...reasons.slice(1).map(() => [503, "Empty"])])
    })
  )

  it("that a handler of a router fails with is answered in the same way", async () => {
    const routes = reasons.map((reason, at) => HttpRouter.add("GET", `/${at}`, Effect.fail(errorOf(reason))))
    const { dispose, handler } = HttpRouter.toWebHandler(Layer.mergeAll(Layer.empty, ...routes), {
      disableLogger: true
    })
    const answers = await Promise.all(
      reasons.map(async (_, at) => {
        const response = await handler(new Request(`http://localhost/${at}`))
        return [response.status, await response.text()]
      })
    )
    await dispose()
    assert.deepStrictEqual(answers, [[504, ""], ...reasons.slice(1).map(() => [503, ""])])
  })

  it.effect("that an endpoint declares with HttpCallError has these statuses, and tells nothing of the crash", () =>
    Effect.gen(function* () {
      const client = yield* HttpApiTest.groups(Api, ["calls"])
      for (const [at, reason] of reasons.entries()) {
        const [error, response] = yield* Effect.gen(function* () {
          const error = yield* Effect.flip(client.calls.outlined({ params: { at } }))
          return [error, yield* Effect.flip(client.calls.whole({ params: { at } }))] as const
        })
        assert.instanceOf(error, GenServer.CallError)
        assert.instanceOf(response, GenServer.CallError)
        assert.strictEqual(error.message.split(":")[0], "app/Printer.print")
        assert.strictEqual(error.reason._tag, reason._tag)
        if (reason._tag !== "ServerDown" || error.reason._tag !== "ServerDown") continue
        assert.strictEqual(error.reason.reason._tag, reason.reason._tag)
        if (error.reason.reason._tag === "Crash") assert.deepStrictEqual(error.reason.reason.cause.reasons, [])
        if (error.reason.reason._tag === "Shutdown") assert.isUndefined(error.reason.reason.detail)
      }
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(Handlers, HttpServer.layerServices)))
  )

  it("is in the OpenAPI document under both statuses", () => {
    const responses = OpenApi.fromApi(Api).paths["/outlined/{at}"]?.get?.responses
    assert.deepStrictEqual(
      ["503", "504"].map((status) => responses?.[status as "503"]?.description),
      ["The server gave no answer.", "The server gave no answer in time."]
    )
  })
})

describe("an exit reason", () => {
  const all = [
    ExitReason.normal,
    ExitReason.killed,
    ExitReason.noProcess,
    ExitReason.noConnection,
    ExitReason.shutdown(),
    ExitReason.shutdown({ by: "admin" })
  ]

  it("survives JSON", () => {
    for (const reason of all) {
      const json = JSON.stringify(Schema.encodeSync(ExitReason.ExitReason)(reason))
      assert.deepStrictEqual(Schema.decodeUnknownSync(ExitReason.ExitReason)(JSON.parse(json)), reason)
    }
  })

  it("keeps what a fiber was interrupted by, what it failed with and what it died of", () => {
    const reason = ExitReason.crash(
      Cause.fromReasons<unknown>([
        Cause.makeInterruptReason(7),
        Cause.makeFailReason({ left: 3 }),
        Cause.makeDieReason("broken")
      ])
    )
    const json = JSON.stringify(Schema.encodeSync(ExitReason.ExitReason)(reason))
    const received = Schema.decodeUnknownSync(ExitReason.ExitReason)(JSON.parse(json))
    assert.deepStrictEqual(received, reason)
  })

  it("is no other value", () => {
    for (const other of [{ _tag: "Tired" }, { _tag: "Crash" }, {}, null, "Normal"]) {
      assert.isTrue(Exit.isFailure(Schema.decodeUnknownExit(ExitReason.ExitReason)(other)))
    }
  })
})
