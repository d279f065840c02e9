import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { readGlossary, retiredIn } from "./glossary.ts"
import { parse, read, root, sources } from "./sources.ts"

describe("the glossary", () => {
  const { entries, retired } = readGlossary(read("docs/glossary.md"))

  it("has words for users and for contributors", () => {
    assert.deepStrictEqual(
      [...new Set(entries.map(({ section }) => section))],
      ["Words for everybody", "Words inside the code"]
    )
    assert.isAbove(entries.length, 120)
    assert.isAbove(retired.length, 30)
  })

  it("has a meaning for each word, and each word once", () => {
    assert.deepStrictEqual(
      entries.filter(({ meaning, word }) => word === "" || !/^[A-Z`].*\.$/.test(meaning)),
      []
    )
    const words = entries.map(({ section, word }) => `${section}: ${word}`)
    assert.deepStrictEqual(
      words.filter((word, index) => words.indexOf(word) !== index),
      []
    )
  })

  it("names a module that exists for each word", () => {
    assert.deepStrictEqual(
      entries.filter(({ module }) => !fs.existsSync(path.join(root, "src", `${module}.ts`))),
      []
    )
  })

  it("names public modules only in its part for everybody", () => {
    assert.deepStrictEqual(
      entries.filter(
        ({ module, section }) => section === "Words for everybody" && /internal|shared|values/.test(module)
      ),
      []
    )
  })

  it("has retired no word that it still explains", () => {
    const words = new Set(entries.map(({ word }) => word))
    assert.deepStrictEqual(
      retired.filter(({ word }) => words.has(word)),
      []
    )
  })

  it("has retired words that do not come back as names in the code", () => {
    assert.deepStrictEqual(
      sources().flatMap((source) => retiredIn(source, retired)),
      []
    )
  })
})

describe("the check of retired words", () => {
  const retired = [{ word: "settle", instead: "countFate" }]
  const found = (file: string, text: string) => retiredIn(parse(file, text), retired)

  it("finds variables, members, types, imports and files", () => {
    const back = "settle is retired, say countFate"
    assert.deepStrictEqual(found("src/a.ts", "const x = 1\nconst settle = 2"), [`src/a.ts:2: ${back}`])
    assert.deepStrictEqual(found("src/a.ts", "x.settle()"), [`src/a.ts:1: ${back}`])
    assert.deepStrictEqual(found("src/a.ts", "interface A { settle(): void }"), [`src/a.ts:1: ${back}`])
    assert.deepStrictEqual(found("src/a.ts", `import { settle } from "./b.ts"`), [`src/a.ts:1: ${back}`])
    assert.deepStrictEqual(found("src/settle.ts", ""), [`src/settle.ts: ${back}`])
  })

  it("leaves comments, texts and longer names alone", () => {
    assert.deepStrictEqual(found("src/a.ts", `/** settle */ const unsettled = "settle"`), [])
  })
})

describe("the reader of the glossary", () => {
  it("reads entries of both parts, and retired words", () => {
    const page = [
      "# Glossary",
      "## Words for everybody",
      "| word | meaning | module | OTP |",
      "| --- | --- | --- | --- |",
      "| pid | Names a process. | `kernel/Pid` | |",
      "## Words that we do not use",
      "| not | but | why |",
      "| --- | --- | --- |",
      "| `settle` | `countFate` | Too vague. |"
    ].join("\n")
    assert.deepStrictEqual(readGlossary(page), {
      entries: [{ section: "Words for everybody", word: "pid", meaning: "Names a process.", module: "kernel/Pid" }],
      retired: [{ word: "settle", instead: "`countFate`" }]
    })
  })
})
