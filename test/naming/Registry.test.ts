import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Option, Stream } from "effect"
import type { Pid } from "effect-otp/kernel"
import { ExitReason, Kernel, Process, Signal } from "effect-otp/kernel"
import { Registry } from "effect-otp/naming"
import { asProcess, idle as spawnIdle, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"
import { anyPid, reading } from "../fixtures/receivers.ts"

const Rooms = Registry.make<string, number>("test/rooms", { keys: "unique" })
const Tags = Registry.make<string, string>("test/tags", { keys: "duplicate" })

/** A process that lives as long as the test. */
const idle = () => Effect.acquireRelease(spawnIdle(), Process.kill)

/** The entries of a registry, without its own objects. */
const plain = <V>(entries: ReadonlyArray<Registry.Registration<string, V>>) =>
  entries.map(({ key, pid, value }) => [key, pid.id, value])

describe("a registry", () => {
  it("has a name and one of two kinds of keys", () => {
    assert.throws(
      () => Registry.make("", { keys: "unique" }),
      RangeError,
      'A name must be a string that is not empty, not ""'
    )
    assert.throws(() => Registry.make("test/x", { keys: "both" as "unique" }), RangeError, 'not "both"')
    assert.strictEqual(Rooms.name, "test/rooms")
    assert.isTrue(Registry.isRegistry(Rooms))
    assert.isFalse(Registry.isRegistry({ name: "test/rooms", keys: "unique" }))
  })

  kernelTest(
    "is empty for a process without entries",
    Effect.gen(function* () {
      const pid = yield* idle()
      assert.deepStrictEqual(yield* Registry.lookup(Rooms, "a"), [])
      assert.deepStrictEqual(yield* Registry.whereis(Rooms, "a"), Option.none())
      assert.deepStrictEqual(yield* Registry.keys(Rooms, pid), [])
      assert.deepStrictEqual(yield* Registry.values(Tags, "a", pid), [])
      assert.deepStrictEqual(yield* Registry.select(Tags), [])
      assert.strictEqual(yield* Registry.count(Rooms), 0)
    })
  )

  kernelTest(
    "belongs to the kernel in use, and is not shared by name",
    Effect.gen(function* () {
      const pid = yield* idle()
      yield* Registry.registerFor(Rooms, pid, "a", 1)
      const other = Registry.make<string, number>("test/rooms", { keys: "unique" })
      assert.strictEqual(yield* Registry.count(other), 0)
      const there = yield* Effect.all([
        Registry.count(Rooms),
        Effect.exit(Registry.registerFor(Rooms, pid, "a", 1))
      ]).pipe(Effect.provide(Kernel.layer))
      assert.deepStrictEqual(there, [0, Exit.fail(new Process.NoProcess({ process: anyPid(pid) }))])
      assert.strictEqual(yield* Registry.count(Rooms), 1)
    })
  )

  kernelTest(
    "#250 a unique key has one owner; a second registration gets the owner's pid, even from the same process",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const taken = Exit.fail(
          new Registry.AlreadyRegistered({ registry: "test/rooms", key: "hello", pid: anyPid(inbox.pid) })
        )
        assert.deepStrictEqual(yield* Effect.exit(Registry.register(Rooms, "hello", 1)), Exit.void)
        assert.deepStrictEqual(yield* Effect.exit(Registry.register(Rooms, "hello", 2)), taken)
        const other = yield* idle()
        assert.deepStrictEqual(yield* Effect.exit(Registry.registerFor(Rooms, other, "hello", 3)), taken)
        assert.deepStrictEqual(yield* Registry.keys(Rooms, inbox.pid), ["hello"])
        assert.deepStrictEqual(yield* Registry.whereis(Rooms, "hello"), Option.some(inbox.pid))
        assert.deepStrictEqual(plain(yield* Registry.lookup(Rooms, "hello")), [["hello", inbox.pid.id, 1]])
      })
    )
  )

  kernelTest(
    "#250 a duplicate key has any number of owners, one of them any number of times",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const other = yield* idle()
        const me = inbox.pid.id
        yield* Registry.register(Tags, "hello", "a")
        yield* Registry.registerFor(Tags, other, "hello", "b")
        yield* Registry.register(Tags, "hello", "a")
        assert.deepStrictEqual(yield* Registry.keys(Tags, inbox.pid), ["hello", "hello"])
        assert.deepStrictEqual(yield* Registry.values(Tags, "hello", inbox.pid), ["a", "a"])
        assert.deepStrictEqual(plain(yield* Registry.lookup(Tags, "hello")), [
          ["hello", me, "a"],
          ["hello", other.id, "b"],
          ["hello", me, "a"]
        ])
        yield* Registry.unregister(Tags, "hello")
        assert.deepStrictEqual(plain(yield* Registry.lookup(Tags, "hello")), [["hello", other.id, "b"]])
        assert.strictEqual(yield* Registry.count(Tags), 1)
      })
    )
  )

  kernelTest(
    "#253 a registration that is refused leaves nothing behind",
    Effect.gen(function* () {
      const owner = yield* idle()
      yield* Registry.registerFor(Rooms, owner, "a", 1)
      const other = yield* idle()
      yield* Effect.flip(Registry.registerFor(Rooms, other, "a", 2))
      assert.deepStrictEqual(yield* Registry.keys(Rooms, other), [])
      assert.strictEqual(yield* Registry.count(Rooms), 1)
      yield* Process.kill(other)
      assert.deepStrictEqual(yield* Registry.whereis(Rooms, "a"), Option.some(owner))
    })
  )
})

describe("at the death of a process", () => {
  kernelTest(
    "#252 #254 its keys are free in that step, whoever else registers and however it ends",
    Effect.gen(function* () {
      for (const end of [Process.kill, (pid: Pid.Pid) => Process.exit(pid, ExitReason.shutdown())]) {
        const [owner, other, next] = [yield* idle(), yield* idle(), yield* idle()]
        yield* Registry.registerFor(Rooms, owner, "a", 1)
        yield* Registry.registerFor(Rooms, owner, "b", 2)
        yield* Registry.registerFor(Rooms, other, "c", 3)
        yield* Registry.registerFor(Tags, owner, "a", "owner")
        yield* Registry.registerFor(Tags, other, "a", "other")
        yield* end(owner)
        while (yield* Process.isAlive(owner)) yield* Effect.yieldNow
        yield* Registry.registerFor(Rooms, next, "a", 4)
        assert.deepStrictEqual(plain(yield* Registry.lookup(Rooms, "a")), [["a", next.id, 4]])
        assert.deepStrictEqual(yield* Registry.whereis(Rooms, "b"), Option.none())
        assert.deepStrictEqual(plain(yield* Registry.lookup(Tags, "a")), [["a", other.id, "other"]])
        yield* Process.kill(other)
        yield* Process.kill(next)
        assert.deepStrictEqual(yield* Effect.all([Registry.count(Rooms), Registry.count(Tags)]), [0, 0])
      }
    })
  )

  kernelTest(
    "#338 its keys are free when Exit and Down are received: the watcher takes them at once",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const owner = yield* idle()
        yield* Registry.registerFor(Rooms, owner, "a", 1)
        yield* Process.monitor(owner)
        yield* Process.kill(owner)
        yield* inbox.receive(Signal.isDown)
        yield* Registry.register(Rooms, "a", 2)
        assert.deepStrictEqual(yield* Registry.whereis(Rooms, "a"), Option.some(inbox.pid))
      })
    )
  )

  kernelTest(
    "no process that races for its key is refused by a dead owner",
    Effect.gen(function* () {
      const owner = yield* idle()
      yield* Registry.registerFor(Rooms, owner, "a", 0)
      const others = yield* Effect.forEach([1, 2, 3], () => idle())
      const racing = yield* Effect.forkChild(
        Effect.forEach(others, (pid) => Effect.result(Registry.registerFor(Rooms, pid, "a", pid.id)), {
          concurrency: "unbounded"
        })
      )
      yield* Process.kill(owner)
      for (const result of yield* Fiber.join(racing)) {
        if (result._tag === "Success") continue
        assert.strictEqual(result.failure._tag, "AlreadyRegistered")
        // A refused process was refused by the owner at that moment: the first owner while it was alive, or the first
        // to come after it.
        if (result.failure._tag === "AlreadyRegistered" && result.failure.pid !== anyPid(owner)) {
          assert.isTrue(yield* Process.isAlive(result.failure.pid))
        }
      }
      for (const entry of yield* Registry.lookup(Rooms, "a")) assert.isTrue(yield* Process.isAlive(entry.pid))
      const next = yield* idle()
      const found = yield* Registry.whereis(Rooms, "a")
      if (Option.isNone(found)) yield* Registry.registerFor(Rooms, next, "a", 9)
    })
  )

  kernelTest(
    "after a kill neither it nor others can register it",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const done = yield* Deferred.make<Exit.Exit<void, Registry.AlreadyRegistered>>()
      const zombie = yield* Process.spawn(
        Effect.uninterruptible(
          Effect.andThen(
            Deferred.await(gate),
            Effect.flatMap(Effect.exit(Registry.register(Rooms, "a", 1)), (exit) => Deferred.succeed(done, exit))
          )
        )
      )
      yield* settle
      yield* Process.kill(zombie)
      const refused = Exit.fail(new Process.NoProcess({ process: anyPid(zombie) }))
      assert.deepStrictEqual(yield* Effect.exit(Registry.registerFor(Rooms, zombie, "a", 1)), refused)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Deferred.await(done), Exit.void)
      assert.strictEqual(yield* Registry.count(Rooms), 0)
    })
  )

  kernelTest(
    "it keeps its keys while its finalizers run, and can give one back there",
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      const ready = yield* Deferred.make<void>()
      const pid = yield* Process.spawn((inbox: Process.Inbox<never>) =>
        Effect.gen(function* () {
          yield* Registry.register(Rooms, "a", 1)
          yield* Registry.register(Rooms, "b", 1)
          const keys = Effect.map(Registry.keys(Rooms, inbox.pid), (keys) => seen.push(keys))
          yield* Effect.addFinalizer(() => Effect.andThen(Registry.unregister(Rooms, "a"), keys))
          yield* Deferred.succeed(ready, undefined)
          return yield* Effect.never
        })
      )
      yield* Deferred.await(ready)
      yield* Process.exit(pid, ExitReason.shutdown())
      yield* Process.awaitExit(pid)
      assert.deepStrictEqual(seen, [["b"]])
      assert.strictEqual(yield* Registry.count(Rooms), 0)
    })
  )

  kernelTest(
    "#260 nothing ties a process to the registry once it has given its last key back",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const ties = () => (inbox.pid as unknown as { belongings: Set<unknown> | undefined }).belongings?.size ?? 0
        yield* Registry.register(Rooms, "a", 1)
        yield* Registry.register(Rooms, "b", 1)
        assert.strictEqual(ties(), 1)
        yield* Registry.unregister(Rooms, "a")
        assert.strictEqual(ties(), 1)
        yield* Registry.unregister(Rooms, "b")
        assert.strictEqual(ties(), 0)
        yield* Registry.register(Rooms, "b", 1)
        assert.strictEqual(ties(), 1)
      })
    )
  )

  it.effect("it takes time for its own keys only", () =>
    inKernel(
      Effect.gen(function* () {
        const crowd = yield* idle()
        const entries = 50_000
        for (let i = 0; i < entries; i++) yield* Registry.registerFor(Tags, crowd, "crowd", "")
        const pids = yield* Effect.forEach(Array.from({ length: 2_000 }), () => idle())
        for (const pid of pids) yield* Registry.registerFor(Tags, pid, "crowd", "")
        // Otherwise it would be 2,000 times 52,000 steps, which takes minutes.
        for (const pid of pids.slice(0, 1_000)) yield* Process.kill(pid)
        for (const pid of pids.slice(1_000)) yield* Registry.unregisterFor(Tags, pid, "crowd")
        assert.strictEqual(yield* Registry.count(Tags), entries)
      })
    )
  )

  it.effect("one of many keys is removed without reading the others", () =>
    inKernel(
      Effect.gen(function* () {
        const pid = yield* idle()
        const keys = Array.from({ length: 50_000 }, (_, i) => `key ${i}`)
        for (const key of keys) yield* Registry.registerFor(Tags, pid, key, "")
        // Otherwise it would be 50,000 times 25,000 steps, which takes minutes.
        for (const key of keys.toReversed()) yield* Registry.unregisterFor(Tags, pid, key)
        assert.strictEqual(yield* Registry.count(Tags), 0)
      })
    )
  )
})

describe("values", () => {
  kernelTest(
    "#256 only the owner changes a value, and gets the new and the old one",
    asProcess((inbox) =>
      Effect.gen(function* () {
        yield* Registry.register(Rooms, "a", 1)
        assert.deepStrictEqual(yield* Registry.update(Rooms, "a", (n) => n + 1), { value: 2, previous: 1 })
        assert.deepStrictEqual(yield* Registry.values(Rooms, "a", inbox.pid), [2])
        const other = yield* idle()
        yield* Registry.registerFor(Rooms, other, "b", 1)
        for (const key of ["b", "c"]) {
          const exit = yield* Effect.exit(Registry.update(Rooms, key, (n) => n + 1))
          assert.deepStrictEqual(exit, Exit.fail(new Registry.NotOwner({ registry: "test/rooms", key })))
        }
        assert.deepStrictEqual(yield* Registry.values(Rooms, "b", other), [1])
      })
    )
  )

  kernelTest(
    "#257 #258 dispatch gives all entries of a key at once, and does nothing where there are none",
    Effect.gen(function* () {
      const [a, b, c] = [yield* idle(), yield* idle(), yield* idle()]
      yield* Registry.dispatch(Tags, "hello", () => Effect.die("never called"))
      yield* Registry.registerFor(Tags, a, "hello", "1")
      yield* Registry.registerFor(Tags, b, "hello", "2")
      yield* Registry.registerFor(Tags, c, "world", "3")
      const got: Array<unknown> = []
      yield* Registry.dispatch(Tags, "hello", (entries) => Effect.sync(() => got.push(plain(entries))))
      assert.deepStrictEqual(got, [
        [
          ["hello", a.id, "1"],
          ["hello", b.id, "2"]
        ]
      ])
      const failed = yield* Effect.exit(Registry.dispatch(Tags, "hello", () => Effect.fail("no")))
      assert.deepStrictEqual(failed, Exit.fail("no"))
      assert.strictEqual(yield* Registry.count(Tags), 3)
    })
  )

  kernelTest(
    "#262 match, select and count test values by a function; a key is never a pattern",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const other = yield* idle()
        yield* Registry.register(Tags, "_", "wild")
        yield* Registry.register(Tags, "$1", "tame")
        yield* Registry.registerFor(Tags, other, "_", "tame")
        assert.deepStrictEqual(plain(yield* Registry.match(Tags, "_", (value) => value === "tame")), [
          ["_", other.id, "tame"]
        ])
        assert.deepStrictEqual(yield* Registry.match(Tags, "$2", () => true), [])
        const tame = yield* Registry.select(Tags, ({ key, value }) => key !== "_" && value === "tame")
        assert.deepStrictEqual(plain(tame), [["$1", inbox.pid.id, "tame"]])
        assert.strictEqual((yield* Registry.select(Tags)).length, yield* Registry.count(Tags))
      })
    )
  )

  kernelTest(
    "only matching entries of this process are unregistered",
    asProcess((inbox) =>
      Effect.gen(function* () {
        const other = yield* idle()
        for (const value of ["a", "b", "a"]) yield* Registry.register(Tags, "x", value)
        yield* Registry.registerFor(Tags, other, "x", "a")
        yield* Registry.unregister(Tags, "x", (value) => value === "a")
        assert.deepStrictEqual(plain(yield* Registry.lookup(Tags, "x")), [
          ["x", inbox.pid.id, "b"],
          ["x", other.id, "a"]
        ])
        yield* Registry.unregister(Tags, "nothing")
        yield* Registry.unregisterFor(Tags, other, "x")
        assert.deepStrictEqual(yield* Registry.keys(Tags, other), [])
      })
    )
  )

  class Seat extends Data.Class<{ readonly row: number; readonly seat: number }> {}
  const Seats = Registry.make<Seat>("test/seats", { keys: "unique" })

  kernelTest(
    "keys are equal by their contents",
    Effect.gen(function* () {
      const pid = yield* idle()
      yield* Registry.registerFor(Seats, pid, new Seat({ row: 1, seat: 2 }))
      assert.deepStrictEqual(yield* Registry.whereis(Seats, new Seat({ row: 1, seat: 2 })), Option.some(pid))
      assert.deepStrictEqual(yield* Registry.whereis(Seats, new Seat({ row: 2, seat: 1 })), Option.none())
      yield* Registry.unregisterFor(Seats, pid, new Seat({ row: 1, seat: 2 }))
      assert.strictEqual(yield* Registry.count(Seats), 0)
    })
  )

  const Limited = Registry.make<string, void, never, { readonly limit: number; readonly open: boolean }>(
    "test/limited",
    {
      keys: "unique",
      meta: { limit: 10, open: true }
    }
  )

  kernelTest(
    "meta begins anew in each kernel",
    Effect.gen(function* () {
      assert.strictEqual(yield* Registry.meta(Limited, "limit"), 10)
      yield* Registry.putMeta(Limited, "limit", 20)
      assert.strictEqual(yield* Registry.meta(Limited, "limit"), 20)
      assert.isTrue(yield* Registry.meta(Limited, "open"))
      assert.strictEqual(yield* Effect.provide(Registry.meta(Limited, "limit"), Kernel.layer), 10)
    })
  )
})

describe("a stream of changes", () => {
  it("has a capacity of at least one", () => {
    assert.throws(() => Registry.changes(Rooms, { capacity: 0 }), RangeError, "1 or more, not 0")
  })

  kernelTest(
    "#261 begins with all entries, then gives each change, deaths included",
    Effect.gen(function* () {
      const [a, b] = [yield* idle(), yield* idle()]
      yield* Registry.registerFor(Rooms, a, "a", 1)
      const got = yield* reading(Registry.changes(Rooms))
      yield* Registry.registerFor(Rooms, b, "b", 2)
      yield* Registry.unregisterFor(Rooms, b, "b")
      yield* Process.kill(a)
      yield* asProcess(() =>
        Effect.andThen(
          Registry.register(Rooms, "c", 3),
          Registry.update(Rooms, "c", (n) => n + 1)
        )
      )
      yield* settle
      assert.deepStrictEqual(
        got.map((change) => (change._tag === "Snapshot" ? plain(change.entries) : [change._tag, ...plain([change])])),
        [
          [["a", a.id, 1]],
          ["Registered", ["b", b.id, 2]],
          ["Unregistered", ["b", b.id, 2]],
          ["Unregistered", ["a", a.id, 1]],
          ["Registered", ["c", b.id + 1, 3]],
          ["Updated", ["c", b.id + 1, 4]],
          ["Unregistered", ["c", b.id + 1, 4]]
        ]
      )
    })
  )

  kernelTest(
    "is never wrong for a slow reader, and delays nobody",
    Effect.gen(function* () {
      const pids = yield* Effect.forEach([1, 2, 3, 4], () => idle())
      const known = new Map<string, number>()
      let snapshots = 0
      const gate = yield* Deferred.make<void>()
      yield* Effect.forkScoped(
        Stream.runForEach(Registry.changes(Rooms, { capacity: 3 }), (change) =>
          Effect.gen(function* () {
            if (change._tag === "Snapshot") {
              snapshots++
              known.clear()
              for (const { key, value } of change.entries) known.set(key, value)
              return yield* Deferred.await(gate)
            }
            if (change._tag === "Unregistered") known.delete(change.key)
            else known.set(change.key, change.value)
          })
        )
      )
      yield* settle
      for (const pid of pids) yield* Registry.registerFor(Rooms, pid, `key ${pid.id}`, pid.id)
      yield* Process.kill(pids[0]!)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      yield* Process.kill(pids[1]!)
      yield* settle
      assert.strictEqual(snapshots, 2)
      assert.deepStrictEqual(
        Array.from(known.values()),
        pids.slice(2).map(({ id }) => id)
      )
    })
  )

  kernelTest(
    "misses nothing and gives nothing twice, whenever it begins",
    Effect.gen(function* () {
      const known = new Set<number>()
      const reader = yield* Effect.forkScoped(
        Stream.runForEach(Registry.changes(Tags, { capacity: 4 }), (change) =>
          Effect.sync(() => {
            if (change._tag === "Snapshot") {
              known.clear()
              for (const { pid } of change.entries) known.add(pid.id)
            } else if (change._tag === "Registered") {
              assert.isFalse(known.has(change.pid.id))
              known.add(change.pid.id)
            } else assert.isTrue(known.delete(change.pid.id))
          })
        )
      )
      const kept = yield* Effect.forEach(
        Array.from({ length: 8 }, (_, i) => i),
        (i) =>
          Effect.gen(function* () {
            const pid = yield* idle()
            yield* Registry.registerFor(Tags, pid, "x", "")
            if (i % 2 === 0) return pid.id
            yield* Process.kill(pid)
            return undefined
          }),
        { concurrency: 3 }
      )
      yield* settle
      assert.isUndefined(reader.pollUnsafe())
      assert.deepStrictEqual(known, new Set(kept.filter((id) => id !== undefined)))
    })
  )
})
