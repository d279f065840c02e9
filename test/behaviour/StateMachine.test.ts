/** State machines as processes. The order of events is tested in `internal/machineEngine.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Schema, Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, StateMachine, Sys } from "effect-otp/behaviour"
import { Display, ExitReason, Kernel, type Pid, Process, Shutdown, Signal } from "effect-otp/kernel"
import { DynamicSupervisor, Supervisor } from "effect-otp/supervision"
import { Laws } from "effect-otp/testing"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import { beside, crashReports, down, ended, failure, fates, later, noProcess, running, timedOut } from "./puppet.ts"
import {
  definition,
  type From,
  get,
  go,
  inB,
  noted,
  noting,
  type Own,
  Puppet,
  Refused,
  start,
  type State,
  stay,
  type Step
} from "./machinePuppet.ts"

const { cancel, eventTimeout, fail, insert, keep, message, next, perform, postpone, repeat } = StateMachine
const { reply, replyTo, failTo, stateTimeout, stop, stopReply, timeout, update } = StateMachine

type GateState = { readonly _tag: "Closed" } | { readonly _tag: "Open" }
type Alarm = { readonly _tag: "Alarm"; readonly token: string }

const gateProtocol = [
  StateMachine.cast("enter", { payload: { card: Schema.String, pin: Schema.String } }),
  StateMachine.cast("arm"),
  StateMachine.cast("open")
]
/** Keeps those that want to enter waiting until it is open. */
class Gate extends StateMachine.Service<Gate, Alarm>()("test/Gate", gateProtocol) {
  static readonly make = (formatStatus?: (status: StateMachine.Status<GateState>) => StateMachine.Shown) => {
    const alarm: Alarm = { _tag: "Alarm", token: "abc" }
    return this.define({
      init: () => Effect.succeed<GateState>({ _tag: "Closed" }),
      common: { Alarm: () => keep(), open: () => next({ _tag: "Open" }) },
      states: {
        Closed: {
          enter: () => keep([postpone]),
          arm: () => keep([timeout("alarm", 1000, alarm), stateTimeout(2000, alarm)])
        },
        Open: { enter: () => keep(), arm: () => keep() }
      },
      formatStatus
    })
  }
  static readonly definition = this.make()
}

const A: State = { _tag: "A", data: 0 }
const B: State = { _tag: "B", data: 0 }
const pidOf = (client: (typeof Puppet)["Service"]) => Effect.map(GenServer.pid(client), Option.getOrThrow)

describe("answers", () => {
  kernelTest(
    "come from the turn, or later through the `from` that the state has kept",
    Effect.gen(function* () {
      const machine = yield* start()
      assert.deepStrictEqual(yield* machine.call(get), A)
      const open = yield* beside(machine.call((_, from) => next({ _tag: "B", data: from })))
      yield* running(open)
      yield* machine.cast((state) => next(B, [replyTo(state.data as From, "later")]))
      assert.deepStrictEqual(yield* Fiber.join(open), "later")
    })
  )

  kernelTest(
    "may be the failure that a call declares, and the machine goes on",
    Effect.gen(function* () {
      const machine = yield* start()
      const refused = new Refused({ why: "no" })
      assert.deepStrictEqual(yield* Effect.exit(machine.call(go("B", fail(refused)))), Exit.fail(refused))
      assert.deepStrictEqual(yield* machine.call(get), B)
      const open = yield* beside(machine.call((_, from) => next({ _tag: "A", data: from })))
      yield* machine.cast((state) => next(B, [failTo(state.data as From, refused)]))
      assert.deepStrictEqual(yield* ended(open), Exit.fail(refused))
    })
  )

  kernelTest(
    "are given once: a second is dropped and counted",
    Effect.gen(function* () {
      const machine = yield* start()
      assert.strictEqual(yield* machine.call((_, from) => keep([replyTo(from, 1), reply(2)])), 1)
      yield* settle
      assert.strictEqual((yield* Kernel.counts).lateReplies, 1)
    })
  )

  kernelTest(
    "#285 that are late reach nobody: the call has timed out",
    Effect.gen(function* () {
      const machine = yield* start()
      const call = yield* beside(failure(machine.call(inB(stay(reply("late"))), { timeout: 100 })))
      yield* later(100)
      assert.deepStrictEqual(yield* Fiber.join(call), timedOut("unknown"))
      yield* machine.call(go("B", reply("ok")))
      yield* settle
      assert.strictEqual((yield* Kernel.counts).lateReplies, 1)
      assert.deepStrictEqual(yield* machine.call(get), B)
    })
  )

  kernelTest(
    "#288 of a stop go out in order, before terminate",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start({ terminate: () => Effect.sync(() => void log.push("terminate")) })
      const caller = (note: string, step: Step) =>
        beside(Effect.map(machine.call(step), (answer) => log.push(`${note}: ${String(answer)}`)))
      yield* caller("first", (_, from) => next({ _tag: "A", data: from }))
      const reason = ExitReason.shutdown("done")
      yield* caller("second", (state, from) =>
        stopReply(reason, [replyTo(state.data as From, "reply1"), replyTo(from, "reply2")])
      )
      yield* settle
      assert.deepStrictEqual(log, ["first: reply1", "second: reply2", "terminate"])
      assert.deepStrictEqual(yield* failure(machine.call(get)), noProcess)
    })
  )
})

describe("ends", () => {
  kernelTest(
    "#284 init may fail with its own error, which is not a crash; a defect is one",
    Effect.gen(function* () {
      const reports = yield* crashReports
      assert.deepStrictEqual(yield* Effect.exit(start({ init: Effect.fail("bailout") })), Exit.fail("bailout"))
      assert.strictEqual(reports.length, 0)
      const exit = yield* Effect.exit(start({ init: Effect.die("4711") }))
      assert.ok(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(reports.length, 1)
    })
  )

  kernelTest(
    "#286 no transition, an unknown event, a negative timeout: the machine crashes, and the caller learns why",
    Effect.gen(function* () {
      const why = (step: Step) =>
        Effect.gen(function* () {
          const machine = yield* start()
          const error = yield* Effect.flip(machine.call(step))
          assert.ok(error instanceof GenServer.CallError && error.reason._tag === "ServerDown")
          const { reason } = error.reason
          return String(reason._tag === "Crash" ? Cause.squash(reason.cause) : reason._tag)
        })
      assert.include(
        yield* why(() => "nonsense" as never),
        "the handler of A for call did not answer with a transition"
      )
      assert.include(
        yield* why(() => keep([insert({ _tag: "Nobody" } as never)])),
        "the state A has no handler for Nobody"
      )
      assert.include(
        yield* why(() => keep([stateTimeout(-1, noting([], "never"))])),
        "A timeout must be a duration of 0 or more, not -1"
      )
    })
  )

  kernelTest(
    "#301 after a crash terminate gets the state from before the turn; without terminate it just ends",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const machine = yield* start({
        terminate: (reason, state) => Effect.sync(() => void seen.push(reason._tag, state))
      })
      const crash = go("B", perform("die", Effect.die("boom")))
      assert.strictEqual((yield* failure(machine.call(crash))).reason._tag, "ServerDown")
      yield* settle
      assert.deepStrictEqual(seen, ["Crash", A])
      const other = yield* start()
      yield* GenServer.terminate(other)
      const dying = yield* start({ terminate: () => Effect.die("in terminate") })
      assert.strictEqual((yield* Effect.flip(GenServer.terminate(dying))).reason._tag, "ServerDown")
    })
  )

  kernelTest(
    "after a stop calls without an answer fail with ServerDown, and terminate gets the state of the stop",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const machine = yield* start({ terminate: (_, state) => Effect.sync(() => void seen.push(state)) })
      const postponed = yield* beside(failure(machine.call(stay(postpone))))
      const reason = ExitReason.shutdown("enough")
      assert.deepStrictEqual(
        yield* failure(machine.call(() => stop(reason, { _tag: "B", data: "last" }))),
        down(reason, "unknown")
      )
      assert.deepStrictEqual(yield* Fiber.join(postponed), down(reason, "unknown"))
      yield* settle
      assert.deepStrictEqual(seen, [{ _tag: "B", data: "last" }])
    })
  )

  kernelTest(
    "a crash report shows state and message of the machine, as formatStatus says",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const plain = yield* start()
      const crash: Step = () => {
        throw new Error("boom")
      }
      yield* failure(plain.call(crash))
      yield* settle
      const secret = yield* start({ formatStatus: ({ state }) => ({ state: state._tag, message: "secret" }) })
      yield* failure(secret.call(crash))
      yield* settle
      assert.deepStrictEqual(
        reports.map(({ message, state }) => [message, state]),
        [
          [{ _tag: "call", payload: crash }, A],
          ["secret", "A"]
        ]
      )
    })
  )

  kernelTest(
    "a crash report names the event, wherever it came from",
    Effect.gen(function* () {
      const reports = yield* crashReports
      const boom: Step = () => {
        throw new Error("boom")
      }
      const die = stay(perform("die", Effect.die("boom")))
      const crash: Own = { _tag: "Own", step: boom }
      const postponed = inB(die)
      const events: ReadonlyArray<readonly [Step, unknown]> = [
        [stay(insert(crash)), crash],
        [stay(insert(StateMachine.message("cast", boom))), { _tag: "cast", payload: boom }],
        [stay(insert(StateMachine.message("cast", die))), { _tag: "cast", payload: die }],
        [stay(perform("crash", Effect.succeed(crash))), crash],
        [stay(timeout("zero", 0, crash)), crash],
        [stay(timeout("real", 10, crash)), crash],
        [stay(timeout("real", 10, { _tag: "Own", step: die })), { _tag: "Own", step: die }]
      ]
      for (const [step] of events) {
        const machine = yield* start()
        yield* machine.cast(step)
        yield* later(10)
      }
      const machine = yield* start()
      yield* machine.cast(postponed)
      yield* machine.cast(go("B"))
      yield* settle
      assert.deepStrictEqual(
        reports.map(({ message }) => message),
        [...events.map(([, event]) => event), { _tag: "cast", payload: postponed }]
      )
    })
  )

  kernelTest(
    "a crash before the first event has no event to name",
    Effect.gen(function* () {
      const reports = yield* crashReports
      yield* start({ onEnter: () => keep([perform("die", Effect.die("boom"))]) })
      yield* settle
      assert.deepStrictEqual(
        reports.map(({ message, state }) => [message, state]),
        [[undefined, A]]
      )
    })
  )
})

describe("what is postponed", () => {
  kernelTest(
    "comes again after the state has changed, and keeps its caller",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      const call = yield* beside(
        machine.call(inB((state, from) => noted(log, "call", () => keep([replyTo(from, 1)]))(state, from)))
      )
      yield* machine.cast(inB(noted(log, "cast")))
      // With the same tag and other data it is the same state.
      yield* machine.call(() => next({ _tag: "A", data: 1 }, [reply(undefined)]))
      yield* machine.call((state) => repeat(state, [reply(undefined)]))
      yield* running(call)
      yield* machine.cast(go("B"))
      assert.strictEqual(yield* Fiber.join(call), 1)
      yield* settle
      assert.deepStrictEqual(log, ["B call", "B cast"])
    })
  )

  const held = Effect.gen(function* () {
    const machine = yield* start()
    const call = yield* beside(failure(machine.call(stay(postpone))))
    yield* machine.cast(stay(postpone))
    yield* machine.cast(stay(postpone))
    yield* settle
    return { machine, call, pid: yield* pidOf(machine) }
  })

  kernelTest(
    "is pending until it has come again",
    Effect.gen(function* () {
      const machine = yield* start({ info: () => keep([postpone]) })
      const pid = yield* pidOf(machine)
      const messages = Effect.map(
        Process.info(pid),
        Option.map(({ messages }) => messages)
      )
      const call = yield* beside(machine.call(inB(stay(reply("answer")))))
      yield* machine.cast(inB(stay()))
      yield* Process.send(pid as Pid.Pid<string>, "info")
      yield* settle
      const { handled, pending } = Option.getOrThrow(yield* messages)
      assert.deepStrictEqual({ handled, pending }, { handled: 0, pending: 3 })
      assert.deepStrictEqual(yield* fates, { accepted: 3, pending: 3 })
      const gate = yield* Deferred.make<void>()
      yield* machine.cast(go("B", perform("wait", Deferred.await(gate))))
      yield* settle
      assert.deepStrictEqual(yield* fates, { accepted: 4, pending: 4 })
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(call), "answer")
      yield* settle
      // The info was postponed again.
      assert.deepStrictEqual(yield* fates, { accepted: 4, handled: 3, pending: 1 })
    })
  )

  kernelTest(
    "counts as abandoned if its caller left before it was put aside, whatever happens to it",
    Effect.gen(function* () {
      const machine = yield* start()
      const gate = yield* Deferred.make<void>()
      const call = yield* beside(machine.call(stay(perform("wait", Deferred.await(gate)), postpone)))
      yield* settle
      yield* Fiber.interrupt(call)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(yield* fates, { accepted: 1, abandoned: 1 })
      yield* Process.kill(yield* pidOf(machine))
      assert.deepStrictEqual(yield* fates, { accepted: 1, abandoned: 1 })
    })
  )

  kernelTest(
    "counts as abandoned if its caller had left when its turn ended, whenever that was",
    Effect.gen(function* () {
      const machine = yield* start()
      const gate = yield* Deferred.make<void>()
      const wait = perform("wait", Deferred.await(gate))
      const early = yield* beside(machine.call(inB(stay())))
      const late = yield* beside(machine.call(inB(stay(wait))))
      const again = yield* beside(machine.call(stay(postpone)))
      const never = yield* beside(machine.call(inB(stay(perform("hang", Effect.never)))))
      yield* settle
      yield* Fiber.interrupt(early)
      assert.deepStrictEqual(yield* fates, { accepted: 4, pending: 4 })
      yield* machine.cast(go("B"))
      yield* settle
      yield* Fiber.interruptAll([late, again, never])
      assert.deepStrictEqual(yield* fates, { accepted: 5, handled: 1, abandoned: 1, pending: 3 })
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(yield* fates, { accepted: 5, handled: 1, abandoned: 2, pending: 2 })
      yield* Process.kill(yield* pidOf(machine))
      assert.deepStrictEqual(yield* fates, { accepted: 5, handled: 1, abandoned: 2, failed: 2 })
    })
  )

  kernelTest(
    "has failed when the machine is killed, and is counted",
    Effect.gen(function* () {
      const { call, pid } = yield* held
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Fiber.join(call), down(ExitReason.killed, "unknown"))
      assert.deepStrictEqual(yield* fates, { accepted: 3, failed: 3 })
    })
  )

  kernelTest(
    "has failed when the machine is stopped or crashes, and is counted",
    Effect.gen(function* () {
      const { call, machine } = yield* held
      yield* GenServer.terminate(machine)
      assert.deepStrictEqual(yield* Fiber.join(call), down(ExitReason.normal, "unknown"))
      // The request to stop counts as a message, too.
      assert.deepStrictEqual(yield* fates, { accepted: 4, handled: 1, failed: 3 })
      const second = yield* held
      yield* second.machine.cast(() => {
        throw new Error("boom")
      })
      assert.strictEqual((yield* Fiber.join(second.call)).reason._tag, "ServerDown")
      assert.deepStrictEqual(yield* fates, { accepted: 8, handled: 1, failed: 7 })
    })
  )

  kernelTest(
    "has failed when the machine crashes over the first that comes again",
    Effect.gen(function* () {
      const machine = yield* start()
      yield* machine.cast(inB(() => keep([perform("die", Effect.die("boom"))])))
      yield* machine.cast(inB(stay()))
      yield* machine.cast(go("B"))
      yield* settle
      assert.deepStrictEqual(yield* failure(machine.call(get)), noProcess)
      // `go` was handled, and the call that found no process was returned.
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 1, failed: 2 })
    })
  )

  kernelTest(
    "stays counted as abandoned if its caller had left before",
    Effect.gen(function* () {
      const machine = yield* start()
      const inside = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const wait = perform(
        "wait",
        Effect.asVoid(Effect.andThen(Deferred.succeed(inside, undefined), Deferred.await(goOn)))
      )
      const caller = yield* Effect.forkChild(machine.call(stay(wait, postpone)))
      yield* Deferred.await(inside)
      yield* Fiber.interrupt(caller)
      yield* Deferred.succeed(goOn, undefined)
      yield* settle
      yield* Process.kill(yield* pidOf(machine))
      assert.deepStrictEqual(yield* fates, { accepted: 1, abandoned: 1 })
    })
  )
})

describe("timers", () => {
  kernelTest(
    "#290 a state timeout fires once, unless the state has changed",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      yield* machine.cast(stay(stateTimeout(500, noting(log, "first"))))
      yield* later(499)
      yield* machine.cast(go("B", stateTimeout(500, noting(log, "second"))))
      yield* later(499)
      assert.deepStrictEqual(log, [])
      yield* later(1)
      yield* later(1000)
      assert.deepStrictEqual(log, ["B second"])
    })
  )

  kernelTest(
    "#294 named timers survive a change of state; the same name replaces, infinity ends; #292 so does cancel",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      yield* machine.cast(
        stay(
          timeout("a", 20, noting(log, "a")),
          timeout("b", 10, noting(log, "b")),
          timeout("c", 10, noting(log, "c")),
          timeout("d", 10, noting(log, "d"))
        )
      )
      yield* machine.cast(go("B", timeout("b", 30, noting(log, "again")), timeout("c", "Infinity", noting(log, "c"))))
      yield* machine.cast(stay(cancel("d")))
      yield* later(10)
      yield* later(10)
      yield* later(10)
      assert.deepStrictEqual(log, ["B a", "B again"])
      assert.strictEqual((yield* Kernel.counts).timers, 0)
    })
  )

  kernelTest(
    "#292 an update changes the event and not the time, also of one that has fired and was not handled yet",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      yield* machine.cast(stay(timeout("a", 10, noting(log, "old"))))
      yield* later(5)
      yield* machine.cast(stay(update("a", noting(log, "new"))))
      yield* later(4)
      assert.deepStrictEqual(log, [])
      yield* later(1)
      assert.deepStrictEqual(log, ["A new"])
      yield* machine.cast(stay(timeout("a", 10, noting(log, "older"))))
      const entered = yield* Deferred.make<void>()
      const leave = yield* Deferred.make<void>()
      const block = perform(
        "block",
        Effect.asVoid(Effect.andThen(Deferred.succeed(entered, undefined), Deferred.await(leave)))
      )
      yield* machine.cast(stay(block, update("a", noting(log, "newer"))))
      yield* Deferred.await(entered)
      yield* later(10)
      yield* Deferred.succeed(leave, undefined)
      yield* settle
      assert.deepStrictEqual(log, ["A new", "A newer"])
    })
  )

  kernelTest(
    "that have fired and were not handled yet can be ended",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      const entered = yield* Deferred.make<void>()
      const leave = yield* Deferred.make<void>()
      const block = perform(
        "block",
        Effect.asVoid(Effect.andThen(Deferred.succeed(entered, undefined), Deferred.await(leave)))
      )
      yield* machine.cast(stay(stateTimeout(10, noting(log, "state")), timeout("a", 10, noting(log, "a"))))
      yield* machine.cast(go("B", block, cancel("a")))
      yield* Deferred.await(entered)
      yield* later(10)
      yield* Deferred.succeed(leave, undefined)
      yield* settle
      assert.deepStrictEqual(log, [])
    })
  )

  kernelTest(
    "an event timeout is ended by any event, a state timeout by none of its own state",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      yield* machine.cast(stay(eventTimeout(10, noting(log, "event")), stateTimeout(10, noting(log, "state"))))
      yield* later(5)
      yield* machine.cast(stay())
      yield* later(5)
      assert.deepStrictEqual(log, ["A state"])
      yield* machine.cast(stay(eventTimeout(10, noting(log, "event"))))
      yield* later(10)
      assert.deepStrictEqual(log, ["A state", "A event"])
      yield* machine.cast(stay(eventTimeout(10, noting(log, "event")), stateTimeout(10, noting(log, "state"))))
      yield* machine.cast(stay(cancel(StateMachine.eventTimer), cancel(StateMachine.stateTimer)))
      yield* later(10)
      assert.strictEqual(log.length, 2)
    })
  )

  kernelTest(
    "are not lost if the mailbox is full, and end with the machine",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start({ mailbox: { capacity: 1, strategy: "dropping" } })
      const leave = yield* Deferred.make<void>()
      yield* machine.cast(stay(timeout("a", 10, noting(log, "fired")), timeout("b", 1000, noting(log, "never"))))
      yield* settle
      yield* machine.cast(stay(perform("block", Deferred.await(leave))))
      yield* settle
      yield* machine.cast(stay())
      yield* later(10)
      yield* Deferred.succeed(leave, undefined)
      yield* settle
      assert.deepStrictEqual(log, ["A fired"])
      yield* GenServer.terminate(machine)
      assert.strictEqual((yield* Kernel.counts).timers, 0)
    })
  )
})

describe("events", () => {
  kernelTest(
    "#293 of every kind can be inserted, are handled as listed, and a call answers its first caller",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start({ info: (content) => (log.push(`info ${String(content)}`), keep()) })
      const answer = machine.call((_, from) =>
        next(B, [
          insert(noting(log, "own")),
          insert(message("cast", noted(log, "cast"))) as never,
          insert(StateMachine.info("hello")) as never,
          insert(message("call", noted(log, "call", stay(reply("answer"))), from)) as never,
          insert(noting(log, "last"))
        ])
      )
      assert.strictEqual(yield* answer, "answer")
      yield* settle
      assert.deepStrictEqual(log, ["B own", "B cast", "info hello", "B call", "B last"])
    })
  )

  kernelTest(
    "come before messages that were sent meanwhile",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      const chain = (left: number): Own =>
        noting(log, String(left), left === 0 ? stay() : stay(insert(left > 1 ? chain(left - 1) : noting(log, "0"))))
      yield* machine.cast(stay(insert(chain(3))))
      yield* machine.cast(noted(log, "message"))
      yield* settle
      assert.deepStrictEqual(log, ["A 3", "A 2", "A 1", "A 0", "A message"])
    })
  )

  kernelTest(
    "to the pid go to info, signals too; without it they are logged and the machine lives",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const machine = yield* start({
        init: Effect.as(Process.trapExit(true), A),
        info: (content, state) => (
          seen.push(Signal.isExit(content) ? content.reason._tag : content),
          next({ ...state, _tag: "B" })
        )
      })
      const pid = yield* pidOf(machine)
      yield* Process.send(pid as never, "hello")
      yield* Process.exit(pid, ExitReason.shutdown())
      assert.strictEqual(((yield* machine.call(get)) as State)._tag, "B")
      assert.deepStrictEqual(seen, ["hello", "Shutdown"])
      const deaf = yield* start()
      yield* Process.send((yield* pidOf(deaf)) as never, "hello")
      assert.deepStrictEqual(yield* deaf.call(get), A)
    })
  )
})

describe("onEnter", () => {
  kernelTest(
    "runs after the starter has gone on, on each change, on repeat, and not for other data",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start({
        onEnter: (state, previous) => {
          log.push(`${previous._tag} → ${state._tag}`)
          return next({ ...state, data: log.length })
        }
      })
      yield* machine.call(go("A", reply(undefined)))
      yield* machine.call(go("B", reply(undefined)))
      yield* machine.call((state) => repeat(state, [reply(undefined)]))
      assert.deepStrictEqual(log, ["A → A", "A → B", "B → B"])
      assert.deepStrictEqual(yield* machine.call(get), { _tag: "B", data: 3 })
    })
  )

  kernelTest(
    "may stop the machine, and must not leave the state",
    Effect.gen(function* () {
      const machine = yield* start({
        onEnter: (state) => (state._tag === "B" ? stop(ExitReason.shutdown("B")) : keep())
      })
      assert.deepStrictEqual(yield* machine.call(go("B", reply("answered"))), "answered")
      yield* settle
      assert.deepStrictEqual(yield* failure(machine.call(get)), noProcess)
      const fickle = yield* start({ onEnter: (state) => (state._tag === "B" ? next(A) : keep()) })
      const error = yield* Effect.flip(fickle.call(go("B", reply("never"))))
      assert.instanceOf(error, GenServer.CallError)
      const { reason } = error
      assert.include(
        reason._tag === "ServerDown" ? ExitReason.format(reason.reason) : reason._tag,
        "cannot leave or repeat the state"
      )
    })
  )

  kernelTest(
    "start gives the first state with the first actions",
    Effect.gen(function* () {
      const log: Array<string> = []
      const actions = [insert(noting(log, "inserted")), stateTimeout(0, noting(log, "zero"))] as const
      const machine = yield* start({ init: Effect.succeed(StateMachine.start(A, actions) as never) })
      yield* machine.call(noted(log, "message", stay(reply(undefined))))
      assert.deepStrictEqual(log, ["A inserted", "A zero", "A message"])
    })
  )
})

describe("effects", () => {
  kernelTest(
    "run at their place among the answers, and their events are inserted at their place",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      const note = (text: string) =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => (log.push(text), noting(log, `of ${text}`)))
        )
      const answer = beside(
        Effect.map(
          machine.call((_, from) =>
            next(B, [
              insert(noting(log, "before")),
              perform("one", note("one")),
              replyTo(from, "answer"),
              perform("two", note("two")),
              perform("nothing", Effect.void),
              insert(noting(log, "after"))
            ])
          ),
          (answer) => log.push(String(answer))
        )
      )
      yield* answer
      yield* settle
      assert.sameMembers(log.slice(0, 3), ["one", "answer", "two"])
      assert.isBelow(log.indexOf("one"), log.indexOf("two"))
      assert.deepStrictEqual(log.slice(3), ["B before", "B of one", "B of two", "B after"])
    })
  )

  kernelTest(
    "are interrupted with the turn by an exit signal, and have the scope of the turn",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start({ terminate: (_, { _tag }) => Effect.sync(() => void log.push(_tag)) })
      const scoped = Effect.addFinalizer(() => Effect.sync(() => void log.push("closed")))
      yield* machine.call(stay(perform("scoped", scoped), reply(undefined)))
      assert.deepStrictEqual(log, ["closed"])
      yield* machine.cast(go("B", perform("hang", Effect.never)))
      yield* settle
      yield* Process.exit(yield* pidOf(machine), ExitReason.shutdown())
      yield* settle
      assert.deepStrictEqual(log, ["closed", "A"])
    })
  )
})

describe("under supervision", () => {
  kernelTest(
    "a machine starts again from init, its handle stays valid, and a patient call waits for it",
    Effect.gen(function* () {
      class Tree extends Supervisor.Service<Tree>()("test/MachineTree", {
        strategy: "oneForOne",
        children: [Supervisor.child(definition().layer())]
      }) {}
      yield* Effect.gen(function* () {
        const machine = yield* Puppet
        yield* machine.call(go("B", reply(undefined)))
        const before = yield* pidOf(machine)
        yield* machine.cast(stay(timeout("old", 10, noting([], "old"))))
        yield* Process.kill(before)
        assert.deepStrictEqual(yield* machine.call(get, { whenDown: "wait" }), A)
        assert.notStrictEqual(yield* pidOf(machine), before)
        assert.strictEqual((yield* Kernel.counts).timers, 0)
      }).pipe(Effect.provide(Layer.fresh(Tree.layer)))
    })
  )

  kernelTest(
    "a dynamic supervisor starts machines by key",
    Effect.gen(function* () {
      class Doors extends DynamicSupervisor.Service<Doors>()("test/Doors", { child: definition() }) {}
      yield* Effect.gen(function* () {
        const doors = yield* Doors
        const front = yield* doors.startChild("front")
        const back = yield* doors.startChild("back")
        yield* front.call(go("B", reply(undefined)))
        assert.deepStrictEqual(yield* front.call(get), B)
        assert.deepStrictEqual(yield* back.call(get), A)
      }).pipe(Effect.provide(Doors.layer))
    })
  )

  kernelTest(
    "a shutdown waits for the turn and for the queued events",
    Effect.gen(function* () {
      const log: Array<string> = []
      const scope = yield* Scope.make()
      const machine = yield* Effect.provideService(start(), Scope.Scope, scope)
      yield* machine.cast(stay(perform("yield", Effect.yieldNow), insert(noting(log, "queued"))))
      yield* settle
      yield* Shutdown.shutdown(yield* pidOf(machine))
      assert.deepStrictEqual(log, ["A queued"])
      yield* Scope.close(scope, Exit.void)
    })
  )
})

describe("what sys sees", () => {
  kernelTest(
    "#296 is the state of the machine: a replaced one keeps what is postponed, and a failing function changes nothing",
    Effect.gen(function* () {
      const machine = yield* start()
      const call = yield* beside(machine.call(inB(stay(reply("answer")))))
      yield* Sys.suspend(machine)
      assert.deepStrictEqual(yield* Sys.getState(machine), A)
      yield* Sys.replaceState(machine, () => ({ _tag: "A", data: "replaced" }), { schema: Schema.Unknown })
      const failed = yield* Effect.flip(
        Sys.replaceState(
          machine,
          () => {
            throw new Error("fail")
          },
          { schema: Schema.Unknown }
        )
      )
      assert.strictEqual(failed._tag, "ReplaceFailed")
      yield* Sys.resume(machine)
      assert.deepStrictEqual(yield* machine.call(get), { _tag: "A", data: "replaced" })
      yield* machine.cast(go("B"))
      assert.strictEqual(yield* Fiber.join(call), "answer")
      assert.deepStrictEqual((yield* Sys.getStatus(machine)).state, { _tag: "B", data: "replaced" })
    })
  )

  kernelTest(
    "is also what waits in the machine: queued and postponed events in order, and timers with the time they still run",
    Effect.gen(function* () {
      const machine = yield* Gate.definition.start()
      assert.deepStrictEqual((yield* Sys.getStatus(machine)).machine, { queue: [], postponed: [], timers: [] })
      yield* machine.enter({ card: "a", pin: "1234" })
      yield* machine.enter({ card: "b", pin: "5678" })
      yield* machine.arm()
      yield* later(300)
      assert.deepStrictEqual((yield* Sys.getStatus(machine)).machine, {
        queue: [],
        postponed: [
          { _tag: "enter", payload: { card: "a", pin: "<redacted>" } },
          { _tag: "enter", payload: { card: "b", pin: "<redacted>" } }
        ],
        timers: [
          { name: "alarm", left: Duration.millis(700), event: { _tag: "Alarm", token: "<redacted>" } },
          { name: "state timer", left: Duration.millis(1700), event: { _tag: "Alarm", token: "<redacted>" } }
        ]
      })
      // The answers to messages in the mailbox come in order, so the status shows the machine between two events.
      const [status] = yield* Effect.all([beside(Sys.getStatus(machine)), machine.open()])
      assert.deepStrictEqual((yield* Fiber.join(status)).machine?.postponed.length, 2)
      assert.deepStrictEqual((yield* Sys.getStatus(machine)).machine?.postponed, [])
    })
  )

  kernelTest(
    "hides what waits in the machine if its formatStatus gives no events, and shows what it gives",
    Effect.gen(function* () {
      const hidden = yield* Gate.make(({ message, state }) => ({ state, message })).start()
      yield* hidden.enter({ card: "a", pin: "1234" })
      assert.strictEqual((yield* Sys.getStatus(hidden)).machine, undefined)
      const chosen = yield* Gate.make(({ machine, message, state }) => ({
        state,
        message,
        machine: machine && { ...machine, postponed: machine.postponed.map(() => "somebody waits") }
      })).start()
      yield* chosen.enter({ card: "a", pin: "1234" })
      assert.deepStrictEqual((yield* Sys.getStatus(chosen)).machine?.postponed, ["somebody waits"])
      const wrong = yield* Gate.make(({ message, state }) => ({ state, message, machine: "none" as never })).start()
      const status = yield* Sys.getStatus(wrong)
      assert.deepStrictEqual([status.state, status.machine], ["formatStatus failed", undefined])
    })
  )

  kernelTest(
    "is within the limits of Display: the events beyond them are only counted, and every timer is listed",
    Effect.gen(function* () {
      const machine = yield* Gate.definition.start()
      for (let at = 0; at < 40; at++) yield* machine.enter({ card: `card ${at}`, pin: "0" })
      yield* machine.arm()
      const shown = (yield* Sys.getStatus(machine)).machine!
      assert.strictEqual(shown.postponed.length, 3)
      assert.deepStrictEqual(shown.postponed.slice(0, 2), [
        { _tag: "enter", payload: { card: "card 0", pin: "<redacted>" } },
        { _tag: "enter", payload: { card: "card 1", pin: "<redacted>" } }
      ])
      assert.include(String(shown.postponed[2]), "38 more")
      assert.deepStrictEqual(
        shown.timers.map(({ name }) => name),
        ["alarm", "state timer"]
      )
    }).pipe(
      Effect.provideService(Display.CurrentLimits, { depth: 6, width: 2, nodes: 300, length: 1000, size: 16_000 })
    )
  )

  kernelTest(
    "delays timers while it is suspended, and ends no event timeout",
    Effect.gen(function* () {
      const log: Array<string> = []
      const machine = yield* start()
      yield* machine.call(stay(eventTimeout(10, noting(log, "event")), reply(undefined)))
      yield* Sys.suspend(machine)
      yield* later(10)
      assert.deepStrictEqual(log, [])
      yield* Sys.resume(machine)
      yield* settle
      assert.deepStrictEqual(log, ["A event"])
    })
  )
})

kernelTest(
  "a trace tells the events of a machine, wherever they came from",
  Effect.gen(function* () {
    const machine = yield* start()
    const trace = yield* Effect.forkChild(Stream.runCollect(Sys.trace(machine)))
    yield* settle
    const own = noting([], "own")
    const sent = stay(insert(own), insert(message("cast", get)), timeout("real", 10, own))
    yield* machine.cast(sent)
    yield* later(10)
    yield* GenServer.terminate(machine)
    assert.deepStrictEqual(
      (yield* Fiber.join(trace)).flatMap((event) => (event._tag === "Received" ? [event.message] : [])),
      [
        { _tag: "Cast", tag: "cast", payload: sent },
        { _tag: "Continue", token: own },
        { _tag: "Continue", token: { _tag: "cast", payload: get } },
        { _tag: "Info", content: own }
      ]
    )
  })
)

describe("the laws of servers", () => {
  const laws = Laws.server({
    start: start(),
    ask: (machine) => machine.call(get),
    crash: (machine) => machine.call(go("B", perform("die", Effect.die("boom"))))
  })
  for (const law of laws) it.effect(law.name, () => law.run)
})

class Named extends StateMachine.Service<Named>()("test/NamedMachine", [Rpc.make("get", { success: Schema.String })]) {
  static readonly definition = this.define({
    name: (name: string) => name,
    init: (name: string) => Effect.succeed<{ readonly _tag: "Only"; readonly name: string }>({ _tag: "Only", name }),
    states: { Only: { get: (_, { name }) => keep([reply(name)]) } }
  })
}

kernelTest(
  "a name is claimed before init, and a second of that name is refused",
  Effect.gen(function* () {
    const first = yield* Named.definition.start("test/only")
    assert.strictEqual(yield* first.get(), "test/only")
    const second = yield* Effect.flip(Named.definition.start("test/only"))
    assert.strictEqual(second._tag, "AlreadyStarted")
  })
)
