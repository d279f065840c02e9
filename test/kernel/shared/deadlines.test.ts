import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Logger } from "effect"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { settle } from "../../fixtures/kernel.ts"
import { forAll, runs } from "../../fixtures/property.ts"
import { seeds } from "../../fixtures/seeds.ts"
import { type Deadline, Deadlines, disarm, millisLeft } from "../../../src/kernel/shared/deadlines.ts"

class Probe implements Deadline {
  list: Deadline["list"] = undefined
  due = 0
  previous: Deadline["previous"] = undefined
  next: Deadline["next"] = undefined
  private readonly onExpire: (probe: Probe) => void
  constructor(onExpire: (probe: Probe) => void) {
    this.onExpire = onExpire
  }
  expire(): void {
    this.onExpire(this)
  }
}

/** Deadlines on the clock of the fiber, and how to arm one. */
const make = Effect.withFiber((fiber) => {
  const deadlines = new Deadlines()
  const context = fiber.context
  const clock = Context.get(context, Clock.Clock)
  const arm = (millis: number, deadline: Deadline) => deadlines.arm(deadline, clock, millis, context)
  return Effect.succeed({ deadlines, clock, arm })
})

const both = (title: string, test: Effect.Effect<void>) => {
  it.effect(title, () => test)
  it.effect(`${title} (in any order)`, () => SeededScheduler.explore(test, { seeds: seeds() }))
}

describe("deadlines", () => {
  both(
    "expire in due order, also those disarmed and armed again in between",
    Effect.gen(function* () {
      const { arm, deadlines } = yield* make
      const expired: Array<string> = []
      const probe = (name: string) => new Probe(() => expired.push(name))
      const [a, b, c, d] = [probe("a"), probe("b"), probe("c"), probe("d")]
      arm(100, a)
      arm(100, b)
      arm(100, c)
      arm(50, d)
      disarm(b)
      assert.isUndefined(millisLeft(b))
      disarm(b)
      yield* SeededScheduler.adjust(60)
      assert.deepStrictEqual(expired, ["d"])
      assert.strictEqual(millisLeft(a), 40)
      arm(100, b)
      yield* SeededScheduler.adjust(1000)
      assert.deepStrictEqual(expired, ["d", "a", "c", "b"])
      assert.strictEqual(deadlines.size, 0)
    })
  )

  both(
    "nothing expires in the step that arms it",
    Effect.gen(function* () {
      const { arm } = yield* make
      let expired = 0
      yield* Effect.sync(() => {
        arm(0, new Probe(() => expired++))
        assert.strictEqual(expired, 0)
      })
      yield* settle
      assert.strictEqual(expired, 1)
    })
  )

  both(
    "one that arms itself again when it expires goes on",
    Effect.gen(function* () {
      const { arm, clock, deadlines } = yield* make
      const at: Array<number> = []
      const probe: Probe = new Probe(() => {
        at.push(clock.currentTimeMillisUnsafe())
        if (at.length < 4) arm(10, probe)
      })
      arm(10, probe)
      yield* SeededScheduler.adjust(1000)
      assert.deepStrictEqual(at, [10, 20, 30, 40])
      assert.strictEqual(deadlines.size, 0)
    })
  )

  both(
    "one that is armed for less than the one slept for rings first",
    Effect.gen(function* () {
      const { arm } = yield* make
      const expired: Array<string> = []
      arm(1000, new Probe(() => expired.push("late")))
      yield* settle
      arm(10, new Probe(() => expired.push("early")))
      yield* SeededScheduler.adjust(10)
      assert.deepStrictEqual(expired, ["early"])
      yield* SeededScheduler.adjust(990)
      assert.deepStrictEqual(expired, ["early", "late"])
    })
  )

  both(
    "a list ends when it is empty, its sleeper when there is none, but not for a moment's emptiness",
    Effect.gen(function* () {
      const { arm, deadlines } = yield* make
      const probes = [10, 20, 20, 30].map((millis) => {
        const probe = new Probe(() => assert.fail("disarmed"))
        arm(millis, probe)
        return probe
      })
      assert.strictEqual(deadlines.size, 3)
      for (const probe of probes) disarm(probe)
      arm(20, probes[0]!)
      yield* settle
      assert.strictEqual(deadlines.size, 1)
      disarm(probes[0]!)
      yield* settle
      assert.strictEqual(deadlines.size, 0)
    })
  )

  both(
    "each clock has its own",
    Effect.gen(function* () {
      const { arm, clock, deadlines } = yield* make
      const other: Clock.Clock = Object.create(clock) as Clock.Clock
      const expired: Array<string> = []
      arm(10, new Probe(() => expired.push("first")))
      deadlines.arm(new Probe(() => expired.push("second")), other, 10, yield* Effect.context())
      assert.strictEqual(deadlines.size, 2)
      yield* SeededScheduler.adjust(10)
      assert.sameMembers(expired, ["first", "second"])
      assert.strictEqual(deadlines.size, 0)
    })
  )

  both(
    "one that throws harms no other",
    Effect.gen(function* () {
      const { arm } = yield* make
      let expired = 0
      arm(
        10,
        new Probe(() => {
          throw new Error("wanted by the test")
        })
      )
      arm(10, new Probe(() => expired++))
      arm(20, new Probe(() => expired++))
      yield* SeededScheduler.adjust(20)
      assert.strictEqual(expired, 2)
    }).pipe(Effect.provideService(Logger.CurrentLoggers, new Set()))
  )

  it.effect("many at once let others have their turn", () =>
    Effect.gen(function* () {
      const { arm } = yield* make
      let expired = 0
      for (let i = 0; i < 5000; i++) arm(10, new Probe(() => expired++))
      const seen = new Set<number>()
      const watcher = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => seen.add(expired))
          )
        )
      )
      yield* SeededScheduler.adjust(10)
      yield* settle
      assert.strictEqual(expired, 5000)
      assert.isAbove(seen.size, 3)
      watcher.interruptUnsafe()
    })
  )
})

describe("against a naive model", () => {
  it.effect(
    "random arming, disarming and passing of time",
    () =>
      Effect.gen(function* () {
        const programs: Array<Program> = []
        forAll(({ int, size }) => {
          programs.push(
            Array.from({ length: Math.min(size, 40) }, () => ({
              kind: int(5),
              n: int(8),
              millis: [0, 1, 5, 10, 25, 70][int(6)]!
            }))
          )
        })
        const only = process.env["OTP_SEED"]
        for (const [i, program] of programs.entries()) {
          const seed = only === undefined ? i + 1 : Number(only)
          yield* SeededScheduler.runSeed(against(program), seed).pipe(
            Effect.catchCause((cause) =>
              Effect.die(new Error(`Seed ${seed} fails. Repeat it with OTP_SEED=${seed}`, { cause }))
            )
          )
        }
        assert.strictEqual(programs.length, only === undefined ? runs : 1)
      }),
    120_000
  )
})

type Program = ReadonlyArray<{ readonly kind: number; readonly n: number; readonly millis: number }>

/** Eight deadlines. They expire in the order and at the times of a sorted list. */
const against = (program: Program) =>
  Effect.gen(function* () {
    const { arm, clock, deadlines } = yield* make
    const now = () => clock.currentTimeMillisUnsafe()
    const expired: Array<readonly [number, number]> = []
    let model: Array<{ readonly n: number; readonly due: number }> = []
    const probes = Array.from({ length: 8 }, (_, n) => new Probe(() => expired.push([n, now()])))
    const expected: Array<readonly [number, number]> = []
    const pass = (millis: number) => {
      const due = model.filter((one) => one.due <= now() + millis).toSorted((a, b) => a.due - b.due)
      model = model.filter((one) => one.due > now() + millis)
      for (const one of due) expected.push([one.n, one.due])
      return SeededScheduler.adjust(millis)
    }
    for (const { kind, n, millis } of program) {
      if (kind <= 2) {
        yield* pass(0)
        disarm(probes[n]!)
        model = model.filter((one) => one.n !== n)
        arm(millis, probes[n]!)
        model.push({ n, due: now() + millis })
      } else if (kind === 3) {
        yield* pass(0)
        disarm(probes[n]!)
        model = model.filter((one) => one.n !== n)
      } else yield* pass(millis)
    }
    yield* pass(100)
    assert.deepStrictEqual(
      expired.map(([, at]) => at),
      expected.map(([, at]) => at)
    )
    // For equal due times no order is promised.
    const sorted = (list: ReadonlyArray<readonly [number, number]>) =>
      list.toSorted((a, b) => a[1] - b[1] || a[0] - b[0])
    assert.deepStrictEqual(sorted(expired), sorted(expected))
    assert.strictEqual(deadlines.size, 0)
  })
