import { assert, describe } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Kernel, Process, Shutdown, Signal } from "effect-otp/kernel"
import { Name } from "effect-otp/naming"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"
import {
  beside,
  type Client,
  crash,
  crashReports,
  down,
  ended,
  failure,
  failureOf,
  fates,
  get,
  later,
  noProcess,
  type Options,
  pidOf,
  running,
  set,
  start,
  stopping,
  timedOut,
  turn
} from "./puppet.ts"

const bang = ExitReason.defect("bang")

/** The arguments of `terminate`. */
const witness = () => {
  const ends: Array<readonly [ExitReason.ExitReason, number]> = []
  const terminate = (reason: ExitReason.ExitReason, state: number) => Effect.sync(() => void ends.push([reason, state]))
  return { ends, terminate }
}

const wait = (gate: Deferred.Deferred<void>) => turn(Deferred.await(gate))

describe("terminate from outside", () => {
  kernelTest(
    "#66 #56 stops a server after what was sent before; a second one finds no process",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const pid = yield* pidOf(puppet)
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(wait(gate))
      yield* puppet.cast(set(4))
      const stopped = yield* beside(GenServer.terminate(puppet))
      yield* running(stopped)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(stopped), Exit.void)
      assert.isFalse(yield* Process.isAlive(pid))
      assert.deepStrictEqual(ends, [[ExitReason.normal, 4]])
      assert.deepStrictEqual(yield* failure(GenServer.terminate(puppet)), noProcess)
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 3 })
    })
  )

  kernelTest(
    "#66 with another reason succeeds",
    Effect.gen(function* () {
      for (const reason of [ExitReason.shutdown(), ExitReason.shutdown({ why: "deploy" }), bang]) {
        const puppet = yield* start()
        const pid = yield* pidOf(puppet)
        yield* GenServer.terminate(puppet, { reason })
        assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
      }
    })
  )

  kernelTest(
    "#56 of a server that ends for another reason fails with that reason",
    Effect.gen(function* () {
      const puppet = yield* start({ terminate: () => Effect.die("die") })
      assert.deepStrictEqual(yield* failure(GenServer.terminate(puppet)), down(ExitReason.defect("die"), "unknown"))
      const other = yield* start()
      const gate = yield* Deferred.make<void>()
      yield* other.cast(() => Effect.andThen(Deferred.await(gate), Effect.die("bang")))
      const stopped = yield* beside(GenServer.terminate(other))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(failureOf(yield* ended(stopped)), down(bang, "unknown"))
    })
  )

  kernelTest(
    "#56 times out on a server that is busy, which still stops later",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(wait(gate))
      const stopped = yield* beside(GenServer.terminate(puppet, { timeout: 1000 }))
      yield* later(1000)
      assert.deepStrictEqual(failureOf(yield* ended(stopped)), timedOut("unknown"))
      assert.deepStrictEqual(ends, [])
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(ends, [[ExitReason.normal, 0]])
    })
  )

  kernelTest(
    "if it is interrupted, the waiting stops and the request stays",
    Effect.gen(function* () {
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(wait(gate))
      const stopped = yield* beside(GenServer.terminate(puppet))
      yield* Fiber.interrupt(stopped)
      assert.isTrue(yield* Process.isAlive(pid))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.normal)
    })
  )

  kernelTest(
    "#68 a server that stops itself with it in its own turn gets a CallCycle",
    Effect.gen(function* () {
      const puppet = yield* start()
      const seen = yield* puppet.call((n, { self }) =>
        Effect.map(failure(GenServer.terminate(self)), (failed) => GenServer.reply(failed, n))
      )
      const path = ["test/Puppet", "test/Puppet"]
      assert.deepStrictEqual(seen, { reason: { _tag: "CallCycle", path }, started: "no" })
      assert.strictEqual(yield* puppet.call(get), 0)
    })
  )

  kernelTest(
    "a second one while the server still terminates waits for the end",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start({ terminate: () => Deferred.await(gate) })
      const first = yield* beside(GenServer.terminate(puppet))
      const second = yield* beside(GenServer.terminate(puppet))
      const other = yield* beside(GenServer.terminate(puppet, { reason: bang }))
      yield* running(second)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(first), Exit.void)
      assert.deepStrictEqual(yield* ended(second), Exit.void)
      assert.deepStrictEqual(failureOf(yield* ended(other)), down(ExitReason.normal, "unknown"))
    })
  )

  kernelTest(
    "several at once, and a stop by the server itself, end it once",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(() => Effect.as(Deferred.await(gate), GenServer.stop(ExitReason.shutdown("own"), 1)))
      const stops = []
      for (let i = 0; i < 3; i++) stops.push(yield* beside(GenServer.terminate(puppet)))
      yield* Deferred.succeed(gate, undefined)
      for (const stop of stops) {
        assert.deepStrictEqual(failureOf(yield* ended(stop)), down(ExitReason.shutdown("own"), "unknown"))
      }
      assert.deepStrictEqual(ends, [[ExitReason.shutdown("own"), 1]])
    })
  )
})

describe("a handler that stops", () => {
  kernelTest(
    "#334 stop with reply: terminate runs before the reply",
    Effect.gen(function* () {
      const order: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const terminate = () =>
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => void order.push("terminate"))
        )
      const puppet = yield* start({ terminate })
      const pid = yield* pidOf(puppet)
      const calling = yield* beside(
        Effect.tap(
          puppet.call(() => GenServer.stopReply(ExitReason.shutdown("done"), "bye", 2)),
          () => Effect.sync(() => order.push("reply"))
        )
      )
      yield* running(calling)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed("bye"))
      assert.deepStrictEqual(order, ["terminate", "reply"])
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.shutdown("done"))
      assert.deepStrictEqual(yield* fates, { accepted: 1, handled: 1 })
    })
  )

  kernelTest(
    "#334 stop with reply whose terminate dies, or is killed, gives no reply",
    Effect.gen(function* () {
      const answer = () => GenServer.stopReply(ExitReason.normal, "bye", 2)
      const dying = yield* start({ terminate: () => Effect.die("bang") })
      assert.deepStrictEqual(yield* failure(dying.call(answer)), down(bang, "unknown"))
      const hanging = yield* start({ terminate: () => Effect.never })
      const pid = yield* pidOf(hanging)
      const calling = yield* beside(hanging.call(answer))
      yield* Process.kill(pid)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), down(ExitReason.killed, "unknown"))
    })
  )

  kernelTest(
    "stop with reply to a caller that has left is late",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start({ terminate: () => Deferred.await(gate) })
      const calling = yield* beside(
        puppet.call(() => GenServer.stopReply(ExitReason.normal, "bye", 2), { timeout: 10 })
      )
      yield* later(10)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), timedOut("unknown"))
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual((yield* Kernel.counts).lateReplies, 1)
    })
  )

  kernelTest(
    "stop: terminate gets the reason and the new state, the queue is given back",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const reason = ExitReason.shutdown("enough")
      const puppet = yield* start({ terminate })
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(() => Effect.as(Deferred.await(gate), GenServer.stop(reason, 8)))
      const calling = yield* beside(puppet.call(get))
      yield* puppet.cast(set(1))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), down(reason, "no"))
      assert.deepStrictEqual(ends, [[reason, 8]])
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 1, returned: 1, deadLettered: 1 })
    })
  )

  kernelTest(
    "#97 without terminate it just ends, for any reason",
    Effect.gen(function* () {
      for (const reason of [ExitReason.normal, bang]) {
        const puppet = yield* start()
        const pid = yield* pidOf(puppet)
        yield* puppet.cast(stopping(reason))
        assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
      }
    })
  )
})

describe("crash", () => {
  kernelTest(
    "#69 expected reasons write no report, a crash writes one",
    Effect.gen(function* () {
      const reports = yield* crashReports
      for (const reason of [ExitReason.normal, ExitReason.shutdown(), ExitReason.shutdown("reason")]) {
        const own = yield* start()
        yield* failure(own.call(stopping(reason)))
        const outside = yield* start()
        yield* GenServer.terminate(outside, { reason })
      }
      yield* settle
      assert.deepStrictEqual(reports, [])
      const puppet = yield* start({ init: Effect.succeed(3), name: "test/crashing" })
      const pid = yield* pidOf(puppet)
      const step = crash("bang")
      assert.deepStrictEqual(yield* failure(puppet.call(step)), down(bang, "unknown"))
      yield* Process.awaitExit(pid)
      assert.deepStrictEqual(
        reports.map((report) => ({ ...report, pid: report.pid === pid })),
        [
          {
            pid: true,
            displayName: "test/Puppet",
            name: "test/crashing",
            label: "test/Puppet",
            ancestors: [],
            message: { _tag: "call", payload: step },
            state: 3,
            cause: Cause.die("bang"),
            mailboxLength: 0,
            decision: undefined
          }
        ]
      )
    })
  )

  kernelTest(
    "#338 a watcher gets Exit before Down, and finds the name free",
    asProcess(
      (inbox: Process.Inbox<never>) =>
        Effect.gen(function* () {
          for (let round = 0; round < 3; round++) {
            const puppet = yield* start({ name: "test/again" })
            const pid = yield* pidOf(puppet)
            yield* Effect.orDie(Process.link(pid))
            yield* Process.monitor(pid)
            yield* puppet.cast(crash("bang"))
            assert.strictEqual((yield* inbox.take)._tag, "Exit")
            assert.strictEqual((yield* inbox.take)._tag, "Down")
          }
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "a result comes before the Down of its sender",
    asProcess((inbox: Process.Inbox<never>) =>
      Effect.gen(function* () {
        const puppet = yield* start()
        yield* Process.monitor(yield* pidOf(puppet))
        assert.strictEqual(yield* puppet.call(() => GenServer.stopReply(ExitReason.normal, "bye", 0)), "bye")
        assert.deepStrictEqual((yield* inbox.take).reason, ExitReason.normal)
      })
    )
  )

  kernelTest(
    "a chain of linked servers dies with one report",
    Effect.gen(function* () {
      const reports = yield* crashReports
      let last = yield* start()
      const pids = [yield* pidOf(last)]
      for (let i = 0; i < 9; i++) {
        const to = pids[i]!
        last = yield* start({ init: Effect.as(Effect.orDie(Process.link(to)), 0) })
        pids.push(yield* pidOf(last))
      }
      yield* last.cast(crash("bang"))
      for (const pid of pids) assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
      assert.deepStrictEqual(
        reports.map(({ pid }) => pid),
        [pids[9]]
      )
    }),
    20
  )

  const defects: ReadonlyArray<readonly [string, (n: number) => never | Effect.Effect<never>]> = [
    [
      "#94 a plain handler that throws",
      () => {
        throw new Error("plain")
      }
    ],
    ["a handler that gives a failed Exit", () => Exit.die(new Error("plain"))],
    ["a handler whose effect dies at once", () => Effect.die(new Error("plain"))],
    ["a handler whose effect dies later", () => Effect.andThen(Effect.yieldNow, Effect.die(new Error("plain")))],
    ["#96 a handler that fails where it may not", () => Effect.fail("plain") as never]
  ]
  for (const [what, step] of defects) {
    kernelTest(
      `${what} crashes the server; terminate gets the state before`,
      Effect.gen(function* () {
        const { ends, terminate } = witness()
        const puppet = yield* start({ terminate })
        const pid = yield* pidOf(puppet)
        yield* puppet.call(set(5))
        yield* puppet.cast(step)
        const reason = yield* Process.awaitExit(pid)
        assert.match(String(reason._tag === "Crash" && Cause.squash(reason.cause)), /plain$/)
        assert.deepStrictEqual(ends, [[reason, 5]])
        assert.deepStrictEqual(yield* fates, { accepted: 2, handled: 1, failed: 1 })
      })
    )
  }

  kernelTest(
    "an interruption inside a handler is a crash, too",
    Effect.gen(function* () {
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      const failed = yield* failure(puppet.call(() => Effect.interrupt))
      const reason = yield* Process.awaitExit(pid)
      assert.deepStrictEqual(failed, down(reason, "unknown"))
      assert.strictEqual(reason._tag, "Crash")
    })
  )

  kernelTest(
    "an answer that no handler may give is a crash, and does not become the state",
    Effect.gen(function* () {
      for (const answer of [undefined, 1, { state: 3 }, Promise.resolve(1)]) {
        const { ends, terminate } = witness()
        const puppet = yield* start({ terminate })
        const pid = yield* pidOf(puppet)
        yield* puppet.cast((() => answer) as never)
        assert.strictEqual((yield* Process.awaitExit(pid))._tag, "Crash")
        assert.deepStrictEqual(
          ends.map(([, state]) => state),
          [0]
        )
      }
    })
  )

  kernelTest(
    "a bad idle time is a crash before the answer, and the state stays",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const idle = "soon" as unknown as number
      const failed = yield* failure(puppet.call(() => GenServer.reply("yes", 9, { idle })))
      assert.strictEqual(failed.reason._tag, "ServerDown")
      yield* settle
      assert.deepStrictEqual(
        ends.map(([, state]) => state),
        [0]
      )
    })
  )

  kernelTest(
    "#96 terminate that dies replaces the reason",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const puppet = yield* start({ terminate: () => Effect.die("in terminate") })
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(stopping())
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.defect("in terminate"))
      assert.deepStrictEqual(
        reports.map(({ cause }) => cause),
        [Cause.die("in terminate")]
      )
    })
  )

  kernelTest(
    "#98 terminate that dies after a crash: one report with both",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const throwing = () => {
        throw "in terminate"
      }
      const puppet = yield* start({ terminate: throwing })
      const pid = yield* pidOf(puppet)
      const step = crash("bang")
      yield* puppet.cast(step)
      const both = Cause.combine(Cause.die("bang"), Cause.die("in terminate"))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.crash(both))
      assert.deepStrictEqual(
        reports.map(({ cause, message }) => [cause, message]),
        [[both, { _tag: "cast", payload: step }]]
      )
    })
  )

  kernelTest(
    "a finalizer that dies is a crash with a report, whatever reason the server had",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const puppet = yield* start({
        init: Effect.as(
          Effect.addFinalizer(() => Effect.die("bang")),
          0
        )
      })
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(stopping())
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
      assert.strictEqual(reports.length, 1)
    })
  )

  kernelTest(
    "formatStatus decides what a report shows",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const puppet = yield* start({
        init: Effect.succeed(42),
        formatStatus: ({ state, message }) => ({ state: `state ${state}`, message: typeof message })
      })
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(crash("bang"))
      yield* Process.awaitExit(pid)
      assert.deepStrictEqual(
        reports.map(({ state, message }) => [state, message]),
        [["state 42", "object"]]
      )
    })
  )

  kernelTest(
    "#100 a formatStatus that throws is shown as failed, and the server keeps its reason",
    asProcess((inbox: Process.Inbox<never>) =>
      Effect.gen(function* () {
        const reports = yield* crashReports
        const puppet = yield* start({
          name: "test/format",
          formatStatus: () => {
            throw new Error("in format")
          }
        })
        const pid = yield* pidOf(puppet)
        yield* Process.monitor(pid)
        yield* puppet.cast(crash("bang"))
        assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
        const signal = yield* inbox.take
        assert.deepStrictEqual(Signal.isDown(signal) && signal.reason, bang)
        assert.deepStrictEqual(
          reports.map(({ state, message, cause }) => [state, message, cause]),
          [["formatStatus failed", "formatStatus failed", Cause.die("bang")]]
        )
        yield* start({ name: "test/format" })
      })
    )
  )

  kernelTest(
    "a crash during an orderly shutdown is still reported",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(() => Effect.andThen(Deferred.await(gate), Effect.die("bang")))
      yield* settle
      const shutting = yield* beside(Shutdown.shutdown(pid))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(shutting), Exit.succeed({ reason: bang, zombie: false }))
      assert.strictEqual(reports.length, 1)
    })
  )
})

describe("shutdown", () => {
  kernelTest(
    "waits for the turn in hand, gives back the queue, and runs terminate",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const pid = yield* pidOf(puppet)
      const gate = yield* Deferred.make<void>()
      const inHand = yield* beside(puppet.call((n) => Effect.as(Deferred.await(gate), GenServer.reply(n, 6))))
      const queued = yield* beside(puppet.call(get))
      const shutting = yield* beside(Shutdown.shutdown(pid))
      yield* running(shutting)
      yield* running(queued)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(inHand), Exit.succeed(0))
      assert.deepStrictEqual(failureOf(yield* ended(queued)), down(ExitReason.shutdown(), "no"))
      assert.deepStrictEqual(yield* ended(shutting), Exit.succeed({ reason: ExitReason.shutdown(), zombie: false }))
      assert.deepStrictEqual(ends, [[ExitReason.shutdown(), 6]])
    })
  )

  kernelTest(
    "ends a server that waits for messages at once",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      yield* settle
      yield* Shutdown.shutdown(yield* pidOf(puppet), { reason: ExitReason.shutdown("now") })
      assert.deepStrictEqual(ends, [[ExitReason.shutdown("now"), 0]])
    })
  )

  for (const uninterruptible of [false, true]) {
    kernelTest(
      `at the limit a turn that hangs is killed, and terminate does not run${uninterruptible ? ", even if it is uninterruptible" : ""}`,
      Effect.gen(function* () {
        const { ends, terminate } = witness()
        const ran: Array<string> = []
        const gate = yield* Deferred.make<void>()
        const puppet = yield* start({
          terminate,
          init: Effect.as(
            Effect.addFinalizer(() => Effect.sync(() => void ran.push("run"))),
            0
          )
        })
        const pid = yield* pidOf(puppet)
        const hang = Effect.ensuring(
          uninterruptible ? Effect.uninterruptible(Deferred.await(gate)) : Deferred.await(gate),
          Effect.sync(() => ran.push("turn"))
        )
        const finalizer = Effect.addFinalizer(() => Effect.sync(() => void ran.push("message")))
        const calling = yield* beside(puppet.call(turn(Effect.andThen(finalizer, hang)), { timeout: "1 minute" }))
        const shutting = yield* beside(Shutdown.shutdown(pid, { limit: 1000 }))
        yield* later(999)
        yield* running(calling)
        yield* later(1)
        assert.deepStrictEqual(failureOf(yield* ended(calling)), down(ExitReason.killed, "unknown"))
        if (uninterruptible) {
          // It is a zombie: its successor must not start before it has ended.
          assert.deepStrictEqual(ran, [])
          assert.strictEqual((yield* Kernel.counts).zombies, 1)
          yield* running(shutting)
          yield* later(1000)
          assert.deepStrictEqual(yield* ended(shutting), Exit.succeed({ reason: ExitReason.killed, zombie: true }))
          yield* Deferred.succeed(gate, undefined)
          yield* settle
        } else {
          assert.deepStrictEqual(yield* ended(shutting), Exit.succeed({ reason: ExitReason.killed, zombie: false }))
        }
        assert.deepStrictEqual(ran, ["turn", "message", "run"])
        assert.deepStrictEqual(ends, [])
        assert.strictEqual((yield* Kernel.counts).zombies, 0)
      })
    )
  }

  kernelTest(
    "terminate that hangs is killed at the limit; the finalizers run",
    Effect.gen(function* () {
      const ran: Array<string> = []
      const log = (what: string) => Effect.sync(() => void ran.push(what))
      const puppet = yield* start({
        init: Effect.as(
          Effect.addFinalizer(() => log("finalizer")),
          0
        ),
        terminate: () => Effect.onInterrupt(Effect.never, () => log("interrupted"))
      })
      const pid = yield* pidOf(puppet)
      const shutting = yield* beside(Shutdown.shutdown(pid, { limit: 1000 }))
      yield* later(1000)
      assert.deepStrictEqual(yield* ended(shutting), Exit.succeed({ reason: ExitReason.killed, zombie: false }))
      assert.deepStrictEqual(ran, ["interrupted", "finalizer"])
    })
  )

  kernelTest(
    "brutalKill runs no terminate",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const { reason } = yield* Shutdown.shutdown(yield* pidOf(puppet), { limit: "brutalKill" })
      assert.deepStrictEqual([reason, ends], [ExitReason.killed, []])
    })
  )

  kernelTest(
    "drain: true handles all that came before it, and refuses what comes after",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate, drain: true })
      const pid = yield* pidOf(puppet)
      const gate = yield* Deferred.make<void>()
      yield* puppet.cast(wait(gate))
      for (let i = 0; i < 3; i++) yield* puppet.cast((n) => GenServer.noReply(n + 1))
      const before = yield* beside(puppet.call(get))
      const shutting = yield* beside(Shutdown.shutdown(pid))
      yield* Effect.forkChild(Shutdown.shutdown(pid))
      yield* settle
      const after = yield* beside(puppet.call(get))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(before), Exit.succeed(3))
      assert.deepStrictEqual(failureOf(yield* ended(after)), down(ExitReason.shutdown(), "no"))
      assert.deepStrictEqual(yield* ended(shutting), Exit.succeed({ reason: ExitReason.shutdown(), zombie: false }))
      assert.deepStrictEqual(ends, [[ExitReason.shutdown(), 3]])
    })
  )

  kernelTest(
    "during init it interrupts init",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const name = Name.make("test/starting")
      const starting = yield* beside(Effect.exit(start({ init: Effect.never, terminate, name: name.name })))
      const pid = Option.getOrThrow(yield* Name.whereis(name))
      const { reason } = yield* Shutdown.shutdown(pid)
      assert.deepStrictEqual(reason, ExitReason.shutdown())
      assert.isTrue(Exit.hasDies(yield* Fiber.join(starting)))
      assert.deepStrictEqual(ends, [])
    })
  )
})

describe("exit signals", () => {
  kernelTest(
    "one that is not trapped ends the turn, and terminate runs with the state before it",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const { ends, terminate } = witness()
      const ran: Array<string> = []
      const puppet = yield* start({ terminate })
      const pid = yield* pidOf(puppet)
      yield* puppet.call(set(2))
      const calling = yield* beside(
        puppet.call(() =>
          Effect.as(
            Effect.onInterrupt(Effect.never, () => Effect.sync(() => void ran.push("interrupted"))),
            GenServer.noReply(3)
          )
        )
      )
      const queued = yield* beside(puppet.call(get))
      yield* Process.exit(pid, bang)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), down(bang, "unknown"))
      assert.deepStrictEqual(failureOf(yield* ended(queued)), down(bang, "no"))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
      assert.deepStrictEqual(ends, [[bang, 2]])
      assert.deepStrictEqual(ran, ["interrupted"])
      assert.deepStrictEqual(reports, [])
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 1, failed: 1, returned: 1 })
    })
  )

  kernelTest(
    "one that comes while a turn crashes: the message in hand has failed, once",
    Effect.gen(function* () {
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(() => Effect.andThen(Effect.yieldNow, Effect.die("bang")))
      const signalling = yield* Effect.forkChild(Process.exit(pid, ExitReason.shutdown("signal")))
      yield* Fiber.join(signalling)
      yield* Shutdown.awaitEnd(pid)
      const { accepted, deadLettered = 0, failed = 0 } = yield* fates
      assert.deepStrictEqual([accepted, deadLettered + failed], [1, 1])
    }),
    1000
  )

  kernelTest(
    "Normal does nothing to a server that does not trap",
    Effect.gen(function* () {
      const puppet = yield* start()
      yield* Process.exit(yield* pidOf(puppet), ExitReason.normal)
      assert.strictEqual(yield* puppet.call(get), 0)
    })
  )

  kernelTest(
    "the result of a turn that a signal has ended is discarded, and counted as late",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const pid = yield* pidOf(puppet)
      const gate = yield* Deferred.make<void>()
      const calling = yield* beside(
        puppet.call((_, { from }) =>
          Effect.uninterruptible(
            Effect.as(Effect.andThen(Deferred.await(gate), from!.succeed("late")), GenServer.noReply(7))
          )
        )
      )
      yield* Process.exit(pid, bang)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), down(bang, "unknown"))
      assert.deepStrictEqual(ends, [])
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
      assert.deepStrictEqual(ends, [[bang, 0]])
      assert.strictEqual((yield* Kernel.counts).lateReplies, 1)
    })
  )

  for (const reason of [ExitReason.normal, ExitReason.shutdown("x"), bang]) {
    kernelTest(
      `#333 ${reason._tag} of the parent ends a server that traps exits, others go to info`,
      asProcess(() =>
        Effect.gen(function* () {
          const reports = yield* crashReports
          const { ends, terminate } = witness()
          const infos: Array<unknown> = []
          const puppet = yield* start({
            terminate,
            init: Effect.as(Process.trapExit(true), 0),
            info: (message, state) => {
              infos.push(message)
              return GenServer.noReply(state)
            }
          })
          const pid = yield* pidOf(puppet)
          const stranger = yield* Process.spawn(Process.exit(pid, reason))
          yield* Process.awaitExit(stranger)
          yield* puppet.call(get)
          assert.deepStrictEqual(infos, [new Signal.Exit(stranger, reason)])
          yield* Process.exit(pid, reason)
          assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
          assert.deepStrictEqual(ends, [[reason, 0]])
          assert.strictEqual(infos.length, 1)
          assert.deepStrictEqual(reports, [])
        })
      )
    )
  }
})

describe("kill", () => {
  const zombie = (options: Options, uninterruptible: boolean) =>
    Effect.gen(function* () {
      const name = Name.make("test/zombie")
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start({ ...options, name: name.name })
      const pid = yield* pidOf(puppet)
      const ran: Array<string> = []
      const calling = yield* beside(
        puppet.call((n, { from }) => {
          const body = Effect.ensuring(
            Effect.andThen(Deferred.await(gate), from!.succeed("late")),
            Effect.sync(() => ran.push("turn"))
          )
          const finalizer = Effect.addFinalizer(() => Effect.sync(() => void ran.push("message")))
          return Effect.as(
            Effect.andThen(finalizer, uninterruptible ? Effect.uninterruptible(body) : body),
            GenServer.noReply(n)
          )
        })
      )
      return { name, gate, puppet, pid, calling, ran }
    })

  kernelTest(
    "in a turn: the caller is told at once, terminate does not run, all finalizers do",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const run: Array<string> = []
      const init = Effect.as(
        Effect.addFinalizer(() => Effect.sync(() => void run.push("run"))),
        0
      )
      const { calling, name, pid, ran } = yield* zombie({ terminate, init }, false)
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Name.whereis(name), Option.none())
      assert.deepStrictEqual(failureOf(yield* ended(calling)), down(ExitReason.killed, "unknown"))
      assert.deepStrictEqual([ran, run, ends], [["turn", "message"], ["run"], []])
      assert.deepStrictEqual(yield* fates, { accepted: 1, failed: 1 })
    })
  )

  kernelTest(
    "in an uninterruptible turn: told at once, the name is free, the zombie's answer is discarded and counted",
    Effect.gen(function* () {
      const { ends, terminate } = witness()
      const { calling, gate, name, pid, puppet, ran } = yield* zombie({ terminate }, true)
      yield* Process.kill(pid)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), down(ExitReason.killed, "unknown"))
      assert.deepStrictEqual(yield* Name.whereis(name), Option.none())
      assert.deepStrictEqual(yield* failure(puppet.call(get)), noProcess)
      assert.deepStrictEqual(ran, [])
      assert.strictEqual((yield* Kernel.counts).zombies, 1)
      const released = yield* beside(Shutdown.awaitEnd(pid))
      yield* running(released)
      yield* Deferred.succeed(gate, undefined)
      yield* ended(released)
      assert.deepStrictEqual([ran, ends], [["turn", "message"], []])
      assert.deepStrictEqual(yield* fates, { accepted: 1, failed: 1 })
      const { lateReplies, zombies } = yield* Kernel.counts
      assert.deepStrictEqual({ lateReplies, zombies }, { lateReplies: 1, zombies: 0 })
    })
  )

  kernelTest(
    "while the scope of a message closes: its finalizers run to their end",
    Effect.gen(function* () {
      const ran: Array<string> = []
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      const finalizer = (name: string) =>
        Effect.addFinalizer(() =>
          Effect.andThen(
            Deferred.await(gate),
            Effect.sync(() => void ran.push(name))
          )
        )
      const calling = yield* beside(puppet.call(turn(Effect.andThen(finalizer("first"), finalizer("second")))))
      yield* Process.kill(pid)
      assert.deepStrictEqual(failureOf(yield* ended(calling)), down(ExitReason.killed, "unknown"))
      const released = yield* beside(Shutdown.awaitEnd(pid))
      yield* running(released)
      yield* Deferred.succeed(gate, undefined)
      yield* ended(released)
      assert.deepStrictEqual(ran, ["second", "first"])
    })
  )

  kernelTest(
    "in terminate: it is interrupted, the scope closes",
    Effect.gen(function* () {
      const ran: Array<string> = []
      const log = (what: string) => Effect.sync(() => void ran.push(what))
      const puppet = yield* start({
        init: Effect.as(
          Effect.addFinalizer(() => log("finalizer")),
          0
        ),
        terminate: () => Effect.onInterrupt(Effect.never, () => log("interrupted"))
      })
      const pid = yield* pidOf(puppet)
      const stopped = yield* beside(GenServer.terminate(puppet))
      yield* Process.kill(pid)
      assert.deepStrictEqual(failureOf(yield* ended(stopped)), down(ExitReason.killed, "unknown"))
      assert.deepStrictEqual(ran, ["interrupted", "finalizer"])
    })
  )

  kernelTest(
    "a handler that kills its own server does not go on",
    Effect.gen(function* () {
      const ran: Array<string> = []
      const { ends, terminate } = witness()
      const puppet = yield* start({ terminate })
      const pid = yield* pidOf(puppet)
      const failed = yield* failure(
        puppet.call((n) =>
          Effect.gen(function* () {
            yield* Process.kill(yield* Process.self)
            yield* Effect.sync(() => ran.push("after"))
            return GenServer.reply("after", n)
          })
        )
      )
      assert.deepStrictEqual(failed, down(ExitReason.killed, "unknown"))
      yield* Shutdown.awaitEnd(pid)
      assert.deepStrictEqual([ran, ends], [[], []])
    })
  )

  kernelTest(
    "a server that waits for a message can be killed",
    Effect.gen(function* () {
      const puppet = yield* start()
      yield* settle
      yield* Process.kill(yield* pidOf(puppet))
      yield* settle
      assert.deepStrictEqual((yield* Kernel.counts).processes, 0)
    })
  )

  kernelTest(
    "while its scope closes: neighbours see it dead, the finalizer runs on",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start({
        init: Effect.as(
          Effect.addFinalizer(() => Deferred.await(gate)),
          0
        )
      })
      const pid = yield* pidOf(puppet)
      yield* puppet.cast(stopping())
      yield* settle
      assert.isTrue(yield* Process.isAlive(pid))
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
      assert.strictEqual((yield* Kernel.counts).zombies, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* Shutdown.awaitEnd(pid)
    })
  )
})

describe("finalizers", () => {
  kernelTest(
    "can call another server, but not their own",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const other = yield* start({ init: Effect.succeed(5) })
      const scope = yield* Scope.make()
      const puppet: Client = yield* Effect.provideService(
        start({
          init: Effect.as(
            Effect.addFinalizer(() =>
              Effect.gen(function* () {
                seen.push(yield* Effect.orDie(other.call(get)))
                seen.push(yield* failure(puppet.call(get)))
              })
            ),
            0
          )
        }),
        Scope.Scope,
        scope
      )
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(seen, [5, noProcess])
    })
  )

  kernelTest(
    "of a killed process cannot stop a server, and do not wait for it",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const puppet = yield* start()
      const stopping = Effect.map(failure(GenServer.terminate(puppet)), ({ started }) => void seen.push(started))
      const dying = yield* Process.spawn(Effect.ensuring(Effect.never, stopping))
      yield* settle
      yield* Process.kill(dying)
      yield* Shutdown.awaitEnd(dying)
      assert.deepStrictEqual(seen, ["no"])
      assert.strictEqual(yield* puppet.call(get), 0)
    })
  )

  kernelTest(
    "messages that a finalizer of a killed server sends are discarded",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const other = yield* start()
      const puppet = yield* start({
        init: Effect.as(
          Effect.addFinalizer(() =>
            Effect.gen(function* () {
              yield* other.cast(set(9))
              const exit = yield* Effect.exit(other.call(set(9)))
              seen.push(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof GenServer.CallError)
            })
          ),
          0
        )
      })
      const pid = yield* pidOf(puppet)
      yield* Process.kill(pid)
      yield* Shutdown.awaitEnd(pid)
      assert.deepStrictEqual(seen, [true])
      assert.strictEqual(yield* other.call(get), 0)
      assert.strictEqual((yield* fates).dropped, 2)
    })
  )
})
