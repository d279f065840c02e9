import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { Events, GenServer, type Signal } from "effect-otp"
import type { Pid } from "effect-otp/kernel"
import { Accounting, Kernel, Process } from "effect-otp/kernel"
import { Topic } from "effect-otp/naming"
import { Telemetry } from "effect-otp/telemetry"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"
import { anyPid, deaf, keeper } from "../fixtures/receivers.ts"

const News = Topic.make<string>("test/news")
const Room = Topic.family<string, string>("test/room")

const ids = (pids: ReadonlyArray<Pid.Pid<string>>) => pids.map(({ id }) => id)

describe("a topic", () => {
  it("has a name that is not empty, with its key if it is one of a family", () => {
    assert.throws(() => Topic.make(""), RangeError, 'A name must be a string that is not empty, not ""')
    assert.throws(() => Topic.family(""), RangeError)
    assert.strictEqual(News.name, "test/news")
    assert.strictEqual(Room("attic").name, 'test/room("attic")')
    assert.isTrue(Topic.isTopic(News))
    assert.isFalse(Topic.isTopic({ name: "test/news" }))
  })

  it("refuses a bound that makes no sense", () => {
    const capacity = 1
    for (const strategy of ["suspend", undefined] as ReadonlyArray<unknown>) {
      const bound = { capacity, strategy: strategy as Topic.Strategy }
      assert.throws(() => Topic.stream(News, bound), RangeError, /The strategy of a stream must be one of/)
    }
    assert.throws(() => Topic.stream(News, { capacity: 0, strategy: "fail" }), RangeError, "1 or more, not 0")
    assert.throws(() => Topic.subscription(News, { capacity: NaN, strategy: "fail" }), RangeError, "1 or more, not NaN")
  })

  kernelTest(
    "reaches each subscriber once, in the order published, until it leaves",
    Effect.gen(function* () {
      const [a, b] = [yield* keeper(), yield* keeper()]
      yield* Topic.publish(News, "0")
      yield* Topic.subscribe(News, a.pid)
      yield* Topic.subscribe(News, a.pid)
      yield* Topic.subscribe(News, b.pid)
      assert.deepStrictEqual(ids(yield* Topic.subscribers(News)), [a.pid.id, b.pid.id])
      yield* Topic.publish(News, "1")
      yield* Topic.publish(News, "2", { except: b.pid })
      assert.isTrue(yield* Topic.unsubscribe(News, a.pid))
      assert.isFalse(yield* Topic.unsubscribe(News, a.pid))
      yield* Topic.publish(News, "3")
      yield* settle
      assert.deepStrictEqual(
        [a.got, b.got],
        [
          ["1", "2"],
          ["1", "3"]
        ]
      )
      assert.deepStrictEqual(yield* Topic.counts(News), { processes: 1, streams: 0, dropped: 0 })
    })
  )

  class Seat extends Data.Class<{ readonly row: number }> {}
  const Seats = Topic.family<Seat, string>("test/seats")

  kernelTest(
    "of a family is the same for equal keys, and another for other keys",
    Effect.gen(function* () {
      const [a, b] = [yield* keeper(), yield* keeper()]
      yield* Topic.subscribe(Seats(new Seat({ row: 1 })), a.pid)
      yield* Topic.subscribe(Seats(new Seat({ row: 2 })), b.pid)
      yield* Topic.publish(Seats(new Seat({ row: 1 })), "1")
      yield* settle
      assert.deepStrictEqual([a.got, b.got], [["1"], []])
    })
  )

  kernelTest(
    "refuses a process that is dead or of another kernel, and belongs to the kernel in use",
    Effect.gen(function* () {
      const { pid } = yield* keeper()
      const refused = Exit.fail(new Process.NoProcess({ process: anyPid(pid) }))
      const abroad = Effect.provide(Effect.exit(Topic.subscribe(News, pid)), Kernel.layer)
      assert.deepStrictEqual(yield* abroad, refused)
      yield* Topic.subscribe(News, pid)
      assert.strictEqual((yield* Effect.provide(Topic.counts(News), Kernel.layer)).processes, 0)
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Effect.exit(Topic.subscribe(News, pid)), refused)
      assert.deepStrictEqual(yield* Topic.subscribers(News), [])
    })
  )

  kernelTest(
    "has no dead subscriber: a process killed meanwhile gets the message before, or not at all",
    Effect.gen(function* () {
      const pids = yield* Effect.forEach([1, 2, 3], () => deaf())
      for (const pid of pids) yield* Topic.subscribe(News, pid)
      const publishing = yield* Effect.forkChild(Effect.repeat(Topic.publish(News, "x"), { times: 5 }))
      for (const pid of pids) yield* Process.kill(pid)
      yield* Fiber.join(publishing)
      assert.deepStrictEqual(yield* Topic.counts(News), { processes: 0, streams: 0, dropped: 0 })
      const messages = yield* Kernel.messages
      // Each is a dead letter of a mailbox that was closed, not one to a dead process.
      assert.strictEqual(messages.accepted, messages.deadLettered + messages.pending)
    })
  )

  kernelTest(
    "a message that a killed process publishes is dropped and counted",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const done = yield* Deferred.make<void>()
      const a = yield* keeper()
      yield* Topic.subscribe(News, a.pid)
      const read = yield* Effect.forkScoped(Stream.runCollect(Stream.take(Topic.stream(News, latest), 1)))
      const zombie = yield* Process.spawn(
        Effect.uninterruptible(
          Effect.gen(function* () {
            yield* Deferred.await(gate)
            yield* Topic.publish(News, "from the dead")
            yield* Deferred.succeed(done, undefined)
          })
        )
      )
      yield* settle
      yield* Process.kill(zombie)
      yield* Deferred.succeed(gate, undefined)
      yield* Deferred.await(done)
      yield* Topic.publish(News, "alive")
      yield* settle
      assert.deepStrictEqual(a.got, ["alive"])
      assert.deepStrictEqual(yield* Fiber.join(read), ["alive"])
      assert.strictEqual((yield* Kernel.messages).dropped, 1)
    })
  )
})

const latest: Topic.Bound<"sliding"> = { capacity: 2, strategy: "sliding" }

describe("a slow subscriber", () => {
  kernelTest(
    "with a full mailbox loses the message by its strategy, and delays nobody",
    Effect.gen(function* () {
      const letters: Array<unknown> = []
      yield* Telemetry.attach("letters", Events.deadLetter, (_, { content, to }) => {
        letters.push([to.id, content])
      })
      const last = yield* keeper()
      const pids = yield* Effect.forEach(["suspend", "fail", "dropping", "sliding"] as const, (strategy) =>
        deaf({ capacity: 1, strategy })
      )
      for (const pid of [...pids, last.pid]) yield* Topic.subscribe(News, pid)
      yield* Topic.publish(News, "1")
      yield* Topic.publish(News, "2")
      yield* settle
      assert.deepStrictEqual(last.got, ["1", "2"])
      assert.deepStrictEqual(letters, [
        [pids[0]?.id, "2"],
        [pids[1]?.id, "2"]
      ])
      const messages = yield* Kernel.messages
      assert.strictEqual(Accounting.missing(messages), 0)
      assert.strictEqual(messages.dropped, 2)
    })
  )

  kernelTest(
    "that is a stream loses messages by its strategy; each loss is counted and announced",
    Effect.scoped(
      Effect.gen(function* () {
        const drops: Array<unknown> = []
        yield* Telemetry.attach("drops", Events.topicDropped, ({ count }, { capacity, strategy, topic }) => {
          drops.push([count, topic, capacity, strategy])
        })
        const capacity = 2
        const oldest = yield* Topic.subscription(Room("attic"), { capacity, strategy: "sliding" })
        const newest = yield* Topic.subscription(Room("attic"), { capacity, strategy: "dropping" })
        const failing = yield* Topic.subscription(Room("attic"), { capacity, strategy: "fail" })
        assert.deepStrictEqual(yield* Topic.counts(Room("attic")), { processes: 0, streams: 3, dropped: 0 })
        for (const message of ["1", "2", "3", "4"]) yield* Topic.publish(Room("attic"), message)
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(oldest, 2)), ["3", "4"])
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(newest, 2)), ["1", "2"])
        const seen: Array<string> = []
        const failed = yield* Effect.exit(
          Stream.runForEach(failing, (message) => Effect.sync(() => seen.push(message)))
        )
        assert.deepStrictEqual(failed, Exit.fail(new Topic.Overflow({ topic: 'test/room("attic")', capacity: 2 })))
        assert.deepStrictEqual(seen, ["1", "2"])
        // The third message was one too many for it. The fourth was not sent to it any more.
        assert.deepStrictEqual(yield* Topic.counts(Room("attic")), { processes: 0, streams: 2, dropped: 5 })
        const drop = (strategy: string) => [1, 'test/room("attic")', 2, strategy]
        assert.deepStrictEqual(drops, ["sliding", "dropping", "fail", "sliding", "dropping"].map(drop))
      })
    )
  )

  kernelTest(
    "causes no loop if the listener to its loss publishes",
    Effect.scoped(
      Effect.gen(function* () {
        let announced = 0
        yield* Telemetry.attach("publishes", Events.topicDropped, () => {
          announced++
          Topic.publishUnsafe(News, "lost one")
        })
        const stream = yield* Topic.subscription(News, { capacity: 1, strategy: "dropping" })
        yield* Topic.publish(News, "1")
        yield* Topic.publish(News, "2")
        assert.strictEqual(announced, 1)
        assert.deepStrictEqual(yield* Topic.counts(News), { processes: 0, streams: 1, dropped: 2 })
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(stream, 1)), ["1"])
      })
    )
  )
})

describe("a stream of a topic", () => {
  kernelTest(
    "gets all that is published from its beginning on, in order, with several publishers",
    Effect.gen(function* () {
      const ready = yield* Deferred.make<void>()
      const reading = yield* Effect.forkChild(
        Topic.stream(News, { capacity: 100, strategy: "fail" }).pipe(
          Stream.tap((message) => (message === "ready?" ? Deferred.succeed(ready, undefined) : Effect.void)),
          Stream.filter((message) => message !== "ready?"),
          Stream.take(20),
          Stream.runCollect
        )
      )
      const asking = yield* Effect.forkChild(
        Effect.forever(Effect.andThen(Topic.publish(News, "ready?"), Effect.yieldNow), { disableYield: true })
      )
      yield* Deferred.await(ready)
      yield* Fiber.interrupt(asking)
      yield* Effect.forEach(
        ["a", "b"],
        (who) =>
          Effect.forEach(
            Array.from({ length: 10 }, (_, i) => i),
            (i) => Topic.publish(News, `${who}${i}`)
          ),
        { concurrency: 2 }
      )
      const got = yield* Fiber.join(reading)
      for (const who of ["a", "b"]) {
        assert.deepStrictEqual(
          got.filter((message) => message.startsWith(who)),
          Array.from({ length: 10 }, (_, i) => `${who}${i}`)
        )
      }
    })
  )

  kernelTest(
    "is subscribed while it is read, and no longer",
    Effect.gen(function* () {
      const streams = Effect.map(Topic.counts(News), ({ streams }) => streams)
      const stream = Topic.stream(News, latest)
      assert.strictEqual(yield* streams, 0)
      const reading = yield* Effect.forkChild(Stream.runDrain(stream))
      yield* settle
      assert.strictEqual(yield* streams, 1)
      yield* Fiber.interrupt(reading)
      assert.strictEqual(yield* streams, 0)
      const one = yield* Effect.forkChild(Stream.runCollect(Stream.take(stream, 1)))
      yield* settle
      yield* Topic.publish(News, "1")
      assert.deepStrictEqual(yield* Fiber.join(one), ["1"])
      assert.strictEqual(yield* streams, 0)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.asVoid(Topic.subscription(News, latest))
          assert.strictEqual(yield* streams, 1)
        })
      )
      assert.strictEqual(yield* streams, 0)
    })
  )

  kernelTest(
    "in a race with a publisher gets the message, or nothing",
    Effect.gen(function* () {
      const publishing = yield* Effect.forkChild(
        Effect.forEach(["1", "2", "3"], (message) => Topic.publish(News, message))
      )
      const got = yield* Effect.scoped(
        Effect.gen(function* () {
          const stream = yield* Topic.subscription(News, { capacity: 9, strategy: "fail" })
          yield* Fiber.join(publishing)
          yield* Topic.publish(News, "end")
          return yield* Stream.runCollect(Stream.takeUntil(stream, (message) => message === "end"))
        })
      )
      const all = ["1", "2", "3", "end"]
      assert.deepStrictEqual(got, all.slice(all.length - got.length))
    })
  )
})

describe("a server", () => {
  const Changes = Topic.make<{ readonly _tag: "Changed"; readonly to: number }>("test/changes")

  class Mirror extends GenServer.Service<Mirror>()("test/Mirror", [Rpc.make("get", { success: Schema.Number })]) {
    static readonly definition = this.define({
      init: () => Effect.as(Topic.subscribe(Changes), 0),
      info: (message: { readonly _tag: "Changed"; readonly to: number } | Signal.Signal, state) =>
        GenServer.noReply(message._tag === "Changed" ? message.to : state),
      handlers: { get: (_, state) => GenServer.reply(state, state) }
    })
  }

  class Source extends GenServer.Service<Source>()("test/Source", [
    GenServer.cast("plainly", { payload: Schema.Number }),
    Rpc.make("asEffect", { payload: Schema.Number, success: Schema.Void })
  ]) {
    static readonly definition = this.define({
      init: () => Effect.void,
      handlers: {
        plainly: (to, state) => {
          Topic.publishUnsafe(Changes, { _tag: "Changed", to })
          return GenServer.noReply(state)
        },
        asEffect: (to, state) =>
          Effect.as(Topic.publish(Changes, { _tag: "Changed", to }), GenServer.reply(undefined, state))
      }
    })
  }

  kernelTest(
    "gets messages in info, and publishes in the step of a handler",
    Effect.gen(function* () {
      const mirrors = yield* Effect.forEach([1, 2], () => Mirror.definition.start())
      const source = yield* Source.definition.start()
      yield* source.plainly(7)
      yield* settle
      assert.deepStrictEqual(yield* Effect.forEach(mirrors, (mirror) => mirror.get()), [7, 7])
      yield* source.asEffect(8)
      assert.deepStrictEqual(yield* Effect.forEach(mirrors, (mirror) => mirror.get()), [8, 8])
      yield* GenServer.terminate(mirrors[0]!)
      assert.strictEqual((yield* Topic.counts(Changes)).processes, 1)
    })
  )

  kernelTest(
    "publishes to itself without waiting for itself",
    asProcess((inbox: Process.Inbox<string>) =>
      Effect.gen(function* () {
        yield* Topic.subscribe(News)
        yield* Topic.publish(News, "1")
        yield* Topic.publish(News, "2", { except: yield* Process.self })
        yield* Topic.publish(News, "3")
        assert.deepStrictEqual([yield* inbox.take, yield* inbox.take], ["1", "3"])
        assert.isTrue(yield* Topic.unsubscribe(News))
      })
    )
  )
})

describe("in development", () => {
  it.effect("a message is frozen, whatever has subscribed", () =>
    Effect.gen(function* () {
      const Parcels = Topic.make<{ readonly items: Array<string> }>("test/parcels")
      const parcels = yield* Topic.subscription(Parcels, { capacity: 1, strategy: "fail" })
      yield* Topic.publish(Parcels, { items: ["tea"] })
      const [parcel] = yield* Stream.runCollect(Stream.take(parcels, 1))
      assert.throws(() => parcel?.items.push("milk"), TypeError)
    }).pipe(Effect.scoped, Effect.provide(Kernel.layerDevelopment))
  )
})
