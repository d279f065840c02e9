import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { parseSync } from "vite"
import { afterAll, beforeAll } from "vitest"
import { type Fence, fences, fencesOf, moduleOf } from "./fences.ts"
import { publicFunctions, wordsIn } from "./comments.ts"
import { files, parse, read, root } from "./sources.ts"

const nameOf = (fence: Fence) => `${fence.file.replaceAll(/[^\w]/g, "_")}_${fence.line}.ts`

describe("examples", () => {
  const all = fences()
  // A folder inside the repository, so that `effect-otp` resolves to it. Each run has its own, so that runs do not
  // disturb each other.
  const folder = path.join(root, ".data", `examples-${process.pid}`)

  beforeAll(() => {
    fs.mkdirSync(folder, { recursive: true })
    for (const fence of all) fs.writeFileSync(path.join(folder, nameOf(fence)), moduleOf(fence))
    const tsconfig = {
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, plugins: [] },
      include: ["*.ts"]
    }
    fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(tsconfig))
  })
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("type-check", { timeout: 120_000 }, () => {
    const pages = new Map(all.map((fence) => [nameOf(fence), fence.file]))
    const errors = errorsOf(folder).map((line) =>
      line.replace(/^\S*?(\w+\.ts)(?=\()/, (_, name) => pages.get(name) ?? name)
    )
    assert.deepStrictEqual(errors, [])
  })

  const running = all.filter(({ runs }) => runs)
  it.each(running.map((fence) => [`${fence.file}:${fence.line}`, fence] as const))("%s runs", async (_, fence) => {
    await import(path.join(folder, nameOf(fence)))
  })
})

/** The compiler's errors for the examples. */
function errorsOf(folder: string): ReadonlyArray<string> {
  const tsc = path.join(root, "node_modules/.bin/tsc")
  const { status, stdout } = spawnSync(tsc, ["-p", folder, "--pretty", "false"], { encoding: "utf8" })
  return status === 0 ? [] : stdout.trim().split("\n")
}

describe("doc comments of public functions", () => {
  const all = files("src", ".ts").flatMap((file) => {
    const text = read(file)
    return publicFunctions(parse(file, text), parseSync(file, text, { lang: "ts" }).comments)
  })
  const without = all.filter(({ comment }) => !comment.text.includes("```ts"))

  it("have an example, at least 97 of 100", () => {
    assert.isAbove(all.length, 190)
    const names = without.map(({ file, name }) => `${file}: ${name}`)
    assert.isAtLeast(1 - without.length / all.length, 0.97, `without an example: ${names.join(", ")}`)
  })

  it("say when to use it, how it fails and what it does in 40 words or more, on average", () => {
    const words = all.reduce((sum, { comment }) => sum + wordsIn(comment), 0)
    assert.isAtLeast(words / all.length, 40)
  })

  it("are found for functions of all forms, and not for what is @internal", () => {
    const text = [
      "/** One. */\nexport const one = (a: number): number => a",
      "/** Two. */\nexport const two: { (a: number): number } = dual(2, f)",
      "/** Three. @internal */\nexport const three = () => 3",
      "/** Four. */\nexport const four = 4",
      "/** Five. */\n// oxlint-disable-next-line\nexport const five: () => void = f"
    ].join("\n")
    const source = parse("src/kernel/A.ts", text)
    const found = publicFunctions(source, parseSync("a.ts", text, { lang: "ts" }).comments)
    assert.deepStrictEqual(
      found.map(({ comment, name }) => [name, comment.text]),
      [
        ["one", "One."],
        ["two", "Two."],
        ["five", "Five."]
      ]
    )
  })
})

describe("the runner itself", () => {
  const page = (...code: ReadonlyArray<string>) =>
    ["# A page", "```ts import.meta.vitest", ...code, "```", ""].join("\n")
  const only = (text: string) => fencesOf("page.md", text).map(moduleOf)

  it("keeps lines where the page has them", () => {
    assert.deepStrictEqual(only(page("const a = 1"))[0]?.split("\n")[2], "const a = 1")
  })

  it("compares an expression with what follows it, over several lines too", () => {
    const [code] = only(page("const a = {", "}", "f(", "  a", ") // => 1", "a.b", "// => { c: 2 }"))
    assert.include(code, ";__equal(f(\n  a\n),  1)\n;__equal(a.b, \n{ c: 2 })")
  })

  it("takes fences out of doc comments, and tells those that run from those that are only compiled", () => {
    const text = [
      "/**",
      " * ```ts import.meta.vitest",
      " * f() // => 1",
      " * ```",
      " *",
      " * ```ts",
      " * g()",
      " * ```",
      " */"
    ]
    assert.deepStrictEqual(fencesOf("a.ts", text.join("\n")), [
      { file: "a.ts", line: 3, code: "f() // => 1", runs: true },
      { file: "a.ts", line: 7, code: "g()", runs: false }
    ])
  })

  it("rejects an expectation that follows no expression, and a fence that does not end", () => {
    assert.throws(() => only(page("const a = 1 // => 1")), /follows no expression/)
    assert.throws(() => fencesOf("a.md", "```ts import.meta.vitest\n1"), /not closed/)
  })
})
