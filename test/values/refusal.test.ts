/** The sentence about a value that a Schema refuses. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { refusalOf } from "../../src/values/schemaRefusal.ts"
import { hostile } from "../fixtures/hostile.ts"

const refusal = (schema: Schema.Top, value: unknown, options?: Schema.MakeOptions): string => {
  try {
    schema.make(value, options)
  } catch (error) {
    return refusalOf(error, { name: "payload", value })
  }
  return "accepted"
}

const Text = Schema.String
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
const told = Text.check(Schema.makeFilter((text) => text.length > 9 || `"${text}" is too short`))

describe("what a Schema refuses", () => {
  it.each<readonly [what: string, schema: Schema.Top, value: unknown, said: string]>([
    ["a field", Schema.Struct({ amount: Schema.Finite }), { amount: "x" }, 'payload.amount: expected number, got "x"'],
    ["a field that is not there", Schema.Struct({ amount: Schema.Finite }), {}, "payload.amount: is missing"],
    ["the value itself", Positive, -1, "payload: expected a value greater than 0, got -1"],
    ["a check of one's own", told, "short", 'payload: "short" is too short, got "short"'],
    [
      "an item of a list",
      Schema.Struct({ items: Schema.Array(Schema.Struct({ id: Text })) }),
      { items: [{ id: "a" }, { id: 2 }] },
      "payload.items[1].id: expected string, got 2"
    ],
    [
      "a name that is no word",
      Schema.Record(Text, Schema.Finite),
      { "two words": "x" },
      'payload["two words"]: expected number, got "x"'
    ],
    [
      "a union",
      Schema.Struct({ size: Schema.Literals(["s", "m"]) }),
      { size: "l" },
      'payload.size: expected "s" | "m", got "l"'
    ],
    ["a nested value", Schema.Struct({ a: Text }), { a: { b: [1] } }, 'payload.a: expected string, got {"b":[1]}'],
    ["nothing", Schema.Struct({ a: Text }), undefined, "payload: expected object, got undefined"]
  ])("is named with what was expected and what was given: %s", (_, schema, value, said) => {
    assert.strictEqual(refusal(schema, value), said)
  })

  it.each<readonly [what: string, schema: Schema.Top, value: unknown, said: string]>([
    ["a secret field", Schema.Struct({ password: Schema.Finite }), { password: "hunter2" }, "expected number"],
    ["a secret that is too short", Schema.Struct({ apiToken: told }), { apiToken: "hunter2" }, "its Schema refuses it"],
    [
      "a field below a secret name",
      Schema.Struct({ secrets: Schema.Struct({ first: Schema.Finite }) }),
      { secrets: { first: "hunter2" } },
      "expected number"
    ],
    [
      "what is Redacted",
      Schema.Struct({ key: Schema.Redacted(told) }),
      { key: Redacted.make("hunter2") },
      "its Schema refuses it"
    ]
  ])("is not shown if it is a secret: %s", (_, schema, value, said) => {
    const text = refusal(schema, value)
    assert.notInclude(text, "hunter2")
    assert.include(text, said)
    assert.match(text, /, got <redacted>$/)
  })

  it("hides a secret that a check of the whole value has put into its text", () => {
    const equal = Schema.makeFilter<{ readonly password: string; readonly again: string }>(
      ({ again, password }) => password === again || `${password} is not ${again}`
    )
    const both = Schema.Struct({ password: Text, again: Text }).check(equal)
    const text = refusal(both, { password: "hunter2", again: "hunter3" })
    assert.strictEqual(text, 'payload: <redacted> is not hunter3, got {"password":"<redacted>","again":"hunter3"}')
  })

  it("shows nothing more if the Schema lets its own errors show the value", () => {
    const schema = Schema.Struct({ password: Schema.Finite })
    assert.strictEqual(
      refusal(schema, { password: "hunter2" }, { parseOptions: { reportInput: true } }),
      "payload.password: expected number, got <redacted>"
    )
  })

  it("names the first fields, and says that there are more", () => {
    const schema = Schema.Struct({ a: Text, b: Text, c: Text, d: Text, e: Text })
    assert.strictEqual(
      refusal(schema, { a: 1, b: 2, c: 3, d: 4, e: 5 }, { parseOptions: { errors: "all" } }),
      "payload.a: expected string, got 1; payload.b: expected string, got 2; payload.c: expected string, got 3; and more"
    )
  })

  it("is bounded, whatever its size", () => {
    const key = "k".repeat(100_000)
    const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`a${index}`, key]))
    for (const value of [{ a: key }, { a: wide }, { [key]: 1 }, key]) {
      assert.isBelow(refusal(Schema.Record(Text, Schema.Finite), value).length, 1000)
    }
    const long = Schema.String.annotate({ expected: "x".repeat(100_000) }).check(Schema.isMinLength(5))
    assert.isBelow(refusal(long, "a").length, 1000)
  })

  it.each(hostile)("is described without running its code: %s", (_, make) => {
    const text = refusal(Schema.Struct({ a: Schema.Literal("never") }), { a: make() })
    assert.match(text, /^payload/)
    assert.isBelow(text.length, 1000)
  })

  it("is described if a Schema fails or dies by itself", () => {
    const dying = Text.pipe(Schema.withConstructorDefault(Effect.die(new Error("no default today"))))
    assert.strictEqual(refusal(Schema.Struct({ a: dying }), {}), "payload: no default today")
  })
})
