import { assert, it } from "@effect/vitest"
import { forAll } from "../../fixtures/property.ts"
import { ProcessTable } from "../../../src/kernel/shared/processTable.ts"

it("agrees with a Map over random additions and removals, oldest first", () => {
  forAll(({ size, int, chance, pick }) => {
    const table = new ProcessTable<{ readonly id: number }>()
    const model = new Map<number, { readonly id: number }>()
    let id = 0
    for (let step = 0; step < size; step++) {
      if (model.size === 0 || chance(0.6)) {
        // Far enough apart to need several pages.
        id += 1 + int(700)
        const process = { id }
        table.add(process)
        model.set(id, process)
      } else {
        const gone = pick([...model.values()])
        assert.isFalse(table.remove({ id: gone.id }))
        assert.isTrue(table.remove(gone))
        assert.isFalse(table.remove(gone))
        model.delete(gone.id)
        assert.isUndefined(table.get(gone.id))
      }
      assert.strictEqual(table.size, model.size)
    }
    assert.deepStrictEqual([...table.values()], [...model.values()])
    for (const process of model.values()) assert.strictEqual(table.get(process.id), process)
  })
})

it("frees the pages of dead processes", () => {
  const table = new ProcessTable<{ readonly id: number }>()
  const all = Array.from({ length: 5000 }, (_, id) => ({ id }))
  for (const process of all) table.add(process)
  for (const process of all) table.remove(process)
  assert.strictEqual(table.size, 0)
  assert.deepStrictEqual([...table.values()], [])
  assert.strictEqual((table as unknown as { readonly pages: Map<number, unknown> }).pages.size, 0)
})
