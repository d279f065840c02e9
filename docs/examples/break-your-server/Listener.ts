/**
 * The HTTP server of Node, with limits on what one client may cost it.
 *
 * A request must arrive within 15 seconds. A connection without traffic for 20 seconds is closed. A client may
 * have 512 connections. When the listener stops, it closes the connections that are left.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpServer from "effect/http/HttpServer"
import { createServer } from "node:http"
import type { Socket } from "node:net"
import { Settings } from "./Settings.ts"

const PATIENCE_MILLIS = 15_000
/** Longer than the time for a request, so that the client of a late request is told so. */
const IDLE_MILLIS = 20_000
const MAX_CONNECTIONS_PER_CLIENT = 512

/** A client has one second to answer the close of its WebSocket. The types of `ws` do not know this option yet. */
const websocket = { maxPayload: 64 * 1024, closeTimeout: 1000 }

export const listener = Layer.effect(
  HttpServer.HttpServer,
  Effect.gen(function* () {
    const { port, host } = yield* Settings
    const connections = new Connections()
    const server = yield* NodeHttpServer.make(() => nodeServer(connections), {
      port,
      host,
      gracefulShutdownTimeout: "500 millis",
      websocket
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => connections.destroy()))
    return server
  })
)

const nodeServer = (connections: Connections) => {
  const server = createServer(
    { headersTimeout: PATIENCE_MILLIS, requestTimeout: PATIENCE_MILLIS, connectionsCheckingInterval: 1000 },
    (_, response) => {
      // It listens before it has routes, and without an answer here such a request would never get one.
      if (server.listenerCount("request") > 1) return
      response.writeHead(503, { "content-type": "application/json" }).end(JSON.stringify({ status: "starting" }))
    }
  )
  return server
    .setTimeout(IDLE_MILLIS)
    .on("connection", (socket: Socket) => connections.add(socket))
    .on("clientError", refuseRequest)
}

class Connections {
  private readonly byClient = new Map<string, Set<Socket>>()

  add(socket: Socket) {
    const client = socket.remoteAddress ?? "gone"
    const open = this.byClient.get(client) ?? new Set()
    this.byClient.set(client, open.add(socket))
    socket.once("close", () => {
      open.delete(socket)
      if (open.size === 0) this.byClient.delete(client)
    })
    if (open.size <= MAX_CONNECTIONS_PER_CLIENT) return
    hangUp(socket, "429 Too Many Requests", {
      error: "TooManyConnections",
      message: `a client may have ${MAX_CONNECTIONS_PER_CLIENT} connections at a time`
    })
  }

  destroy() {
    for (const open of this.byClient.values()) for (const socket of open) socket.destroy()
  }
}

/** Called for data that is not HTTP or does not come in time. It never becomes a request. */
function refuseRequest({ code }: NodeJS.ErrnoException, socket: Socket) {
  // If this connection has had an answer before, more bytes would look like a part of that answer.
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  const timedOut = code === "ERR_HTTP_REQUEST_TIMEOUT"
  hangUp(socket, timedOut ? "408 Request Timeout" : "400 Bad Request", {
    error: timedOut ? "TooSlow" : "BadRequest",
    message: timedOut ? `a request has to arrive within ${PATIENCE_MILLIS / 1000} seconds` : "this is no request"
  })
}

function hangUp(socket: Socket, status: string, body: { readonly error: string; readonly message: string }) {
  socket.write(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(body)}`
  )
  socket.destroySoon()
}
