import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Stream } from "effect"
import type { Pid } from "effect-otp/kernel"
import { Kernel, Process, Signal } from "effect-otp/kernel"
import { ProcessGroup } from "effect-otp/naming"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"
import { anyPid, deaf, keeper, reading } from "../fixtures/receivers.ts"

const Workers = ProcessGroup.make<string, string>("test/workers")

const ids = (pids: ReadonlyArray<Pid.Pid<string>>) => pids.map(({ id }) => id)

const inOrder = (pids: ReadonlyArray<Pid.Pid<string>>) => ids(pids).toSorted((a, b) => a - b)

const shown = (change: ProcessGroup.Change<string, string>) =>
  change._tag === "Snapshot"
    ? change.members.map(({ group, pid }) => `${group} ${pid.id}`)
    : `${change._tag} ${change.group} ${change.pid.id}`

describe("a scope of groups", () => {
  it("has a name that is not empty", () => {
    assert.throws(() => ProcessGroup.make(""), RangeError, 'A name must be a string that is not empty, not ""')
    assert.isTrue(ProcessGroup.isProcessGroup(Workers))
    assert.isFalse(ProcessGroup.isProcessGroup({ name: "test/workers" }))
  })

  kernelTest(
    "a process is listed once for each join, and leaves once for each",
    asProcess((inbox: Process.Inbox<string>) =>
      Effect.gen(function* () {
        const me = inbox.pid.id
        assert.isFalse(yield* ProcessGroup.leave(Workers, "eu"))
        yield* ProcessGroup.join(Workers, "eu")
        yield* ProcessGroup.join(Workers, "eu")
        yield* ProcessGroup.join(Workers, "us")
        const other = yield* keeper()
        yield* ProcessGroup.join(Workers, "eu", other.pid)
        assert.deepStrictEqual(inOrder(yield* ProcessGroup.members(Workers, "eu")), [me, me, other.pid.id])
        assert.deepStrictEqual((yield* ProcessGroup.groups(Workers)).toSorted(), ["eu", "us"])
        assert.isTrue(yield* ProcessGroup.leave(Workers, "eu"))
        assert.deepStrictEqual(inOrder(yield* ProcessGroup.members(Workers, "eu")), [me, other.pid.id])
        assert.isTrue(yield* ProcessGroup.leave(Workers, "eu"))
        assert.isFalse(yield* ProcessGroup.leave(Workers, "eu"))
        assert.isTrue(yield* ProcessGroup.leave(Workers, "us"))
        assert.deepStrictEqual(yield* ProcessGroup.groups(Workers), ["eu"])
        assert.isTrue(yield* ProcessGroup.leave(Workers, "eu", other.pid))
        assert.deepStrictEqual(yield* ProcessGroup.groups(Workers), [])
        assert.deepStrictEqual(yield* ProcessGroup.members(Workers, "eu"), [])
      })
    )
  )

  kernelTest(
    "#313 a process that is dead or of another kernel is refused",
    Effect.gen(function* () {
      const { pid } = yield* keeper()
      const refused = Exit.fail(new Process.NoProcess({ process: anyPid(pid) }))
      const abroad = Effect.provide(Effect.exit(ProcessGroup.join(Workers, "eu", pid)), Kernel.layer)
      assert.deepStrictEqual(yield* abroad, refused)
      yield* Process.kill(pid)
      assert.deepStrictEqual(yield* Effect.exit(ProcessGroup.join(Workers, "eu", pid)), refused)
      assert.deepStrictEqual(yield* ProcessGroup.groups(Workers), [])
    })
  )

  kernelTest(
    "#312 joining and leaving a process that is just ending leaves nothing behind",
    Effect.gen(function* () {
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => Effect.as(Effect.yieldNow, inbox))
      const joining = yield* Effect.forkChild(
        Effect.forEach(
          ["eu", "us", "eu"],
          (group) =>
            Effect.andThen(
              Effect.ignore(ProcessGroup.join(Workers, group, pid)),
              group === "us" ? ProcessGroup.leave(Workers, group, pid) : Effect.void
            ),
          { concurrency: "unbounded" }
        )
      )
      const ending = yield* Effect.forkChild(Process.kill(pid))
      yield* Fiber.join(joining)
      yield* Fiber.join(ending)
      assert.deepStrictEqual(yield* ProcessGroup.groups(Workers), [])
      const { pid: next } = yield* keeper()
      yield* ProcessGroup.join(Workers, "eu", next)
      assert.deepStrictEqual(ids(yield* ProcessGroup.members(Workers, "eu")), [next.id])
    })
  )

  kernelTest(
    "a process has left all its groups when its Down is received",
    asProcess((inbox: Process.Inbox<string>) =>
      Effect.gen(function* () {
        const { pid } = yield* keeper()
        yield* ProcessGroup.join(Workers, "eu", pid)
        yield* ProcessGroup.join(Workers, "eu", pid)
        yield* ProcessGroup.join(Workers, "us", pid)
        yield* Process.monitor(pid)
        yield* Process.kill(pid)
        yield* inbox.receive(Signal.isDown)
        assert.deepStrictEqual(yield* ProcessGroup.groups(Workers), [])
      })
    )
  )
})

describe("a group", () => {
  kernelTest(
    "gets a broadcast once for each membership, in order for each sender",
    Effect.gen(function* () {
      const [a, b, c] = [yield* keeper(), yield* keeper(), yield* keeper()]
      yield* ProcessGroup.join(Workers, "eu", a.pid)
      yield* ProcessGroup.join(Workers, "eu", a.pid)
      yield* ProcessGroup.join(Workers, "eu", b.pid)
      yield* ProcessGroup.join(Workers, "us", c.pid)
      yield* ProcessGroup.broadcast(Workers, "eu", "1")
      yield* ProcessGroup.leave(Workers, "eu", a.pid)
      yield* ProcessGroup.broadcast(Workers, "eu", "2")
      yield* ProcessGroup.broadcast(Workers, "nowhere", "3")
      yield* settle
      assert.deepStrictEqual([a.got, b.got, c.got], [["1", "1", "2"], ["1", "2"], []])
    })
  )

  kernelTest(
    "a member with a full mailbox does not delay the others, whatever its strategy",
    Effect.gen(function* () {
      const letters: Array<unknown> = []
      yield* Telemetry.attach("letters", Events.deadLetter, (_, { content, to, why }) => {
        letters.push([to.id, content, why._tag])
      })
      const last = yield* keeper()
      const strategies = ["suspend", "fail", "dropping", "sliding"] as const
      const pids = yield* Effect.forEach(strategies, (strategy) => deaf({ capacity: 1, strategy }))
      for (const pid of [...pids, last.pid]) yield* ProcessGroup.join(Workers, "eu", pid)
      yield* ProcessGroup.broadcast(Workers, "eu", "1")
      yield* ProcessGroup.broadcast(Workers, "eu", "2")
      yield* settle
      assert.deepStrictEqual(last.got, ["1", "2"])
      assert.deepStrictEqual(letters, [
        [pids[0]?.id, "2", "Full"],
        [pids[1]?.id, "2", "Full"]
      ])
      const fates = yield* Effect.forEach(pids, (pid) =>
        Effect.map(Process.info(pid), (info) => {
          const { accepted, deadLettered, dropped, pending } = Option.getOrThrow(info).messages
          return { accepted, deadLettered, dropped, pending }
        })
      )
      const dead = { accepted: 2, deadLettered: 1, dropped: 0, pending: 1 }
      const drop = { accepted: 2, deadLettered: 0, dropped: 1, pending: 1 }
      assert.deepStrictEqual(fates, [dead, dead, drop, drop])
    })
  )

  kernelTest(
    "gives each member its turn, and returns its pid",
    Effect.gen(function* () {
      const [a, b, c] = [yield* keeper(), yield* keeper(), yield* keeper()]
      assert.deepStrictEqual(yield* ProcessGroup.send(Workers, "eu", "0"), Option.none())
      for (const { pid } of [a, b, c]) yield* ProcessGroup.join(Workers, "eu", pid)
      const turns: Array<number> = []
      for (const message of ["1", "2", "3", "4"]) {
        turns.push(Option.getOrThrow(yield* ProcessGroup.send(Workers, "eu", message)).id)
      }
      yield* Process.kill(b.pid)
      for (const message of ["5", "6"]) {
        turns.push(Option.getOrThrow(yield* ProcessGroup.send(Workers, "eu", message)).id)
      }
      const [x, y, z] = [a.pid.id, b.pid.id, c.pid.id]
      assert.deepStrictEqual(turns, [x, y, z, x, z, x])
      yield* settle
      assert.deepStrictEqual(
        [a.got, c.got],
        [
          ["1", "4", "6"],
          ["3", "5"]
        ]
      )
    })
  )

  kernelTest(
    "dispatch calls a function with its members, and does not without members",
    Effect.gen(function* () {
      const [a, b] = [yield* keeper(), yield* keeper()]
      yield* ProcessGroup.dispatch(Workers, "eu", () => Effect.die("never called"))
      yield* ProcessGroup.join(Workers, "eu", a.pid)
      yield* ProcessGroup.join(Workers, "eu", b.pid)
      yield* ProcessGroup.dispatch(Workers, "eu", (members) => Process.send(members.at(-1)!, "1"))
      yield* settle
      assert.deepStrictEqual([a.got, b.got], [[], ["1"]])
    })
  )
})

describe("a stream of membership", () => {
  it("has a capacity of at least one", () => {
    assert.throws(() => ProcessGroup.changes(Workers, { capacity: 0.5 }), RangeError, "1 or more, not 0.5")
    assert.throws(() => ProcessGroup.changesOf(Workers, "eu", { capacity: 0 }), RangeError, "1 or more, not 0")
  })

  kernelTest(
    "begins with all members, then gives each that joins or leaves, deaths included",
    Effect.gen(function* () {
      const [a, b] = [yield* keeper(), yield* keeper()]
      yield* ProcessGroup.join(Workers, "eu", a.pid)
      yield* ProcessGroup.join(Workers, "eu", a.pid)
      const [all, eu, us] = [
        yield* reading(ProcessGroup.changes(Workers)),
        yield* reading(ProcessGroup.changesOf(Workers, "eu")),
        yield* reading(ProcessGroup.changesOf(Workers, "us"))
      ]
      yield* ProcessGroup.join(Workers, "us", b.pid)
      yield* ProcessGroup.join(Workers, "eu", b.pid)
      yield* ProcessGroup.leave(Workers, "us", b.pid)
      yield* Process.kill(a.pid)
      yield* settle
      const [x, y] = [a.pid.id, b.pid.id]
      const ofEu = [[`eu ${x}`, `eu ${x}`], `Joined eu ${y}`, `Left eu ${x}`, `Left eu ${x}`]
      assert.deepStrictEqual(eu.map(shown), ofEu)
      assert.deepStrictEqual(us.map(shown), [[], `Joined us ${y}`, `Left us ${y}`])
      assert.deepStrictEqual(all.map(shown), [ofEu[0], `Joined us ${y}`, ofEu[1], `Left us ${y}`, ofEu[2], ofEu[3]])
    })
  )

  kernelTest(
    "is never wrong, whichever processes join and die meanwhile and however slow its reader",
    Effect.gen(function* () {
      const known: Array<string> = []
      const slow = Stream.runForEach(ProcessGroup.changes(Workers, { capacity: 2 }), (change) =>
        Effect.gen(function* () {
          if (change._tag === "Snapshot") known.splice(0, known.length, ...change.members.map(({ pid }) => `${pid.id}`))
          else if (change._tag === "Joined") known.push(`${change.pid.id}`)
          else known.splice(known.indexOf(`${change.pid.id}`), 1)
          yield* Effect.yieldNow
        })
      )
      yield* Effect.forkScoped(slow)
      yield* Effect.forEach(
        Array.from({ length: 9 }, (_, i) => i),
        (i) =>
          Effect.gen(function* () {
            const { pid } = yield* keeper()
            yield* ProcessGroup.join(Workers, i < 5 ? "eu" : "us", pid)
            yield* ProcessGroup.join(Workers, "eu", pid)
            if (i % 3 === 0) yield* Process.kill(pid)
            if (i % 3 === 1) yield* ProcessGroup.leave(Workers, "eu", pid)
          }),
        { concurrency: 3 }
      )
      yield* settle
      const all = yield* Effect.forEach(["eu", "us"], (group) => ProcessGroup.members(Workers, group))
      assert.deepStrictEqual(known.toSorted(), all.flatMap((pids) => ids(pids).map(String)).toSorted())
    })
  )

  kernelTest(
    "is not held by a reader that has gone",
    Effect.gen(function* () {
      const ready = yield* Deferred.make<void>()
      const reader = yield* Effect.forkChild(
        Stream.runForEach(ProcessGroup.changesOf(Workers, "eu"), () => Deferred.succeed(ready, undefined))
      )
      yield* Deferred.await(ready)
      yield* Fiber.interrupt(reader)
      const state = (Workers as unknown as { stateIn: (kernel: unknown) => object }).stateIn
      const kernel = (yield* Kernel.Kernel) as unknown as { readonly state: unknown }
      const { readersOf } = state(kernel.state) as { readonly readersOf: { readonly size: number } }
      assert.strictEqual(readersOf.size, 0)
    })
  )
})
