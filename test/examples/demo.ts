/**
 * The demo server as seen from outside: an operating-system process, HTTP and WebSockets. Nothing here is simulated.
 */
import { assert } from "@effect/vitest"
import { Data, Duration, Effect, Schema, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as http from "node:http"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../docs/examples/break-your-server/main.ts", import.meta.url))

// ---- the process --------------------------------------------------------------------------------------------------

export interface Demo {
  readonly port: number
  /** The process id of the process that runs the server. */
  readonly runner: number
  /** Everything that it has printed, by line. */
  readonly output: Array<string>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exitCode: Effect.Effect<number | null>
  /** Closes the pipe for its output. */
  readonly closeOutput: Effect.Effect<void>
}

/** Runs `main.ts` until the scope closes. */
export const run = (env: Record<string, string>, options?: { readonly uid?: number }) =>
  Effect.acquireRelease(
    Effect.sync((): Demo => {
      const child = spawn(process.execPath, ["--conditions=source", main], {
        env: { ...process.env, ...env },
        ...options
      })
      const output: Array<string> = []
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => output.push(...text.trimEnd().split("\n")))
      }
      const exited = once(child, "close")
      return {
        port: Number(env["PORT"]),
        runner: child.pid!,
        output,
        signal: (signal) => Effect.sync(() => child.kill(signal)),
        exitCode: Effect.map(
          Effect.promise(() => exited),
          ([code]) => code as number | null
        ),
        closeOutput: Effect.sync(() => {
          child.stdout.destroy()
          child.stderr.destroy()
        })
      }
    }),
    ({ output, signal, exitCode }, exit) =>
      Effect.andThen(
        exit._tag === "Success" ? Effect.void : Effect.logError(`the server said:\n${output.slice(-40).join("\n")}`),
        Effect.andThen(signal("SIGTERM"), exitCode)
      )
  )

/** A port that is taken until the scope closes. */
export const takenPort = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer().listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) => Effect.promise(() => new Promise((resume) => server.close(resume)))
  ),
  (server) => (server.address() as AddressInfo).port
)

/** A free port and an empty folder. Both are freed with the scope. */
export const place = Effect.gen(function* () {
  const port = yield* Effect.scoped(takenPort)
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "break-your-server-"))),
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )
  return { PORT: String(port), DATA_DIR: path.join(folder, "data") }
})

/** A demo that is ready. */
export const ready = Effect.gen(function* () {
  const demo = yield* run(yield* place)
  yield* until("the server is ready", isReady(demo), "30 seconds")
  return demo
})

// ---- facts --------------------------------------------------------------------------------------------------------

const POLL_MILLIS = 10

/** How much longer a limit may get on a busy machine. */
const MAX_STRETCH = 4

/** The milliseconds in which a process of this machine has waited for a processor. 0 if the system does not say. */
const waitedForProcessor = () => {
  if (process.platform !== "linux" || !fs.existsSync("/proc/pressure/cpu")) return 0
  return Number(/^some .*total=(\d+)$/m.exec(fs.readFileSync("/proc/pressure/cpu", "utf8"))?.[1] ?? 0) / 1000
}

/**
 * Asks again until it is true, and returns how many milliseconds that took. If it does not become true, it dies with a
 * sentence. Time in which a process had to wait for a processor does not count, so that other work on the same machine
 * does not decide. That makes a limit at most five times as long.
 */
export const until = <E>(what: string, isSo: Effect.Effect<boolean, E>, within: Duration.Input = "1 second") =>
  Effect.gen(function* () {
    const limit = Duration.toMillis(Duration.fromInputUnsafe(within))
    const begun = performance.now()
    const waitedBefore = waitedForProcessor()
    while (true) {
      const so = yield* isSo.pipe(
        Effect.timeout(limit * 2),
        Effect.orElseSucceed(() => false)
      )
      const passed = performance.now() - begun
      if (so) return passed
      const lost = Math.min(waitedForProcessor() - waitedBefore, limit * MAX_STRETCH)
      if (passed > limit + lost) {
        return yield* Effect.die(new Error(`not within ${Math.round(passed - lost)} ms: ${what}`))
      }
      yield* Effect.sleep(POLL_MILLIS)
    }
  })

export const isReady = (demo: Demo) => Effect.map(get(demo, "/health"), ({ status }) => status === 200)

// ---- HTTP ---------------------------------------------------------------------------------------------------------

/** There was no answer, because the connection broke. */
class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly cause: unknown }> {}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

const request = (demo: Demo, target: string, init: RequestInit): Effect.Effect<Answer, NoAnswer> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(`http://127.0.0.1:${demo.port}${target}`, { ...init, signal })
      const text = await response.text()
      return { status: response.status, body: text === "" ? undefined : (JSON.parse(text) as unknown) }
    },
    catch: (cause) => new NoAnswer({ cause })
  }).pipe(
    // Whatever is broken, a client gets an answer, or learns that there will be none.
    Effect.timeoutOrElse({
      duration: "20 seconds",
      orElse: () => Effect.die(new Error(`no answer at all: ${init.method ?? "GET"} ${target}`))
    })
  )

export const get = (demo: Demo, target: string) => request(demo, target, {})

export const post = (demo: Demo, target: string, body?: string) =>
  request(demo, target, {
    method: "POST",
    ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } })
  })

const Broke = Schema.Struct({ broke: Schema.String })

/** Breaks a target and returns what was broken. */
export const breakIt = (demo: Demo, target: string) =>
  Effect.gen(function* () {
    const { status, body } = yield* post(demo, `/break/${target}`)
    assert.strictEqual(status, 202, `${target}: ${JSON.stringify(body)}`)
    return (yield* Schema.decodeUnknownEffect(Broke)(body)).broke
  }).pipe(Effect.orDie)

const Message = Schema.Struct({ id: Schema.Finite, room: Schema.String, from: Schema.String, text: Schema.String })
export type Message = typeof Message.Type

/** Posts a message. Undefined if it was not acknowledged. */
export const say = (demo: Demo, room: string, text: string, from = "test") =>
  Effect.gen(function* () {
    const { status, body } = yield* post(demo, `/rooms/${room}/messages`, JSON.stringify({ from, text }))
    if (status === 201) return yield* Effect.orDie(Schema.decodeUnknownEffect(Message)(body))
    assert.strictEqual(status, 503, JSON.stringify(body))
    return undefined
  }).pipe(Effect.catchTag("NoAnswer", () => Effect.undefined))

export const page = (demo: Demo, room: string, query: string) =>
  Effect.gen(function* () {
    const { body } = yield* get(demo, `/rooms/${room}/messages?${query}`)
    return yield* Schema.decodeUnknownEffect(Schema.Array(Message))(body)
  }).pipe(Effect.orDie)

/** All messages of a room. */
export const history = Effect.fnUntraced(function* (demo: Demo, room: string) {
  const messages: Array<Message> = []
  while (true) {
    const next = yield* page(demo, room, `limit=1000&after=${messages.at(-1)?.id ?? 0}`)
    if (next.length === 0) return messages
    messages.push(...next)
  }
})

export const Tree = Schema.Struct({
  osProcess: Schema.Finite,
  counts: Schema.Struct({
    processes: Schema.Finite,
    zombies: Schema.Finite,
    timers: Schema.Finite,
    names: Schema.Finite
  }),
  messages: Schema.Struct({ missing: Schema.Finite, pending: Schema.Finite })
})

export type Tree = typeof Tree.Type

/** Fails if nobody answers, and while the server is draining. */
export const tree = (demo: Demo) =>
  Effect.flatMap(get(demo, "/tree"), ({ body }) => Schema.decodeUnknownEffect(Tree)(body))

// ---- WebSockets ---------------------------------------------------------------------------------------------------

const Welcome = Schema.fromJsonString(Schema.TaggedStruct("Welcome", { session: Schema.String }))

export interface Ear {
  /** The id of its session. */
  readonly session: string
  /** All frames after the welcome. */
  readonly heard: ReadonlyArray<string>
  readonly isOpen: Effect.Effect<boolean>
  /** The code of the close, once the socket is closed. */
  readonly closeCode: () => number | undefined
  readonly send: (frame: string) => Effect.Effect<void>
}

/** Listens in a room until the scope closes. */
export const listen = (demo: Demo, room: string): Effect.Effect<Ear, never, Scope.Scope> =>
  Effect.gen(function* () {
    const heard: Array<string> = []
    let closeCode: number | undefined
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = new WebSocket(`ws://127.0.0.1:${demo.port}/rooms/${room}/live`)
        socket.addEventListener("message", ({ data }) => heard.push(String(data)))
        socket.addEventListener("close", ({ code }) => (closeCode = code))
        return socket
      }),
      (socket) => Effect.sync(() => socket.close())
    )
    yield* until(
      `somebody is welcome in ${room}`,
      Effect.sync(() => heard.length > 0),
      "5 seconds"
    )
    const { session } = yield* Effect.orDie(Schema.decodeUnknownEffect(Welcome)(heard.shift()))
    return {
      session,
      heard,
      closeCode: () => closeCode,
      isOpen: Effect.sync(() => socket.readyState === WebSocket.OPEN),
      send: (frame) => Effect.sync(() => socket.send(frame))
    }
  })

// ---- clients that do not behave -----------------------------------------------------------------------------------

export interface Raw {
  readonly method?: "GET" | "POST"
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array
  /** Its source address: all of 127.0.0.0/8 is this machine. */
  readonly from?: string
}

/** Sends a request with any headers. The body is undefined if the connection became a WebSocket. */
export const raw = (demo: Demo, { method = "GET", path, headers = {}, body, from = "127.0.0.1" }: Raw) =>
  Effect.callback<Answer & { readonly socket: Socket | undefined }, NoAnswer>((resume) => {
    const request = http.request({ host: "127.0.0.1", port: demo.port, localAddress: from, method, path, headers })
    request.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => (text += part))
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode!, body: JSON.parse(text) as unknown, socket: undefined }))
      )
    })
    request.on("upgrade", (_, socket) => resume(Effect.succeed({ status: 101, body: undefined, socket })))
    request.on("error", (cause) => resume(Effect.fail(new NoAnswer({ cause }))))
    request.end(body)
  })

export const handshake = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
}

/** Connects a WebSocket that never reads and never answers, not even to a close. */
export const deaf = (demo: Demo, room: string, from = "127.0.0.1") =>
  Effect.acquireRelease(
    Effect.map(raw(demo, { path: `/rooms/${room}/live`, headers: handshake, from }), ({ status, body, socket }) => {
      socket?.pause().on("error", () => {})
      return { status, body, socket }
    }),
    ({ socket }) => Effect.sync(() => socket?.destroy())
  )

/** A connection on which nothing is sent. */
export const connection = (demo: Demo, from: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = connect({ port: demo.port, host: "127.0.0.1", localAddress: from })
      await once(socket, "connect")
      return socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Sends text over a connection and nothing more. Returns what came back until it was closed. */
export const stutter = (demo: Demo, text: string) =>
  Effect.callback<string>((resume) => {
    let answer = ""
    const socket = connect(demo.port, "127.0.0.1", () => socket.write(text))
    socket.setEncoding("utf8").on("data", (part: string) => (answer += part))
    socket.on("error", () => {}).on("close", () => resume(Effect.succeed(answer)))
    return Effect.sync(() => socket.destroy())
  })
