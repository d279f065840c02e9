/** Looking into servers, with one group of tests for each kind of request. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, Redacted, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Rpc } from "effect/rpc"
import { ExitReason, GenServer, Kernel, Name, Process, Shutdown, Supervisor, Sys } from "effect-otp"
import { asProcess, idle, kernelTest, settle } from "../fixtures/kernel.ts"
import {
  beside,
  crash,
  crashReports,
  down,
  ended,
  failure,
  failureOf,
  get,
  later,
  noProcess,
  pidOf,
  running,
  set,
  start,
  timedOut
} from "./puppet.ts"

const numeric = { schema: Schema.Finite }

describe("getState", () => {
  kernelTest(
    "#110 works by client, by pid, by name, within a timeout, and while suspended",
    Effect.gen(function* () {
      const client = yield* start({ init: Effect.succeed(5), name: "test/looked-at" })
      const pid = yield* pidOf(client)
      const named = Option.getOrThrow(yield* Name.whereis(Name.make("test/looked-at")))
      const look = Effect.all([
        Sys.getState(client, numeric),
        Sys.getState(pid, numeric),
        Sys.getState(named),
        Sys.getState(client, { ...numeric, timeout: "1 second" })
      ])
      assert.deepStrictEqual(yield* look, [5, 5, 5, 5])
      yield* Sys.suspend(client)
      assert.deepStrictEqual(yield* look, [5, 5, 5, 5])
    })
  )

  kernelTest(
    "keeps its place among the messages of its sender",
    Effect.gen(function* () {
      const client = yield* start()
      yield* client.cast(set(1))
      assert.strictEqual(yield* Sys.getState(client), 1)
      yield* client.cast(set(2))
      const looking = yield* beside(Sys.getState(client))
      yield* client.cast(set(3))
      assert.deepStrictEqual(yield* ended(looking), Exit.succeed(2))
    })
  )

  kernelTest(
    "fails with what the schema finds, and checks without decoding",
    Effect.gen(function* () {
      const client = yield* start({ init: Effect.succeed(1) })
      const error = yield* Effect.flip(Sys.getState(client, { schema: Schema.String }))
      assert.deepStrictEqual([error._tag, error.message], ["WrongState", "test/Puppet: state: expected string, got 1"])
      assert.strictEqual(yield* Sys.getState(client, { schema: Schema.FiniteFromString }), 1)
    })
  )

  kernelTest(
    "fails like a call: no process, a server that ends, a timeout, a cycle",
    Effect.gen(function* () {
      const client = yield* start()
      const pid = yield* pidOf(client)
      const gate = yield* Deferred.make<void>()
      const busy = yield* beside(client.call(() => Effect.as(Deferred.await(gate), GenServer.reply(0, 0))))
      const late = yield* beside(failure(Sys.getState(client, { timeout: 100 })))
      yield* later(100)
      assert.deepStrictEqual(yield* ended(late), Exit.succeed(timedOut("no")))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(busy)
      const own = yield* client.call((state, { self }) =>
        Effect.map(failure(Sys.getState(self)), (failed) => GenServer.reply(failed, state))
      )
      assert.deepStrictEqual(own, {
        reason: { _tag: "CallCycle", path: ["test/Puppet", "test/Puppet"] },
        started: "no"
      })
      const end = yield* Deferred.make<void>()
      const stop = GenServer.stop(ExitReason.shutdown("gone"), 0)
      yield* client.cast(() => Effect.as(Deferred.await(end), stop))
      const queued = yield* beside(failure(Sys.getState(client)))
      yield* Deferred.succeed(end, undefined)
      assert.deepStrictEqual(yield* ended(queued), Exit.succeed(down(ExitReason.shutdown("gone"), "no")))
      yield* settle
      assert.deepStrictEqual(yield* failure(Sys.getState(client)), noProcess)
      assert.deepStrictEqual((yield* failure(Sys.getState(pid))).started, "no")
    })
  )

  kernelTest(
    "a request to a pid does not wait for the next run",
    Effect.gen(function* () {
      const wait = { whenDown: "wait", timeout: Duration.infinity } as const
      const dead = yield* pidOf(yield* start())
      yield* Process.kill(dead)
      assert.deepStrictEqual((yield* failure(Sys.getState(dead, wait))).started, "no")
      const gate = yield* Deferred.make<void>()
      const client = yield* start({ terminate: () => Deferred.await(gate) })
      const ending = yield* pidOf(client)
      const stopped = yield* beside(GenServer.terminate(client))
      assert.deepStrictEqual(yield* failure(Sys.getState(ending, wait)), down(ExitReason.normal, "no"))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(stopped)
    })
  )

  kernelTest(
    "a plain process and a supervisor answer no system requests",
    Effect.gen(function* () {
      const plain = yield* idle({ label: "plain" })
      assert.deepStrictEqual(yield* Effect.flip(Sys.getState(plain)), new Sys.NotAServer({ process: "plain" }))
      yield* Process.kill(plain)
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.worker("one", Effect.never)]
      }) {}
      const error = yield* Effect.provide(
        Effect.flatMap(Tree, (tree) => Effect.flip(Sys.getStatus(tree))),
        Tree.layer
      )
      assert.deepStrictEqual(error, new Sys.NotAServer({ process: "test/Tree" }))
    })
  )

  kernelTest(
    "leaves an idle time alone",
    Effect.gen(function* () {
      const client = yield* start({
        init: Effect.succeed(GenServer.initial(0, { idle: "10 seconds" })),
        idle: (state) => GenServer.noReply(state + 1)
      })
      yield* later(9_000)
      assert.strictEqual(yield* Sys.getState(client), 0)
      yield* later(1_000)
      assert.strictEqual(yield* Sys.getState(client), 1)
    })
  )

  kernelTest(
    "an interrupted reader takes its request back",
    Effect.gen(function* () {
      const client = yield* start()
      const gate = yield* Deferred.make<void>()
      const busy = yield* beside(client.call(() => Effect.as(Deferred.await(gate), GenServer.reply(0, 0))))
      const looking = yield* beside(Sys.getState(client))
      yield* Fiber.interrupt(looking)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(busy)
      assert.strictEqual((yield* Kernel.messages).returned, 1)
    })
  )
})

describe("replaceState", () => {
  kernelTest(
    "gives the next state to the server and to the caller",
    Effect.gen(function* () {
      const client = yield* start({ init: Effect.succeed(2) })
      assert.strictEqual(yield* Sys.replaceState(client, (n) => n * 10, numeric), 20)
      assert.strictEqual(yield* client.call(get), 20)
      yield* Sys.suspend(client)
      assert.strictEqual(yield* Sys.replaceState(client, (n) => n + 1, numeric), 21)
      yield* Sys.resume(client)
      assert.strictEqual(yield* client.call(get), 21)
    })
  )

  kernelTest(
    "the caller gets the failure of its function; the state stays and the server lives",
    Effect.gen(function* () {
      const client = yield* start({ init: Effect.succeed(2) })
      const failed = yield* Effect.flip(
        Sys.replaceState(
          client,
          (): number => {
            throw new Error("no")
          },
          numeric
        )
      )
      assert.instanceOf(failed, Sys.ReplaceFailed)
      const wrong = yield* Effect.flip(Sys.replaceState(client, () => "text" as unknown as number, numeric))
      assert.deepStrictEqual(
        [wrong._tag, wrong.message],
        ["WrongState", 'test/Puppet: state: expected number, got "text"']
      )
      assert.strictEqual(yield* client.call(get), 2)
    })
  )
})

describe("suspend", () => {
  const add = (state: number) => GenServer.noReply(state + 1)

  kernelTest(
    "#104 a suspended server answers no calls, and its status says so; suspending and resuming twice is fine",
    Effect.gen(function* () {
      const client = yield* start({ init: Effect.succeed(7) })
      const status = Effect.map(Sys.getStatus(client), ({ status }) => status)
      assert.strictEqual(yield* status, "running")
      yield* Sys.suspend(client)
      yield* Sys.suspend(client)
      assert.strictEqual(yield* status, "suspended")
      const call = yield* beside(failure(client.call(get)))
      yield* later(5_000)
      assert.deepStrictEqual(yield* ended(call), Exit.succeed(timedOut("no")))
      yield* Sys.resume(client)
      yield* Sys.resume(client)
      assert.strictEqual(yield* status, "running")
      assert.strictEqual(yield* client.call(get), 7)
    })
  )

  kernelTest(
    "#105 a call made meanwhile waits, and is answered after the resume",
    Effect.gen(function* () {
      const client = yield* start()
      yield* Sys.suspend(client)
      const call = yield* beside(client.call(get))
      yield* later(3_001)
      yield* running(call)
      yield* Sys.resume(client)
      assert.deepStrictEqual(yield* ended(call), Exit.succeed(0))
    })
  )

  kernelTest(
    "keeps new messages in order",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const note =
        (text: string): Parameters<typeof client.cast>[0] =>
        (state) => {
          seen.push(text)
          return GenServer.noReply(state)
        }
      const client = yield* start({
        info: (message, state) => {
          seen.push(String(message))
          return GenServer.noReply(state)
        }
      })
      const pid = yield* pidOf(client)
      yield* Sys.suspend(client)
      yield* client.cast(note("a"))
      yield* Process.send(pid as Process.Inbox<string>["pid"], "b")
      yield* Sys.getState(client)
      yield* client.cast(note("c"))
      yield* settle
      assert.deepStrictEqual(seen, [])
      assert.strictEqual((yield* Sys.getStatus(client)).mailboxLength, 3)
      yield* Sys.resume(client)
      yield* client.call(get)
      assert.deepStrictEqual(seen, ["a", "b", "c"])
    })
  )

  kernelTest(
    "a suspended server still ends: by a stop, its parent's shutdown, an exit signal, a kill",
    Effect.gen(function* () {
      const ends: Array<ExitReason.ExitReason> = []
      const suspended = (drain = false) =>
        Effect.gen(function* () {
          const client = yield* start({ drain, terminate: (reason) => Effect.sync(() => void ends.push(reason)) })
          yield* Sys.suspend(client)
          yield* client.cast(crash("never handled"))
          yield* settle
          return client
        })
      yield* GenServer.terminate(yield* suspended())
      const reason = ExitReason.shutdown("parent")
      yield* Shutdown.shutdown(yield* pidOf(yield* suspended()), { reason })
      yield* Shutdown.shutdown(yield* pidOf(yield* suspended(true)), { reason })
      const signalled = yield* pidOf(yield* suspended())
      yield* Process.exit(signalled, ExitReason.shutdown("signal"))
      yield* Process.awaitExit(signalled)
      const killed = yield* pidOf(yield* suspended())
      yield* Process.kill(killed)
      assert.deepStrictEqual(yield* Process.awaitExit(killed), ExitReason.killed)
      yield* settle
      assert.deepStrictEqual(ends, [ExitReason.normal, reason, reason, ExitReason.shutdown("signal")])
    })
  )

  kernelTest(
    "a full mailbox refuses no resume and no stop",
    Effect.gen(function* () {
      const full = Effect.gen(function* () {
        const client = yield* start({ mailbox: { capacity: 1, strategy: "suspend" } })
        yield* Sys.suspend(client)
        const casts = yield* beside(Effect.forEach([add, add, add], client.cast, { concurrency: 3 }))
        yield* running(casts)
        return { client, casts }
      })
      const first = yield* full
      yield* Sys.resume(first.client)
      yield* Fiber.join(first.casts)
      assert.strictEqual(yield* first.client.call(get), 3)
      const second = yield* full
      yield* GenServer.terminate(second.client)
      yield* Fiber.join(second.casts)
    })
  )

  kernelTest(
    "a sender that waits for room behind a system request gets it",
    Effect.gen(function* () {
      const client = yield* start({ mailbox: { capacity: 1, strategy: "suspend" } })
      yield* Sys.suspend(client)
      const both = Effect.all([Sys.getState(client), client.cast(set(1))], { concurrency: 2 })
      assert.ok(Exit.isSuccess(yield* ended(yield* beside(both))))
      yield* Sys.resume(client)
      assert.strictEqual(yield* client.call(get), 1)
    })
  )

  kernelTest(
    "a shutdown that drains does not wait for room in the full mailbox of a suspended server",
    Effect.gen(function* () {
      const client = yield* start({ mailbox: { capacity: 1, strategy: "suspend" }, drain: true })
      yield* Sys.suspend(client)
      yield* client.cast(set(1))
      const pid = yield* pidOf(client)
      const reason = ExitReason.shutdown("parent")
      yield* Shutdown.shutdown(pid, { reason, limit: "Infinity" })
      assert.deepStrictEqual(yield* Process.awaitExit(pid), reason)
    })
  )

  kernelTest(
    "a stop that waits for room when the server is suspended gets in",
    Effect.gen(function* () {
      const client = yield* start({ mailbox: { capacity: 1, strategy: "suspend" } })
      const gate = yield* Deferred.make<void>()
      const busy = yield* beside(client.call(() => Effect.as(Deferred.await(gate), GenServer.reply(0, 0))))
      const suspending = yield* beside(Sys.suspend(client))
      const casting = yield* beside(client.cast(set(1)))
      const stopped = yield* beside(GenServer.terminate(client))
      yield* running(stopped)
      yield* Deferred.succeed(gate, undefined)
      assert.ok(Exit.isSuccess(yield* ended(busy)))
      assert.ok(Exit.isSuccess(yield* ended(suspending)))
      assert.ok(Exit.isSuccess(yield* ended(stopped)))
      yield* Fiber.join(casting)
    })
  )

  kernelTest(
    "an idle time that passes meanwhile counts after the resume",
    Effect.gen(function* () {
      const client = yield* start({
        init: Effect.succeed(GenServer.initial(0, { idle: "1 second" })),
        idle: (state) => GenServer.noReply(state + 1)
      })
      yield* Sys.suspend(client)
      yield* later(2_000)
      assert.strictEqual(yield* Sys.getState(client), 0)
      yield* Sys.resume(client)
      yield* settle
      assert.strictEqual(yield* Sys.getState(client), 1)
    })
  )

  kernelTest(
    "a successor is not suspended",
    Effect.gen(function* () {
      class Only extends GenServer.Service<Only>()("test/Only", [Rpc.make("get", { success: Schema.Finite })]) {
        static readonly layer = this.define({
          init: () => Effect.succeed(1),
          handlers: { get: (_, n) => GenServer.reply(n, n) }
        }).layer()
      }
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForOne",
        children: [Supervisor.child(Only.layer)]
      }) {}
      const program = Effect.gen(function* () {
        const only = yield* Only
        yield* Sys.suspend(only)
        yield* Process.kill(Option.getOrThrow(yield* GenServer.pid(only)))
        assert.strictEqual((yield* Sys.getStatus(only, { whenDown: "wait" })).status, "running")
        assert.strictEqual(yield* only.get(), 1)
      })
      yield* Effect.provide(program, Tree.layer)
    })
  )
})

describe("statistics", () => {
  kernelTest(
    "#106 counts a call as one in and one out; off it is none; the server goes on",
    Effect.gen(function* () {
      const client = yield* start()
      assert.deepStrictEqual(yield* Sys.statistics(client), Option.none())
      yield* Sys.setStatistics(client, true)
      yield* client.call(get)
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(
        yield* Sys.statistics(client),
        Option.some({ elapsed: Duration.seconds(3), messagesIn: 1, messagesOut: 1 })
      )
      yield* client.cast(set(1))
      yield* client.cast(set(2))
      assert.deepStrictEqual(
        Option.map(yield* Sys.statistics(client), ({ messagesIn, messagesOut }) => [messagesIn, messagesOut]),
        Option.some([3, 1])
      )
      yield* Sys.setStatistics(client, true)
      assert.strictEqual(Option.getOrThrow(yield* Sys.statistics(client)).messagesIn, 0)
      yield* Sys.setStatistics(client, false)
      assert.deepStrictEqual(yield* Sys.statistics(client), Option.none())
      assert.strictEqual((yield* Sys.getStatus(client)).status, "running")
      assert.strictEqual(yield* client.call(get), 2)
    })
  )
})

class Shop extends GenServer.Service<Shop>()("test/Shop", [
  Rpc.make("take", { payload: { count: Schema.Finite }, success: Schema.Finite, error: Schema.String }),
  GenServer.cast("deliver", { payload: { count: Schema.Finite } })
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed(0),
    info: (message: "tick" | { readonly _tag: "Exit" | "Down" }, left) =>
      message === "tick" ? GenServer.noReply(left, { continue: "tock" as const }) : GenServer.noReply(left),
    continue: (_: "tock", left) => GenServer.noReply(left + 100),
    handlers: {
      take: ({ count }, left) => {
        if (count < 0) return Effect.die("nobody takes that")
        return count > left ? Effect.fail("sold out") : GenServer.reply(left - count, left - count)
      },
      deliver: ({ count }, left) => Effect.succeed(GenServer.noReply(left + count))
    }
  })
}

/** The events of a trace so far, without their numbers and senders. */
const collect = <A extends { readonly index: number }, E>(trace: Stream.Stream<A, E>) =>
  Effect.gen(function* () {
    const seen: Array<unknown> = []
    const fiber = yield* beside(
      Stream.runForEach(trace, (event) =>
        Effect.sync(() => {
          const { index: _, from: __, ...rest } = event as A & { readonly from?: unknown }
          seen.push(rest)
        })
      )
    )
    return { fiber, seen: Effect.map(settle, () => seen.splice(0)) }
  })

describe("trace", () => {
  kernelTest(
    "gives messages, answers and states in order",
    Effect.gen(function* () {
      const shop = yield* Shop.definition.start()
      const { seen } = yield* collect(Sys.trace(shop))
      yield* shop.deliver({ count: 3 })
      yield* shop.take({ count: 1 })
      yield* Effect.flip(shop.take({ count: 9 }))
      assert.deepStrictEqual(yield* seen, [
        { _tag: "Received", message: { _tag: "Cast", tag: "deliver", payload: { count: 3 } } },
        { _tag: "State", state: 3 },
        { _tag: "Received", message: { _tag: "Call", tag: "take", payload: { count: 1 } } },
        { _tag: "Answered", tag: "take", exit: Exit.succeed(2) },
        { _tag: "State", state: 2 },
        { _tag: "Received", message: { _tag: "Call", tag: "take", payload: { count: 9 } } },
        { _tag: "Answered", tag: "take", exit: Exit.fail("sold out") }
      ])
      const pid = Option.getOrThrow(yield* GenServer.pid(shop))
      yield* Process.send(pid as Process.Inbox<string>["pid"], "tick")
      yield* Sys.replaceState(shop, () => 7, numeric)
      assert.deepStrictEqual(yield* seen, [
        { _tag: "Received", message: { _tag: "Info", content: "tick" } },
        { _tag: "State", state: 2 },
        { _tag: "Received", message: { _tag: "Continue", token: "tock" } },
        { _tag: "State", state: 102 },
        { _tag: "State", state: 7 }
      ])
    })
  )

  kernelTest(
    "ends with the run, after its last message",
    Effect.gen(function* () {
      const shop = yield* Shop.definition.start()
      const { fiber, seen } = yield* collect(Sys.trace(shop))
      yield* Effect.exit(shop.take({ count: -1 }))
      assert.deepStrictEqual(yield* seen, [
        { _tag: "Received", message: { _tag: "Call", tag: "take", payload: { count: -1 } } }
      ])
      assert.deepStrictEqual(yield* ended(fiber), Exit.void)
      const again = yield* Effect.flip(Stream.runDrain(Sys.trace(shop)))
      assert.instanceOf(again, GenServer.CallError)
    })
  )

  kernelTest(
    "#108 gives what happens while it is open, and nothing before or after",
    Effect.gen(function* () {
      const client = yield* start()
      const tags = (events: ReadonlyArray<unknown>) => (events as ReadonlyArray<{ _tag: string }>).map((e) => e._tag)
      const turnOver = ["Received", "Answered", "State"]
      const first = yield* collect(Sys.trace(client))
      yield* client.call(set(1))
      assert.deepStrictEqual(tags(yield* first.seen), turnOver)
      yield* Fiber.interrupt(first.fiber)
      yield* client.call(set(2))
      const second = yield* collect(Sys.trace(client))
      yield* client.call(set(3))
      yield* client.call(set(4))
      assert.deepStrictEqual(tags(yield* second.seen), [...turnOver, ...turnOver])
      yield* Fiber.interrupt(second.fiber)
      yield* client.call(set(5))
      assert.deepStrictEqual(yield* first.seen, [])
      assert.deepStrictEqual(yield* second.seen, [])
    })
  )

  kernelTest(
    "#109 two traces each give everything; closing one does not affect the other",
    Effect.gen(function* () {
      const client = yield* start()
      const one = yield* collect(Sys.trace(client))
      const two = yield* collect(Sys.trace(client))
      yield* client.call(get)
      const seen = yield* one.seen
      assert.strictEqual(seen.length, 3)
      assert.deepStrictEqual(yield* two.seen, seen)
      yield* Fiber.interrupt(one.fiber)
      yield* client.call(get)
      assert.deepStrictEqual(yield* one.seen, [])
      assert.strictEqual((yield* two.seen).length, 3)
      yield* Fiber.interrupt(two.fiber)
      yield* client.call(get)
      assert.deepStrictEqual([yield* one.seen, yield* two.seen], [[], []])
    })
  )

  kernelTest(
    "gives an answer that is given later, when it is given",
    Effect.gen(function* () {
      const client = yield* start()
      const { seen } = yield* collect(Sys.trace(client))
      yield* Sys.setStatistics(client, true)
      const later = yield* Deferred.make<Effect.Effect<void>>()
      const call = yield* beside(
        client.call((state, { from }) =>
          Effect.as(Deferred.succeed(later, from!.succeed("late")), GenServer.noReply(state))
        )
      )
      yield* seen
      yield* Effect.flatten(Deferred.await(later))
      assert.deepStrictEqual(yield* seen, [{ _tag: "Answered", tag: "call", exit: Exit.succeed("late") }])
      assert.strictEqual(yield* Fiber.join(call), "late")
      assert.strictEqual(Option.getOrThrow(yield* Sys.statistics(client)).messagesOut, 1)
    })
  )

  kernelTest(
    "names the sender of a message",
    Effect.gen(function* () {
      const client = yield* start()
      const from = yield* Deferred.make<unknown>()
      yield* beside(
        Stream.runForEach(Sys.trace(client), (event) =>
          event._tag === "Received" ? Deferred.succeed(from, event.from) : Effect.void
        )
      )
      const sender = yield* asProcess((inbox) => Effect.as(client.cast(set(1)), inbox.pid))
      assert.strictEqual(yield* Deferred.await(from), sender)
    })
  )

  it.effect("a slow reader loses events by its strategy and delays nobody", () =>
    Effect.gen(function* () {
      for (const [strategy, wanted] of [
        ["sliding", [0, 1, 2, 26, 27, 28, 29]],
        ["dropping", [0, 1, 2, 3, 4, 5, 6]]
      ] as const) {
        const client = yield* start()
        const gate = yield* Deferred.make<void>()
        const indices: Array<number> = []
        const reading = yield* beside(
          Stream.runForEach(Sys.trace(client, { capacity: 4, strategy }), ({ index }) => {
            indices.push(index)
            return Deferred.await(gate)
          })
        )
        yield* client.call(get)
        yield* settle
        for (let i = 0; i < 9; i++) yield* client.call(get)
        yield* Deferred.succeed(gate, undefined)
        yield* GenServer.terminate(client)
        yield* Fiber.join(reading)
        assert.deepStrictEqual(indices, [...wanted])
      }
    }).pipe(Effect.scoped)
  )

  it("a capacity is a whole number", () => {
    const handle = Shop.of({} as GenServer.Client<never> as never)
    assert.throws(() => Sys.trace(handle, { capacity: 0 }), RangeError)
  })
})

describe("getStatus", () => {
  kernelTest(
    "hides secrets wherever they are, and leaves the state as it is",
    Effect.gen(function* () {
      const secret = Redacted.make("hunter2", { label: "password" })
      class Vault extends GenServer.Service<Vault>()("test/Vault", [GenServer.cast("crash")]) {
        static readonly definition = this.define({
          init: () =>
            Effect.succeed({ users: [{ name: "joe", key: secret }], keys: new Map([["k", Option.some(secret)]]) }),
          name: "test/vault",
          handlers: { crash: () => Effect.die("asked to") }
        })
      }
      const vault = yield* Vault.definition.start()
      const status = yield* Sys.getStatus(vault)
      assert.deepStrictEqual(status.state, {
        users: [{ name: "joe", key: "<redacted:password>" }],
        keys: new Map([["k", Option.some("<redacted:password>")]])
      })
      assert.notInclude(JSON.stringify(status.state), "hunter2")
      assert.deepStrictEqual(
        [status.name, status.label, status.status, status.parent],
        ["test/vault", "test/Vault", "running", undefined]
      )
      const { users } = (yield* Sys.getState(vault)) as { readonly users: ReadonlyArray<{ readonly key: unknown }> }
      assert.strictEqual(users[0]?.key, secret)
      const reports = yield* crashReports
      yield* vault.crash()
      yield* settle
      assert.deepStrictEqual(
        reports.map((report) => report.state),
        [status.state]
      )
    })
  )

  kernelTest(
    "shows what formatStatus gives; if that fails, nothing else does",
    Effect.gen(function* () {
      const hidden = yield* start({ formatStatus: ({ message }) => ({ state: "hidden", message }) })
      assert.strictEqual((yield* Sys.getStatus(hidden)).state, "hidden")
      const broken = yield* start({
        formatStatus: () => {
          throw new Error("no")
        }
      })
      assert.strictEqual((yield* Sys.getStatus(broken)).state, "formatStatus failed")
      assert.strictEqual(yield* broken.call(get), 0)
    })
  )
})

kernelTest(
  "when all observers have gone, nothing of them is left: the server works as before",
  Effect.gen(function* () {
    const client = yield* start()
    for (let round = 0; round < 3; round++) {
      const one = yield* collect(Sys.trace(client))
      yield* Sys.setStatistics(client, true)
      yield* client.call(set(round))
      assert.strictEqual((yield* one.seen).length, 3)
      yield* Fiber.interrupt(one.fiber)
      yield* client.call(get)
      assert.strictEqual(Option.getOrThrow(yield* Sys.statistics(client)).messagesIn, 2)
      yield* Sys.setStatistics(client, false)
      assert.strictEqual(yield* client.call(get), round)
      assert.deepStrictEqual(yield* one.seen, [])
      assert.isUndefined(((yield* pidOf(client)) as unknown as { readonly watch: unknown }).watch)
    }
    assert.deepStrictEqual(failureOf(yield* Effect.exit(client.call(crash("boom")))).started, "unknown")
  })
)
