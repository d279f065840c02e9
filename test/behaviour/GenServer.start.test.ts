import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Scope } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Kernel, Process, Signal } from "effect-otp/kernel"
import { Name } from "effect-otp/naming"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { asProcess, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"
import { seeds } from "../fixtures/seeds.ts"
import {
  beside,
  crashReports,
  ended,
  failure,
  get,
  later,
  layer,
  noProcess,
  pidOf,
  Puppet,
  running,
  set,
  start
} from "./puppet.ts"

/** A resource that at most one process may hold. A second one is a defect. */
const makeLock = () => {
  let held = 0
  let acquired = 0
  return {
    lock: Effect.acquireRelease(
      Effect.suspend(() => {
        acquired++
        return held++ === 0 ? Effect.void : Effect.die("held twice")
      }),
      // It takes time, so code that does not wait for it finds the lock held.
      () =>
        Effect.andThen(
          Effect.repeat(Effect.yieldNow, { times: 5 }),
          Effect.sync(() => held--)
        )
    ),
    acquired: () => acquired,
    isFree: () => held === 0
  }
}

const nobody = Effect.map(Kernel.counts, ({ processes, zombies, names }) =>
  assert.deepStrictEqual({ processes, zombies, names }, { processes: 0, zombies: 0, names: 0 })
)

describe("start", () => {
  kernelTest(
    "returns a client when init has succeeded",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<number>()
      const starting = yield* beside(start({ init: Deferred.await(gate) }))
      yield* running(starting)
      yield* Deferred.succeed(gate, 7)
      const puppet = yield* Fiber.join(starting)
      assert.strictEqual(yield* puppet.call(get), 7)
    })
  )

  kernelTest(
    "#61 fails with the failure of init, with no signal and no report",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const reports = yield* crashReports
          for (const wait of [Effect.void, Effect.yieldNow]) {
            const exit = yield* Effect.exit(start({ init: Effect.andThen(wait, Effect.fail("stopped")) }))
            assert.deepStrictEqual(exit, Exit.fail("stopped"))
          }
          yield* settle
          assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
          assert.deepStrictEqual(reports, [])
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "#64 dies with the defect of init, and reports it once",
    asProcess(
      (inbox) =>
        Effect.gen(function* () {
          const reports = yield* crashReports
          const defect = new Error("undef")
          const exit = yield* Effect.exit(start({ init: Effect.die(defect), name: "test/undef" }))
          assert.deepStrictEqual(exit, Exit.die(defect))
          yield* settle
          assert.deepStrictEqual(yield* inbox.poll(() => true), Option.none())
          assert.deepStrictEqual(
            reports.map(({ label, name, cause }) => [label, name, cause]),
            [["test/Puppet", "test/undef", Cause.die(defect)]]
          )
        }),
      { trapExit: true }
    )
  )

  kernelTest(
    "an interruption inside init is not an interruption of the starter",
    Effect.gen(function* () {
      const exit = yield* Effect.exit(start({ init: Effect.interrupt }))
      assert.isTrue(Exit.hasDies(exit) && !Exit.hasInterrupts(exit))
      yield* nobody
    })
  )

  kernelTest(
    "#61 #65 a start that failed has left nothing: not the process, not its scope, not its name",
    Effect.gen(function* () {
      const { acquired, isFree, lock } = makeLock()
      const hang = Effect.asVoid(Effect.timeout(Effect.never, 200))
      const ways = [
        Effect.fail("stopped"),
        Effect.die("bailout"),
        Effect.interrupt,
        Effect.mapError(hang, () => "timeout")
      ]
      for (let round = 0; round < 5; round++) {
        for (const way of ways) {
          const init = Effect.as(Effect.andThen(lock, Effect.andThen(Effect.yieldNow, way)), 0)
          const starting = yield* beside(Effect.exit(start({ init, name: "test/once" })))
          if (starting.pollUnsafe() === undefined) yield* later(200)
          assert.isTrue(Exit.isFailure(yield* Fiber.join(starting)))
          assert.isTrue(isFree())
          yield* nobody
          assert.deepStrictEqual(yield* Name.registered, [])
        }
      }
      assert.strictEqual(acquired(), 20)
    }),
    10
  )

  kernelTest(
    "#65 terminate does not run when init failed",
    Effect.gen(function* () {
      const ran: Array<string> = []
      const terminate = () => Effect.sync(() => void ran.push("terminate"))
      const init = Effect.andThen(
        Effect.addFinalizer(() => Effect.sync(() => void ran.push("finalizer"))),
        Effect.fail("no")
      )
      assert.deepStrictEqual(yield* Effect.exit(start({ init, terminate })), Exit.fail("no"))
      assert.deepStrictEqual(ran, ["finalizer"])
    })
  )

  kernelTest(
    "#53 an init that never returns ends by a timeout inside it, or by interrupting the start",
    Effect.gen(function* () {
      const { isFree, lock } = makeLock()
      const init = Effect.andThen(lock, Effect.never)
      const starting = yield* beside(start({ init, name: "test/never" }))
      yield* running(starting)
      assert.deepStrictEqual(yield* Name.registered, ["test/never"])
      yield* Fiber.interrupt(starting)
      assert.isTrue(isFree())
      yield* nobody
    })
  )

  kernelTest(
    "a starter that is interrupted waits for the finalizers of a half-started server",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = Effect.andThen(
        Effect.addFinalizer(() => Deferred.await(gate)),
        Effect.never
      )
      const starting = yield* beside(start({ init }))
      const interrupting = yield* beside(Fiber.interrupt(starting))
      yield* running(interrupting)
      yield* Deferred.succeed(gate, undefined)
      yield* ended(interrupting)
      yield* nobody
    })
  )

  it.effect("a starter interrupted at any step leaves no server behind, or one that its scope ends", () =>
    SeededScheduler.explore(
      (seed) =>
        inKernel(
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const init = Effect.as(Effect.repeat(Effect.yieldNow, { times: seed % 5 }), 0)
            const starting = yield* Effect.forkChild(Effect.provideService(start({ init }), Scope.Scope, scope))
            for (let step = 0; step < seed % 17; step++) yield* Effect.yieldNow
            yield* Fiber.interrupt(starting)
            yield* Scope.close(scope, Exit.void)
            yield* nobody
          })
        ),
      { seeds: seeds(1000) }
    )
  )

  kernelTest(
    "#62 the loser of a clash of names gets AlreadyStarted and its init never runs",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      let inits = 0
      const init = Effect.as(
        Effect.andThen(
          Effect.sync(() => inits++),
          Deferred.await(gate)
        ),
        0
      )
      const first = yield* beside(start({ init, name: "test/one" }))
      const holder = Option.getOrThrow(yield* Name.whereis(Name.make("test/one")))
      // While the first is in its init, and afterwards.
      const clash = Exit.fail(new Name.AlreadyStarted({ processName: "test/one", pid: holder }))
      assert.deepStrictEqual(yield* Effect.exit(start({ init, name: "test/one" })), clash)
      yield* Deferred.succeed(gate, undefined)
      const puppet = yield* Fiber.join(first)
      assert.strictEqual(yield* pidOf(puppet), holder)
      assert.deepStrictEqual(yield* Effect.exit(start({ init, name: () => "test/one" })), clash)
      assert.strictEqual(inits, 1)
      assert.strictEqual((yield* Kernel.counts).processes, 1)
    })
  )

  kernelTest(
    "with a name that is empty, or cannot be computed, nothing is started",
    Effect.gen(function* () {
      const boom = new Error("boom")
      const throwing = () => {
        throw boom
      }
      assert.deepStrictEqual(yield* Effect.exit(start({ name: throwing })), Exit.die(boom))
      const empty = yield* Effect.exit(start({ name: () => "" }))
      assert.isTrue(Exit.isFailure(empty) && Cause.squash(empty.cause) instanceof RangeError)
      assert.throws(() => start({ name: "" }), RangeError)
      yield* nobody
    })
  )

  kernelTest(
    "the parent and the name are in place when init runs",
    asProcess(() =>
      Effect.gen(function* () {
        const me = yield* Process.self
        const seen: Array<unknown> = []
        const init = Effect.gen(function* () {
          const self = yield* Process.self
          seen.push(
            (yield* Process.ancestors)[0],
            Option.getOrThrow(yield* Name.whereis(Name.make("test/me"))) === self
          )
          seen.push(Option.getOrThrow(yield* Process.info(self)).status)
          return 0
        })
        yield* start({ init, name: "test/me" })
        assert.deepStrictEqual(seen, [me, true, "starting"])
      })
    )
  )

  for (const [what, end] of [
    ["killed", Process.kill],
    ["ended by a signal", (pid: Parameters<typeof Process.kill>[0]) => Process.exit(pid, ExitReason.killed)]
  ] as const) {
    kernelTest(
      `a server ${what} during init is dead before start returns, and start dies`,
      Effect.gen(function* () {
        const { isFree, lock } = makeLock()
        const name = Name.make("test/victim")
        const starting = yield* beside(
          Effect.exit(start({ init: Effect.andThen(lock, Effect.never), name: name.name }))
        )
        yield* end(Option.getOrThrow(yield* Name.whereis(name)))
        const exit = yield* Fiber.join(starting)
        assert.isTrue(isFree())
        assert.isTrue(Exit.hasDies(exit) && !Exit.hasInterrupts(exit), String(exit))
        assert.match(
          String(Exit.isFailure(exit) && Cause.squash(exit.cause)),
          /test\/Puppet ended before its init had succeeded: Killed/
        )
        yield* nobody
      })
    )
  }

  kernelTest(
    "a kill during an uninterruptible init frees the name at once, and start returns when init has ended",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const name = Name.make("test/slow")
      const init = Effect.uninterruptible(Effect.as(Deferred.await(gate), 0))
      const starting = yield* beside(Effect.exit(start({ init, name: name.name })))
      yield* Process.kill(Option.getOrThrow(yield* Name.whereis(name)))
      assert.deepStrictEqual(yield* Name.whereis(name), Option.none())
      yield* running(starting)
      assert.strictEqual((yield* Kernel.counts).zombies, 1)
      yield* Deferred.succeed(gate, undefined)
      assert.isTrue(Exit.hasDies(yield* Fiber.join(starting)))
      yield* nobody
    })
  )

  kernelTest(
    "an init that kills its own process does not go on",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const init = Effect.gen(function* () {
        yield* Process.kill(yield* Process.self)
        yield* Effect.yieldNow
        seen.push("after")
        return 0
      })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(start({ init }))))
      assert.deepStrictEqual(seen, [])
      yield* nobody
    })
  )

  kernelTest(
    "a bad idle time in init is a failed start",
    Effect.gen(function* () {
      const idle = "soon" as unknown as number
      const exit = yield* Effect.exit(start({ init: Effect.succeed(GenServer.initial(0, { idle })) }))
      assert.isTrue(Exit.hasDies(exit))
      yield* nobody
    })
  )

  kernelTest(
    "init can trap exits: info gets those that came meanwhile",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const gate = yield* Deferred.make<void>()
      const name = Name.make("test/trapping")
      const starting = yield* beside(
        start({
          name: name.name,
          init: Effect.andThen(Process.trapExit(true), Effect.as(Deferred.await(gate), 0)),
          info: (message, state) => {
            seen.push(message)
            return GenServer.noReply(state)
          }
        })
      )
      yield* Process.exit(Option.getOrThrow(yield* Name.whereis(name)), ExitReason.shutdown("x"))
      yield* Deferred.succeed(gate, undefined)
      const puppet = yield* Fiber.join(starting)
      yield* puppet.call(get)
      assert.deepStrictEqual(seen, [new Signal.Exit(undefined, ExitReason.shutdown("x"))])
    })
  )

  kernelTest(
    "closing the scope ends the server in good order",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const ends: Array<unknown> = []
      const terminate = (reason: ExitReason.ExitReason, state: number) =>
        Effect.sync(() => void ends.push([reason, state]))
      const puppet = yield* Effect.provideService(start({ terminate }), Scope.Scope, scope)
      yield* puppet.call(set(3))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(ends, [[ExitReason.shutdown(), 3]])
      assert.deepStrictEqual(yield* failure(puppet.call(get)), noProcess)
      assert.deepStrictEqual(yield* failure(puppet.call(get, { whenDown: "wait" })), noProcess)
      assert.deepStrictEqual(yield* GenServer.pid(puppet), Option.none())
    })
  )

  kernelTest(
    "closing the scope kills a server that has not ended in good order within 5 seconds",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const released: Array<string> = []
      const init = Effect.as(
        Effect.addFinalizer(() => Effect.sync(() => released.push("released"))),
        0
      )
      const puppet = yield* Effect.provideService(start({ init, terminate: () => Effect.never }), Scope.Scope, scope)
      const pid = yield* pidOf(puppet)
      const closing = yield* beside(Scope.close(scope, Exit.void))
      yield* later(4999)
      yield* running(closing)
      assert.deepStrictEqual(released, [])
      yield* later(1)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
      assert.deepStrictEqual(released, ["released"])
    })
  )

  kernelTest(
    "two starts of one definition are two servers",
    Effect.gen(function* () {
      const one = yield* start()
      const two = yield* start()
      yield* one.call(set(1))
      assert.deepStrictEqual([yield* one.call(get), yield* two.call(get)], [1, 0])
    })
  )
})

describe("layer", () => {
  kernelTest(
    "provides the client, and ends the server with its scope",
    Effect.gen(function* () {
      const ends: Array<unknown> = []
      const terminate = (reason: ExitReason.ExitReason) => Effect.sync(() => void ends.push(reason))
      const seen = yield* Effect.provide(
        Effect.gen(function* () {
          const puppet = yield* Puppet
          yield* puppet.cast(set(2))
          return yield* puppet.call(get)
        }),
        layer({ terminate })
      )
      assert.strictEqual(seen, 2)
      assert.deepStrictEqual(ends, [ExitReason.shutdown()])
      yield* nobody
    })
  )

  kernelTest(
    "fails with the failure of init",
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.provide(Puppet, layer({ init: Effect.fail("no database") })))
      assert.deepStrictEqual(exit, Exit.fail("no database"))
      yield* nobody
    })
  )
})
