import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Logger, References } from "effect"
import { type Pid, type CrashReport, ExitReason, Kernel, Process } from "effect-otp/kernel"
import { Events } from "effect-otp/supervision"
import { Telemetry } from "effect-otp/telemetry"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { spawnSync } from "node:child_process"
import { inKernel, kernelTest, settle } from "../fixtures/kernel.ts"
import { root } from "../project/sources.ts"

interface Line {
  readonly message: unknown
  readonly cause: Cause.Cause<unknown>
  readonly fields: Readonly<Record<string, unknown>>
}

/** Runs with a log and with a record of every crash event. */
const observed = <A, E, R>(
  program: (seen: {
    readonly lines: Array<Line>
    readonly reports: ReadonlyArray<CrashReport.CrashReport>
  }) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const lines: Array<Line> = []
    const reports: Array<CrashReport.CrashReport> = []
    const logger = Logger.make(({ message, cause, fiber }) => {
      lines.push({
        message: Array.isArray(message) ? message[0] : message,
        cause,
        fields: fiber.getRef(References.CurrentLogAnnotations)
      })
    })
    yield* Telemetry.attachScoped("crashes", Events.processCrash, (_, { report }) => void reports.push(report))
    return yield* Effect.provide(program({ lines, reports }), Logger.layer([logger]))
  })

const crash = (label: string | undefined, error: unknown = "kaboom") =>
  Effect.flatMap(Process.spawn(Effect.die(error), { label }), Process.awaitExit)

describe("a kill", () => {
  kernelTest(
    "the kill of a process that no supervisor has writes nothing",
    observed(({ lines, reports }) =>
      Effect.gen(function* () {
        const pid = yield* Process.spawn(Effect.never)
        yield* Process.kill(pid)
        yield* settle
        assert.deepStrictEqual([lines, reports], [[], []])
      })
    ),
    10
  )
})

describe("a crash", () => {
  kernelTest(
    "writes one report: the process, its ancestors, the cause and how many messages waited",
    observed(({ lines, reports }) =>
      Effect.gen(function* () {
        const error = new Error("kaboom")
        const done = yield* Deferred.make<Pid.Pid<string>>()
        const gate = yield* Deferred.make<void>()
        const top = yield* Process.spawn(
          Effect.gen(function* () {
            const middle = Effect.gen(function* () {
              const pid = yield* Process.spawn(Effect.andThen(Deferred.await(gate), Effect.die(error)), {
                label: "worker"
              })
              yield* Deferred.succeed(done, pid as Pid.Pid<string>)
              return yield* Effect.never
            })
            yield* Process.spawn(middle, { label: "middle" })
            return yield* Effect.never
          })
        )
        const pid = yield* Deferred.await(done)
        yield* Process.send(pid, "1")
        yield* Process.send(pid, "2")
        yield* Deferred.succeed(gate, undefined)
        const reason = yield* Process.awaitExit(pid)
        if (reason._tag !== "Crash") return assert.fail("no crash")
        yield* settle

        assert.strictEqual(lines.length, 1)
        assert.strictEqual(lines[0]!.message, "worker crashed")
        assert.strictEqual(Cause.squash(lines[0]!.cause), error)
        assert.deepStrictEqual(lines[0]!.fields, {
          pid: String(pid),
          mailboxLength: 2,
          ancestors: ["middle", String(top)]
        })
        assert.deepStrictEqual(reports, [
          {
            pid,
            displayName: "worker",
            name: undefined,
            label: "worker",
            ancestors: ["middle", String(top)],
            message: undefined,
            state: undefined,
            cause: reason.cause,
            mailboxLength: 2,
            decision: undefined
          }
        ])
        for (const left of yield* Kernel.processes) yield* Process.kill(left)
      })
    )
  )

  kernelTest(
    "of one process of a chain of 50 linked ones writes one report, of that process",
    observed(({ lines, reports }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const complete = yield* Deferred.make<void>()
        const chain = (left: number): Effect.Effect<void, never, Process.Self> =>
          left === 0
            ? Deferred.succeed(complete, undefined).pipe(
                Effect.andThen(Deferred.await(gate)),
                Effect.andThen(Effect.die("kaboom"))
              )
            : Effect.suspend(() => Process.spawnLink(chain(left - 1), { label: `link ${left - 1}` })).pipe(
                Effect.andThen(Effect.never)
              )
        const first = yield* Process.spawn(chain(49), { label: "link 49" })
        yield* Deferred.await(complete)
        assert.strictEqual((yield* Kernel.counts).processes, 50)
        yield* Deferred.succeed(gate, undefined)
        yield* Process.awaitExit(first)
        yield* settle
        assert.deepStrictEqual(
          lines.map(({ message }) => message),
          ["link 0 crashed"]
        )
        assert.strictEqual(reports.length, 1)
      })
    ),
    10
  )

  kernelTest(
    "is only an unexpected end: no report of Normal, Shutdown, Killed, or a reason that came as a signal",
    observed(({ lines, reports }) =>
      Effect.gen(function* () {
        yield* Effect.flatMap(Process.spawn(Effect.void), Process.awaitExit)
        for (const reason of [ExitReason.shutdown(), ExitReason.killed, ExitReason.defect("from outside")]) {
          const pid = yield* Process.spawn(Effect.never)
          yield* Process.exit(pid, reason)
          assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
        }
        const killed = yield* Process.spawn(Effect.never)
        yield* Process.kill(killed)
        yield* settle
        assert.deepStrictEqual([lines.length, reports.length], [0, 0])
      })
    )
  )

  for (const [title, end] of [
    ["a signal", (pid: Pid.Pid) => Process.exit(pid, ExitReason.shutdown())],
    ["a signal that is a crash itself", (pid: Pid.Pid) => Process.exit(pid, ExitReason.defect("from outside"))],
    ["a kill", Process.kill]
  ] as const) {
    kernelTest(
      `of a finalizer after ${title} is reported`,
      observed(({ reports }) =>
        Effect.gen(function* () {
          const error = new Error("finalizer")
          const begun = yield* Deferred.make<void>()
          const pid = yield* Process.spawn(
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() => Effect.die(error))
              yield* Deferred.succeed(begun, undefined)
              return yield* Effect.never
            })
          )
          yield* Deferred.await(begun)
          yield* end(pid)
          yield* Process.awaitExit(pid)
          yield* settle
          assert.strictEqual(reports.length, 1)
          assert.include(Cause.pretty(reports[0]!.cause), "finalizer")
        })
      )
    )
  }
})

const crashed = (lines: ReadonlyArray<Line>, label: string) =>
  lines.filter(({ message }) => message === `${label} crashed`).length

/** The reports that were left out, as the lines at the end of a second say. */
const leftOut = (lines: ReadonlyArray<Line>) =>
  lines.filter(({ fields }) => "suppressed" in fields).map(({ fields, message }) => [fields["suppressed"], message])

describe("the limit", () => {
  it.effect("10 reports a second for each label are written, and a line at its end says how many were left out", () =>
    inKernel(
      observed(({ lines, reports }) =>
        Effect.gen(function* () {
          for (let i = 0; i < 25; i++) yield* crash("noisy")
          yield* crash("other")
          assert.deepStrictEqual([crashed(lines, "noisy"), crashed(lines, "other"), lines.length], [10, 1, 11])
          yield* SeededScheduler.adjust("1 second")
          assert.deepStrictEqual(leftOut(lines), [[15, "15 reports were left out: noisy 15"]])
          yield* crash("noisy")
          assert.deepStrictEqual([crashed(lines, "noisy"), lines.length, reports.length], [11, 13, 27])
          yield* SeededScheduler.adjust("1 minute")
          assert.strictEqual(lines.length, 13)
        })
      )
    )
  )

  it.effect("processes without a label share one limit, because each has another pid", () =>
    inKernel(
      observed(({ lines, reports }) =>
        Effect.gen(function* () {
          for (let i = 0; i < 25; i++) yield* crash(undefined)
          assert.deepStrictEqual([lines.length, reports.length], [10, 25])
        })
      )
    )
  )

  it.effect("100 reports a second are written for a kernel, however many labels there are", () =>
    inKernel(
      observed(({ lines, reports }) =>
        Effect.gen(function* () {
          let written = 0
          let counted = 0
          for (let second = 0; second < 3; second++) {
            for (let i = 0; i < 2000; i++) yield* crash(`label ${i}`)
            yield* SeededScheduler.adjust("1 second")
            const [[suppressed, message] = []] = leftOut(lines.splice(0)).toReversed()
            written += 100
            counted += suppressed as number
            assert.match(String(message), /^1900 reports were left out: label 100 1, .*label 119 1, others 1880$/)
          }
          assert.deepStrictEqual([written + counted, reports.length], [6000, 6000])
        })
      )
    )
  )

  it.effect("the number of omitted reports is logged when the kernel closes", () =>
    observed(({ lines }) =>
      Effect.gen(function* () {
        const flood = Effect.replicateEffect(crash("noisy"), 12, { discard: true })
        yield* Effect.provide(flood, Kernel.layer)
        assert.deepStrictEqual(leftOut(lines), [[2, "2 reports were left out: noisy 2"]])
        assert.strictEqual(lines.length, 11)
      })
    )
  )
})

describe("a program that ends within the second of its reports", () => {
  it("is not kept alive to log how many were left out: it logs that as it ends", () => {
    const program = `
      import { Effect } from "effect"
      import { Process } from "effect-otp"
      const crash = Effect.flatMap(Process.spawn(Effect.die("no"), { label: "fragile" }), Process.awaitExit)
      await Effect.runPromise(Effect.replicateEffect(crash, 15))
      console.log("timers", process.getActiveResourcesInfo().includes("Timeout"))
    `
    const flags = ["--conditions=source", "--input-type=module", "--eval", program]
    const { stdout } = spawnSync(process.execPath, flags, {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: "" }
    })
    assert.include(stdout, "timers false")
    assert.include(stdout, "5 reports were left out: fragile 5")
  })
})
