/** Runs an HTTP application on a server of Node that can be drained. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServer from "effect/http/HttpServer"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { lingerMillis } from "../defaults.ts"
import type { Listening, Reporter } from "../listener/listener.ts"
import { closeNow, closePort } from "./closePort.ts"
import { Connections, isFinal, type NodeServer, type Pending, pendingOf } from "./connections.ts"

/** How often a server that drains looks for connections to close. */
const lookMillis = 20

/** @internal */
export interface HttpApp<A, E, R, B, E2, R2> {
  readonly app: Layer.Layer<A, E, R>
  readonly createServer: () => NodeServer
  readonly listen: (createServer: () => NodeServer) => Layer.Layer<HttpServer.HttpServer | B, E2, R2>
}

/** Starts an HTTP server in the current scope. @internal */
export const startHttp = <A, E, R, B, E2, R2>(
  { app, createServer, listen }: HttpApp<A, E, R, B, E2, R2>,
  report: Reporter
): Effect.Effect<Listening, E | E2, Exclude<R, HttpServer.HttpServer | B> | R2 | Scope.Scope> =>
  Effect.suspend(() => {
    const servers: Array<Running> = []
    const create = () => {
      const running = new Running(createServer(), report)
      servers.push(running)
      return running.server
    }
    const drained = Layer.effect(
      HttpServer.HttpServer,
      Effect.flatMap(HttpServer.HttpServer, (server) =>
        servers.some(({ server }) => server.listening) ? drainable(server, servers) : Effect.die(new Error(notGiven))
      )
    )
    const layer = Layer.provide(app, Layer.provideMerge(drained, listen(create)))
    const drain = Effect.suspend(() => each(servers, (running) => running.drain))
    return Effect.as(Layer.build(layer), { drain })
  }) as Effect.Effect<Listening, E | E2, Exclude<R, HttpServer.HttpServer | B> | R2 | Scope.Scope>

const notGiven =
  "NodeHttpListener.layer: listen must open its port with the createServer that it is given, but that server does not listen"

const each = (servers: ReadonlyArray<Running>, step: (running: Running) => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.forEach(servers, step, { concurrency: "unbounded", discard: true })

/** One server of Node, from its start to its end. */
class Running {
  readonly server: NodeServer
  readonly connections: Connections
  private readonly report: Reporter
  private stopping = false

  constructor(server: NodeServer, report: Reporter) {
    this.server = server
    this.connections = new Connections(server)
    this.report = report
    // An error before that is the failure of the start.
    server.once("listening", () => {
      server.on("error", (error: unknown) => this.broke(error))
      server.once("close", () => this.broke(new Error("The HTTP server was closed, and not by its listener")))
    })
  }

  private broke(error: unknown): void {
    if (!this.stopping) this.report.broken(error)
  }

  /** Stops to accept, and waits until every request is answered and every connection closed. */
  get drain(): Effect.Effect<void> {
    const { connections } = this
    const closed = Effect.suspend(() => {
      this.stopping = true
      return closePort(this.server, () => connections.count)
    })
    const begun = Effect.sync(() => this.beginDraining())
    return Effect.andThen(
      closed,
      Effect.andThen(
        begun,
        this.until(
          () => connections.isEmpty,
          () => connections.look()
        )
      )
    )
  }

  private beginDraining(): void {
    // An answer to a request for another protocol has been prepared already.
    for (const pending of this.connections.drain()) if (pending.response !== undefined) prepareAnswer(pending)
    this.report.draining()
  }

  /** Waits until something is true, and calls `look` meanwhile. */
  private until(isTrue: () => boolean, look: () => void): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const timer = setInterval(() => {
        look()
        if (!isTrue()) return
        clearInterval(timer)
        resume(Effect.void)
      }, lookMillis)
      return Effect.sync(() => clearInterval(timer))
    })
  }

  /** Its time is over: everything that still runs is interrupted. */
  get interrupt(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.stopping = true
      closeNow(this.server)
      this.beginDraining()
      this.connections.interruptAll()
    })
  }

  /** Sends what is still to be sent, and closes everything. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { connections } = this
      this.stopping = true
      connections.closeAll()
      const empty = connections.isClosed
        ? Effect.void
        : Effect.timeoutOption(
            this.until(
              () => connections.isClosed,
              () => {}
            ),
            lingerMillis
          )
      const gone = Effect.sync(() => {
        connections.destroyAll()
        // It does not listen any more. Node then ends its own timer.
        this.server.close(() => {})
      })
      return Effect.andThen(empty, gone)
    })
  }
}

/** The same HTTP server of Effect, which can be drained. */
const drainable = (
  { address, serve }: HttpServer.HttpServer["Service"],
  servers: ReadonlyArray<Running>
): Effect.Effect<HttpServer.HttpServer["Service"], never, Scope.Scope> => {
  const server = HttpServer.make({
    address,
    serve: (app, middleware) => {
      const tracked = track(app)
      const serving =
        middleware === undefined ? serve(tracked) : serve(tracked, (app) => trackMiddleware(middleware(app)))
      return serving.pipe(
        Effect.tap(() => Effect.sync(() => servers.forEach(({ connections }) => connections.served()))),
        // The finalizers run in reverse order, so this is the first.
        Effect.tap(() => Effect.addFinalizer(() => each(servers, (running) => running.interrupt)))
      ) as Effect.Effect<void, never, Scope.Scope>
    }
  })
  return Effect.as(
    Effect.addFinalizer(() => each(servers, (running) => running.close)),
    server
  )
}

/** Notes which fiber handles a request, and lets its answer say whether the connection ends. */
const track = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest> =>
  Effect.withFiber((fiber) => {
    const pending = pendingOf(Context.getUnsafe(fiber.context, HttpServerRequest).source)
    if (pending === undefined) return app
    // Its client was told that it will not be answered. It is interrupted when the connection closes.
    if (pending.isLate) return Effect.interruptible(Effect.never)
    pending.fiber = fiber
    pending.context = fiber.context
    // It costs time, so before the server drains an answer of HTTP goes without.
    if (pending.response === undefined || pending.connection.owner.isDraining) prepareAnswer(pending)
    return app
  })

/** Middleware of the server can give an answer that the application has not seen. */
const trackMiddleware = <E, R>(
  handled: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest> =>
  Effect.withFiber((fiber) => {
    const pending = pendingOf(Context.getUnsafe(fiber.context, HttpServerRequest).source)
    if (pending === undefined) return handled
    if (pending.isLate) return Effect.interruptible(Effect.never)
    const { connection, response } = pending
    pending.fiber = fiber
    return Effect.onExit(handled, () =>
      connection.owner.isDraining && response?.headersSent === false
        ? Effect.map(nextRound, () => {
            if (isFinal(pending) && !response.headersSent) response.setHeader("connection", "close")
          })
        : Effect.void
    )
  })

/** Says with the answer to a request whether the connection ends. */
const prepareAnswer = (pending: Pending): void => {
  if (pending.context === undefined) return
  HttpEffect.appendPreResponseHandlerUnsafe(pending.context, (_, response) => {
    pending.isAnswered = true
    return pending.connection.owner.isDraining
      ? Effect.map(nextRound, () => (isFinal(pending) ? closing(response) : response))
      : Effect.succeed(response)
  })
}

const closing = (response: HttpServerResponse.HttpServerResponse) =>
  HttpServerResponse.setHeader(response, "connection", "close")

/** Until then everything is read that had come by now. */
const nextRound: Effect.Effect<void> = Effect.callback<void>((resume) => {
  setImmediate(() => setImmediate(() => resume(Effect.void)))
})
