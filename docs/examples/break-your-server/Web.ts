/**
 * The HTTP server: the last to start and the first to stop.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { Application, Supervisor } from "effect-otp"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { routes } from "./Routes.ts"
import { Settings } from "./Settings.ts"

const listen = Layer.unwrap(
  Settings.useSync(({ port, host }) =>
    NodeHttpServer.layerServer(nodeServer, { port, host, gracefulShutdownTimeout: "1 second" })
  )
)

/** Listens before the routes are there: what comes by then would never be answered. */
const nodeServer = () => {
  const server = createServer((_, response) => {
    if (server.listenerCount("request") > 1) return
    response.writeHead(503, { "content-type": "application/json" }).end(JSON.stringify({ status: "starting" }))
  })
  return server
}

/** Answers until it is stopped. Before that everybody gets half a second to see that this server is going away. */
const serve = Effect.gen(function* () {
  yield* Application.beforeStop("drain", Effect.sleep("500 millis"))
  const serving = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })
  return yield* Layer.launch(serving)
})

/** The routes take the port along when they end, so both start anew together. */
export class Web extends Supervisor.Service<Web>()("demo/Web", {
  strategy: "oneForAll",
  children: [Supervisor.resource(HttpServer.HttpServer, listen, { id: "listen" }), Supervisor.worker("serve", serve)]
}) {}
