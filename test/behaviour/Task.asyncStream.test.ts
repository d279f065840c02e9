import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Duration, Effect, Exit, Fiber, Option, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ExitReason, Kernel, Process, Task } from "effect-otp"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"

class Odd extends Data.TaggedError("Odd")<{ readonly n: number }> {}

const trapping = { trapExit: true }
const after = (millis: number) => new Task.TaskTimeout({ timeout: Duration.millis(millis) })
const processes = Effect.map(Kernel.counts, ({ processes }) => processes)

/** Lets time pass until an effect has ended. */
const passing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    for (let i = 0; i < 30 && fiber.pollUnsafe() === undefined; i++) {
      yield* settle
      yield* TestClock.adjust("10 millis")
    }
    yield* settle
    return yield* Fiber.join(fiber)
  })

const sleeping = (millis: number) => Effect.as(Effect.sleep(millis), millis)

/** Tasks that each wait for a gate, and a record of which have begun and ended. */
const gates = (count: number) =>
  Effect.gen(function* () {
    const doors = yield* Effect.forEach(Array.from({ length: count }), () => Deferred.make<void>())
    const begun: Array<number> = []
    const ended: Array<number> = []
    const item = (n: number) =>
      Effect.sync(() => void begun.push(n)).pipe(
        Effect.andThen(Deferred.await(doors[n]!)),
        Effect.as(n),
        Effect.ensuring(Effect.sync(() => void ended.push(n)))
      )
    return { begun, ended, item, open: (n: number) => Deferred.succeed(doors[n]!, undefined) }
  })

const sorted = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)

/** Pulls elements one by one. */
const pulling = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.toPull(stream), (pull) => Effect.map(pull, ([first]) => first))

describe("order", () => {
  kernelTest(
    "#230 results come in the order of the input, even if later ones are ready first",
    Effect.gen(function* () {
      for (const concurrency of [4, 2, 8]) {
        const slowestFirst = Stream.make(40, 30, 20, 10).pipe(Task.asyncStream(sleeping, { concurrency }))
        assert.deepStrictEqual(yield* passing(Stream.runCollect(slowestFirst)), [40, 30, 20, 10])
      }
    }),
    20
  )

  kernelTest(
    "unordered they come as soon as they are ready",
    Effect.gen(function* () {
      const stream = Stream.make(40, 30, 20, 10).pipe(Task.asyncStream(sleeping, { concurrency: 2, ordered: false }))
      // 30 ends first, then 40 at 40, 20 at 50, and 10.
      assert.deepStrictEqual(yield* passing(Stream.runCollect(stream)), [30, 40, 20, 10])
    }),
    20
  )

  kernelTest(
    "no input is no result",
    Effect.gen(function* () {
      const empty = Stream.empty.pipe(Task.asyncStream(() => Effect.void, { concurrency: 3 }))
      assert.deepStrictEqual(yield* Stream.runCollect(empty), [])
    })
  )
})

describe("how it fails", () => {
  kernelTest(
    "#232 a timeout fails the stream, and nothing is left behind",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const both: ReadonlyArray<Stream.Stream<unknown, Task.TaskExit | Task.TaskTimeout>> = [
            Stream.make(20, 60).pipe(Task.asyncStream(sleeping, { concurrency: 2, timeout: "50 millis" })),
            Stream.make(20, 60).pipe(Task.asyncStreamNoLink(sleeping, { concurrency: 2, timeout: "50 millis" }))
          ]
          for (const stream of both) {
            const exit = yield* passing(Effect.exit(Stream.runCollect(stream)))
            assert.deepStrictEqual(exit, Exit.fail(after(50)))
            assert.strictEqual(yield* processes, 1)
            assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
          }
        }),
      trapping
    ),
    20
  )

  kernelTest(
    "the first failure ends the stream at once, whatever it is, and stops the others",
    Effect.gen(function* () {
      const cases = [
        [Effect.fail(new Odd({ n: 1 })), (error: unknown) => assert.deepStrictEqual(error, new Odd({ n: 1 }))],
        [
          Effect.die("boom"),
          (error: unknown) => {
            assert.instanceOf(error, Task.TaskExit)
            assert.deepStrictEqual(error.reason, ExitReason.defect("boom"))
          }
        ]
      ] as const
      for (const [failing, expect] of cases) {
        const { begun, ended, item } = yield* gates(3)
        const running = yield* Deferred.make<void>()
        const stream = Stream.make(0, 1, 2).pipe(
          Task.asyncStream(
            (n) =>
              n === 1
                ? Effect.andThen(Deferred.await(running), failing)
                : Effect.andThen(n === 2 ? Deferred.succeed(running, undefined) : Effect.void, item(n)),
            { concurrency: 3 }
          )
        )
        const error = yield* Effect.flip(Stream.runCollect(stream))
        expect(error)
        assert.includeMembers(ended, begun)
        assert.strictEqual(yield* processes, 0)
      }
    })
  )

  kernelTest(
    "a crash in it does not end the process that reads it",
    asProcess(() =>
      Effect.gen(function* () {
        const stream = Stream.make(1).pipe(Task.asyncStream(() => Effect.die("boom"), { concurrency: 1 }))
        assert.strictEqual((yield* Effect.flip(Stream.runDrain(stream)))._tag, "TaskExit")
        yield* settle
      })
    )
  )

  kernelTest(
    "a failure of the input stops the tasks, then fails the stream",
    Effect.gen(function* () {
      const { begun, ended, item } = yield* gates(2)
      const input = Stream.concat(Stream.make(0, 1), Stream.fromEffect(Effect.andThen(settle, Effect.fail("no more"))))
      const exit = yield* Effect.exit(Stream.runCollect(Task.asyncStream(input, item, { concurrency: 3 })))
      assert.deepStrictEqual(exit, Exit.fail("no more"))
      assert.includeMembers(ended, begun)
      assert.strictEqual(yield* processes, 0)
    })
  )

  it("#240 a concurrency, a timeout or an onTimeout that makes no sense is a RangeError where the stream is made", () => {
    const make = (options: object) => () =>
      Task.asyncStreamNoLink(Stream.make(1), Effect.succeed, options as Task.NoLinkStreamOptions)
    for (const concurrency of [0, -1, 1.5, Number.NaN, Infinity, undefined]) {
      assert.throws(make({ concurrency }), RangeError, "concurrency of a stream of tasks must be a whole number")
    }
    for (const timeout of [-1, Number.NaN, "soon", null]) {
      assert.throws(make({ concurrency: 1, timeout }), RangeError, "timeout of a stream of tasks must be a duration")
    }
    assert.throws(make({ concurrency: 1, onTimeout: "unknown" }), RangeError, "onTimeout of a stream of tasks")
    assert.throws(
      () => Stream.make(1).pipe(Task.asyncStream(Effect.succeed, { concurrency: 0 })),
      RangeError,
      "must be a whole number, 1 or more, not 0"
    )
  })
})

describe("outcomes as values", () => {
  kernelTest(
    "#233 with onTimeout kill a timeout is the outcome of its item",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const stream = (ordered: boolean) =>
            Stream.make(100, 10, 100, 10).pipe(
              Task.asyncStreamNoLink(sleeping, { concurrency: 4, ordered, timeout: "50 millis", onTimeout: "kill" }),
              Stream.runCollect,
              passing
            )
          const late = Result.fail(after(50))
          const good = Result.succeed(10)
          assert.deepStrictEqual(yield* stream(true), [late, good, late, good])
          assert.deepStrictEqual(yield* stream(false), [good, good, late, late])
          yield* settle
          assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
        }),
      trapping
    ),
    20
  )

  kernelTest(
    "#234 each crash is an outcome, and a reader that traps exits gets no signal",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const stream = Stream.make(1, 2, 3, 4).pipe(
            Task.asyncStreamNoLink((n) => Effect.die(n), { concurrency: 4 }),
            Stream.map(Result.match({ onSuccess: () => undefined, onFailure: ({ reason }) => reason }))
          )
          assert.deepStrictEqual(yield* Stream.runCollect(stream), [1, 2, 3, 4].map(ExitReason.defect))
          yield* settle
          assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
        }),
      trapping
    )
  )

  kernelTest(
    "a typed failure is an outcome, too",
    Effect.gen(function* () {
      const stream = Stream.range(1, 2).pipe(
        Task.asyncStreamNoLink((n) => (n % 2 === 0 ? Effect.succeed(n) : Effect.fail(new Odd({ n }))), {
          concurrency: 2
        })
      )
      assert.deepStrictEqual(yield* Stream.runCollect(stream), [Result.fail(new Odd({ n: 1 })), Result.succeed(2)])
    })
  )

  kernelTest(
    "#238 with zipInput each outcome comes with its input",
    Effect.gen(function* () {
      const options = { concurrency: 2, timeout: "50 millis", onTimeout: "kill", zipInput: true } as const
      const stream = Stream.make(10, 100).pipe(Task.asyncStreamNoLink(sleeping, options))
      assert.deepStrictEqual(yield* passing(Stream.runCollect(stream)), [
        [10, Result.succeed(10)],
        [100, Result.fail(after(50))]
      ])
      const failing = Stream.make(1).pipe(
        Task.asyncStreamNoLink(() => Effect.fail("no"), options),
        Stream.take(1)
      )
      assert.deepStrictEqual(yield* Stream.runCollect(failing), [[1, Result.fail("no")]])
      const linked = Stream.make(1, 2).pipe(
        Task.asyncStream((n) => Effect.succeed(n * 2), { concurrency: 1, zipInput: true })
      )
      assert.deepStrictEqual(yield* Stream.runCollect(linked), [
        [1, 2],
        [2, 4]
      ])
    }),
    20
  )

  kernelTest(
    "an answer that exists when the time is up counts",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const held = Effect.as(
        Effect.addFinalizer(() => Deferred.await(gate)),
        "answer"
      )
      const stream = Stream.make(1).pipe(
        Task.asyncStreamNoLink(() => held, { concurrency: 1, timeout: "50 millis", onTimeout: "kill" })
      )
      const reading = yield* Effect.forkChild(Stream.runCollect(stream))
      yield* settle
      yield* TestClock.adjust("50 millis")
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.join(reading), [Result.succeed("answer")])
    })
  )
})

describe("what is begun", () => {
  kernelTest(
    "nothing begins before the first pull; then at most concurrency items have begun and are unread, even behind a slow first one",
    Effect.gen(function* () {
      const { begun, item, open } = yield* gates(10)
      const pull = yield* pulling(Stream.range(0, 9).pipe(Task.asyncStream(item, { concurrency: 3 })))
      yield* settle
      assert.deepStrictEqual(begun, [])
      const first = yield* Effect.forkChild(pull)
      yield* settle
      assert.deepStrictEqual(sorted(begun), [0, 1, 2])
      yield* Effect.all([open(1), open(2)])
      yield* settle
      // They have ended, but were not read.
      assert.strictEqual(begun.length, 3)
      yield* open(0)
      assert.strictEqual(yield* Fiber.join(first), 0)
      yield* settle
      // One was read, and there was no pull since.
      assert.strictEqual(begun.length, 3)
      assert.strictEqual(yield* pull, 1)
      yield* settle
      assert.strictEqual(begun.length, 4)
      assert.strictEqual(yield* pull, 2)
      yield* settle
      assert.deepStrictEqual(sorted(begun), [0, 1, 2, 3, 4])
    })
  )

  kernelTest(
    "the bound holds for readers and tasks of any speed, ordered or not",
    Effect.gen(function* () {
      for (const ordered of [true, false]) {
        for (const concurrency of [1, 2, 5]) {
          let unread = 0
          let most = 0
          let read = 0
          const stream = Stream.range(1, 12).pipe(
            Task.asyncStream(
              (n) =>
                Effect.suspend(() => {
                  most = Math.max(most, ++unread)
                  return Effect.as(n % 3 === 0 ? Effect.yieldNow : n % 3 === 1 ? Effect.void : settle, n)
                }),
              { concurrency, ordered }
            ),
            Stream.mapEffect((n) =>
              Effect.suspend(() => {
                unread--
                read++
                return n % 2 === 0 ? settle : Effect.void
              })
            )
          )
          yield* Stream.runDrain(stream)
          assert.strictEqual(read, 12)
          assert.isAtMost(most, concurrency)
        }
      }
    }),
    15
  )

  kernelTest(
    "input is pulled only while there is room",
    Effect.gen(function* () {
      let pulled = 0
      const input = Stream.fromEffectRepeat(Effect.sync(() => pulled++))
      const { item, open } = yield* gates(20)
      const pull = yield* pulling(Task.asyncStream(input, item, { concurrency: 4 }))
      const first = yield* Effect.forkChild(pull)
      yield* settle
      assert.strictEqual(pulled, 4)
      yield* open(0)
      yield* Fiber.join(first)
      yield* settle
      assert.strictEqual(pulled, 4)
    })
  )

  kernelTest(
    "a slow input does not delay finished items",
    Effect.gen(function* () {
      const input = Stream.concat(Stream.make(1), Stream.fromEffect(Effect.never))
      const pull = yield* pulling(Task.asyncStream(input, Effect.succeed, { concurrency: 2 }))
      assert.strictEqual(yield* pull, 1)
    })
  )

  kernelTest(
    "#236 streams can be zipped, with themselves too, and do not mix",
    Effect.gen(function* () {
      const stream = Stream.make(30, 20, 10).pipe(Task.asyncStreamNoLink(sleeping, { concurrency: 3 }))
      const pairs = yield* passing(Stream.runCollect(Stream.zip(stream, stream)))
      assert.deepStrictEqual(
        pairs,
        [30, 20, 10].map((n) => [Result.succeed(n), Result.succeed(n)])
      )
      const failing = Stream.range(1, 2).pipe(Task.asyncStreamNoLink((n) => Effect.fail(n), { concurrency: 2 }))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.zip(failing, failing)), [
        [Result.fail(1), Result.fail(1)],
        [Result.fail(2), Result.fail(2)]
      ])
    }),
    20
  )

  kernelTest(
    "#241 the reader of the stream starts its tasks, and is their caller",
    Effect.gen(function* () {
      const stream = Stream.make(1).pipe(Task.asyncStream(() => Process.Callers, { concurrency: 1 }))
      const seen = yield* Deferred.make<ReadonlyArray<unknown>>()
      const read = yield* Deferred.make<ReadonlyArray<ReadonlyArray<unknown>>>()
      yield* asProcess((parent) =>
        Effect.gen(function* () {
          const child = yield* Process.spawn((self) =>
            Effect.gen(function* () {
              yield* Deferred.succeed(seen, [self.pid, parent.pid])
              yield* Deferred.succeed(read, yield* Stream.runCollect(stream))
            })
          )
          yield* Deferred.await(read)
          yield* Process.awaitExit(child)
        })
      )
      assert.deepStrictEqual(yield* Deferred.await(read), [yield* Deferred.await(seen)])
    })
  )
})

describe("how it ends", () => {
  for (const how of ["is read to its end", "is left early", "is interrupted"]) {
    kernelTest(
      `a resource that the input acquires when it is pulled (Stream.unwrap) outlives the tasks if the stream ${how}`,
      Effect.gen(function* () {
        const seen: Array<string> = []
        const resource = Effect.acquireRelease(
          Effect.sync(() => {
            seen.push("acquired")
            return Stream.make(1, 2)
          }),
          () => Effect.sync(() => void seen.push("released"))
        )
        const task = (n: number) =>
          Effect.ensuring(
            Effect.as(n === 1 ? Effect.sleep(10) : Effect.sleep(30), n),
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => void seen.push(`${n} ended`))
            )
          )
        const tasks = Stream.unwrap(resource).pipe(Task.asyncStream(task, { concurrency: 2 }))
        const running = yield* Effect.forkChild(
          Effect.asVoid(how === "is left early" ? Stream.runHead(tasks) : Stream.runDrain(tasks))
        )
        yield* settle
        if (how === "is interrupted") yield* Fiber.interrupt(running)
        else yield* passing(Fiber.await(running))
        const [first, ...rest] = seen
        assert.strictEqual(first, "acquired")
        assert.sameMembers(rest.slice(0, 2), ["1 ended", "2 ended"])
        assert.deepStrictEqual(rest.slice(2), ["released"])
      }),
      20
    )
  }

  kernelTest(
    "#237 an early stop ends the tasks, releases what both sides hold, and then releases the input",
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = (what: string) => Effect.sync(() => void log.push(what))
      const { item, open } = yield* gates(9)
      const stopping = (stop: <E>(stream: Stream.Stream<number, E>) => Stream.Stream<number, E | string>) =>
        Stream.range(0, 8).pipe(
          Stream.ensuring(note("input")),
          Task.asyncStream(
            (n) =>
              Effect.ensuring(
                Effect.andThen(
                  Effect.addFinalizer(() => note("task")),
                  item(n)
                ),
                Effect.void
              ),
            { concurrency: 3 }
          ),
          stop,
          Stream.ensuring(note("output")),
          Stream.runCollect,
          Effect.exit
        )
      yield* open(0)
      const stops = [
        <E>(stream: Stream.Stream<number, E>) => Stream.take(stream, 1),
        <E>(stream: Stream.Stream<number, E>) => Stream.mapEffect(stream, () => Effect.fail("inner")),
        <E>(stream: Stream.Stream<number, E>) => Stream.tap(stream, () => Effect.die("inner"))
      ]
      for (const stop of stops) {
        yield* stopping(stop)
        const entries = log.splice(0)
        const tasks = entries.filter((entry) => entry === "task").length
        assert.isAtMost(tasks, 3)
        assert.isAtLeast(tasks, 1)
        // The input is released after the tasks that work on it.
        assert.isAbove(entries.indexOf("input"), entries.lastIndexOf("task"))
        assert.include(entries, "output")
        assert.deepInclude(yield* Kernel.counts, { processes: 0, zombies: 0 })
      }
    })
  )

  kernelTest(
    "interrupting or killing the reader ends the tasks",
    Effect.gen(function* () {
      const { begun, ended, item } = yield* gates(6)
      const first = Stream.make(0, 1, 2).pipe(Task.asyncStream(item, { concurrency: 3 }), Stream.runDrain)
      const fiber = yield* Effect.forkChild(first)
      yield* settle
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(sorted(ended), [0, 1, 2])
      const second = Stream.make(3, 4, 5).pipe(Task.asyncStream(item, { concurrency: 3 }), Stream.runDrain)
      const reader = yield* Process.spawn(second)
      yield* settle
      yield* Process.kill(reader)
      yield* settle
      assert.deepStrictEqual(sorted(ended), [0, 1, 2, 3, 4, 5])
      assert.strictEqual(begun.length, 6)
    })
  )

  kernelTest(
    "a task that does not end in time is killed, and waited for the same time again",
    Effect.gen(function* () {
      const { begun, item, open } = yield* gates(2)
      yield* open(0)
      const stream = Stream.make(0, 1).pipe(
        Task.asyncStream((n) => Effect.uninterruptible(item(n)), { concurrency: 2, shutdown: "10 millis" }),
        Stream.tap(() => settle),
        Stream.take(1)
      )
      const reading = yield* Effect.forkChild(Stream.runCollect(stream))
      yield* settle
      yield* settle
      assert.strictEqual(begun.length, 2)
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust("10 millis")
      yield* settle
      assert.deepInclude(yield* Kernel.counts, { processes: 0, zombies: 1 })
      yield* TestClock.adjust("10 millis")
      yield* settle
      assert.deepStrictEqual(yield* Fiber.join(reading), [0])
      yield* open(1)
      yield* settle
    })
  )
})
