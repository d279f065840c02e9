/** A service as the guide builds it, for the tests of listeners. It prints its port, and stops on SIGTERM. */
import { NodeHttpServer } from "@effect/platform-node"
import { Config, Effect, Layer, Schedule, Schema, Stream } from "effect"
import { Application, GenServer, Supervisor } from "effect-otp"
import { NodeApplication, NodeHttpListener } from "effect-otp/node"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as NetAddress from "effect/net/NetAddress"
import { Rpc } from "effect/rpc"
import { createServer } from "node:http"
import process from "node:process"

class Stock extends GenServer.Service<Stock>()("shop/Stock", [
  Rpc.make("take", { payload: { count: Schema.Finite }, success: Schema.Finite })
]) {
  static readonly layer = this.define({
    init: () => Effect.succeed(1_000_000),
    handlers: { take: ({ count }, left) => GenServer.reply(left - count, left - count) }
  }).layer()
}

/** Calls the stock before and after a wait, so that a request is in flight for as long as its client wants. */
const take = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const stock = yield* Stock
  const millis = Number(new URL(request.url, "http://localhost").searchParams.get("millis") ?? 0)
  const body = request.method === "POST" ? yield* request.text : ""
  yield* stock.take({ count: 1 })
  yield* Effect.sleep(millis)
  const left = yield* stock.take({ count: 1 })
  return HttpServerResponse.jsonUnsafe({ left, length: body.length })
}).pipe(Effect.orDie)

const ready = Effect.map(Application.readiness, (readiness) =>
  HttpServerResponse.text(readiness, { status: readiness === "ready" ? 200 : 503 })
)

const ticks = Stream.fromSchedule(Schedule.spaced("20 millis")).pipe(
  Stream.map((count) => `data: ${count}\n\n`),
  Stream.encodeText
)
const events = (stream: typeof ticks) => HttpServerResponse.stream(stream, { contentType: "text/event-stream" })

const live = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  const socket = yield* request.upgrade
  const { write } = yield* socket.writer
  const { pull } = yield* socket.reader
  yield* write("welcome")
  return yield* Effect.forever(Effect.flatMap(pull, (frames) => Effect.forEach(frames, write)))
}).pipe(
  Effect.scoped,
  Effect.catch(() => Effect.succeed(HttpServerResponse.empty()))
)

const Routes = Layer.mergeAll(
  HttpRouter.add("GET", "/take", take),
  HttpRouter.add("POST", "/take", take),
  HttpRouter.add("GET", "/ready", ready),
  HttpRouter.add("GET", "/live", live),
  // Ends when the listener drains.
  HttpRouter.add(
    "GET",
    "/polite",
    Effect.sync(() => events(Stream.interruptWhen(ticks, NodeHttpListener.draining)))
  ),
  // Never ends.
  HttpRouter.add(
    "GET",
    "/endless",
    Effect.sync(() => events(ticks))
  )
)

const printPort = Layer.effectDiscard(
  HttpServer.HttpServer.useSync(({ address }) => {
    if (NetAddress.isInetAddress(address)) process.stdout.write(`port ${address.port}\n`)
  })
)

const options = { disableLogger: true, disableListenLog: true }
const App = Layer.merge(HttpRouter.serve(Routes, options), printPort)

const Settings = Config.all({
  drainDelay: Config.Int("DRAIN_DELAY").pipe(Config.withDefault(0)),
  shutdown: Config.Int("SHUTDOWN").pipe(Config.withDefault(5000)),
  port: Config.Int("PORT").pipe(Config.withDefault(0))
})

const Tree = Layer.unwrap(
  Effect.map(Settings, ({ drainDelay, port, shutdown }) => {
    const Web = NodeHttpListener.layer(App, {
      createServer,
      listen: (createServer) => NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" }),
      drainDelay
    })
    class Shop extends Supervisor.Service<Shop>()("shop/Shop", {
      strategy: "oneForOne",
      children: [Supervisor.child(Stock.layer), Supervisor.child(Web, { id: "web", shutdown })]
    }) {}
    return Shop.layer
  })
)

NodeApplication.runMain(Tree, { stopWithin: "20 seconds" })
