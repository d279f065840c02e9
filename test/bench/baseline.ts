/**
 * Compares the ratios of a run with those of a committed run, and says which got worse.
 *
 * Absolute figures differ from machine to machine, so both runs are reduced to ratios: each figure of ours divided by
 * the figure of plain Effect from the same round.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { type Loss, lossTable } from "./report.ts"
import { median, type Figures } from "./statistics.ts"

/** The ratio of one figure over the rounds of a run. */
export interface Ratio {
  readonly median: number
  /** Median absolute deviation of the rounds. */
  readonly deviation: number
}

export type Ratios = Readonly<Record<string, Ratio>>

/** A loss up to this share counts as noise. */
const TOLERATED_LOSS = 0.15
/** A loss within this many deviations counts as noise, too. */
const TOLERATED_DEVIATIONS = 3

/** What our figure is compared with if plain Effect has no figure of the same work. */
const COMMON_REFERENCE = "rawCall_per_s"

/** Bytes do not depend on the speed of the machine, so they are compared as they are. */
const isAbsolute = (key: string): boolean => key.endsWith("_bytes")
const isRate = (key: string): boolean => key.endsWith("_per_s")
const isOurs = (key: string): boolean => !/^(raw|beam)[A-Z]/.test(key)

/** The figure of plain Effect that our figure is compared with, among those that exist. */
const referenceOf = (key: string, has: (key: string) => boolean): string =>
  [`raw${key[0]!.toUpperCase()}${key.slice(1)}`].find(has) ?? COMMON_REFERENCE

/** These figures, and those that they are compared with. */
export const withReferences = (keys: ReadonlyArray<string>, all: ReadonlyArray<string>): ReadonlyArray<string> => {
  const wanted = new Set(keys)
  for (const key of keys.filter(isOurs)) wanted.add(referenceOf(key, (reference) => all.includes(reference)))
  return all.filter((key) => wanted.has(key))
}

/** The ratios of all figures of ours. A figure without its reference in this run is left out. */
export const ratiosOf = (figures: Figures): Ratios =>
  Object.fromEntries(
    [...figures].flatMap(([key, values]) => {
      if (!isOurs(key)) return []
      if (isAbsolute(key)) return [[key, ratioOf(values)]]
      const reference = referenceOf(key, (reference) => figures.has(reference))
      const references = figures.get(reference)
      if (references === undefined) return []
      // Two rates are divided, a time and a rate are multiplied. So the result is the same on a slower machine.
      const isLikeIt = isRate(key) === isRate(reference)
      return [[key, ratioOf(values.map((value, i) => (isLikeIt ? value / references[i]! : value * references[i]!)))]]
    })
  )

const ratioOf = (rounds: ReadonlyArray<number>): Ratio => {
  const middle = median(rounds)
  return { median: short(middle), deviation: short(median(rounds.map((ratio) => Math.abs(ratio - middle)))) }
}

const short = (value: number): number => Number(value.toPrecision(4))

/** What got worse since the baseline. A figure that the baseline does not have is new and cannot be worse. */
export const losses = (baseline: Ratios, now: Ratios): ReadonlyArray<Loss> =>
  Object.entries(now).flatMap(([key, ratio]) => {
    const before = baseline[key]
    if (before === undefined) return []
    const change = ratio.median - before.median
    const worse = isRate(key) ? -change : change
    const loss = worse / before.median
    const noise = TOLERATED_DEVIATIONS * Math.max(before.deviation, ratio.deviation)
    return loss > TOLERATED_LOSS && worse > noise ? [{ key, before: before.median, now: ratio.median, loss }] : []
  })

// ---- the file -----------------------------------------------------------------------------------------------------

const written = (file: URL): Ratios | undefined =>
  existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Ratios) : undefined

/** Writes the ratios of a run. Figures that the run did not measure stay as they are in the file. */
export const update = (file: URL, figures: Figures): void =>
  writeFileSync(file, `${JSON.stringify({ ...written(file), ...ratiosOf(figures) }, undefined, 2)}\n`)

/** The text to print about a run, and whether the run is worse than the run in the file. */
export const compare = (file: URL, figures: Figures): { readonly text: string; readonly isWorse: boolean } => {
  const baseline = written(file)
  if (baseline === undefined) {
    return { text: "There is no baseline. `npm run bench -- --update` writes one.", isWorse: true }
  }
  const now = ratiosOf(figures)
  const worse = losses(baseline, now)
  const unknown = Object.keys(now).filter((key) => baseline[key] === undefined)
  const lines = [
    worse.length === 0 ? "No ratio is worse than the baseline." : lossTable(worse),
    ...(unknown.length === 0 ? [] : [`Not in the baseline: ${unknown.join(", ")}`])
  ]
  return { text: lines.join("\n"), isWorse: worse.length > 0 }
}
