import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Equal, Fiber, Ref, Schema } from "effect"
import * as Demo from "./demo.ts"

// Real time and real processes: the subject of these tests is an operating-system process and its sockets.

const TIMES = 50

const hanging = ["hanging-1", "hanging-2", "hanging-3", "hanging-4", "hanging-5"]
const rooms = ["quiet-1", "quiet-2", "crashing", "flooded", ...hanging]

const repeat = (times: number, f: (n: number) => Effect.Effect<unknown>) =>
  Effect.forEach(Array.range(1, times), f, { discard: true })

/** Posts from 20 clients until told to stop. Returns the messages that were acknowledged. */
const load = (demo: Demo.Demo) =>
  Effect.gen(function* () {
    const stopped = yield* Ref.make(false)
    const acknowledged: Array<Demo.Message> = []
    const client = Effect.fnUntraced(function* (client: number) {
      // Half of them avoid the rooms that hang, so they do not have to wait.
      const visited = client % 2 === 0 ? rooms : rooms.slice(0, 4)
      for (let n = client; !(yield* Ref.get(stopped)); n++) {
        const message = yield* Demo.say(demo, visited[n % visited.length]!, `${n}`, `client ${client}`)
        if (message !== undefined) acknowledged.push(message)
        yield* Effect.sleep("100 millis")
      }
    })
    const clients = yield* Effect.forkChild(
      Effect.forEach(Array.range(1, 20), client, { concurrency: "unbounded", discard: true })
    )
    const stop = Effect.andThen(Ref.set(stopped, true), Fiber.join(clients))
    return { acknowledged, stop: Effect.as(stop, acknowledged) }
  })

/** Every acknowledged message is in the history exactly once. */
const assertWhole = Effect.fnUntraced(function* (demo: Demo.Demo, acknowledged: ReadonlyArray<Demo.Message>) {
  const visited = Array.dedupe(acknowledged.map(({ room }) => room))
  const kept = (yield* Effect.forEach(visited, (room) => Demo.history(demo, room))).flat()
  const byId = new Map(kept.map((message) => [message.id, message]))
  assert.strictEqual(byId.size, kept.length, "an id is there twice")
  const said = kept.map(({ room, from, text }) => `${room} ${from} ${text}`)
  const twice = said.filter((one, at) => said.indexOf(one) !== at)
  assert.deepStrictEqual(twice, [], "a message is there twice")
  for (const message of acknowledged) assert.deepStrictEqual(byId.get(message.id), message)
})

/** A refused attempt may be in the history all the same, so the next one has another text. */
const heals = (demo: Demo.Demo, room: string, n: number) =>
  Effect.suspend(() => {
    let attempt = 0
    return Demo.until(
      `${room} takes posts again`,
      Effect.suspend(() => Demo.say(demo, room, `${n}, attempt ${++attempt}`, "healer")).pipe(
        Effect.map((message) => message !== undefined)
      ),
      "3 seconds"
    )
  })

/** All the ways to break the server that its operating-system process survives, fifty times each. */
const strikes = (demo: Demo.Demo, strike: (target: string) => Effect.Effect<unknown>) => {
  const weather = (status: number) =>
    Demo.until(
      `weather answers ${status}`,
      Effect.map(Demo.get(demo, "/weather/paris"), (answer) => answer.status === status),
      "5 seconds"
    )
  const hang = (room: string) =>
    repeat(TIMES / hanging.length, (n) => Effect.andThen(strike(`hang/${room}`), heals(demo, room, n)))
  const session = Effect.scoped(
    Effect.gen(function* () {
      const ear = yield* Demo.listen(demo, "quiet-1")
      yield* strike(`session/${ear.session}`)
      yield* Demo.until(
        "the socket is closed",
        Effect.map(ear.isOpen, (open) => !open),
        "3 seconds"
      )
    })
  )
  // The database may be lost five times in a second, but not more.
  const pause = Effect.sleep("210 millis")
  return {
    room: repeat(TIMES, (n) => Effect.andThen(strike("room/crashing"), heals(demo, "crashing", n))),
    hang: Effect.forEach(hanging, hang, { concurrency: "unbounded" }),
    flood: repeat(TIMES, (n) => Effect.andThen(strike("flood/flooded"), heals(demo, "flooded", n))),
    session: repeat(TIMES, () => session),
    upstream: repeat(TIMES, () => Effect.andThen(Effect.andThen(strike("upstream"), weather(503)), weather(200))),
    database: repeat(TIMES, (n) =>
      Effect.andThen(Effect.andThen(strike("database"), heals(demo, "quiet-2", n)), pause)
    ),
    random: repeat(TIMES, () => Effect.andThen(strike("random"), pause)),
    loop: repeat(TIMES, () => Effect.andThen(strike("loop"), Effect.sleep("50 millis")))
  }
}

const Refusal = Schema.Struct({ error: Schema.String, message: Schema.String })

/** Whether no message has vanished, and nothing is left of the processes in between. */
const isAsBefore = (demo: Demo.Demo, before: Demo.Tree) =>
  Effect.map(Demo.tree(demo), ({ counts, messages }) => {
    assert.strictEqual(messages.missing, 0, "a message has vanished")
    return messages.pending === 0 && Equal.equals(counts, before.counts)
  })

describe("break-your-server", () => {
  it.live(
    "goes on serving while each part of it is broken fifty times under load",
    () =>
      Effect.gen(function* () {
        const demo = yield* Demo.ready
        const before = yield* Demo.tree(demo)
        const broken = new Set<string>()
        const strike = Effect.fnUntraced(function* (target: string) {
          const broke = yield* Demo.breakIt(demo, target)
          broken.add(broke)
          yield* Demo.until(`healthy after ${broke}`, Demo.isReady(demo))
        })
        const { loop, random, ...others } = strikes(demo, strike)

        yield* Effect.scoped(
          Effect.gen(function* () {
            const ears = yield* Effect.forEach(rooms, (room) => Demo.listen(demo, room))
            const clients = yield* load(demo)
            yield* Effect.all(Object.values(others), { concurrency: "unbounded" })
            // The loop blocks everybody, and the random faults may break anything. Both would disturb the other checks,
            // so they come last.
            yield* Effect.all([loop, random], { concurrency: "unbounded" })
            yield* assertWhole(demo, yield* clients.stop)
            for (const ear of ears) {
              if (broken.has(`session/${ear.session}`)) continue
              assert.isTrue(yield* ear.isOpen, "a socket was closed")
              assert.isAbove(ear.heard.length, TIMES)
            }
          })
        )
        yield* Demo.until("all counts are as before", isAsBefore(demo, before), "10 seconds")
      }),
    240_000
  )

  it.live(
    "starts again when the process ends, and the history is whole",
    () =>
      Effect.gen(function* () {
        const demo = yield* Demo.ready
        const clients = yield* load(demo)
        const ends = Effect.fnUntraced(function* (how: Effect.Effect<unknown>, output: string) {
          const { osProcess } = yield* Demo.tree(demo)
          const before = clients.acknowledged.length
          yield* Demo.until(
            "messages are acknowledged",
            Effect.sync(() => clients.acknowledged.length >= before + 20),
            "5 seconds"
          )
          const isAnother = Effect.map(Demo.tree(demo), (now) => now.osProcess !== osProcess)
          yield* Effect.raceFirst(
            Effect.andThen(how, Effect.never),
            Demo.until(`another process after: ${output}`, isAnother, "30 seconds")
          )
          yield* Demo.until("ready", Demo.isReady(demo))
          assert.include(demo.output.join("\n"), output)
          demo.output.length = 0
        })
        // This happens while the weather service stalls, too: that must not keep the process from ending.
        yield* Demo.breakIt(demo, "upstream")
        assert.strictEqual((yield* Demo.get(demo, "/weather/paris")).status, 503)
        yield* ends(Demo.breakIt(demo, "callback"), "The server has failed: exit code 1")
        yield* ends(loseDatabase(demo), "The server has failed: exit code 1")
        for (let n = 0; n < 3; n++) {
          const { osProcess } = yield* Demo.tree(demo)
          yield* ends(
            Effect.sync(() => process.kill(osProcess, "SIGKILL")),
            "The server has failed: ended by a signal"
          )
        }
        yield* assertWhole(demo, yield* clients.stop)
      }),
    120_000
  )

  it.live(
    "says what is wrong with what it gets",
    () =>
      Effect.gen(function* () {
        const demo = yield* Demo.ready
        yield* Demo.say(demo, "lobby", "hello")
        const messages = "/rooms/lobby/messages"
        const expected: ReadonlyArray<
          readonly [status: number, error: string, answer: Effect.Effect<Demo.Answer, unknown>]
        > = [
          [400, "SchemaError", Demo.post(demo, messages, "{")],
          [400, "SchemaError", Demo.post(demo, messages, JSON.stringify({ from: "joe" }))],
          [400, "SchemaError", Demo.post(demo, messages, JSON.stringify({ from: "joe", text: "é".repeat(2049) }))],
          [400, "SchemaError", Demo.get(demo, `${messages}?after=yesterday`)],
          [
            400,
            "SchemaError",
            Demo.post(demo, "/rooms/NO%20ROOM/messages", JSON.stringify({ from: "joe", text: "hello" }))
          ],
          [400, "SchemaError", Demo.get(demo, "/weather/P4RIS")],
          [413, "BadBody", Demo.post(demo, messages, "x".repeat(100_000))],
          [404, "NotFound", Demo.get(demo, "/rooms/nobody-here/messages")],
          [404, "NotFound", Demo.get(demo, "/nothing")],
          [404, "UnknownTarget", Demo.post(demo, "/break/everything")],
          [404, "UnknownTarget", Demo.post(demo, "/break/constructor")],
          [404, "UnknownTarget", Demo.post(demo, "/break/room/nobody-here")],
          [404, "UnknownTarget", Demo.post(demo, "/break/session/nobody")],
          [426, "NotAWebSocket", Demo.get(demo, "/rooms/lobby/live")]
        ]
        for (const [status, error, answer] of expected) {
          const { status: given, body } = yield* answer
          const refusal = yield* Schema.decodeUnknownEffect(Refusal)(body)
          assert.deepStrictEqual([given, refusal.error], [status, error])
          assert.isNotEmpty(refusal.message)
        }
        const ear = yield* Demo.listen(demo, "lobby")
        yield* ear.send("no json")
        yield* Demo.until(
          "a bad frame is refused",
          Effect.sync(() => ear.heard.some((frame) => frame.includes("Refused")))
        )

        yield* demo.signal("SIGTERM")
        yield* Demo.until(
          "it is draining",
          Effect.map(Demo.get(demo, "/health"), ({ status }) => status === 503)
        )
        assert.strictEqual(yield* demo.exitCode, 0)
      }),
    60_000
  )

  it.live(
    "refuses bad settings with a sentence",
    () =>
      Effect.gen(function* () {
        const demo = yield* Demo.run({ PORT: "http" })
        assert.strictEqual(yield* demo.exitCode, 1)
        assert.deepStrictEqual(demo.output, ["PORT must be a whole number from 1 to 65535"])
      }),
    60_000
  )
})

/** Loses the database again and again: live chat goes on, posts are refused, until the server gives up. */
const loseDatabase = (demo: Demo.Demo) =>
  Effect.gen(function* () {
    const strike = Demo.post(demo, "/break/database")
    const ear = yield* Demo.listen(demo, "quiet-1")
    const isRefused = Effect.gen(function* () {
      yield* strike
      const posted = yield* Demo.post(demo, "/rooms/quiet-1/messages", JSON.stringify({ from: "test", text: "kept?" }))
      return posted.status === 503
    })
    yield* Demo.until("a post is refused", isRefused, "10 seconds")
    yield* ear.send(JSON.stringify({ from: "test", text: "live" }))
    yield* Demo.until(
      "the live chat goes on",
      Effect.sync(() => ear.heard.some((frame) => frame.includes("live")))
    )
    // The server gives up only if the losses follow each other fast. One client is too slow for that on a busy machine.
    const untilGone = Effect.ignore(Effect.forever(strike))
    yield* Effect.all([untilGone, untilGone, untilGone, untilGone], { concurrency: "unbounded" })
  }).pipe(Effect.scoped)
