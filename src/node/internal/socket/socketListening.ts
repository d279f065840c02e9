/** Runs a handler, as a process, for each connection of a socket server that can be drained. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as Process from "../../../kernel/Process.ts"
import * as Shutdown from "../../../kernel/Shutdown.ts"
import type { Pid } from "../../../kernel/Pid.ts"
import { connectionEndMillis } from "../defaults.ts"
import type { Listening, Reporter } from "../listener/listener.ts"

/** @internal */
export interface SocketApp<R, B, E, R2> {
  readonly handler: (socket: Socket.Socket) => Effect.Effect<unknown, Socket.SocketError, R>
  readonly listen: Layer.Layer<SocketServer.SocketServer | B, E, R2>
  readonly maxConnections: number
}

/** Starts a socket server in the current scope. @internal */
export const startSocket = <R, B, E, R2>(
  { handler, listen, maxConnections }: SocketApp<R, B, E, R2>,
  report: Reporter
): Effect.Effect<Listening, E, R | R2 | Scope.Scope> =>
  Effect.gen(function* () {
    const accepting = yield* Scope.fork(yield* Effect.scope)
    const built = yield* Layer.buildWithScope(listen, accepting)
    const server = Context.get(built, SocketServer.SocketServer)
    const connections = new Connections(maxConnections)
    const running = yield* server
      .run((socket) => connections.handle(socket, handler))
      .pipe(Effect.provideContext(built as Context.Context<B>), Effect.forkScoped)
    running.addObserver((exit) => {
      if (connections.isDraining || Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return
      report.broken(Cause.squash(exit.cause))
    })
    const closePort = Effect.suspend(() => {
      connections.drain()
      // The port is closed at once. The server is closed when its last connection is.
      return Effect.forkChild(Scope.close(accepting, Exit.void), { startImmediately: true })
    })
    // Effect's server would end its connections one after another, and close its port after that.
    yield* Effect.addFinalizer(() => Effect.andThen(closePort, connections.end))
    const drain = Effect.gen(function* () {
      const closing = yield* closePort
      report.draining()
      yield* connections.untilEmpty
      yield* Fiber.await(closing)
    })
    return { drain }
  })

class Connections {
  private readonly permits: Semaphore.Semaphore | undefined
  private readonly draining = Deferred.makeUnsafe<void>()
  private readonly empty = Deferred.makeUnsafe<void>()
  private readonly pids = new Set<Pid>()
  private count = 0
  isDraining = false

  constructor(max: number) {
    this.permits = max === Infinity ? undefined : Semaphore.makeUnsafe(max)
  }

  drain(): void {
    this.isDraining = true
    Deferred.doneUnsafe(this.draining, Exit.void)
    this.left()
  }

  private left(): void {
    if (this.isDraining && this.count === 0) Deferred.doneUnsafe(this.empty, Exit.void)
  }

  get untilEmpty(): Effect.Effect<void> {
    return Deferred.await(this.empty)
  }

  /** Ends the processes of all connections, at the same time. */
  get end(): Effect.Effect<void> {
    return Effect.suspend(() => Shutdown.shutdownAll(Array.from(this.pids), { limit: connectionEndMillis }))
  }

  /** Handles a connection when its turn has come. */
  handle<R>(
    socket: Socket.Socket,
    handler: (socket: Socket.Socket) => Effect.Effect<unknown, Socket.SocketError, R>
  ): Effect.Effect<void, never, R> {
    const { permits } = this
    const handled = this.counted(runConnection(socket, handler, this.pids))
    if (permits === undefined) return handled
    const turn = Effect.raceFirst(Effect.as(permits.take(1), true), Effect.as(Deferred.await(this.draining), false))
    return Effect.flatMap(turn, (isTurn) =>
      isTurn ? Effect.ensuring(handled, permits.release(1)) : closeUnopened(socket)
    )
  }

  private counted<R>(effect: Effect.Effect<void, never, R>): Effect.Effect<void, never, R> {
    return Effect.suspend(() => {
      this.count++
      return Effect.ensuring(
        effect,
        Effect.sync(() => {
          this.count--
          this.left()
        })
      )
    })
  }
}

/** Handles a connection in a process of its own, and waits until that has ended. */
const runConnection = <R>(
  socket: Socket.Socket,
  handler: (socket: Socket.Socket) => Effect.Effect<unknown, Socket.SocketError, R>,
  pids: Set<Pid>
): Effect.Effect<void, never, R> => {
  let isOpened = false
  const reader = Effect.tap(socket.reader, () => Effect.sync(() => (isOpened = true)))
  const body = Effect.suspend(() => handler(Socket.make({ reader, writer: socket.writer }))).pipe(
    // Every end of a connection is a `SocketError`, also a good one.
    Effect.catchTag("SocketError", (error) => Effect.logDebug("A connection of a SocketListener has ended", error)),
    Effect.ensuring(Effect.suspend(() => (isOpened ? Effect.void : closeUnopened(socket))))
  )
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Process.spawn(body, { label: connectionLabel }), (pid) => {
      pids.add(pid)
      return restore(Shutdown.awaitEnd(pid)).pipe(
        Effect.onInterrupt(() => Effect.asVoid(Shutdown.shutdown(pid))),
        Effect.ensuring(Effect.sync(() => pids.delete(pid)))
      )
    })
  ) as Effect.Effect<void, never, R>
}

const connectionLabel = "effect-otp/SocketListener connection"

/** Whoever opens the reader owns the connection, and closes it with the scope. */
const closeUnopened = (socket: Socket.Socket): Effect.Effect<void> => Effect.ignore(Effect.scoped(socket.reader))
