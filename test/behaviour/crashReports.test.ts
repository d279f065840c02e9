import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Layer, Logger, References, Schema, Stream } from "effect"
import { Events, GenServer, Sys, Telemetry } from "effect-otp"
import { Display, ExitReason, Kernel, Process } from "effect-otp/kernel"
import { Rpc } from "effect/rpc"
import { spent } from "../fixtures/cpu.ts"
import { hostile, Money, nested } from "../fixtures/hostile.ts"
import { kernelTest, settle } from "../fixtures/kernel.ts"

const SECRET = "hunter2"

/** A server with a given state that dies of the given value. */
class Vault extends GenServer.Service<Vault>()("test/Vault", [
  GenServer.cast("burn", { payload: { error: Schema.Unknown, password: Schema.Unknown } }),
  Rpc.make("open", { payload: { error: Schema.Unknown }, success: Schema.Void })
]) {}

const formatted: Array<GenServer.Status<unknown>> = []

const definitionOf = (
  formatStatus?: (status: GenServer.Status<unknown>) => GenServer.Shown,
  terminate: () => Effect.Effect<void> = () => Effect.void
) =>
  Vault.define({
    terminate,
    init: (state: unknown) => Effect.succeed(state),
    handlers: { burn: ({ error }) => Effect.die(error), open: ({ error }) => Effect.die(error) },
    ...(formatStatus === undefined ? {} : { formatStatus })
  })

const burn = (state: unknown, error: unknown, formatStatus?: (status: GenServer.Status<unknown>) => GenServer.Shown) =>
  Effect.gen(function* () {
    const vault = yield* definitionOf(formatStatus).start(state)
    yield* vault.burn({ error, password: SECRET })
    yield* settle
  })

/** What every logger of Effect writes: one text for each line. */
const written = <A, E, R>(program: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const keep = (text: unknown) => void lines.push(String(text))
    const loggers = [Logger.formatSimple, Logger.formatLogFmt, Logger.formatJson].map((format) =>
      Logger.map(format, keep)
    )
    return Effect.provide(program(lines), Logger.layer(loggers))
  })

const heard = <M extends object, D extends object>(event: Telemetry.Event<M, D>) =>
  Effect.gen(function* () {
    const seen: Array<D> = []
    yield* Telemetry.attachScoped(`heard ${event.name}`, event, (_, metadata) => void seen.push(metadata))
    return seen
  })

const odd: ReadonlyArray<readonly [name: string, state: unknown, error: () => unknown]> = [
  ...hostile.map(([name, make]) => [name, 1, make] as const),
  ["2,000 nested causes", 1, () => nested(2000)],
  [
    "an AggregateError of 10,000",
    1,
    () => new AggregateError(Array.from({ length: 10_000 }, (_, i) => new Error(`${i}`)))
  ],
  ["a state whose toJSON throws", new Money("12"), () => new Error("x")],
  ["a nested state whose toJSON throws", { a: new Money("12") }, () => new Error("x")],
  ["a state of 100,000 records", Array.from({ length: 100_000 }, (_, id) => ({ id })), () => new Error("x")]
]

describe("a crash report", () => {
  for (const [name, state, error] of odd) {
    it.effect(`is one line of limited size in every logger: ${name}`, () =>
      Effect.provide(
        written((lines) =>
          Effect.gen(function* () {
            yield* burn(state, error())
            assert.strictEqual(lines.length, 3)
            for (const line of lines) {
              assert.include(line, "test/Vault crashed")
              assert.isBelow(line.length, 60_000)
            }
          })
        ),
        Kernel.layer
      )
    )
  }

  kernelTest(
    "shows no secret, in state, message, error or cause",
    written((lines) =>
      Effect.gen(function* () {
        const reports = yield* heard(Events.processCrash)
        const exits = yield* heard(Events.processExit)
        const state = { db: `postgres://joe:${SECRET}@db/app`, headers: { Authorization: `Bearer ${SECRET}` } }
        const error = new Error(`cannot burn, password=${SECRET}`, { cause: new Error(`http://u:${SECRET}@h`) })
        yield* burn(state, error)
        assert.strictEqual(lines.length, 3)
        assert.notInclude(lines.join(), SECRET)
        for (const seen of [...reports, ...exits]) {
          assert.notInclude(JSON.stringify({ ...seen, pid: undefined }), SECRET)
        }
        assert.deepStrictEqual(reports[0]!.report.state, {
          db: "postgres://<redacted>@db/app",
          headers: { Authorization: "<redacted>" }
        })
        const exit = exits.find(({ reason }) => reason._tag === "Crash")!
        assert.notInclude(ExitReason.format(exit.reason), SECRET)
      })
    )
  )

  kernelTest(
    "hides other names, and shows more or less, by the settings where it runs",
    written((lines) =>
      Effect.gen(function* () {
        const reports = yield* heard(Events.processCrash)
        yield* burn({ ssn: SECRET, password: "shown", list: [1, 2, 3] }, "x").pipe(
          Effect.provideService(Display.CurrentRedactedNames, ["ssn"]),
          Effect.provideService(Display.CurrentLimits, { depth: 3, width: 3, nodes: 8, length: 10, size: 100 })
        )
        assert.deepStrictEqual(reports[0]!.report.state, { ssn: "<redacted>", password: "shown", list: [1, 2, 3] })
        assert.strictEqual(lines.length, 3)
      })
    ),
    3
  )

  kernelTest(
    "shows the reason as formatStatus gives it, wherever it is shown",
    written((lines) =>
      Effect.gen(function* () {
        const reports = yield* heard(Events.processCrash)
        const exits = yield* heard(Events.processExit)
        const hide = ({ reason }: GenServer.Status<unknown>): GenServer.Shown => ({
          state: "hidden",
          message: "hidden",
          reason: reason && ExitReason.defect("hidden")
        })
        yield* burn({ pin: 1 }, new Error(`cannot burn ${SECRET}`), hide)
        assert.notInclude(lines.join(), SECRET)
        assert.include(lines.join(), "hidden")
        assert.deepStrictEqual(reports[0]!.report.cause, Cause.die("hidden"))
        const exit = exits.find(({ reason }) => reason._tag === "Crash")!
        assert.notInclude(ExitReason.format(exit.reason), SECRET)
      })
    ),
    3
  )

  kernelTest(
    "asks formatStatus once, before the first event about the end, with the real reason",
    written((lines) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const calls: Array<string> = []
        yield* Telemetry.attachScoped("look", Events.processExit, (_, { reason }) => {
          if (reason._tag === "Crash") seen.push(Cause.pretty(reason.cause).split("\n")[0]!)
        })
        const hide = ({ reason, state }: GenServer.Status<unknown>): GenServer.Shown => {
          if (reason === undefined) return { state, message: undefined }
          const text = ExitReason.format(reason)
          calls.push(text.split("\n")[0]!)
          return { state, message: undefined, reason: ExitReason.defect(text.split("\n")[0]!.replace(SECRET, "***")) }
        }
        yield* burn(1, new Error(`cannot burn ${SECRET}`), hide)
        assert.deepStrictEqual(calls, [`Crash: Error: cannot burn ${SECRET}`])
        assert.deepStrictEqual(seen, ["Error: Crash: Error: cannot burn ***"])
        assert.strictEqual(lines.length, 3)
        for (const line of lines) assert.include(line, "cannot burn ***")
      })
    ),
    3
  )

  kernelTest(
    "shows the reason as formatStatus gives it in the reports of callers, too, at any time",
    written((lines) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        yield* Telemetry.attachScoped("look", Events.processCrash, (_, { report }) => {
          seen.push(`${report.displayName}: ${inspect(report.cause, { depth: 20, showHidden: true })}`)
        })
        const hide = ({ state }: GenServer.Status<unknown>): GenServer.Shown => {
          return { state, message: undefined, reason: ExitReason.defect("hidden") }
        }
        const letGo = yield* Deferred.make<void>()
        const vault = yield* definitionOf(hide, () => Deferred.await(letGo)).start(1)
        yield* Process.spawn(Effect.orDie(vault.open({ error: new Error(`cannot burn ${SECRET}`) })), {
          label: "caller"
        })
        yield* settle
        // The server has yet to run its `terminate`.
        assert.lengthOf(seen, 1)
        yield* Deferred.succeed(letGo, undefined)
        yield* settle
        assert.deepStrictEqual(
          seen.map((text) => text.split(":")[0]),
          ["caller", "test/Vault"]
        )
        assert.notInclude(seen.join() + lines.join(), SECRET)
      })
    ),
    3
  )

  kernelTest(
    "gives formatStatus the reason, and Sys.getStatus none",
    Effect.gen(function* () {
      formatted.length = 0
      yield* heard(Events.processCrash)
      const keep = (status: GenServer.Status<unknown>): GenServer.Shown => {
        formatted.push(status)
        return { state: status.state, message: status.message }
      }
      const vault = yield* definitionOf(keep).start(1)
      yield* Sys.getStatus(vault)
      yield* vault.burn({ error: "x", password: 2 })
      yield* settle
      assert.deepStrictEqual(formatted, [
        { state: 1, message: undefined, reason: undefined },
        {
          state: 1,
          message: { _tag: "burn", payload: { error: "x", password: 2 } },
          reason: ExitReason.defect("x")
        }
      ])
    }),
    3
  )

  const unseen: ReadonlyArray<readonly [string, Layer.Layer<never>]> = [
    ["has no logger", Logger.layer([])],
    ["has a level above it", Layer.succeed(References.MinimumLogLevel, "Fatal")]
  ]
  for (const [why, layer] of unseen) {
    it.effect(`is not rendered where the log ${why} and nobody listens`, () => {
      formatted.length = 0
      const keep = (status: GenServer.Status<unknown>): GenServer.Shown => {
        formatted.push(status)
        return status
      }
      const program = Effect.andThen(
        burn(1, "x", keep),
        Effect.sync(() => assert.deepStrictEqual(formatted, []))
      )
      return Effect.provide(program, Layer.mergeAll(Kernel.layer, Layer.fresh(Telemetry.layer), layer))
    })
  }

  it.effect("is not rendered where the limit leaves it out", () => {
    formatted.length = 0
    const keep = (status: GenServer.Status<unknown>): GenServer.Shown => {
      formatted.push(status)
      return status
    }
    const program = written((lines) =>
      Effect.gen(function* () {
        for (let i = 0; i < 30; i++) yield* burn(1, "x", keep)
        assert.deepStrictEqual([formatted.length, lines.length], [10, 30])
      })
    )
    return Effect.provide(program, Layer.merge(Kernel.layer, Layer.fresh(Telemetry.layer)))
  })

  it.effect("goes to the console where a logger throws", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const real = console.error
      console.error = (line: unknown) => void lines.push(line)
      const broken = Logger.layer([
        Logger.make(() => {
          throw new Error("disk full")
        })
      ])
      yield* burn(1, new Error("boom")).pipe(
        Effect.provide(Layer.merge(Kernel.layer, broken)),
        Effect.ensuring(Effect.sync(() => void (console.error = real)))
      )
      assert.strictEqual(lines.length, 1)
      assert.match(String(lines[0]), /^ERROR test\/Vault crashed: Error: boom\n[^]*\(a logger failed: .*disk full/)
    })
  )

  it.effect("of a state of 100,000 records takes a third of the time that JSON takes for it, at most", () =>
    Effect.gen(function* () {
      const state = Array.from({ length: 100_000 }, (_, id) => ({ id, name: `customer ${id}`, tags: ["a", "b", "c"] }))
      const least: { report: number; json: number } = { report: Infinity, json: Infinity }
      for (let i = 0; i < 10; i++) {
        const vault = yield* definitionOf().start(state)
        const report = yield* spent(Effect.andThen(vault.burn({ error: new Error("boom"), password: SECRET }), settle))
        const json = yield* spent(Effect.sync(() => JSON.stringify(state)))
        least.report = Math.min(least.report, report)
        least.json = Math.min(least.json, json)
      }
      assert.isBelow(least.report, least.json / 3)
    }).pipe((program) =>
      Effect.provide(
        written(() => program),
        Kernel.layer
      )
    )
  )
})

describe("what is shown of a running server", () => {
  kernelTest(
    "has no secrets: in its status, in a trace, in dead letters",
    Effect.gen(function* () {
      const letters = yield* heard(Events.deadLetter)
      const vault = yield* definitionOf().start({ token: SECRET, users: new Map([["joe", { password: SECRET }]]) })
      const { state } = yield* Sys.getStatus(vault)
      assert.deepStrictEqual(state, { token: "<redacted>", users: new Map([["joe", { password: "<redacted>" }]]) })
      const seen = yield* Effect.forkChild(Stream.runCollect(Stream.take(Sys.trace(vault), 1)))
      yield* settle
      yield* vault.burn({ error: "x", password: SECRET })
      yield* settle
      const [received] = yield* Fiber.join(seen)
      assert.deepStrictEqual(received, {
        _tag: "Received",
        index: 0,
        from: undefined,
        message: { _tag: "Cast", tag: "burn", payload: { error: "x", password: "<redacted>" } }
      })
      yield* vault.burn({ error: "y", password: SECRET })
      assert.deepStrictEqual(
        letters.map(({ content, displayName }) => [content, displayName]),
        [[{ _tag: "burn", payload: { error: "y", password: "<redacted>" } }, "test/Vault"]]
      )
    }),
    5
  )
})

describe("what travels of a crash", () => {
  kernelTest(
    "is encoded as a crash without message and stack, however the error is encoded",
    Effect.gen(function* () {
      const vault = yield* definitionOf().start(1)
      const boom = new Error(`cannot burn ${SECRET}`)
      const error = yield* Effect.flip(vault.open({ error: boom }))
      assert.instanceOf(error, GenServer.CallError)
      const encoded = [
        JSON.stringify(error),
        error.message,
        JSON.stringify(Schema.encodeSync(Schema.Defect({ includeStack: true }))(error)),
        JSON.stringify(error.reason),
        JSON.stringify(ExitReason.defect(boom)),
        JSON.stringify(ExitReason.shutdown({ reason: ExitReason.defect(boom) }))
      ]
      for (const text of encoded) assert.notInclude(text, SECRET)
      assert.strictEqual(error.message, "test/Vault.open: the server ended: Crash (the call may have begun)")
      // Code in the same program gets the whole reason.
      const { reason } = error
      if (reason._tag !== "ServerDown" || reason.reason._tag !== "Crash") return assert.fail("no crash")
      assert.strictEqual(Cause.squash(reason.reason.cause), boom)
    }),
    3
  )
})
