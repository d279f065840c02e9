import { assert, describe, it } from "@effect/vitest"
import * as rules from "./rules.ts"
import { parse, sources } from "./sources.ts"

describe("architecture", () => {
  const all = sources()
  const each: ReadonlyArray<readonly [name: string, rule: rules.Rule]> = [
    ["1. a file imports from its own folder or from a lower rank", rules.direction],
    ["2. internals are imported only by their own folder, shared files only by layers", rules.internals],
    ["3. a file imports files, not barrels", rules.paths],
    ["5. areas outside the core are met in the layer that answers for them", rules.outside],
    ["6. time, chance, output and failure go through Effect", rules.host],
    ["8. only values/ turns values of users into text", rules.text],
    ["9. no class extends a class of ours", rules.inheritance],
    ["10. public files have public names only", rules.publicNames]
  ]
  it.each(each)("%s", (_, rule) => {
    assert.deepStrictEqual(all.flatMap(rule), [])
  })
  it("4. the rooms of one layer's internals import each other in one direction only", () => {
    assert.deepStrictEqual(rules.rooms(all), [])
  })
  it("7. a service's key is written once", () => {
    assert.deepStrictEqual(rules.keys(all), [])
  })
})

describe("the rules themselves", () => {
  const broken = (rule: rules.Rule, file: string, text: string) => rule(parse(file, text)).length

  it("public names: a name marked @internal is reported in a public file, and not in shared files", () => {
    const text = `/** One. @internal */\nexport const one = 1\n/** Two. */\nexport const two = 2`
    assert.strictEqual(broken(rules.publicNames, "src/kernel/A.ts", text), 1)
    assert.strictEqual(broken(rules.publicNames, "src/kernel/shared/a.ts", text), 0)
  })

  it("direction: upward, sideways and unknown folders are reported, types too", () => {
    const { direction } = rules
    assert.strictEqual(broken(direction, "src/kernel/A.ts", `import "../naming/Name.ts"`), 1)
    assert.strictEqual(broken(direction, "src/kernel/A.ts", `import type { X } from "../naming/Name.ts"`), 1)
    assert.strictEqual(broken(direction, "src/port/A.ts", `export * from "../cluster/Node.ts"`), 1)
    assert.strictEqual(broken(direction, "src/kernel/A.ts", `import "../index.ts"`), 1)
    assert.strictEqual(broken(direction, "src/stuff/A.ts", ``), 1)
    assert.strictEqual(broken(direction, "src/naming/A.ts", `import "../kernel/Pid.ts"; import "./Name.ts"`), 0)
  })

  it("internals, barrels and foreign packages are reported", () => {
    assert.strictEqual(broken(rules.internals, "src/naming/A.ts", `import "../kernel/internal/pump.ts"`), 1)
    assert.strictEqual(broken(rules.internals, "src/kernel/A.ts", `import "./internal/pump.ts"`), 0)
    assert.strictEqual(broken(rules.internals, "src/kernel/shared/a.ts", `import "../internal/pump.ts"`), 0)
    assert.strictEqual(broken(rules.internals, "src/kernel/index.ts", `export * from "./internal/pump.ts"`), 1)
    assert.strictEqual(broken(rules.paths, "src/naming/A.ts", `import "../kernel/index.ts"`), 1)
    assert.strictEqual(broken(rules.paths, "src/naming/A.ts", `import { Effect } from "effect"`), 1)
    assert.strictEqual(broken(rules.paths, "src/naming/A.ts", `const x = () => import("lodash")`), 1)
    assert.strictEqual(broken(rules.paths, "src/naming/A.ts", `import * as Effect from "effect/Effect"`), 0)
    assert.strictEqual(broken(rules.outside, "src/kernel/A.ts", `import * as fs from "node:fs"`), 1)
    assert.strictEqual(broken(rules.outside, "src/kernel/A.ts", `import * as Rpc from "effect/rpc/Rpc"`), 1)
    assert.strictEqual(broken(rules.outside, "src/behaviour/A.ts", `import * as Rpc from "effect/rpc/Rpc"`), 0)
  })

  it("shared files: a barrel that opens one is reported, and a lower layer that uses one", () => {
    assert.strictEqual(broken(rules.internals, "src/naming/A.ts", `import "../kernel/shared/pump.ts"`), 0)
    assert.strictEqual(broken(rules.internals, "src/kernel/internal/a/b.ts", `import "../../shared/pump.ts"`), 0)
    assert.strictEqual(broken(rules.internals, "src/kernel/index.ts", `export * from "./shared/pump.ts"`), 1)
    assert.strictEqual(broken(rules.internals, "src/index.ts", `export * as P from "./kernel/shared/pump.ts"`), 1)
    assert.strictEqual(broken(rules.direction, "src/kernel/A.ts", `import "../naming/shared/pump.ts"`), 1)
  })

  it("rooms: two that import each other are reported, a chain is fine", () => {
    const source = (file: string, text: string) => parse(`src/kernel/internal/${file}`, text)
    const chain = [source("a/x.ts", `import "../b/y.ts"; import "./z.ts"`), source("b/y.ts", `import "../c/z.ts"`)]
    assert.deepStrictEqual(rules.rooms([...chain, source("c/z.ts", "")]), [])
    const back = source("c/z.ts", `import type { X } from "../a/x.ts"`)
    const circle = ["a", "b", "c", "a"].map((room) => `src/kernel/internal/${room}`).join(" → ")
    assert.deepStrictEqual(rules.rooms([...chain, back]), [`src/kernel/internal/c/z.ts:1: ${circle} is a circle`])
  })

  it.each([
    "Date.now()",
    "new Date()",
    "Math.random()",
    "setTimeout(f, 1)",
    "queueMicrotask(f)",
    "console.log(1)",
    "const f = async () => 1",
    "try { f() } catch {}",
    "throw new Error()",
    "class A { async f() { await 1 } }"
  ])("host: %s is reported, and allowed where foreign code is guarded against", (text) => {
    assert.isAbove(broken(rules.host, "src/behaviour/A.ts", text), 0)
    assert.strictEqual(broken(rules.host, "src/kernel/internal/a.ts", text), 0)
  })

  it("host: a RangeError, a type and a comment are fine", () => {
    const text = `// Date.now\ntype T = { await: Date }\nthrow new RangeError("async")`
    assert.strictEqual(broken(rules.host, "src/behaviour/A.ts", text), 0)
  })

  it("text: String(…) and instanceof Error are reported, and allowed in values/", () => {
    const text = "String(error); error instanceof Error; error instanceof Mine; Schema.String; error.toString()"
    assert.strictEqual(broken(rules.text, "src/kernel/A.ts", text), 2)
    assert.strictEqual(broken(rules.text, "src/values/a.ts", text), 0)
  })

  it("inheritance: a class that extends another is reported, what Effect makes is fine", () => {
    const fine = `class A extends Data.TaggedError("A")<{}> {}; class B extends Effectable.Class<void> {}; class C {}`
    assert.strictEqual(broken(rules.inheritance, "src/kernel/A.ts", `${fine}; class D extends C {}`), 1)
    assert.strictEqual(broken(rules.inheritance, "src/kernel/A.ts", fine), 0)
  })

  it("keys: the same key in two places is reported", () => {
    const source = (file: string) => parse(file, `const key = "effect-otp/kernel/Kernel"`)
    assert.strictEqual(rules.keys([source("src/a/A.ts"), source("src/b/B.ts")]).length, 1)
  })
})
