import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Logger, Option, Scheduler } from "effect"
import type { Pid } from "effect-otp/kernel"
import { Accounting, ExitReason, Kernel, Mailbox, Process, Signal, Timer } from "effect-otp/kernel"
import { SeededScheduler, TestKernel } from "effect-otp/testing"
import { asProcess, idle, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"

const accountOf = (pid: Pid.Pid) => Effect.map(Process.info(pid), (info) => Option.getOrThrow(info).messages)

/** A process with a bounded mailbox. It takes nothing until the gate opens, then everything. */
const gated = (mailbox: Mailbox.Bound, seen: Array<unknown>) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const pid = yield* Process.spawn(
      (inbox: Process.Inbox<number>) =>
        Effect.gen(function* () {
          yield* Deferred.await(gate)
          while (true) seen.push(yield* inbox.take)
        }),
      { mailbox, trapExit: true }
    )
    return { pid: pid, open: Deferred.succeed(gate, undefined) }
  })

describe("order", () => {
  kernelTest(
    "messages of one sender arrive in the order sent",
    asProcess((inbox: Process.Inbox<readonly [number, number]>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        for (const sender of [0, 1, 2]) {
          yield* Process.spawn(Effect.forEach([0, 1, 2, 3], (i) => Process.send(me, [sender, i])))
        }
        const got = yield* Effect.replicateEffect(inbox.take, 12)
        for (const sender of [0, 1, 2]) {
          const own = got.flatMap((message) => (Array.isArray(message) && message[0] === sender ? [message[1]] : []))
          assert.deepStrictEqual(own, [0, 1, 2, 3])
        }
      })
    )
  )
})

describe("suspend", () => {
  kernelTest(
    "the sender waits until there is room, and senders keep their order",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { open, pid } = yield* gated({ capacity: 2, strategy: "suspend" }, seen)
      const sender = yield* Process.spawn(Effect.forEach([0, 1, 2, 3, 4], (i) => Process.send(pid, i)))
      yield* settle
      assert.isTrue(yield* Process.isAlive(sender))
      const account = yield* accountOf(pid)
      assert.deepStrictEqual([account.accepted, account.pending], [3, 3])
      yield* open
      assert.deepStrictEqual(yield* Process.awaitExit(sender), ExitReason.normal)
      yield* settle
      assert.deepStrictEqual(seen, [0, 1, 2, 3, 4])
      yield* Process.kill(pid)
    }),
    100
  )

  kernelTest(
    "the sender may be outside of any process",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { open, pid } = yield* gated({ capacity: 1, strategy: "suspend" }, seen)
      const sender = yield* Effect.forkChild(Effect.forEach([0, 1, 2], (i) => Process.send(pid, i)))
      yield* settle
      assert.isUndefined(sender.pollUnsafe())
      yield* open
      yield* Fiber.join(sender)
      yield* settle
      assert.deepStrictEqual(seen, [0, 1, 2])
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "a process sending to itself is refused at once",
    asProcess(
      (inbox: Process.Inbox<string>) =>
        Effect.gen(function* () {
          const me = inbox.pid
          yield* Process.send(me, "kept")
          yield* Process.send(me, "refused")
          const { accepted, deadLettered } = yield* accountOf(me)
          assert.deepStrictEqual({ accepted, deadLettered }, { accepted: 2, deadLettered: 1 })
          assert.strictEqual(yield* inbox.take, "kept")
        }),
      { mailbox: { capacity: 1, strategy: "suspend" } }
    )
  )

  kernelTest(
    "an interrupted sender takes its message back",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { open, pid } = yield* gated({ capacity: 1, strategy: "suspend" }, seen)
      yield* Process.send(pid, 0)
      const sender = yield* Effect.forkChild(Process.send(pid, 1))
      yield* settle
      yield* Fiber.interrupt(sender)
      yield* Process.send(pid, 2).pipe(Effect.forkChild)
      yield* open
      yield* settle
      assert.deepStrictEqual(seen, [0, 2])
      assert.strictEqual((yield* accountOf(pid)).returned, 1)
      yield* Process.kill(pid)
    })
  )

  kernelTest(
    "a sender interrupted after its message got in takes it back, and the next gets in",
    Effect.flatMap(Effect.context(), (outside) =>
      asProcess(
        (inbox: Process.Inbox<number>) =>
          Effect.gen(function* () {
            const me = inbox.pid
            const start = (i: number) => Effect.sync(() => Effect.runForkWith(outside)(Process.send(me, i)))
            const senders = yield* Effect.forEach([1, 2, 3], (i) => Effect.tap(start(i), settle))
            const letInAndInterrupt = Effect.gen(function* () {
              assert.deepStrictEqual(yield* inbox.poll(() => true), Option.some(1))
              // The second message is in the mailbox now, and its sender does not know that yet.
              senders[1]!.interruptUnsafe()
            })
            yield* Effect.provideService(letInAndInterrupt, Scheduler.PreventSchedulerYield, true)
            yield* settle
            assert.isTrue(senders.every((sender) => sender.pollUnsafe() !== undefined))
            assert.strictEqual(yield* inbox.take, 3)
          }),
        { mailbox: { capacity: 1, strategy: "suspend" } }
      )
    )
  )

  kernelTest(
    "waiting senders go on when the owner ends, and their messages are dead letters",
    Effect.gen(function* () {
      const { pid } = yield* gated({ capacity: 1, strategy: "suspend" }, [])
      const senders = yield* Effect.replicateEffect(Process.spawn(Process.send(pid, 1)), 3)
      yield* settle
      yield* Process.kill(pid)
      for (const sender of senders) assert.deepStrictEqual(yield* Process.awaitExit(sender), ExitReason.normal)
      const { accepted, deadLettered } = yield* Kernel.messages
      assert.deepStrictEqual({ accepted, deadLettered }, { accepted: 3, deadLettered: 3 })
    })
  )

  kernelTest(
    "a message that waits is discarded with the kill of its sender, even if that cannot be interrupted",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { open, pid } = yield* gated({ capacity: 1, strategy: "suspend" }, seen)
      yield* Process.send(pid, 0)
      const sender = yield* Process.spawn(Effect.uninterruptible(Process.send(pid, 1)))
      yield* settle
      yield* Process.kill(sender)
      yield* open
      yield* settle
      assert.deepStrictEqual(seen, [0])
      assert.strictEqual((yield* accountOf(pid)).dropped, 1)
      yield* Process.kill(pid)
    })
  )
})

describe("the other strategies", () => {
  const full = (strategy: Mailbox.Strategy) =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { open, pid } = yield* gated({ capacity: 2, strategy }, seen)
      for (const i of [0, 1, 2, 3]) yield* Process.send(pid, i)
      const account = yield* accountOf(pid)
      yield* open
      yield* settle
      yield* Process.kill(pid)
      return { seen, dropped: account.dropped, deadLettered: account.deadLettered }
    })

  for (const [strategy, expected] of [
    ["fail", { seen: [0, 1], dropped: 0, deadLettered: 2 }],
    ["dropping", { seen: [0, 1], dropped: 2, deadLettered: 0 }],
    ["sliding", { seen: [2, 3], dropped: 2, deadLettered: 0 }]
  ] as const) {
    kernelTest(
      `${strategy}: what becomes of messages to a full mailbox`,
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* full(strategy), { ...expected, seen: [...expected.seen] })
      })
    )
  }

  for (const strategy of ["suspend", "fail", "dropping", "sliding"] as const) {
    kernelTest(
      `${strategy}: no signal is refused or dropped`,
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        const { open, pid } = yield* gated({ capacity: 1, strategy }, seen)
        const bang = ExitReason.shutdown("bang")
        for (let i = 0; i < 3; i++) yield* Process.exit(pid, bang)
        if (strategy !== "suspend") for (const i of [0, 1]) yield* Process.send(pid, i)
        yield* open
        yield* settle
        const signal = new Signal.Exit(undefined, bang)
        assert.deepStrictEqual(seen, [signal, signal, signal])
        yield* Process.kill(pid)
      })
    )
  }

  it("a bound says what is wrong with it", () => {
    assert.throws(() => Mailbox.bound({ capacity: 0, strategy: "fail" }), RangeError, "not 0")
    assert.throws(() => Mailbox.bound({ capacity: 1.5, strategy: "fail" }), RangeError, "not 1.5")
    assert.throws(() => Mailbox.bound({ capacity: NaN, strategy: "fail" }), RangeError, "not NaN")
    assert.throws(() => Mailbox.bound({ capacity: 1, strategy: "block" as "fail" }), RangeError, `not "block"`)
  })

  it.effect("spawn with a wrong bound dies with the RangeError and starts nothing", () =>
    inKernel(
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Process.spawn(Effect.void, { mailbox: { capacity: 0, strategy: "fail" } }))
        assert.deepStrictEqual(
          exit,
          Exit.die(new RangeError("The capacity of a mailbox must be a whole number, 1 or more, not 0"))
        )
        assert.strictEqual((yield* Kernel.counts).processes, 0)
      })
    )
  )
})

describe("receive", () => {
  const isEven = (message: number | Signal.Signal) => typeof message === "number" && message % 2 === 0

  kernelTest(
    "takes the first that matches and keeps the others in order",
    asProcess((inbox: Process.Inbox<number>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        for (const i of [1, 2, 3, 4, 5]) yield* Process.send(me, i)
        assert.strictEqual(yield* inbox.receive(isEven), 2)
        assert.deepStrictEqual(yield* inbox.poll(isEven), Option.some(4))
        assert.deepStrictEqual(yield* inbox.poll(isEven), Option.none())
        assert.deepStrictEqual(yield* Effect.replicateEffect(inbox.take, 3), [1, 3, 5])
      })
    )
  )

  kernelTest(
    "waits for one that matches, and a later receive begins with the oldest left",
    asProcess((inbox: Process.Inbox<number>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        yield* Process.spawn(Effect.forEach([1, 3, 5, 6, 7], (i) => Process.send(me, i)))
        assert.strictEqual(yield* inbox.receive(isEven), 6)
        assert.deepStrictEqual(yield* Effect.replicateEffect(inbox.take, 4), [1, 3, 5, 7])
      })
    ),
    200
  )

  it.effect("the queue is read before the clock", () =>
    inKernel(
      asProcess((inbox: Process.Inbox<string>) =>
        Effect.gen(function* () {
          yield* Process.send(inbox.pid, "here")
          assert.deepStrictEqual(yield* Effect.timeoutOption(inbox.take, 0), Option.some("here"))
        })
      )
    )
  )

  kernelTest(
    "a timeout ends the wait, and only the wait",
    asProcess((inbox: Process.Inbox<string>) =>
      Effect.gen(function* () {
        const waiting = yield* Effect.forkChild(Effect.timeoutOption(inbox.take, "1 second"))
        yield* SeededScheduler.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(waiting), Option.none())
      })
    )
  )

  kernelTest(
    "a message that does not match does not restart the timeout",
    asProcess((inbox: Process.Inbox<number>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        const waiting = yield* Effect.forkChild(Effect.timeoutOption(inbox.receive(isEven), "1 second"))
        yield* SeededScheduler.adjust("900 millis")
        yield* Process.send(me, 1)
        yield* SeededScheduler.adjust("100 millis")
        assert.deepStrictEqual(yield* Fiber.join(waiting), Option.none())
        assert.strictEqual(yield* inbox.take, 1)
      })
    )
  )

  kernelTest(
    "interrupting it loses nothing",
    asProcess((inbox: Process.Inbox<number>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        const got: Array<unknown> = []
        const sender = yield* Process.spawn(Effect.forEach([0, 1, 2, 3, 4, 5], (i) => Process.send(me, i)))
        while (got.length < 6) {
          const receiver = yield* Effect.forkChild(inbox.take.pipe(Effect.tap((i) => Effect.sync(() => got.push(i)))))
          yield* Effect.yieldNow
          yield* Effect.yieldNow
          // If a message were taken between the mailbox and the fiber's own step, an interruption would lose it.
          yield* Fiber.interrupt(receiver)
          if (Option.isSome(yield* Process.info(sender))) continue
          yield* settle
          const { mailboxLength, messages } = Option.getOrThrow(yield* Process.info(me))
          assert.strictEqual(messages.handled + mailboxLength, 6)
          if (mailboxLength === 0) break
        }
        assert.deepStrictEqual(
          got,
          got.toSorted((a, b) => Number(a) - Number(b))
        )
      })
    ),
    100
  )

  kernelTest(
    "a predicate runs in the process it belongs to: its defect is that process's own",
    Effect.gen(function* () {
      const defect = new Error("predicate")
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
        inbox.receive((message) => {
          if (message === "bad") throw defect
          return false
        })
      )
      yield* settle
      yield* Process.send(pid, "fine")
      yield* Process.send(pid, "bad")
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.defect(defect))
    })
  )

  kernelTest(
    "two fibers that receive at once are a defect",
    Effect.gen(function* () {
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
        Effect.all([inbox.take, inbox.take], { concurrency: 2 })
      )
      const reason = yield* Process.awaitExit(pid)
      assert.include(ExitReason.format(reason), `Two fibers receive from the inbox of ${String(pid)}`)
    })
  )

  it.effect("behind a message that is never taken, a stream of others leaves nothing", () =>
    inKernel(
      asProcess((inbox: Process.Inbox<number>) =>
        Effect.gen(function* () {
          const me = inbox.pid
          yield* Process.send(me, 1)
          for (let i = 0; i < 20_000; i++) {
            yield* Process.send(me, 2 * i)
            assert.strictEqual(yield* inbox.receive(isEven), 2 * i)
          }
          assert.strictEqual(Option.getOrThrow(yield* Process.info(me)).mailboxLength, 1)
          assert.strictEqual(yield* inbox.take, 1)
        })
      )
    )
  )
})

describe("accounts", () => {
  kernelTest(
    "a message to a dead process is a dead letter",
    Effect.gen(function* () {
      const pid = (yield* idle()) as Pid.Pid<number>
      yield* Process.kill(pid)
      yield* Process.send(pid, 1)
      const { accepted, deadLettered } = yield* Kernel.messages
      assert.deepStrictEqual({ accepted, deadLettered }, { accepted: 1, deadLettered: 1 })
    })
  )

  kernelTest(
    "messages that wait when a process ends are dead letters",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const pid = (yield* Process.spawn(Deferred.await(gate))) as Pid.Pid<number>
      yield* Timer.sendAfter(pid, 0, "1 minute")
      for (const i of [1, 2, 3]) yield* Process.send(pid, i)
      yield* Deferred.succeed(gate, undefined)
      yield* Process.awaitExit(pid)
      const messages = yield* Kernel.messages
      assert.deepStrictEqual([messages.accepted, messages.deadLettered, messages.pending], [3, 3, 0])
      assert.strictEqual(Accounting.missing(messages), 0)
    })
  )
})

describe("a mailbox without a bound", () => {
  /** A log that is kept. */
  const logged = (lines: Array<string>) =>
    Logger.layer([Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))])

  it.effect("warns when it holds more than 100,000 messages, and again only after it was down to half of that", () => {
    const lines: Array<string> = []
    const warning =
      "Warn app/Sink: more than 100,000 messages wait in its mailbox. It handles them more slowly than they come. A " +
      "bound for the mailbox makes its senders wait, or fails them."
    return Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const pid = yield* Process.spawn(
        (inbox: Process.Inbox<number>) =>
          Effect.gen(function* () {
            yield* Deferred.await(gate)
            while (true) if ((yield* inbox.take) === 1) return yield* Effect.never
          }),
        { label: "app/Sink" }
      )
      const send = (count: number, message = 0) =>
        Effect.forEach(Array.from({ length: count }), () => Process.send(pid, message), { discard: true })
      yield* send(100_000)
      assert.deepStrictEqual(lines, [])
      yield* send(1)
      assert.deepStrictEqual(lines, [warning])
      yield* send(10_000)
      assert.deepStrictEqual(lines, [warning])
      yield* send(1, 1)
      yield* send(49_999)
      // Takes all messages up to the one that says stop.
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.repeat(settle, { until: () => Effect.map(accountOf(pid), ({ pending }) => pending < 50_000) })
      yield* send(50_001)
      assert.deepStrictEqual(lines, [warning])
      yield* send(1)
      assert.deepStrictEqual(lines, [warning, warning])
      yield* Process.kill(pid)
    }).pipe(Effect.provide(Layer.merge(TestKernel.layerUnfrozen, logged(lines))))
  })

  it.effect("does not warn if it has a bound, because its senders are told", () => {
    const lines: Array<string> = []
    return Effect.gen(function* () {
      const bound: Mailbox.Bound = { capacity: 100_010, strategy: "dropping" }
      const pid = yield* Process.spawn<never, never, never, number>(Effect.never, { mailbox: bound })
      yield* Effect.forEach(Array.from({ length: 100_020 }), () => Process.send(pid, 0), { discard: true })
      assert.deepStrictEqual(lines, [])
      yield* Process.kill(pid)
    }).pipe(Effect.provide(Layer.merge(TestKernel.layerUnfrozen, logged(lines))))
  })
})
