import { assert, describe } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Duration, Effect, Fiber, Layer, Option, Ref, Schedule, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, type RestartPolicy, Supervisor } from "effect-otp"
import { ExitReason, Kernel, Process } from "effect-otp/kernel"
import { CurrentTreeEndListener, type TreeEnd } from "../../src/kernel/shared/treeEnd.ts"
import { kid, type KidsOptions, runKids, type Script, supervisorOf } from "../fixtures/dynamic.ts"
import { boom, crash, end, type Journal, pass, quiet, run, StartError, treeTest } from "../fixtures/supervision.ts"

/** Fails the starts with these numbers. */
const failing =
  (...incarnations: ReadonlyArray<number>): NonNullable<Script["init"]> =>
  (key, incarnation) =>
    incarnations.includes(incarnation) ? Effect.fail(new StartError({ child: key })) : Effect.void

/** A start that succeeds only once. */
const onlyOnce: NonNullable<Script["init"]> = (key, incarnation) =>
  incarnation === 1 ? Effect.void : Effect.fail(new StartError({ child: key }))

const startOf = (journal: Journal, options: KidsOptions, ...keys: ReadonlyArray<string>) =>
  Effect.tap(runKids(journal, options), ({ start }) => Effect.forEach(keys, start, { discard: true }))

const theSupervisor = Effect.flatMap(Kernel.processes, ([first]) => Effect.fromNullishOr(first)).pipe(Effect.orDie)

describe("a restart", () => {
  treeTest("keeps the key and the client; the process is another", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal)
      const client = yield* start("a")
      yield* start("b")
      const before = journal.pid("a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "+b1", "-a1", "+a2")
      assert.strictEqual(yield* client.incarnation(), 2)
      assert.notStrictEqual(journal.pid("a"), before)
      assert.deepStrictEqual(yield* GenServer.pid(client), Option.some(journal.pid("a")))
      const found = yield* Effect.flatMap(kids.get("a"), Effect.fromOption)
      assert.strictEqual(yield* found.incarnation(), 2)
      assert.deepStrictEqual(
        (yield* kids.whichChildren).map(({ key, restarts, state }) => [key, state, restarts]),
        [
          ["a", "running", 1],
          ["b", "running", 0]
        ]
      )
    })
  )

  treeTest("while a child is down its client fails at once, or waits if asked to", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = (_: string, n: number) => (n === 1 ? Effect.void : Deferred.await(gate))
      const { start } = yield* runKids(journal, { script: { init } })
      const client = yield* start("a")
      yield* crash(journal, "a")
      yield* quiet
      const { reason, started } = yield* Effect.flip(client.incarnation())
      assert.deepStrictEqual([reason._tag, started], ["NoProcess", "no"])
      const waiting = yield* Effect.forkChild(client.incarnation(undefined, { whenDown: "wait" }))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(waiting), 2)
    })
  )

  const ends = {
    normal: ExitReason.normal,
    shutdown: ExitReason.shutdown(),
    "shutdown with a detail": ExitReason.shutdown("detail"),
    killed: ExitReason.killed,
    crash: boom
  }
  for (const [name, reason] of Object.entries(ends)) {
    treeTest(`#148-#150, #202 by restart type, after ${name}`, ({ journal }) =>
      Effect.gen(function* () {
        const again = { permanent: true, transient: !ExitReason.isExpected(reason), temporary: false }
        for (const restart of ["permanent", "transient", "temporary"] as const) {
          const { close, kids, start } = yield* runKids(journal, { restart })
          yield* start(restart)
          const pid = journal.pid(restart)
          yield* end(journal, restart, reason)
          const back = again[restart] ? [`+${restart}2`] : []
          yield* journal.expect(`+${restart}1`, `-${restart}1`, ...back)
          assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
          // #144 what is not restarted is not remembered: its key is free.
          assert.lengthOf(yield* kids.whichChildren, back.length)
          assert.strictEqual(Option.isSome(yield* kids.get(restart)), again[restart])
          if (!again[restart]) {
            yield* start(restart)
            yield* journal.expect(`+${restart}2`)
          }
          yield* close
          yield* journal.expect(`-${restart}2`)
        }
      })
    )
  }

  treeTest("a client of a temporary child that has ended fails at once, even if it would wait", ({ journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runKids(journal, { restart: "temporary" })
      const client = yield* start("a")
      yield* crash(journal, "a")
      yield* quiet
      for (const whenDown of ["fail", "wait"] as const) {
        const error = yield* Effect.flip(client.incarnation(undefined, { whenDown }))
        assert.strictEqual(error.reason._tag, "NoProcess")
      }
    })
  )

  treeTest("#160 intensity 2: two crashes restart that child alone, the third ends the supervisor", ({ journal }) =>
    Effect.gen(function* () {
      const options = { intensity: { max: 2, within: "5 seconds" }, restart: "permanent" } as const
      const { kids } = yield* startOf(journal, options, "a", "b")
      const sibling = journal.pid("b")
      yield* journal.expect("+a1", "+b1")
      yield* crash(journal, "a")
      yield* journal.expect("-a1", "+a2")
      assert.strictEqual(journal.pid("b"), sibling)
      yield* crash(journal, "a")
      yield* journal.expect("-a2", "+a3")
      const supervisor = yield* theSupervisor
      yield* crash(journal, "a")
      yield* journal.expectAll("-a3", "-b1")
      const reason = yield* Process.awaitExit(supervisor)
      assert.strictEqual(reason._tag, "Shutdown")
      assert.deepStrictEqual(yield* kids.whichChildren, [])
    })
  )

  treeTest("one counter serves all children", ({ journal }) =>
    Effect.gen(function* () {
      yield* startOf(journal, { intensity: { max: 1, within: "5 seconds" } }, "a", "b")
      const supervisor = yield* theSupervisor
      yield* crash(journal, "a")
      yield* crash(journal, "b")
      assert.strictEqual((yield* Process.awaitExit(supervisor))._tag, "Shutdown")
    })
  )

  treeTest("#164 crashes further apart than the window never make it give up", ({ journal }) =>
    Effect.gen(function* () {
      const { kids } = yield* startOf(journal, { intensity: { max: 1, within: "1 second" } }, "a")
      for (const _ of Array.from({ length: 4 })) {
        yield* crash(journal, "a")
        yield* pass("1001 millis")
      }
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
    })
  )
})

describe("a restart that fails", () => {
  treeTest("#197 counts, and is tried again: two retries are three starts", ({ journal, lines }) =>
    Effect.gen(function* () {
      const options = { intensity: { max: 2, within: "5 seconds" }, script: { init: failing(2) } } as const
      const { kids } = yield* startOf(journal, options, "a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "!a2", "-a2", "+a3")
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
      // The failure is in the log, because nobody asked for this start.
      assert.deepStrictEqual(
        lines.filter(({ level }) => level === "Warn").map(({ message }) => message),
        ["test/Kids: child test/Kid(a) did not start: StartError (restart)"]
      )
    })
  )

  treeTest("#198 a child that never starts again ends the supervisor, with nothing more from outside", ({ journal }) =>
    Effect.gen(function* () {
      for (const max of [0, 1, 10]) {
        yield* startOf(journal, { intensity: { max, within: "5 seconds" }, script: { init: onlyOnce } }, `a${max}_`)
        const supervisor = yield* theSupervisor
        yield* crash(journal, `a${max}_`)
        const reason = yield* Process.awaitExit(supervisor)
        assert.strictEqual(reason._tag, "Shutdown")
        // The crash is one failure, and so is each start that failed.
        const starts = journal.entries.filter((entry) => entry.startsWith("!")).length
        assert.strictEqual(starts, max)
        journal.entries.splice(0)
      }
    })
  )

  treeTest("#196, #169 while some restart again and again the others run, and each is counted", ({ journal }) =>
    Effect.gen(function* () {
      const works = yield* Ref.make(false)
      const init = (key: string, n: number) =>
        n === 1 || key === "c"
          ? Effect.void
          : Effect.flatMap(Ref.get(works), (works) =>
              works ? Effect.void : Effect.fail(new StartError({ child: key }))
            )
      const schedule = Schedule.spaced("1 second")
      const { kids, start } = yield* startOf(journal, { schedule, script: { init } }, "a", "b", "c")
      yield* crash(journal, "a")
      yield* crash(journal, "b")
      yield* crash(journal, "c")
      for (const _ of Array.from({ length: 5 })) {
        yield* pass("1 second")
        assert.deepStrictEqual(yield* kids.countChildren, { children: 3, active: 1, restarting: 2 })
        assert.deepStrictEqual(
          (yield* kids.whichChildren).map(({ key, pid, state }) => [key, state, pid !== undefined]),
          [
            ["a", "restarting", false],
            ["b", "restarting", false],
            ["c", "running", true]
          ]
        )
        const refused = new DynamicSupervisor.AlreadyStarted({ processName: "test/Kid(a)", pid: undefined })
        assert.deepStrictEqual(yield* Effect.flip(start("a")), refused)
      }
      // #169 as soon as starts succeed again, both are back without any call.
      yield* Ref.set(works, true)
      yield* pass("1 second")
      assert.deepStrictEqual(yield* kids.countChildren, { children: 3, active: 3, restarting: 0 })
      for (const [key, left] of [
        ["a", 2],
        ["b", 1],
        ["c", 0]
      ] as const) {
        yield* kids.terminateChild(key)
        assert.deepStrictEqual(yield* kids.countChildren, { children: left, active: left, restarting: 0 })
      }
    })
  )

  treeTest(
    "#165, #168, #204 terminateChild ends it, wherever it stands; a second time there is no such child",
    ({ journal }) =>
      Effect.gen(function* () {
        const init = (key: string, n: number) => {
          if (n === 1) return Effect.void
          return key === "hangs" ? Effect.never : Effect.fail(new StartError({ child: key }))
        }
        const schedule = Schedule.spaced("1 second")
        const { kids } = yield* startOf(journal, { schedule, script: { init } }, "delayed", "hangs")
        yield* crash(journal, "delayed")
        yield* crash(journal, "hangs")
        yield* pass("1 second")
        // One waits for its next start, one is in its init.
        assert.deepStrictEqual(yield* kids.countChildren, { children: 2, active: 0, restarting: 2 })
        for (const key of ["delayed", "hangs"]) {
          yield* kids.terminateChild(key)
          assert.strictEqual((yield* Effect.flip(kids.terminateChild(key)))._tag, "ChildNotFound")
        }
        assert.deepStrictEqual(yield* kids.whichChildren, [])
        const before = journal.entries.length
        yield* pass("10 seconds")
        assert.lengthOf(journal.entries, before)
        assert.include(journal.entries, "!hangs2")
      })
  )

  treeTest(
    "whenever it is terminated during a crash and restart, nothing is left",
    ({ journal }) =>
      Effect.gen(function* () {
        const { kids } = yield* startOf(journal, { intensity: { max: 9, within: "1 second" } }, "a")
        yield* crash(journal, "a")
        const asking = yield* Effect.forkChild(kids.terminateChild("a"))
        yield* Fiber.join(asking)
        assert.deepStrictEqual(yield* kids.whichChildren, [])
        yield* quiet
        // Each start that began was released once.
        const released = journal.entries.filter((entry) => entry.startsWith("-")).map((entry) => entry.slice(1))
        const begun = new Set(journal.entries.map((entry) => entry.slice(1)))
        assert.deepStrictEqual(released.toSorted(), [...begun].toSorted())
      }),
    200
  )

  treeTest("a defect in it is a crash: it is reported with the decision", ({ journal, crashes }) =>
    Effect.gen(function* () {
      const init = (_: string, n: number) => (n === 2 ? Effect.die("in init") : Effect.void)
      yield* startOf(journal, { script: { init } }, "a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "!a2", "-a2", "+a3")
      assert.deepStrictEqual(
        crashes.map(({ cause, decision }) => [Cause.squash(cause), decision]),
        [
          [Cause.squash((boom as ExitReason.Crash).cause), "restart"],
          ["in init", "restart"]
        ]
      )
    })
  )
})

describe("a schedule", () => {
  treeTest("gets the time of the Clock, in milliseconds since 1970", ({ journal }) =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const step = (now: number) =>
        Effect.sync((): [number, Duration.Duration] => {
          seen.push(now)
          return [now, Duration.zero]
        })
      const clock = yield* Clock.Clock
      const in2026 = Object.create(clock, {
        currentTimeMillisUnsafe: { value: () => Date.UTC(2026, 0, 1) + clock.currentTimeMillisUnsafe() }
      }) as Clock.Clock
      const schedule = Schedule.fromStep(Effect.succeed(step))
      yield* Effect.provideService(startOf(journal, { schedule }, "a"), Clock.Clock, in2026)
      yield* pass("1 second")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      assert.deepStrictEqual(seen, [Date.UTC(2026, 0, 1) + 1000])
    })
  )

  treeTest("delays each restart of a child by itself", ({ journal }) =>
    Effect.gen(function* () {
      const { kids } = yield* startOf(journal, { schedule: Schedule.exponential("1 second") }, "a", "b")
      yield* journal.expect("+a1", "+b1")
      yield* crash(journal, "a")
      yield* pass("999 millis")
      yield* journal.expect("-a1")
      yield* pass("1 millis")
      yield* journal.expect("+a2")
      yield* crash(journal, "a")
      yield* crash(journal, "b")
      // The second delay of one, the first of the other.
      yield* pass("1 second")
      yield* journal.expectAll("-a2", "-b1", "+b2")
      yield* pass("1 second")
      yield* journal.expect("+a3")
      assert.strictEqual((yield* kids.countChildren).active, 2)
    })
  )

  treeTest("sees the key, the typed reason, how many runs came before, and how long the last was up", ({ journal }) =>
    Effect.gen(function* () {
      const seen: Array<RestartPolicy.ChildExit<StartError>> = []
      const schedule: KidsOptions["schedule"] = ($) =>
        $(Schedule.spaced("1 second")).pipe(
          Schedule.while(({ input }) => {
            seen.push(input)
            return true
          })
        )
      yield* startOf(journal, { schedule, script: { init: failing(2) } }, "a")
      yield* pass("3 seconds")
      yield* crash(journal, "a")
      yield* pass("1 second")
      yield* pass("1 second")
      yield* pass("2 seconds")
      yield* end(journal, "a", ExitReason.normal)
      yield* quiet
      assert.deepStrictEqual(seen, [
        { id: "a", reason: boom, incarnation: 0, uptime: Duration.seconds(3) },
        {
          id: "a",
          reason: new Supervisor.StartFailed<StartError>({ id: "a", error: new StartError({ child: "a" }) }),
          incarnation: 1,
          uptime: Duration.zero
        },
        { id: "a", reason: ExitReason.normal, incarnation: 2, uptime: Duration.seconds(2) }
      ])
    })
  )

  treeTest("that has ended makes the supervisor give up, and is named", ({ journal, lines, events }) =>
    Effect.gen(function* () {
      const schedule = Schedule.recurs(2)
      yield* startOf(journal, { schedule, script: { init: onlyOnce } }, "a", "b")
      const supervisor = yield* theSupervisor
      yield* crash(journal, "a")
      const reason = yield* Process.awaitExit(supervisor)
      const limit = reason._tag === "Shutdown" ? reason.detail : undefined
      assert.include(limit, {
        _tag: "RestartLimit",
        supervisor: "test/Kids",
        child: "a",
        attempts: 3,
        policy: "schedule"
      })
      yield* quiet
      assert.deepStrictEqual(
        events.filter(({ name }) => name === "limit"),
        [
          {
            name: "limit",
            measurements: { attempts: 3 },
            metadata: { supervisor: "test/Kids", child: "a", policy: "schedule" }
          }
        ]
      )
      const fatal = lines.filter(({ level }) => level === "Fatal").map(({ message }) => message)
      assert.lengthOf(fatal, 1)
      assert.include(fatal[0], "test/Kids gave up on a after 3 failures (schedule): start failed: StartError")
    })
  )

  treeTest("without an intensity no failures are counted", ({ journal }) =>
    Effect.gen(function* () {
      const { kids } = yield* startOf(journal, { schedule: Schedule.forever }, "a")
      for (const _ of Array.from({ length: 20 })) {
        yield* crash(journal, "a")
        yield* quiet
      }
      assert.deepStrictEqual(
        (yield* kids.whichChildren).map(({ restarts }) => restarts),
        [20]
      )
    })
  )

  treeTest("with an intensity both hold: the one that is exceeded first is named", ({ journal, events }) =>
    Effect.gen(function* () {
      const options = { schedule: Schedule.forever, intensity: { max: 1, within: "1 minute" } } as const
      yield* startOf(journal, options, "a")
      const supervisor = yield* theSupervisor
      yield* crash(journal, "a")
      yield* quiet
      yield* crash(journal, "a")
      assert.strictEqual((yield* Process.awaitExit(supervisor))._tag, "Shutdown")
      yield* quiet
      assert.deepStrictEqual(
        events.filter(({ name }) => name === "limit"),
        [
          {
            name: "limit",
            measurements: { attempts: 2 },
            metadata: { supervisor: "test/Kids", child: "a", policy: "intensity" }
          }
        ]
      )
    })
  )

  treeTest("begins anew after `resetAfter` of uptime, for that child", ({ journal }) =>
    Effect.gen(function* () {
      const options = { schedule: Schedule.exponential("1 second"), resetAfter: "1 minute" } as const
      yield* startOf(journal, options, "a")
      yield* journal.expect("+a1")
      yield* crash(journal, "a")
      yield* pass("1 second")
      yield* journal.expect("-a1", "+a2")
      yield* pass("1 minute")
      yield* crash(journal, "a")
      yield* pass("1 second")
      yield* journal.expect("-a2", "+a3")
      yield* pass("59 seconds")
      yield* crash(journal, "a")
      yield* pass("1 second")
      yield* journal.expect("-a3")
      yield* pass("1 second")
      yield* journal.expect("+a4")
    })
  )

  treeTest("does not let a stop wait for a delay", ({ journal }) =>
    Effect.gen(function* () {
      const { close, start } = yield* runKids(journal, { schedule: Schedule.spaced("1 hour") })
      yield* start("a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1")
      yield* close
      yield* journal.expect()
    })
  )

  treeTest("may need a service, which the supervisor then needs", ({ journal }) =>
    Effect.gen(function* () {
      class Patience extends Context.Service<Patience, number>()("test/Patience") {}
      const schedule = Schedule.forever.pipe(
        Schedule.addDelay(() => Effect.map(Patience, (seconds) => Duration.seconds(seconds)))
      )
      class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", { child: kid(journal), schedule }) {}
      const { context } = yield* run(Layer.provide(Kids.layer, Layer.succeed(Patience, 7)))
      yield* Context.get(context, Kids).startChild("a", "a")
      yield* crash(journal, "a")
      yield* pass("6999 millis")
      yield* journal.expect("+a1", "-a1")
      yield* pass("1 millis")
      yield* journal.expect("+a2")
    })
  )
})

describe("a run that does not let go", () => {
  /** Its release takes this long, however it ends. */
  const slow =
    (seconds: number): NonNullable<Script["init"]> =>
    (_, n) =>
      n === 1 ? Effect.addFinalizer(() => Effect.sleep(Duration.seconds(seconds))) : Effect.void

  treeTest("the next one starts only when it has ended", ({ journal }) =>
    Effect.gen(function* () {
      yield* startOf(journal, { shutdown: "5 seconds", script: { init: slow(3) } }, "a")
      yield* journal.expect("+a1")
      yield* Process.kill(journal.pid("a"))
      yield* pass("2999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("-a1", "+a2")
    })
  )

  treeTest("past its limit it is a zombie and counts as a failed start, until it has ended", ({ journal, events }) =>
    Effect.gen(function* () {
      const reasons: Array<unknown> = []
      const schedule: KidsOptions["schedule"] = ($) =>
        $(Schedule.recurs(9)).pipe(
          Schedule.while(({ input }) => {
            reasons.push([
              input.reason._tag === "Crash" ? Cause.squash(input.reason.cause) : input.reason._tag,
              input.uptime
            ])
            return true
          })
        )
      const { kids } = yield* startOf(journal, { shutdown: "1 second", schedule, script: { init: slow(3) } }, "a")
      yield* journal.expect("+a1")
      yield* pass("10 seconds")
      yield* Process.kill(journal.pid("a"))
      yield* pass("1 second")
      yield* pass("1 second")
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 0, restarting: 1 })
      yield* pass("1 second")
      yield* journal.expect("-a1", "+a2")
      const timeout = (value: unknown) => (value instanceof Error ? value.name : value)
      // It was up for ten seconds, and then not at all. The schedule does not begin anew for that.
      assert.deepStrictEqual(
        reasons.map((entry) => (Array.isArray(entry) ? [timeout(entry[0]), entry[1]] : entry)),
        [
          ["Killed", Duration.seconds(10)],
          ["ReleaseTimeout", Duration.zero],
          ["ReleaseTimeout", Duration.zero]
        ]
      )
      assert.lengthOf(
        events.filter(({ name }) => name === "child.zombie"),
        2
      )
    })
  )

  treeTest("the delay after each wait passes to its end, though the run has ended meanwhile", ({ events, journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init: Script["init"] = (_, n) => (n === 1 ? Effect.addFinalizer(() => Deferred.await(gate)) : Effect.void)
      const zombies = () => events.filter(({ name }) => name === "child.zombie").length
      const options = { shutdown: "1 second", schedule: Schedule.spaced("10 seconds"), script: { init } } as const
      yield* startOf(journal, options, "a")
      yield* Process.kill(journal.pid("a"))
      yield* pass("1 second")
      assert.strictEqual(zombies(), 1)
      // Ten seconds of delay, then one of waiting.
      yield* pass("10999 millis")
      assert.strictEqual(zombies(), 1)
      yield* pass("1 millis")
      assert.strictEqual(zombies(), 2)
      yield* pass("3 seconds")
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a1", "-a1")
      yield* pass("6999 millis")
      yield* journal.expect()
      yield* pass("1 millis")
      yield* journal.expect("+a2")
    })
  )

  treeTest(
    "a child that is never released makes the supervisor give up: the intensity is not begun anew each time",
    ({ journal }) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const init = () => Effect.addFinalizer(() => Deferred.await(gate))
        const options = {
          shutdown: "1 second",
          schedule: Schedule.recurs(3),
          resetAfter: "2 seconds",
          script: { init }
        }
        yield* startOf(journal, options as KidsOptions, "a")
        const supervisor = yield* theSupervisor
        yield* pass("10 seconds")
        yield* Process.kill(journal.pid("a"))
        for (const _ of Array.from({ length: 8 })) yield* pass("1 second")
        const reason = yield* Process.awaitExit(supervisor)
        assert.include(reason._tag === "Shutdown" ? reason.detail : undefined, { policy: "schedule", attempts: 4 })
        yield* Deferred.succeed(gate, undefined)
        yield* quiet
      })
  )

  treeTest("a child that is ending by itself has its limit, too", ({ journal }) =>
    Effect.gen(function* () {
      const terminate: NonNullable<Script["terminate"]> = (_, reason) =>
        reason._tag === "Shutdown" && reason.detail === "by itself" ? Effect.never : Effect.void
      yield* startOf(journal, { shutdown: "1 second", script: { terminate } }, "a")
      const pid = journal.pid("a")
      yield* end(journal, "a", ExitReason.shutdown("by itself"))
      yield* pass("999 millis")
      yield* journal.expect("+a1")
      yield* pass("1 millis")
      yield* journal.expect("-a1", "+a2")
      // It was killed, but has its own reason.
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.shutdown("by itself"))
    })
  )

  treeTest("a child that began to end before its supervisor looked has its limit, too", ({ journal }) =>
    Effect.gen(function* () {
      class Hasty extends GenServer.Service<Hasty>()("test/Hasty", [Rpc.make("get", { success: Schema.Finite })]) {
        static readonly definition = this.define({
          init: (key: string) =>
            Effect.map(
              journal.starting(key, () => Effect.void),
              (n) => (n === 1 ? GenServer.initial(n, { continue: "end" as const }) : n)
            ),
          handlers: { get: (_, n) => GenServer.reply(n, n) },
          continue: (_: "end", n) => GenServer.stop(ExitReason.normal, n),
          terminate: (_, n) => (n === 1 ? Effect.never : Effect.void)
        })
      }
      class All extends DynamicSupervisor.Service<All>()("test/All", {
        child: Hasty.definition,
        shutdown: "1 second"
      }) {}
      const { context } = yield* run(All.layer)
      yield* Context.get(context, All).startChild("a", "a")
      yield* pass("1 second")
      yield* journal.expect("+a1", "-a1", "+a2")
    })
  )
})

describe("what is made known", () => {
  treeTest("a crash is reported once, with the decision", ({ journal, crashes }) =>
    Effect.gen(function* () {
      const policies: ReadonlyArray<readonly [KidsOptions, string]> = [
        [{}, "restart"],
        [{ schedule: Schedule.spaced("2 seconds") }, "restart in 2000 ms"],
        [{ restart: "temporary" }, "no restart"],
        [{ intensity: { max: 0, within: "1 second" } }, "give up"]
      ]
      for (const [index, [options]] of policies.entries()) {
        yield* startOf(journal, options, `k${index}_`)
        yield* crash(journal, `k${index}_`)
        yield* quiet
      }
      assert.deepStrictEqual(
        crashes.map(({ decision }) => decision),
        policies.map(([, decision]) => decision)
      )
      assert.deepStrictEqual(
        crashes.map(({ ancestors, label }) => [label, ancestors]),
        policies.map(() => ["test/Kid", ["test/Kids"]])
      )
    })
  )

  treeTest("a crash just before the stop is not lost", ({ journal, crashes }) =>
    Effect.gen(function* () {
      const { close, start } = yield* runKids(journal)
      yield* start("a")
      yield* crash(journal, "a")
      yield* close
      yield* quiet
      // It crashed before it was told to end, or afterwards.
      const decisions = crashes.map(({ decision }) => decision)
      assert.isTrue(
        decisions.length <= 1 && decisions.every((decision) => decision === "stop" || decision === "restart")
      )
      if (journal.entries.includes("+a2")) assert.deepStrictEqual(decisions, ["restart"])
    })
  )

  treeTest("a crash in the first turn has the decision, too", ({ crashes }) =>
    Effect.gen(function* () {
      class Hasty extends GenServer.Service<Hasty>()("test/Hasty", [Rpc.make("get", { success: Schema.Finite })]) {
        static readonly definition = this.define({
          init: (_key: string) => Effect.succeed(GenServer.initial(0, { continue: "crash" as const })),
          handlers: { get: (_, n) => GenServer.reply(n, n) },
          continue: (what: "crash") => Effect.die(what)
        })
      }
      class All extends DynamicSupervisor.Service<All>()("test/All", { child: Hasty.definition }) {}
      const { context } = yield* run(All.layer)
      yield* Effect.exit(Context.get(context, All).startChild("a", "a"))
      yield* quiet
      assert.deepStrictEqual(
        crashes.map(({ decision }) => decision),
        ["restart", "restart", "restart", "give up"]
      )
    })
  )

  treeTest("telemetry tells of starts, ends, restarts and failed starts", ({ journal, events }) =>
    Effect.gen(function* () {
      const options = { schedule: Schedule.spaced("1 second"), script: { init: failing(2) } } as const
      yield* startOf(journal, options, "a")
      const pid = journal.pid("a")
      yield* pass("3 seconds")
      yield* crash(journal, "a")
      yield* pass("1 second")
      yield* pass("1 second")
      const about = (incarnation: number) => ({ supervisor: "test/Kids", child: "a", incarnation })
      const told = events.map(({ measurements, metadata, name }) => {
        const { pid: _, ...rest } = metadata as { readonly pid: unknown }
        return { name, measurements, metadata: rest }
      })
      assert.deepStrictEqual(told, [
        { name: "child.start", measurements: { durationMillis: 0 }, metadata: about(1) },
        { name: "child.exit", measurements: { uptimeMillis: 3000 }, metadata: { ...about(1), reason: boom } },
        { name: "child.restart", measurements: { delayMillis: 1000 }, metadata: about(1) },
        {
          name: "child.exit",
          measurements: { uptimeMillis: 0 },
          metadata: {
            ...about(2),
            reason: new Supervisor.StartFailed({ id: "a", error: new StartError({ child: "a" }) })
          }
        },
        { name: "child.restart", measurements: { delayMillis: 1000 }, metadata: about(2) },
        { name: "child.start", measurements: { durationMillis: 0 }, metadata: about(3) }
      ])
      assert.strictEqual((events[0]!.metadata as { readonly pid: unknown }).pid, pid)
    })
  )
})

describe("giving up", () => {
  treeTest("a root logs fatal once, and names itself and the child", ({ journal, lines }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal, { intensity: { max: 0, within: "5 seconds" } })
      const client = yield* start("a")
      const other = yield* start("b")
      yield* crash(journal, "a")
      yield* journal.expectAll("+a1", "+b1", "-a1", "-b1")
      const fatal = lines.filter(({ level }) => level === "Fatal")
      assert.lengthOf(fatal, 1)
      assert.include(fatal[0]!.message, "The supervision tree test/Kids ended: Shutdown: test/Kids gave up on a")
      // Both its own handle and those of all its children.
      assert.strictEqual((yield* Effect.flip(start("c")))._tag, "SupervisorDown")
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      for (const one of [client, other]) {
        for (const whenDown of ["fail", "wait"] as const) {
          const error = yield* Effect.flip(one.incarnation(undefined, { whenDown }))
          assert.strictEqual(error.reason._tag, "ServerDown")
          if (error.reason._tag !== "ServerDown") return
          const { reason } = error.reason
          assert.include(reason._tag === "Shutdown" ? reason.detail : undefined, {
            _tag: "RestartLimit",
            child: "a",
            policy: "intensity",
            attempts: 1
          })
        }
      }
    })
  )

  treeTest("a listener is told in place of the log", ({ journal, lines }) =>
    Effect.gen(function* () {
      const ends: Array<TreeEnd> = []
      const Kids = supervisorOf(journal, { intensity: { max: 0, within: "5 seconds" } })
      const watched = Effect.provideService(run(Kids.layer), CurrentTreeEndListener, (end) => {
        ends.push(end)
      })
      const { context } = yield* watched
      yield* Context.get(context, Kids).startChild("a", "a")
      yield* crash(journal, "a")
      yield* quiet
      assert.deepStrictEqual(
        ends.map(({ failed, supervisor }) => [supervisor, failed]),
        [["test/Kids", true]]
      )
      assert.deepStrictEqual(
        lines.filter(({ level }) => level === "Fatal"),
        []
      )
    })
  )

  treeTest("a supervisor that was asked to end logs nothing", ({ journal, lines }) =>
    Effect.gen(function* () {
      const { close, start } = yield* runKids(journal)
      yield* start("a")
      yield* close
      assert.deepStrictEqual(lines, [])
    })
  )

  treeTest("below another supervisor it is restarted, and no end of a tree is logged", ({ journal, lines }) =>
    Effect.gen(function* () {
      const Kids = supervisorOf(journal, { intensity: { max: 1, within: "5 seconds" } })
      class Top extends Supervisor.Service<Top>()("test/Top", {
        strategy: "oneForOne",
        children: [Supervisor.child(Kids.layer, { id: "kids" })]
      }) {}
      const { context } = yield* run(Top.layer)
      const kids = Context.get(context, Kids)
      const old = yield* kids.startChild("a", "a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1", "+a2")
      yield* crash(journal, "a")
      yield* journal.expect("-a2")
      const top = yield* Context.get(context, Top).whichChildren
      assert.deepStrictEqual(
        top.map(({ id, restarts, state }) => [id, state, restarts]),
        [["kids", "running", 1]]
      )
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      // The clients from before know why they are gone.
      const error = yield* Effect.flip(old.incarnation())
      assert.strictEqual(error.reason._tag, "ServerDown")
      yield* kids.startChild("a", "a")
      assert.deepStrictEqual(
        lines.filter(({ level }) => level === "Fatal"),
        []
      )
      assert.lengthOf(
        lines.filter(({ level, message }) => level === "Error" && message.includes("test/Kids gave up on a")),
        1
      )
    })
  )

  treeTest("#166 told to stop in the middle of a restart loop it ends for that reason", ({ journal }) =>
    Effect.gen(function* () {
      const init = (_: string, n: number) => (n === 1 ? Effect.void : Effect.never)
      const { close, start } = yield* runKids(journal, { script: { init } })
      yield* start("a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1")
      const supervisor = yield* theSupervisor
      yield* close
      assert.deepStrictEqual(yield* Process.awaitExit(supervisor), ExitReason.shutdown())
      yield* journal.expect("!a2", "-a2")
    })
  )

  treeTest("if two children fail at once, it gives up once", ({ journal, events, lines }) =>
    Effect.gen(function* () {
      yield* startOf(journal, { intensity: { max: 0, within: "5 seconds" } }, "a", "b")
      yield* crash(journal, "a")
      yield* crash(journal, "b")
      yield* quiet
      assert.lengthOf(
        events.filter(({ name }) => name === "limit"),
        1
      )
      assert.lengthOf(
        lines.filter(({ level }) => level === "Fatal"),
        1
      )
    })
  )
})
