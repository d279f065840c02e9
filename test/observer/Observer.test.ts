import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, Layer, Option, Redacted, Schedule, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { Agent, GenServer, StateMachine, Sys, Task } from "effect-otp/behaviour"
import { Kernel, Process } from "effect-otp/kernel"
import { Observer, Snapshot } from "effect-otp/observer"
import { DynamicSupervisor, PartitionSupervisor, Supervisor, TaskSupervisor } from "effect-otp/supervision"
import { TestClock } from "effect/testing"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"

class Counter extends GenServer.Service<Counter>()("test/Counter", [
  Rpc.make("get", { success: Schema.Number }),
  GenServer.cast("add", { payload: { by: Schema.Number, token: Schema.String } }),
  GenServer.cast("crash", { payload: { password: Schema.String } })
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed({ count: 0, secret: Redacted.make("hunter2") }),
    handlers: {
      get: (_, state) => GenServer.reply(state.count, state),
      add: ({ by }, state) => GenServer.noReply({ ...state, count: state.count + by }),
      crash: () => Effect.die(new Error("asked to, token=abc123"))
    }
  })
  static readonly layer = this.definition.layer()
}

class Box extends Agent.Service<Box, number>()("test/Box") {
  static readonly layer = this.define({ init: () => Effect.succeed(1) }).layer()
}

type Light = { readonly _tag: "Red" } | { readonly _tag: "Green" }
class Lamp extends StateMachine.Service<Lamp>()("test/Lamp", [StateMachine.cast("press")]) {
  static readonly layer = this.define({
    init: () => Effect.succeed<Light>({ _tag: "Red" }),
    states: {
      Red: { press: () => StateMachine.keep([StateMachine.postpone]) },
      Green: { press: () => StateMachine.keep() }
    }
  }).layer()
}

class Rooms extends DynamicSupervisor.Service<Rooms>()("test/Rooms", { child: Counter.definition }) {}
class Jobs extends TaskSupervisor.Service<Jobs>()("test/Jobs") {}
class Shards extends PartitionSupervisor.Service<Shards>()("test/Shards", {
  child: Counter.definition,
  partitions: 2
}) {}
class App extends Supervisor.Service<App>()("test/App", {
  strategy: "oneForOne",
  schedule: Schedule.spaced("1 second"),
  children: [
    Supervisor.child(Counter.layer, { id: "main" }),
    Supervisor.child(Lamp.layer),
    Supervisor.child(Box.layer),
    Supervisor.child(Rooms.layer),
    Supervisor.child(Jobs.layer),
    Supervisor.child(Shards.layer),
    Supervisor.worker("ticker", Effect.never)
  ]
}) {}

const observed = Layer.provideMerge(App.layer, Observer.layer())

const named = (snapshot: Snapshot.Snapshot, name: string): Snapshot.Process => {
  const found = snapshot.processes.find(({ displayName }) => displayName === name)
  return found ?? assert.fail(`no ${name} among ${snapshot.processes.map(({ displayName }) => displayName).join(", ")}`)
}

describe("snapshot", () => {
  kernelTest(
    "lists every process below its parent, with what it was made with and its key",
    Effect.gen(function* () {
      const rooms = yield* Rooms
      const jobs = yield* Jobs
      yield* rooms.startChild("lobby")
      yield* jobs.start(Effect.never)
      const plain = yield* Process.spawn(Effect.never, { label: "plain" })
      const task = yield* Task.asyncNoLink(Effect.never)
      yield* settle
      const snapshot = yield* Observer.snapshot
      const nameOf = new Map(snapshot.processes.map(({ displayName, id }) => [id, displayName]))
      assert.deepStrictEqual(
        snapshot.processes.map(({ behaviour, displayName, key, parent, status }) => [
          behaviour,
          displayName,
          key,
          parent === undefined ? undefined : nameOf.get(parent),
          status
        ]),
        [
          ["Supervisor", "test/App", undefined, undefined, "running"],
          ["GenServer", "test/Counter(main)", "main", "test/App", "running"],
          ["StateMachine", "test/Lamp", "child 2", "test/App", "running"],
          ["Agent", "test/Box", "child 3", "test/App", "running"],
          ["DynamicSupervisor", "test/Rooms", "child 4", "test/App", "running"],
          ["TaskSupervisor", "test/Jobs", "child 5", "test/App", "running"],
          ["PartitionSupervisor", "test/Shards", "child 6", "test/App", "running"],
          ["GenServer", "test/Counter(0)", "0", "test/Shards", "running"],
          ["GenServer", "test/Counter(1)", "1", "test/Shards", "running"],
          ["Worker", "ticker", "ticker", "test/App", "running"],
          ["GenServer", "test/Counter(lobby)", "lobby", "test/Rooms", "running"],
          ["Task", "task 1", "task 1", "test/Jobs", "running"],
          ["Process", "plain", undefined, undefined, "running"],
          ["Task", task.pid.toString(), undefined, undefined, "running"]
        ]
      )
      yield* Effect.forEach([plain, task.pid], Process.kill, { discard: true })
    }).pipe(Effect.provide(observed))
  )

  kernelTest(
    "counts what the kernel counts, and how long each mailbox is",
    Effect.gen(function* () {
      const counter = yield* Counter
      yield* Sys.suspend(counter)
      yield* counter.add({ by: 1, token: "a" })
      yield* counter.add({ by: 1, token: "b" })
      const { processes, totals } = yield* Observer.snapshot
      const [row] = processes.filter(({ displayName }) => displayName === "test/Counter(main)")
      assert.deepStrictEqual([row!.mailboxLength, row!.accepted, row!.status], [2, 3, "suspended"])
      assert.deepStrictEqual(totals.messages, yield* Kernel.messages)
      const counts = yield* Kernel.counts
      assert.deepStrictEqual(
        [totals.processes, totals.names, totals.timers, totals.zombies, totals.lateReplies],
        [counts.processes, counts.names, counts.timers, counts.zombies, counts.lateReplies]
      )
      assert.strictEqual(totals.processes, processes.length)
    }).pipe(Effect.provide(observed))
  )

  kernelTest(
    "has the crash, its decision, the child that is down, and then the restart; secrets are hidden",
    Effect.gen(function* () {
      const counter = yield* Counter
      const before = named(yield* Observer.snapshot, "test/Counter(main)")
      yield* counter.add({ by: 2, token: "xyz" })
      yield* counter.crash({ password: "hunter3" })
      yield* settle
      const down = yield* Observer.snapshot
      const app = named(down, "test/App")
      assert.deepStrictEqual(down.down, [{ supervisor: app.id, key: "main", state: "restarting", restarts: 0 }])
      assert.isUndefined(down.processes.find(({ id }) => id === before.id))
      const [crash] = down.crashes
      assert.deepStrictEqual(
        [crash!.number, crash!.process, crash!.displayName, crash!.ancestors, crash!.decision],
        [1, before.id, "test/Counter(main)", ["test/App"], "restart in 1000 ms"]
      )
      assert.include(crash!.cause, "asked to")
      assert.include(crash!.message, "<redacted>")
      assert.notMatch(JSON.stringify(down), /hunter|abc123|xyz/)
      yield* TestClock.adjust("1 second")
      yield* settle
      const up = yield* Observer.snapshot
      const after = named(up, "test/Counter(main)")
      assert.deepStrictEqual([after.restarts, up.down, up.totals.crashes, up.totals.restarts], [1, [], 1, 1])
      assert.deepStrictEqual(
        up.restarts.map(({ child, incarnation, number, process, supervisor }) => [
          number,
          supervisor,
          child,
          incarnation,
          process
        ]),
        [[1, "test/App", "main", 2, after.id]]
      )
      assert.strictEqual(after.startedAt! - before.startedAt!, 1000)
    }).pipe(Effect.provide(observed))
  )

  kernelTest(
    "is the same after JSON, by its Schema",
    Effect.gen(function* () {
      const rooms = yield* Rooms
      yield* rooms.startChild("lobby")
      const counter = yield* Counter
      yield* counter.crash({ password: "hunter3" })
      yield* settle
      const snapshot = yield* Observer.snapshot
      const json = Schema.fromJsonString(Schema.toCodecJson(Snapshot.Change))
      const text = yield* Schema.encodeEffect(json)(snapshot)
      assert.deepStrictEqual(yield* Schema.decodeEffect(json)(text), snapshot)
    }).pipe(Effect.orDie, Effect.provide(observed))
  )
})

describe("apply", () => {
  it("keeps as many crashes and restarts as an observer does", () => {
    const crash: Snapshot.Crash = {
      number: 1,
      at: 0,
      process: 1,
      displayName: "a",
      ancestors: [],
      cause: "",
      mailboxLength: 0
    }
    const restart: Snapshot.Restart = { number: 1, at: 0, supervisor: "s", child: "c", incarnation: 2 }
    const many = {
      crashes: Array.from({ length: 150 }, () => crash),
      restarts: Array.from({ length: 700 }, () => restart)
    }
    const none = {
      accepted: 0,
      handled: 0,
      failed: 0,
      returned: 0,
      abandoned: 0,
      dropped: 0,
      deadLettered: 0,
      pending: 0
    }
    const counts = { processes: 0, zombies: 0, timers: 0, names: 0, lateReplies: 0, crashes: 0, restarts: 0 }
    const totals = { ...counts, messages: none }
    const first: Snapshot.Snapshot = { _tag: "Snapshot", version: 1, at: 0, processes: [], down: [], totals, ...many }
    const second = Snapshot.apply(first, {
      _tag: "Delta",
      version: 1,
      at: 1,
      changed: [],
      removed: [],
      totals,
      ...many
    })
    assert.deepStrictEqual([second.crashes.length, second.restarts.length], [200, 1000])
  })
})

describe("changes", () => {
  kernelTest(
    "are a snapshot and then what has changed; applied they give the snapshot of that time",
    Effect.gen(function* () {
      const rooms = yield* Rooms
      const counter = yield* Counter
      const seen: Array<Snapshot.Change> = []
      const reader = yield* Effect.forkChild(
        Stream.runForEach(Observer.changes, (change) => Effect.sync(() => void seen.push(change))),
        { startImmediately: true }
      )
      yield* settle
      const room = yield* rooms.startChild("lobby")
      yield* room.add({ by: 1, token: "" })
      yield* TestClock.adjust("1 second")
      yield* settle
      yield* counter.get()
      yield* rooms.terminateChild("lobby")
      yield* TestClock.adjust("1 second")
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* settle
      const [first, second, third, fourth] = seen
      assert.deepStrictEqual(
        seen.map(({ _tag }) => _tag),
        ["Snapshot", "Delta", "Delta", "Delta"]
      )
      const names = (change: Snapshot.Change | undefined) =>
        change?._tag === "Delta" ? change.changed.map(({ displayName }) => displayName) : []
      assert.deepStrictEqual(names(second), ["test/Counter(lobby)"])
      assert.deepStrictEqual(names(third), ["test/Counter(main)"])
      const lobby = second?._tag === "Delta" ? second.changed[0]!.id : 0
      assert.deepStrictEqual(third?._tag === "Delta" ? third.removed : [], [lobby])
      assert.deepStrictEqual(third?._tag === "Delta" && third.changed[0]?.handledPerSecond, 1)
      // The rate falls back to zero, and nothing else changes.
      assert.deepStrictEqual(names(fourth), ["test/Counter(main)"])
      const applied = seen.reduce<Snapshot.Snapshot>(
        (snapshot, change) => Snapshot.apply(snapshot, change),
        first as Snapshot.Snapshot
      )
      assert.deepStrictEqual(applied.processes, (yield* Observer.snapshot).processes)
      const whole = yield* Stream.runHead(Observer.snapshots)
      assert.deepStrictEqual(
        Option.map(whole, ({ processes }) => processes),
        Option.some(applied.processes)
      )
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(observed))
  )

  kernelTest(
    "begin with what is there now, also for a reader after a pause",
    Effect.gen(function* () {
      yield* Stream.runHead(Observer.changes)
      const pid = yield* Process.spawn(Effect.never, { label: "late" })
      const first = Option.getOrThrow(yield* Stream.runHead(Observer.changes))
      assert.strictEqual(named(first as Snapshot.Snapshot, "late").id, pid.id)
      yield* Process.kill(pid)
    }).pipe(Effect.provide(observed))
  )

  kernelTest(
    "cost no look while nobody reads",
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let looks = 0
      const counting = Object.create(clock, {
        currentTimeMillisUnsafe: { value: () => (looks++, clock.currentTimeMillisUnsafe()) }
      }) as Clock.Clock
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(looks, 0)
        const reader = yield* Effect.forkChild(Stream.runDrain(Observer.changes), { startImmediately: true })
        yield* settle
        for (let second = 1; second <= 3; second++) yield* Effect.andThen(TestClock.adjust("1 second"), settle)
        yield* Fiber.interrupt(reader)
        const before = looks
        assert.strictEqual(before, 4)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(looks, before)
      }).pipe(Effect.provide(Observer.layer()), Effect.provideService(Clock.Clock, counting))
    })
  )

  kernelTest(
    "reach a slow reader as one large change",
    Effect.gen(function* () {
      const open = yield* Deferred.make<void>()
      const seen: Array<Snapshot.Change> = []
      const reader = yield* Effect.forkChild(
        Stream.runForEach(Observer.changes, (change) =>
          Effect.andThen(
            Effect.sync(() => void seen.push(change)),
            Deferred.await(open)
          )
        ),
        { startImmediately: true }
      )
      yield* settle
      for (let at = 0; at < 5; at++) {
        yield* Process.spawn(Effect.never, { label: `late ${at}` })
        yield* TestClock.adjust("1 second")
        yield* settle
      }
      yield* Deferred.succeed(open, undefined)
      yield* settle
      assert.strictEqual(seen.length, 2)
      const delta = seen[1]!
      assert.deepStrictEqual(delta._tag === "Delta" && delta.changed.map(({ displayName }) => displayName), [
        "late 0",
        "late 1",
        "late 2",
        "late 3",
        "late 4"
      ])
      yield* Fiber.interrupt(reader)
      yield* killAll("late")
    }).pipe(Effect.provide(observed))
  )
})

const killAll = (label: string) =>
  Effect.flatMap(Kernel.processes, (pids) =>
    Effect.forEach(
      pids,
      (pid) =>
        Effect.flatMap(Process.info(pid), (info) =>
          Option.isSome(info) && info.value.label?.startsWith(label) === true ? Process.kill(pid) : Effect.void
        ),
      { discard: true }
    )
  )

describe("process", () => {
  kernelTest(
    "shows the state without secrets, the neighbours, and the last crash of the run before",
    Effect.gen(function* () {
      const counter = yield* Counter
      yield* counter.crash({ password: "hunter3" })
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* settle
      const { id } = named(yield* Observer.snapshot, "test/Counter(main)")
      yield* Sys.suspend(counter)
      yield* asProcess(() =>
        Effect.gen(function* () {
          const self = yield* Process.self
          yield* Process.monitor(counter)
          const details = Option.getOrThrow(yield* Observer.process(id))
          assert.deepStrictEqual(details.monitoredBy, [self.id])
          assert.strictEqual(details.process.status, "suspended")
          assert.include(details.state, "count")
          assert.notInclude(JSON.stringify(details), "hunter")
          assert.deepStrictEqual([details.lastCrash?.number, details.process.restarts], [1, 1])
        })
      )
    }).pipe(Effect.provide(observed))
  )

  kernelTest(
    "shows no crash of another process with the same name",
    Effect.gen(function* () {
      yield* Process.spawn(Effect.die(new Error("asked to")), { label: "connection" })
      const healthy = yield* Process.spawn(Effect.never, { label: "connection" })
      yield* settle
      assert.strictEqual((yield* Observer.snapshot).crashes.length, 1)
      assert.isUndefined(Option.getOrThrow(yield* Observer.process(healthy.id)).lastCrash)
      yield* Process.kill(healthy)
    }).pipe(Effect.provide(observed))
  )

  kernelTest(
    "shows what waits in a state machine, and the children of a supervisor",
    Effect.gen(function* () {
      const lamp = yield* Lamp
      yield* lamp.press()
      yield* settle
      const snapshot = yield* Observer.snapshot
      const machine = Option.getOrThrow(yield* Observer.process(named(snapshot, "test/Lamp").id))
      assert.include(machine.state, "Red")
      assert.include(machine.machine, "press")
      const app = Option.getOrThrow(yield* Observer.process(named(snapshot, "test/App").id))
      assert.deepStrictEqual(
        [app.childCount, app.children[0], app.state],
        [7, { key: "main", state: "running", restarts: 0 }, undefined]
      )
      assert.deepStrictEqual(yield* Observer.process(123_456), Option.none())
    }).pipe(Effect.provide(observed))
  )
})

describe("a look in slices", () => {
  /** Each time it is read, a millisecond has passed. So a slice ends after a few steps. */
  const restless = Effect.map(Clock.Clock, (clock) => {
    let reads = 0n
    return Object.create(clock, { monotonicTimeNanosUnsafe: { value: () => ++reads * 1_000_000n } }) as Clock.Clock
  })

  kernelTest(
    "lets others act between slices: a later look shows what they did, and nothing stays that is gone",
    Effect.gen(function* () {
      const clock = yield* restless
      const looks = Effect.provideService(Observer.snapshot, Clock.Clock, clock)
      const pids = yield* Effect.forEach(Array.from({ length: 300 }), () => Process.spawn(Effect.never))
      const looking = yield* Effect.forkChild(looks, { startImmediately: true })
      assert.isUndefined(looking.pollUnsafe())
      yield* Effect.forEach(pids.slice(0, 150), Process.kill, { discard: true })
      const late = yield* Process.spawn(Effect.never)
      const { processes } = yield* Fiber.join(looking)
      const ids = processes.map(({ id }) => id)
      assert.deepStrictEqual(
        ids,
        ids.toSorted((a, b) => a - b)
      )
      assert.includeMembers(
        ids,
        pids.slice(150).map(({ id }) => id)
      )
      const after = yield* looks
      assert.deepStrictEqual(
        after.processes.map(({ id }) => id),
        [...pids.slice(150), late].map(({ id }) => id)
      )
      yield* Effect.forEach([...pids, late], Process.kill, { discard: true })
    }).pipe(Effect.provide(Observer.layer())),
    20
  )

  kernelTest(
    "goes on after a look that was interrupted half-way",
    Effect.gen(function* () {
      const clock = yield* restless
      const looks = Effect.provideService(Observer.snapshot, Clock.Clock, clock)
      const pids = yield* Effect.forEach(Array.from({ length: 300 }), () => Process.spawn(Effect.never))
      const looking = yield* Effect.forkChild(looks, { startImmediately: true })
      yield* Fiber.interrupt(looking)
      yield* Effect.forEach(pids.slice(0, 299), Process.kill, { discard: true })
      assert.deepStrictEqual(
        (yield* looks).processes.map(({ id }) => id),
        [pids[299]!.id]
      )
      yield* Process.kill(pids[299]!)
    }).pipe(Effect.provide(Observer.layer())),
    20
  )
})

describe("layer", () => {
  it("refuses an interval that makes no sense", () => {
    for (const every of [0, -1, NaN, Infinity]) assert.throws(() => Observer.layer({ every }), RangeError)
  })
})
