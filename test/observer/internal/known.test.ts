/** Whatever a reader has missed, what it gets makes its picture the true one. */
import { assert, describe, it } from "@effect/vitest"
import type { Snapshot as S } from "effect-otp/observer"
import { Snapshot } from "effect-otp/observer"
import { keptRemovals } from "../../../src/observer/internal/defaults.ts"
import { Known, type Seen } from "../../../src/observer/internal/known.ts"
import { forAll, type Choices } from "../../fixtures/property.ts"

const row = (id: number, handled: number): S.Process => ({
  id,
  displayName: `process ${id}`,
  behaviour: "Process",
  status: "running",
  mailboxLength: 0,
  accepted: handled,
  handled,
  handledPerSecond: 0,
  restarts: 0,
  links: 0,
  monitors: 0,
  monitoredBy: 0
})

const totals = (processes: number): S.Totals => ({
  processes,
  zombies: 0,
  timers: 0,
  names: 0,
  lateReplies: 0,
  crashes: 0,
  restarts: 0,
  messages: {
    accepted: 0,
    handled: 0,
    failed: 0,
    returned: 0,
    abandoned: 0,
    dropped: 0,
    deadLettered: 0,
    pending: 0
  }
})

const down = (key: string): S.DownChild => ({ supervisor: 1, key, state: "restarting", restarts: 0 })

/** The result of a work, all steps of which are run. */
const last = <A>(steps: Generator<void, A>): A => {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** A reader that reads now and then, and keeps its picture up to date by what it gets. */
class Reader {
  seen: Seen | undefined = undefined
  picture: S.Snapshot | undefined = undefined

  read(known: Known): void {
    const [change, seen] = last(known.read(this.seen))
    this.seen = seen
    // The first change is a snapshot.
    this.picture = Snapshot.apply(this.picture ?? (change as S.Snapshot), change)
  }
}

const history = ({ chance, int, size }: Choices): void => {
  const known = new Known()
  const real = new Map<number, number>()
  const readers = [new Reader(), new Reader(), new Reader()]
  let lastId = 0
  let isDown = false
  for (let look = 1; look <= size; look++) {
    for (let at = int(4); at > 0; at--) real.set(++lastId, 0)
    for (const id of [...real.keys()]) {
      if (chance(0.2)) real.delete(id)
      else if (chance(0.3)) real.set(id, real.get(id)! + 1)
    }
    if (chance(0.2)) isDown = !isDown
    known.begin()
    // Some looks are interrupted half-way.
    const isInterrupted = chance(0.2)
    const found = [...real].slice(0, isInterrupted ? int(real.size + 1) : real.size)
    for (const [id, handled] of found) known.found(row(id, handled))
    if (isInterrupted) continue
    const children = isDown ? [down("a")] : []
    last(known.finish({ at: look, down: children, totals: totals(real.size) }))
    for (const reader of readers) {
      if (!chance(0.4)) continue
      reader.read(known)
      const { down, processes, totals: counted } = reader.picture!
      assert.deepStrictEqual(
        [...real].map(([id, handled]) => row(id, handled)),
        processes
      )
      assert.deepStrictEqual([down, counted.processes], [children, real.size])
    }
  }
}

describe("what an observer knows", () => {
  it("is what each reader knows after it has read, whenever it reads", () => forAll(history))

  it("gives a snapshot to a reader that may have missed a removed process", () => {
    const known = new Known()
    const look = (ids: ReadonlyArray<number>): void => {
      known.begin()
      for (const id of ids) known.found(row(id, 0))
      last(known.finish({ at: 1, down: [], totals: totals(ids.length) }))
    }
    look([1])
    const reader = new Reader()
    reader.read(known)
    let id = 1
    for (let round = 0; round < 21; round++) look(Array.from({ length: keptRemovals / 10 }, () => ++id))
    const [change, seen] = last(known.read(reader.seen))
    assert.strictEqual(change._tag, "Snapshot")
    assert.strictEqual(last(known.read(seen))[0]._tag, "Delta")
  })

  it("keeps the last crashes, with their numbers", () => {
    const known = new Known()
    for (let at = 1; at <= 1000; at++)
      known.restarts.add((number) => ({ number, at, supervisor: "s", child: "c", incarnation: 2 }))
    for (let at = 1; at <= 1000; at++) {
      known.crashes.add((number) => ({
        number,
        at,
        process: 1,
        displayName: "p",
        ancestors: [],
        cause: "",
        mailboxLength: 0
      }))
    }
    assert.deepStrictEqual(
      [known.crashes.all.length, known.crashes.all[0]!.number, known.crashes.last],
      [200, 801, 1000]
    )
    assert.deepStrictEqual(
      known.crashes.after(998).map(({ number }) => number),
      [999, 1000]
    )
    assert.strictEqual(known.restarts.all.length, 1000)
  })
})
