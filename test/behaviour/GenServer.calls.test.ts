import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Kernel, Process } from "effect-otp/kernel"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"
import {
  beside,
  type Client,
  crash,
  down,
  ended,
  failure,
  failureOf,
  fates,
  get,
  later,
  noProcess,
  pidOf,
  Refused,
  running,
  set,
  start,
  stopping,
  timedOut,
  turn
} from "./puppet.ts"

const add = (by: number) => (state: number) => GenServer.reply(state, state + by)
const wait = (gate: Deferred.Deferred<void>) => turn(Deferred.await(gate))

describe("call", () => {
  kernelTest(
    "#74 a call sees what was cast before it by the same sender",
    Effect.gen(function* () {
      const puppet = yield* start()
      yield* puppet.cast(set(1))
      yield* puppet.cast((n) => GenServer.noReply(n + 1))
      assert.deepStrictEqual(yield* Effect.exit(puppet.call(get)), Exit.succeed(2))
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 3 })
    })
  )

  kernelTest(
    "a typed failure reaches the caller, the state stays, the server lives",
    Effect.gen(function* () {
      const puppet = yield* start()
      const refused = new Refused({ why: "no" })
      const pid = yield* pidOf(puppet)
      yield* puppet.call(set(5))
      assert.deepStrictEqual(yield* Effect.exit(puppet.call(() => Effect.fail(refused))), Exit.fail(refused))
      assert.deepStrictEqual(
        yield* Effect.exit(puppet.call(() => Effect.andThen(Effect.yieldNow, Effect.fail(refused)))),
        Exit.fail(refused)
      )
      assert.strictEqual(yield* puppet.call(get), 5)
      assert.strictEqual(yield* pidOf(puppet), pid)
      assert.deepStrictEqual(yield* fates, { accepted: 4, handled: 4 })
    })
  )

  kernelTest(
    "a handler may return a plain value, an Exit, an effect that ends at once or one that takes time",
    Effect.gen(function* () {
      const puppet = yield* start()
      const answers = [
        add(1),
        (n: number) => Exit.succeed(GenServer.reply(n, n + 1)),
        (n: number) => Effect.sync(() => GenServer.reply(n, n + 1)),
        (n: number) => Effect.as(Effect.yieldNow, GenServer.reply(n, n + 1))
      ]
      const seen: Array<unknown> = []
      for (const answer of answers) seen.push(yield* puppet.call(answer))
      assert.deepStrictEqual(seen, [0, 1, 2, 3])
      assert.deepStrictEqual(
        yield* Effect.exit(puppet.call(() => Exit.fail(new Refused({ why: "exit" })))),
        Exit.fail(new Refused({ why: "exit" }))
      )
      assert.strictEqual(yield* puppet.call(get), 4)
    })
  )

  kernelTest(
    "one turn at a time, in the order of the messages",
    Effect.gen(function* () {
      const puppet = yield* start()
      let inside = 0
      const step = (by: number) => (n: number) =>
        Effect.gen(function* () {
          assert.strictEqual(inside++, 0)
          yield* Effect.yieldNow
          yield* Effect.yieldNow
          inside--
          return GenServer.reply(n, n * 10 + by)
        })
      yield* Effect.forEach([1, 2, 3], (by) => puppet.call(step(by)), { concurrency: "unbounded" })
      assert.sameMembers(String(yield* puppet.call(get)).split(""), ["1", "2", "3"])
    })
  )

  kernelTest(
    "#70 the default timeout is 5 seconds",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      const calling = yield* beside(puppet.call(wait(gate)))
      yield* later(4999)
      yield* running(calling)
      yield* later(1)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), timedOut("unknown"))
      yield* Deferred.succeed(gate, undefined)
    })
  )

  kernelTest(
    "#336 a call that has begun times out as unknown; its late reply is dropped and counted",
    Effect.gen(function* () {
      const late: Array<string> = []
      yield* Telemetry.attachScoped("late", Events.lateReply, (_, { request }) => void late.push(request))
      const puppet = yield* start()
      const calling = yield* beside(puppet.call(turn(Effect.sleep(150)), { timeout: 50 }))
      yield* later(50)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), timedOut("unknown"))
      assert.strictEqual((yield* Kernel.counts).lateReplies, 0)
      yield* later(100)
      assert.deepStrictEqual(late, ["call"])
      assert.strictEqual((yield* Kernel.counts).lateReplies, 1)
      assert.strictEqual(yield* puppet.call(get), 0)
      assert.deepStrictEqual(yield* fates, { accepted: 2, handled: 1, abandoned: 1 })
    })
  )

  kernelTest(
    "a call that times out in the queue was not started, and is never begun",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      let begun = false
      yield* puppet.cast(wait(gate))
      const calling = yield* beside(
        puppet.call(
          turn(
            Effect.sync(() => {
              begun = true
            })
          ),
          { timeout: 50 }
        )
      )
      yield* later(50)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), timedOut("no"))
      yield* Deferred.succeed(gate, undefined)
      yield* puppet.call(get)
      assert.isFalse(begun)
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 2, returned: 1 })
    })
  )

  kernelTest(
    "each of several calls times out at its own time",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(wait(gate))
      const out: Array<number> = []
      for (const millis of [300, 100, 200, 100]) {
        yield* beside(
          Effect.andThen(
            failure(puppet.call(get, { timeout: millis })),
            Effect.sync(() => out.push(millis))
          )
        )
      }
      yield* later(100)
      assert.deepStrictEqual(out, [100, 100])
      yield* later(150)
      assert.deepStrictEqual(out, [100, 100, 200])
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      yield* later(1000)
      assert.deepStrictEqual(out, [100, 100, 200])
    })
  )

  kernelTest(
    "a timeout of infinity never comes",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      const calling = yield* beside(puppet.call(wait(gate), { timeout: Duration.infinity }))
      yield* later(Duration.toMillis("10 days"))
      yield* running(calling)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(undefined))
    })
  )

  kernelTest(
    "a timeout that makes no sense dies in the caller",
    Effect.gen(function* () {
      const puppet = yield* start()
      const exit = yield* Effect.exit(puppet.call(get, { timeout: "soon" as "1 second" }))
      assert.isTrue(Exit.hasDies(exit))
      assert.deepStrictEqual(yield* fates, {})
    })
  )

  kernelTest(
    "an interrupted caller withdraws a call that has not begun",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(wait(gate))
      const calling = yield* beside(puppet.call(set(9)))
      yield* Fiber.interrupt(calling)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* puppet.call(get), 0)
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 2, returned: 1 })
    })
  )

  kernelTest(
    "an interrupted caller abandons a call that has begun: the handler is not disturbed",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      const calling = yield* beside(puppet.call((n) => Effect.as(Deferred.await(gate), GenServer.reply(n, 9))))
      yield* Fiber.interrupt(calling)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* puppet.call(get), 9)
      assert.deepStrictEqual(yield* fates, { accepted: 2, handled: 1, abandoned: 1 })
      assert.strictEqual((yield* Kernel.counts).lateReplies, 1)
    })
  )

  kernelTest(
    "a caller that is killed leaves no call in the queue, and none that it still sends",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(wait(gate))
      const seen: Array<unknown> = []
      const caller = yield* Process.spawn(
        Effect.onExit(puppet.call(set(9)), () =>
          Effect.gen(function* () {
            seen.push(yield* failure(puppet.call(set(8))))
            yield* puppet.cast(set(7))
          })
        )
      )
      yield* settle
      yield* Process.kill(caller)
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* puppet.call(get), 0)
      assert.strictEqual(seen.length, 1)
      const { accepted, dropped, handled, returned } = yield* Kernel.messages
      assert.deepStrictEqual(
        { accepted, dropped, handled, returned },
        { accepted: 5, dropped: 2, handled: 2, returned: 1 }
      )
    })
  )

  kernelTest(
    "#69 #94 a crash is learned at once by the caller in hand and by those in the queue",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const last = yield* Deferred.make<void>()
      const puppet = yield* start({ terminate: () => Deferred.await(last) })
      const first = yield* beside(puppet.call(() => Effect.andThen(Deferred.await(gate), Effect.die("bang"))))
      const second = yield* beside(puppet.call(get))
      yield* Deferred.succeed(gate, undefined)
      const bang = ExitReason.defect("bang")
      assert.deepStrictEqual(failureOf(yield* ended(first)), down(bang, "unknown"))
      assert.deepStrictEqual(failureOf(yield* ended(second)), down(bang, "no"))
      assert.deepStrictEqual(yield* failure(puppet.call(get)), noProcess)
      yield* Deferred.succeed(last, undefined)
    })
  )

  kernelTest(
    "#70 a server that stops without an answer tells its reason",
    Effect.gen(function* () {
      for (const reason of [
        ExitReason.normal,
        ExitReason.shutdown(),
        ExitReason.shutdown("reason"),
        ExitReason.defect("x")
      ]) {
        const puppet = yield* start()
        assert.deepStrictEqual(yield* failure(puppet.call(stopping(reason))), down(reason, "unknown"))
      }
    })
  )

  kernelTest(
    "#70 a call to a dead server fails with NoProcess; a cast to it is a dead letter",
    Effect.gen(function* () {
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      yield* GenServer.terminate(puppet)
      assert.isFalse(yield* Process.isAlive(pid))
      assert.deepStrictEqual(yield* failure(puppet.call(get)), noProcess)
      yield* puppet.cast(set(1))
      assert.strictEqual((yield* fates).deadLettered, 1)
    })
  )

  kernelTest(
    "the message of a CallError names the server, the request and whether it has begun",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      const calling = yield* beside(Effect.flip(puppet.call(wait(gate), { timeout: 1 })))
      yield* later(1)
      assert.strictEqual(
        String((yield* Fiber.join(calling)).message),
        "test/Puppet.call: no answer within the timeout (the call may have begun)"
      )
      yield* Deferred.succeed(gate, undefined)
    })
  )

  kernelTest(
    "a caller outside of any process can call",
    Effect.gen(function* () {
      const puppet = yield* start()
      assert.strictEqual(yield* Effect.uninterruptible(puppet.call(add(1))), 0)
      assert.strictEqual(yield* puppet.call(get), 1)
    })
  )

  kernelTest(
    "answers that resume one another do not run out of stack",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let next: Client | undefined = undefined
      const ask = (to: Client | undefined) =>
        turn(
          to === undefined
            ? Deferred.await(gate)
            : Effect.orDie(Effect.suspend(() => to.call(get, { timeout: Duration.infinity })))
        )
      const puppets: Array<Client> = []
      for (let i = 0; i < 300; i++) {
        const puppet: Client = yield* start()
        yield* puppet.cast(ask(next))
        puppets.push((next = puppet))
      }
      const calling = yield* beside(puppets[299]!.call(get))
      yield* Deferred.succeed(gate, undefined)
      for (let i = 0; i < 30; i++) yield* settle
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(0))
    }),
    2
  )
})

describe("call defaults", () => {
  kernelTest(
    "CallDefaults are used by calls without options of their own",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      const quick = Effect.provideService(GenServer.CallDefaults, { timeout: 100 })
      const one = yield* beside(quick(puppet.call(wait(gate))))
      const two = yield* beside(quick(puppet.call(get, { timeout: 200 })))
      yield* later(99)
      yield* running(one)
      yield* later(1)
      assert.deepStrictEqual(failureOf(yield* ended(one)), timedOut("unknown"))
      yield* later(99)
      yield* running(two)
      yield* later(1)
      assert.deepStrictEqual(failureOf(yield* ended(two)), timedOut("no"))
      yield* Deferred.succeed(gate, undefined)
    })
  )

  kernelTest(
    "CallDefaults of a caller do not hold in the server",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const puppet = yield* start()
      const look = turn(Effect.map(GenServer.CallDefaults, (defaults) => void seen.push(defaults)))
      yield* Effect.provideService(puppet.call(look), GenServer.CallDefaults, { timeout: 1 })
      assert.deepStrictEqual(seen, [{}])
    })
  )

  kernelTest(
    "a nested call can inherit the time that is left to its caller",
    Effect.gen(function* () {
      const back = yield* start()
      const front = yield* start()
      const gate = yield* Deferred.make<void>()
      yield* back.cast(wait(gate))
      const seen: Array<unknown> = []
      const nested = turn(
        Effect.andThen(
          Effect.sleep(30),
          Effect.map(failure(back.call(get, { timeout: "inherit" })), (failed) => void seen.push(failed))
        )
      )
      const calling = yield* beside(failure(front.call(nested, { timeout: 100 })))
      yield* later(99)
      assert.deepStrictEqual(seen, [])
      yield* later(1)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(timedOut("unknown")))
      assert.deepStrictEqual(seen, [timedOut("no")])
      yield* Deferred.succeed(gate, undefined)
    })
  )

  kernelTest(
    "an inherited limit is none from a call without one, zero from a caller that has left, and the default without a call",
    Effect.gen(function* () {
      const back = yield* start()
      const front = yield* start()
      const gate = yield* Deferred.make<void>()
      yield* back.cast(wait(gate))
      const seen: Array<string> = []
      const inherit = (name: string, before: number) =>
        turn(
          Effect.andThen(
            Effect.sleep(before),
            Effect.map(
              Effect.exit(back.call(get, { timeout: "inherit" })),
              (exit) => void seen.push(`${name} ${exit._tag}`)
            )
          )
        )
      yield* beside(failure(front.call(inherit("left", 50), { timeout: 10 })))
      yield* later(50)
      assert.deepStrictEqual(seen, ["left Failure"])
      yield* beside(front.cast(inherit("cast", 0)))
      yield* later(4999)
      assert.deepStrictEqual(seen, ["left Failure"])
      yield* later(1)
      assert.deepStrictEqual(seen, ["left Failure", "cast Failure"])
      const calling = yield* beside(front.call(inherit("unlimited", 0), { timeout: Duration.infinity }))
      yield* later(100_000)
      assert.deepStrictEqual(seen, ["left Failure", "cast Failure"])
      yield* Deferred.succeed(gate, undefined)
      yield* ended(calling)
      assert.deepStrictEqual(seen, ["left Failure", "cast Failure", "unlimited Success"])
    })
  )
})

describe("cycles", () => {
  kernelTest(
    "#73 a call to oneself fails at once with the path",
    Effect.gen(function* () {
      const puppet = yield* start()
      for (const options of [undefined, { timeout: 100 }, { timeout: Duration.infinity }]) {
        const seen = yield* puppet.call((n, { self }) =>
          Effect.map(failure(self.call(get, options)), (failed) => GenServer.reply(failed, n))
        )
        const path = ["test/Puppet", "test/Puppet"]
        assert.deepStrictEqual(seen, { reason: { _tag: "CallCycle", path }, started: "no" })
      }
    })
  )

  for (const length of [2, 3, 5]) {
    kernelTest(
      `a cycle across ${length} servers is found at once, with the path`,
      Effect.gen(function* () {
        const puppets: Array<Client> = []
        for (let i = 0; i < length; i++) puppets.push(yield* start({ init: Effect.as(Process.setLabel(`p${i}`), 0) }))
        const chain = (at: number): Effect.Effect<unknown> =>
          at === length
            ? failure(puppets[0]!.call(get))
            : Effect.orDie(puppets[at]!.call((n) => Effect.map(chain(at + 1), (seen) => GenServer.reply(seen, n))))
        const path = [`p${length - 1}`, ...puppets.map((_, i) => `p${i}`)]
        assert.deepStrictEqual(yield* chain(0), { reason: { _tag: "CallCycle", path }, started: "no" })
        for (const puppet of puppets) assert.strictEqual(yield* puppet.call(get), 0)
      })
    )
  }

  kernelTest(
    "a call of a forked fiber never counts",
    Effect.gen(function* () {
      const puppet = yield* start()
      const seen: Array<unknown> = []
      const forking = (n: number, { self }: { readonly self: Client }) =>
        Effect.gen(function* () {
          const scope = yield* Effect.forkDetach(
            Effect.map(Effect.exit(self.call(add(1))), (exit) => void seen.push(exit))
          )
          yield* Effect.yieldNow
          assert.isUndefined(scope.pollUnsafe())
          return GenServer.reply(n, n)
        })
      yield* puppet.call(forking)
      yield* settle
      assert.deepStrictEqual(seen, [Exit.succeed(0)])
    })
  )

  kernelTest(
    "a call that has ended is no longer part of a cycle",
    Effect.gen(function* () {
      const a = yield* start()
      const b = yield* start()
      const gate = yield* Deferred.make<void>()
      // `a` has given up waiting for `b`, so `b` may call `a`.
      yield* b.cast(wait(gate))
      const calling = yield* beside(a.call(turn(Effect.andThen(failure(b.call(get, { timeout: 10 })), Effect.void))))
      yield* later(10)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(undefined))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(
        yield* b.call((n) => Effect.map(Effect.orDie(a.call(get)), (seen) => GenServer.reply(seen, n))),
        0
      )
    })
  )

  kernelTest(
    "a cycle may contain processes that are not servers",
    asProcess(() =>
      Effect.gen(function* () {
        yield* Process.setLabel("tester")
        const puppet = yield* start()
        // The tester waits for the puppet, and the puppet for a server. The tester cannot answer for that server, so
        // there is no cycle.
        const other = yield* start()
        assert.strictEqual(
          yield* puppet.call((n) => Effect.map(Effect.orDie(other.call(get)), (seen) => GenServer.reply(seen, n))),
          0
        )
      })
    )
  )
})

describe("payloads", () => {
  it("protocols that no server can have are refused", () => {
    const twice = [GenServer.cast("a"), GenServer.cast("a")] as const
    assert.throws(() => GenServer.Service<never>()("test/Twice", twice), RangeError, /two messages with the tag "a"/)
    assert.throws(() => GenServer.Service<never>()("test/Then", [GenServer.cast("then")]), RangeError, /"then"/)
  })
})

describe("crash of the caller", () => {
  kernelTest(
    "does not disturb the server",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gate = yield* Deferred.make<void>()
      const caller = yield* start()
      yield* caller.cast(turn(Effect.orDie(Effect.raceFirst(puppet.call(wait(gate)), Effect.die("bang")))))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* puppet.call(get), 0)
      yield* puppet.cast(crash("x"))
    })
  )
})
