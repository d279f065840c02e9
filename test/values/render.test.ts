import * as util from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Data, Duration, Effect, Exit, HashMap, HashSet, Logger, Option, Redacted } from "effect"
import { Headers as HttpHeaders } from "effect/http"
import { cpuMillis } from "../fixtures/cpu.ts"
import { defaultLimits, render, renderCause } from "../../src/values/render.ts"
import { hostile, Money } from "../fixtures/hostile.ts"
import { forAll, type Choices } from "../fixtures/property.ts"

const plain = (value: unknown) => render(value, "plain")
const same = (value: unknown) => render(value, "same")

/** Names and marks are added to the text. */
const MOST = defaultLimits.size * 2

const printed = (value: unknown): string =>
  `${JSON.stringify(value) ?? ""}${util.inspect(value, { depth: Infinity })}${String(value)}`

class Empty {
  readonly #inside = 1
  get inside() {
    return this.#inside
  }
}

/** What the loggers of Effect print for a report that holds this. */
const logged = (cause: Cause.Cause<unknown>, fields: Record<string, unknown>): string => {
  let written = ""
  const keep = (text: unknown) => void (written += String(text))
  const loggers = [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson].map((format) =>
    Logger.map(format, keep)
  )
  const line = Effect.annotateLogs(Effect.logError("report", cause), fields)
  Effect.runSync(Effect.provide(line, Logger.layer(loggers)))
  return written
}

const huge = (): ReadonlyArray<readonly [name: string, make: () => unknown]> => [
  ["an array of a million records", () => Array.from({ length: 1_000_000 }, (_, id) => ({ id }))],
  [
    "an array of a length without items",
    () => Array.from({ length: 0 }).concat(Object.assign([], { length: 2 ** 32 - 1 }))
  ],
  ["a map of a million entries", () => new Map(Array.from({ length: 1_000_000 }, (_, id) => [`k${id}`, { id }]))],
  ["a set of a million items", () => new Set(Array.from({ length: 1_000_000 }, (_, id) => id))],
  ["a HashMap of 100,000 entries", () => HashMap.fromIterable(Array.from({ length: 100_000 }, (_, id) => [id, id]))],
  ["a typed array of 10 MB", () => new Uint8Array(10_000_000)],
  ["a text of 10 MB", () => Buffer.alloc(10_000_000, "x").toString()],
  ["a text of 10 MB as an object", () => Object(Buffer.alloc(10_000_000, "x").toString())],
  ["a number of a million digits", () => 10n ** 1_000_000n],
  [
    "100 records that hold one another 100 times",
    () => {
      const all: Array<Array<unknown>> = Array.from({ length: 100 }, () => [])
      for (const one of all) one.push(...all)
      return all
    }
  ],
  [
    "a list 100,000 long by its tails",
    () => {
      let list: unknown = undefined
      for (let i = 0; i < 100_000; i++) list = { head: i, tail: list }
      return list
    }
  ]
]

describe("what is rendered", () => {
  it.each<readonly [string, unknown, unknown]>([
    ["a record", { a: 1, b: [true, null, undefined, "x"] }, { a: 1, b: [true, null, undefined, "x"] }],
    ["an instance", new Money("12"), { amount: "12" }],
    ["an instance with nothing of its own", new Empty(), "[Empty]"],
    [
      "a getter",
      {
        get a() {
          return 1
        }
      },
      { a: "[getter]" }
    ],
    ["a function", { f: () => 1 }, { f: "[Function f]" }],
    ["a bigint", 12n, "12n"],
    ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
    ["a date that is none", new Date(Number.NaN), "Invalid Date"],
    ["bytes", new Uint8Array(3), "[Uint8Array of 3 bytes]"],
    ["a duration", Duration.seconds(2), "2000 millis"],
    ["a map", new Map([["a", 1]]), { _id: "Map", values: [["a", 1]] }],
    ["a set", new Set([1]), { _id: "Set", values: [1] }],
    ["a HashSet", HashSet.make(1), { _id: "HashSet", values: [1] }],
    ["a chunk", Chunk.make(1, 2), { _id: "Chunk", values: [1, 2] }],
    ["an option", Option.some({ token: "x" }), { _id: "Option", _tag: "Some", value: { token: "<redacted>" } }],
    ["an exit", Exit.succeed({ pin: 1 }), { _id: "Exit", _tag: "Success", value: { pin: "<redacted>" } }],
    ["an effect", Effect.never, "[Effect]"],
    ["an error", new TypeError("no"), { name: "TypeError", message: "no" }],
    ["a Redacted", Redacted.make("x", { label: "key" }), "<redacted:key>"],
    ["headers", HttpHeaders.fromInput({ cookie: "a=b", host: "x" }), { cookie: "<redacted>", host: "x" }],
    ["headers of the web", new Headers({ cookie: "a" }), { _id: "Headers", values: [["cookie", "<redacted>"]] }],
    ["headers as a list", ["Cookie", "a=b", "Host", "x"], ["Cookie", "<redacted>", "Host", "x"]],
    ["headers as pairs", [["Cookie", "a=b"]], [["Cookie", "<redacted>"]]],
    ["headers as records", [{ name: "Cookie", value: "a" }], [{ name: "Cookie", value: "<redacted>" }]],
    ["a map of secrets", new Map([["password", "x"]]), { _id: "Map", values: [["password", "<redacted>"]] }],
    ["an address", new URL("http://a:b@c/"), "http://<redacted>@c/"],
    ["a field of the prototype's name", JSON.parse(`{"__proto__":1}`), JSON.parse(`{"__proto__":1}`)]
  ])("%s", (_, value, shown) => {
    assert.deepStrictEqual(plain(value), shown)
  })

  it("is cut if it is too deep, wide or long, and says by how much", () => {
    const deep = (levels: number): unknown => (levels === 0 ? { end: 1 } : { a: deep(levels - 1) })
    assert.include(JSON.stringify(plain(deep(5))), `{"end":1}`)
    assert.include(JSON.stringify(plain(deep(6))), "[Object]")
    const wide = plain(Array.from({ length: 40 }, (_, index) => index))
    assert.deepStrictEqual(wide, [...Array.from({ length: 30 }, (_, index) => index), "… 10 more"])
    const record = plain(Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`k${index}`, index])))
    assert.deepStrictEqual(Object.entries(record as object).at(-1), ["…", "10 more"])
    assert.strictEqual(plain("x".repeat(1001)), `${"x".repeat(1000)}… (1 more characters)`)
  })

  it("shows what holds itself once", () => {
    const value: Record<string, unknown> = { a: 1 }
    value["self"] = value
    assert.deepStrictEqual(plain(value), { a: 1, self: "[circular]" })
  })

  it("is the value itself if a program asks for that and nothing has to be hidden", () => {
    const kept = [
      { a: [1, { b: new Map([["k", Option.some(1)]]) }], f: () => 1 },
      new Money("12"),
      new (class extends Data.TaggedError("E")<{ readonly a: number }> {})({ a: 1 }),
      new Error("x", { cause: new Error("y") }),
      Exit.fail("x"),
      new Date(0),
      [1n, Symbol.iterator],
      Chunk.make(1)
    ]
    for (const value of kept) assert.strictEqual(same(value), value)
    assert.deepStrictEqual(same({ a: new Map([["password", "x"]]) }), { a: new Map([["password", "<redacted>"]]) })
    assert.deepStrictEqual(same(Exit.succeed({ token: "x" })), Exit.succeed({ token: "<redacted>" }))
  })

  it.each([...hostile, ...huge()])("has a limited size for %s, at once", (_, make) => {
    const value = make()
    // A text that was joined from parts becomes one string when it is first read.
    render(value, "plain")
    const begun = cpuMillis()
    const shown = [plain(value), plain({ state: value }), plain([value]), plain(new Map([["k", value]]))]
    const kept = same({ state: value })
    const took = cpuMillis() - begun
    // Five renderings, each about a millisecond on an idle machine.
    assert.isBelow(took, 100)
    for (const one of shown) assert.isBelow(printed(one).length, MOST * 4)
    assert.isDefined(kept)
  })

  it("hides the same secret in every place", () => {
    const places: ReadonlyArray<(secret: string) => unknown> = [
      (secret) => ({ password: secret }),
      (secret) => ({ password: { value: secret } }),
      (secret) => new Map([["apiKey", secret]]),
      (secret) => HashMap.make(["token", secret]),
      (secret) => [["authorization", secret]],
      (secret) => `postgres://u:${secret}@h/d`,
      (secret) => `cannot connect: password=${secret}`,
      (secret) => Object.assign(new Error(`token: ${secret}`), { secret }),
      (secret) => Redacted.make(secret),
      (secret) => Option.some({ cookie: secret }),
      (secret) => Exit.die(new Error(`http://u:${secret}@h`)),
      (secret) => Cause.die({ password: secret }),
      (secret) => new AggregateError([new Error(`pwd=${secret}`)], "all"),
      (secret) => new Error("x", { cause: new Error(`token=${secret}`) })
    ]
    const around: ReadonlyArray<(value: unknown) => unknown> = [
      (value) => ({ a: value }),
      (value) => [value],
      (value) => new Map([["k", value]]),
      (value) => new Set([value]),
      (value) => Option.some(value),
      (value) => new Error("x", { cause: value }),
      (value) =>
        new (class Holder {
          readonly held = value
        })()
    ]
    forAll(({ int, pick }: Choices) => {
      let value = pick(places)("hunter2")
      for (let depth = int(5); depth > 0; depth--) value = pick(around)(value)
      assert.notInclude(printed(plain(value)), "hunter2")
      const cause = pick([Cause.die(value), Cause.fail(value)])
      assert.notInclude(logged(renderCause(cause), { state: plain(value) }), "hunter2")
    })
  })
})

describe("a cause", () => {
  it("is itself if its errors are ordinary ones", () => {
    for (const cause of [
      Cause.die(new Error("x", { cause: new TypeError("y") })),
      Cause.fail("x"),
      Cause.interrupt(1)
    ]) {
      assert.strictEqual(renderCause(cause), cause)
    }
  })

  it("keeps name, message, stack, fields and causes of other errors, and none of their code", () => {
    class Odd extends Error {
      readonly code = "E1"
      readonly password = "hunter2"
      override readonly name = "Odd"
      override toString() {
        return "no"
      }
    }
    const odd = new Odd("http://u:hunter2@h", { cause: "why" })
    const shown = Cause.squash(renderCause(Cause.die(odd))) as Odd
    assert.strictEqual(Object.getPrototypeOf(shown), Error.prototype)
    assert.deepStrictEqual(
      [shown.name, shown.message, shown.cause, shown.code, shown.password],
      ["Odd", "http://<redacted>@h", "why", "E1", "<redacted>"]
    )
    assert.match(shown.stack!, /^Odd: http:\/\/<redacted>@h\n +at /)
  })

  const many: ReadonlyArray<readonly [string, () => Cause.Cause<unknown>]> = [
    ...hostile.map(([name, make]) => [name, () => Cause.die(make())] as const),
    ...huge().map(([name, make]) => [name, () => Cause.die(make())] as const),
    [
      "2,000 causes",
      () => Cause.fromReasons(Array.from({ length: 2000 }, (_, i) => Cause.makeDieReason(new Error(`e${i}`))))
    ],
    [
      "2,000 causes of 10 kB",
      () => {
        const long = "x".repeat(10_000)
        return Cause.fromReasons(Array.from({ length: 2000 }, () => Cause.makeDieReason(new Error(long))))
      }
    ],
    [
      "an AggregateError with 10,000 errors",
      () => Cause.die(new AggregateError(Array.from({ length: 10_000 }, (_, i) => new Error(`e${i}`))))
    ],
    [
      "an AggregateError that holds itself",
      () => {
        const error = new AggregateError([], "self")
        error.errors.push(error)
        return Cause.die(error)
      }
    ]
  ]

  it.each(many)("can be logged by every logger, in limited size: %s", (_, make) => {
    const text = logged(renderCause(make()), {})
    assert.include(text, "report")
    assert.isBelow(text.length, MOST * 5)
  })
})
