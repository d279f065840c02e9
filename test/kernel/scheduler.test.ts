/** The scheduler of a process, and the run queue beside the clock of a test. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Deferred, Effect, Layer, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { Application, Kernel, Process } from "effect-otp"
import { isAlone, isDefault, isSliceOver, makeRunQueue, slices } from "../../src/kernel/shared/runQueue.ts"

const here = Effect.withFiber((fiber) => Effect.succeed(Context.get(fiber.context, Scheduler.Scheduler)))

/** The scheduler of a process, and of a fiber it forks. */
const ofProcess = Effect.gen(function* () {
  const found = yield* Deferred.make<ReadonlyArray<Scheduler.Scheduler>>()
  yield* Process.spawn(
    Effect.gen(function* () {
      const forked = yield* Deferred.make<Scheduler.Scheduler>()
      yield* Effect.forkDetach(Effect.flatMap(here, (scheduler) => Deferred.succeed(forked, scheduler)))
      yield* Deferred.succeed(found, [yield* here, yield* Deferred.await(forked)])
    })
  )
  return yield* Deferred.await(found)
})

describe("a process", () => {
  it("runs on Effect's default scheduler if its starter does, and so do its forks", async () => {
    const program = Effect.gen(function* () {
      assert.isTrue(isDefault(yield* here))
      for (const scheduler of yield* ofProcess) assert.isTrue(isDefault(scheduler))
    })
    await Effect.runPromise(Effect.provide(program, Kernel.layer))
  })

  it.each([
    ["Effect's own", () => new Scheduler.MixedScheduler()],
    ["slices", () => slices()],
    ["another", () => makeRunQueue()]
  ])("keeps any other scheduler of its starter: %s", async (_, make) => {
    const own = make()
    const found = await Effect.runPromise(Effect.provide(ofProcess, Kernel.layer), { scheduler: own })
    for (const scheduler of found) assert.strictEqual(scheduler, own)
  })
})

describe("Kernel.layerScheduler", () => {
  const provided = Effect.provide(here, Kernel.layerScheduler)

  it("is one run queue, wherever it is provided: in a process, in an application, within itself", async () => {
    const one = await Effect.runPromise(provided)
    const inProcess = Effect.gen(function* () {
      const found = yield* Deferred.make<Scheduler.Scheduler>()
      yield* Process.spawn(Effect.flatMap(provided, (scheduler) => Deferred.succeed(found, scheduler)))
      return yield* Deferred.await(found)
    })
    assert.strictEqual(await Effect.runPromise(Effect.provide(inProcess, Kernel.layer)), one)
    assert.strictEqual(await Effect.runPromise(Application.provide(Layer.empty, { runQueue: true })(provided)), one)
    assert.strictEqual(await Effect.runPromise(Effect.provide(provided, Kernel.layerScheduler)), one)
  })

  it("shares its slices with processes that run elsewhere", async () => {
    const program = Effect.gen(function* () {
      const found = yield* Deferred.make<boolean>()
      yield* Effect.provide(Effect.yieldNow, Kernel.layerScheduler)
      yield* Process.spawn(Effect.suspend(() => Deferred.succeed(found, isAlone())))
      // It waits in the same queue as the process.
      yield* Effect.forkDetach(Effect.provide(Effect.yieldNow, Kernel.layerScheduler), { startImmediately: true })
      return yield* Deferred.await(found)
    })
    assert.isFalse(await Effect.runPromise(Effect.provide(program, Kernel.layer), { scheduler: slices() }))
  })
})

/** Three processes that wake one another after a second each: what they say, and when. */
const relay = Effect.gen(function* () {
  const said: Array<readonly [name: string, millis: number]> = []
  const say = (name: string) => Effect.map(Clock.currentTimeMillis, (millis) => void said.push([name, millis]))
  const after = (name: string, next: Effect.Effect<unknown>) => () =>
    Effect.andThen(Effect.sleep("1 second"), Effect.andThen(say(name), next))
  const passed = (name: string, next: Effect.Effect<unknown>) =>
    Process.spawn((inbox: Process.Inbox<string>) => Effect.andThen(inbox.take, after(name, next)))
  const third = yield* passed("third", Effect.void)
  const second = yield* passed("second", Process.send(third, "go"))
  yield* Process.spawn(after("first", Process.send(second, "go")))
  yield* Process.spawn(Effect.forever(Effect.andThen(Effect.sleep("400 millis"), say("tick"))))
  yield* TestClock.adjust("3 seconds")
  return said
})

const expected: ReadonlyArray<readonly [name: string, millis: number]> = [
  ["tick", 400],
  ["tick", 800],
  ["first", 1000],
  ["tick", 1200],
  ["tick", 1600],
  ["second", 2000],
  ["tick", 2000],
  ["tick", 2400],
  ["tick", 2800],
  ["third", 3000]
]

describe("the run queue beside TestClock", () => {
  it.effect("within it: one adjust runs everything that falls due, in order", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.provide(relay, Layer.merge(Kernel.layer, Kernel.layerScheduler)), [
        ...expected
      ])
    })
  )

  it("around it: one adjust runs everything that falls due, in order", async () => {
    const within = Effect.provide(relay, Layer.merge(Kernel.layer, TestClock.layer()))
    assert.deepStrictEqual(await Effect.runPromise(Effect.provide(within, Kernel.layerScheduler)), [...expected])
  })

  it.effect("within it: no slice depends on the time of the host", () =>
    Effect.gen(function* () {
      const end = performance.now() + 5
      while (performance.now() < end);
      assert.isFalse(isSliceOver())
      yield* Effect.yieldNow
      assert.isFalse(isSliceOver())
    }).pipe(Effect.provide(Kernel.layerScheduler))
  )
})
