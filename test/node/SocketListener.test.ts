/** Real connections over the loopback, because the subject is what the operating system and Node do with them. */
import { NodeSocketServer } from "@effect/platform-node"
import { Cause, Context, Effect, Layer, Logger, Option, type Scope } from "effect"
import { Application, DynamicSupervisor, ExitReason, GenServer, type Pid, Process, Supervisor } from "effect-otp"
import { SocketListener } from "effect-otp/node"
import * as NetAddress from "effect/net/NetAddress"
import { type Socket, SocketServer } from "effect/socket"
import * as net from "node:net"
import { inspect } from "node:util"
import { assert, describe, it } from "vitest"
import { connect, untilRefused } from "../fixtures/listener.ts"

type Handler = (socket: Socket.Socket) => Effect.Effect<unknown, Socket.SocketError, Process.Self | Scope.Scope>

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const seconds = async (promise: Promise<unknown>) => {
  const begin = performance.now()
  await promise
  return (performance.now() - begin) / 1000
}

/** A server on any port, which is noted. */
const portOf = (ports: Array<number>) =>
  Layer.tap(NodeSocketServer.layer({ port: 0, host: "127.0.0.1" }), (context) =>
    SocketServer.SocketServer.useSync(({ address }) => {
      ports.push((address as NetAddress.InetAddress).port)
    }).pipe(Effect.provideContext(context))
  )

const start = async (
  handler: Handler,
  {
    loggers,
    maxConnections,
    shutdown = 5000
  }: { loggers?: Array<Logger.Logger<unknown, void>>; maxConnections?: number; shutdown?: number } = {}
) => {
  const ports: Array<number> = []
  const listen = portOf(ports)
  class App extends Supervisor.Service<App>()("test/App", {
    strategy: "oneForOne",
    children: [Supervisor.child(SocketListener.layer(handler, { listen, maxConnections }), { id: "tcp", shutdown })]
  }) {}
  const layer = App.layer.pipe(Layer.provide(Logger.layer(loggers ?? [])))
  const running = await Effect.runPromise(Application.start(layer))
  return { port: ports.at(-1)!, ports, stop: () => Effect.runPromise(running.stop) }
}

/** Answers each line with itself, in capital letters. `x` is a bug. */
const echo =
  (between: Effect.Effect<void>): Handler =>
  (socket) =>
    Effect.gen(function* () {
      const { write } = yield* socket.writer
      const { pull } = yield* socket.reader
      const next = Effect.raceFirst(pull, Effect.as(between, undefined))
      for (let chunks = yield* next; chunks !== undefined; chunks = yield* next) {
        const text = Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as Uint8Array))).toString()
        if (text === "x\n") return yield* Effect.die(new Error("a bug"))
        yield* Effect.delay(write(text.toUpperCase()), "300 millis")
      }
    })

describe.concurrent("a socket listener", { timeout: 30_000 }, () => {
  it("handles each connection in a process of its own, which owns the socket", async () => {
    const pids: Array<Pid.Pid> = []
    const { port, stop } = await start((socket) =>
      Effect.gen(function* () {
        pids.push(yield* Process.self)
        const { pull } = yield* socket.reader
        return yield* Effect.forever(pull)
      })
    )
    const [first, second] = [await connect(port), await connect(port)]
    while (pids.length < 2) await sleep(5)
    await Effect.runPromise(Process.kill(pids[0]!))
    const ended = await Promise.race([first.closed.then(() => "first"), second.closed.then(() => "second")])
    assert.deepStrictEqual([ended, await Effect.runPromise(Process.isAlive(pids[1]!))], ["first", true])
    second.socket.end()
    assert.deepStrictEqual(await Effect.runPromise(Process.awaitExit(pids[1]!)), { _tag: "Normal" })
    assert.isBelow(await seconds(stop()), 1)
  })

  it("goes on when the handler of a connection crashes, and reports it", async () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ cause, message }) => {
      lines.push(`${inspect(message)} ${Cause.pretty(cause)}`)
    })
    const { port, ports, stop } = await start(echo(Effect.never), { loggers: [logger] })
    const [bad, good] = [await connect(port), await connect(port)]
    bad.socket.write("x\n")
    await bad.closed
    good.socket.write("hello\n")
    await good.until(/HELLO/)
    good.socket.end()
    await stop()
    assert.deepStrictEqual([lines.length, lines[0]?.includes("a bug"), ports.length], [1, true, 1])
  })

  it("lets handlers finish when it stops, and closes its port first", async () => {
    const { port, stop } = await start(echo(SocketListener.draining))
    const [busy, idle] = [await connect(port), await connect(port)]
    busy.socket.write("hello\n")
    await sleep(30)
    const stopped = seconds(stop())
    await untilRefused(port)
    assert.strictEqual(busy.text(), "")
    assert.deepStrictEqual(await Promise.all([busy.closed, idle.closed]), ["end", "end"])
    assert.strictEqual(busy.text(), "HELLO\n")
    assert.isBelow(await stopped, 1)
  })

  it("at its limit interrupts the handlers that are left", async () => {
    const { port, stop } = await start(echo(Effect.never), { shutdown: 300 })
    const raw = await connect(port)
    raw.socket.write("hello\n")
    await raw.until(/HELLO/)
    const took = await seconds(stop())
    assert.strictEqual(await raw.closed, "end")
    assert.isTrue(took > 0.25 && took < 1, `${took} s`)
  })

  it("at its limit ends all connections at the same time", async () => {
    const ends: Array<number> = []
    const cleanup = Effect.delay(
      Effect.sync(() => ends.push(performance.now())),
      "300 millis"
    )
    const { port, stop } = await start(() => Effect.onInterrupt(Effect.never, () => cleanup), { shutdown: 400 })
    const raws = [await connect(port), await connect(port), await connect(port), await connect(port)]
    await sleep(50)
    await stop()
    assert.deepStrictEqual(await Promise.all(raws.map((raw) => raw.closed)), ["end", "end", "end", "end"])
    assert.strictEqual(ends.length, 4)
    assert.isBelow(Math.max(...ends) - Math.min(...ends), 150)
  })

  it("crashes when its server breaks, and not when its server is interrupted", async () => {
    const runsOf = async (run: Effect.Effect<never, unknown>) => {
      let runs = 0
      const server = SocketServer.SocketServer.of({
        address: NetAddress.unixPathAddress("test"),
        run: () =>
          Effect.andThen(
            Effect.sync(() => runs++),
            runs === 0 ? run : Effect.never
          ) as Effect.Effect<never>
      })
      const listen = Layer.succeed(SocketServer.SocketServer, server)
      class App extends Supervisor.Service<App>()("test/App", {
        strategy: "oneForOne",
        children: [Supervisor.child(SocketListener.layer(echo(Effect.never), { listen }))]
      }) {}
      const running = await Effect.runPromise(Application.start(App.layer.pipe(Layer.provide(Logger.layer([])))))
      await sleep(200)
      await Effect.runPromise(running.stop)
      return runs
    }
    assert.deepStrictEqual([await runsOf(Effect.fail("EMFILE")), await runsOf(Effect.interrupt)], [2, 1])
  })

  it("handles at most maxConnections at a time, and closes those that wait when it stops", async () => {
    const { port, stop } = await start(echo(SocketListener.draining), { maxConnections: 1 })
    const first = await connect(port)
    const second = await connect(port)
    const third = await connect(port)
    for (const { socket } of [first, second, third]) socket.write("hello\n")
    await first.until(/HELLO/)
    await sleep(400)
    assert.deepStrictEqual([second.text(), third.text()], ["", ""])
    first.socket.end()
    await second.until(/HELLO/)
    await stop()
    assert.deepStrictEqual([await second.closed, await third.closed, third.text()], ["end", "end", ""])
  })

  it("can hand a connection to a server of a dynamic supervisor, which then owns it", async () => {
    class Session extends GenServer.Service<Session>()("test/Session", [GenServer.cast("stop")]) {
      static readonly definition = this.define({
        init: (socket: Socket.Socket) =>
          Effect.gen(function* () {
            const { write } = yield* socket.writer
            yield* socket.reader
            yield* write("welcome\n")
          }),
        handlers: { stop: () => GenServer.stop(ExitReason.normal, undefined) }
      })
    }
    class Sessions extends DynamicSupervisor.Service<Sessions>()("test/Sessions", {
      child: Session.definition,
      restart: "temporary"
    }) {}
    const handler = (socket: Socket.Socket) =>
      Effect.gen(function* () {
        const sessions = yield* Sessions
        const session = yield* sessions.startChild("one", socket)
        const pid = Option.getOrThrow(yield* GenServer.pid(session))
        yield* Effect.raceFirst(Process.awaitExit(pid), SocketListener.draining)
        yield* Effect.ignore(sessions.terminateChild("one"))
      }).pipe(Effect.orDie)
    const ports: Array<number> = []
    const listen = portOf(ports)
    class App extends Supervisor.Service<App>()("test/App", {
      strategy: "oneForOne",
      children: [Supervisor.child(Sessions.layer), Supervisor.child(SocketListener.layer(handler, { listen }))]
    }) {}
    const running = await Effect.runPromise(Application.start(App.layer))
    const first = await connect(ports[0]!)
    await first.until(/welcome/)
    const dynamic = Context.get(running.context, Sessions)
    await Effect.runPromise(Effect.flatMap(dynamic.get("one"), (session) => Option.getOrThrow(session).stop()))
    assert.strictEqual(await first.closed, "end")
    const second = await connect(ports[0]!)
    await second.until(/welcome/)
    assert.isBelow(await seconds(Effect.runPromise(running.stop)), 1)
    assert.strictEqual(await second.closed, "end")
  })

  it("fails its start with SocketServerError if the port is in use", async () => {
    const taken = net.createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port } = taken.address() as net.AddressInfo
    class App extends Supervisor.Service<App>()("test/App", {
      strategy: "oneForOne",
      children: [
        Supervisor.child(
          SocketListener.layer(echo(Effect.never), { listen: NodeSocketServer.layer({ port, host: "127.0.0.1" }) })
        )
      ]
    }) {}
    const error = await Effect.runPromise(Effect.flip(Application.run(App.layer)))
    taken.close()
    assert.strictEqual(error._tag, "SocketServerError")
  })

  it("refuses a bound that is no number of connections", () => {
    const listen = NodeSocketServer.layer({ port: 0 })
    assert.throws(
      () => SocketListener.layer(echo(Effect.never), { listen, maxConnections: 0 }),
      "maxConnections must be a whole number, 1 or more, not 0"
    )
  })
})
