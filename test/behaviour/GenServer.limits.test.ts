import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { Agent, GenServer, StateMachine, Sys } from "effect-otp/behaviour"
import { ExitReason, Kernel, type Pid, Process, Shutdown } from "effect-otp/kernel"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import {
  beside,
  type Client,
  crashReports,
  down,
  ended,
  failure,
  failureOf,
  fates,
  get,
  later,
  pidOf,
  Refused,
  set,
  start,
  turn
} from "./puppet.ts"

/** Counts its idle times in the state. */
const counting = { idle: (state: number) => GenServer.noReply(state + 1) }

const refuse = () => Effect.fail(new Refused({ why: "not today" }))

const diedOfTimeout = (request: string, millis: number, server = "test/Puppet"): ExitReason.ExitReason => {
  const timeout = Duration.millis(millis)
  return ExitReason.crash(Cause.die(new GenServer.TurnTimeout({ server, request, timeout })))
}

const reasonOf = (pid: Pid.Pid): Effect.Effect<ExitReason.ExitReason> => Process.awaitExit(pid)

describe("idleTimeout", () => {
  const messages: ReadonlyArray<readonly [string, (puppet: Client) => Effect.Effect<unknown, unknown>]> = [
    ["nothing but init", () => Effect.void],
    ["a call", (puppet) => puppet.call(get)],
    ["a call that fails with its declared error", (puppet) => Effect.ignore(puppet.call(refuse))],
    ["a cast", (puppet) => puppet.cast((n) => GenServer.noReply(n))],
    ["a turn that takes its time", (puppet) => puppet.call(turn(Effect.yieldNow))],
    ["an info", (puppet) => Effect.flatMap(pidOf(puppet), (pid) => Process.send(pid as Pid.Pid<unknown>, "hello"))]
  ]
  for (const [what, send] of messages) {
    kernelTest(
      `counts from ${what}, and again after each time`,
      Effect.gen(function* () {
        const puppet = yield* start({ ...counting, idleTimeout: 500, info: (_, state) => GenServer.noReply(state) })
        yield* later(300)
        yield* send(puppet)
        yield* later(199)
        assert.strictEqual(yield* stateOf(puppet), 0)
        yield* later(300 + (what === "nothing but init" ? -300 : 0))
        assert.strictEqual(yield* stateOf(puppet), 0)
        yield* later(1)
        assert.strictEqual(yield* stateOf(puppet), 1)
        yield* later(1000)
        assert.strictEqual(yield* stateOf(puppet), 3)
      }),
      10
    )
  }

  kernelTest(
    "stops the server with Normal if there is no handler",
    Effect.gen(function* () {
      const puppet = yield* start({ idleTimeout: "1 second" })
      const pid = yield* pidOf(puppet)
      yield* puppet.call(get)
      yield* later(999)
      assert.isTrue(yield* Process.isAlive(pid))
      yield* later(1)
      assert.deepStrictEqual(yield* reasonOf(pid), ExitReason.normal)
    })
  )

  kernelTest(
    "a turn can set another time, which holds until the next turn that ends well",
    Effect.gen(function* () {
      const puppet = yield* start({ ...counting, idleTimeout: 500 })
      yield* puppet.call((n) => GenServer.reply(0, n, { idle: 2000 }))
      yield* later(1000)
      yield* Effect.ignore(puppet.call(refuse))
      yield* later(1999)
      assert.strictEqual(yield* stateOf(puppet), 0)
      yield* later(1)
      assert.strictEqual(yield* stateOf(puppet), 1)
      yield* later(500)
      assert.strictEqual(yield* stateOf(puppet), 2)
      yield* puppet.call((n) => GenServer.reply(0, n, { idle: Duration.infinity }))
      yield* later(10_000)
      assert.strictEqual(yield* stateOf(puppet), 2)
      yield* puppet.call(get)
      yield* later(500)
      assert.strictEqual(yield* stateOf(puppet), 3)
    })
  )

  kernelTest(
    "a time that only a turn has set survives a typed failure, too",
    Effect.gen(function* () {
      const puppet = yield* start(counting)
      yield* puppet.call((n) => GenServer.reply(0, n, { idle: 500 }))
      yield* later(400)
      yield* Effect.ignore(puppet.call(refuse))
      yield* later(499)
      assert.strictEqual(yield* stateOf(puppet), 0)
      yield* later(1)
      assert.strictEqual(yield* stateOf(puppet), 1)
      yield* later(5000)
      assert.strictEqual(yield* stateOf(puppet), 1)
    })
  )

  kernelTest(
    "does not pass while a turn runs, however long the turn is",
    Effect.gen(function* () {
      const puppet = yield* start({ ...counting, idleTimeout: 100 })
      const caller = yield* beside(puppet.call(turn(Effect.sleep(1000))))
      yield* later(1000)
      yield* ended(caller)
      assert.strictEqual(yield* stateOf(puppet), 0)
      yield* later(100)
      assert.strictEqual(yield* stateOf(puppet), 1)
    })
  )

  kernelTest(
    "leaves no timer behind when the server ends",
    Effect.gen(function* () {
      const puppet = yield* start({ ...counting, idleTimeout: 100 })
      yield* puppet.call(get)
      yield* GenServer.terminate(puppet)
      yield* later(1000)
      assert.strictEqual((yield* Kernel.counts).processes, 0)
    }),
    10
  )

  kernelTest(
    "is an option of an agent",
    Effect.gen(function* () {
      const agent = yield* Agent.start(Effect.succeed(1), { idleTimeout: 100 })
      yield* later(99)
      yield* Agent.update(agent, (n) => n + 1)
      yield* later(99)
      assert.strictEqual(yield* Agent.get(agent), 2)
      const pid = yield* Effect.map(GenServer.pid(agent), (pid) => (pid._tag === "Some" ? pid.value : assert.fail()))
      yield* later(100)
      assert.deepStrictEqual(yield* reasonOf(pid), ExitReason.normal)
    }),
    10
  )
})

/** Reads the state without a message, because a message would end the idle time. */
const stateOf = (puppet: Client): Effect.Effect<number> =>
  Effect.andThen(settle, Effect.orDie(Sys.getState(puppet, { schema: Schema.Number })))

describe("turnTimeout", () => {
  kernelTest(
    "a turn past it crashes the server, and the reason names the message",
    Effect.gen(function* () {
      const ends: Array<unknown> = []
      const reports = yield* crashReports
      const puppet = yield* start({
        turnTimeout: "1 second",
        terminate: (reason, state) => Effect.sync(() => void ends.push([reason, state]))
      })
      const pid = yield* pidOf(puppet)
      yield* puppet.call(set(7))
      const first = yield* beside(puppet.call(turn(Effect.never)))
      const second = yield* beside(puppet.call(get))
      yield* later(999)
      assert.isTrue(yield* Process.isAlive(pid))
      yield* later(1)
      const reason = diedOfTimeout("call", 1000)
      assert.deepStrictEqual(failureOf(yield* ended(first)), down(reason, "unknown"))
      assert.deepStrictEqual(failureOf(yield* ended(second)), down(reason, "no"))
      assert.deepStrictEqual(yield* reasonOf(pid), reason)
      assert.deepStrictEqual(ends, [[reason, 7]])
      assert.strictEqual(reports.length, 1)
      assert.strictEqual((reports[0]!.message as { readonly _tag: string })._tag, "call")
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 1, failed: 1, returned: 1 })
      assert.match(ExitReason.format(reason), /TurnTimeout: test\/Puppet\.call: the turn took longer than 1s/)
    })
  )

  const turns: ReadonlyArray<readonly [string, (puppet: Client) => Effect.Effect<unknown, unknown>]> = [
    ["cast", (puppet) => puppet.cast(turn(Effect.never))],
    ["info", (puppet) => Effect.flatMap(pidOf(puppet), (pid) => Process.send(pid as Pid.Pid<unknown>, "hello"))],
    ["continue", (puppet) => puppet.cast((n) => GenServer.noReply(n, { continue: "more" }))],
    ["idle", (puppet) => puppet.cast((n) => GenServer.noReply(n, { idle: 0 }))]
  ]
  for (const [what, begin] of turns) {
    kernelTest(
      `limits a turn of ${what}`,
      Effect.gen(function* () {
        const stuck = () => Effect.never
        const puppet = yield* start({ turnTimeout: 1000, info: stuck, continue: stuck, idle: stuck })
        const pid = yield* pidOf(puppet)
        yield* begin(puppet)
        yield* later(0)
        yield* later(1000)
        assert.deepStrictEqual(yield* reasonOf(pid), diedOfTimeout(what, 1000))
      }),
      10
    )
  }

  kernelTest(
    "does not affect turns that end in time, and counts anew for each",
    Effect.gen(function* () {
      const puppet = yield* start({ turnTimeout: 100 })
      for (let n = 0; n < 5; n++) {
        const caller = yield* beside(puppet.call(turn(Effect.as(Effect.sleep(99), n))))
        yield* later(99)
        assert.deepStrictEqual(yield* ended(caller), Exit.succeed(n))
      }
      yield* later(5000)
      assert.strictEqual(yield* puppet.call(get), 0)
    }),
    10
  )

  kernelTest(
    "the finalizers of a message belong to its turn",
    Effect.gen(function* () {
      const puppet = yield* start({ turnTimeout: 100 })
      const pid = yield* pidOf(puppet)
      const caller = yield* beside(puppet.call(turn(Effect.addFinalizer(() => Effect.sleep(150)))))
      yield* later(100)
      assert.deepStrictEqual(failureOf(yield* ended(caller)), down(diedOfTimeout("call", 100), "unknown"))
      assert.isTrue(yield* Process.isAlive(pid))
      yield* later(50)
      assert.deepStrictEqual(yield* reasonOf(pid), diedOfTimeout("call", 100))
      assert.deepStrictEqual(yield* fates, { accepted: 1, failed: 1 })
    }),
    20
  )

  kernelTest(
    "a turn that cannot be interrupted has the same time again, then the server is dead without terminate",
    Effect.gen(function* () {
      const ends: Array<unknown> = []
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start({
        turnTimeout: 100,
        terminate: (reason) => Effect.sync(() => void ends.push(reason))
      })
      const pid = yield* pidOf(puppet)
      const caller = yield* beside(puppet.call(turn(Effect.uninterruptible(Deferred.await(gate)))))
      yield* later(100)
      assert.deepStrictEqual(failureOf(yield* ended(caller)), down(diedOfTimeout("call", 100), "unknown"))
      yield* later(99)
      assert.isTrue(yield* Process.isAlive(pid))
      yield* later(1)
      assert.deepStrictEqual(yield* reasonOf(pid), diedOfTimeout("call", 100))
      assert.strictEqual((yield* Kernel.counts).zombies, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual((yield* Kernel.counts).zombies, 0)
      assert.deepStrictEqual(ends, [])
    }),
    20
  )

  kernelTest(
    "a shutdown that waits for such a turn does not hide the crash",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const puppet = yield* start({ turnTimeout: 100 })
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(turn(Effect.never))
      yield* settle
      yield* beside(Shutdown.shutdown(pid, { limit: "1 minute" }))
      yield* later(100)
      assert.deepStrictEqual(yield* reasonOf(pid), diedOfTimeout("cast", 100))
      assert.strictEqual(reports.length, 1)
    }),
    20
  )

  kernelTest(
    "an exit signal that comes first decides the reason",
    Effect.gen(function* () {
      const puppet = yield* start({ turnTimeout: 100 })
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(turn(Effect.uninterruptible(Effect.sleep(150))))
      yield* later(50)
      yield* Process.exit(pid, ExitReason.shutdown("enough"))
      yield* later(150)
      assert.deepStrictEqual(yield* reasonOf(pid), ExitReason.shutdown("enough"))
    }),
    20
  )

  kernelTest(
    "withdraws a call for which the turn waits",
    Effect.gen(function* () {
      const slow = yield* start()
      const puppet = yield* start({ turnTimeout: 100 })
      yield* slow.cast(turn(Effect.sleep(1000)))
      const caller = yield* beside(puppet.call(turn(Effect.orDie(slow.call(get)))))
      yield* later(100)
      assert.deepStrictEqual(failureOf(yield* ended(caller)), down(diedOfTimeout("call", 100), "unknown"))
      yield* later(900)
      assert.strictEqual(yield* slow.call(get), 0)
      assert.deepStrictEqual(yield* fates, { accepted: 4, handled: 2, failed: 1, returned: 1 })
    }),
    20
  )

  const push = StateMachine.cast("push")
  const look = Rpc.make("look", { success: Schema.String })
  type DoorClient = GenServer.Client<typeof push | typeof look>
  class Door extends StateMachine.Service<Door, { readonly _tag: "Slammed" }>()("test/Door", [push, look]) {}
  const stuck = StateMachine.perform("stuck", Effect.never)
  const door = (options: { readonly onEnter?: boolean } = {}) =>
    Door.define({
      init: () => Effect.succeed({ _tag: "Open" as const }),
      turnTimeout: 100,
      info: () => StateMachine.keep([stuck]),
      states: {
        Open: {
          ...(options.onEnter === true ? { onEnter: () => StateMachine.keep([stuck]) } : {}),
          push: () => StateMachine.keep([StateMachine.insert({ _tag: "Slammed" as const })]),
          Slammed: () => StateMachine.keep([stuck]),
          look: () => StateMachine.keep([StateMachine.reply("open"), stuck])
        }
      }
    })

  const tell = (client: DoorClient, text: string): Effect.Effect<void> =>
    Effect.flatMap(GenServer.pid(client), (pid) =>
      pid._tag === "Some" ? Process.send(pid.value as Pid.Pid<unknown>, text) : assert.fail()
    )

  kernelTest(
    "limits each event of a state machine, and names it",
    Effect.gen(function* () {
      const ways = [
        ["Slammed", door(), (client: DoorClient) => client.push()],
        ["look", door(), (client: DoorClient) => client.look()],
        ["start", door({ onEnter: true }), () => Effect.void],
        ["info", door(), (client: DoorClient) => tell(client, "hello")]
      ] as const
      for (const [request, definition, begin] of ways) {
        const client = yield* definition.start()
        const pid = yield* Effect.map(GenServer.pid(client), (pid) => (pid._tag === "Some" ? pid.value : assert.fail()))
        yield* Effect.ignore(begin(client))
        yield* later(100)
        assert.deepStrictEqual(yield* reasonOf(pid), diedOfTimeout(request, 100, "test/Door"))
      }
    }),
    10
  )

  kernelTest(
    "limits each function of an agent",
    Effect.gen(function* () {
      const agent = yield* Agent.start(Effect.succeed(1), { label: "cache", turnTimeout: 100 })
      const pid = yield* Effect.map(GenServer.pid(agent), (pid) => (pid._tag === "Some" ? pid.value : assert.fail()))
      const caller = yield* beside(failure(Agent.updateEffect(agent, () => Effect.never)))
      yield* later(100)
      const reason = diedOfTimeout("updateEffect", 100, "cache")
      assert.deepStrictEqual(yield* ended(caller), Exit.succeed(down(reason, "unknown")))
      assert.deepStrictEqual(yield* reasonOf(pid), reason)
    }),
    10
  )
})

describe("a limit that cannot be", () => {
  for (const [limit, shown] of [
    [Number.NaN, "NaN"],
    [-1, "-1"],
    [0, "0"],
    ["soon" as unknown as number, "soon"]
  ] as const) {
    it(`${shown} is refused where the server is defined`, () => {
      assert.throws(() => define({ idleTimeout: limit }), RangeError, /^test\/Limited: idleTimeout must be/)
      assert.throws(() => define({ turnTimeout: limit }), RangeError, /^test\/Limited: turnTimeout must be/)
    })
  }
})

class Limited extends GenServer.Service<Limited>()("test/Limited", [GenServer.cast("go")]) {}
const define = (limits: { readonly idleTimeout?: number; readonly turnTimeout?: number }) =>
  Limited.define({ ...limits, init: () => Effect.succeed(0), handlers: { go: (_, n) => GenServer.noReply(n) } })
