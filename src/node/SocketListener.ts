/**
 * Runs a TCP server, or any other socket server of Effect, as a supervised child. Each connection is a process.
 *
 * **Guarantees**
 *
 * - At most `maxConnections` connections are handled at a time. Others wait in line, and nothing is read from them.
 * - When it drains it closes the port first, and the connections that wait. The handlers of the others run to their end,
 *   within its `shutdown` limit. Then they are interrupted, all at the same time, and killed a second later.
 * - A handler that crashes ends its own connection, with a crash report. The listener and the other connections go on.
 * - If the port cannot be opened, the start fails with Effect's `SocketServerError`. If the `run` of the server fails
 *   later, the listener crashes, and its supervisor starts it again. The `run` of Effect's own servers never fails.
 *
 * **In Erlang/OTP**
 *
 * A listener of `ranch`: its acceptors, its connection supervisor, and `max_connections`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import type * as Process from "../kernel/Process.ts"
import * as Check from "../values/check.ts"
import { defaultMaxConnections } from "./internal/defaults.ts"
import { draining as isDraining, listenerLayer } from "./internal/listener/listener.ts"
import { startSocket } from "./internal/socket/socketListening.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The options of a listener. `B`, `E` and `R` are what `listen` provides, how it fails, and what it needs.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<B, E, R> {
  /** Opens the port: `NodeSocketServer.layer({ port: 9000 })`, or another Layer of a `SocketServer`. */
  readonly listen: Layer.Layer<SocketServer.SocketServer | B, E, R>
  /**
   * How many connections are handled at a time. Those that wait stay open, and nothing limits how many they are. The
   * `maxConnections` of Node's own server does. Default: no limit.
   */
  readonly maxConnections?: number | undefined
  /**
   * How long it goes on as before once it is told to stop, so that a load balancer can see that the application is not
   * ready any more. It is a part of the child's `shutdown` limit, so `shutdown` must be longer: otherwise nothing is
   * drained. Default: 0.
   */
  readonly drainDelay?: Duration.Input | undefined
}

// ---- layers -------------------------------------------------------------------------------------------------------

/**
 * Makes a Layer that starts a socket server as one process: a child for a supervisor. The handler runs in a process of its
 * own for each connection.
 *
 * **When to use**
 *
 * Use for protocols of your own over TCP or Unix sockets. No loop and no queue is needed.
 *
 * **Details**
 *
 * The process of a connection owns the socket: the connection closes when the process ends, however it ends. If the
 * handler fails with a `SocketError`, the connection has ended, and that is no crash: it is logged at the level "Debug". To handle connections with servers
 * of your own, start a child of a `DynamicSupervisor` in the handler and wait for its end.
 *
 * The limit for the drain is the `shutdown` of the child, 5 seconds by default.
 *
 * Throws a `RangeError` if `maxConnections` is not a whole number of 1 or more, or `Infinity`, and if `drainDelay` is no duration.
 *
 * **Errors**
 *
 * The failures of `listen`, such as Effect's `SocketServerError` if the port is in use.
 *
 * **Interruption**
 *
 * An interrupted start closes the port.
 *
 * **Gotchas**
 *
 * A handler that waits for the next request of a client that sends none takes the whole limit. Let it end with
 * {@link draining}.
 *
 * **Example** (Echo)
 *
 * ```ts
 * import { NodeSocketServer } from "@effect/platform-node"
 * import { Effect } from "effect"
 * import { Supervisor } from "effect-otp"
 * import { NodeApplication, SocketListener } from "effect-otp/node"
 * import type { Socket } from "effect/socket"
 *
 * const echo = (socket: Socket.Socket) =>
 *   Effect.gen(function* () {
 *     const { write } = yield* socket.writer
 *     const { pull } = yield* socket.reader
 *     // Between two requests it can end. A request that has begun is finished.
 *     const next = Effect.raceFirst(pull, Effect.as(SocketListener.draining, undefined))
 *     for (let chunks = yield* next; chunks !== undefined; chunks = yield* next) yield* Effect.forEach(chunks, write)
 *   })
 *
 * const Echo = SocketListener.layer(echo, { listen: NodeSocketServer.layer({ port: 7000 }), maxConnections: 1000 })
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.child(Echo, { id: "echo" })]
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
export const layer = <R, B, E, R2>(
  handler: (socket: Socket.Socket) => Effect.Effect<unknown, Socket.SocketError, R>,
  options: Options<B, E, R2>
): Layer.Layer<never, E, Exclude<Exclude<R, B | Process.Self> | R2, Scope.Scope>> => {
  const given = Check.or(options.maxConnections, defaultMaxConnections)
  const maxConnections = given === Infinity ? given : Check.wholeNumber("maxConnections", given, 1)
  return makeLayer({
    drainDelay: options.drainDelay,
    start: (report) => startSocket({ handler, listen: options.listen, maxConnections }, report)
  }) as Layer.Layer<never, E, Exclude<Exclude<R, B | Process.Self> | R2, Scope.Scope>>
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Waits until the listener that runs this effect drains. Outside of a listener it waits for ever. It is the same as
 * `NodeHttpListener.draining`.
 *
 * **When to use**
 *
 * Use to end a connection between two requests. See the example of {@link layer}.
 *
 * **Interruption**
 *
 * Nothing is lost.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const draining: Effect.Effect<void> = isDraining

// ---- internals ----------------------------------------------------------------------------------------------------

const makeLayer = listenerLayer("effect-otp/SocketListener")
