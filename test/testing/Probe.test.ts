import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, Option, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { ExitReason, Kernel, Process, Signal, type Pid } from "effect-otp/kernel"
import { Probe, SeededScheduler, TestKernel } from "effect-otp/testing"
import { seeds } from "../fixtures/seeds.ts"

type Message = { readonly _tag: "Up"; readonly n: number } | { readonly _tag: "Down"; readonly why: string }
const up = (n: number): Message => ({ _tag: "Up", n })

/** Three tests: in virtual time, in real time, and in the orders of many seeds. */
const everywhere = <A, E>(title: string, program: Effect.Effect<A, E, Scope.Scope>) => {
  // The log is off, because the crashes in these tests are intended.
  const test = program.pipe(Effect.provide(Layer.provideMerge(TestKernel.layer, Logger.layer([]))))
  it.effect(title, () => test)
  // Real time: the test shows that a probe needs no test clock.
  it.live(`${title} (by real time)`, () => test)
  it.effect(`${title} (in any order)`, () => SeededScheduler.explore(test, { seeds: seeds(30) }))
}

const sendAll = (pid: Pid.Pid<Message>, ...messages: ReadonlyArray<Message>) =>
  Effect.forEach(messages, (message) => Process.send(pid, message), { discard: true })

/** A process that does something when its gate opens. */
const gated = <A, E>(then: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const pid = yield* Process.spawn(Effect.andThen(Deferred.await(gate), then), { label: "gated" })
    return { pid, open: Deferred.succeed(gate, undefined) }
  })

describe("expect", () => {
  everywhere(
    "takes the first message that matches and leaves the others in order",
    Effect.gen(function* () {
      const probe = yield* Probe.make<Message>()
      yield* sendAll(probe.pid, up(1), { _tag: "Down", why: "x" }, up(2), up(3))
      assert.deepStrictEqual(yield* probe.expect((message) => message._tag === "Up" && message.n > 1), up(2))
      const isDown = (message: Message): message is Extract<Message, { _tag: "Down" }> => message._tag === "Down"
      const down = yield* probe.expect(isDown)
      assert.strictEqual(down.why, "x")
      yield* probe.expect(up(1))
      yield* probe.expect({ _tag: "Up", n: 3 })
      yield* probe.expectNothing
      assert.deepStrictEqual(yield* probe.received, [up(1), { _tag: "Down", why: "x" }, up(2), up(3)])
    })
  )

  everywhere(
    "waits for a message that is still to come",
    Effect.gen(function* () {
      const probe = yield* Probe.make<string>()
      const { open } = yield* gated(Process.send(probe.pid, "late"))
      const waiting = yield* Effect.forkChild(probe.expect("late"))
      yield* probe.expectNothing
      assert.isUndefined(waiting.pollUnsafe())
      yield* open
      assert.strictEqual(yield* Fiber.join(waiting), "late")
    })
  )

  everywhere(
    "two expectations wait for two messages, whichever comes first",
    Effect.gen(function* () {
      const probe = yield* Probe.make<number>()
      const both = yield* Effect.forkChild(Effect.all([probe.expect(1), probe.expect(2)], { concurrency: 2 }))
      yield* Effect.forEach([2, 1], (n) => Effect.flatMap(gated(Process.send(probe.pid, n)), ({ open }) => open))
      assert.deepStrictEqual(yield* Fiber.join(both), [1, 2])
    })
  )

  everywhere(
    "two equal expectations take one message each",
    Effect.gen(function* () {
      const probe = yield* Probe.make<string>()
      const both = yield* Effect.forkChild(Effect.all([probe.expect("a"), probe.expect("a")], { concurrency: 2 }))
      yield* Process.send(probe.pid, "a")
      yield* Process.send(probe.pid, "a")
      yield* Fiber.join(both)
      yield* probe.expectNothing
    })
  )

  everywhere(
    "takes even undefined, if that is the message",
    Effect.gen(function* () {
      const probe = yield* Probe.make<undefined>()
      yield* Process.send(probe.pid, undefined)
      yield* probe.expect(undefined)
      yield* probe.expectNothing
    })
  )

  it.effect("an expectation that is not met fails after its limit of real time, and says what has come", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make<Message>({ within: "30 millis" })
      yield* sendAll(probe.pid, up(1))
      const begun = yield* TestClock.withLive(Clock.monotonicTimeNanos)
      const value = yield* Effect.flip(probe.expect(up(2)))
      const took = Number((yield* TestClock.withLive(Clock.monotonicTimeNanos)) - begun) / 1_000_000
      assert.isAtLeast(took, 29)
      assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      assert.deepStrictEqual(
        [value.expected, value.within, value.mailbox],
        ['{"_tag":"Up","n":2}', Duration.millis(30), [up(1)]]
      )
      assert.strictEqual(
        value.message,
        'Expected {"_tag":"Up","n":2} within 30ms of real time. The mailbox holds:\n  - {"_tag":"Up","n":1}'
      )
      const isDown = (message: Message): message is Extract<Message, { _tag: "Down" }> => message._tag === "Down"
      assert.include((yield* Effect.flip(probe.expect(isDown))).message, "a message for which isDown holds")
      const anonymous = yield* Effect.flip(probe.expect(({ _tag }) => _tag === "Down"))
      assert.include(anonymous.message, 'a message for which this holds: ({ _tag }) => _tag === "Down"')
      yield* probe.expect(up(1))
      assert.include((yield* Effect.flip(probe.expect(up(1)))).message, "The mailbox is empty.")
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("an expectation that is not met points to its line of the test", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make<number>({ within: "1 millis" })
      const pid = yield* Process.spawn(Effect.never)
      const failures = [
        yield* Effect.flip(probe.expect(1)),
        yield* Effect.flip(probe.expectDown(pid)),
        yield* Effect.flip(probe.expectExit(pid))
      ]
      for (const { stack = "" } of failures) {
        assert.include(stack.split("\n").find((line) => /^ +at /.test(line)) ?? "", "Probe.test.ts")
      }
      yield* Process.kill(pid)
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("an expectation that is not met fails under a seeded scheduler, too, and does not hang", () =>
    Effect.gen(function* () {
      const test = Effect.flatMap(Probe.make<string>({ within: "20 millis" }), (probe) => probe.expect("never"))
      const exit = yield* Effect.exit(SeededScheduler.runSeed(Effect.provide(test, TestKernel.layer), 1))
      assert.isTrue(Exit.isFailure(exit))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, Probe.ExpectationFailed)
    })
  )

  it.effect("a predicate that throws is a defect of the test, and the probe lives", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make<string>()
      yield* Process.send(probe.pid, "a")
      const wrong = probe.expect(() => {
        throw new Error("wrong")
      })
      assert.strictEqual(Cause.squash(yield* Effect.flip(Effect.sandbox(wrong))) instanceof Error, true)
      yield* probe.expect("a")
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("an interrupted expectation takes nothing", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make<string>()
      const waiting = yield* Effect.forkChild(probe.expect("a"))
      yield* probe.expectNothing
      yield* Fiber.interrupt(waiting)
      yield* Process.send(probe.pid, "a")
      yield* probe.expect("a")
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

describe("expectNothing", () => {
  it.effect("fails at once, and names the message", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make<string>()
      yield* Process.send(probe.pid, "oops")
      const error = yield* Effect.flip(probe.expectNothing)
      assert.strictEqual(error.message, 'Expected nothing. The mailbox holds:\n  - "oops"')
      assert.isUndefined(error.within)
    }).pipe(Effect.provide(TestKernel.layer))
  )

  everywhere(
    "waits for messages on their way, through a line of 200 processes",
    Effect.gen(function* () {
      const probe = yield* Probe.make<number>()
      let next: Pid.Pid<number> = probe.pid
      for (let i = 0; i < 200; i++) {
        const to = next
        next = yield* Process.spawn((inbox: Process.Inbox<number>) =>
          Effect.flatMap(inbox.take, (n) => Process.send(to, (n as number) + 1))
        )
      }
      yield* Process.send(next, 0)
      assert.deepStrictEqual((yield* Effect.flip(probe.expectNothing)).mailbox, [200])
    })
  )

  it.effect("ends although others go on for ever", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make<string>()
      const spin = yield* Process.spawn((inbox: Process.Inbox<Pid.Pid<unknown>>) =>
        Effect.forever(
          Effect.flatMap(inbox.take, (self) => Process.send(self as Pid.Pid<unknown>, self)),
          { disableYield: true }
        )
      )
      yield* Process.send(spin, spin as Pid.Pid<unknown>)
      yield* probe.expectNothing
      yield* Process.kill(spin)
    }).pipe(Effect.provide(TestKernel.layer))
  )

  it.effect("a signal counts as something", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make()
      const { open, pid } = yield* gated(Effect.void)
      yield* probe.monitor(pid)
      yield* open
      const error = yield* Effect.flip(probe.expectNothing)
      assert.strictEqual(
        error.message,
        `Expected nothing. The mailbox holds:\n  - Down of gated ${String(pid)}: Normal`
      )
      yield* probe.expectDown(pid)
      yield* probe.expectNothing
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

describe("expectDown", () => {
  everywhere(
    "gives the reason of a death that was monitored, and takes its one Down",
    Effect.gen(function* () {
      const probe = yield* Probe.make()
      const { open, pid } = yield* gated(Effect.die("boom"))
      const ref = yield* probe.monitor(pid)
      yield* open
      assert.deepStrictEqual(yield* probe.expectDown(pid), ExitReason.defect("boom"))
      yield* probe.expectNothing
      const downs = (yield* probe.received).filter(Signal.isDown)
      assert.deepStrictEqual(
        downs.map(({ monitor }) => monitor),
        [ref]
      )
    })
  )

  everywhere(
    "by its monitor: of two monitors of one process each has its own Down",
    Effect.gen(function* () {
      const probe = yield* Probe.make()
      const { open, pid } = yield* gated(Effect.void)
      const first = yield* probe.monitor(pid)
      const second = yield* probe.monitor(pid)
      yield* open
      assert.deepStrictEqual(yield* probe.expectDown(second), ExitReason.normal)
      assert.deepStrictEqual(yield* probe.expectDown(first), ExitReason.normal)
      yield* probe.expectNothing
    })
  )

  everywhere(
    "needs no monitor, and no process that still lives",
    Effect.gen(function* () {
      const probe = yield* Probe.make<string>()
      yield* Process.send(probe.pid, "something else")
      const { open, pid } = yield* gated(Effect.void)
      yield* open
      assert.deepStrictEqual(yield* probe.expectDown(pid), ExitReason.normal)
      assert.deepStrictEqual(yield* probe.expectDown(pid), ExitReason.normal)
      yield* probe.expect("something else")
      yield* probe.expectNothing
    })
  )

  everywhere(
    "a monitor of a process that was dead before says so",
    Effect.gen(function* () {
      const probe = yield* Probe.make()
      const { open, pid } = yield* gated(Effect.void)
      yield* open
      yield* probe.expectDown(pid)
      yield* probe.monitor(pid)
      assert.deepStrictEqual(yield* probe.expectDown(pid), ExitReason.noProcess)
      yield* probe.expectNothing
    })
  )

  it.effect("names the process that does not end", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make({ within: "10 millis" })
      const { open, pid } = yield* gated(Effect.void)
      const error = yield* Effect.flip(probe.expectDown(pid))
      assert.include(error.message, `Expected the Down of gated ${String(pid)} within 10ms of real time.`)
      const ref = yield* probe.monitor(pid)
      assert.include((yield* Effect.flip(probe.expectDown(ref))).message, `Expected the Down of gated ${String(pid)}`)
      yield* open
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

describe("run and expectExit", () => {
  everywhere(
    "a probe that is linked outlives the other and gets its exit",
    Effect.gen(function* () {
      const probe = yield* Probe.make()
      const { open, pid } = yield* gated(Effect.die("boom"))
      yield* probe.run(Process.link(pid))
      yield* open
      assert.deepStrictEqual(yield* probe.expectExit(pid), ExitReason.defect("boom"))
      yield* probe.expectNothing
      assert.isTrue(yield* Process.isAlive(probe.pid))
    })
  )

  everywhere(
    "an effect runs as the probe: what it spawns has it as its parent",
    Effect.gen(function* () {
      const probe = yield* Probe.make()
      const parent = yield* Deferred.make<Option.Option<Pid.Pid>>()
      const { pid } = yield* probe.run(
        Process.spawnMonitor(
          Effect.flatMap(Process.ancestors, ([nearest]) => Deferred.succeed(parent, Option.fromUndefinedOr(nearest)))
        )
      )
      assert.deepStrictEqual(yield* Deferred.await(parent), Option.some(probe.pid as Pid.Pid))
      assert.deepStrictEqual(yield* probe.expectDown(pid), ExitReason.normal)
    })
  )

  it.effect("names the process that has sent no exit signal", () =>
    Effect.gen(function* () {
      const probe = yield* Probe.make({ within: "10 millis" })
      const error = yield* Effect.flip(probe.expectExit(probe.pid))
      assert.include(error.message, `Expected an exit signal of probe ${String(probe.pid)} within`)
    }).pipe(Effect.provide(TestKernel.layer))
  )
})

describe("its life", () => {
  it.effect("a probe ends with its scope, and accounts for all it was sent", () =>
    Effect.gen(function* () {
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const probe = yield* Probe.make<string>()
          yield* Process.send(probe.pid, "unread")
          return probe.pid
        })
      )
      assert.isFalse(yield* Process.isAlive(pid))
      yield* TestKernel.check
      const { accepted, deadLettered, handled } = yield* Kernel.messages
      assert.deepStrictEqual([accepted, handled + deadLettered], [1, 1])
    }).pipe(Effect.provide(TestKernel.layer))
  )
})
