import { assert, it } from "@effect/vitest"
import { forAll } from "../../fixtures/property.ts"
import { DueHeap, type Entry } from "../../../src/kernel/internal/dueHeap.ts"

it("first is the earliest, whatever is added, removed and delayed", () => {
  forAll(({ size, int, pick }) => {
    const heap = new DueHeap<Entry>()
    const model: Array<Entry> = []
    for (let step = 0; step < size; step++) {
      const kind = model.length === 0 ? 0 : int(4)
      if (kind <= 1) {
        const entry = { due: int(20), index: -1 }
        model.push(entry)
        heap.add(entry)
      } else {
        const entry = pick(model)
        if (kind === 2) {
          model.splice(model.indexOf(entry), 1)
          heap.remove(entry)
          heap.remove(entry)
          assert.strictEqual(entry.index, -1)
        } else {
          entry.due += int(10)
          heap.delayed(entry)
        }
      }
      assert.strictEqual(heap.first?.due, model.toSorted((a, b) => a.due - b.due)[0]?.due)
    }
    const drained: Array<number> = []
    for (let first = heap.first; first !== undefined; first = heap.first) {
      drained.push(first.due)
      heap.remove(first)
    }
    assert.deepStrictEqual(
      drained,
      model.map(({ due }) => due).toSorted((a, b) => a - b)
    )
  })
})
