import { assert, describe, it } from "@effect/vitest"
import { whenFull } from "../../../src/kernel/shared/fullMailbox.ts"

describe("a message that finds a mailbox full", () => {
  it("waits, is added, dropped or refused, as strategy, kind and sender say", () => {
    const decided = (["suspend", "fail", "dropping", "sliding"] as const).map((strategy) => [
      strategy,
      whenFull(strategy, false, true),
      whenFull(strategy, false, false),
      whenFull(strategy, true, true),
      whenFull(strategy, true, false)
    ])
    assert.deepStrictEqual(decided, [
      // strategy, then: can wait, cannot wait; a request to the process itself that can wait, and one that cannot.
      ["suspend", "wait", "refuse", "wait", "add"],
      ["fail", "refuse", "refuse", "add", "add"],
      ["dropping", "drop", "drop", "add", "add"],
      ["sliding", "dropOldest", "dropOldest", "add", "add"]
    ])
  })
})
