import { assert, describe, it } from "@effect/vitest"
import { Membership } from "../../../src/naming/internal/membership.ts"
import { forAll } from "../../fixtures/property.ts"

type Pair = readonly [group: string, member: string]

const sorted = (pairs: Iterable<Pair>) => Array.from(pairs, ([group, member]) => `${group} ${member}`).toSorted()

const pairsOf = (membership: Membership<string, string>): ReadonlyArray<Pair> =>
  Array.from(membership.groups()).flatMap((group) => Array.from(group.all(), (member) => [group.key, member] as const))

describe("membership", () => {
  it("agrees with a plain list of memberships", () => {
    forAll(({ int, pick, size }) => {
      const membership = new Membership<string, string>((member) => membership.drop(member))
      let model: Array<Pair> = []
      const groups = ["x", "y", "z"]
      const members = ["a", "b", "c", "d"]
      for (let step = 0; step < size; step++) {
        const [group, id] = [pick(groups), pick(members)]
        const isKnown = model.some(([, member]) => member === id)
        const at = model.findIndex((pair) => pair[0] === group && pair[1] === id)
        const what = int(8)
        if (what < 4) {
          assert.strictEqual(membership.join(group, id) === undefined, isKnown)
          model.push([group, id])
        } else if (what < 7) {
          assert.strictEqual(membership.leave(group, id), at >= 0)
          if (at >= 0) model.splice(at, 1)
          const isGone = !model.some(([, member]) => member === id)
          assert.strictEqual(membership.prune(id) !== undefined, isKnown && isGone)
        } else {
          const member = membership.join(group, id)
          if (member === undefined) membership.leave(group, id)
          else {
            assert.deepStrictEqual(membership.drop(member), [[group, 1]])
            model = model.filter((pair) => pair[1] !== id)
          }
        }
        assert.strictEqual(
          membership.has(group, id),
          model.some((pair) => pair[0] === group && pair[1] === id)
        )
        assert.strictEqual(membership.size, new Set(model.map(([group]) => group)).size)
      }
      assert.deepStrictEqual(sorted(pairsOf(membership)), sorted(model))
    })
  })

  it("drops a member from all its groups, and returns how many times it was in each", () => {
    const membership = new Membership<string, string>(() => {})
    const member = membership.join("x", "a")!
    membership.join("x", "a")
    membership.join("y", "a")
    membership.join("y", "b")
    assert.deepStrictEqual(membership.drop(member), [
      ["x", 2],
      ["y", 1]
    ])
    assert.deepStrictEqual(pairsOf(membership), [["y", "b"]])
    assert.isFalse(membership.leave("x", "a"))
  })

  it("gives each member its turn, whichever members come and go", () => {
    forAll(({ chance, int, pick, size }) => {
      const membership = new Membership<string, number>(() => {})
      const present = new Set<number>([0])
      /** How many turns there were since each member came. */
      const since = new Map<number, number>([[0, 0]])
      membership.join("x", 0)
      let most = 1
      for (let step = 1; step <= size; step++) {
        if (chance(0.3)) {
          membership.join("x", step)
          present.add(step)
          most = Math.max(most, present.size)
          since.set(step, 0)
        }
        if (chance(0.2) && present.size > 1) {
          const gone = pick(Array.from(present))
          membership.leave("x", gone)
          present.delete(gone)
          since.delete(gone)
        }
        for (let turns = int(4); turns > 0; turns--) {
          const next = membership.group("x")!.next()
          if (!present.has(next)) assert.fail(`${next} has left`)
          for (const [id, waited] of since) since.set(id, id === next ? 0 : waited + 1)
        }
        // No member waits for more turns than there were other members at once.
        if (Math.max(...since.values()) >= most) assert.fail("one waits behind who came later")
      }
      const order = Array.from(present, () => membership.group("x")!.next())
      assert.strictEqual(new Set(order).size, present.size)
    })
  })

  it("gives a member that stays its turn, however many come and go", () => {
    const membership = new Membership<string, string>(() => {})
    membership.join("x", "stays")
    const turns = Array.from({ length: 6 }, (_, i) => {
      membership.join("x", `guest ${i}`)
      const next = membership.group("x")!.next()
      membership.leave("x", `guest ${i}`)
      return next
    })
    assert.deepStrictEqual(turns, Array(6).fill("stays"))
  })
})
