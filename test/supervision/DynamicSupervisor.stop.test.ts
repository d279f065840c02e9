import { assert, describe } from "@effect/vitest"
import { Clock, Context, Deferred, Duration, Effect, Fiber } from "effect"
import { Supervisor } from "effect-otp"
import { ExitReason, Kernel, Process, type Pid } from "effect-otp/kernel"
import { type KidsOptions, runKids, type Script, supervisorOf } from "../fixtures/dynamic.ts"
import { beside, boom, crash, end, type Journal, pass, quiet, run, treeTest } from "../fixtures/supervision.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

const startOf = (journal: Journal, options: KidsOptions, ...keys: ReadonlyArray<string>) =>
  Effect.tap(runKids(journal, options), ({ start }) => Effect.forEach(keys, start, { discard: true }))

const theSupervisor = Effect.flatMap(Kernel.processes, ([first]) => Effect.fromNullishOr(first)).pipe(Effect.orDie)

const pidsOf = (journal: Journal, ...keys: ReadonlyArray<string>): ReadonlyArray<Pid.Pid> =>
  keys.map((key) => journal.pid(key))

const reasonsOf = (pids: ReadonlyArray<Pid.Pid>) => Effect.forEach(pids, Process.awaitExit)

const minusAll = (keys: ReadonlyArray<string>) => keys.map((key) => `-${key}1`)
const plusAll = (keys: ReadonlyArray<string>) => keys.map((key) => `+${key}1`)

/** Its orderly end takes as many milliseconds as its key says. */
const slowly: Script = { terminate: (key) => Effect.sleep(Duration.millis(Number(key.split("_")[1] ?? 0))) }

/** It cannot be interrupted while it ends. */
const stubbornly = (key: string, millis: number): Script => ({
  init: (name) => (name === key ? Effect.addFinalizer(() => Effect.sleep(Duration.millis(millis))) : Effect.void)
})

describe("a stop", () => {
  for (const [name, shutdown, reason] of [
    ["brutalKill", "brutalKill", ExitReason.killed],
    ["Infinity", "Infinity", ExitReason.shutdown()],
    ["a limit", "1 second", ExitReason.shutdown()]
  ] as const) {
    treeTest(`#200, #173 of three children with ${name}`, ({ journal, lines }) =>
      Effect.gen(function* () {
        const keys = ["a", "b", "c"]
        const { close } = yield* startOf(journal, { shutdown }, ...keys)
        const pids = pidsOf(journal, ...keys)
        const supervisor = yield* theSupervisor
        yield* close
        assert.deepStrictEqual(yield* reasonsOf(pids), [reason, reason, reason])
        assert.deepStrictEqual(yield* Process.awaitExit(supervisor), ExitReason.shutdown())
        yield* journal.expectAll(...plusAll(keys), ...minusAll(keys))
        assert.deepStrictEqual(lines, [])
      })
    )
  }

  treeTest("#173 ten children are killed at once, and none runs its terminate", ({ journal }) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 10 }, (_, n) => `k${n}_`)
      const terminate = () => Effect.sync(() => journal.write("terminate"))
      const { close } = yield* startOf(journal, { shutdown: "brutalKill", script: { terminate } }, ...keys)
      const pids = pidsOf(journal, ...keys)
      yield* close
      assert.deepStrictEqual(
        yield* reasonsOf(pids),
        keys.map(() => ExitReason.killed)
      )
      yield* journal.expectAll(...plusAll(keys), ...minusAll(keys))
    })
  )

  treeTest("#172, #201 one that is busy past its limit is killed, the others end in good order", ({ journal }) =>
    Effect.gen(function* () {
      const keys = ["a_0", "b_5000", "c_0"]
      const { close } = yield* startOf(journal, { shutdown: "1 second", script: slowly }, ...keys)
      const pids = pidsOf(journal, ...keys)
      const supervisor = yield* theSupervisor
      const closing = yield* beside(close)
      yield* pass("999 millis")
      yield* journal.expectAll(...plusAll(keys), "-a_01", "-c_01")
      yield* pass("1 millis")
      yield* journal.expect("-b_50001")
      yield* closing.join
      assert.deepStrictEqual(yield* reasonsOf(pids), [ExitReason.shutdown(), ExitReason.killed, ExitReason.shutdown()])
      assert.deepStrictEqual(yield* Process.awaitExit(supervisor), ExitReason.shutdown())
    })
  )

  treeTest("#201 a busy handler is interrupted at the limit", ({ journal }) =>
    Effect.gen(function* () {
      const { close, start } = yield* runKids(journal, { shutdown: "1 millis" })
      const client = yield* start("a")
      const pid = journal.pid("a")
      const calling = yield* Effect.forkChild(Effect.flip(client.wait()))
      yield* quiet
      const closing = yield* beside(close)
      yield* pass("1 millis")
      yield* closing.join
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
      const { reason, started } = yield* Fiber.join(calling)
      assert.deepStrictEqual(
        [fieldsOf(reason), started],
        [{ _tag: "ServerDown", reason: ExitReason.killed }, "unknown"]
      )
      yield* journal.expect("+a1", "-a1")
    })
  )

  treeTest("#176 is parallel: children that need 1, 1 and 5 seconds with a limit of 2 take 2 in all", ({ journal }) =>
    Effect.gen(function* () {
      const keys = ["a_1000", "b_1000", "c_5000"]
      const { close } = yield* startOf(journal, { shutdown: "2 seconds", script: slowly }, ...keys)
      const pids = pidsOf(journal, ...keys)
      const begun = yield* Clock.currentTimeMillis
      const closing = yield* beside(Effect.andThen(close, Clock.currentTimeMillis))
      yield* journal.expect(...plusAll(keys))
      yield* pass("1 second")
      yield* journal.expectAll("-a_10001", "-b_10001")
      yield* pass("1 second")
      yield* journal.expect("-c_50001")
      assert.strictEqual((yield* closing.join) - begun, 2000)
      assert.deepStrictEqual(yield* reasonsOf(pids), [ExitReason.shutdown(), ExitReason.shutdown(), ExitReason.killed])
    })
  )

  treeTest(
    "#174 siblings that end by themselves while it waits keep their reasons and are not restarted",
    ({ journal }) =>
      Effect.gen(function* () {
        const reasons = {
          normal: ExitReason.normal,
          shutdown: ExitReason.shutdown("of my own"),
          killed: ExitReason.killed,
          crash: boom
        }
        for (const restart of ["permanent", "transient", "temporary"] as const) {
          const slow = `${restart}_1000`
          const script: Script = {
            // The ones that are asked to end wait for a word, too.
            terminate: (key) => (key === slow ? Effect.sleep("1 second") : Effect.void)
          }
          const keys = Object.keys(reasons).map((name) => `${restart}-${name}`)
          const { close } = yield* startOf(
            journal,
            { restart, script, shutdown: "2 seconds", intensity: { max: 99, within: "1 second" } },
            slow,
            ...keys
          )
          const pids = pidsOf(journal, ...keys)
          const supervisor = yield* theSupervisor
          yield* Effect.forEach(
            Object.entries(reasons),
            ([name, reason]) => end(journal, `${restart}-${name}`, reason),
            {
              discard: true
            }
          )
          const closing = yield* beside(close)
          yield* pass("1 second")
          yield* closing.join
          const ended = yield* reasonsOf(pids)
          // Each ended before it was asked to, or was asked before it looked.
          for (const [index, reason] of Object.values(reasons).entries()) {
            assert.deepInclude([reason, ExitReason.shutdown()], ended[index]!)
          }
          assert.deepStrictEqual(yield* Process.awaitExit(supervisor), ExitReason.shutdown())
          // None was started after the stop had begun.
          const begun = journal.entries.filter((entry) => entry.startsWith("+")).map((entry) => entry.slice(1))
          const released = journal.entries.filter((entry) => entry.startsWith("-")).map((entry) => entry.slice(1))
          assert.includeMembers(released, begun)
          journal.entries.splice(0)
        }
      })
  )

  treeTest("#202 children that end for a reason of their own keep it", ({ journal }) =>
    Effect.gen(function* () {
      const reason = ExitReason.shutdown("oops")
      for (const shutdown of ["Infinity", "1 second"] as const) {
        const { close } = yield* startOf(journal, { shutdown, restart: "temporary" }, shutdown)
        const pid = journal.pid(shutdown)
        const supervisor = yield* theSupervisor
        yield* end(journal, shutdown, reason)
        yield* quiet
        yield* close
        assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
        assert.deepStrictEqual(yield* Process.awaitExit(supervisor), ExitReason.shutdown())
      }
    })
  )

  treeTest(
    "does not wait for ever for a child that cannot be killed: it is reported and left",
    ({ journal, events, lines }) =>
      Effect.gen(function* () {
        const { close } = yield* startOf(journal, { shutdown: "1 second", script: stubbornly("z", 10_000) }, "a", "z")
        const supervisor = yield* theSupervisor
        const closing = yield* beside(close)
        yield* pass("2 seconds")
        yield* closing.join
        assert.deepStrictEqual(yield* Process.awaitExit(supervisor), ExitReason.shutdown())
        assert.deepStrictEqual(
          events
            .filter(({ name }) => name === "child.zombie")
            .map(({ metadata }) => (metadata as { child: string }).child),
          ["z"]
        )
        assert.deepStrictEqual(
          lines.map(({ message }) => message),
          [
            "test/Kids: child test/Kid(z) did not end within its shutdown limit and was killed (stop)",
            "test/Kids: child test/Kid(z) did not end within its shutdown limit"
          ]
        )
        assert.strictEqual((yield* Kernel.counts).zombies, 1)
        yield* pass("10 seconds")
        yield* journal.expect("+a1", "+z1", "-a1", "-z1")
      })
  )

  treeTest("does not wait for ever for an init that cannot be interrupted", ({ journal, events }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = () => Effect.uninterruptible(Deferred.await(gate))
      const { close, start } = yield* runKids(journal, { shutdown: "1 second", script: { init } })
      const starting = yield* beside(Effect.flip(start("a")))
      yield* quiet
      const closing = yield* beside(close)
      yield* pass("1 second")
      assert.strictEqual((yield* starting.join)._tag, "SupervisorDown")
      yield* closing.join
      assert.deepStrictEqual(
        events.map(({ name }) => name),
        ["child.zombie"]
      )
      yield* Deferred.succeed(gate, undefined)
      yield* quiet
    })
  )

  treeTest("terminateChild does not wait for ever, either", ({ journal, events }) =>
    Effect.gen(function* () {
      const { kids } = yield* startOf(journal, { shutdown: "1 second", script: stubbornly("z", 10_000) }, "z")
      const asking = yield* beside(kids.terminateChild("z"))
      const again = yield* beside(kids.terminateChild("z"))
      yield* pass("2 seconds")
      yield* asking.join
      yield* again.join
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      assert.lengthOf(
        events.filter(({ name }) => name === "child.zombie"),
        1
      )
      yield* pass("10 seconds")
    })
  )

  treeTest("its key is free after terminateChild: a new child runs beside what is left of it", ({ journal }) =>
    Effect.gen(function* () {
      const script: Script = {
        init: (_, n) => (n === 1 ? Effect.addFinalizer(() => Effect.sleep("10 seconds")) : Effect.void)
      }
      const { kids, start } = yield* startOf(journal, { shutdown: "1 second", script }, "z")
      yield* journal.expect("+z1")
      assert.strictEqual((yield* Effect.flip(start("z")))._tag, "AlreadyStarted")
      const asking = yield* beside(kids.terminateChild("z"))
      yield* pass("2 seconds")
      yield* asking.join
      yield* start("z")
      yield* journal.expect("+z2")
      assert.deepStrictEqual(
        (yield* kids.whichChildren).map(({ key, state }) => [key, state]),
        [["z", "running"]]
      )
      yield* pass("8 seconds")
      yield* journal.expect("-z1")
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
    })
  )

  treeTest("with brutalKill a zombie gets five seconds", ({ journal, events }) =>
    Effect.gen(function* () {
      const { kids } = yield* startOf(journal, { shutdown: "brutalKill", script: stubbornly("z", 10_000) }, "z")
      const asking = yield* beside(kids.terminateChild("z"))
      yield* pass("4999 millis")
      assert.isFalse(yield* asking.isDone)
      yield* pass("1 millis")
      yield* asking.join
      assert.lengthOf(
        events.filter(({ name }) => name === "child.zombie"),
        1
      )
      yield* pass("10 seconds")
    })
  )

  treeTest("a late crash of a child that was left behind is reported, too", ({ journal, crashes }) =>
    Effect.gen(function* () {
      const init = () => Effect.addFinalizer(() => Effect.andThen(Effect.sleep("5 seconds"), Effect.die("late")))
      const { kids } = yield* startOf(journal, { shutdown: "1 second", script: { init } }, "z")
      const asking = yield* beside(kids.terminateChild("z"))
      yield* pass("2 seconds")
      yield* asking.join
      assert.deepStrictEqual(crashes, [])
      yield* pass("5 seconds")
      assert.deepStrictEqual(
        crashes.map(({ decision }) => decision),
        ["stop"]
      )
    })
  )
})

describe("a kill", () => {
  treeTest("ends all children: running, starting, restarting and stopping ones", ({ journal }) =>
    Effect.gen(function* () {
      const init: Script["init"] = (key, n) =>
        key === "starting" || (key === "restarting" && n > 1) ? Effect.never : Effect.void
      const terminate: Script["terminate"] = (key) => (key === "stopping" ? Effect.never : Effect.void)
      const { kids, start } = yield* startOf(
        journal,
        { shutdown: "Infinity", script: { init, terminate } },
        "running",
        "restarting",
        "stopping"
      )
      const supervisor = yield* theSupervisor
      const starting = yield* beside(Effect.flip(start("starting")))
      yield* crash(journal, "restarting")
      const stopping = yield* beside(Effect.flip(kids.terminateChild("stopping")))
      yield* quiet
      assert.deepStrictEqual(
        (yield* kids.whichChildren).map(({ key, state }) => [key, state]),
        [
          ["running", "running"],
          ["restarting", "restarting"],
          ["stopping", "stopping"],
          ["starting", "starting"]
        ]
      )
      yield* Process.kill(supervisor)
      yield* quiet
      assert.strictEqual((yield* starting.join)._tag, "SupervisorDown")
      assert.strictEqual((yield* stopping.join)._tag, "SupervisorDown")
      assert.deepStrictEqual(yield* Kernel.counts, {
        processes: 0,
        zombies: 0,
        timers: 0,
        names: 0,
        lateReplies: 0
      })
    })
  )

  for (const when of ["while it runs", "while it stops"] as const) {
    treeTest(`${when}: all have ended before its parent starts it again`, ({ journal }) =>
      Effect.gen(function* () {
        const script: Script = {
          init: () => Effect.addFinalizer(() => Effect.sleep("3 seconds")),
          terminate: () => Effect.never
        }
        const Kids = supervisorOf(journal, { script, shutdown: "Infinity" })
        class Top extends Supervisor.Service<Top>()("test/Top", {
          strategy: "oneForOne",
          children: [Supervisor.child(Kids.layer, { id: "kids", shutdown: "10 seconds" })]
        }) {}
        const { close, context } = yield* run(Top.layer)
        const kids = Context.get(context, Kids)
        yield* kids.startChild("a", "a")
        yield* kids.startChild("b", "b")
        const [, dynamic] = yield* Kernel.processes
        if (when === "while it stops") {
          yield* Process.exit(dynamic!, ExitReason.shutdown())
          const closing = yield* beside(close)
          yield* pass("1 second")
          yield* Process.kill(dynamic!)
          yield* pass("2999 millis")
          assert.isFalse(yield* closing.isDone)
          yield* pass("1 millis")
          yield* closing.join
          assert.includeMembers(journal.entries, ["-a1", "-b1"])
          return
        }
        yield* Process.kill(dynamic!)
        yield* pass("2999 millis")
        assert.strictEqual((yield* Effect.flip(kids.startChild("c", "c")))._tag, "SupervisorDown")
        yield* pass("1 millis")
        yield* kids.startChild("c", "c")
        const { entries } = journal
        assert.deepStrictEqual(entries.slice(0, 2), ["+a1", "+b1"])
        assert.sameMembers(entries.slice(2, 4), ["-a1", "-b1"])
        assert.deepStrictEqual(entries.slice(4), ["+c1"])
        const closing = yield* beside(close)
        yield* pass("10 seconds")
        yield* pass("3 seconds")
        yield* closing.join
      })
    )
  }

  treeTest(
    "at whatever moment, with children in every state, nothing is left",
    ({ journal }) =>
      Effect.gen(function* () {
        const { kids, start } = yield* runKids(journal, {
          restart: "permanent",
          intensity: { max: 99, within: "1 second" },
          script: { init: () => Effect.yieldNow, terminate: () => Effect.yieldNow }
        })
        const supervisor = yield* theSupervisor
        yield* start("a")
        yield* start("b")
        yield* start("c")
        yield* crash(journal, "a")
        yield* Effect.forkChild(kids.terminateChild("b"))
        yield* Effect.forkChild(Effect.exit(start("d")))
        yield* Process.kill(supervisor)
        yield* quiet
        assert.strictEqual((yield* Kernel.counts).processes, 0)
      }),
    200
  )
})
