import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Queue, Ref, Scheduler, Scope } from "effect"
import { ExitReason, Kernel, Mailbox, Process, Signal } from "effect-otp/kernel"
import { asProcess, idle, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"

const bang = ExitReason.shutdown("bang")

/** The next trapped exit of a process. */
const takeExit = <M>(inbox: Process.Inbox<M>) => inbox.receive(Signal.isExit)

describe("exit signals", () => {
  kernelTest(
    "#1 an exit signal keeps its place: later messages of the sender are never seen",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
        Effect.forever(
          Effect.tap(inbox.take, (message) => Effect.sync(() => seen.push(String(message)))),
          { disableYield: true }
        )
      )
      yield* Process.send(pid, "1")
      yield* Process.send(pid, "2")
      yield* Process.send(pid, "3")
      yield* Process.exit(pid, bang)
      for (const message of ["may not reach", "may not reach", "may not reach"]) yield* Process.send(pid, message)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
      assert.notInclude(seen, "may not reach")
      const { accepted, handled, deadLettered } = yield* Kernel.messages
      assert.deepStrictEqual({ accepted, deadLettered }, { accepted: 6, deadLettered: 6 - handled })
      // One may have been received in the step before the signal took effect.
      assert.isAtLeast(handled, seen.length)
    })
  )

  for (const length of [1, 2, 9, 10]) {
    kernelTest(
      `#2 kill at the far end of ${length} linked processes reaches the tester as Killed`,
      asProcess(
        (inbox) =>
          Effect.gen(function* () {
            const line: Effect.Effect<void, never, Process.Self> = Effect.gen(function* () {
              yield* Process.spawnLink(below(length - 1))
              return yield* Effect.never
            })
            const far = yield* Deferred.make<typeof pid>()
            const below = (left: number): Effect.Effect<void, never, Process.Self> =>
              left === 0
                ? Effect.andThen(
                    Effect.flatMap(Process.self, (self) => Deferred.succeed(far, self)),
                    Effect.never
                  )
                : Effect.andThen(
                    Effect.suspend(() => Process.spawnLink(below(left - 1))),
                    Effect.never
                  )
            const pid = yield* Process.spawnLink(line)
            yield* Process.kill(yield* Deferred.await(far))
            const { from, reason } = yield* takeExit(inbox)
            assert.strictEqual(from, pid)
            assert.deepStrictEqual(reason, ExitReason.killed)
          }),
        { trapExit: true }
      )
    )
  }

  kernelTest(
    "#4 #5 Normal from another process does nothing, an abnormal reason ends it",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const pid = yield* Process.spawnLink(Effect.never)
          yield* Process.exit(pid, ExitReason.normal)
          yield* settle
          assert.isTrue(yield* Process.isAlive(pid))
          yield* Process.exit(pid, bang)
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(pid, bang))
          assert.isFalse(yield* Process.isAlive(pid))
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "Normal from another process reaches one that traps exits",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const me = yield* Process.self
          const other = yield* Process.spawn(Process.exit(me, ExitReason.normal))
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(other, ExitReason.normal))
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "#6 Normal to itself ends a process, and nothing after it runs",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          let after = false
          const pid = yield* Process.spawnLink(
            Effect.gen(function* () {
              yield* Process.exit(yield* Process.self, ExitReason.normal)
              after = true
            })
          )
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(pid, ExitReason.normal))
          assert.isFalse(after)
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "#8 a trapping process finds its own exit signal in its mailbox",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const me = yield* Process.self
          yield* Process.exit(me, bang)
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(me, bang))
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "#9 a signal cannot be caught",
    Effect.gen(function* () {
      const caught = yield* Ref.make(false)
      const pid = yield* Process.spawn(
        Effect.flatMap(Process.self, (self) => Process.exit(self, bang)).pipe(
          Effect.andThen(Effect.never),
          Effect.catchCause(() => Ref.set(caught, true))
        )
      )
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
    })
  )

  kernelTest(
    "#10 a reason comes back as it was sent",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const detail = { large: Array.from({ length: 1000 }, (_, i) => i) }
          const pid = yield* Process.spawnLink(Effect.never)
          yield* Process.exit(pid, ExitReason.shutdown(detail))
          const { reason } = yield* takeExit(inbox)
          assert.strictEqual(reason._tag === "Shutdown" ? reason.detail : undefined, detail)
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "#13 an unhandled error is a Crash with its cause",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const failed = yield* Process.spawnLink(Effect.fail("badarg"))
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(failed, ExitReason.crash(Cause.fail("badarg"))))
          const error = new Error("defect")
          yield* Process.spawnLink(Effect.die(error))
          const { reason } = yield* takeExit(inbox)
          assert.strictEqual(reason._tag === "Crash" ? Cause.squash(reason.cause) : undefined, error)
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "the first reason stands",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      const pid = yield* Process.spawn(
        Effect.uninterruptible(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate)))
      )
      yield* Deferred.await(begun)
      yield* Process.exit(pid, bang)
      yield* Process.exit(pid, ExitReason.shutdown("later"))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
      yield* Process.exit(pid, ExitReason.shutdown("too late"))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
    })
  )

  kernelTest(
    "trapExit returns the previous setting",
    asProcess(() =>
      Effect.gen(function* () {
        assert.isFalse(yield* Process.trapExit(true))
        assert.isTrue(yield* Process.trapExit(false))
      })
    )
  )
})

describe("an interruption no signal caused is a Crash", () => {
  const reasonOf = <A, E>(body: Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(body)
      return yield* Process.awaitExit(pid)
    })

  const bodies: Record<string, Effect.Effect<unknown, unknown>> = {
    "joining an interrupted fiber": Effect.gen(function* () {
      const fiber = yield* Effect.forkDetach(Effect.never)
      yield* Fiber.interrupt(fiber)
      return yield* Fiber.join(fiber)
    }),
    "a queue that is shut down": Effect.gen(function* () {
      const queue = yield* Queue.unbounded<number>()
      yield* Queue.shutdown(queue)
      return yield* Queue.take(queue)
    }),
    "Effect.interrupt": Effect.interrupt
  }
  for (const [title, body] of Object.entries(bodies)) {
    kernelTest(
      title,
      Effect.gen(function* () {
        const reason = yield* reasonOf(body)
        assert.strictEqual(reason._tag, "Crash")
        if (reason._tag === "Crash") assert.isTrue(Cause.hasInterruptsOnly(reason.cause))
      })
    )
  }
})

describe("kill", () => {
  kernelTest(
    "neighbours see Killed at once, while the fiber is in an uninterruptible region",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const gate = yield* Deferred.make<void>()
          const other = yield* Process.spawn((inbox: Process.Inbox<string>) =>
            Effect.andThen(inbox.take, () => Effect.never)
          )
          const trapping = yield* Process.spawn(() => Effect.never, { trapExit: true })
          const { pid, monitor } = yield* Process.spawnMonitor(
            Effect.uninterruptible(
              Effect.gen(function* () {
                yield* Deferred.succeed(begun, undefined)
                yield* Deferred.await(gate)
                yield* Process.send(other, "from a zombie")
                yield* Process.exit(trapping, bang)
              })
            )
          )
          yield* Process.link(pid)
          yield* Deferred.await(begun)
          yield* Process.kill(pid)
          assert.isFalse(yield* Process.isAlive(pid))
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(pid, ExitReason.killed))
          assert.deepStrictEqual(yield* inbox.take, new Signal.Down(monitor, pid, ExitReason.killed))
          assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
          assert.strictEqual((yield* Kernel.counts).zombies, 1)
          const before = (yield* Kernel.messages).dropped

          yield* Deferred.succeed(gate, undefined)
          yield* settle
          assert.strictEqual((yield* Kernel.counts).zombies, 0)
          assert.strictEqual((yield* Kernel.messages).dropped, before + 1)
          const info = yield* Process.info(trapping)
          assert.strictEqual(info._tag === "Some" ? info.value.mailboxLength : undefined, 0)
          yield* Process.kill(other)
          yield* Process.kill(trapping)
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "cannot be trapped",
    Effect.gen(function* () {
      const pid = yield* idle({ trapExit: true })
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
    })
  )

  kernelTest(
    "before the first step: links and monitors fire, the body never runs",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          let ran = false
          const spawnAndKill = Effect.gen(function* () {
            const { pid, monitor } = yield* Process.spawnMonitor(Effect.sync(() => (ran = true)))
            yield* Process.kill(pid)
            return { pid, monitor }
          })
          // The spawner keeps its turn, so nothing comes between.
          const { pid, monitor } = yield* Effect.provideService(spawnAndKill, Scheduler.PreventSchedulerYield, true)
          assert.deepStrictEqual(yield* inbox.take, new Signal.Down(monitor, pid, ExitReason.killed))
          yield* settle
          assert.isFalse(ran)
        }),
      { trapExit: true }
    ),
    100
  )

  kernelTest(
    "nothing after it runs in a process that kills itself",
    Effect.gen(function* () {
      let after = false
      const pid = yield* Process.spawn(
        Effect.gen(function* () {
          yield* Process.kill(yield* Process.self)
          after = true
        })
      )
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
      yield* settle
      assert.isFalse(after)
    })
  )

  kernelTest(
    "a killed process makes no links and no monitors any more",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const other = yield* idle()
      const child = yield* Deferred.make<typeof other>()
      const pid = yield* Process.spawn(
        Effect.uninterruptible(
          Effect.gen(function* () {
            yield* Deferred.succeed(begun, undefined)
            yield* Deferred.await(gate)
            yield* Process.link(other)
            yield* Process.monitor(other)
            yield* Deferred.succeed(child, yield* Process.spawnLink(Effect.never))
            yield* Process.spawnMonitor(Effect.void)
          })
        )
      )
      yield* Deferred.await(begun)
      yield* Process.kill(pid)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Process.awaitExit(yield* Deferred.await(child)), ExitReason.killed)
      const info = yield* Process.info(other)
      assert.isTrue(info._tag === "Some" && info.value.links.length === 0 && info.value.monitoredBy.length === 0)
      yield* Process.kill(other)
    })
  )

  kernelTest(
    "ends a process that waits uninterruptibly for a message that can no longer come",
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
        Effect.uninterruptible(Effect.andThen(Deferred.succeed(begun, undefined), inbox.take))
      )
      yield* Deferred.await(begun)
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
    })
  )
})

describe("finalizers", () => {
  kernelTest(
    "run, and the scope closes with the exit, before anybody hears of the death",
    Effect.gen(function* () {
      const trace: Array<string> = []
      yield* asProcess((inbox) =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          yield* Process.spawnMonitor(
            Effect.gen(function* () {
              const scope = yield* Scope.Scope
              yield* Scope.addFinalizerExit(scope, (exit) =>
                Effect.andThen(
                  Effect.yieldNow,
                  Effect.sync(() => trace.push(`scope ${exit._tag}`))
                )
              )
              yield* Effect.forkChild(
                Effect.onExit(Effect.never, () => Effect.sync(() => trace.push("child fiber"))),
                { startImmediately: true }
              )
              yield* Deferred.await(gate)
            }).pipe(Effect.ensuring(Effect.sync(() => trace.push("body"))))
          )
          yield* settle
          yield* Deferred.succeed(gate, undefined)
          yield* inbox.receive(Signal.isDown)
          trace.push("down")
        })
      )
      assert.deepStrictEqual(trace, ["body", "child fiber", "scope Success", "down"])
    })
  )

  kernelTest(
    "run after a kill, too",
    Effect.gen(function* () {
      const closed = yield* Deferred.make<Exit.Exit<unknown, unknown>>()
      const begun = yield* Deferred.make<void>()
      const pid = yield* Process.spawn(
        Effect.gen(function* () {
          yield* Scope.addFinalizerExit(yield* Scope.Scope, (exit) => Deferred.succeed(closed, exit))
          yield* Deferred.succeed(begun, undefined)
          return yield* Effect.never
        })
      )
      yield* Deferred.await(begun)
      yield* Process.kill(pid)
      assert.isTrue(Exit.hasInterrupts(yield* Deferred.await(closed)))
    })
  )

  kernelTest(
    "one that dies makes the end a crash",
    Effect.gen(function* () {
      const defect = new Error("finalizer")
      const pid = yield* Process.spawn(Effect.addFinalizer(() => Effect.die(defect)))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.defect(defect))
    })
  )

  kernelTest(
    "one that fails to end leaves a process that exits, and a kill does not wait for it",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const pid = yield* Process.spawn(Effect.addFinalizer(() => Deferred.await(gate)))
      yield* settle
      const info = yield* Process.info(pid)
      assert.strictEqual(info._tag === "Some" ? info.value.status : undefined, "exiting")
      assert.isTrue(yield* Process.isAlive(pid))
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
      assert.strictEqual((yield* Kernel.counts).zombies, 1)
      yield* Deferred.succeed(gate, undefined)
    })
  )

  kernelTest(
    "one that kills a helper also does so after a kill",
    Effect.gen(function* () {
      const helper = yield* Deferred.make<Effect.Success<ReturnType<typeof idle>>>()
      const pid = yield* Process.spawn(
        Effect.gen(function* () {
          yield* Deferred.succeed(helper, yield* Effect.acquireRelease(idle(), Process.kill))
          return yield* Effect.never
        })
      )
      const worker = yield* Deferred.await(helper)
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Process.awaitExit(worker), ExitReason.killed)
    })
  )
})

describe("in hand and waiting", () => {
  kernelTest(
    "#12 the code after a receive does not run once an exit signal has come",
    Effect.gen(function* () {
      let after = false
      const begun = yield* Deferred.make<void>()
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.andThen(Effect.timeoutOption(inbox.take, "1 second")),
          Effect.andThen(Effect.sync(() => (after = true)))
        )
      )
      yield* Deferred.await(begun)
      yield* Process.exit(pid, bang)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), bang)
      assert.isFalse(after)
    })
  )

  kernelTest(
    "a mailbox with a bound refuses no signal",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const me = yield* Process.self
          const pids = yield* Effect.replicateEffect(Process.spawnLink(Effect.void), 5)
          for (const pid of pids) yield* Process.awaitExit(pid)
          const info = yield* Process.info(me)
          assert.strictEqual(info._tag === "Some" ? info.value.mailboxLength : undefined, 5)
          for (const _ of pids) assert.deepStrictEqual((yield* takeExit(inbox)).reason, ExitReason.normal)
        }),
      { trapExit: true, mailbox: Mailbox.bound({ capacity: 1, strategy: "fail" }) }
    )
  )
})

describe("a kernel of its own", () => {
  it.effect("kills what is left when it closes, and what its finalizers start", () =>
    Effect.gen(function* () {
      const trace: Array<string> = []
      const late = Process.spawn(Effect.onInterrupt(Effect.never, () => Effect.sync(() => trace.push("late"))))
      yield* Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        yield* Process.spawn(
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() => Effect.andThen(late, settle))
            yield* Deferred.succeed(begun, undefined)
            return yield* Effect.never
          })
        )
        yield* Deferred.await(begun)
      }).pipe(Effect.provide(Kernel.layer))
      assert.deepStrictEqual(trace, ["late"])
    })
  )

  it.effect("belongs to the effect that it is provided to, in a process, too", () =>
    inKernel(
      asProcess(() =>
        Effect.gen(function* () {
          const me = yield* Process.self
          yield* Effect.gen(function* () {
            const inner = yield* Process.spawn(Process.ancestors)
            assert.deepStrictEqual(yield* Kernel.processes, [inner])
            assert.isFalse((yield* Kernel.processes).includes(me))
            yield* Process.awaitExit(inner)
          }).pipe(Effect.provide(Kernel.layer))
          assert.deepStrictEqual(yield* Kernel.processes, [me])
        })
      )
    )
  )
})
