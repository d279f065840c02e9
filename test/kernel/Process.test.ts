import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Equal, Fiber, Hash, Layer, Option, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { ExitReason, Kernel, Pid, Process, Signal, Timer } from "effect-otp/kernel"
import type { ProcessRecord } from "../../src/kernel/shared/processRecord.ts"
import { neverFreed } from "../fixtures/garbage.ts"
import { asProcess, idle, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"

const infoOf = (pid: Pid.Pid) => Effect.map(Process.info(pid), Option.getOrThrow)

describe("a pid", () => {
  kernelTest(
    "is unique, can be compared, hashed, printed and recognised",
    Effect.gen(function* () {
      const a = yield* idle()
      const b = yield* idle()
      assert.isTrue(Equal.equals(a, a))
      assert.isFalse(Equal.equals(a, b))
      assert.strictEqual(Hash.hash(a), Hash.hash(a))
      assert.strictEqual(String(a), `<0.${a.id}>`)
      assert.strictEqual(JSON.stringify(a), `"<0.${a.id}>"`)
      assert.isAbove(b.id, a.id)
      assert.isTrue(Pid.isPid(a))
      for (const other of [undefined, null, 1, "<0.1>", {}, { id: 1 }]) assert.isFalse(Pid.isPid(other))
      yield* Process.kill(a)
      yield* Process.kill(b)
      assert.isTrue(Pid.isPid(a))
      assert.strictEqual(String(a), `<0.${a.id}>`)
    })
  )
})

describe("a process", () => {
  kernelTest(
    "knows itself, its label and the processes above it",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const me = yield* Process.self
          assert.strictEqual(me, inbox.pid)
          yield* Process.setLabel("mine")
          assert.strictEqual((yield* infoOf(me)).label, "mine")
          const found = yield* Deferred.make<ReadonlyArray<Pid.Pid>>()
          const child = yield* Process.spawn(
            Effect.gen(function* () {
              yield* Process.awaitExit(
                yield* Process.spawn(Effect.flatMap(Process.ancestors, (pids) => Deferred.succeed(found, pids)))
              )
            })
          )
          assert.deepStrictEqual(yield* Deferred.await(found), [child, me])
          assert.strictEqual((yield* infoOf(me)).parent, undefined)
          yield* Process.awaitExit(child)
        }),
      { label: "first" }
    )
  )

  kernelTest(
    "tells what is known of it while it lives",
    asProcess(
      () =>
        Effect.gen(function* () {
          const me = yield* Process.self
          const { pid } = yield* Process.spawnMonitor(() => Effect.never, {
            label: "child",
            trapExit: true,
            mailbox: { capacity: 3, strategy: "fail" }
          })
          yield* Process.link(pid)
          yield* Process.exit(pid, ExitReason.shutdown())
          const { messages, ...info } = yield* infoOf(pid)
          assert.deepStrictEqual(info, {
            pid,
            displayName: "child",
            name: undefined,
            label: "child",
            status: "running",
            parent: me,
            trapExit: true,
            links: [me],
            monitors: [],
            monitoredBy: [me],
            mailboxLength: 1
          })
          assert.deepStrictEqual([messages.accepted, messages.pending], [1, 1])
          yield* Process.unlink(pid)
          yield* Process.kill(pid)
          assert.deepStrictEqual(yield* Process.info(pid), Option.none())
          assert.isFalse(yield* Process.isAlive(pid))
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "knows its callers, without dead ones",
    asProcess(() =>
      Effect.gen(function* () {
        const me = yield* Process.self
        const generation = (left: number): Effect.Effect<void, never, Process.Self> =>
          left === 0
            ? Effect.flatMap(Process.Callers, (callers) => Deferred.succeed(found, callers))
            : Effect.flatMap(Process.self, (self) =>
                Effect.asVoid(
                  Process.spawn(
                    Effect.andThen(
                      // Every other one waits until the one before has ended.
                      left % 2 === 0 ? Effect.void : Process.awaitExit(self),
                      Effect.suspend(() => generation(left - 1))
                    )
                  )
                )
              )
        const found = yield* Deferred.make<ReadonlyArray<Pid.Pid>>()
        yield* generation(2).pipe(Process.spawn)
        const callers = yield* Deferred.await(found)
        assert.strictEqual(callers.at(-1), me)
        assert.isAtMost(callers.length, 3)
      })
    )
  )

  kernelTest(
    "awaitExit waits, can be interrupted, and knows the reason of a dead process",
    Effect.gen(function* () {
      const pid = yield* idle()
      const waiting = yield* Effect.forkChild(Process.awaitExit(pid))
      const leaves = yield* Effect.forkChild(Process.awaitExit(pid))
      yield* settle
      yield* Fiber.interrupt(leaves)
      yield* Process.exit(pid, ExitReason.shutdown("now"))
      assert.deepStrictEqual(yield* Fiber.join(waiting), ExitReason.shutdown("now"))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.shutdown("now"))
    })
  )

  kernelTest(
    "has the services and the references of its spawner, but not its span",
    Effect.gen(function* () {
      class Config extends Context.Service<Config, { readonly size: number }>()("test/Config") {}
      const Reference = Context.Reference<string>("test/Reference", { defaultValue: () => "default" })
      const done = yield* Deferred.make<unknown>()
      yield* Process.spawn(
        Effect.gen(function* () {
          const span = yield* Effect.serviceOption(Tracer.ParentSpan)
          yield* Deferred.succeed(done, [(yield* Config).size, yield* Reference, span._tag])
        })
      ).pipe(
        Effect.provideService(Config, { size: 3 }),
        Effect.provideService(Reference, "given"),
        Effect.withSpan("outside")
      )
      assert.deepStrictEqual(yield* Deferred.await(done), [3, "given", "None"])
    })
  )
})

describe("a death", () => {
  kernelTest(
    "comes in order: not alive, Exit, Down, then callers that await it",
    Effect.gen(function* () {
      const trace: Array<string> = []
      const pid = yield* idle()
      const ready = yield* Deferred.make<void>()
      const watcher = yield* Process.spawn(
        (inbox) =>
          Effect.gen(function* () {
            yield* Process.monitor(pid)
            yield* Effect.orDie(Process.link(pid))
            yield* Deferred.succeed(ready, undefined)
            for (let i = 0; i < 2; i++) {
              const signal = yield* inbox.take
              assert.isFalse(yield* Process.isAlive(pid))
              trace.push(Signal.isExit(signal) ? "exit" : "down")
            }
          }),
        { trapExit: true }
      )
      yield* Deferred.await(ready)
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Process.awaitExit(watcher), ExitReason.normal)
      assert.deepStrictEqual(trace, ["exit", "down"])
    })
  )

  it.effect("frees state, context and fiber, though the pid is kept", () =>
    inKernel(
      Effect.gen(function* () {
        class Held extends Context.Service<Held, object>()("test/Held") {}
        const refs: Array<WeakRef<object>> = []
        const held = () => {
          const made = { large: Array.from({ length: 1000 }, () => 0) }
          refs.push(new WeakRef(made))
          return made
        }
        const make = (end: (pid: Pid.Pid) => Effect.Effect<void>) =>
          Effect.gen(function* () {
            const state = held()
            const pid = yield* Process.spawn((inbox) =>
              Effect.gen(function* () {
                yield* Effect.addFinalizer(() => Effect.sync(() => state))
                const fiber = yield* Effect.withFiber((fiber) => Effect.succeed(fiber))
                refs.push(new WeakRef(fiber))
                yield* inbox.receive(() => state === undefined)
                return state
              })
            ).pipe(Effect.provideService(Held, held()))
            yield* settle
            yield* end(pid)
            return pid
          })
        const kept = [
          yield* make((pid) => Process.exit(pid, ExitReason.shutdown())),
          yield* make(Process.kill),
          yield* make((pid) => Process.exit(pid, ExitReason.defect("crash")))
        ]
        yield* settle
        assert.strictEqual(refs.length, 9)
        assert.strictEqual(yield* neverFreed(refs), 0)
        assert.strictEqual(kept.length, 3)
      })
    )
  )

  it.effect("processes that start their successors leave no chain behind", () =>
    inKernel(
      Effect.gen(function* () {
        const last = yield* Deferred.make<Pid.Pid>()
        const callers = yield* Deferred.make<number>()
        const generation = (left: number): Effect.Effect<void, never, Process.Self> =>
          Effect.gen(function* () {
            const predecessor = (yield* infoOf(yield* Process.self)).parent
            if (predecessor !== undefined) yield* Process.awaitExit(predecessor)
            if (left > 0) return void (yield* Process.spawn(generation(left - 1)))
            yield* Deferred.succeed(last, yield* Process.self)
            yield* Deferred.succeed(callers, (yield* Process.Callers).length)
          })
        yield* Process.spawn(generation(300))
        const pid = yield* Deferred.await(last)
        yield* Process.awaitExit(pid)
        yield* settle
        let length = 0
        for (let at = (pid as unknown as ProcessRecord).parent; at !== undefined; at = at.parent) length++
        assert.isAtMost(length, 2)
        assert.isAtMost(yield* Deferred.await(callers), 2)
      })
    )
  )
})

describe("a kernel", () => {
  kernelTest(
    "counts and lists its processes, oldest first",
    Effect.gen(function* () {
      const all = yield* Effect.replicateEffect(idle(), 3)
      assert.deepStrictEqual(yield* Kernel.processes, all)
      assert.deepStrictEqual(yield* Kernel.counts, { processes: 3, zombies: 0, timers: 0, names: 0, lateReplies: 0 })
      yield* Process.kill(all[1]!)
      assert.deepStrictEqual(yield* Kernel.processes, [all[0]!, all[2]!])
      yield* Process.kill(all[0]!)
      yield* Process.kill(all[2]!)
    })
  )

  it.effect("shares nothing with another kernel", () =>
    Effect.gen(function* () {
      const ids = yield* Effect.replicateEffect(
        inKernel(Effect.map(Effect.tap(idle(), Process.kill), ({ id }) => id)),
        2
      )
      assert.deepStrictEqual(ids, [1, 1])
    })
  )

  it.live("keeps its promises on the run-queue scheduler, too", () =>
    inKernel(
      asProcess((inbox: Process.Inbox<number>) =>
        Effect.gen(function* () {
          const me = inbox.pid
          const { monitor, pid } = yield* Process.spawnMonitor(Effect.forEach([1, 2, 3], (i) => Process.send(me, i)))
          const got = yield* Effect.replicateEffect(inbox.take, 4)
          assert.deepStrictEqual(got, [1, 2, 3, new Signal.Down(monitor, pid, ExitReason.normal)])
        })
      )
    ).pipe(Effect.provide(Kernel.layerScheduler))
  )

  it.effect("drops its timers when it closes", () =>
    Effect.gen(function* () {
      let resolved = 0
      const address: Timer.Address<number> = { resolve: () => void resolved++ }
      const timers = yield* Effect.provide(
        Effect.all([Timer.sendAfter(address, 1, 10), Timer.sendEvery(address, 1, 20), Timer.sendAfter(address, 1, 20)]),
        Kernel.layer
      )
      for (const timer of timers) assert.deepStrictEqual(yield* Timer.read(timer), Option.none())
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(resolved, 0)
    })
  )

  it.effect("is kept alive by its layer, and ends with it", () =>
    Effect.gen(function* () {
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const context = yield* Layer.build(Kernel.layer)
          return yield* Effect.provide(idle(), context)
        })
      )
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
    })
  )
})
