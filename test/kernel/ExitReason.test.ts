import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Exit } from "effect"
import { ExitReason } from "effect-otp/kernel"

class Limit extends Data.TaggedError("Limit")<{}> {}

describe("ExitReason", () => {
  it("Normal and Shutdown are expected, nothing else is", () => {
    const reasons: ReadonlyArray<readonly [ExitReason.ExitReason, boolean]> = [
      [ExitReason.normal, true],
      [ExitReason.shutdown(), true],
      [ExitReason.shutdown("detail"), true],
      [ExitReason.killed, false],
      [ExitReason.noProcess, false],
      [ExitReason.noConnection, false],
      [ExitReason.crash(Cause.fail("no")), false],
      [ExitReason.defect("no"), false]
    ]
    for (const [reason, expected] of reasons) assert.strictEqual(ExitReason.isExpected(reason), expected, reason._tag)
  })

  it("of an exit without a signal: Normal, or a crash with its cause, even for an interruption", () => {
    assert.deepStrictEqual(ExitReason.fromExit(Exit.succeed(1)), ExitReason.normal)
    for (const cause of [Cause.fail("no"), Cause.die("no"), Cause.interrupt(1)]) {
      assert.deepStrictEqual(ExitReason.fromExit(Exit.failCause(cause)), ExitReason.crash(cause))
    }
  })

  it("is rendered for people", () => {
    assert.strictEqual(ExitReason.format(ExitReason.normal), "Normal")
    assert.strictEqual(ExitReason.format(ExitReason.killed), "Killed")
    assert.strictEqual(ExitReason.format(ExitReason.noProcess), "NoProcess")
    assert.strictEqual(ExitReason.format(ExitReason.shutdown()), "Shutdown")
    assert.strictEqual(ExitReason.format(ExitReason.shutdown("deploy")), "Shutdown: deploy")
    assert.strictEqual(ExitReason.format(ExitReason.shutdown(new Limit())), "Shutdown: Limit")
    assert.include(ExitReason.format(ExitReason.defect(new Error("kaboom"))), "Crash: Error: kaboom")
  })
})
