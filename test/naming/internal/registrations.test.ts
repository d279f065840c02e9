import { assert, describe, it } from "@effect/vitest"
import { Data } from "effect"
import { KeyMap } from "../../../src/naming/internal/keyMap.ts"
import { Registrations } from "../../../src/naming/internal/registrations.ts"
import { forAll } from "../../fixtures/property.ts"

class Point extends Data.Class<{ readonly x: number }> {}

/** Keys of every kind. They are made anew each time: equal, and not identical. */
const keyOf = (n: number): unknown => [n, `${n}`, new Point({ x: n }), { x: n }, [n]][n % 5]

interface Row {
  /** Which key. */
  readonly n: number
  readonly pid: string
  /** Each registration has another value. */
  readonly value: number
}

/** The entries, as the numbers that identify them. */
const valuesOf = (entries: Iterable<{ readonly value: number }>) => Array.from(entries, ({ value }) => value).join()

describe("a map by Equal", () => {
  it("keeps one value for equal keys, and others apart", () => {
    forAll(({ int, size }) => {
      const map = new KeyMap<unknown, number>()
      const model = new Map<number, number>()
      for (let step = 0; step < Math.min(size, 40); step++) {
        const n = int(12)
        if (int(3) === 0) {
          map.delete(keyOf(n))
          model.delete(n)
        } else {
          map.set(keyOf(n), step)
          model.set(n, step)
        }
        assert.strictEqual(map.get(keyOf(n)), model.get(n))
        assert.strictEqual(map.size, model.size)
      }
      assert.deepStrictEqual(new Set(map.values()), new Set(model.values()))
      assert.strictEqual(Array.from(map.keys()).length, model.size)
    })
  })

  it("distinguishes a number from its text, and keeps other kinds of keys", () => {
    const map = new KeyMap<unknown, string>()
    const keys = [1, "1", 1n, true, undefined, null, NaN, Symbol.iterator]
    for (const key of keys) map.set(key, typeof key)
    assert.deepStrictEqual(
      keys.map((key) => map.get(key)),
      keys.map((key) => typeof key)
    )
    assert.strictEqual(map.size, keys.length)
  })
})

describe("registrations", () => {
  for (const isUnique of [true, false]) {
    it(`agree with a plain list (${isUnique ? "unique" : "duplicate"} keys)`, () => {
      forAll(({ int, pick, size }) => {
        const dropped: Array<string> = []
        const table = new Registrations<unknown, number, string>(isUnique, (owner) => {
          for (const entry of owner.entries()) {
            table.remove(entry)
            dropped.push(entry.pid)
          }
        })
        let model: Array<Row> = []
        const pids = ["a", "b", "c"]
        const register = (n: number, pid: string, value: number) => {
          const isFree = !isUnique || !model.some((row) => row.n === n)
          assert.strictEqual(table.holder(keyOf(n)) === undefined, isFree)
          if (!isFree) return
          const entry = table.add(keyOf(n), pid, value)
          assert.strictEqual(entry.owner.first === entry, !model.some((row) => row.pid === pid))
          model.push({ n, pid, value })
        }
        const unregister = (n: number, pid: string) => {
          const found = table.own(pid, keyOf(n))
          assert.strictEqual(valuesOf(found), valuesOf(model.filter((row) => row.n === n && row.pid === pid)))
          for (const entry of found) {
            const wasLast = table.remove(entry)
            model = model.filter((row) => row.value !== entry.value)
            assert.strictEqual(wasLast, !model.some((row) => row.pid === pid))
          }
        }
        const die = (pid: string) => {
          const mine = model.filter((row) => row.pid === pid)
          dropped.length = 0
          table.of(pid)?.drop()
          assert.strictEqual(dropped.length, mine.length)
          model = model.filter((row) => row.pid !== pid)
        }
        for (let step = 0; step < Math.min(size, 40); step++) {
          const pid = pick(pids)
          const n = int(8)
          const what = int(8)
          if (what < 5) register(n, pid, step)
          else if (what < 7) unregister(n, pid)
          else die(pid)
          assert.strictEqual(table.size, model.length)
          assert.strictEqual(valuesOf(table.at(keyOf(n))), valuesOf(model.filter((row) => row.n === n)))
          const owned = valuesOf(model.filter((row) => row.pid === pid))
          assert.strictEqual(valuesOf(table.of(pid)?.entries() ?? []), owned)
          assert.strictEqual(table.of(pid) === undefined, owned === "")
        }
        const inOrder = Array.from(table.all()).toSorted((a, b) => a.value - b.value)
        assert.strictEqual(valuesOf(inOrder), valuesOf(model))
      })
    })
  }
})
