import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Option } from "effect"
import type { Pid } from "effect-otp/kernel"
import { ExitReason, Handle, Kernel, Process, Signal, Timer } from "effect-otp/kernel"
import { Name } from "effect-otp/naming"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import type { ProcessRecord } from "../../src/kernel/shared/processRecord.ts"
import { asProcess, idle, kernelTest, settle } from "../fixtures/kernel.ts"
import { claimName } from "../../src/naming/shared/names.ts"
import { HandleTarget } from "../../src/kernel/shared/handleTarget.ts"

const Shop = Name.make<string>("test/shop")
const Bank = Name.make<string>("test/bank")

/** A process for text messages that never ends by itself and keeps its messages. */
const keeper = Effect.gen(function* () {
  const got: Array<unknown> = []
  const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
    Effect.gen(function* () {
      while (true) got.push(yield* inbox.take)
    })
  )
  return { pid: pid as Pid.Pid<unknown>, got }
})

const recordOf = (pid: Pid.Pid) => pid as unknown as ProcessRecord

describe("a name", () => {
  it("is a string that is not empty", () => {
    const message = "A name must be a string that is not empty, not "
    for (const [bad, shown] of [
      ["", '""'],
      [undefined, "undefined"],
      [null, "null"],
      [1, "1"],
      [Symbol("x"), "Symbol(x)"]
    ] as const) {
      assert.throws(() => Name.make(bad as string), RangeError, message + shown)
    }
    assert.strictEqual(Name.make("test/ok").name, "test/ok")
  })

  it("is recognised", () => {
    assert.isTrue(Name.isName(Shop))
    for (const other of [undefined, "test/shop", {}, { name: "test/shop" }]) assert.isFalse(Name.isName(other))
  })
})

describe("register", () => {
  kernelTest(
    "#49 a process has no name before, and its name after",
    Effect.gen(function* () {
      const { pid } = yield* keeper
      const nameOf = Effect.map(Process.info(pid), (info) => Option.getOrThrow(info).name)
      assert.isUndefined(yield* nameOf)
      assert.deepStrictEqual(yield* Name.whereis(Shop), Option.none())
      yield* Name.register(Shop, pid)
      assert.strictEqual(yield* nameOf, "test/shop")
      assert.deepStrictEqual(yield* Name.whereis(Shop), Option.some(pid))
      assert.deepStrictEqual(yield* Name.registered, ["test/shop"])
      assert.strictEqual((yield* Kernel.counts).names, 1)
      yield* Name.unregister(Shop)
      assert.isUndefined(yield* nameOf)
      assert.deepStrictEqual(yield* Name.registered, [])
      yield* Name.register(Bank, pid)
      assert.strictEqual(yield* nameOf, "test/bank")
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "#48 each failure has its own error and changes nothing",
    Effect.gen(function* () {
      const first = (yield* keeper).pid
      const second = (yield* keeper).pid
      const dead = (yield* keeper).pid
      yield* Process.kill(dead)
      yield* Name.register(Shop, first)
      type Failure = Name.AlreadyStarted | Name.AlreadyNamed | Process.NoProcess
      const failures: ReadonlyArray<readonly [Effect.Effect<void, Failure>, Failure]> = [
        [Name.register(Shop, second), new Name.AlreadyStarted({ processName: "test/shop", pid: first })],
        [Name.register(Shop, first), new Name.AlreadyStarted({ processName: "test/shop", pid: first })],
        [Name.register(Bank, first), new Name.AlreadyNamed({ processName: "test/shop", pid: first })],
        [Name.register(Bank, dead), new Process.NoProcess({ process: dead })],
        [Name.unregister(Bank), new Process.NoProcess({ process: "test/bank" })],
        [Name.send(Bank, "lost"), new Process.NoProcess({ process: "test/bank" })]
      ]
      for (const [effect, error] of failures) assert.deepStrictEqual(yield* Effect.exit(effect), Exit.fail(error))
      assert.deepStrictEqual(
        failures.map(([, error]) => error.message),
        [
          `"test/shop" is taken by ${String(first)}`,
          `"test/shop" is taken by ${String(first)}`,
          `${String(first)} has the name "test/shop" already`,
          `There is no process ${String(dead)}`,
          'No process has the name "test/bank"',
          'No process has the name "test/bank"'
        ]
      )
      assert.deepStrictEqual(yield* Name.registered, ["test/shop"])
      assert.deepStrictEqual(yield* Name.whereis(Shop), Option.some(first))
      assert.strictEqual((yield* Kernel.messages).accepted, 0)
      yield* Process.kill(first)
      yield* Process.kill(second)
    })
  )

  kernelTest(
    "refuses a process of another kernel, and two kernels share no names",
    Effect.gen(function* () {
      const { pid } = yield* keeper
      yield* Name.register(Shop, pid)
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* Name.whereis(Shop), Option.none())
        assert.deepStrictEqual(
          yield* Effect.exit(Name.register(Shop, pid)),
          Exit.fail(new Process.NoProcess({ process: pid }))
        )
        const other = (yield* keeper).pid
        yield* Name.register(Shop, other)
        assert.deepStrictEqual(yield* Name.whereis(Shop), Option.some(other))
      }).pipe(Effect.provide(Kernel.layer))
      assert.deepStrictEqual(yield* Name.whereis(Shop), Option.some(pid))
      yield* Process.kill(pid)
    })
  )

  it("only accepts a process that accepts the messages of the name", () => {
    const wrong = (pid: Pid.Pid<number>) =>
      // @ts-expect-error a process for numbers does not accept text
      Name.register(Shop, pid)
    const wide = (pid: Pid.Pid<string | number>) => Name.register(Shop, pid)
    // @ts-expect-error the process with this name does not accept numbers
    const message = () => Name.send(Shop, 1)
    assert.deepStrictEqual(
      [wrong, wide, message].map((f) => typeof f),
      ["function", "function", "function"]
    )
  })
})

describe("the death of a process", () => {
  kernelTest(
    "#29 #338 its name is free when Exit and Down are received: the watcher takes it at once",
    Effect.forEach([Process.kill, (pid: Pid.Pid) => Process.exit(pid, ExitReason.shutdown())], (end) =>
      asProcess(
        (inbox: Process.Inbox<string>) =>
          Effect.gen(function* () {
            const me = inbox.pid
            const { pid } = yield* keeper
            yield* Name.register(Shop, pid)
            const monitor = yield* Name.monitor(Shop)
            yield* Process.link(pid)
            yield* end(pid)
            yield* inbox.receive(Signal.isExit)
            yield* Name.register(Shop, me)
            yield* Name.unregister(Shop)
            assert.strictEqual((yield* inbox.receive(Signal.isDown)).monitor, monitor)
            yield* Name.register(Shop, me)
          }),
        { trapExit: true }
      )
    )
  )

  kernelTest(
    "a name is free at once after a kill, while the zombie is still in an uninterruptible region",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      const pid = yield* Process.spawn(
        Effect.uninterruptible(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate)))
      )
      yield* Deferred.await(begun)
      yield* Name.register(Shop, pid as Pid.Pid<unknown>)
      yield* Process.kill(pid)
      const successor = (yield* keeper).pid
      yield* Name.register(Shop, successor)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      // The end of the zombie does not take the name from its successor.
      assert.deepStrictEqual(yield* Name.whereis(Shop), Option.some(successor))
      yield* Process.kill(successor)
    })
  )
})

describe("send and cast", () => {
  kernelTest(
    "reach the process that has the name when they are run",
    Effect.gen(function* () {
      const first = yield* keeper
      const second = yield* keeper
      yield* Name.register(Shop, first.pid)
      yield* Name.send(Shop, "a")
      yield* Name.cast(Shop, "b")
      yield* settle
      yield* Name.unregister(Shop)
      yield* Name.register(Shop, second.pid)
      yield* Name.send(Shop, "c")
      yield* settle
      assert.deepStrictEqual([first.got, second.got], [["a", "b"], ["c"]])
      yield* Process.kill(first.pid)
      yield* Process.kill(second.pid)
    })
  )

  kernelTest(
    "a cast to a free name is a dead letter, announced and counted",
    asProcess(() =>
      Effect.gen(function* () {
        const me = yield* Process.self
        const seen: Array<unknown> = []
        yield* Telemetry.attachScoped("letters", Events.deadLetter, (_, { to, ...rest }) => {
          seen.push({ ...rest, isAlive: recordOf(to).isAlive })
        })
        yield* Name.cast(Shop, "lost")
        assert.deepStrictEqual(seen, [
          {
            name: "test/shop",
            displayName: "test/shop",
            label: undefined,
            from: me,
            content: "lost",
            why: { _tag: "Closed", reason: ExitReason.noProcess },
            isAlive: false
          }
        ])
        const { accepted, deadLettered } = yield* Kernel.messages
        assert.deepStrictEqual({ accepted, deadLettered }, { accepted: 1, deadLettered: 1 })
        assert.deepStrictEqual(yield* Name.registered, [])
      })
    )
  )
})

describe("monitor by name", () => {
  kernelTest(
    "#22 Down carries the name, the pid and the reason",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const { pid } = yield* keeper
        yield* Name.register(Shop, pid)
        const monitor = yield* Name.monitor(Shop)
        assert.deepStrictEqual([monitor.pid, monitor.name], [pid, "test/shop"])
        yield* Process.exit(pid, ExitReason.shutdown("frop"))
        const down = yield* inbox.take
        assert.deepStrictEqual(down, new Signal.Down(monitor, pid, ExitReason.shutdown("frop")))
        assert.strictEqual(Signal.isDown(down) ? down.name : undefined, "test/shop")
        const byPid = yield* Process.monitor(pid)
        assert.isUndefined(byPid.name)
        yield* inbox.take
      })
    )
  )

  kernelTest(
    "#22 Down with NoProcess if nobody has the name",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const monitor = yield* Name.monitor(Shop)
        const { name, reason, pid, monitor: ref } = yield* inbox.receive(Signal.isDown)
        assert.deepStrictEqual({ name, reason }, { name: "test/shop", reason: ExitReason.noProcess })
        assert.strictEqual(ref, monitor)
        assert.isFalse(yield* Process.isAlive(pid))
        assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.noProcess)
      })
    )
  )

  kernelTest(
    "a name that moves on does not move the monitor",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const first = (yield* keeper).pid
        const second = (yield* keeper).pid
        yield* Name.register(Shop, first)
        const monitor = yield* Name.monitor(Shop)
        yield* Name.unregister(Shop)
        yield* Name.register(Shop, second)
        yield* Process.kill(second)
        yield* settle
        assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
        yield* Process.kill(first)
        assert.deepStrictEqual(yield* inbox.take, new Signal.Down(monitor, first, ExitReason.killed))
      })
    )
  )
})

describe("timers to a name", () => {
  kernelTest(
    "#44 reach the process that has the name when they fire, or nobody",
    Effect.gen(function* () {
      yield* Timer.sendAfter(Shop, "nobody", "1 second")
      yield* Timer.sendAfter(Shop, "first", "2 seconds")
      yield* SeededScheduler.adjust("1500 millis")
      const { got, pid } = yield* keeper
      yield* Name.register(Shop, pid)
      yield* SeededScheduler.adjust("1 second")
      assert.deepStrictEqual(got, ["first"])
      assert.strictEqual((yield* Kernel.messages).accepted, 1)
      yield* Process.kill(pid)
    })
  )
})

describe("claimUnsafe", () => {
  kernelTest(
    "gives a name before anything runs; the loser gets the owner's pid, and keeps nothing",
    Effect.gen(function* () {
      const winner = recordOf(yield* idle())
      const loser = recordOf(yield* idle())
      const { kernel } = winner
      assert.deepStrictEqual(claimName(kernel, "test/shop", winner), Exit.void)
      assert.deepStrictEqual(
        claimName(kernel, "test/shop", loser),
        Exit.fail(new Name.AlreadyStarted({ processName: "test/shop", pid: winner }))
      )
      assert.deepStrictEqual([winner.name, loser.name], ["test/shop", undefined])
      yield* Process.kill(loser)
      assert.deepStrictEqual(yield* Name.registered, ["test/shop"])
      yield* Process.kill(winner)
      assert.deepStrictEqual(yield* Name.registered, [])
    })
  )
})

describe("resolve", () => {
  kernelTest(
    "finds the live process behind a pid, a name or a handle",
    Effect.gen(function* () {
      const { pid } = yield* keeper
      const target = new HandleTarget("test/server", { restart: undefined })
      const handle: Handle.Handle<string> = { [Handle.TypeId]: target }
      const all = () =>
        Effect.all([Name.resolve(pid), Name.resolve(Shop), Name.resolve(handle)], { concurrency: "unbounded" })
      const none = Option.none()
      assert.deepStrictEqual(yield* all(), [Option.some(pid), none, none])
      yield* Name.register(Shop, pid)
      target.markUp(recordOf(pid))
      assert.deepStrictEqual(yield* all(), [Option.some(pid), Option.some(pid), Option.some(pid)])
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* all(), [none, none, none])
    })
  )
})
