import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { ExitReason, Handle, Process } from "effect-otp/kernel"
import { idle, kernelTest } from "../fixtures/kernel.ts"

/** A handle as a behaviour makes one. */
const make = () => {
  const target = new Handle.HandleTarget("test/server", true)
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
      target.up(Process.recordOf(first))
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.some(first))
      target.down(Process.recordOf(first))
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.none())
      target.up(Process.recordOf(second))
      // The end of the last run comes late.
      target.down(Process.recordOf(first))
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.some(second))
      target.leave(ExitReason.shutdown())
      assert.deepStrictEqual(yield* Handle.pid(handle), Option.none())
      assert.deepStrictEqual(target.gone, ExitReason.shutdown())
      target.up(Process.recordOf(first))
      assert.isUndefined(target.gone)
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
      target.wait(waiter("a"))
      target.wait(forgotten)
      target.wait(waiter("b"))
      target.forget(forgotten)
      target.down(Process.recordOf(pid))
      assert.deepStrictEqual(heard, [])
      target.up(Process.recordOf(pid))
      assert.deepStrictEqual(heard, ["a", "b"])
      target.up(Process.recordOf(pid))
      assert.deepStrictEqual(heard, ["a", "b"])
      target.wait(waiter("c"))
      target.leave(ExitReason.normal)
      assert.deepStrictEqual(heard, ["a", "b", "c"])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "of a server without a supervisor is gone at its end",
    Effect.gen(function* () {
      const pid = yield* idle()
      const target = new Handle.HandleTarget("test/server", false)
      let heard = 0
      target.up(Process.recordOf(pid))
      target.wait(() => void heard++)
      target.down(Process.recordOf(pid))
      assert.deepStrictEqual([target.gone, heard], [ExitReason.normal, 1])
      yield* Process.kill(pid)
    })
  )

  it("tells a waiter that waits again while it is told the next time", () => {
    const { target } = make()
    let heard = 0
    const waiter = () => {
      heard++
      target.wait(waiter)
    }
    target.wait(waiter)
    target.leave(ExitReason.normal)
    assert.strictEqual(heard, 1)
    target.leave(ExitReason.normal)
    assert.strictEqual(heard, 2)
  })
})
