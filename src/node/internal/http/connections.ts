/**
 * The connections of one HTTP server of Node, and how they come to their end.
 *
 * While it drains, an answer says `Connection: close` if no later request has come over its connection. Nothing that comes
 * after that answer is handled, so its client may repeat it elsewhere. A connection without a request is closed once it
 * was quiet for a while: until then its client may have a request on the way. A connection is closed by half first, and
 * what still comes is read and dropped, because a reset could reach the client before it has read the last answer.
 *
 * HTTP/2 does all of this itself.
 */
import type * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { lingerMillis, maxEarly, quietMillis } from "../defaults.ts"

/** A server as `node:http`, `node:https` and `node:http2` make it. */
export type NodeServer = Http.Server | Http2.Http2Server | Http2.Http2SecureServer

/** A request over HTTP/1.1. @internal */
export interface Pending {
  readonly connection: Connection
  /** Undefined if it asks for another protocol, as a WebSocket does. */
  readonly response: Http.ServerResponse | undefined
  /** Whether it came after the last request that is answered. */
  readonly isLate: boolean
  /** The fiber that handles it, once it does, with the environment that Effect has given it. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  context: Context.Context<never> | undefined
  /** It asks for another protocol, but gets an answer of HTTP. */
  isAnswered: boolean
}

/** A response or a socket, with which an event comes. */
interface Destroyable {
  readonly destroyed: boolean
}

interface Connection {
  readonly owner: Connections
  readonly socket: Socket
  /** Requests that have come. Those that are over are left out when somebody looks. */
  readonly pending: Array<Pending>
  /** The request that came last. */
  latest: Pending | undefined
  /** The request whose answer is the last one. Those that come after it are late. */
  final: Pending | undefined
  /** When the draining server has last seen it in use, by the clock of Node. */
  usedAt: number
  /** How much had come by then. */
  bytesRead: number
  /** How much was sent before the protocol was to change. */
  bytesWritten: number
  /** How far its end is. It is destroyed if its client does not close its half. */
  phase: "open" | "closing" | "destroying"
}

/** Each request costs one property, because a `WeakMap` would cost more. */
const PendingKey: unique symbol = Symbol("effect-otp/node/Pending")

interface Marked {
  [PendingKey]?: Pending
}

/** The request behind a request of Effect. Undefined for HTTP/2. @internal */
export const pendingOf = (source: object): Pending | undefined => (source as Marked)[PendingKey]

/** @internal */
export class Connections {
  private readonly open = new Map<Socket, Connection>()
  /** Everything that was accepted, also what is not a connection of HTTP yet, and when. */
  private readonly accepted = new Map<Socket, number>()
  private readonly sessions = new Set<Http2.ServerHttp2Session>()
  /** What came before there was a handler for it. Undefined once there is one. */
  private early: Array<() => void> | undefined = []
  /** How many connections were accepted. */
  count = 0
  /** When it began to drain. */
  private drainsSince: number | undefined = undefined

  constructor(node: NodeServer) {
    // The events are the same on all servers. Their types are not.
    const server = node as Http.Server
    const isHttp2 = "updateSettings" in server
    const isTls = "setSecureContext" in server
    server.on("connection", (socket: Socket) => {
      this.count++
      this.accepted.set(socket, performance.now())
      socket.once("close", () => this.accepted.delete(socket))
      if (!isTls && !isHttp2) this.add(socket)
    })
    server.on("secureConnection", (socket: Socket & { readonly alpnProtocol?: string | false | null }) => {
      if (socket.alpnProtocol !== "h2") this.add(socket)
    })
    server.on("session", (session: Http2.ServerHttp2Session) => {
      this.sessions.add(session)
      session.once("close", () => this.sessions.delete(session))
      if (this.isDraining) session.close()
    })
    for (const event of ["request", "checkContinue"]) {
      server.on(event, (request: Http.IncomingMessage, response: Http.ServerResponse) => {
        if (this.came(request, response)) this.wait(server, event, request, response)
      })
    }
    server.on("upgrade", (request: Http.IncomingMessage, socket: Duplex, head: Buffer) => {
      // Node has taken its own listener away. Without one, an error of the socket would end the program.
      socket.on("error", () => {})
      if (this.came(request, undefined)) this.wait(server, "upgrade", request, socket, head)
    })
  }

  /** Sends an event again once somebody handles it. */
  private wait(
    server: Http.Server,
    event: string,
    request: Http.IncomingMessage,
    ...rest: [Destroyable, ...Array<unknown>]
  ) {
    const { early } = this
    // The server may have a listener of its user.
    if (early === undefined || server.listenerCount(event) > 1) return
    if (early.length >= maxEarly) return refuse(request)
    early.push(() => {
      if (!request.destroyed && !rest[0].destroyed) server.emit(event, request, ...rest)
    })
  }

  /** There are handlers now. */
  served(): void {
    const early = this.early ?? []
    this.early = undefined
    for (const again of early) again()
  }

  get isDraining(): boolean {
    return this.drainsSince !== undefined
  }

  /** Whether no connection of HTTP is open any more. */
  get isClosed(): boolean {
    return this.open.size === 0 && this.sessions.size === 0
  }

  /** Whether nothing is connected any more, and no client is in its TLS handshake that has come a moment ago. */
  get isEmpty(): boolean {
    if (!this.isClosed) return false
    const youngest = performance.now() - quietMillis
    for (const since of this.accepted.values()) if (since > youngest) return false
    return true
  }

  // ---- what comes -------------------------------------------------------------------------------------------------

  private add(socket: Socket): void {
    const connection: Connection = {
      owner: this,
      socket,
      pending: [],
      latest: undefined,
      final: undefined,
      usedAt: 0,
      bytesRead: 0,
      bytesWritten: 0,
      phase: "open"
    }
    this.open.set(socket, connection)
    socket.once("close", () => this.open.delete(socket))
    if (this.isDraining) beginDraining(connection)
  }

  /** Returns whether there may be nobody yet who handles the request. */
  private came(request: Http.IncomingMessage & Marked, response: Http.ServerResponse | undefined): boolean {
    const connection = this.open.get(request.socket)
    if (connection === undefined) return this.early !== undefined
    // It has waited for a handler.
    if (request[PendingKey] !== undefined) return false
    const isLate = connection.final !== undefined
    const pending: Pending = { connection, response, isLate, fiber: undefined, context: undefined, isAnswered: false }
    request[PendingKey] = pending
    leaveOut(connection)
    connection.pending.push(pending)
    if (response === undefined) connection.bytesWritten = connection.socket.bytesWritten
    if (!isLate) {
      connection.latest = pending
      // A client may always have another request on the way. This one is its last.
      if (this.drainsFor > 2 * quietMillis) connection.final = pending
    }
    return this.early !== undefined
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  private get drainsFor(): number {
    return this.drainsSince === undefined ? 0 : performance.now() - this.drainsSince
  }

  /** From now on, answers tell clients to connect elsewhere. Returns the requests that are not over. */
  drain(): ReadonlyArray<Pending> {
    if (this.isDraining) return []
    this.drainsSince = performance.now()
    for (const connection of this.open.values()) beginDraining(connection)
    for (const session of this.sessions) session.close()
    return Array.from(this.open.values(), ({ pending }) => pending).flat()
  }

  /** Closes what is quiet, and ends what is no longer HTTP. */
  look(): void {
    for (const connection of this.open.values()) {
      for (const pending of connection.pending) this.endUpgraded(pending)
      if (isQuiet(connection)) {
        const { bytesRead } = connection.socket
        // By then everything was read that had come by now.
        setImmediate(() => {
          if (isQuiet(connection) && connection.socket.bytesRead === bytesRead) linger(connection)
        })
      }
    }
  }

  /** Interrupts the handler of a WebSocket: Effect closes it with 1001, "going away". */
  private endUpgraded(pending: Pending): void {
    if (!isUpgraded(pending) || pending.fiber === undefined) return
    const { connection, fiber } = pending
    if (fiber.pollUnsafe() === undefined) fiber.interruptUnsafe()
    destroyLater(connection)
  }

  /** Interrupts everything that is not over. */
  interruptAll(): void {
    for (const { pending } of this.open.values()) for (const { fiber } of pending) fiber?.interruptUnsafe()
  }

  /** Closes every connection as soon as its answers are sent. */
  closeAll(): void {
    for (const connection of this.open.values()) linger(connection)
  }

  destroyAll(): void {
    for (const session of this.sessions) session.destroy()
    for (const socket of this.accepted.keys()) socket.destroy()
  }
}

/** The answer to this request is about to be sent. Tells whether it is the last one of its connection. @internal */
export const isFinal = (pending: Pending): boolean => {
  const { connection } = pending
  if (connection.latest === pending) connection.final ??= pending
  return connection.final === pending
}

const isUpgraded = ({ connection, isAnswered, response }: Pending): boolean =>
  response === undefined && !isAnswered && connection.socket.bytesWritten > connection.bytesWritten

const isOver = ({ response }: Pending): boolean => response?.destroyed === true

/** Requests are over in the order in which they came. */
const leaveOut = ({ pending }: Connection): void => {
  while (pending.length > 0 && isOver(pending[0]!)) pending.shift()
}

/** Closes the connection of a request over HTTP/1.1, and the stream of one over HTTP/2. */
const refuse = (request: Http.IncomingMessage & { readonly stream?: Http2.ServerHttp2Stream }): void => {
  if (request.stream === undefined) request.socket.destroy()
  else request.stream.destroy()
}

const isQuiet = (connection: Connection): boolean => {
  const { phase, socket } = connection
  leaveOut(connection)
  if (connection.pending.length > 0 || socket.bytesRead !== connection.bytesRead) {
    // It has a request, or a part of one.
    connection.bytesRead = socket.bytesRead
    connection.usedAt = performance.now()
  }
  return phase === "open" && performance.now() - connection.usedAt >= quietMillis
}

const beginDraining = (connection: Connection): void => {
  leaveOut(connection)
  connection.usedAt = performance.now()
  connection.bytesRead = connection.socket.bytesRead
  closeWithLinger(connection)
}

/** Node calls `destroySoon` when the last answer is written. */
const closeWithLinger = (connection: Connection): void => {
  connection.socket.destroySoon = () => linger(connection)
}

/** Closes our half, and drops what comes until the client has closed the other. */
const linger = (connection: Connection): void => {
  const { phase, socket } = connection
  if (phase !== "open" || socket.destroyed) return
  connection.phase = "closing"
  // Without its listener the parser sees nothing more.
  socket.removeAllListeners("data").on("data", () => {})
  socket.resume()
  if (socket.writableFinished) destroyLater(connection)
  else socket.once("finish", () => destroyLater(connection)).end()
}

const destroyLater = (connection: Connection): void => {
  const { phase, socket } = connection
  if (phase === "destroying") return
  connection.phase = "destroying"
  const timer = setTimeout(() => socket.destroy(), lingerMillis)
  socket.once("close", () => clearTimeout(timer))
}
