/** Real connections over the loopback, because the subject is what the operating system and Node do with them. */
import { NodeHttpServer } from "@effect/platform-node"
import { Cause, Deferred, Effect, Layer, Logger, Schedule, Stream } from "effect"
import { Application, Process, Supervisor, Task } from "effect-otp"
import { NodeHttpListener } from "effect-otp/node"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as tls from "node:tls"
import type * as net from "node:net"
import { inspect } from "node:util"
import { assert, describe, it } from "vitest"
import { certificate } from "../fixtures/certificate.ts"
import { answers, connect, get, listenerTree, startListener, untilRefused } from "../fixtures/listener.ts"

/** A request that waits until the test lets it go on. */
const gate = () => {
  const begun = Deferred.makeUnsafe<void>()
  const opened = Deferred.makeUnsafe<void>()
  return {
    begun: Effect.runPromise(Deferred.await(begun)),
    open: () => Effect.runPromise(Deferred.succeed(opened, undefined)),
    wait: Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(opened))
  }
}

const text = (body: string) => HttpServerResponse.text(body)

const hello = HttpRouter.add("GET", "/hello", Effect.succeed(text("hello")))

const waiting = ({ wait }: ReturnType<typeof gate>) => HttpRouter.add("GET", "/wait", Effect.as(wait, text("done")))

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const events = (stream: Stream.Stream<string>) =>
  Effect.succeed(HttpServerResponse.stream(Stream.encodeText(stream), { contentType: "text/event-stream" }))

const ticks = Stream.map(Stream.fromSchedule(Schedule.spaced("10 millis")), (count) => `data: ${count}\n\n`)

const seconds = async (promise: Promise<unknown>) => {
  const begin = performance.now()
  await promise
  return (performance.now() - begin) / 1000
}

describe.concurrent("a listener that is told to stop", { timeout: 30_000 }, () => {
  it("closes the port, answers what is in flight with Connection: close, and then ends", async () => {
    const held = gate()
    const { port, stop } = await startListener({ routes: Layer.merge(hello, waiting(held)) })
    const raw = await connect(port)
    raw.socket.write(get("/wait"))
    await held.begun
    const stopped = stop()
    await untilRefused(port)
    assert.strictEqual(raw.text(), "")
    await held.open()
    assert.strictEqual(await raw.closed, "end")
    await stopped
    assert.deepStrictEqual(answers(raw.text()), [{ status: 200, close: true, body: "done" }])
  })

  it("answers the next request of a connection that is in use, and closes one that is quiet", async () => {
    const { port, stop } = await startListener({ routes: hello })
    const [used, unused, fresh] = [await connect(port), await connect(port), await connect(port)]
    for (const raw of [used, unused]) {
      raw.socket.write(get("/hello"))
      await raw.until(/hello$/)
    }
    const stopped = seconds(stop())
    await untilRefused(port)
    used.socket.write(get("/hello"))
    const first = { status: 200, close: false, body: "hello" }
    assert.deepStrictEqual(await Promise.all([used, unused, fresh].map((raw) => raw.closed)), ["end", "end", "end"])
    assert.deepStrictEqual(
      [used, unused, fresh].map((raw) => answers(raw.text())),
      [[first, { ...first, close: true }], [first], []]
    )
    const took = await stopped
    assert.isTrue(took > 0.4 && took < 2, `${took} s`)
  })

  it("answers all of a batch of requests on one connection, and says with the last that it closes", async () => {
    const held = gate()
    const { port, stop } = await startListener({ routes: Layer.merge(hello, waiting(held)) })
    const raw = await connect(port)
    raw.socket.write(get("/wait") + get("/hello"))
    await held.begun
    const stopped = stop()
    await untilRefused(port)
    raw.socket.write(get("/hello") + get("/hello"))
    await sleep(50)
    await held.open()
    assert.strictEqual(await raw.closed, "end")
    assert.deepStrictEqual(
      answers(raw.text()).map(({ body, close }) => [body, close]),
      [
        ["done", false],
        ["hello", false],
        ["hello", false],
        ["hello", true]
      ]
    )
    await stopped
  })

  it("does not handle what comes after the last answer, and does not reset the connection for it", async () => {
    let handled = 0
    const count = HttpRouter.add(
      "GET",
      "/count",
      Effect.sync(() => text(`${++handled}`))
    )
    const { port, stop } = await startListener({ routes: count })
    const raw = await connect(port)
    raw.socket.write(get("/count"))
    await raw.until(/1$/)
    const stopped = stop()
    await untilRefused(port)
    raw.socket.write(get("/count"))
    await raw.until(/2$/)
    raw.socket.write(get("/count").repeat(100))
    assert.strictEqual(await raw.closed, "end")
    await stopped
    assert.deepStrictEqual([answers(raw.text()).map(({ close }) => close), handled], [[false, true], 2])
  })

  it("stops reading from a client that always has another request on the way", async () => {
    const { port, stop } = await startListener({
      routes: HttpRouter.add("GET", "/slow", Effect.as(Effect.sleep("20 millis"), text("slow")))
    })
    const raw = await connect(port)
    let sent = 0
    const send = () => {
      if (raw.socket.writable) raw.socket.write(get("/slow"), () => sent++)
    }
    const timer = setInterval(send, 5)
    await raw.until(/slow/)
    const took = seconds(stop())
    assert.strictEqual(await raw.closed, "end")
    clearInterval(timer)
    const got = answers(raw.text())
    assert.isTrue(got.every(({ status }) => status === 200))
    assert.deepStrictEqual([got.at(-1)?.close, got.filter(({ close }) => close).length], [true, 1])
    assert.isBelow(await took, 4)
    assert.isAbove(sent, got.length)
  })

  it("waits for a request that has come in part", async () => {
    const { port, stop } = await startListener({ routes: hello })
    const raw = await connect(port)
    const stopped = stop()
    for (const part of get("/hello").match(/[^]{1,8}/g)!) {
      raw.socket.write(part)
      await sleep(200)
    }
    assert.strictEqual(await raw.closed, "end")
    assert.deepStrictEqual(answers(raw.text()), [{ status: 200, close: true, body: "hello" }])
    await stopped
  })

  it("serves as before for drainDelay, and the application is not ready", async () => {
    const ready = HttpRouter.add("GET", "/ready", Effect.map(Application.readiness, text))
    const { port, stop } = await startListener({ routes: ready, drainDelay: "400 millis" })
    const stopped = seconds(stop())
    await sleep(100)
    const raw = await connect(port)
    raw.socket.write(get("/ready"))
    await raw.until(/draining$/)
    assert.deepStrictEqual(answers(raw.text()), [{ status: 200, close: false, body: "draining" }])
    assert.isAbove(await stopped, 0.8)
  })

  it("lets its handlers start processes and tasks while it drains", async () => {
    const held = gate()
    const work = Effect.gen(function* () {
      yield* held.wait
      const task = yield* Task.async(Effect.succeed("task"))
      const pid = yield* Process.spawn(Effect.never)
      yield* Process.kill(pid)
      return text(yield* Task.await(task))
    }).pipe(Effect.orDie)
    const { port, stop } = await startListener({
      routes: HttpRouter.add("GET", "/wait", work as Effect.Effect<HttpServerResponse.HttpServerResponse>)
    })
    const raw = await connect(port)
    raw.socket.write(get("/wait"))
    await held.begun
    const stopped = stop()
    await untilRefused(port)
    await held.open()
    await stopped
    assert.deepStrictEqual(answers(raw.text()), [{ status: 200, close: true, body: "task" }])
  })

  it("closes WebSockets with 1001", async () => {
    const live = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const socket = yield* request.upgrade
      const { write } = yield* socket.writer
      const { pull } = yield* socket.reader
      yield* write("welcome")
      return yield* Effect.forever(pull)
    }).pipe(Effect.scoped, Effect.orDie)
    const { port, stop } = await startListener({ routes: HttpRouter.add("GET", "/live", live) })
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`)
    const closed = new Promise<number>((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)))
    await new Promise((resolve) => socket.addEventListener("message", resolve))
    const took = await seconds(stop())
    assert.strictEqual(await closed, 1001)
    assert.isBelow(took, 1)
  })

  it("answers a request that only offers another protocol", async () => {
    const held = gate()
    const { port, stop } = await startListener({ routes: waiting(held) })
    const raw = await connect(port)
    raw.socket.write(`GET /wait HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`)
    await held.begun
    const stopped = stop()
    await untilRefused(port)
    await held.open()
    await stopped
    assert.deepStrictEqual(
      answers(raw.text()).map(({ status, body }) => [status, body]),
      [[200, "done"]]
    )
  })

  it("says Connection: close with an answer that middleware of the server gives", async () => {
    let server: net.Server | undefined
    const app = HttpRouter.serve(hello, {
      disableLogger: true,
      disableListenLog: true,
      middleware: (app) =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
          url === "/probe" ? Effect.succeed(text("probe")) : app
        )
    })
    const Web = NodeHttpListener.layer(app, {
      createServer: () => http.createServer(),
      listen: (createServer) => NodeHttpServer.layer(() => (server = createServer()), { port: 0, host: "127.0.0.1" })
    })
    class App extends Supervisor.Service<App>()("test/App", {
      strategy: "oneForOne",
      children: [Supervisor.child(Web)]
    }) {}
    const running = await Effect.runPromise(Application.start(App.layer))
    const { port } = server!.address() as net.AddressInfo
    const [probe, raw] = [await connect(port), await connect(port)]
    const stopped = Effect.runPromise(running.stop)
    await untilRefused(port)
    probe.socket.write(get("/probe"))
    raw.socket.write(get("/hello"))
    assert.deepStrictEqual([await probe.closed, await raw.closed], ["end", "end"])
    await stopped
    assert.deepStrictEqual(
      [answers(probe.text()), answers(raw.text())],
      [[{ status: 200, close: true, body: "probe" }], [{ status: 200, close: true, body: "hello" }]]
    )
  })

  it("wakes handlers that wait for draining, so their streams end whole", async () => {
    const polite = HttpRouter.add("GET", "/events", events(Stream.interruptWhen(ticks, NodeHttpListener.draining)))
    const { port, stop } = await startListener({ routes: polite })
    const response = await fetch(`http://127.0.0.1:${port}/events`)
    const body = response.text()
    await sleep(50)
    assert.isBelow(await seconds(stop()), 2)
    assert.match(await body, /^(data: \d+\n\n)+$/)
  })

  it("at its limit cuts streams, and answers with 503 what has no answer", async () => {
    const never = HttpRouter.add("GET", "/never", Effect.never)
    const endless = HttpRouter.add("GET", "/events", events(ticks))
    const { port, stop } = await startListener({ routes: Layer.merge(never, endless), shutdown: 600 })
    const raw = await connect(port)
    raw.socket.write(get("/never"))
    const response = await fetch(`http://127.0.0.1:${port}/events`)
    const body = response.text().then(
      () => "whole",
      () => "cut"
    )
    const took = await seconds(stop())
    assert.deepStrictEqual(
      [await raw.closed, answers(raw.text()), await body],
      ["end", [{ status: 503, close: true, body: "" }], "cut"]
    )
    assert.isTrue(took > 0.5 && took < 1.2, `${took} s`)
  })

  it("sends GOAWAY over HTTP/2, and finishes the streams that are open", async () => {
    const held = gate()
    let server: net.Server | undefined
    const Web = NodeHttpListener.layer(
      HttpRouter.serve(waiting(held), { disableLogger: true, disableListenLog: true }),
      {
        createServer: () => http2.createServer(),
        listen: (createServer) => NodeHttpServer.layer(() => (server = createServer()), { port: 0, host: "127.0.0.1" })
      }
    )
    class App extends Supervisor.Service<App>()("test/App", {
      strategy: "oneForOne",
      children: [Supervisor.child(Web)]
    }) {}
    const running = await Effect.runPromise(Application.start(App.layer))
    const session = http2.connect(`http://127.0.0.1:${(server!.address() as net.AddressInfo).port}`)
    const goaway = new Promise<number>((resolve) => session.once("goaway", resolve))
    const stream = session.request({ ":path": "/wait" })
    let body = ""
    stream.setEncoding("utf8").on("data", (part: string) => (body += part))
    await held.begun
    const stopped = Effect.runPromise(running.stop)
    assert.strictEqual(await goaway, http2.constants.NGHTTP2_NO_ERROR)
    await held.open()
    await stopped
    assert.strictEqual(body, "done")
  })
})

describe.concurrent("a listener over TLS", { timeout: 30_000 }, () => {
  const start = async (createServer: () => https.Server | http2.Http2SecureServer, held: ReturnType<typeof gate>) => {
    let server: net.Server | undefined
    const Web = NodeHttpListener.layer(
      HttpRouter.serve(Layer.merge(hello, waiting(held)), { disableLogger: true, disableListenLog: true }),
      {
        createServer,
        listen: (createServer) => NodeHttpServer.layer(() => (server = createServer()), { port: 0, host: "127.0.0.1" })
      }
    )
    class App extends Supervisor.Service<App>()("test/App", {
      strategy: "oneForOne",
      children: [Supervisor.child(Web)]
    }) {}
    const running = await Effect.runPromise(Application.start(App.layer))
    const { port } = server!.address() as net.AddressInfo
    return { port, stop: () => Effect.runPromise(running.stop) }
  }

  const ask = (port: number, path: string, agent: https.Agent) =>
    new Promise<ReadonlyArray<unknown>>((resolve, reject) => {
      const request = https.get({ host: "127.0.0.1", port, path, agent }, (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (part: string) => (body += part))
        response.on("end", () => resolve([response.statusCode, response.headers.connection, body]))
      })
      request.on("error", reject)
    })

  const client = () => new https.Agent({ keepAlive: true, rejectUnauthorized: false })

  it("drains as without TLS, and does not wait for a client that never greets", async () => {
    const held = gate()
    const { port, stop } = await start(() => https.createServer(certificate), held)
    const silent = await connect(port)
    const agent = client()
    assert.deepStrictEqual(await ask(port, "/hello", agent), [200, "keep-alive", "hello"])
    const answer = ask(port, "/wait", agent)
    await held.begun
    const stopped = seconds(stop())
    await untilRefused(port)
    await held.open()
    assert.deepStrictEqual(await answer, [200, "close", "done"])
    assert.isBelow(await stopped, 2)
    assert.strictEqual(await silent.closed, "end")
  })

  it("answers a client that has just connected, and greets while the listener drains", async () => {
    const { port, stop } = await start(() => https.createServer(certificate), gate())
    const { socket } = await connect(port)
    const stopped = stop()
    await untilRefused(port)
    await sleep(100)
    socket.removeAllListeners("data")
    const secure = tls.connect({ socket, rejectUnauthorized: false })
    let body = ""
    secure.setEncoding("latin1").on("data", (part: string) => (body += part))
    secure.write(get("/hello"))
    await new Promise((resolve) => secure.once("close", resolve))
    await stopped
    assert.deepStrictEqual(answers(body), [{ status: 200, close: true, body: "hello" }])
  })

  it("drains HTTP/1.1 beside HTTP/2", async () => {
    const held = gate()
    const { port, stop } = await start(() => http2.createSecureServer({ ...certificate, allowHTTP1: true }), held)
    const session = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    const stream = session.request({ ":path": "/wait" })
    let body = ""
    stream.setEncoding("utf8").on("data", (part: string) => (body += part))
    await held.begun
    const answer = ask(port, "/wait", client())
    await sleep(100)
    const stopped = seconds(stop())
    await untilRefused(port)
    await held.open()
    assert.deepStrictEqual(await answer, [200, "close", "done"])
    assert.isBelow(await stopped, 2)
    assert.strictEqual(body, "done")
  })
})

describe.concurrent("a listener", { timeout: 30_000 }, () => {
  it("fails its start with ServeError if the port is in use", async () => {
    const taken = http.createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port } = taken.address() as net.AddressInfo
    const { layer } = listenerTree({ routes: hello, port })
    const error = await Effect.runPromise(Effect.flip(Application.run(layer)))
    taken.close()
    assert.strictEqual(error._tag, "ServeError")
  })

  it("crashes when its server breaks, and is started again", async () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ cause, message }) => {
      lines.push(`${inspect(message)} ${Cause.pretty(cause)}`)
    })
    const listener = await startListener({ routes: hello, loggers: [logger] })
    const raw = await connect(listener.port)
    listener.server().emit("error", new Error("EMFILE"))
    assert.strictEqual(await raw.closed, "end")
    while (listener.runs() < 2 || !listener.server().listening) await sleep(10)
    const response = await fetch(`http://127.0.0.1:${(listener.server().address() as net.AddressInfo).port}/hello`)
    assert.strictEqual(await response.text(), "hello")
    await listener.stop()
    assert.deepStrictEqual([lines.length, /NodeHttpListener\(web\) crashed.*EMFILE/s.test(lines[0]!)], [1, true])
  })

  /** A listener whose application is built once the test lets it. */
  const startEarly = async (routes: Layer.Layer<never, never, HttpRouter.HttpRouter>) => {
    const built = gate()
    let server: http.Server | undefined
    const slow = Layer.unwrap(Effect.as(built.wait, routes))
    const Web = NodeHttpListener.layer(HttpRouter.serve(slow, { disableLogger: true, disableListenLog: true }), {
      createServer: () => (server = http.createServer()),
      listen: (createServer) => NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })
    })
    class App extends Supervisor.Service<App>()("test/App", {
      strategy: "oneForOne",
      children: [Supervisor.child(Web)]
    }) {}
    const running = Effect.runPromise(Application.start(App.layer))
    await built.begun
    return {
      port: (server!.address() as net.AddressInfo).port,
      server: server!,
      build: async () => {
        await built.open()
        return await running
      }
    }
  }

  it("lets requests wait that come before the application is built", async () => {
    const { build, port } = await startEarly(hello)
    const raw = await connect(port)
    raw.socket.write(get("/hello"))
    await sleep(50)
    const { stop } = await build()
    await raw.until(/hello$/)
    await Effect.runPromise(stop)
    assert.strictEqual(await raw.closed, "end")
    assert.deepStrictEqual(answers(raw.text()), [{ status: 200, close: false, body: "hello" }])
  })

  it("does not break if a client resets its upgrade before the application is built, and does not handle it", async () => {
    let handled = 0
    const route = HttpRouter.add(
      "GET",
      "/live",
      Effect.sync(() => text(`${++handled}`))
    )
    const { build, port, server } = await startEarly(route)
    const raw = await connect(port)
    const upgraded = new Promise<net.Socket>((resolve) => server.once("upgrade", ({ socket }) => resolve(socket)))
    raw.socket.write("GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    const socket = await upgraded
    const reset = new Promise((resolve) => socket.once("close", resolve))
    raw.socket.resetAndDestroy()
    await reset
    const { stop } = await build()
    await Effect.runPromise(stop)
    assert.strictEqual(handled, 0)
  })

  it("closes the connection of a request for which there is no room before the application is built", async () => {
    const { build, port } = await startEarly(hello)
    const [many, one] = [await connect(port), await connect(port)]
    many.socket.write(get("/hello").repeat(1000))
    await sleep(200)
    one.socket.write(get("/hello"))
    assert.strictEqual(await one.closed, "end")
    const { stop } = await build()
    await Effect.runPromise(stop)
    assert.strictEqual(await many.closed, "end")
    assert.deepStrictEqual([answers(many.text()).length, one.text()], [1000, ""])
  })

  it("does not start if its server does not use the createServer that it is given", async () => {
    const Web = NodeHttpListener.layer(HttpRouter.serve(hello, { disableLogger: true, disableListenLog: true }), {
      createServer: () => http.createServer(),
      listen: () => NodeHttpServer.layer(() => http.createServer(), { port: 0, host: "127.0.0.1" })
    })
    const exit = await Effect.runPromise(
      Effect.exit(Effect.scoped(Layer.build(Web.pipe(Layer.provide(Logger.layer([]))))))
    )
    assert.match(
      inspect(exit, { depth: 9 }),
      /listen must open its port with the createServer that it is given, but that server does not listen/
    )
  })
})
