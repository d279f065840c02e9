import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Stream } from "effect"
import { ChangeFeed } from "../../../src/naming/internal/changeFeed.ts"
import { streamOf } from "../../../src/naming/internal/feed.ts"
import { MessageFeed, type FeedStrategy } from "../../../src/naming/internal/messageFeed.ts"
import { SeededScheduler } from "effect-otp/testing"
import { forAll } from "../../fixtures/property.ts"
import { seeds } from "../../fixtures/seeds.ts"

const strategies: ReadonlyArray<FeedStrategy> = ["dropping", "sliding", "fail"]
const overflow = () => "overflow"

/** What is there now. */
const takeNow = <A, E>(feed: { readonly take: Effect.Effect<ReadonlyArray<A>, E> }) =>
  Effect.runSyncExit(Effect.timeoutOption(feed.take, 0).pipe(Effect.raceFirst(Effect.succeedNone)))

describe("a feed of changes", () => {
  it("never tells a reader anything wrong, however slow it is", () => {
    forAll(({ int, chance, size }) => {
      let truth = 0
      const feed = new ChangeFeed<{ readonly all: number }, { readonly by: number }>(1 + int(4), () => ({ all: truth }))
      let known: number | undefined = undefined
      const read = () => {
        const exit = takeNow(feed)
        for (const change of Exit.isSuccess(exit) && exit.value._tag === "Some" ? exit.value.value : []) {
          known = "all" in change ? change.all : known! + change.by
        }
        assert.strictEqual(known, truth)
      }
      for (let step = 0; step < size; step++) {
        const by = int(10)
        truth += by
        feed.push({ by })
        if (chance(0.3)) read()
      }
      read()
    })
  })
})

describe("a feed of messages", () => {
  it("holds at most as many as its bound says, and loses messages by its strategy", () => {
    forAll(({ int, chance, pick, size }) => {
      const capacity = 1 + int(4)
      const strategy = pick(strategies)
      const feed = new MessageFeed<number, string>({ capacity, strategy }, overflow)
      let model: Array<number> = []
      let hasFailed = false
      for (let step = 0; step < size && !hasFailed; step++) {
        const isFull = model.length === capacity
        assert.strictEqual(feed.push(step), !isFull)
        if (isFull && strategy === "sliding") model.shift()
        if (!isFull || strategy === "sliding") model.push(step)
        hasFailed = isFull && strategy === "fail"
        if (chance(0.3) && !hasFailed) {
          assert.deepStrictEqual<ReadonlyArray<number>>(Effect.runSync(feed.take), model)
          model = []
        }
      }
      if (model.length > 0) assert.deepStrictEqual<ReadonlyArray<number>>(Effect.runSync(feed.take), model)
      if (hasFailed) assert.deepStrictEqual(Effect.runSyncExit(feed.take), Exit.fail("overflow"))
    })
  })

  it.effect("wakes its reader, which misses nothing and reads in order, in any order of steps", () =>
    SeededScheduler.explore(
      Effect.gen(function* () {
        const feed = new MessageFeed<number, string>({ capacity: 100, strategy: "fail" }, overflow)
        const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(streamOf(feed), 20)))
        for (let i = 0; i < 20; i++) {
          feed.push(i)
          yield* Effect.yieldNow
        }
        assert.deepStrictEqual(
          yield* Fiber.join(reader),
          Array.from({ length: 20 }, (_, i) => i)
        )
      }),
      { seeds: seeds(100) }
    )
  )

  it.effect("loses nothing with a reader that is interrupted while it waits", () =>
    SeededScheduler.explore(
      Effect.gen(function* () {
        const feed = new MessageFeed<number, string>({ capacity: 100, strategy: "fail" }, overflow)
        const reader = yield* Effect.forkChild(feed.take)
        yield* Effect.yieldNow
        // It was woken, and interrupted before it went on.
        yield* Effect.sync(() => {
          feed.push(1)
          reader.interruptUnsafe()
        })
        assert.isTrue(Exit.isFailure(yield* Fiber.await(reader)))
        feed.push(2)
        assert.deepStrictEqual<ReadonlyArray<number>>(yield* feed.take, [1, 2])
      }),
      { seeds: seeds(100) }
    )
  )
})
