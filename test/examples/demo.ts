/** The demo server as the world sees it: an operating-system process, HTTP and WebSockets. Nothing here is simulated. */
import { assert } from "@effect/vitest"
import { Data, Duration, Effect, Schema, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import { createServer } from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../docs/examples/break-your-server/main.ts", import.meta.url))

// ---- the process --------------------------------------------------------------------------------------------------

export interface Demo {
  readonly port: number
  /** All it has printed, by line. */
  readonly output: Array<string>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exitCode: Effect.Effect<number | null>
}

/** Runs `main.ts` until the scope closes. */
export const run = (env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync((): Demo => {
      const child = spawn(process.execPath, ["--conditions=source", main], { env: { ...process.env, ...env } })
      const output: Array<string> = []
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => output.push(...text.trimEnd().split("\n")))
      }
      const exited = once(child, "close")
      return {
        port: Number(env["PORT"]),
        output,
        signal: (signal) => Effect.sync(() => child.kill(signal)),
        exitCode: Effect.map(
          Effect.promise(() => exited),
          ([code]) => code as number | null
        )
      }
    }),
    ({ output, signal, exitCode }, exit) =>
      Effect.andThen(
        exit._tag === "Success" ? Effect.void : Effect.logError(`the server said:\n${output.slice(-40).join("\n")}`),
        Effect.andThen(signal("SIGTERM"), exitCode)
      )
  )

/** A free port and an empty folder, gone with the scope. */
const place = Effect.gen(function* () {
  const port = yield* Effect.promise(async () => {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    server.close()
    return typeof address === "object" && address !== null ? address.port : 0
  })
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

/**
 * Asks again until it is so, and returns after how many milliseconds it was; dies with a sentence if it does not come to
 * be. Time in which this process could not run does not count: on a machine so busy that a sleep takes twice its time,
 * the limit is twice as long.
 */
export const until = <E>(what: string, isSo: Effect.Effect<boolean, E>, within: Duration.Input = "1 second") =>
  Effect.gen(function* () {
    const limit = Duration.toMillis(Duration.fromInputUnsafe(within))
    const begun = performance.now()
    let lost = 0
    const tick = Effect.suspend(() => {
      const before = performance.now()
      return Effect.map(Effect.sleep(POLL_MILLIS), () => (lost += performance.now() - before - POLL_MILLIS))
    })
    yield* Effect.forkScoped(Effect.forever(tick))
    while (true) {
      const so = yield* isSo.pipe(
        Effect.timeout(limit * 2),
        Effect.orElseSucceed(() => false)
      )
      const passed = performance.now() - begun
      if (so) return passed
      yield* Effect.sleep(POLL_MILLIS)
      if (passed > limit + lost) {
        return yield* Effect.die(new Error(`not within ${Math.round(passed - lost)} ms: ${what}`))
      }
    }
  }).pipe(Effect.scoped)

export const isReady = (demo: Demo) => Effect.map(get(demo, "/health"), ({ status }) => status === 200)

// ---- HTTP ---------------------------------------------------------------------------------------------------------

/** There was no answer: the connection broke. */
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
    // Whatever is broken: who asks gets an answer, or learns that there will be none.
    Effect.timeoutOrElse({
      duration: "20 seconds",
      orElse: () => Effect.die(new Error(`no answer at all: ${init.method ?? "GET"} ${target}`))
    })
  )

export const get = (demo: Demo, target: string) => request(demo, target, {})

export const post = (demo: Demo, target: string, body?: string) =>
  request(demo, target, { method: "POST", ...(body === undefined ? {} : { body }) })

const Broke = Schema.Struct({ broke: Schema.String })

/** Breaks a target and returns what broke. */
export const breakIt = (demo: Demo, target: string) =>
  Effect.gen(function* () {
    const { status, body } = yield* post(demo, `/break/${target}`)
    assert.strictEqual(status, 202, `${target}: ${JSON.stringify(body)}`)
    return (yield* Schema.decodeUnknownEffect(Broke)(body)).broke
  }).pipe(Effect.orDie)

const Message = Schema.Struct({ id: Schema.Finite, room: Schema.String, from: Schema.String, text: Schema.String })
export type Message = typeof Message.Type

/** Posts; undefined if it was not acknowledged. */
export const say = (demo: Demo, room: string, text: string, from = "test") =>
  Effect.gen(function* () {
    const { status, body } = yield* post(demo, `/rooms/${room}/messages`, JSON.stringify({ from, text }))
    if (status === 201) return yield* Effect.orDie(Schema.decodeUnknownEffect(Message)(body))
    assert.strictEqual(status, 503, JSON.stringify(body))
    return undefined
  }).pipe(Effect.catchTag("NoAnswer", () => Effect.undefined))

export const history = (demo: Demo, room: string) =>
  Effect.gen(function* () {
    const { body } = yield* get(demo, `/rooms/${room}/messages`)
    return yield* Schema.decodeUnknownEffect(Schema.Array(Message))(body)
  }).pipe(Effect.orDie)

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

/** Fails where nobody answers, and while the server is draining. */
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
  readonly send: (frame: string) => Effect.Effect<void>
}

/** Listens in a room until the scope closes. */
export const listen = (demo: Demo, room: string): Effect.Effect<Ear, never, Scope.Scope> =>
  Effect.gen(function* () {
    const heard: Array<string> = []
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = new WebSocket(`ws://127.0.0.1:${demo.port}/rooms/${room}/live`)
        socket.addEventListener("message", ({ data }) => heard.push(String(data)))
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
      isOpen: Effect.sync(() => socket.readyState === WebSocket.OPEN),
      send: (frame) => Effect.sync(() => socket.send(frame))
    }
  })
