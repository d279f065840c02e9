import { assert, describe, it } from "@effect/vitest"
import { Data, Effect, Exit, Option, Result, Schema } from "effect"
import { deepFreeze } from "../../../src/kernel/shared/deepFreeze.ts"
import { forAll, type Choices } from "../../fixtures/property.ts"

class Point extends Data.Class<{ readonly at: Array<number> }> {}
class Line extends Schema.Class<Line>("Line")({ from: Schema.mutable(Schema.Array(Schema.Finite)) }) {}
class Own {
  items = [1]
}

const frozen = <A>(value: A): A => {
  deepFreeze(value)
  return value
}

describe("deepFreeze", () => {
  it("freezes records and arrays as deep as they go", () => {
    const value = frozen({ list: [{ deep: [1] }], none: Object.assign(Object.create(null), { a: [1] }) })
    const all = [value, value.list, value.list[0], value.list[0]?.deep, value.none, value.none.a]
    assert.ok(all.every(Object.isFrozen))
    assert.throws(() => value.list[0]!.deep.push(2), TypeError)
  })

  it("freezes instances of Data and Schema classes, and what an Option or a Result holds", () => {
    const point = frozen(new Point({ at: [1] }))
    const line = frozen(new Line({ from: [1] }))
    assert.ok([point, point.at, line, line.from].every(Object.isFrozen))
    const inside = { a: [1] }
    const option = frozen(Option.some(inside))
    const result = frozen([Result.succeed([1]), Result.fail([2])] as const)
    assert.ok(Object.isFrozen(inside.a) && !Object.isFrozen(option))
    assert.ok(result.every((r) => Object.isFrozen(Result.isSuccess(r) ? r.success : r.failure)))
  })

  it("leaves everything else as it is", () => {
    const others = {
      own: new Own(),
      map: new Map([["a", [1]]]),
      set: new Set([[1]]),
      date: new Date(0),
      bytes: new Uint8Array(2),
      error: new Error("no"),
      effect: Effect.succeed([1]),
      exit: Exit.fail([1]),
      service: { call: () => {}, count: 1 },
      callbacks: [() => {}]
    }
    frozen(others)
    for (const [name, other] of Object.entries(others)) assert.isFalse(Object.isFrozen(other), name)
    assert.isFalse(Object.isFrozen(others.own.items))
    others.bytes[0] = 1
    for (const value of [undefined, null, 1, "text", Symbol("s"), () => {}]) deepFreeze(value)
  })

  it("can handle a cycle, and a chain of 100,000 links", () => {
    interface Link {
      next: Link | undefined
    }
    const cycle: Link = { next: undefined }
    cycle.next = cycle
    assert.ok(Object.isFrozen(frozen(cycle)))
    let chain: Link = { next: undefined }
    const last = chain
    for (let i = 0; i < 100_000; i++) chain = { next: chain }
    frozen(chain)
    assert.ok(Object.isFrozen(last))
  })

  it("does not walk again what it has frozen, but walks what its owner has frozen", () => {
    let looks = 0
    const counted = new Proxy([1], {
      ownKeys: (target) => {
        looks++
        return Reflect.ownKeys(target)
      }
    })
    frozen({ counted })
    const once = looks
    frozen([{ counted }, counted])
    assert.strictEqual(looks, once)
    const shallow = Object.freeze({ inner: { a: 1 } })
    frozen(shallow)
    assert.ok(Object.isFrozen(shallow.inner))
  })

  it("does not call getters", () => {
    const value = {
      get dangerous(): number {
        throw new Error("called")
      },
      list: [1]
    }
    frozen(value)
    assert.ok(Object.isFrozen(value.list))
  })

  it("leaves no part of any plain data changeable", () => {
    forAll((choices) => {
      const all: Array<object> = []
      frozen(dataOf(choices, choices.size, all))
      assert.ok(all.every(Object.isFrozen))
    })
  })
})

/** Random data. All its objects are also put into `all`, and may occur in it more than once. */
const dataOf = (choices: Choices, size: number, all: Array<object>): unknown => {
  if (size <= 1) return choices.int(100)
  if (all.length > 0 && choices.chance(0.1)) return choices.pick(all)
  const items: Array<unknown> = []
  const value: object = choices.chance(0.5) ? items : new Point({ at: items as Array<number> })
  all.push(value, items)
  for (let left = size; left > 0; left -= 10) items.push(dataOf(choices, Math.floor(size / 3), all))
  return choices.chance(0.3) ? { value } : value
}
