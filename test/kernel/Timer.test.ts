import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Logger, Option, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import type { Pid } from "effect-otp/kernel"
import { ExitReason, Kernel, Process, Timer } from "effect-otp/kernel"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { asProcess, idle, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"

/** A process that records what it gets, and when. */
const recorder = Effect.gen(function* () {
  const got: Array<readonly [message: unknown, millis: number]> = []
  const pid = yield* Process.spawn((inbox: Process.Inbox<number>) =>
    Effect.gen(function* () {
      while (true) got.push([yield* inbox.take, yield* Clock.currentTimeMillis])
    })
  )
  return { pid: pid, got, messages: () => got.map(([message]) => message) }
})

const timers = Effect.map(Kernel.counts, (counts) => counts.timers)
const millis = (n: number) => Option.some(Duration.millis(n))

describe("sendAfter", () => {
  kernelTest(
    "#38 messages arrive in due order",
    Effect.gen(function* () {
      const { pid, got } = yield* recorder
      for (const delay of [5000, 0, 200, 100, 500, 300, 400]) yield* Timer.sendAfter(pid, delay, delay)
      yield* SeededScheduler.adjust("5 seconds")
      assert.deepStrictEqual(
        got,
        [0, 100, 200, 300, 400, 500, 5000].map((at) => [at, at])
      )
      assert.strictEqual(yield* timers, 0)
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "due order holds for timers of one delay set at different times, too",
    Effect.gen(function* () {
      const { pid, messages } = yield* recorder
      yield* Timer.sendAfter(pid, 100, 100)
      yield* SeededScheduler.adjust(60)
      yield* Timer.sendAfter(pid, 120, 60)
      yield* Timer.sendAfter(pid, 160, 100)
      yield* Timer.sendAfter(pid, 130, 70)
      yield* SeededScheduler.adjust(1000)
      assert.deepStrictEqual(messages(), [100, 120, 130, 160])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "if the clock jumps, all fire in due order",
    Effect.gen(function* () {
      const { pid, messages } = yield* recorder
      const clock = yield* Clock.Clock
      let ahead = 0n
      // A blocked event loop: time has passed, and nobody was woken meanwhile.
      const stalled: Clock.Clock = Object.assign(Object.create(clock) as Clock.Clock, {
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + ahead
      })
      const set = (due: number, delay: number) =>
        Effect.provideService(Timer.sendAfter(pid, due, delay), Clock.Clock, stalled)
      yield* set(100, 100)
      yield* set(150, 150)
      yield* SeededScheduler.adjust(90)
      yield* set(190, 100)
      yield* set(170, 80)
      ahead = 1_000_000_000n
      yield* SeededScheduler.adjust(10)
      assert.deepStrictEqual(messages(), [100, 150, 170, 190])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "a delay of zero still goes through the queue",
    asProcess((inbox: Process.Inbox<string>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        const set = Effect.gen(function* () {
          yield* Timer.sendAfter(me, "timer", 0)
          return yield* inbox.poll(() => true)
        })
        // If the setter loses its turn, the message may come before it looks.
        assert.deepStrictEqual(yield* Effect.provideService(set, Scheduler.PreventSchedulerYield, true), Option.none())
        assert.strictEqual(yield* inbox.take, "timer")
      })
    )
  )

  kernelTest(
    "a negative delay and an interval that is not positive are RangeErrors, and nothing is set",
    Effect.gen(function* () {
      const pid = (yield* idle()) as Pid.Pid<number>
      for (const [effect, message] of [
        [Timer.sendAfter(pid, 1, -1), "The delay of a timer must be a duration of 0 or more, not -1"],
        [Timer.sendEvery(pid, 1, 0), "The interval of a timer must be a duration longer than 0, not 0"],
        [Timer.sendEvery(pid, 1, -5), "The interval of a timer must be a duration longer than 0, not -5"]
      ] as const) {
        assert.deepStrictEqual(yield* Effect.exit(effect), Exit.die(new RangeError(message)))
      }
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Timer.sendAfter(pid, 1, "soon" as "1 second"))))
      assert.strictEqual(yield* timers, 0)
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "belongs to the process it sends to, not to the one that set it",
    Effect.gen(function* () {
      const { pid, messages } = yield* recorder
      const setter = yield* Process.spawn(Timer.sendAfter(pid, 1, "1 second"))
      yield* Process.awaitExit(setter)
      yield* SeededScheduler.adjust("1 second")
      assert.deepStrictEqual(messages(), [1])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "#46 all timers to a process go with it",
    Effect.gen(function* () {
      const { pid } = yield* recorder
      const set = yield* Effect.forEach(
        Array.from({ length: 2000 }, (_, i) => i + 1),
        (i) => Timer.sendAfter(pid, i, i)
      )
      assert.strictEqual(yield* timers, 2000)
      yield* Process.kill(pid)
      assert.strictEqual(yield* timers, 0)
      assert.deepStrictEqual(yield* Timer.read(set[0]!), Option.none())
      const late = yield* Timer.sendAfter(pid, 1, 1)
      assert.strictEqual(yield* timers, 0)
      assert.deepStrictEqual(yield* Timer.cancel(late), Option.none())
      yield* SeededScheduler.adjust("1 minute")
      assert.strictEqual((yield* Kernel.messages).accepted, 0)
    }),
    5
  )
})

describe("cancel and read", () => {
  kernelTest(
    "#41 tell the time left, and None when the timer has fired or was cancelled",
    Effect.gen(function* () {
      const { pid, messages } = yield* recorder
      const timer = yield* Timer.sendAfter(pid, 1, "1 second")
      yield* SeededScheduler.adjust(400)
      assert.deepStrictEqual(yield* Timer.read(timer), millis(600))
      assert.deepStrictEqual(yield* Timer.cancel(timer), millis(600))
      assert.deepStrictEqual(yield* Timer.read(timer), Option.none())
      assert.deepStrictEqual(yield* Timer.cancel(timer), Option.none())
      assert.strictEqual(yield* timers, 0)

      const fired = yield* Timer.sendAfter(pid, 2, "1 second")
      yield* SeededScheduler.adjust("1 second")
      assert.deepStrictEqual(yield* Timer.read(fired), Option.none())
      assert.deepStrictEqual(yield* Timer.cancel(fired), Option.none())
      yield* SeededScheduler.adjust("1 minute")
      assert.deepStrictEqual(messages(), [2])
      yield* Process.kill(pid)
    })
  )
})

describe("sendEvery", () => {
  kernelTest(
    "sends again and again until it is cancelled",
    Effect.gen(function* () {
      const { pid, got } = yield* recorder
      const timer = yield* Timer.sendEvery(pid, 1, 100)
      yield* SeededScheduler.adjust(350)
      assert.deepStrictEqual(
        got.map(([, at]) => at),
        [100, 200, 300]
      )
      assert.deepStrictEqual(yield* Timer.read(timer), millis(50))
      yield* Timer.cancel(timer)
      yield* SeededScheduler.adjust("1 minute")
      assert.strictEqual(got.length, 3)
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "ends with the process it sends to",
    Effect.gen(function* () {
      const { pid, got } = yield* recorder
      yield* Timer.sendEvery(pid, 1, 100)
      yield* SeededScheduler.adjust(250)
      yield* Process.kill(pid)
      yield* SeededScheduler.adjust("1 minute")
      assert.strictEqual(got.length, 2)
      assert.deepStrictEqual((yield* Kernel.messages).deadLettered, 0)
    })
  )
})

describe("an address", () => {
  kernelTest(
    "#44 is looked up when the timer fires",
    Effect.gen(function* () {
      let found: Pid.Pid<number> | undefined = undefined
      const address: Timer.Address<number> = { resolve: () => found }
      yield* Timer.sendAfter(address, 1, "1 second")
      yield* Timer.sendAfter(address, 2, "3 seconds")
      yield* SeededScheduler.adjust("2 seconds")
      const { pid, messages } = yield* recorder
      found = pid
      yield* SeededScheduler.adjust("2 seconds")
      assert.deepStrictEqual(messages(), [2])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "that throws affects no other timer",
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.make(({ cause }) => void logged.push(...cause.reasons))
      const { pid, messages } = yield* recorder
      const error = new Error("resolve")
      const address: Timer.Address<number> = {
        resolve: () => {
          throw error
        }
      }
      yield* Effect.gen(function* () {
        yield* Timer.sendAfter(address, 1, "1 second")
        yield* Timer.sendAfter(pid, 2, "1 second")
        yield* Timer.sendAfter(pid, 3, "2 seconds")
        yield* SeededScheduler.adjust("2 seconds")
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(messages(), [2, 3])
      assert.deepStrictEqual(logged, [...Cause.die(error).reasons])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "may never have a process",
    Effect.gen(function* () {
      const timer = yield* Timer.sendEvery<number>({ resolve: () => undefined }, 1, 100)
      yield* SeededScheduler.adjust("1 minute")
      assert.strictEqual(yield* timers, 1)
      yield* Timer.cancel(timer)
    })
  )
})

describe("the host", () => {
  const run = (script: string) => {
    const started = performance.now()
    const imports = `
      import { Effect } from "effect"
      import { Kernel, Process, Timer } from "effect-otp/kernel"
    `
    execFileSync(process.execPath, ["--conditions=source", "--input-type=module", "-e", imports + script], {
      cwd: new URL("../..", import.meta.url),
      timeout: 30_000,
      stdio: "pipe"
    })
    return performance.now() - started
  }

  it("is not kept awake by timers that were cancelled or dropped", { timeout: 60_000 }, () => {
    const took = run(`
      await Effect.runPromise(Effect.gen(function*() {
        const pid = yield* Process.spawn(Effect.never)
        const other = yield* Process.spawn(Effect.never)
        const cancelled = yield* Timer.sendAfter(pid, 1, "1 hour")
        yield* Timer.sendEvery(other, 1, "2 hours")
        yield* Effect.sleep(1)
        yield* Timer.cancel(cancelled)
        yield* Process.kill(other)
      }))
    `)
    assert.isBelow(took, 25_000)
  })

  it.live("rings on the real clock, in due order", () =>
    inKernel(
      Effect.gen(function* () {
        const got: Array<unknown> = []
        const done = yield* Deferred.make<void>()
        const pid = yield* Process.spawn((inbox: Process.Inbox<number>) =>
          Effect.gen(function* () {
            while (got.length < 4) got.push(yield* inbox.take)
            yield* Deferred.succeed(done, undefined)
          })
        )
        // The delays are far apart, so that even a busy host arms all of them before the second is due.
        for (const delay of [600, 0, 200, 400]) yield* Timer.sendAfter(pid, delay, delay)
        yield* Deferred.await(done)
        assert.deepStrictEqual(got, [0, 200, 400, 600])
        assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.normal)
      })
    )
  )

  it.effect("TestClock.adjust by itself is enough on the default scheduler", () =>
    inKernel(
      Effect.gen(function* () {
        const { pid, messages } = yield* recorder
        yield* Timer.sendAfter(pid, 2, 2000)
        yield* Timer.sendAfter(pid, 1, 1000)
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(messages(), [1])
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(messages(), [1, 2])
        yield* Process.kill(pid)
      })
    )
  )
})
