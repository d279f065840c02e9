/**
 * Runs an HTTP server as a supervised child, which answers every request that has come before it stops.
 *
 * The application is a Layer as `HttpRouter.serve` gives it, and the server is the one of `@effect/platform-node`. The
 * listener is one process: it is restarted if the port breaks, and drains when its supervisor stops it.
 *
 * **Guarantees**
 *
 * - When it drains it closes the port first. It answers every request that has come over an open connection, within its
 *   `shutdown` limit. The last answer of a connection says `Connection: close`.
 * - No connection is reset while an answer is on its way. A connection without a request is closed after it was quiet for
 *   half a second.
 * - A WebSocket is closed with 1001, "going away". HTTP/2 connections get `GOAWAY`.
 * - At the limit, requests that are not answered get a 503, and streams are cut.
 * - If the port cannot be opened, the start fails with Effect's `ServeError`. If the server breaks later, the listener
 *   crashes, and its supervisor starts it again.
 *
 * **Not here**
 *
 * - Connections that wait in the queue of the operating system when the port is closed: it resets them. A load balancer
 *   that reads `Application.readiness`, and a `drainDelay`, keep that queue empty.
 * - A TLS handshake that takes longer than half a second when the listener drains and nothing else is open.
 * - Clients that close their half of a connection after a request: Node then drops the answer.
 *
 * **In Erlang/OTP**
 *
 * A listener of `ranch` or `cowboy`, with `Plug.Cowboy.Drainer`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HttpServer from "effect/http/HttpServer"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { NodeServer } from "./internal/http/connections.ts"
import { startHttp } from "./internal/http/httpListening.ts"
import { draining as isDraining, listenerLayer } from "./internal/listener/listener.ts"

// ---- models -------------------------------------------------------------------------------------------------------

export type {
  /**
   * A server of Node, as `createServer` of `node:http`, `node:https` and `node:http2` makes it.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  NodeServer
} from "./internal/http/connections.ts"

/**
 * The options of a listener. `S` is the server of Node. `B`, `E` and `R` are what `listen` provides, how it fails, and
 * what it needs.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<S extends NodeServer, B, E, R> {
  /** Makes the server of Node, once for each run. */
  readonly createServer: () => S
  /**
   * Opens the port, with Effect's `NodeHttpServer`. It must use the `createServer` that it is given, or the start dies.
   */
  readonly listen: (createServer: () => S) => Layer.Layer<HttpServer.HttpServer | B, E, R>
  /**
   * How long it goes on as before once it is told to stop, so that a load balancer can see that the application is not
   * ready any more. It is a part of the child's `shutdown` limit, so `shutdown` must be longer: otherwise nothing is
   * drained. Default: 0.
   */
  readonly drainDelay?: Duration.Input | undefined
}

// ---- layers -------------------------------------------------------------------------------------------------------

/**
 * Makes a Layer that starts an HTTP server as one process: a child for a supervisor.
 *
 * **When to use**
 *
 * Use as the last child of a supervisor, so that it stops first and its handlers can use everything above it.
 *
 * **Details**
 *
 * Its limit for the drain is the `shutdown` of the child, 5 seconds by default. Give more to a server with slow requests,
 * and to one with a `drainDelay`. Requests that come while the application is still being built wait until it is, up to
 * 1000 of them. The connections of others are closed.
 *
 * Handlers run on fibers of Effect's server, and not in processes. A defect of a handler is an answer with status 500,
 * and the listener goes on.
 *
 * Throws a `RangeError` if `drainDelay` is no duration.
 *
 * **Errors**
 *
 * The failures of the application and of `listen`, such as Effect's `ServeError` if the port is in use.
 *
 * **Interruption**
 *
 * An interrupted start closes the port.
 *
 * **Gotchas**
 *
 * A stream that never ends takes the whole limit, and the log then says that the listener was killed. End it with
 * {@link draining}.
 *
 * **Example** (A service)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Supervisor } from "effect-otp"
 * import { NodeApplication, NodeHttpListener } from "effect-otp/node"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import { createServer } from "node:http"
 *
 * const Routes = HttpRouter.add("GET", "/", HttpServerResponse.text("hello"))
 *
 * const Web = NodeHttpListener.layer(HttpRouter.serve(Routes), {
 *   createServer,
 *   listen: (createServer) => NodeHttpServer.layer(createServer, { port: 3000 })
 * })
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.child(Web, { id: "web", shutdown: "20 seconds" })]
 * }) {}
 *
 * NodeApplication.runMain(App.layer)
 * ```
 *
 * @see `ranch:child_spec/5`
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer = <A, E, R, S extends NodeServer, B, E2, R2>(
  app: Layer.Layer<A, E, R>,
  options: Options<S, B, E2, R2>
): Layer.Layer<never, E | E2, Exclude<Exclude<R, HttpServer.HttpServer | B> | R2, Scope.Scope>> =>
  // The signature says what the listener needs and how it fails. What starts it has no types for that.
  makeLayer({
    drainDelay: options.drainDelay,
    start: (report) => startHttp({ app, createServer: options.createServer, listen: options.listen as never }, report)
  }) as Layer.Layer<never, E | E2, Exclude<Exclude<R, HttpServer.HttpServer | B> | R2, Scope.Scope>>

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Waits until the listener that runs this effect drains. Outside of a listener it waits for ever.
 *
 * **When to use**
 *
 * Use to end an answer that would go on for ever, such as server-sent events. Its client then connects to another server.
 *
 * **Interruption**
 *
 * Nothing is lost.
 *
 * **Example** (Ending a stream)
 *
 * ```ts
 * import { Effect, Schedule, Stream } from "effect"
 * import { NodeHttpListener } from "effect-otp/node"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 *
 * const ticks = Stream.fromSchedule(Schedule.spaced("1 second")).pipe(
 *   Stream.map((count) => `data: ${count}\n\n`),
 *   Stream.encodeText,
 *   Stream.interruptWhen(NodeHttpListener.draining)
 * )
 *
 * export const Events = HttpRouter.add(
 *   "GET",
 *   "/events",
 *   Effect.succeed(HttpServerResponse.stream(ticks, { contentType: "text/event-stream" }))
 * )
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const draining: Effect.Effect<void> = isDraining

// ---- internals ----------------------------------------------------------------------------------------------------

const makeLayer = listenerLayer("effect-otp/NodeHttpListener")
