/**
 * Measures this library against plain Effect and, where `elixir` is installed, against the BEAM.
 *
 *     npm run bench -- [--json FILE] [--quick] [--rounds N] [--only cast,call]
 *
 * Each figure is the median of several rounds; a round runs every arm once, each in a fresh process. Absolute figures
 * differ from machine to machine: compare ratios inside one run. `--quick` only shows that every arm runs.
 */
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { parseArgs } from "node:util"
import { commands, elixirVersion, isPinned } from "./commands.ts"
import { figureTable, gateTable } from "./report.ts"
import { median, spread } from "./statistics.ts"

const { values: options } = parseArgs({
  options: {
    json: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string" }
  }
})
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5))
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new RangeError(`--rounds must be a whole number of at least 1, got ${options.rounds}`)
}
const parts = options.only?.toLowerCase().split(",") ?? [""]
const chosen = [...commands(options.quick ? "0.05" : "1")].filter(([key]) =>
  parts.some((part) => key.toLowerCase().includes(part))
)

const figures = new Map<string, Array<number>>(chosen.map(([key]) => [key, []]))
for (let round = 1; round <= rounds; round++) {
  for (const [key, measure] of chosen) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[Kround ${round} of ${rounds}: ${key}`)
    figures.get(key)!.push(measure())
  }
}
if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")

process.stdout.write(`${figureTable(figures)}\n`)
// A short run measures the compiler of the host more than us.
if (!options.quick) process.stdout.write(`\n${gateTable(figures)}\n`)
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result(), undefined, 2)}\n`)

/** Numbers only, but for the last two keys. */
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
