import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { ExitReason, Handle, Process } from "effect-otp/kernel"
import { idle, kernelTest } from "../fixtures/kernel.ts"
import { recordOf } from "../../src/kernel/shared/processes.ts"
import { HandleTarget } from "../../src/kernel/shared/handleTarget.ts"

/** A handle as a behaviour makes one. */
const make = () => {
  const target = new HandleTarget("test/server", { restart: undefined })
  const handle: Handle.Handle<never> = { [Handle.TypeId]: target }
  return { handle, target }
}

describe("a handle", () => {
  kernelTest(
    "points to the run that is up, and to none while the server is down",
    Effect.gen(function* () {
      const { handle, target } = make()
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.none())
      const first = yield* idle()
      const second = yield* idle()
      target.markUp(recordOf(first))
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.some(first))
      target.markDown(recordOf(first))
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.none())
      target.markUp(recordOf(second))
      // The end of the last run comes late.
      target.markDown(recordOf(first))
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.some(second))
      target.markGone(ExitReason.shutdown())
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.none())
      assert.deepStrictEqual(target.goneReason, ExitReason.shutdown())
      target.markUp(recordOf(first))
      assert.isUndefined(target.goneReason)
      for (const pid of [first, second]) yield* Process.kill(pid)
    })
  )

  kernelTest(
    "tells each waiter once: when the server is up, or gone",
    Effect.gen(function* () {
      const { target } = make()
      const pid = yield* idle()
      const heard: Array<string> = []
      const waiter = (name: string) => () => void heard.push(name)
      const forgotten = waiter("forgotten")
      target.addWaiter(waiter("a"))
      target.addWaiter(forgotten)
      target.addWaiter(waiter("b"))
      target.removeWaiter(forgotten)
      target.markDown(recordOf(pid))
      assert.deepStrictEqual(heard, [])
      target.markUp(recordOf(pid))
      assert.deepStrictEqual(heard, ["a", "b"])
      target.markUp(recordOf(pid))
      assert.deepStrictEqual(heard, ["a", "b"])
      target.addWaiter(waiter("c"))
      target.markGone(ExitReason.normal)
      assert.deepStrictEqual(heard, ["a", "b", "c"])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "of a server without a supervisor is gone at its end",
    Effect.gen(function* () {
      const pid = yield* idle()
      const target = new HandleTarget("test/server")
      let heard = 0
      target.markUp(recordOf(pid))
      target.addWaiter(() => void heard++)
      target.markDown(recordOf(pid))
      assert.deepStrictEqual([target.goneReason, heard], [ExitReason.normal, 1])
      yield* Process.kill(pid)
    })
  )

  it("tells a waiter that waits again while it is told the next time", () => {
    const { target } = make()
    let heard = 0
    const waiter = () => {
      heard++
      target.addWaiter(waiter)
    }
    target.addWaiter(waiter)
    target.markGone(ExitReason.normal)
    assert.strictEqual(heard, 1)
    target.markGone(ExitReason.normal)
    assert.strictEqual(heard, 2)
  })
})
