/** The first sleep on a test clock lasts as long as any other, also in a finalizer. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { ExitReason, Process } from "effect-otp/kernel"
import { SeededScheduler, TestKernel } from "effect-otp/testing"

/** Which of its ends a finalizer that sleeps 10 minutes has reached, before and after the 10 minutes. */
const sleepingFinalizer = Effect.gen(function* () {
  const pid = yield* Process.spawn(Effect.onInterrupt(Effect.never, () => Effect.sleep("10 minutes")))
  yield* TestKernel.quiet
  yield* Process.exit(pid, ExitReason.shutdown())
  yield* TestKernel.quiet
  const before = yield* Process.isAlive(pid)
  yield* TestKernel.adjust("599 seconds")
  const shortly = yield* Process.isAlive(pid)
  yield* TestKernel.adjust("1 second")
  return [before, shortly, yield* Process.isAlive(pid)]
})

/** The same without a process. */
const sleepingFiber = Effect.gen(function* () {
  const fiber = yield* Effect.forkDetach(Effect.onInterrupt(Effect.never, () => Effect.sleep("10 minutes")))
  yield* SeededScheduler.settle
  fiber.interruptUnsafe()
  yield* SeededScheduler.settle
  const before = fiber.pollUnsafe() === undefined
  yield* SeededScheduler.adjust("599 seconds")
  const shortly = fiber.pollUnsafe() === undefined
  yield* SeededScheduler.adjust("1 second")
  return [before, shortly, fiber.pollUnsafe() === undefined]
})

describe("a finalizer that sleeps first on a fresh clock", () => {
  it.effect("sleeps as long as it says: TestKernel.layer", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* sleepingFinalizer, [true, true, false])
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("sleeps as long as it says: TestKernel.layerUnfrozen", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* sleepingFinalizer, [true, true, false])
    }).pipe(Effect.provide(TestKernel.layerUnfrozen))
  )

  it.effect("sleeps as long as it says: SeededScheduler, in any order", () =>
    Effect.gen(function* () {
      const results = yield* SeededScheduler.explore(sleepingFiber, { seeds: 50 })
      for (const result of results) assert.deepStrictEqual(result, [true, true, false])
    })
  )

  it.live("sleeps as long as it says: SeededScheduler.layer", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* sleepingFiber, [true, true, false])
    }).pipe(Effect.provide(SeededScheduler.layer(1)))
  )
})

describe("the clock of TestKernel.layer", () => {
  it.effect("is the test clock of the test", () =>
    Effect.gen(function* () {
      const before = yield* Clock.currentTimeMillis
      const inside = yield* Effect.provide(
        Effect.gen(function* () {
          const sleeper = yield* Effect.forkChild(Effect.sleep("1 second"))
          yield* TestKernel.adjust("1 second")
          yield* Fiber.join(sleeper)
          return yield* Clock.currentTimeMillis
        }),
        TestKernel.layer
      )
      assert.deepStrictEqual([inside - before, (yield* Clock.currentTimeMillis) - before], [1000, 1000])
    })
  )

  it.live("still warns of a test that does not adjust it", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push([message].flat().join(" ")))
      const clock = yield* TestClock.make({ warningDelay: "20 millis" })
      const test = Effect.gen(function* () {
        yield* Effect.forkChild(Effect.sleep("1 second"))
        yield* TestClock.withLive(Effect.sleep("200 millis"))
      })
      yield* test.pipe(
        Effect.provide(Layer.merge(TestKernel.layer, Logger.layer([logger]))),
        Effect.provideService(Clock.Clock, clock)
      )
      assert.strictEqual(lines.length, 1)
      assert.match(lines[0]!, /A test is using time/)
    })
  )

  it.live("is the real one where there is no test clock", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      assert.strictEqual(yield* Effect.provide(Clock.Clock, TestKernel.layer), clock)
    })
  )
})
