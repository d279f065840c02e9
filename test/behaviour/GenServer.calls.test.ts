import { assert, describe } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { kernelTest } from "../fixtures/kernel.ts"
import { get, set, start } from "./puppet.ts"

describe("order", () => {
  kernelTest(
    "#74 a call sees what was cast before it by the same sender",
    Effect.gen(function* () {
      const puppet = yield* start()
      yield* puppet.cast(set(1))
      yield* puppet.cast((n) => GenServer.noReply(n + 1))
      assert.deepStrictEqual(yield* Effect.exit(puppet.call(get)), Exit.succeed(2))
    })
  )
})
