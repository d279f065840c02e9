/** Fibers that outlive the process that forked them. */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit, type Fiber, type Scope } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, type Pid, Process, Signal } from "effect-otp/kernel"
import { Registry, Topic } from "effect-otp/naming"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import { asProcess, idle, kernelTest, settle } from "../fixtures/kernel.ts"
import { type Client, down, failureOf, fates, get, later, pidOf, set, start, turn } from "./puppet.ts"

/** The ways in which a process can end, and what its fibers are afterwards. */
const ends: ReadonlyArray<
  readonly [string, Effect.Effect<unknown>, (pid: Pid.Pid) => Effect.Effect<unknown>, boolean]
> = [
  ["has ended normally", Effect.void, () => Effect.void, true],
  ["has crashed", Effect.die("broken"), () => Effect.void, true],
  ["was ended by an exit signal", Effect.never, (pid) => Process.exit(pid, ExitReason.shutdown("enough")), true],
  ["was killed", Effect.never, Process.kill, false]
]

/** Runs an effect on a fiber that a process has detached, once that process is dead. */
const outlive = <A, E, R>(
  [, body, end]: readonly [string, Effect.Effect<unknown>, (pid: Pid.Pid) => Effect.Effect<unknown>, boolean],
  effect: Effect.Effect<A, E, R | Process.Self>
): Effect.Effect<Exit.Exit<A, E>, never, Exclude<Exclude<R, Process.Self>, Scope.Scope | Process.Self>> =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const forked = yield* Deferred.make<Fiber.Fiber<A, E>>()
    const pid = yield* Process.spawn(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkDetach(Effect.andThen(Deferred.await(gate), effect))
        yield* Deferred.succeed(forked, fiber)
        yield* body
      })
    )
    const fiber = yield* Deferred.await(forked)
    yield* settle
    yield* end(pid)
    yield* Process.awaitExit(pid)
    yield* settle
    yield* Deferred.succeed(gate, undefined)
    yield* settle
    return fiber.pollUnsafe() ?? assert.fail("the fiber still runs")
  }) as Effect.Effect<Exit.Exit<A, E>, never, never>

describe("a fiber that a process has detached", () => {
  for (const way of ends) {
    const [how, , , speaks] = way
    kernelTest(
      `casts when its process ${how}: ${speaks ? "they arrive" : "they are dropped"}`,
      Effect.gen(function* () {
        const puppet = yield* start()
        assert.deepStrictEqual(yield* outlive(way, puppet.cast(set(7))), Exit.void)
        assert.strictEqual(yield* puppet.call(get), speaks ? 7 : 0)
        assert.deepStrictEqual(
          yield* fates,
          speaks ? { accepted: 2, handled: 2 } : { accepted: 2, handled: 1, dropped: 1 }
        )
      }),
      10
    )

    kernelTest(
      `calls when its process ${how}: ${speaks ? "it is answered" : "it learns that it was killed"}`,
      Effect.gen(function* () {
        const puppet = yield* start()
        const exit = yield* outlive(way, puppet.call(get))
        if (speaks) return assert.deepStrictEqual(exit, Exit.succeed(0))
        assert.deepStrictEqual(failureOf(exit), down(ExitReason.killed, "no"))
      }),
      10
    )

    kernelTest(
      `sends messages and signals when its process ${how}: ${speaks ? "from nobody" : "to nobody"}`,
      Effect.gen(function* () {
        const heard: Array<unknown> = []
        const listener = yield* Process.spawn(
          (inbox: Process.Inbox<string>) =>
            Effect.forever(Effect.map(inbox.take, (message) => void heard.push(message))),
          { trapExit: true }
        )
        yield* outlive(
          way,
          Effect.andThen(Process.send(listener, "hello"), Process.exit(listener, ExitReason.shutdown("bye")))
        )
        const exit = new Signal.Exit(undefined, ExitReason.shutdown("bye"))
        assert.deepStrictEqual(heard, speaks ? ["hello", exit] : [])
        yield* Process.kill(listener)
      }),
      10
    )

    kernelTest(
      `makes a dead letter when its process ${how}: ${speaks ? "it is from nobody" : "it makes none"}`,
      Effect.gen(function* () {
        const gone = yield* Process.spawn(Effect.void)
        yield* Process.awaitExit(gone)
        const letters: Array<unknown> = []
        yield* Effect.orDie(
          Telemetry.attachScoped(
            "test/letters",
            Events.deadLetter,
            (_, { content, from }) => void letters.push([content, from])
          )
        )
        yield* outlive(way, Process.send(gone as Pid.Pid<unknown>, "hello"))
        assert.deepStrictEqual(letters, speaks ? [["hello", undefined]] : [])
      }),
      10
    )

    kernelTest(
      `publishes when its process ${how}: ${speaks ? "subscribers hear it" : "nobody hears it"}`,
      Effect.gen(function* () {
        const topic = Topic.make<string>("test/news")
        const heard: Array<unknown> = []
        const listener = yield* Process.spawn((inbox: Process.Inbox<string>) =>
          Effect.andThen(
            Topic.subscribe(topic),
            Effect.forever(Effect.map(inbox.take, (message) => void heard.push(message)))
          )
        )
        yield* settle
        yield* outlive(way, Topic.publish(topic, "hello"))
        assert.deepStrictEqual(heard, speaks ? ["hello"] : [])
        yield* Process.kill(listener)
      }),
      10
    )

    kernelTest(
      `starts a process when its process ${how}: it has no parent`,
      Effect.gen(function* () {
        const exit = yield* outlive(way, idle())
        const pid = Exit.isSuccess(exit) ? exit.value : assert.fail(String(exit.cause))
        const info = yield* Process.info(pid)
        assert.deepStrictEqual(info._tag === "Some" ? info.value.parent : "none", undefined)
        yield* Process.kill(pid)
      }),
      10
    )

    kernelTest(
      `makes no relations when its process ${how}`,
      Effect.gen(function* () {
        const other = yield* idle()
        const registry = Registry.make<string, number>("test/registry", { keys: "unique" })
        const linked = yield* outlive(way, Effect.asVoid(Process.link(other)))
        if (speaks) assert.strictEqual(linked._tag, "Failure")
        else assert.deepStrictEqual(linked, Exit.void)
        yield* outlive(way, Process.monitor(other))
        yield* outlive(way, Registry.register(registry, "key", 1))
        const info = yield* Process.info(other)
        assert.isTrue(info._tag === "Some" && info.value.links.length === 0 && info.value.monitoredBy.length === 0)
        assert.strictEqual(yield* Registry.count(registry), 0)
        yield* Process.kill(other)
      }),
      10
    )
  }

  kernelTest(
    "what it starts linked ends as if the link had been made before its process ended",
    Effect.gen(function* () {
      const [normal, crashed, signalled, killed] = yield* Effect.forEach(ends, (way) =>
        Effect.map(outlive(way, Process.spawnLink(Effect.never)), (exit) =>
          Exit.isSuccess(exit) ? exit.value : assert.fail(String(exit.cause))
        )
      )
      assert.isTrue(yield* Process.isAlive(normal!))
      assert.strictEqual((yield* Process.awaitExit(crashed!))._tag, "Crash")
      assert.deepStrictEqual(yield* Process.awaitExit(signalled!), ExitReason.shutdown("enough"))
      assert.deepStrictEqual(yield* Process.awaitExit(killed!), ExitReason.killed)
      yield* Process.kill(normal!)
    }),
    10
  )

  kernelTest(
    "acts for the process while its finalizers run, and as a stranger afterwards",
    asProcess((inbox: Process.Inbox<string>) =>
      Effect.gen(function* () {
        const me = inbox.pid
        yield* Process.spawnMonitor(Effect.addFinalizer(() => Process.send(me, "from a finalizer")))
        const first = yield* inbox.take
        const second = yield* inbox.take
        assert.deepStrictEqual([first, Signal.isDown(second)], ["from a finalizer", true])
      })
    ),
    20
  )
})

describe("a fiber that a turn has detached", () => {
  const detaching = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.forkDetach(Effect.andThen(Effect.sleep(100), Effect.exit(effect)))

  kernelTest(
    "calls and casts for the server while it lives, and as a stranger when it has stopped",
    Effect.gen(function* () {
      const other = yield* start()
      const puppet = yield* start()
      const fiber = (yield* puppet.call(
        turn(detaching(Effect.andThen(other.cast(set(3)), other.call(get))))
      )) as Fiber.Fiber<Exit.Exit<unknown, unknown>>
      yield* GenServer.terminate(puppet)
      yield* later(100)
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed(Exit.succeed(3)))
    }),
    20
  )

  kernelTest(
    "has its message delivered that waits for room when its server ends",
    Effect.gen(function* () {
      const other = yield* start({ mailbox: { capacity: 1, strategy: "suspend" } })
      const gate = yield* Deferred.make<void>()
      yield* other.cast(turn(Deferred.await(gate)))
      yield* settle
      yield* other.cast(set(1))
      const puppet = yield* start()
      yield* puppet.call(turn(Effect.forkDetach(other.cast(set(2)))))
      yield* settle
      yield* GenServer.terminate(puppet)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual(yield* other.call(get), 2)
    }),
    20
  )

  kernelTest(
    "waits, asked to, for a server that is down, when its own has ended",
    Effect.gen(function* () {
      const puppet = yield* start()
      const gone = yield* start()
      yield* GenServer.terminate(gone)
      const fiber = (yield* puppet.call(
        turn(detaching(gone.call(get, { whenDown: "wait", timeout: 50 })))
      )) as Fiber.Fiber<Exit.Exit<unknown, unknown>>
      yield* GenServer.terminate(puppet)
      yield* later(100)
      const exit = fiber.pollUnsafe()
      assert.deepStrictEqual(exit?._tag === "Success" ? failureOf(exit.value).reason._tag : exit, "NoProcess")
    }),
    10
  )

  kernelTest(
    "stops a server like a stranger, even its own",
    Effect.gen(function* () {
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      yield* puppet.call(turn(detaching(GenServer.terminate(puppet))))
      yield* later(100)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.normal)
      const second = yield* start()
      const stop = (yield* second.call(turn(detaching(GenServer.terminate(puppet))))) as Fiber.Fiber<Exit.Exit<void>>
      yield* later(100)
      const exit = stop.pollUnsafe()
      assert.deepStrictEqual(exit?._tag === "Success" ? failureOf(exit.value).reason._tag : exit, "NoProcess")
    }),
    10
  )

  kernelTest(
    "casts in its own step from the context of a handler, too",
    Effect.gen(function* () {
      const other = yield* start()
      const puppet = yield* start()
      let cast: ((to: Client, tag: "cast", step: ReturnType<typeof set>) => void) | undefined = undefined
      yield* puppet.call((n, context) => {
        cast = context.cast as typeof cast
        return GenServer.reply(0, n)
      })
      yield* GenServer.terminate(puppet)
      cast!(other, "cast", set(5))
      assert.strictEqual(yield* other.call(get), 5)
    }),
    5
  )
})
