import { assert, describe, it } from "@effect/vitest"
import { cpuMillis } from "../../fixtures/cpu.ts"
import { WaitingSenders } from "../../../src/kernel/internal/waitingSenders.ts"

interface Item {
  readonly name: string
  readonly isControl?: boolean
}

const filled = (...items: ReadonlyArray<Item>) => {
  const line = new WaitingSenders<Item>()
  const admitted: Array<string> = []
  for (const item of items) line.add(item, () => admitted.push(item.name))
  return { line, admitted }
}

const names = (line: WaitingSenders<Item>): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let next = line.shift(); next !== undefined; next = line.shift()) found.push(next.envelope.name)
  return found
}

describe("a waiting line", () => {
  const [a, b, c]: [Item, Item, Item] = [{ name: "a" }, { name: "b" }, { name: "c" }]
  const control: Item = { name: "control", isControl: true }

  it("returns the waiting messages in order, each with its own callback", () => {
    const { admitted, line } = filled(a, b, c)
    line.shift()!.admit()
    assert.deepStrictEqual(admitted, ["a"])
    assert.strictEqual(line.length, 2)
    assert.deepStrictEqual(names(line), ["b", "c"])
    assert.isUndefined(line.shift())
  })

  it("removes a message from anywhere, once", () => {
    const { line } = filled(a, b, c)
    assert.isTrue(line.remove(b))
    assert.isFalse(line.remove(b))
    assert.isFalse(line.remove({ name: "b" }))
    assert.strictEqual(line.length, 2)
    assert.deepStrictEqual(names(line), ["a", "c"])
    assert.isFalse(line.remove(a))
  })

  it("lets requests to the process itself pass the others", () => {
    const { admitted, line } = filled(a, control, b)
    for (const { admit } of line.takeControls()) admit()
    assert.deepStrictEqual(admitted, ["control"])
    assert.deepStrictEqual(line.takeControls(), [])
    assert.deepStrictEqual(names(line), ["a", "b"])
  })

  it("is emptied at once, where moving all up for each would take ten seconds", () => {
    const { line } = filled()
    for (let index = 0; index < 400_000; index++) line.add({ name: String(index) }, () => {})
    const begun = cpuMillis()
    let count = 0
    while (line.shift() !== undefined) count++
    assert.strictEqual(count, 400_000)
    assert.isBelow(cpuMillis() - begun, 2000)
  })
})
