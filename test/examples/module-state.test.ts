import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { root } from "../project/sources.ts"

const folder = path.join(root, ".data", `lint-${process.pid}`)

/** The variables that the rule reports in a file. */
const reported = (...lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const file = path.join(folder, "file.ts")
  fs.writeFileSync(file, lines.join("\n"))
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, "node_modules/oxlint/bin/oxlint"), "-c", path.join(folder, "rc.json"), "--format", "json", file],
    { encoding: "utf8", cwd: folder }
  )
  assert.strictEqual(stderr, "")
  const { diagnostics } = JSON.parse(stdout) as { readonly diagnostics: ReadonlyArray<{ readonly message: string }> }
  return diagnostics.map(({ message }) => /"(\w+)" is changed/.exec(message)?.[1] ?? message)
}

const server = `import { Agent, GenServer } from "effect-otp"`

describe("the lint rule module-state", () => {
  beforeAll(() => {
    fs.mkdirSync(folder, { recursive: true })
    const plugin = path.join(root, "docs/examples/oxlint/module-state.ts")
    const rc = {
      jsPlugins: [plugin],
      categories: { correctness: "off" },
      rules: { "effect-otp/module-state": "error" }
    }
    fs.writeFileSync(path.join(folder, "rc.json"), JSON.stringify(rc))
  })
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("reports what a function assigns or changes", () => {
    const found = reported(
      server,
      "let count = 0",
      "export const cache = new Map<string, number>()",
      "const list: Array<number> = []",
      "const table = { a: { b: 1 } }",
      "class Server extends GenServer.Service<Server>()('s', []) {",
      "  static readonly layer = this.define({",
      "    init: () => { count += 1; { cache.set('a', count) } return list.push(1) },",
      "    handlers: { h: () => { table.a.b++ } }",
      "  })",
      "}"
    )
    assert.deepStrictEqual([...found].toSorted(), ["cache", "count", "list", "table"])
  })

  it("reports nothing for constants, shadows, state, other files and the start of the module", () => {
    assert.deepStrictEqual(
      reported(
        server,
        "const limits = new Map([['a', 1]])",
        "limits.set('b', 2)",
        "let label = 'a'",
        "label = 'b'",
        "const client = make()",
        "const read = () => [limits.get('a'), label, client.set('x')]",
        "const shadow = (limits: Map<string, number>) => limits.set('a', 1)",
        "const handler = () => { const seen = new Set(); seen.add(1); return seen }"
      ),
      []
    )
    const mutable = ["let count = 0", "export const next = () => ++count"]
    assert.deepStrictEqual(reported(...mutable), [])
    assert.deepStrictEqual(reported(`import type { GenServer } from "effect-otp"`, ...mutable), [])
    assert.deepStrictEqual(reported(`import { Supervisor } from "effect-otp"`, ...mutable), [])
    assert.deepStrictEqual(reported(`import * as Agent from "effect-otp/behaviour/Agent"`, ...mutable), ["count"])
  })

  it("finds nothing in our own examples", () => {
    const demo = path.join(root, "docs/examples/break-your-server")
    const { status, stdout } = spawnSync(
      process.execPath,
      [path.join(root, "node_modules/oxlint/bin/oxlint"), "-c", path.join(folder, "rc.json"), demo],
      { encoding: "utf8", cwd: folder }
    )
    assert.strictEqual(status, 0, stdout)
  })
})
