import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Option } from "effect"
import type { Pid } from "effect-otp/kernel"
import { ExitReason, Kernel, Process, Signal } from "effect-otp/kernel"
import { asProcess, idle, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"

const bang = ExitReason.shutdown("bang")
const trapping = { trapExit: true }

const infoOf = (pid: Pid.Pid) => Effect.map(Process.info(pid), Option.getOrThrow)
const dead = Effect.gen(function* () {
  const pid = yield* Process.spawn(Effect.void)
  yield* Process.awaitExit(pid)
  return pid
})
const noMore = <M>(inbox: Process.Inbox<M>) =>
  Effect.gen(function* () {
    yield* settle
    assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
  })

describe("links", () => {
  kernelTest(
    "#17 linking twice is the same as once, linking to itself does nothing, and unlink removes a link",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const me = yield* Process.self
          const pid = yield* idle()
          yield* Process.link(pid)
          yield* Process.link(pid)
          yield* Process.link(me)
          assert.deepStrictEqual((yield* infoOf(me)).links, [pid])
          assert.deepStrictEqual((yield* infoOf(pid)).links, [me])
          yield* Process.unlink(pid)
          assert.deepStrictEqual((yield* infoOf(me)).links, [])
          assert.deepStrictEqual((yield* infoOf(pid)).links, [])
          yield* Process.exit(pid, bang)
          yield* Process.awaitExit(pid)
          yield* noMore(inbox)
        }),
      trapping
    )
  )

  kernelTest(
    "an abnormal reason ends a linked process, Normal does not",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const ends = yield* Deferred.make<Pid.Pid>()
      const parent = yield* Process.spawn(
        Effect.gen(function* () {
          yield* Process.spawnLink(Effect.void)
          yield* Deferred.succeed(
            ends,
            yield* Process.spawnLink(Effect.andThen(Deferred.await(gate), Effect.fail("kaboom")))
          )
          return yield* Effect.never
        })
      )
      yield* settle
      assert.isTrue(yield* Process.isAlive(parent))
      yield* Deferred.succeed(gate, undefined)
      const reason = yield* Process.awaitExit(yield* Deferred.await(ends))
      assert.strictEqual(yield* Process.awaitExit(parent), reason)
      assert.strictEqual(reason._tag, "Crash")
    })
  )

  kernelTest(
    "#18 after unlink no Exit of the link arrives, and one that has arrived is taken out",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const alive = yield* Process.spawnLink(Effect.never)
          yield* Process.exit(alive, bang)
          yield* Process.unlink(alive)
          yield* Process.awaitExit(alive)
          yield* noMore(inbox)

          const gone = yield* Process.spawnLink(Effect.void)
          yield* Process.awaitExit(gone)
          yield* Process.unlink(gone)
          yield* noMore(inbox)
        }),
      trapping
    )
  )

  kernelTest(
    "unlink keeps a signal that the other sent by exit while it lived",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const me = yield* Process.self
          const other = yield* Process.spawnLink(Process.exit(me, bang))
          yield* Process.awaitExit(other)
          yield* Process.unlink(other)
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(other, bang))
          yield* noMore(inbox)
        }),
      trapping
    )
  )

  kernelTest(
    "unlink that takes a signal out of a full mailbox lets the next sender in",
    asProcess(
      (inbox: Process.Inbox<string>) =>
        Effect.gen(function* () {
          const me = inbox.pid
          const gone = yield* Process.spawnLink(Effect.void)
          yield* Process.awaitExit(gone)
          const sender = yield* Process.spawn(Process.send(me, "waits"))
          yield* settle
          assert.isTrue(yield* Process.isAlive(sender))
          yield* Process.unlink(gone)
          assert.deepStrictEqual(yield* Process.awaitExit(sender), ExitReason.normal)
          assert.strictEqual(yield* inbox.take, "waits")
        }),
      { trapExit: true, mailbox: { capacity: 1, strategy: "suspend" } }
    )
  )

  kernelTest(
    "#20 a linked child of a process that ends at any moment ends with it",
    Effect.gen(function* () {
      const children: Array<Pid.Pid> = []
      const parents = yield* Effect.replicateEffect(
        Process.spawn(
          Effect.gen(function* () {
            const child = yield* Process.spawnLink(Effect.never)
            children.push(child)
            return yield* Effect.never
          })
        ),
        20
      )
      for (const parent of parents) yield* Process.exit(parent, bang)
      for (const parent of parents) assert.deepStrictEqual(yield* Process.awaitExit(parent), bang)
      for (const child of children) assert.deepStrictEqual(yield* Process.awaitExit(child), bang)
    })
  )

  kernelTest(
    "to a dead process: an Exit with NoProcess if exits are trapped, otherwise an error",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const pid = yield* dead
        assert.deepStrictEqual(
          yield* Effect.exit(Process.link(pid)),
          Exit.fail(new Process.NoProcess({ process: pid }))
        )
        yield* Process.trapExit(true)
        yield* Process.link(pid)
        assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(pid, ExitReason.noProcess))
      })
    )
  )

  it.effect(
    "a chain of 100,000 linked processes ends without deep recursion",
    () =>
      inKernel(
        Effect.gen(function* () {
          const length = 100_000
          const all: Array<Pid.Pid> = []
          const hub = yield* asProcess(() =>
            Effect.gen(function* () {
              let previous: Pid.Pid | undefined
              for (let i = 0; i < length; i++) {
                const next: Pid.Pid =
                  previous === undefined
                    ? yield* idle()
                    : yield* Process.spawn(Effect.andThen(Effect.orDie(Process.link(previous)), Effect.never))
                all.push(next)
                previous = next
              }
              return previous!
            })
          )
          yield* settle
          assert.strictEqual((yield* Kernel.counts).processes, length)
          yield* Process.exit(hub, bang)
          assert.deepStrictEqual(yield* Process.awaitExit(all[0]!), bang)
          assert.strictEqual((yield* Kernel.counts).processes, 0)
        })
      ),
    60_000
  )
})

describe("monitors", () => {
  kernelTest(
    "#21 Down carries the reason, and NoProcess for a process that was dead already",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const normal = yield* Process.spawnMonitor(Effect.void)
        assert.deepStrictEqual(yield* inbox.take, new Signal.Down(normal.monitor, normal.pid, ExitReason.normal))
        const ended = yield* Process.spawnMonitor(Effect.never)
        yield* Process.exit(ended.pid, bang)
        assert.deepStrictEqual(yield* inbox.take, new Signal.Down(ended.monitor, ended.pid, bang))
        const monitor = yield* Process.monitor(ended.pid)
        assert.deepStrictEqual(yield* inbox.take, new Signal.Down(monitor, ended.pid, ExitReason.noProcess))
        yield* noMore(inbox)
      })
    )
  )

  kernelTest(
    "each monitor is its own and yields exactly one Down",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const pid = yield* idle()
        const refs = yield* Effect.replicateEffect(Process.monitor(pid), 3)
        yield* Process.kill(pid)
        for (const ref of refs) {
          assert.deepStrictEqual(yield* inbox.take, new Signal.Down(ref, pid, ExitReason.killed))
        }
        yield* noMore(inbox)
      })
    )
  )

  kernelTest(
    "#24 demonitor gives true if no Down will come, false if it had come; none is left in the mailbox",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const refs = yield* Effect.replicateEffect(Process.spawnMonitor(Effect.yieldNow), 30)
        for (const { monitor, pid } of refs) {
          const wasAlive = yield* Process.isAlive(pid)
          const watched = yield* Process.demonitor(monitor)
          if (!wasAlive) assert.isFalse(watched)
        }
        yield* noMore(inbox)
        assert.deepStrictEqual((yield* infoOf(yield* Process.self)).monitors, [])
      })
    )
  )

  kernelTest(
    "#25 after exit and demonitor nothing arrives",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const { pid, monitor } = yield* Process.spawnMonitor(Effect.never)
        yield* Process.exit(pid, bang)
        yield* Process.demonitor(monitor)
        yield* Process.awaitExit(pid)
        yield* noMore(inbox)
      })
    )
  )

  kernelTest(
    "#26 demonitor of another process's monitor does nothing",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const { pid, monitor } = yield* Process.spawnMonitor(Effect.never)
        const stranger = yield* Process.spawn(
          Effect.gen(function* () {
            assert.isTrue(yield* Process.demonitor(monitor))
          })
        )
        assert.deepStrictEqual(yield* Process.awaitExit(stranger), ExitReason.normal)
        yield* Process.kill(pid)
        assert.deepStrictEqual(yield* inbox.take, new Signal.Down(monitor, pid, ExitReason.killed))
        assert.isFalse(yield* Process.demonitor(monitor))
        assert.isFalse(yield* Process.demonitor(monitor))
      })
    )
  )

  kernelTest(
    "#28 the lists are empty after demonitor, after the target's end and after the watcher's",
    asProcess(() =>
      Effect.gen(function* () {
        const me = yield* Process.self
        const target = yield* idle()
        const ref = yield* Process.monitor(target)
        assert.deepStrictEqual((yield* infoOf(me)).monitors, [target])
        assert.deepStrictEqual((yield* infoOf(target)).monitoredBy, [me])
        yield* Process.demonitor(ref)
        assert.deepStrictEqual((yield* infoOf(me)).monitors, [])
        assert.deepStrictEqual((yield* infoOf(target)).monitoredBy, [])

        const watcher = yield* Process.spawn(Effect.andThen(Process.monitor(target), Effect.fail("crash")))
        yield* Process.awaitExit(watcher)
        assert.deepStrictEqual((yield* infoOf(target)).monitoredBy, [])

        const ended = yield* Process.spawnMonitor(Effect.void)
        yield* Process.awaitExit(ended.pid)
        assert.deepStrictEqual((yield* infoOf(me)).monitors, [])
        yield* Process.kill(target)
      })
    )
  )

  kernelTest(
    "a monitor of itself never fires",
    Effect.gen(function* () {
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
        Effect.gen(function* () {
          yield* Process.monitor(inbox.pid)
          yield* inbox.take
        })
      )
      yield* settle
      yield* Process.kill(pid)
      const { accepted } = yield* Kernel.messages
      assert.strictEqual(accepted, 0)
    })
  )

  kernelTest(
    "Down comes after every message the process sent",
    asProcess((inbox: Process.Inbox<number>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        const { monitor, pid } = yield* Process.spawnMonitor(
          Effect.gen(function* () {
            for (let i = 0; i < 5; i++) yield* Process.send(me, i)
          })
        )
        const got = yield* Effect.replicateEffect(inbox.take, 6)
        assert.deepStrictEqual(got, [0, 1, 2, 3, 4, new Signal.Down(monitor, pid, ExitReason.normal)])
      })
    )
  )
})

describe("links and monitors", () => {
  kernelTest(
    "#338 Exit comes before Down",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const { pid, monitor } = yield* Process.spawnMonitor(Effect.never)
          yield* Process.link(pid)
          yield* Process.exit(pid, bang)
          assert.deepStrictEqual(yield* inbox.take, new Signal.Exit(pid, bang))
          assert.deepStrictEqual(yield* inbox.take, new Signal.Down(monitor, pid, bang))
        }),
      trapping
    )
  )

  kernelTest(
    "#14 are in place when spawn returns, so that no early end is missed",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const linked = yield* Process.spawnLink(Effect.die("undef"))
          assert.strictEqual((yield* inbox.receive(Signal.isExit)).from, linked)
          const { monitor } = yield* Process.spawnMonitor(Effect.die("undef"))
          assert.strictEqual((yield* inbox.receive(Signal.isDown)).monitor, monitor)
        }),
      trapping
    )
  )
})
