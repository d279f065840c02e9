import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Kernel, type Mailbox, Process, Shutdown, Signal } from "effect-otp/kernel"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import {
  beside,
  type Client,
  ended,
  type Failed,
  failure,
  failureOf,
  fates,
  get,
  later,
  pidOf,
  running,
  set,
  start,
  timedOut,
  turn
} from "./puppet.ts"

const full: Failed = { reason: { _tag: "MailboxFull" }, started: "no" }
const strategies: ReadonlyArray<Mailbox.Strategy> = ["suspend", "fail", "dropping", "sliding"]

/** A puppet that is busy until its gate opens. */
const busy = (strategy: Mailbox.Strategy, capacity = 1, options: { readonly drain?: boolean } = {}) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const puppet = yield* start({ ...options, mailbox: { capacity, strategy } })
    yield* puppet.cast(turn(Deferred.await(gate)))
    yield* settle
    return { puppet, pid: yield* pidOf(puppet), open: Effect.andThen(Deferred.succeed(gate, undefined), settle) }
  })

/** A cast that records that it was handled. */
const notes = () => {
  const seen: Array<number> = []
  const note = (what: number) => (n: number) => {
    seen.push(what)
    return GenServer.noReply(n)
  }
  return { seen, note }
}

describe("suspend", () => {
  kernelTest(
    "casts and calls wait for room, and are handled in order",
    Effect.gen(function* () {
      const { note, seen } = notes()
      const { open, puppet } = yield* busy("suspend")
      yield* puppet.cast(note(1))
      const two = yield* beside(puppet.cast(note(2)))
      const three = yield* beside(
        puppet.call((n) =>
          Effect.map(
            Effect.sync(() => seen.push(3)),
            () => GenServer.reply(n, n)
          )
        )
      )
      yield* running(two)
      yield* running(three)
      yield* open
      assert.deepStrictEqual([yield* ended(two), yield* ended(three)], [Exit.void, Exit.succeed(0)])
      assert.deepStrictEqual(seen, [1, 2, 3])
      assert.deepStrictEqual(yield* fates, { accepted: 4, handled: 4 })
    })
  )

  kernelTest(
    "an interruption takes a waiting message back, and so does the timeout of a call",
    Effect.gen(function* () {
      const { note, seen } = notes()
      const { open, puppet } = yield* busy("suspend")
      yield* puppet.cast(note(1))
      const two = yield* beside(puppet.cast(note(2)))
      const three = yield* beside(puppet.call(get, { timeout: 100 }))
      const four = yield* beside(puppet.cast(note(4)))
      yield* Fiber.interrupt(two)
      yield* later(100)
      assert.deepStrictEqual(failureOf(yield* ended(three)), timedOut("no"))
      yield* open
      yield* ended(four)
      assert.deepStrictEqual(seen, [1, 4])
      assert.deepStrictEqual(yield* fates, { accepted: 5, handled: 3, returned: 2 })
    })
  )

  kernelTest(
    "a call that is withdrawn from the queue makes room for a waiting sender",
    Effect.gen(function* () {
      const { note, seen } = notes()
      const { open, puppet } = yield* busy("suspend")
      const queued = yield* beside(puppet.call(get))
      const waiting = yield* beside(puppet.cast(note(1)))
      yield* running(waiting)
      yield* Fiber.interrupt(queued)
      assert.deepStrictEqual(yield* ended(waiting), Exit.void)
      assert.deepStrictEqual(seen, [])
      yield* open
      assert.deepStrictEqual(seen, [1])
    })
  )

  for (const [what, end, reason] of [
    ["stops", (puppet: Client) => GenServer.terminate(puppet), ExitReason.normal],
    ["is killed", (_: Client, pid: Parameters<typeof Process.kill>[0]) => Process.kill(pid), ExitReason.killed]
  ] as const) {
    kernelTest(
      `the server ${what}: senders that wait for room go on`,
      Effect.gen(function* () {
        const { note } = notes()
        const { open, pid, puppet } = yield* busy("suspend")
        yield* Effect.forkChild(Effect.ignore(end(puppet, pid)))
        yield* settle
        const cast = yield* beside(puppet.cast(note(2)))
        const calling = yield* beside(failure(puppet.call(get)))
        yield* open
        yield* ended(cast)
        const failed = yield* Fiber.join(calling)
        assert.strictEqual(failed.started, "no")
        assert.include(["NoProcess", "ServerDown"], failed.reason._tag)
        assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
      })
    )
  }

  kernelTest(
    "a server that casts to itself gets an answer at once, never a hang",
    Effect.gen(function* () {
      const letters: Array<unknown> = []
      yield* Telemetry.attachScoped("letters", Events.deadLetter, (_, { why }) => void letters.push(why))
      const { note, seen } = notes()
      const puppet = yield* start({ mailbox: { capacity: 1, strategy: "suspend" } })
      yield* puppet.call((n, { self }) =>
        Effect.as(Effect.andThen(self.cast(note(1)), self.cast(note(2))), GenServer.reply(0, n))
      )
      yield* puppet.call((n, { cast, self }) => {
        cast(self, "cast", note(3))
        cast(self, "cast", note(4))
        return GenServer.reply(0, n)
      })
      yield* settle
      assert.deepStrictEqual(seen, [1, 3])
      assert.deepStrictEqual(letters, [{ _tag: "Full" }, { _tag: "Full" }])
    })
  )

  kernelTest(
    "many senders and little room: every message is handled once",
    Effect.gen(function* () {
      const { note, seen } = notes()
      const puppet = yield* start({ mailbox: { capacity: 2, strategy: "suspend" } })
      const sender = (from: number) =>
        Effect.forEach([1, 2, 3, 4, 5], (at) => puppet.cast(note(from * 10 + at)), { discard: true })
      yield* Effect.forEach([1, 2, 3, 4], sender, { concurrency: "unbounded" })
      yield* puppet.call(get)
      assert.strictEqual(seen.length, 20)
      for (const from of [1, 2, 3, 4]) {
        const own = seen.filter((what) => Math.floor(what / 10) === from)
        assert.deepStrictEqual(
          own,
          [1, 2, 3, 4, 5].map((at) => from * 10 + at)
        )
      }
    }),
    100
  )
})

describe("fail", () => {
  kernelTest(
    "a call fails with MailboxFull and was not started, a cast is a dead letter",
    Effect.gen(function* () {
      const letters: Array<unknown> = []
      yield* Telemetry.attachScoped(
        "letters",
        Events.deadLetter,
        (_, { content, why }) => void letters.push([content, why])
      )
      const { note, seen } = notes()
      const { open, puppet } = yield* busy("fail")
      const lost = note(2)
      yield* puppet.cast(note(1))
      assert.deepStrictEqual(yield* failure(puppet.call(get)), full)
      yield* puppet.cast(lost)
      assert.deepStrictEqual(letters, [[{ _tag: "cast", payload: lost }, { _tag: "Full" }]])
      yield* open
      assert.deepStrictEqual(seen, [1])
      assert.strictEqual(yield* puppet.call(get), 0)
      assert.deepStrictEqual(yield* fates, { accepted: 5, handled: 3, returned: 1, deadLettered: 1 })
    })
  )
})

describe("dropping", () => {
  kernelTest(
    "a message to a full mailbox is dropped; a dropped call fails",
    Effect.gen(function* () {
      const { note, seen } = notes()
      const { open, puppet } = yield* busy("dropping", 2)
      for (const what of [1, 2, 3]) yield* puppet.cast(note(what))
      assert.deepStrictEqual(yield* failure(puppet.call(get)), full)
      yield* open
      assert.deepStrictEqual(seen, [1, 2])
      assert.deepStrictEqual(yield* fates, { accepted: 5, handled: 3, returned: 1, dropped: 1 })
    })
  )
})

describe("sliding", () => {
  kernelTest(
    "the oldest message makes room; a dropped call fails",
    Effect.gen(function* () {
      const { note, seen } = notes()
      const { open, puppet } = yield* busy("sliding", 2)
      const calling = yield* beside(puppet.call(get))
      for (const what of [1, 2, 3]) yield* puppet.cast(note(what))
      assert.deepStrictEqual(failureOf(yield* ended(calling)), full)
      yield* open
      assert.deepStrictEqual(seen, [2, 3])
      assert.deepStrictEqual(yield* fates, { accepted: 5, handled: 3, returned: 1, dropped: 1 })
    })
  )
})

describe("any bound", () => {
  for (const strategy of strategies) {
    kernelTest(
      `${strategy}: a full mailbox refuses no request to stop`,
      Effect.gen(function* () {
        const { note, seen } = notes()
        const { open, pid, puppet } = yield* busy(strategy)
        yield* puppet.cast(note(1))
        const stopped = yield* beside(GenServer.terminate(puppet))
        // A later message does not push it out, either.
        const late = yield* beside(puppet.cast(note(2)))
        yield* open
        assert.deepStrictEqual(yield* ended(stopped), Exit.void)
        yield* ended(late)
        assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.normal)
        assert.notInclude(seen, 2)
        if (strategy !== "sliding") assert.deepStrictEqual(seen, [1])
      })
    )

    kernelTest(
      `${strategy}: a full mailbox does not delay a shutdown that drains`,
      Effect.gen(function* () {
        const { note, seen } = notes()
        const { open, pid, puppet } = yield* busy(strategy, 1, { drain: true })
        yield* puppet.cast(note(1))
        const waiting = yield* beside(puppet.cast(note(2)))
        const shutting = yield* beside(Shutdown.shutdown(pid))
        yield* open
        assert.deepStrictEqual(yield* ended(shutting), Exit.succeed({ reason: ExitReason.shutdown(), zombie: false }))
        yield* ended(waiting)
        const expected = { suspend: [1, 2], fail: [1], dropping: [1], sliding: [2] }
        assert.deepStrictEqual(seen, expected[strategy])
      })
    )

    kernelTest(
      `${strategy}: signals of the kernel are accepted`,
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        const gate = yield* Deferred.make<void>()
        const puppet = yield* start({
          mailbox: { capacity: 1, strategy },
          init: Effect.as(Process.trapExit(true), 0),
          info: (message, state) => {
            seen.push(message)
            return GenServer.noReply(state)
          }
        })
        const pid = yield* pidOf(puppet)
        yield* puppet.cast(turn(Deferred.await(gate)))
        yield* settle
        yield* puppet.cast(set(1))
        yield* Process.exit(pid, ExitReason.shutdown("signal"))
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.deepStrictEqual(seen, [new Signal.Exit(undefined, ExitReason.shutdown("signal"))])
      })
    )
  }

  it("a bound that makes no sense is refused where it is given", () => {
    for (const mailbox of [
      { capacity: 0, strategy: "fail" },
      { capacity: 1.5, strategy: "fail" },
      { capacity: NaN, strategy: "fail" },
      { capacity: 1, strategy: "drop" as "fail" }
    ] as const) {
      assert.throws(() => start({ mailbox }), RangeError, /mailbox/)
    }
  })

  kernelTest(
    "a message in hand takes no room in the mailbox",
    Effect.gen(function* () {
      const { open, puppet } = yield* busy("fail", 1)
      const calling = yield* beside(puppet.call(get))
      yield* open
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(0))
      assert.strictEqual((yield* Kernel.messages).pending, 0)
    })
  )
})
