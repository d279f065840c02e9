import { assert, describe, it } from "@effect/vitest"
import { read, root, tracked } from "./sources.ts"

interface Entry {
  readonly line: string
  readonly title: string
}

/** `**8. Kill** …` and `- 8.1 …` */
const linesOf = (contract: string): ReadonlyArray<string> =>
  Array.from(contract.matchAll(/^(?:\*\*(\d+)\.|- (\d+(?:\.\d+)+)) /gm), ([, line, part]) => (line ?? part)!)

/** `- **8.1** a title` */
const entriesOf = (page: string): ReadonlyArray<Entry> =>
  Array.from(page.matchAll(/^- \*\*([\d.]+)\*\* (.*)$/gm), ([, line, title]) => ({ line: line!, title: title! }))

const isExcuse = ({ title }: Entry): boolean => title.startsWith("No test: ")

/** The faults of a page that lists the tests of a contract. */
const faults = (contract: string, page: string, tests: string): ReadonlyArray<string> => {
  const lines = linesOf(contract)
  const entries = entriesOf(page)
  const carried = new Set(entries.map(({ line }) => line))
  return [
    ...lines.filter((line) => !carried.has(line)).map((line) => `${line} has no test`),
    ...[...carried].filter((line) => !lines.includes(line)).map((line) => `${line} is no line of the contract`),
    ...entries
      .filter((entry) => !isExcuse(entry) && !tests.includes(entry.title))
      .map(({ line, title }) => `${line}: no test is called "${title}"`)
  ]
}

describe("the lines of the contract", () => {
  const contract = read("docs/semantics.md")
  const page = read("test/semantics/contract.md")

  it("are carried by tests whose titles test/semantics/contract.md lists", () => {
    const files = tracked(root).filter(
      (file) => /^(test|src\/testing)\/.*\.ts$/.test(file) && !file.endsWith("contract.test.ts")
    )
    assert.deepStrictEqual(faults(contract, page, files.map(read).join("\n")), [])
    assert.isAbove(linesOf(contract).length, 140)
  })

  it("have each number once", () => {
    const lines = linesOf(contract)
    assert.deepStrictEqual(
      lines.filter((line, index) => lines.indexOf(line) !== index),
      []
    )
  })

  it("have few that no test carries", () => {
    assert.deepStrictEqual(
      entriesOf(page)
        .filter(isExcuse)
        .map(({ line }) => line),
      ["6.2", "8.4", "17"]
    )
  })
})

describe("the check itself", () => {
  const contract = "**1. A line.** It is so.\n\n- 1.1 A part.\n- 1.1.1 A part of a part.\n"
  const page = "- **1** is so\n- **1.1** No test: it says nothing.\n- **1.1.1** is a part\n"

  it("passes where every line has a test or an excuse", () => {
    assert.deepStrictEqual(faults(contract, page, `it("is so") it("is a part")`), [])
  })

  it("names a line without a test, a number that does not exist, and a title that no test has", () => {
    assert.deepStrictEqual(faults(contract, page.replace("1.1.1", "1.2"), `it("is so")`), [
      "1.1.1 has no test",
      "1.2 is no line of the contract",
      '1.2: no test is called "is a part"'
    ])
  })
})
