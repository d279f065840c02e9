/** Which scheduler an application runs on. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Scheduler } from "effect"
import { Application } from "effect-otp"
import { slices } from "../../src/kernel/shared/runQueue.ts"

const here = Effect.withFiber((fiber) => Effect.succeed(Context.get(fiber.context, Scheduler.Scheduler)))

class OfLayer extends Context.Service<OfLayer, Scheduler.Scheduler>()("test/OfLayer") {
  static readonly layer = Layer.effect(OfLayer, here)
}

/** The schedulers that a layer of an application, and the program inside it, run on. */
const inside = (options?: Application.Options) =>
  Effect.all([OfLayer, here]).pipe(Application.provide(OfLayer.layer, options))

describe("an application", () => {
  it("runs in slices of the run queue with `runQueue: true`", async () => {
    for (const scheduler of await Effect.runPromise(inside({ runQueue: true }))) assert.strictEqual(scheduler, slices())
  })

  it("stays on Effect's default scheduler unless told otherwise", async () => {
    const effects = await Effect.runPromise(here)
    for (const scheduler of await Effect.runPromise(inside())) assert.strictEqual(scheduler, effects)
  })

  it("keeps any other scheduler, with `runQueue: true`, too", async () => {
    const own = new Scheduler.MixedScheduler()
    for (const scheduler of await Effect.runPromise(inside({ runQueue: true }), { scheduler: own }))
      assert.strictEqual(scheduler, own)
  })
})
