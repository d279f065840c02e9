/**
 * Measures this library against plain Effect and, where `elixir` is installed, against the BEAM.
 *
 *     npm run bench -- [--json FILE] [--quick] [--rounds N] [--only cast,call] [--check | --update]
 *
 * Each figure is the median of several rounds; a round runs every arm once, each in a fresh process. Absolute figures
 * differ from machine to machine: compare ratios inside one run. `--quick` only shows that every arm runs. `--check`
 * compares the ratios with those in `baseline.json`, and fails if one got worse by more than 15 % and by more than three
 * median absolute deviations. `--update` writes that file: do that on a machine on which nothing else runs.
 */
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { parseArgs } from "node:util"
import { compare, update, withReferences } from "./baseline.ts"
import { commands, elixirVersion, isPinned } from "./commands.ts"
import { figureTable, gateTable } from "./report.ts"
import { median, spread } from "./statistics.ts"

const { values: options } = parseArgs({
  options: {
    json: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string" },
    check: { type: "boolean", default: false },
    update: { type: "boolean", default: false }
  }
})
if (options.quick && (options.check || options.update)) {
  throw new RangeError("A quick run is too short to compare: leave out --quick, or --check and --update")
}
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5))
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds must be a whole number of at least 1, got ${options.rounds}`)
}
const baseline = new URL("baseline.json", import.meta.url)
const all = commands(options.quick ? "0.05" : "1")

const figures = new Map<string, Array<number>>()
for (let round = 1; round <= rounds; round++) {
  for (const key of chosen()) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[Kround ${round} of ${rounds}: ${key}`)
    for (const [name, figure] of Object.entries(all.get(key)!())) {
      figures.set(name, [...(figures.get(name) ?? []), figure])
    }
  }
}
if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")

process.stdout.write(`${figureTable(figures)}\n`)
// A short run mostly measures the compiler of the host.
if (!options.quick) process.stdout.write(`\n${gateTable(figures)}\n`)
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result(), undefined, 2)}\n`)
if (options.check) {
  const { text, isWorse } = compare(baseline, figures)
  process.stdout.write(`\n${text}\n`)
  if (isWorse) process.exitCode = 1
}
if (options.update) update(baseline, figures)

/** The arms to run. For a comparison this includes those that the others are compared with. */
function chosen(): ReadonlyArray<string> {
  const parts = options.only?.toLowerCase().split(",") ?? [""]
  const keys = [...all.keys()]
  const named = keys.filter((key) => parts.some((part) => key.toLowerCase().includes(part)))
  return options.check || options.update ? withReferences(named, keys) : named
}

/** Numbers only, except for the last two keys. */
function result(): Record<string, unknown> {
  const rounded = (value: number): number => Number(value.toPrecision(6))
  const each = (f: (values: ReadonlyArray<number>) => unknown) =>
    Object.fromEntries([...figures].map(([key, values]) => [key, f(values)]))
  const effect = (createRequire(import.meta.url)("effect/package.json") as { readonly version: string }).version
  return {
    ...each((values) => rounded(median(values))),
    spread: each((values) => spread(values).map(rounded)),
    run: { rounds, isPinned, node: process.versions.node, effect, elixir: elixirVersion }
  }
}
