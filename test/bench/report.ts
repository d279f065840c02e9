/** What a run prints. */
import { median, spread, type Figures } from "./statistics.ts"

/** It allows for what a larger heap costs the collector. Anything that grows with the number would be a hundredfold. */
const flat = (what: string) => ({
  ours: `${what}_us_at_100000`,
  raw: `${what}_us_at_1000`,
  holds: (ratio: number) => ratio <= 4,
  wanted: "≤ 4"
})

/** The longest time that a timer may wait, in milliseconds by the clock. */
const gap = (what: string, most: number) => ({
  ours: `${what}_gap_ms`,
  raw: undefined,
  holds: (millis: number) => millis <= most,
  wanted: `≤ ${most}`
})

/** The limits that must hold in one run: compared with raw Effect, and with a hundred times as many things. */
const gates = [
  { ours: "cast_per_s", raw: "rawCast_per_s", holds: (ratio: number) => ratio >= 1, wanted: "≥ 1" },
  { ours: "call_per_s", raw: "rawCall_per_s", holds: (ratio: number) => ratio >= 1, wanted: "≥ 1" },
  { ours: "ring_hops_per_s", raw: "rawRing_hops_per_s", holds: (ratio: number) => ratio >= 3, wanted: "≥ 3" },
  { ours: "idle_server_bytes", raw: "rawIdle_server_bytes", holds: (ratio: number) => ratio <= 1, wanted: "≤ 1" },
  ...["busy_1000", "busy_1000_run_queue"].map((what) => gap(what, 50)),
  ...["busy_50000", "busy_50000_run_queue"].map((what) => gap(what, 100)),
  gap("snapshot_100000", 10),
  flat("start_child"),
  flat("crash_restart"),
  flat("stop_child")
]

export const figureTable = (figures: Figures): string =>
  table(
    ["figure", "median", "min", "max"],
    [...figures].map(([key, values]) => [key, ...[median(values), ...spread(values)].map(readable)])
  )

/** The ratios of the medians, or the medians, with those of the single rounds beside them. */
export const gateTable = (figures: Figures): string =>
  table(
    ["gate", "figure", "min", "max", "wanted", ""],
    gates.flatMap(({ ours, raw, holds, wanted }) => {
      const a = figures.get(ours)
      const b = raw === undefined ? a?.map(() => 1) : figures.get(raw)
      if (a === undefined || b === undefined) return []
      const figure = median(a) / median(b)
      const [min, max] = spread(a.map((value, round) => value / b[round]!))
      const row = [figure, min, max].map((value) => value.toFixed(2))
      return [[raw === undefined ? ours : `${ours} / ${raw}`, ...row, wanted, holds(figure) ? "holds" : "MISSED"]]
    })
  )

/** A figure that got worse. */
export interface Loss {
  readonly key: string
  readonly before: number
  readonly now: number
  /** 0.2 means a fifth worse. */
  readonly loss: number
}

/** What got worse since the baseline. */
export const lossTable = (losses: ReadonlyArray<Loss>): string =>
  table(
    ["worse than the baseline", "before", "now", "loss"],
    losses.map(({ key, before, now, loss }) => [key, readable(before), readable(now), `${(loss * 100).toFixed(0)} %`])
  )

const readable = (value: number): string =>
  value.toLocaleString("en-US", { maximumFractionDigits: value < 10 ? 2 : value < 1000 ? 1 : 0 })

/** The first column is aligned to the left, the others to the right. */
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const line = (row: ReadonlyArray<string>) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  ")
  return all.map(line).join("\n")
}
