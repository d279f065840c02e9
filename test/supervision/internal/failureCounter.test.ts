import { assert, describe, it } from "@effect/vitest"
import { FailureCounter } from "../../../src/supervision/internal/core/failureCounter.ts"
import { make, record } from "../../../src/supervision/internal/core/intensity.ts"
import { forAll } from "../../fixtures/property.ts"

describe("counting failures in place", () => {
  it("agrees with the pure window, at every failure", () =>
    forAll(({ int, size }) => {
      const limit = { max: int(5), withinMillis: 1 + int(50) }
      const counter = new FailureCounter(limit)
      let window = make(limit)
      let now = 0
      for (let step = 0; step < size * 3; step++) {
        now += int(20)
        const [next, exceeded] = record(window, now)
        window = next
        assert.strictEqual(counter.record(now), exceeded ? window.entries.length : undefined)
      }
    }))

  it("forgets what has left the window", () => {
    const counter = new FailureCounter({ max: 1_000_000, withinMillis: 10 })
    for (let now = 0; now < 100_000; now++) assert.isUndefined(counter.record(now))
    assert.isBelow(counter["times"].length, 1000)
  })

  it("refuses a limit that makes no sense", () => {
    assert.throws(() => new FailureCounter({ max: -1, withinMillis: 1 }), RangeError)
  })
})
