import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll } from "vitest"
import { compare, losses, ratiosOf, update, withReferences } from "./baseline.ts"

const figures = (values: Readonly<Record<string, ReadonlyArray<number>>>) => new Map(Object.entries(values))
const raw = { rawCall_per_s: [100, 100, 100] }

describe("the ratios of a run", () => {
  it("compare each figure with plain Effect's of the same round", () => {
    const found = ratiosOf(figures({ ...raw, call_per_s: [150, 160, 140] }))
    assert.deepStrictEqual(found, { call_per_s: { median: 1.5, deviation: 0.1 } })
  })

  it("compare a time with a time, and a rate with a rate, where plain Effect does the same work", () => {
    const found = ratiosOf(
      figures({ ...raw, cast_per_s: [30], rawCast_per_s: [10], busy_gap_ms: [30], rawBusy_gap_ms: [60] })
    )
    assert.deepStrictEqual(found, {
      cast_per_s: { median: 3, deviation: 0 },
      busy_gap_ms: { median: 0.5, deviation: 0 }
    })
  })

  it("are of our figures alone, and of those that have something to be compared with", () => {
    assert.deepStrictEqual(ratiosOf(figures({ ...raw, beamCall_per_s: [1, 1, 1] })), {})
    assert.deepStrictEqual(ratiosOf(figures({ call_per_s: [1, 1, 1] })), {})
  })

  it("are the same on a machine that is twice as fast", () => {
    const run = (speed: number) =>
      ratiosOf(
        figures({
          rawCall_per_s: [100 * speed, 100 * speed],
          stop_ms: [40 / speed, 40 / speed],
          whereis_per_s: [1000 * speed, 1000 * speed],
          idle_bytes: [1700, 1700]
        })
      )
    assert.deepStrictEqual(run(2), run(1))
  })
})

describe("the losses of a run", () => {
  it("are rates that fell, times that grew, and bytes that grew", () => {
    const before = ratiosOf(figures({ ...raw, call_per_s: [200, 200, 200], stop_ms: [10, 10, 10], idle_bytes: [100] }))
    const now = ratiosOf(figures({ ...raw, call_per_s: [160, 160, 160], stop_ms: [12, 12, 12], idle_bytes: [120] }))
    assert.deepStrictEqual(losses(before, now), [
      { key: "call_per_s", before: 2, now: 1.6, loss: 0.19999999999999996 },
      { key: "stop_ms", before: 1000, now: 1200, loss: 0.2 },
      { key: "idle_bytes", before: 100, now: 120, loss: 0.2 }
    ])
  })

  it("are more than 15 %", () => {
    const before = ratiosOf(figures({ ...raw, call_per_s: [200, 200, 200] }))
    const run = (rate: number) => losses(before, ratiosOf(figures({ ...raw, call_per_s: [rate, rate, rate] })))
    assert.deepStrictEqual(run(171), [])
    assert.strictEqual(run(169).length, 1)
  })

  it("are more than three deviations, of the run or of the baseline", () => {
    const steady = ratiosOf(figures({ ...raw, call_per_s: [200, 200, 200] }))
    const unsteady = ratiosOf(figures({ ...raw, call_per_s: [200, 180, 220] }))
    const run = (...rates: ReadonlyArray<number>) => ratiosOf(figures({ ...raw, call_per_s: rates }))
    assert.deepStrictEqual(losses(unsteady, run(145, 145, 145)), [])
    assert.strictEqual(losses(unsteady, run(135, 135, 135)).length, 1)
    assert.deepStrictEqual(losses(steady, run(145, 125, 165)), [])
    assert.strictEqual(losses(steady, run(135, 115, 155)).length, 1)
  })

  it("are neither gains nor new figures", () => {
    const before = ratiosOf(figures({ ...raw, call_per_s: [200, 200, 200] }))
    const now = ratiosOf(figures({ ...raw, call_per_s: [400, 400, 400], new_per_s: [1, 1, 1] }))
    assert.deepStrictEqual(losses(before, now), [])
  })
})

describe("a run of some arms", () => {
  it("measures what they are compared with, too", () => {
    const all = ["cast_per_s", "rawCast_per_s", "stop_ms", "start_ms", "rawCall_per_s"]
    assert.deepStrictEqual(withReferences(["cast_per_s"], all), ["cast_per_s", "rawCast_per_s"])
    assert.deepStrictEqual(withReferences(["stop_ms"], all), ["stop_ms", "rawCall_per_s"])
  })
})

describe("the baseline's file", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-otp-baseline-"))
  afterAll(() => fs.rmSync(folder, { recursive: true }))
  const file = (name: string) => pathToFileURL(path.join(folder, name))
  const before = figures({ ...raw, call_per_s: [200, 200, 200], stop_ms: [10, 10, 10] })

  it("is what a run is compared with after it was written", () => {
    const baseline = file("compared.json")
    update(baseline, before)
    assert.deepStrictEqual(compare(baseline, before), {
      text: "No ratio is worse than the baseline.",
      isWorse: false
    })
    const now = figures({ ...raw, call_per_s: [100, 100, 100], stop_ms: [10, 10, 10], new_per_s: [1, 1, 1] })
    assert.deepStrictEqual(compare(baseline, now), {
      text: [
        "worse than the baseline  before  now  loss",
        "call_per_s                    2    1  50 %",
        "Not in the baseline: new_per_s"
      ].join("\n"),
      isWorse: true
    })
  })

  it("keeps the figures that a run does not measure", () => {
    const baseline = file("kept.json")
    update(baseline, before)
    update(baseline, figures({ ...raw, call_per_s: [300, 300, 300] }))
    assert.deepStrictEqual(JSON.parse(fs.readFileSync(baseline, "utf8")), {
      call_per_s: { median: 3, deviation: 0 },
      stop_ms: { median: 1000, deviation: 0 }
    })
  })

  it("has to be there: a comparison with nothing does not pass", () => {
    assert.deepStrictEqual(compare(file("none.json"), before), {
      text: "There is no baseline. `npm run bench -- --update` writes one.",
      isWorse: true
    })
  })
})
