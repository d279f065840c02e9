import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Pull, Schedule } from "effect"
import { ExitReason, RestartPolicy, Supervisor } from "effect-otp"
import { forAll } from "../fixtures/property.ts"

const crashed = (uptime: Duration.Input): RestartPolicy.ChildExit<never> => ({
  id: "a",
  reason: ExitReason.crash(Cause.die("boom")),
  incarnation: 0,
  uptime: Duration.fromInputUnsafe(uptime)
})

interface Ending {
  readonly at: number
  readonly uptime?: Duration.Input
}

/** The delay in milliseconds after each ending, or "gives up". */
const answers = (
  policy: Schedule.Schedule<unknown, RestartPolicy.ChildExit<never>>,
  endings: ReadonlyArray<Ending>
): Effect.Effect<ReadonlyArray<number | "gives up">> =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(policy)
    return yield* Effect.forEach(endings, ({ at, uptime = 0 }) =>
      step(at, crashed(uptime)).pipe(
        Effect.map(([, delay]): number | "gives up" => Duration.toMillis(delay)),
        Pull.catchDone(() => Effect.succeed("gives up" as const))
      )
    )
  })

/** The output of the policy with each answer, including the last one. */
const outputs = <O>(
  policy: Schedule.Schedule<O, RestartPolicy.ChildExit<never>>,
  times: ReadonlyArray<number>
): Effect.Effect<ReadonlyArray<O>> =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(policy)
    return yield* Effect.forEach(times, (at) =>
      step(at, crashed(0)).pipe(
        Effect.map(([output]) => output),
        Pull.catchDone((output) => Effect.succeed(output))
      )
    )
  })

const at = (...times: ReadonlyArray<number>): ReadonlyArray<Ending> => times.map((at) => ({ at }))

describe("intensity", () => {
  const policy = RestartPolicy.intensity({ max: 2, within: "1 second" })

  it.effect("restarts at once up to max, and gives up above it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answers(policy, at(0, 1, 2)), [0, 0, "gives up"])
    })
  )

  it.effect("counts a restart that is exactly as old as the window, and none that is older", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answers(policy, at(0, 500, 1000)), [0, 0, "gives up"])
      assert.deepStrictEqual(yield* answers(policy, at(0, 500, 1001)), [0, 0, 0])
    })
  )

  it.effect("gives up at the first ending with max 0", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answers(RestartPolicy.intensity({ max: 0, within: 1 }), at(0)), ["gives up"])
    })
  )

  it.effect("outputs the restarts in the window", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* outputs(policy, [0, 400, 1200, 1300]), [1, 2, 2, 3])
    })
  )

  it.effect("counts each child separately", () =>
    Effect.gen(function* () {
      const first = yield* Schedule.toStep(policy)
      yield* first(0, crashed(0))
      yield* first(0, crashed(0))
      assert.deepStrictEqual(yield* answers(policy, at(0, 0)), [0, 0])
    })
  )

  for (const [max, within] of [
    [-1, "1 second"],
    [0.5, "1 second"],
    [1, 0]
  ] as const) {
    it(`refuses max ${max} within ${within}`, () => {
      assert.throws(() => RestartPolicy.intensity({ max, within }), RangeError, "intensity")
    })
  }
})

describe("decaying", () => {
  const policy = RestartPolicy.decaying({ threshold: 2, halfLife: "10 seconds" })

  it.effect("adds 1 for each failure and halves the score in each half-life", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* outputs(policy, [0, 10_000, 30_000, 30_000]), [1, 1.5, 1.375, 2.375])
    })
  )

  it.effect("gives up when a failure lifts the score above the threshold", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* answers(policy, at(0, 0, 0)), [0, 0, "gives up"])
      assert.deepStrictEqual(yield* answers(policy, at(0, 10_000, 10_000)), [0, 0, "gives up"])
    })
  )

  it.effect("never gives up on failures one half-life apart with a threshold of 2", () =>
    Effect.gen(function* () {
      const times = Array.from({ length: 200 }, (_, index) => index * 10_000)
      assert.isTrue((yield* answers(policy, at(...times))).every((answer) => answer === 0))
    })
  )

  it.effect("gives up on the first failure with a threshold below 1", () =>
    Effect.gen(function* () {
      const strict = RestartPolicy.decaying({ threshold: 0.5, halfLife: 1 })
      assert.deepStrictEqual(yield* answers(strict, at(7)), ["gives up"])
    })
  )

  it.effect("does not depend on when time began, and not on a clock set back", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* outputs(policy, [-1e9, -1e9 + 10_000]), [1, 1.5])
      assert.deepStrictEqual(yield* outputs(policy, [50_000, 40_000]), [1, 2])
    })
  )

  it("agrees with the sum over all failures", () =>
    forAll(({ int, size }) => {
      let now = 0
      const times = Array.from({ length: Math.ceil(size / 5) }, () => (now += int(20_000)))
      const endless = RestartPolicy.decaying({ threshold: Infinity, halfLife: "10 seconds" })
      const scores = Effect.runSync(outputs(endless, times))
      scores.forEach((score, index) => {
        const last = times[index]!
        const sum = times.slice(0, index + 1).reduce((all, at) => all + 0.5 ** ((last - at) / 10_000), 0)
        assert.approximately(score, sum, 1e-9)
      })
    }))

  for (const options of [
    { threshold: -1, halfLife: 1 },
    { threshold: NaN, halfLife: 1 },
    { threshold: 1, halfLife: 0 },
    { threshold: 1, halfLife: Infinity }
  ]) {
    it(`refuses a threshold of ${options.threshold} with a half-life of ${options.halfLife}`, () => {
      assert.throws(() => RestartPolicy.decaying(options), RangeError, "decaying")
    })
  }
})

describe("resetAfter", () => {
  const policy = Schedule.exponential("100 millis").pipe(RestartPolicy.resetAfter("10 seconds"))

  it.effect("begins anew after an incarnation that was up that long", () =>
    Effect.gen(function* () {
      const endings = [
        { at: 0, uptime: 1 },
        { at: 200, uptime: 1 },
        { at: 10_400, uptime: 9_999 },
        { at: 20_800, uptime: 10_000 },
        { at: 20_900, uptime: 0 }
      ]
      assert.deepStrictEqual(yield* answers(policy, endings), [100, 200, 400, 100, 200])
    })
  )

  it.effect("does not take a delay for uptime", () =>
    Effect.gen(function* () {
      const slow = Schedule.max([policy, Schedule.spaced("1 minute")])
      const endings = [0, 1, 2, 3].map((index) => ({ at: index * 60_000, uptime: 0 }))
      assert.deepStrictEqual(yield* answers(slow, endings), [60_000, 60_000, 60_000, 60_000])
      assert.deepStrictEqual(yield* answers(policy, endings), [100, 200, 400, 800])
    })
  )

  it.effect("begins anew even with a count that was used up", () =>
    Effect.gen(function* () {
      const counted = RestartPolicy.resetAfter(Schedule.recurs(2), "1 minute")
      const endings = [{ at: 0 }, { at: 0 }, { at: 0, uptime: "1 minute" }, { at: 0 }, { at: 0 }] as const
      assert.deepStrictEqual(yield* answers(counted, endings), [0, 0, 0, 0, "gives up"])
    })
  )
})

describe("policies together", () => {
  it.effect("back off, forget after health, and give up in a storm", () =>
    Effect.gen(function* () {
      const policy = Schedule.max([
        Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")]).pipe(
          RestartPolicy.resetAfter("10 seconds")
        ),
        RestartPolicy.intensity({ max: 5, within: "5 seconds" })
      ])
      const storm = at(0, 100, 300, 700, 1500, 2000)
      assert.deepStrictEqual(yield* answers(policy, storm), [100, 200, 400, 800, 1000, "gives up"])
      const healthy = [{ at: 0 }, { at: 200 }, { at: 20_000, uptime: 19_800 }, { at: 20_100 }]
      assert.deepStrictEqual(yield* answers(policy, healthy), [100, 200, 100, 200])
    })
  )

  it.effect("give up by class of error, typed", () =>
    Effect.gen(function* () {
      interface BadConfig {
        readonly _tag: "BadConfig"
      }
      type Exit = RestartPolicy.ChildExit<BadConfig>
      const policy = RestartPolicy.intensity({ max: 3, within: "1 second" }).pipe(
        Schedule.setInputType<Exit>(),
        Schedule.while(({ input }) => input.reason._tag !== "StartFailed")
      )
      const step = yield* Schedule.toStep(policy)
      const reason = new Supervisor.StartFailed<BadConfig>({ id: "a", error: { _tag: "BadConfig" } })
      const failed: Exit = { ...crashed(0), reason }
      yield* step(0, crashed(0))
      assert.isTrue(Pull.isDoneCause(yield* Effect.flip(Effect.sandbox(step(0, failed)))))
    })
  )

  it("are schedules over the ending of any child, by type", () => {
    const forAny: ReadonlyArray<Schedule.Schedule<unknown, RestartPolicy.ChildExit<Error>>> = [
      RestartPolicy.intensity({ max: 1, within: 1 }),
      RestartPolicy.decaying({ threshold: 1, halfLife: 1 }),
      RestartPolicy.resetAfter(Schedule.exponential(1), 1),
      Schedule.fibonacci(1).pipe(RestartPolicy.resetAfter(1), Schedule.upTo({ times: 3 }))
    ]
    assert.strictEqual(forAny.length, 4)
    const typed = Schedule.exponential(1).pipe(
      Schedule.setInputType<RestartPolicy.ChildExit<"a">>(),
      RestartPolicy.resetAfter(1)
    )
    const own: Schedule.Schedule<unknown, RestartPolicy.ChildExit<"a">> = typed
    // @ts-expect-error a policy for the error of one child does not fit a child with another error
    const other: Schedule.Schedule<unknown, RestartPolicy.ChildExit<"b">> = typed
    assert.isTrue(Schedule.isSchedule(own) && Schedule.isSchedule(other))
  })
})
