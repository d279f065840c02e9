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
import type * as Fiber from "effect/Fiber"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { lingerMillis, quietMillis } from "../defaults.ts"

/** A server as `node:http`, `node:https` and `node:http2` make it. */
export type NodeServer = Http.Server | Http2.Http2Server | Http2.Http2SecureServer

/** A request that has come and is not over. @internal */
export interface Pending {
  readonly connection: Connection
  /** The fiber that handles it, once it does. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Whether it asks for another protocol, as a WebSocket does. */
  readonly upgrade: boolean
  /** Whether it came after the last request that is answered. */
  readonly isLate: boolean
  /** It gets an answer of HTTP. */
  answered: boolean
}

interface Connection {
  readonly socket: Socket
  readonly pending: Set<Pending>
  /** The request that came last. */
  latest: Pending | undefined
  /** The request whose answer is the last one. Those that come after it are late. */
  final: Pending | undefined
  /** When it was last seen to be in use, by the clock of Node. */
  usedAt: number
  /** How much had come by then. */
  bytesRead: number
  /** How much was sent before the protocol was to change. */
  bytesWritten: number
  /** How far its end is. It is destroyed if its client does not close its half. */
  phase: "open" | "closing" | "destroying"
}

/** @internal */
export class Connections {
  private readonly open = new Map<Socket, Connection>()
  /** Everything that was accepted, also what is not a connection of HTTP yet. */
  private readonly accepted = new Set<Socket>()
  private readonly sessions = new Set<Http2.ServerHttp2Session>()
  private readonly requests = new WeakMap<object, Pending>()
  /** What came before there was a handler for it. */
  private readonly early: Array<() => void> = []
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
      this.accepted.add(socket)
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
    for (const event of ["request", "checkContinue", "upgrade"]) {
      server.on(event, (request: Http.IncomingMessage, ...rest: [Http.ServerResponse | Duplex, Buffer?]) => {
        if (this.requests.has(request)) return
        const pending = this.came(request, event === "upgrade")
        if (pending !== undefined && event !== "upgrade") rest[0].once("close", () => over(pending))
        // Nobody else listens yet.
        if (server.listenerCount(event) === 1) this.early.push(() => server.emit(event, request, ...rest))
      })
    }
  }

  /** There are handlers now. */
  served(): void {
    for (const again of this.early.splice(0)) again()
  }

  get isDraining(): boolean {
    return this.drainsSince !== undefined
  }

  /** Whether nothing is connected any more. */
  get isEmpty(): boolean {
    return this.open.size === 0 && this.sessions.size === 0
  }

  /** The request behind a request of Effect. Undefined for HTTP/2. */
  find(source: object): Pending | undefined {
    return this.requests.get(source)
  }

  // ---- what comes -------------------------------------------------------------------------------------------------

  private add(socket: Socket): void {
    const connection: Connection = {
      socket,
      pending: new Set(),
      latest: undefined,
      final: undefined,
      usedAt: performance.now(),
      bytesRead: 0,
      bytesWritten: 0,
      phase: "open"
    }
    this.open.set(socket, connection)
    socket.once("close", () => this.open.delete(socket))
    if (this.isDraining) closeWithLinger(connection)
  }

  private came(request: Http.IncomingMessage, upgrade: boolean): Pending | undefined {
    const connection = this.open.get(request.socket)
    if (connection === undefined) return undefined
    const isLate = connection.final !== undefined
    const pending: Pending = { connection, upgrade, isLate, fiber: undefined, answered: false }
    this.requests.set(request, pending)
    connection.pending.add(pending)
    connection.bytesWritten = connection.socket.bytesWritten
    if (isLate) return pending
    connection.latest = pending
    // A client may always have another request on the way. This one is its last.
    if (this.drainsFor > 2 * quietMillis) connection.final = pending
    return pending
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  private get drainsFor(): number {
    return this.drainsSince === undefined ? 0 : performance.now() - this.drainsSince
  }

  /** From now on, answers tell clients to connect elsewhere. */
  drain(): void {
    if (this.isDraining) return
    this.drainsSince = performance.now()
    for (const connection of this.open.values()) closeWithLinger(connection)
    for (const session of this.sessions) session.close()
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
    for (const socket of this.accepted) socket.destroy()
  }
}

const over = (pending: Pending): void => {
  const { connection } = pending
  connection.pending.delete(pending)
  connection.usedAt = performance.now()
}

/** The answer to this request is about to be sent. Tells whether it is the last one of its connection. @internal */
export const isFinal = (pending: Pending): boolean => {
  const { connection } = pending
  if (connection.latest === pending) connection.final ??= pending
  return connection.final === pending
}

const isUpgraded = ({ answered, connection, upgrade }: Pending): boolean =>
  upgrade && !answered && connection.socket.bytesWritten > connection.bytesWritten

const isQuiet = (connection: Connection): boolean => {
  const { pending, phase, socket } = connection
  if (socket.bytesRead !== connection.bytesRead) {
    // A part of a request has come.
    connection.bytesRead = socket.bytesRead
    connection.usedAt = performance.now()
  }
  return phase === "open" && pending.size === 0 && performance.now() - connection.usedAt >= quietMillis
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
