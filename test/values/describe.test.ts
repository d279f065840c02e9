import { assert, describe, it } from "@effect/vitest"
import { Cause, Data } from "effect"
import * as Describe from "../../src/values/describe.ts"
import { hostile } from "../fixtures/hostile.ts"

class Tagged extends Data.TaggedError("Tagged")<{ readonly port: number }> {
  override get message() {
    return `port ${this.port} is taken`
  }
}

describe("describe", () => {
  it.each<readonly [value: unknown, text: string]>([
    ["text", "text"],
    [42, "42"],
    [undefined, "undefined"],
    [null, "null"],
    [10n, "10"],
    [Symbol("a"), "Symbol(a)"],
    [new TypeError("no"), "TypeError: no"],
    [new Tagged({ port: 80 }), "Tagged: port 80 is taken"],
    [{ _tag: "Full", size: 1 }, "Full"],
    [{ a: 1 }, "[object Object]"],
    [[1, 2], "1,2"],
    [{ toString: () => "mine" }, "mine"],
    [function called() {}, "function called"]
  ])("%o is %s", (value, text) => {
    assert.strictEqual(Describe.describe(value), text)
  })

  it.each(hostile)("describes %s, in at most 1,100 characters", (_, make) => {
    const text = Describe.describe(make())
    assert.isAbove(text.length, 0)
    assert.isBelow(text.length, 1100)
  })

  it("names an error whose text cannot be made", () => {
    const [, make] = hostile.find(([name]) => name === "a typed error whose message throws")!
    assert.strictEqual(Describe.describe(make()), "NoDatabase (its text cannot be shown)")
  })

  it("says how much of a text is left out", () => {
    assert.strictEqual(Describe.describe("abcdef", 2), "ab… (4 more characters)")
  })
})

describe("describeCause", () => {
  it("shows a plain cause as Effect does", () => {
    const cause = Cause.die(new Error("plain"))
    assert.strictEqual(Describe.describeCause(cause), Cause.pretty(cause))
  })

  it.each(hostile)("describes a cause with %s, in at most 10,100 characters", (_, make) => {
    for (const cause of [Cause.die(make()), Cause.fail(make())]) {
      const text = Describe.describeCause(cause)
      assert.isAbove(text.length, 0)
      assert.isBelow(text.length, 10_100)
    }
  })
})

describe("stackOf and read", () => {
  it.each(hostile)("do not throw for %s", (_, make) => {
    const stack = Describe.stackOf(make())
    assert.isTrue(stack === undefined || stack.length < 10_100)
    Describe.read(make(), "anything")
  })
})
