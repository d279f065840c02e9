import { assert, describe, it } from "@effect/vitest"
import { UnreadItems } from "../../../src/behaviour/internal/task/unreadItems.ts"
import { forAll, type Choices } from "../../fixtures/property.ts"

interface Item {
  readonly n: number
  finished: boolean
}

/**
 * Begins while there is room, finishes and reads at random, and returns the order in which items began, finished and
 * were read.
 */
const history = ({ chance, int, size }: Choices, capacity: number, ordered: boolean) => {
  const unread = new UnreadItems<Item>(capacity, ordered)
  const running: Array<Item> = []
  const began: Array<number> = []
  const finished: Array<number> = []
  const known = new Set<number>()
  const read: Array<number> = []
  const steps = 10 + size * 2
  for (let step = 0; step < steps; step++) {
    assert.strictEqual(unread.count, began.length - read.length)
    assert.strictEqual(unread.hasRoom, unread.count < capacity)
    if (unread.hasRoom && chance(0.5)) {
      const item = { n: began.length, finished: false }
      unread.begin(item)
      began.push(item.n)
      running.push(item)
    }
    if (running.length > 0 && chance(0.5)) {
      const [item] = running.splice(int(running.length), 1)
      unread.finish(item!)
      finished.push(item!.n)
      known.add(item!.n)
    }
    const next = ordered ? began[read.length] : finished[read.length]
    const isReady = next !== undefined && known.has(next)
    assert.strictEqual(unread.isReady, isReady)
    if (chance(0.5)) {
      const item = unread.read()
      assert.strictEqual(item?.n, isReady ? next : undefined)
      if (item !== undefined) read.push(item.n)
    }
  }
}

describe("the list of unread items", () => {
  it(
    "reads finished items in the order in which they began, and never holds more than its room",
    { timeout: 300_000 },
    () => forAll((choices) => history(choices, 1 + choices.int(8), true))
  )

  it("unordered it reads in the order in which they finished", () =>
    forAll((choices) => history(choices, 1 + choices.int(8), false)))

  it("drops read items, however long it runs", () => {
    const unread = new UnreadItems<Item>(3, true)
    for (let n = 0; n < 10_000; n++) {
      const item = { n, finished: false }
      unread.begin(item)
      unread.finish(item)
      assert.strictEqual(unread.read(), item)
    }
    assert.isBelow(Reflect.get(unread, "line").length, 100)
  })
})
