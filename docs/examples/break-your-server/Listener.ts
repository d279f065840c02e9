/**
 * The HTTP server of Node, with limits on what one client may cost it.
 *
 * A request must arrive within 15 seconds. A connection without traffic for 20 seconds is closed. A client may
 * have 512 connections.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer, type Server } from "node:http"
import type { Socket } from "node:net"
import { Settings } from "./Settings.ts"

const PATIENCE_MILLIS = 15_000
/** Longer than the time for a request, so that the client of a late request is told so. */
const IDLE_MILLIS = 20_000
const MAX_CONNECTIONS_PER_CLIENT = 512

export const nodeServer = (): Server => {
  const connections = new Connections()
  return createServer({
    headersTimeout: PATIENCE_MILLIS,
    requestTimeout: PATIENCE_MILLIS,
    connectionsCheckingInterval: 1000
  })
    .setTimeout(IDLE_MILLIS)
    .on("connection", (socket: Socket) => connections.add(socket))
    .on("clientError", refuseRequest)
}

export const listen = (server: () => Server) =>
  Layer.unwrap(
    Effect.map(Settings, ({ port, host }) =>
      NodeHttpServer.layerServer(server, { port, host, websocket: { maxPayload: 64 * 1024 } })
    )
  )

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
