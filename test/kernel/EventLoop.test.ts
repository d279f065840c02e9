import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { EventLoop, Events, Kernel, Telemetry } from "effect-otp"
import { TestClock } from "effect/testing"
import { lateClock } from "../fixtures/lateClock.ts"

/** What is reported if the loop is blocked for this many milliseconds and then free. */
const reported = (blockedMillis: number, options?: Parameters<typeof EventLoop.layer>[0]) =>
  Effect.gen(function* () {
    const lines: Array<unknown> = []
    const logger = Logger.layer([Logger.make(({ message }) => void lines.push(message))])
    const { block, provide } = yield* lateClock
    return yield* Effect.gen(function* () {
      const events = yield* Telemetry.collect([Events.loopBlocked])
      yield* TestClock.adjust("1 second")
      yield* block(blockedMillis)
      yield* TestClock.adjust("1 second")
      return { lines, events: (yield* events).map(({ measurements }) => measurements) }
    }).pipe(
      Effect.provide(EventLoop.layer(options)),
      provide,
      Effect.provide([Layer.provideMerge(Kernel.layer, Telemetry.layer), logger])
    )
  })

describe("a blocked loop", () => {
  it.effect("is reported once, with how long it lasted", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* reported(300), {
        lines: [["The event loop was blocked for 300 ms"]],
        events: [{ lateMillis: 300 }]
      })
    })
  )

  it.effect("is reported from the threshold on", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* reported(99)).events, [])
      assert.deepStrictEqual((yield* reported(100)).events, [{ lateMillis: 100 }])
      assert.deepStrictEqual((yield* reported(400, { threshold: "0.5 seconds" })).events, [])
      assert.deepStrictEqual((yield* reported(600, { threshold: "0.5 seconds" })).events, [{ lateMillis: 600 }])
    })
  )

  it("with a threshold that makes no sense is refused", () => {
    assert.throws(() => EventLoop.layer({ threshold: 0 }), RangeError, /at least 4 ms, got 0 ms/)
    assert.throws(() => EventLoop.layer({ threshold: "Infinity" as never }), Error)
  })
})
