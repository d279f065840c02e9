/** Reads `docs/glossary.md`, and finds words in the code that it has retired. */
import { Visitor } from "vite"
import { position, type Source } from "./sources.ts"

export interface Entry {
  readonly section: string
  readonly word: string
  readonly meaning: string
  /** From `src/`, without the ending. */
  readonly module: string
}

export interface Retired {
  readonly word: string
  readonly instead: string
}

export interface Glossary {
  readonly entries: ReadonlyArray<Entry>
  readonly retired: ReadonlyArray<Retired>
}

/** The tables of the page. The one under "Words that we do not use" has what was retired. */
export const readGlossary = (page: string): Glossary => {
  const entries: Array<Entry> = []
  const retired: Array<Retired> = []
  let section = ""
  for (const line of page.split("\n")) {
    const heading = /^## (.+)$/.exec(line)?.[1]
    if (heading !== undefined) section = heading
    const cells = cellsOf(line)
    if (cells === undefined) continue
    const [first = "", second = "", third = ""] = cells
    if (section === "Words that we do not use") retired.push({ word: bare(first), instead: second })
    else entries.push({ section, word: first, meaning: second, module: bare(third) })
  }
  return { entries, retired }
}

/** The cells of a row with content, neither a head nor the line under it. */
const cellsOf = (line: string): ReadonlyArray<string> | undefined => {
  if (!line.startsWith("| ") || /^\| (word|---|not) /.test(line)) return undefined
  return line
    .slice(1, line.lastIndexOf("|"))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim())
}

const bare = (cell: string): string => cell.replaceAll("`", "")

/** Retired words that are used again, as a name in the code or of a file. */
export const retiredIn = (source: Source, retired: ReadonlyArray<Retired>): ReadonlyArray<string> => {
  const instead = new Map(retired.map((entry) => [entry.word, entry.instead]))
  const found = new Set<string>()
  const note = (name: string, where: string) => {
    const known = instead.get(name)
    if (known !== undefined) found.add(`${where}: ${name} is retired, say ${known}`)
  }
  const stem = source.file.split("/").at(-1)!.replace(/\.ts$/, "")
  note(stem, source.file)
  new Visitor({
    Identifier: ({ name, start }) => note(name, position(source, start))
  }).visit(source.program)
  return [...found]
}
