import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Schedule, Scope } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Process } from "effect-otp/kernel"
import { Supervisor } from "effect-otp/supervision"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import {
  beside,
  crash,
  down,
  ended,
  failure,
  failureOf,
  fates,
  get,
  later,
  layer,
  noProcess,
  type Options,
  pidOf,
  Puppet,
  running,
  set,
  stopping,
  timedOut,
  turn
} from "./puppet.ts"

const wait = { whenDown: "wait" } as const

/** A puppet that is restarted 100 ms after each end. */
const supervised = (options: Options = {}, schedule: Schedule.Schedule<unknown> = Schedule.spaced(100)) =>
  Effect.gen(function* () {
    class Tree extends Supervisor.Service<Tree>()("test/Tree", {
      strategy: "oneForOne",
      schedule,
      children: [Supervisor.child(layer(options))]
    }) {}
    const scope = yield* Scope.fork(yield* Effect.scope)
    const context = yield* Layer.buildWithScope(Tree.layer, scope)
    return { puppet: Context.get(context, Puppet), close: Scope.close(scope, Exit.void) }
  })

/** It has crashed, and its supervisor waits before the restart. */
const downed = (options?: Options) =>
  Effect.gen(function* () {
    const tree = yield* supervised(options)
    yield* tree.puppet.cast(crash("bang"))
    yield* settle
    assert.deepStrictEqual(yield* GenServer.pid(tree.puppet), Option.none())
    return tree
  })

describe("a client of a supervised server", () => {
  kernelTest(
    "stays valid across restarts; each run begins from init",
    Effect.gen(function* () {
      const { puppet } = yield* supervised({ init: Effect.succeed(10) })
      const first = yield* pidOf(puppet)
      yield* puppet.call(set(11))
      yield* puppet.cast(crash("bang"))
      yield* later(100)
      assert.notStrictEqual(yield* pidOf(puppet), first)
      assert.strictEqual(yield* puppet.call(get), 10)
    })
  )

  kernelTest(
    "while it is down a call fails at once and was not started, a cast is a dead letter",
    Effect.gen(function* () {
      const { puppet } = yield* downed()
      assert.deepStrictEqual(yield* failure(puppet.call(get)), noProcess)
      assert.deepStrictEqual(yield* failure(puppet.call(get, { whenDown: "fail" })), noProcess)
      const before = (yield* fates).deadLettered ?? 0
      yield* puppet.cast(set(1))
      assert.strictEqual((yield* fates).deadLettered, before + 1)
      yield* later(100)
      assert.strictEqual(yield* puppet.call(get), 0)
    })
  )

  kernelTest(
    "wait: a call is answered by the next run",
    Effect.gen(function* () {
      const { puppet } = yield* downed()
      const calling = yield* beside(puppet.call(get, wait))
      yield* running(calling)
      yield* later(100)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(0))
    })
  )

  kernelTest(
    "wait: within the one timeout of the call",
    Effect.gen(function* () {
      const { puppet } = yield* downed()
      const short = yield* beside(puppet.call(get, { ...wait, timeout: 99 }))
      const gate = yield* Deferred.make<void>()
      const long = yield* beside(puppet.call(turn(Deferred.await(gate)), { ...wait, timeout: 150 }))
      yield* later(99)
      assert.deepStrictEqual(failureOf(yield* ended(short)), timedOut("no"))
      yield* later(50)
      yield* running(long)
      yield* later(1)
      assert.deepStrictEqual(failureOf(yield* ended(long)), timedOut("unknown"))
      yield* Deferred.succeed(gate, undefined)
    })
  )

  kernelTest(
    "wait: the default of CallDefaults, and nothing is left of a caller that leaves",
    Effect.gen(function* () {
      const { puppet } = yield* downed()
      const defaults = Effect.provideService(GenServer.CallDefaults, wait)
      const leaving = yield* beside(defaults(puppet.call(set(9))))
      const staying = yield* beside(defaults(puppet.call(get)))
      yield* running(leaving)
      yield* Fiber.interrupt(leaving)
      yield* later(100)
      assert.deepStrictEqual(yield* ended(staying), Exit.succeed(0))
      assert.strictEqual(yield* puppet.call(get), 0)
    })
  )

  kernelTest(
    "wait: a call that was queued when the server crashed is sent again, one that had begun is not",
    Effect.gen(function* () {
      const { puppet } = yield* supervised()
      const gate = yield* Deferred.make<void>()
      const begun = yield* beside(puppet.call(() => Effect.andThen(Deferred.await(gate), Effect.die("bang")), wait))
      const queued = yield* beside(puppet.call(get, wait))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(failureOf(yield* ended(begun)), down(ExitReason.defect("bang"), "unknown"))
      yield* running(queued)
      yield* later(100)
      assert.deepStrictEqual(yield* ended(queued), Exit.succeed(0))
    })
  )

  kernelTest(
    "wait: many callers, each answered once, over several crashes",
    Effect.gen(function* () {
      const { puppet } = yield* downed()
      let crashes = 0
      const flaky = (n: number) => (crashes++ < 2 ? Effect.die("bang") : GenServer.reply("ok", n))
      const calls = []
      for (let i = 0; i < 5; i++)
        calls.push(yield* beside(Effect.exit(puppet.call(flaky, { ...wait, timeout: "1 minute" }))))
      for (let i = 0; i < 4; i++) yield* later(100)
      const exits = yield* Effect.forEach(calls, Fiber.join)
      assert.deepStrictEqual(exits.map((exit) => exit._tag).toSorted(), [
        "Failure",
        "Failure",
        "Success",
        "Success",
        "Success"
      ])
    })
  )

  kernelTest(
    "wait: a call that comes while the server comes up is answered",
    Effect.gen(function* () {
      const { puppet } = yield* supervised({}, Schedule.forever)
      const patient = { ...wait, timeout: Duration.infinity }
      const calls = []
      for (let i = 0; i < 8; i++) {
        yield* puppet.cast(stopping(ExitReason.shutdown()))
        calls.push(yield* Effect.forkChild(puppet.call(get, patient)))
        yield* Effect.repeat(Effect.yieldNow, { times: i })
      }
      for (const call of calls) assert.strictEqual(yield* Fiber.join(call), 0)
    }),
    200
  )

  kernelTest(
    "when the supervisor gives up a call that waits fails at once",
    Effect.gen(function* () {
      const { puppet } = yield* supervised({}, Schedule.spaced(100).pipe(Schedule.upTo({ times: 1 })))
      yield* puppet.cast(crash("bang"))
      yield* later(100)
      yield* puppet.cast(crash("bang"))
      yield* settle
      for (const options of [undefined, wait]) {
        const failed = yield* failure(puppet.call(get, options))
        assert.strictEqual(failed.started, "no")
        assert.include(["NoProcess", "ServerDown"], failed.reason._tag)
      }
    })
  )

  kernelTest(
    "when the supervisor ends a call that waits fails at once",
    Effect.gen(function* () {
      const { close, puppet } = yield* downed()
      const calling = yield* beside(puppet.call(get, wait))
      yield* close
      assert.strictEqual(failureOf(yield* ended(calling)).started, "no")
      assert.strictEqual((yield* failure(puppet.call(get, wait))).started, "no")
    })
  )

  kernelTest(
    "wait: a killed caller does not wait: its call is discarded, once",
    Effect.gen(function* () {
      const { puppet } = yield* supervised()
      const seen: Array<unknown> = []
      const asking = Effect.map(Effect.exit(puppet.call(get, wait)), (exit) => void seen.push(exit._tag))
      const dying = yield* Process.spawn(Effect.ensuring(Effect.never, asking))
      yield* settle
      yield* Process.kill(dying)
      yield* settle
      assert.deepStrictEqual(seen, ["Failure"])
      assert.strictEqual((yield* fates).dropped, 1)
    })
  )

  kernelTest(
    "the next run starts when the killed one has ended, even after an uninterruptible turn",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let live = 0
      const init = Effect.as(
        Effect.acquireRelease(
          Effect.sync(() => assert.strictEqual(++live, 1)),
          () => Effect.sync(() => live--)
        ),
        0
      )
      const { puppet } = yield* supervised({ init })
      const busy = yield* beside(puppet.call(turn(Effect.uninterruptible(Deferred.await(gate)))))
      yield* Process.kill(yield* pidOf(puppet))
      assert.deepStrictEqual(failureOf(yield* ended(busy)), down(ExitReason.killed, "unknown"))
      yield* later(150)
      assert.deepStrictEqual(yield* GenServer.pid(puppet), Option.none())
      yield* Deferred.succeed(gate, undefined)
      yield* later(100)
      assert.strictEqual(yield* puppet.call(get), 0)
    })
  )

  kernelTest(
    "a restart never waits for a call to the server that restarts",
    Effect.gen(function* () {
      const { puppet } = yield* supervised({ idle: (state) => GenServer.noReply(state) })
      for (let i = 0; i < 3; i++) {
        yield* puppet.cast((n, { from }) =>
          from === undefined ? GenServer.stop(ExitReason.shutdown(), n) : GenServer.noReply(n)
        )
        yield* later(100)
        assert.strictEqual(yield* puppet.call(get, wait), 0)
      }
    })
  )
})
