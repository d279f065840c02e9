import { describe, it } from "@effect/vitest"
import { forAll } from "../../fixtures/property.ts"
import { World } from "./world.ts"

describe("a supervisor in a random world", () => {
  it("keeps every promise at every step, comes to rest, and ends when asked to", () =>
    forAll((choices) => {
      const world = new World(choices)
      for (let steps = 10 + 2 * choices.size; steps > 0; steps--) world.step()
      world.quiet()
      world.checkQuiet()
      world.stop()
      world.quiet()
      world.checkQuiet()
    }))
})
