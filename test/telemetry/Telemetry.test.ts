import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit, Fiber, Logger, References, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Telemetry } from "effect-otp/telemetry"

const sold = Telemetry.event<{ readonly amountCents: number }, { readonly shop: string }>("test.item.sold")
const returned = Telemetry.event<{ readonly count: number }, { readonly reason: string }>("test.item.returned")
const item = Telemetry.event<{ readonly count: number }, {}>("test.item")
const items = Telemetry.event<{ readonly count: number }, {}>("test.items")

const sell = (amountCents: number) => Telemetry.execute(sold, { amountCents }, { shop: "corner" })

const quiet = Effect.provideService(References.MinimumLogLevel, "None")

const test = <A, E>(name: string, effect: Effect.Effect<A, E, Scope.Scope>) =>
  it.effect(name, () => effect.pipe(Effect.provide(Telemetry.layer)))

describe("event", () => {
  it("refuses a name that is not dotted words", () => {
    for (const name of ["", "a..b", ".a", "a.", "a b", "1a", "a.-b"]) {
      assert.throws(() => Telemetry.event(name), RangeError, `not "${name}"`)
    }
  })

  it("gives the same event for the same name", () => {
    assert.strictEqual(Telemetry.event<{ readonly amountCents: number }, { readonly shop: string }>(sold.name), sold)
  })

  it("lists what is declared, by whole words of a prefix", () => {
    assert.deepStrictEqual(
      Telemetry.declared("test.item").map(({ name }) => name),
      ["test.item", "test.item.returned", "test.item.sold"]
    )
    assert.include(Telemetry.declared(), Telemetry.handlerFailure)
  })
})

describe("attach", () => {
  test(
    "calls the handler in the step that executes the event, with measurements, metadata and event",
    Effect.gen(function* () {
      const calls: Array<unknown> = []
      yield* Telemetry.attach("one", sold, (measurements, metadata, event) => {
        calls.push([measurements, metadata, event])
      })
      const table = yield* Telemetry.Telemetry
      Telemetry.executeUnsafe(table, sold, { amountCents: 1 }, { shop: "a" })
      assert.deepStrictEqual(calls, [[{ amountCents: 1 }, { shop: "a" }, sold]])
    })
  )

  test(
    "fails with AlreadyAttached for an id in use, and leaves the first handler",
    Effect.gen(function* () {
      const calls: Array<string> = []
      yield* Telemetry.attach("one", sold, () => void calls.push("first"))
      const again = yield* Effect.exit(Telemetry.attach("one", returned, () => void calls.push("second")))
      assert.deepStrictEqual(again, Exit.fail(new Telemetry.AlreadyAttached({ id: "one" })))
      yield* sell(1)
      yield* Telemetry.execute(returned, { count: 1 }, { reason: "broken" })
      assert.deepStrictEqual(calls, ["first"])
    })
  )

  test(
    "detach removes a handler from all its events and fails with NotAttached for an unknown id",
    Effect.gen(function* () {
      const calls: Array<string> = []
      yield* Telemetry.attachMany("two", [sold, returned, sold], (_, __, event) => void calls.push(event.name))
      yield* sell(1)
      yield* Telemetry.execute(returned, { count: 1 }, { reason: "broken" })
      yield* Telemetry.detach("two")
      yield* sell(2)
      yield* Telemetry.execute(returned, { count: 1 }, { reason: "broken" })
      assert.deepStrictEqual(calls, ["test.item.sold", "test.item.returned"])
      assert.deepStrictEqual(
        yield* Effect.exit(Telemetry.detach("two")),
        Exit.fail(new Telemetry.NotAttached({ id: "two" }))
      )
      assert.strictEqual(new Telemetry.NotAttached({ id: "two" }).message, 'No telemetry handler has the id "two"')
    })
  )

  test(
    "a handler detached during an execution is not called any more",
    Effect.gen(function* () {
      const calls: Array<string> = []
      const context = yield* Effect.context()
      yield* Telemetry.attach("a", sold, () => {
        calls.push("a")
        Effect.runForkWith(context)(Telemetry.detach("b"))
      })
      yield* Telemetry.attach("b", sold, () => void calls.push("b"))
      yield* sell(1)
      assert.deepStrictEqual(calls, ["a"])
    })
  )

  test(
    "attachScoped detaches at the end of the scope, and never a later handler of the same id",
    quiet(
      Effect.gen(function* () {
        const calls: Array<string> = []
        const scope = yield* Scope.make()
        const attached = Telemetry.attachScoped("one", [sold, returned], () => {
          calls.push("scoped")
          throw new Error("broken")
        })
        yield* Scope.provide(attached, scope)
        assert.deepStrictEqual(
          yield* Effect.exit(Effect.scoped(attached)),
          Exit.fail(new Telemetry.AlreadyAttached({ id: "one" }))
        )
        yield* sell(1)
        yield* Telemetry.attach("one", sold, () => void calls.push("later"))
        yield* Scope.close(scope, Exit.void)
        yield* sell(2)
        assert.deepStrictEqual(calls, ["scoped", "later"])

        yield* Effect.scoped(Telemetry.attachScoped("two", returned, () => void calls.push("two")))
        yield* Telemetry.execute(returned, { count: 1 }, { reason: "late" })
        assert.deepStrictEqual(calls, ["scoped", "later"])
      })
    )
  )

  test(
    "isActiveUnsafe is true exactly while a handler is attached to the event",
    Effect.gen(function* () {
      const table = yield* Telemetry.Telemetry
      const seen = () => [sold, returned, item].map((event) => Telemetry.isActiveUnsafe(table, event))
      assert.deepStrictEqual(seen(), [false, false, false])
      yield* Telemetry.attachMany("one", [sold, returned], () => {})
      yield* Telemetry.attach("two", sold, () => {})
      assert.deepStrictEqual(seen(), [true, true, false])
      yield* Telemetry.detach("one")
      assert.deepStrictEqual(seen(), [true, false, false])
      yield* Telemetry.detach("two")
      assert.deepStrictEqual(seen(), [false, false, false])
    })
  )

  it.effect("uses one table for the program by default, and another under layer", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      yield* Telemetry.attachScoped("default", sold, (_, { shop }) => void calls.push(`default ${shop}`))
      yield* Effect.gen(function* () {
        yield* Telemetry.attach("default", sold, (_, { shop }) => void calls.push(`own ${shop}`))
        yield* Telemetry.execute(sold, { amountCents: 1 }, { shop: "inside" })
      }).pipe(Effect.provide(Telemetry.layer))
      yield* Telemetry.execute(sold, { amountCents: 1 }, { shop: "outside" })
      assert.deepStrictEqual(calls, ["own inside", "default outside"])
    })
  )
})

describe("a failing handler", () => {
  test(
    "#320 detach_on_exception: is detached from its event, the others still run, the emitter is unaffected",
    quiet(
      Effect.gen(function* () {
        const calls: Array<string> = []
        yield* Telemetry.attach("before", sold, () => void calls.push("before"))
        yield* Telemetry.attach("broken", sold, () => {
          calls.push("broken")
          throw new Error("no")
        })
        yield* Telemetry.attach("after", sold, () => void calls.push("after"))
        yield* sell(1)
        yield* sell(2)
        assert.deepStrictEqual(calls, ["before", "broken", "after", "before", "after"])
      })
    )
  )

  test(
    "#320 remove_all_handler_on_failure: is removed from all its events and handler.failure says which and why",
    quiet(
      Effect.gen(function* () {
        const error = new Error("no")
        const failures = yield* Telemetry.collect(Telemetry.handlerFailure)
        yield* Telemetry.attachMany("broken", [sold, returned], () => {
          throw error
        })
        yield* Telemetry.attach("text", item, () => {
          throw "just text"
        })
        yield* Telemetry.execute(returned, { count: 1 }, { reason: "broken" })
        yield* sell(1)
        yield* Telemetry.execute(item, { count: 1 }, {})
        assert.deepStrictEqual(yield* failures, [
          {
            event: Telemetry.handlerFailure,
            measurements: { count: 1 },
            metadata: {
              handlerId: "broken",
              eventName: "test.item.returned",
              eventNames: ["test.item.sold", "test.item.returned"],
              kind: "throw",
              reason: error,
              stacktrace: error.stack
            }
          },
          {
            event: Telemetry.handlerFailure,
            measurements: { count: 1 },
            metadata: {
              handlerId: "text",
              eventName: "test.item",
              eventNames: ["test.item"],
              kind: "throw",
              reason: "just text",
              stacktrace: undefined
            }
          }
        ])
        assert.deepStrictEqual(yield* Telemetry.list("test"), [])
      })
    )
  )

  test(
    "is logged as an error by the loggers of the code that executed the event",
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
        lines.push(`${logLevel}: ${String(message)}: ${String(Cause.squash(cause))}`)
      })
      yield* Telemetry.attach("broken", sold, () => {
        throw new Error("no")
      })
      yield* sell(1).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(lines, [
        'Error: Telemetry handler "broken" failed on "test.item.sold" and was detached: Error: no'
      ])
    })
  )

  test(
    "is one line of limited size and without credentials, whatever it throws",
    Effect.gen(function* () {
      const lines: Array<string> = []
      const formats = [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson]
      const loggers = formats.map((format) => Logger.map(format, (text) => void lines.push(String(text))))
      yield* Telemetry.attach("broken", sold, () => {
        throw new Error(`password=hunter2 ${"x".repeat(1_000_000)}`, { cause: new Error("token: hunter2") })
      })
      yield* sell(1).pipe(Effect.provide(Logger.layer(loggers)))
      assert.strictEqual(lines.length, 3)
      for (const line of lines) {
        assert.isBelow(line.length, 20_000)
        assert.notInclude(line, "hunter2")
      }
    })
  )

  test(
    "a failing failure handler is detached and told to the other failure handlers once; attaching itself again does not loop",
    quiet(
      Effect.gen(function* () {
        const context = yield* Effect.context()
        const told: Array<string> = []
        let attempts = 0
        const attachBroken = Telemetry.attach("broken failure handler", Telemetry.handlerFailure, () => {
          attempts++
          Effect.runForkWith(context)(Effect.andThen(Telemetry.detach("broken failure handler"), attachBroken))
          throw new Error(`attempt ${attempts}`)
        })
        const attachThrowing = Telemetry.attach("second broken", Telemetry.handlerFailure, () => {
          throw new Error("second")
        })
        yield* attachBroken
        yield* attachThrowing
        yield* Telemetry.attach("good", Telemetry.handlerFailure, (_, { handlerId, eventName }) => {
          told.push(`${handlerId} on ${eventName}`)
        })
        yield* Telemetry.attach("origin", sold, () => {
          throw new Error("origin")
        })
        yield* sell(1)
        assert.strictEqual(attempts, 1)
        assert.deepStrictEqual(told, ["second broken on telemetry.handler.failure", "origin on test.item.sold"])
        assert.deepStrictEqual(
          (yield* Telemetry.list()).map(({ id }) => id),
          ["good", "broken failure handler"]
        )
      })
    )
  )

  test(
    "an async handler is not waited for, and its rejection is a failure",
    quiet(
      Effect.gen(function* () {
        const failures = yield* Telemetry.collect(Telemetry.handlerFailure)
        const error = new Error("later")
        // oxlint-disable-next-line typescript/no-misused-promises -- the mistake under test
        yield* Telemetry.attach("async", sold, () => Promise.reject(error))
        yield* sell(1)
        yield* sell(2)
        assert.deepStrictEqual(yield* failures, [])
        yield* Effect.promise(() => Promise.resolve())
        assert.deepStrictEqual(
          (yield* failures).map(({ metadata }) => [metadata.handlerId, metadata.kind, metadata.reason]),
          [["async", "reject", error]]
        )
        assert.deepStrictEqual(yield* Telemetry.list("test"), [])
      })
    )
  )
})

describe("names", () => {
  test(
    "#321 no_execute_on_prefix, no_execute_on_specific: only the exact name reaches a handler",
    Effect.gen(function* () {
      const calls: Array<string> = []
      yield* Telemetry.attach("general", item, () => void calls.push("general"))
      yield* sell(1)
      assert.deepStrictEqual(calls, [])
      yield* Telemetry.detach("general")
      yield* Telemetry.attach("specific", sold, () => void calls.push("specific"))
      yield* Telemetry.execute(item, { count: 1 }, {})
      assert.deepStrictEqual(calls, [])
      yield* sell(1)
      assert.deepStrictEqual(calls, ["specific"])
    })
  )

  test(
    "#321 list_for_prefix: lists by whole words of a prefix, one entry for each event of a handler",
    Effect.gen(function* () {
      yield* Telemetry.attachMany("a", [sold, item], () => {})
      yield* Telemetry.attach("b", items, () => {})
      assert.deepStrictEqual(yield* Telemetry.list("test.item"), [
        { id: "a", event: sold },
        { id: "a", event: item }
      ])
      assert.deepStrictEqual(yield* Telemetry.list("test.item.sold"), [{ id: "a", event: sold }])
      assert.deepStrictEqual(yield* Telemetry.list("test.it"), [])
      assert.strictEqual((yield* Telemetry.list("test")).length, 3)
      assert.strictEqual((yield* Telemetry.list("")).length, 3)
      assert.strictEqual((yield* Telemetry.list()).length, 3)
    })
  )
})

const query = Telemetry.spanEvents<{ readonly table: string }>("test.query")
const load = Telemetry.spanEvents<{ readonly table: string }, { readonly rows: number }, { readonly from: string }>(
  "test.load"
)
const all = [query.start, query.stop, query.exception]

const failed = (exit: Exit.Exit<never, string>, expected: { readonly kind: string; readonly reason: unknown }) =>
  Effect.gen(function* () {
    const emitted = yield* Telemetry.collect(all)
    assert.strictEqual(yield* Effect.exit(Telemetry.span(exit, query, { table: "t" })), exit)
    const [start, ended, ...rest] = yield* emitted
    assert.deepStrictEqual(rest, [])
    assert.deepStrictEqual(ended, {
      event: query.exception,
      measurements: { durationMillis: 0, monotonicMillis: 0 },
      metadata: {
        table: "t",
        spanContext: start!.metadata.spanContext,
        ...expected,
        cause: Exit.isFailure(exit) ? exit.cause : assert.fail("a failure")
      }
    } as typeof ended)
  })

describe("span", () => {
  test(
    "#322 invoke_successful_span_handlers: start and stop carry monotonic time, system time and duration",
    Effect.gen(function* () {
      const emitted = yield* Telemetry.collect(all)
      yield* TestClock.adjust("10 seconds")
      const fiber = yield* Effect.forkChild(
        Telemetry.span(Effect.as(Effect.sleep("1500 micros"), 3), query, { table: "t" })
      )
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 3)
      const [start, stop, ...rest] = yield* emitted
      const spanContext = start!.metadata.spanContext
      assert.isNumber(spanContext)
      assert.deepStrictEqual(start, {
        event: query.start,
        measurements: { monotonicMillis: 10_000, systemMillis: 10_000 },
        metadata: { table: "t", spanContext }
      })
      assert.deepStrictEqual(stop, {
        event: query.stop,
        measurements: { durationMillis: 1.5, monotonicMillis: 10_001.5 },
        metadata: { table: "t", spanContext }
      })
      assert.deepStrictEqual(rest, [])
    })
  )

  test(
    "#322 invoke_successful_span_handlers_with_measurements: the stop event has what stop returned",
    Effect.gen(function* () {
      const emitted = yield* Telemetry.collect([load.start, load.stop])
      const rows = yield* Telemetry.spanWith(Effect.succeed(["a", "b"]), load, {
        metadata: { table: "t" },
        stop: (rows) => ({ measurements: { rows: rows.length }, metadata: { from: "cache" } })
      })
      assert.deepStrictEqual(rows, ["a", "b"])
      const [start, stop] = yield* emitted
      assert.deepStrictEqual(stop, {
        event: load.stop,
        measurements: { durationMillis: 0, monotonicMillis: 0, rows: 2 },
        metadata: { table: "t", spanContext: start!.metadata.spanContext, from: "cache" }
      })
    })
  )

  test(
    "#322 invoke_exception_span_handlers: a failure executes exception and is raised again",
    failed(Exit.fail("locked"), { kind: "fail", reason: "locked" })
  )

  const defect = new Error("bug")
  test(
    "#322 invoke_exception_span_handlers: a defect executes exception and is raised again",
    failed(Exit.die(defect), { kind: "die", reason: defect })
  )

  test(
    "#322 invoke_exception_span_handlers: an interruption executes exception with the time until then",
    Effect.gen(function* () {
      const emitted = yield* Telemetry.collect(all)
      const fiber = yield* Effect.forkChild(Telemetry.span(Effect.never, query, { table: "t" }))
      yield* TestClock.adjust("250 millis")
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      const ended = (yield* emitted)[1]!
      assert.strictEqual(ended.event, query.exception)
      assert.deepStrictEqual(ended.measurements, { durationMillis: 250, monotonicMillis: 250 })
      assert.strictEqual((ended.metadata as Telemetry.Event.Metadata<typeof query.exception>).kind, "interrupt")
    })
  )

  test(
    "two spans at the same time have different span contexts",
    Effect.gen(function* () {
      const emitted = yield* Telemetry.collect(query.start)
      yield* Effect.all([
        Telemetry.span(Effect.void, query, { table: "a" }),
        Telemetry.span(Effect.void, query, { table: "b" })
      ])
      const contexts = (yield* emitted).map(({ metadata }) => metadata.spanContext)
      assert.strictEqual(new Set(contexts).size, 2)
    })
  )

  test(
    "without a handler does not even read the clock",
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let reads = 0
      const counting = Object.assign(Object.create(clock) as Clock.Clock, {
        monotonicTimeNanosUnsafe: () => {
          reads++
          return clock.monotonicTimeNanosUnsafe()
        }
      })
      const run = Telemetry.span(Effect.succeed(1), query, { table: "t" }).pipe(
        Effect.provideService(Clock.Clock, counting)
      )
      assert.strictEqual(yield* run, 1)
      assert.strictEqual(reads, 0)
      yield* Telemetry.attach("one", query.exception, () => {})
      assert.strictEqual(yield* run, 1)
      assert.strictEqual(reads, 2)
    })
  )
})

describe("collect and stream", () => {
  test(
    "collect keeps the newest executions in order and stops at the end of its scope",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const emitted = yield* Scope.provide(Telemetry.collect([sold, returned], { capacity: 3 }), scope)
      yield* sell(1)
      const first = yield* emitted
      for (const amount of [2, 3]) yield* sell(amount)
      yield* Telemetry.execute(returned, { count: 4 }, { reason: "broken" })
      yield* Scope.close(scope, Exit.void)
      yield* sell(5)
      assert.deepStrictEqual(first, [{ event: sold, measurements: { amountCents: 1 }, metadata: { shop: "corner" } }])
      assert.deepStrictEqual(yield* emitted, [
        { event: sold, measurements: { amountCents: 2 }, metadata: { shop: "corner" } },
        { event: sold, measurements: { amountCents: 3 }, metadata: { shop: "corner" } },
        { event: returned, measurements: { count: 4 }, metadata: { reason: "broken" } }
      ])
    })
  )

  test(
    "stream gives executions as they come, the newest for a slow reader, and detaches at its end",
    Effect.gen(function* () {
      const fiber = yield* Telemetry.stream(sold, { capacity: 2 }).pipe(
        Stream.map(({ measurements }) => measurements.amountCents),
        Stream.take(3),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* Effect.yieldNow
      assert.strictEqual((yield* Telemetry.list("test.item.sold")).length, 1)
      yield* sell(1)
      yield* Effect.yieldNow
      for (const amount of [2, 3, 4]) yield* sell(amount)
      assert.deepStrictEqual(yield* Fiber.join(fiber), [1, 3, 4])
      assert.deepStrictEqual(yield* Telemetry.list(), [])
    })
  )
})

describe("types", () => {
  type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

  it("infers measurements and metadata from the event, and an exact effect from a span", () => {
    const effect: Effect.Effect<number, string, Scope.Scope> = Effect.succeed(1)
    const spanned = Telemetry.span(effect, query, { table: "t" })
    const proofs: [
      Equal<Parameters<Telemetry.Handler<typeof sold>>[0], { readonly amountCents: number }>,
      Equal<
        Telemetry.Emission<typeof sold | typeof returned>,
        | {
            readonly event: typeof sold
            readonly measurements: { readonly amountCents: number }
            readonly metadata: { readonly shop: string }
          }
        | {
            readonly event: typeof returned
            readonly measurements: { readonly count: number }
            readonly metadata: { readonly reason: string }
          }
      >,
      Equal<typeof spanned, Effect.Effect<number, string, Scope.Scope>>,
      Equal<Effect.Error<ReturnType<typeof Telemetry.attach>>, Telemetry.AlreadyAttached>
    ] = [true, true, true, true]
    assert.notInclude(proofs, false)

    void [
      // @ts-expect-error the measurement has another name
      Telemetry.execute(sold, { amount: 1 }, { shop: "a" }),
      // @ts-expect-error the metadata is missing
      Telemetry.execute(sold, { amountCents: 1 }, {}),
      // @ts-expect-error a handler of another event
      Telemetry.attach("a", sold, (measurements: { readonly count: number }) => void measurements),
      // @ts-expect-error this family has more fields at its stop
      Telemetry.span(Effect.void, load, { table: "t" }),
      // @ts-expect-error span metadata is checked
      Telemetry.span(Effect.void, query, { tables: "t" })
    ]
  })
})
