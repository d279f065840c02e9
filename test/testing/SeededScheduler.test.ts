import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Effect, Exit, Fiber, Queue, Random, Ref, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { seeds } from "../fixtures/seeds.ts"

/** Three fibers read and write one count without a lock. It is right unless one of them is preempted in between. */
const racy = Effect.gen(function* () {
  const count = yield* Ref.make(0)
  const increment = Effect.flatMap(Ref.get(count), (n) => Ref.set(count, n + 1))
  yield* Effect.all([increment, increment, increment], { concurrency: "unbounded" })
  return yield* Ref.get(count)
})

/**
 * A server that takes time, and callers that wait at most 150 ms. Order, time and random numbers decide everything in
 * it.
 */
const callers = (adjust: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const trace: Array<string> = []
    const requests = yield* Queue.unbounded<{ readonly id: number; readonly reply: Deferred.Deferred<number> }>()
    const server = yield* Effect.forkChild(
      Effect.forever(
        Effect.gen(function* () {
          const { id, reply } = yield* Queue.take(requests)
          const millis = yield* Random.nextIntBetween(1, 200)
          yield* Effect.sleep(millis)
          yield* Deferred.succeed(reply, id)
          trace.push(`${id} after ${millis} at ${yield* Clock.currentTimeMillis}`)
        })
      )
    )
    const call = (id: number) =>
      Effect.gen(function* () {
        const reply = yield* Deferred.make<number>()
        yield* Queue.offer(requests, { id, reply })
        const answer = yield* Effect.timeoutOption(Deferred.await(reply), 150)
        trace.push(`${id} ${answer._tag} at ${yield* Clock.currentTimeMillis}`)
      })
    const fibers = yield* Effect.forEach([1, 2, 3, 4], (id) => Effect.forkChild(call(id)))
    yield* adjust
    const waiting = fibers.filter((fiber) => fiber.pollUnsafe() === undefined).length
    yield* Fiber.interrupt(server)
    return { trace, waiting }
  })

const failureOf = <A, E>(exit: Exit.Exit<A, E>): Cause.Cause<E> =>
  Exit.isFailure(exit) ? exit.cause : assert.fail("it succeeded")

describe("replay", () => {
  it.effect("the same seed gives the same order, times and random numbers", () =>
    Effect.gen(function* () {
      const explore = SeededScheduler.explore(callers(SeededScheduler.adjust("5 seconds")), { seeds: seeds(200) })
      const first = yield* explore
      assert.deepStrictEqual(yield* explore, first)
      if (first.length > 1) {
        const distinct = new Set(first.map(({ trace }) => trace.join()))
        assert.isAbove(distinct.size, first.length * 0.9)
      }
    })
  )

  it.effect("a failing seed replays its failure in runSeed", () =>
    Effect.gen(function* () {
      const checked = Effect.flatMap(racy, (count) => (count === 3 ? Effect.void : Effect.fail(`lost: ${count}`)))
      const failed = yield* Effect.flip(SeededScheduler.explore(checked, { seeds: 200 }))
      assert.instanceOf(failed, SeededScheduler.SeedFailed)
      assert.match(failed.message, new RegExp(`^Seed ${failed.seed} failed .*lost: \\d`, "s"))
      for (let i = 0; i < 5; i++) {
        const exit = yield* Effect.exit(SeededScheduler.runSeed(checked, failed.seed))
        assert.deepStrictEqual(exit, Exit.failCause(failed.failure as Cause.Cause<string>))
      }
    })
  )
})

describe("explore", () => {
  it.effect("finds an update that is lost by preemption, which the default scheduler does not show", () =>
    Effect.gen(function* () {
      const counts = yield* SeededScheduler.explore(racy, { seeds: 200 })
      assert.strictEqual(counts.length, 200)
      assert.isAbove(counts.filter((count) => count < 3).length, 10)
      assert.isAbove(counts.filter((count) => count === 3).length, 10)
      for (let i = 0; i < 200; i++) assert.strictEqual(yield* racy, 3)
    })
  )

  it.effect("gives an effect its seed, the services of its caller, and a clock and random numbers of its own", () =>
    Effect.gen(function* () {
      class Greeting extends Context.Service<Greeting, string>()("test/Greeting") {}
      yield* TestClock.adjust("1 hour")
      const run = (seed: number) =>
        Effect.gen(function* () {
          const before = yield* Clock.currentTimeMillis
          yield* SeededScheduler.adjust("1 second")
          return [seed, yield* Greeting, before, yield* Clock.currentTimeMillis, yield* Random.next] as const
        })
      const results = yield* SeededScheduler.explore(run, { seeds: [7, 8, 7] }).pipe(
        Effect.provideService(Greeting, "hello")
      )
      const [first, second, third] = results
      assert.deepStrictEqual(first!.slice(0, 4), [7, "hello", 0, 1_000])
      assert.deepStrictEqual(third, first)
      assert.notStrictEqual(second![4], first![4])
      assert.strictEqual(yield* Clock.currentTimeMillis, 3_600_000)
    })
  )

  it.effect("names the first seed that fails, with its whole cause, and runs none after it", () =>
    Effect.gen(function* () {
      const defect = new Error("bug")
      const ran: Array<number> = []
      const failed = yield* SeededScheduler.explore(
        (seed) => {
          ran.push(seed)
          return seed === 17 ? Effect.die(defect) : Effect.void
        },
        { seeds: [3, 17, 4] }
      ).pipe(Effect.flip)
      assert.strictEqual(failed.seed, 17)
      assert.deepStrictEqual(failed.failure, Cause.die(defect))
      assert.strictEqual(failed.cause, defect)
      assert.deepStrictEqual(ran, [3, 17])
    })
  )

  it.effect("lets what an effect left behind go on until nothing is ready, then drops it", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const leave = (effect: Effect.Effect<unknown>) =>
        SeededScheduler.runSeed(Effect.asVoid(Effect.forkDetach(effect)), 1, { preemption: 0 })
      const mark = (name: string) => Effect.sync(() => done.push(name))

      // More tasks than one turn runs.
      yield* leave(Effect.andThen(yieldTimes(6_000), mark("long")))
      assert.deepStrictEqual(done, ["long"])

      const gate = yield* Deferred.make<void>()
      yield* leave(Effect.andThen(Effect.andThen(Deferred.await(gate), Effect.yieldNow), mark("late")))
      yield* Deferred.succeed(gate, undefined)
      yield* turns(10)
      assert.deepStrictEqual(done, ["long"])

      let spins = 0
      yield* leave(Effect.forever(Effect.sync(() => spins++)))
      const after = spins
      yield* turns(10)
      assert.isAbove(after, 100)
      assert.isBelow(after, 20_000)
      assert.strictEqual(spins, after)
    })
  )

  it.effect("interrupted, interrupts the effect, waits for its finalizers, and names no seed", () =>
    Effect.gen(function* () {
      const began = yield* Deferred.make<void>()
      let released = false
      const run = Effect.ensuring(
        Effect.andThen(Deferred.succeed(began, undefined), Effect.forever(Effect.yieldNow)),
        Effect.andThen(
          yieldTimes(10),
          Effect.sync(() => (released = true))
        )
      )
      const fiber = yield* Effect.forkChild(SeededScheduler.explore(run, { seeds: [1], maxTasks: 1_000_000_000 }))
      yield* Deferred.await(began)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(released)
      assert.isTrue(Cause.hasInterruptsOnly(failureOf(yield* Fiber.await(fiber))))
    })
  )

  it("refuses a seed that is not a safe integer and a preemption that is not a probability", () => {
    for (const seed of [Number.NaN, 0.5, Number.POSITIVE_INFINITY, 2 ** 60]) {
      assert.throws(() => SeededScheduler.make(seed), RangeError, `${seed}`)
    }
    for (const preemption of [-0.1, 1, Number.NaN]) {
      assert.throws(() => SeededScheduler.make(1, { preemption }), RangeError, `${preemption}`)
    }
  })
})

describe("preemption", () => {
  it.effect("happens never for 0, and after almost any operation for 0.9", () =>
    Effect.gen(function* () {
      const steps = Effect.gen(function* () {
        const trace: Array<string> = []
        const worker = (name: string) =>
          Effect.forEach([1, 2, 3, 4], () => Effect.sync(() => trace.push(name)), { discard: true })
        const fibers = yield* Effect.forEach(["a", "b"], (name) => Effect.forkChild(worker(name)))
        yield* Fiber.awaitAll(fibers)
        return trace.join("")
      })
      const never = yield* SeededScheduler.explore(steps, { seeds: 100, preemption: 0 })
      assert.sameMembers(Array.from(new Set(never)), ["aaaabbbb", "bbbbaaaa"])
      const always = yield* SeededScheduler.explore(steps, { seeds: 100, preemption: 0.9 })
      assert.isAbove(new Set(always).size, 20)
    })
  )

  it.effect("never forgets an interruption, not even of a fiber that has not begun", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.never)
        yield* Fiber.interrupt(fiber)
        return Exit.hasInterrupts(yield* Fiber.await(fiber))
      })
      for (const preemption of [0.2, 0.9]) {
        assert.notInclude(yield* SeededScheduler.explore(program, { seeds: seeds(200), preemption }), false)
      }
    })
  )

  it("make alone serves fibers, with the live clock", async () => {
    const run = (seed: number) =>
      Effect.runPromise(racy.pipe(Effect.provideService(Scheduler.Scheduler, SeededScheduler.make(seed))))
    const counts: Array<number> = []
    for (let seed = 0; seed < 100; seed++) {
      const count = await run(seed)
      assert.strictEqual(await run(seed), count)
      counts.push(count)
    }
    assert.isAbove(counts.filter((count) => count < 3).length, 3)
  })

  it("flush runs what is ready and then what settles, and a task that throws loses none", () => {
    const scheduler = SeededScheduler.make(1)
    const dispatcher = scheduler.makeDispatcher()
    const ran: Array<string> = []
    dispatcher.scheduleTask(() => void ran.push("settled"), Number.POSITIVE_INFINITY)
    for (const name of ["a", "b"]) dispatcher.scheduleTask(() => void ran.push(name), 0)
    dispatcher.flush()
    assert.sameMembers(ran.slice(0, 2), ["a", "b"])
    assert.strictEqual(ran[2], "settled")
    dispatcher.scheduleTask(() => {
      throw new Error("broken task")
    }, 0)
    dispatcher.scheduleTask(() => void ran.push("c"), Number.POSITIVE_INFINITY)
    assert.throws(() => dispatcher.flush(), "broken task")
    dispatcher.flush()
    assert.deepStrictEqual(ran.slice(3), ["c"])
  })

  it("a task that throws in a turn of the host loses none", () => {
    const host: Array<() => void> = []
    vi.stubGlobal("setImmediate", (turn: () => void) => host.push(turn))
    const dispatcher = SeededScheduler.make(1).makeDispatcher()
    let ran = 0
    dispatcher.scheduleTask(() => {
      dispatcher.scheduleTask(() => void ran++, 0)
      throw new Error("broken task")
    }, 0)
    assert.throws(() => host.shift()!(), "broken task")
    assert.strictEqual(ran, 0)
    while (host.length > 0) host.shift()!()
    assert.strictEqual(ran, 1)
    dispatcher.scheduleTask(() => void ran++, 0)
    host.shift()!()
    assert.strictEqual(ran, 2)
    vi.unstubAllGlobals()
  })
})

describe("settle and adjust", () => {
  it.effect("adjust finds every fiber at its sleep, for each of 200 seeds", () =>
    Effect.gen(function* () {
      const results = yield* SeededScheduler.explore(callers(SeededScheduler.adjust("5 seconds")), {
        seeds: seeds(200)
      })
      assert.deepStrictEqual(
        results.filter(({ waiting }) => waiting > 0),
        []
      )
    })
  )

  it.effect("TestClock.adjust alone comes too early for some seed", () =>
    Effect.gen(function* () {
      const results = yield* SeededScheduler.explore(callers(TestClock.adjust("5 seconds")), { seeds: 200 })
      assert.isAbove(results.filter(({ waiting }) => waiting > 0).length, 0)
    })
  )

  it.effect("adjust runs a cascade of sleeps at the right times", () =>
    Effect.gen(function* () {
      const cascade = Effect.gen(function* () {
        const woke: Array<number> = []
        const sleeper = (millis: number) =>
          Effect.gen(function* () {
            for (let i = 0; i < 3; i++) {
              yield* Effect.sleep(millis)
              yield* yieldTimes(5)
              woke.push(yield* Clock.currentTimeMillis)
            }
          })
        yield* Effect.forEach([10, 15], (millis) => Effect.forkChild(sleeper(millis)))
        yield* SeededScheduler.adjust(100)
        return woke
      })
      for (const woke of yield* SeededScheduler.explore(cascade, { seeds: seeds(200) })) {
        assert.deepStrictEqual(
          woke.toSorted((a, b) => a - b),
          [10, 15, 20, 30, 30, 45]
        )
      }
    })
  )

  it.effect("settle returns when no task is ready, also when two fibers settle", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const done: Array<string> = []
        yield* Effect.forkChild(
          Effect.andThen(
            yieldTimes(50),
            Effect.sync(() => done.push("worker"))
          )
        )
        yield* Effect.forkChild(
          Effect.andThen(
            SeededScheduler.settle,
            Effect.sync(() => done.push("other"))
          )
        )
        yield* SeededScheduler.settle
        done.push("main")
        yield* SeededScheduler.settle
        return done
      })
      for (const done of yield* SeededScheduler.explore(program, { seeds: seeds(200) })) {
        assert.strictEqual(done[0], "worker")
        assert.sameMembers(done.slice(1), ["main", "other"])
      }
    })
  )

  it.effect("settle lets promises that are resolved go on", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        let resolved = false
        yield* Effect.forkChild(
          Effect.andThen(
            Effect.promise(() => Promise.resolve().then(() => undefined)),
            Effect.sync(() => (resolved = true))
          )
        )
        yield* SeededScheduler.settle
        return resolved
      })
      assert.notInclude(yield* SeededScheduler.explore(program, { seeds: seeds() }), false)
    })
  )

  it.effect("layer gives part of a program the world of a seed", () =>
    Effect.gen(function* () {
      const run = (seed: number) =>
        callers(SeededScheduler.adjust("5 seconds")).pipe(Effect.provide(SeededScheduler.layer(seed)))
      const first = yield* run(5)
      assert.strictEqual(first.waiting, 0)
      assert.deepStrictEqual(yield* run(5), first)
      assert.notDeepEqual(yield* run(6), first)
      const counts = yield* Effect.forEach(seeds(200), (seed) => Effect.provide(racy, SeededScheduler.layer(seed)))
      assert.isAbove(counts.filter((count) => count < 3).length, counts.length === 1 ? -1 : 10)
    })
  )
})

describe("a run that cannot end", () => {
  const stuck = <A, E>(effect: Effect.Effect<A, E>, options?: SeededScheduler.RunOptions) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(SeededScheduler.runSeed(effect, 1, options))
      return error instanceof SeededScheduler.Stuck ? error : assert.fail("another error")
    })

  it.effect("is a deadlock if all fibers wait for each other, and its finalizers run", () =>
    Effect.gen(function* () {
      let released = 0
      const deadlock = Effect.gen(function* () {
        const a = yield* Deferred.make<void>()
        const b = yield* Deferred.make<void>()
        const wait = (first: Deferred.Deferred<void>, second: Deferred.Deferred<void>) =>
          Effect.ensuring(
            Effect.andThen(Deferred.await(first), Deferred.succeed(second, undefined)),
            Effect.sync(() => released++)
          )
        yield* Effect.all([wait(a, b), wait(b, a)], { concurrency: "unbounded" })
      })
      const error = yield* stuck(deadlock)
      assert.strictEqual(error.reason, "deadlock")
      assert.match(error.message, /no task is ready, and the effect has not ended/)
      assert.strictEqual(released, 2)

      const failed = yield* Effect.flip(
        SeededScheduler.explore((seed) => (seed === 2 ? deadlock : Effect.void), { seeds: 5 })
      )
      assert.strictEqual(failed.seed, 2)
      assert.match(failed.message, /^Seed 2 failed .*no task is ready/s)
    })
  )

  it.effect("is a deadlock, too, if it suspends at its first operation, or cannot be interrupted", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* stuck(Effect.never)).reason, "deadlock")
      assert.strictEqual((yield* stuck(Effect.uninterruptible(Effect.never))).reason, "deadlock")
      const fiber = yield* Effect.forkChild(
        SeededScheduler.runSeed(Effect.uninterruptible(Effect.never), 1, { idleTurns: 100 })
      )
      yield* turns(5)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("is asleep if it waits for a time to which nobody adjusts the clock", () =>
    Effect.gen(function* () {
      const error = yield* stuck(
        Effect.all([Effect.sleep("1 hour"), Effect.sleep("1 minute")], { concurrency: "unbounded" })
      )
      assert.deepStrictEqual([error.reason, error.sleeping], ["asleep", 2])
      assert.match(error.message, /only 2 sleeping fibers are left, and nothing moves the clock/)
    })
  )

  it.effect("is endless if it goes on for ever, and its finalizers run", () =>
    Effect.gen(function* () {
      let released = false
      const endless = Effect.ensuring(
        Effect.forever(Effect.yieldNow),
        Effect.andThen(
          yieldTimes(10),
          Effect.sync(() => (released = true))
        )
      )
      const error = yield* stuck(endless, { maxTasks: 1_000 })
      assert.deepStrictEqual([error.reason, error.tasks], ["endless", 1_000])
      assert.isTrue(released)
    })
  )

  it.effect("does not include a run that sleeps on the live clock", () =>
    Effect.gen(function* () {
      // A live clock whose sleeps take more turns than a run may be idle.
      const clock = yield* TestClock.withLive(Clock.Clock)
      const slow = Object.assign(Object.create(clock) as Clock.Clock, { sleep: () => turns(50) })
      yield* SeededScheduler.runSeed(TestClock.withLive(Effect.sleep("1 second")), 1).pipe(
        Effect.provideService(Clock.Clock, slow)
      )
      const other = turns(50)
      assert.strictEqual((yield* stuck(other)).reason, "deadlock")
      yield* SeededScheduler.runSeed(other, 1, { idleTurns: 1_000 })
    })
  )
})

describe("seeds", () => {
  it("are as many as a test asks for, ten times that in a deep run, and one where it is named", () => {
    vi.stubEnv("OTP_DEEP", undefined)
    vi.stubEnv("OTP_SEED", undefined)
    assert.strictEqual(seeds().length, 100)
    assert.deepStrictEqual(seeds(3), [0, 1, 2])
    vi.stubEnv("OTP_DEEP", "1")
    assert.strictEqual(seeds().length, 1_000)
    vi.stubEnv("OTP_SEED", "17")
    assert.deepStrictEqual(seeds(), [17])
    vi.unstubAllEnvs()
  })
})

const yieldTimes = (count: number) => Effect.forEach(Array(count).keys(), () => Effect.yieldNow, { discard: true })

/** This many turns of the host's macrotask queue. */
const turns = (count: number) =>
  Effect.callback<void>((resume) => {
    const turn = (left: number): unknown => (left === 0 ? resume(Effect.void) : setImmediate(turn, left - 1))
    turn(count)
  })
