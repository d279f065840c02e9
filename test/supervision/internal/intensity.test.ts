import { assert, describe, it } from "@effect/vitest"
import { type IntensityLimit, make, countFailure } from "../../../src/supervision/internal/core/intensity.ts"
import { forAll } from "../../fixtures/property.ts"

/** Which of these failures exceed the limit. */
const results = (limit: IntensityLimit, times: ReadonlyArray<number>): ReadonlyArray<boolean> => {
  let window = make(limit)
  return times.map((now) => {
    const [next, exceeded] = countFailure(window, now)
    window = next
    return exceeded
  })
}

describe("intensity", () => {
  const cases: ReadonlyArray<
    readonly [title: string, limit: IntensityLimit, times: ReadonlyArray<number>, exceeded: ReadonlyArray<boolean>]
  > = [
    ["#153 intensity 2: the third failure exceeds", { max: 2, withinMillis: 5000 }, [0, 1, 2], [false, false, true]],
    [
      "#164 1 in 1 s: failures 2,100 ms apart never exceed",
      { max: 1, withinMillis: 1000 },
      [0, 2100, 4200, 6300],
      [false, false, false, false]
    ],
    ["#324 1 in 1 s: failures 1,900 ms apart do not exceed", { max: 1, withinMillis: 1000 }, [0, 1900], [false, false]],
    ["#324 1 in 1 s: failures 1,150 ms apart do not exceed", { max: 1, withinMillis: 1000 }, [0, 1150], [false, false]],
    ["#324 an entry exactly the window old counts", { max: 1, withinMillis: 1000 }, [500, 1500], [false, true]],
    ["#324 an entry a millisecond older does not", { max: 1, withinMillis: 1000 }, [500, 1501], [false, false]],
    [
      "#325 3 in 5 s: a crash and 3 failed starts exceed at the last",
      { max: 3, withinMillis: 5000 },
      [7, 7, 7, 7],
      [false, false, false, true]
    ],
    ["#326 1 in 5 s: two entries exceed", { max: 1, withinMillis: 5000 }, [0, 0], [false, true]],
    ["max 0: the first failure exceeds", { max: 0, withinMillis: 5000 }, [0], [true]],
    ["an endless window forgets nothing", { max: 1, withinMillis: Infinity }, [0, 1e12], [false, true]],
    ["the window slides", { max: 2, withinMillis: 10 }, [0, 6, 12, 18, 20], [false, false, false, false, true]]
  ]
  for (const [title, limit, times, exceeded] of cases) {
    it(title, () => assert.deepStrictEqual(results(limit, times), exceeded))
  }

  it("agrees with counting every failure ever made", () =>
    forAll(({ int, size }) => {
      const limit = { max: int(5), withinMillis: 1 + int(50) }
      let now = 0
      const times = Array.from({ length: size }, () => (now += int(20)))
      const expected = times.map(
        (at, index) => times.slice(0, index + 1).filter((t) => at - t <= limit.withinMillis).length > limit.max
      )
      assert.deepStrictEqual(results(limit, times), expected)
    }))

  it("counts what is inside the window, and changes no window it was given", () =>
    forAll(({ int, size }) => {
      let window = make({ max: 3, withinMillis: 10 })
      const times: Array<number> = []
      let now = 0
      for (let step = 0; step < size; step++) {
        times.push((now += int(8)))
        const before = JSON.stringify(window)
        const [next] = countFailure(window, now)
        assert.strictEqual(JSON.stringify(window), before)
        assert.deepStrictEqual(countFailure(window, now), [next, next.count > 3])
        assert.strictEqual(next.count, times.filter((at) => now - at <= 10).length)
        window = next
      }
    }))

  it("forgets what has left the window, also where very many failures are allowed", () => {
    let window = make({ max: 1_000_000, withinMillis: 10 })
    for (let now = 0; now < 100_000; now++) [window] = countFailure(window, now)
    assert.strictEqual(window.count, 11)
    assert.isBelow(window.older.length, 1000)
  })

  for (const max of [-1, 1.5, NaN, Infinity]) {
    it(`refuses max ${max}`, () => {
      assert.throws(() => make({ max, withinMillis: 1 }), RangeError, String(max))
    })
  }
  for (const withinMillis of [0, -1, NaN]) {
    it(`refuses a window of ${withinMillis} ms`, () => {
      assert.throws(() => make({ max: 1, withinMillis }), RangeError, String(withinMillis))
    })
  }
})
