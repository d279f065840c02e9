import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, Name, Supervisor } from "effect-otp"
import { ExitReason, Kernel, Process } from "effect-otp/kernel"
import { settle } from "../fixtures/kernel.ts"
import { kid, runKids, supervisorOf } from "../fixtures/dynamic.ts"
import { boom, child, crash, Journal, pass, quiet, run, StartError, treeTest } from "../fixtures/supervision.ts"
import { fieldsOf } from "../fixtures/callReason.ts"

/** Fails its first start. */
const failing = (key: string, incarnation: number) =>
  incarnation === 1 ? Effect.fail(new StartError({ child: key })) : Effect.void

const { AlreadyStarted, ChildNotFound, MaxChildren, SupervisorDown } = DynamicSupervisor

/** Runs an effect beside the test, and says whether it has ended. */
const beside = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.forkChild(Effect.exit(effect)), (fiber) => ({
    isDone: Effect.sync(() => fiber.pollUnsafe() !== undefined),
    exit: Fiber.join(fiber),
    interrupt: Fiber.interrupt(fiber)
  }))

const assertUpOrGone = (children: ReadonlyArray<DynamicSupervisor.ChildInfo>) =>
  assert.include(["", "running"], children.map(({ state }) => state).join())

describe("options", () => {
  const make = (options: object) => () =>
    DynamicSupervisor.Service<never>()("test/Kids", { child: kid(new Journal()), ...options })

  it.each([
    [{ maxChildren: -1 }, "maxChildren"],
    [{ maxChildren: 1.5 }, "maxChildren"],
    [{ maxChildren: Number.NaN }, "maxChildren"],
    [{ intensity: { max: -1, within: "5 seconds" } }, "max"],
    [{ intensity: { max: 0.5, within: "5 seconds" } }, "max"],
    [{ intensity: { max: 1, within: 0 } }, "within"]
  ])("#189 %o is refused where the supervisor is declared", (options, what) => {
    assert.throws(make(options), RangeError, what)
  })

  it("#193 can have no children at all, or any number of them", () => {
    assert.doesNotThrow(make({ maxChildren: 0 }))
    assert.doesNotThrow(make({ maxChildren: Infinity }))
  })
})

describe("startChild", () => {
  treeTest("starts a process under a key and gives its client", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal)
      const b = yield* start("b")
      const a = yield* start("a")
      assert.strictEqual(yield* a.incarnation(), 1)
      assert.strictEqual(yield* b.incarnation(), 1)
      yield* journal.expect("+b1", "+a1")
      const running = { state: "running", restarts: 0 } as const
      assert.deepStrictEqual(yield* kids.whichChildren, [
        { key: "b", pid: journal.pid("b"), ...running },
        { key: "a", pid: journal.pid("a"), ...running }
      ])
      assert.deepStrictEqual(yield* kids.countChildren, { children: 2, active: 2, restarting: 0 })
    })
  )

  treeTest("without a key gives each child a key of its own", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal)
      yield* start("child 2")
      const clients = [yield* kids.startChild(undefined, "a"), yield* kids.startChild(undefined, "b")]
      assert.deepStrictEqual(yield* Effect.forEach(clients, (client) => client.incarnation()), [1, 1])
      const keys = (yield* kids.whichChildren).map(({ key }) => key)
      assert.deepStrictEqual(keys, ["child 2", "child 1", "child 3"])
      assert.deepStrictEqual(yield* kids.get("child 3"), Option.some(clients[1]!))
      // It is restarted with its arguments, as any other.
      yield* crash(journal, "a")
      yield* journal.expect("+child 21", "+a1", "+b1", "-a1", "+a2")
      yield* kids.terminateChild("child 1")
      assert.strictEqual((yield* kids.countChildren).children, 2)
    })
  )

  treeTest("takes the restart type and the limit of one child in place of the supervisor's", ({ journal }) =>
    Effect.gen(function* () {
      const terminate = (key: string) => (key === "b" ? Effect.never : Effect.void)
      const { kids } = yield* runKids(journal, { script: { terminate }, shutdown: "Infinity" })
      yield* kids.startChild({ key: "a", restart: "temporary" }, "a")
      yield* kids.startChild({ shutdown: "brutalKill" }, "b")
      yield* crash(journal, "a")
      yield* settle
      assert.deepStrictEqual(
        (yield* kids.whichChildren).map(({ key }) => key),
        ["child 1"]
      )
      yield* kids.terminateChild("child 1")
      assert.deepStrictEqual(yield* kids.whichChildren, [])
    })
  )

  treeTest("refuses a wrong key and wrong options before anything happens", ({ journal }) =>
    Effect.gen(function* () {
      const { kids } = yield* runKids(journal)
      const start = kids.startChild as (child: unknown, arg: string) => Effect.Effect<unknown, unknown>
      const ask = kids.startOrGet as (child: unknown, arg: string) => Effect.Effect<unknown, unknown>
      const refused = (child: unknown, how = start) =>
        Effect.map(Effect.exit(how(child, "a")), (exit) => String(Cause.squash(Option.getOrThrow(Exit.getCause(exit)))))
      assert.strictEqual(
        yield* refused(1),
        "RangeError: test/Kids: a child must be a key or a record of options, not 1"
      )
      assert.include(yield* refused(null), "not null")
      assert.strictEqual(yield* refused({ key: 1 }), "RangeError: test/Kids: key must be a string, not 1")
      assert.include(yield* refused({}, ask), "key must be a string, not undefined")
      assert.include(yield* refused(undefined, ask), "not undefined")
      assert.include(yield* refused({ restart: "always" }), '"always"')
      assert.include(yield* refused({ shutdown: -1 }), "-1")
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      yield* journal.expect()
    })
  )

  treeTest("gives the same client by get, and none for a free key", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal)
      yield* start("a")
      const client = yield* Effect.flatMap(kids.get("a"), Effect.fromOption)
      assert.strictEqual(yield* client.incarnation(), 1)
      assert.deepStrictEqual(yield* kids.get("b"), Option.none())
    })
  )

  treeTest("a key has one child: the second start is refused while it runs, starts or restarts", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = (_: string, n: number) => (n === 1 ? Effect.void : Deferred.await(gate))
      const { kids, start } = yield* runKids(journal, { script: { init } })
      const assertRefused = Effect.gen(function* () {
        const [child] = yield* kids.whichChildren
        assert.isDefined(child?.pid)
        const refused = new AlreadyStarted({ processName: "test/Kid(a)", pid: child.pid })
        assert.deepStrictEqual(yield* Effect.flip(start("a")), refused)
      })
      yield* start("a")
      yield* assertRefused
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1")
      // #165 as for a static supervisor: already present.
      yield* assertRefused
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a2")
      yield* assertRefused
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 1, restarting: 0 })
    })
  )

  treeTest("two starts of one key at the same moment start one process", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal, { script: { init: () => Effect.yieldNow } })
      const exits = yield* Effect.all([Effect.exit(start("a")), Effect.exit(start("a")), Effect.exit(start("a"))], {
        concurrency: "unbounded"
      })
      const failures = exits.filter(Exit.isFailure).map(({ cause }) => cause)
      const { pid } = (yield* kids.whichChildren)[0]!
      // Its process may not have been there yet.
      for (const failure of failures) {
        const error = Cause.squash(failure) as DynamicSupervisor.AlreadyStarted
        assert.include([undefined, pid], error.pid)
        assert.deepStrictEqual(error, new AlreadyStarted({ processName: "test/Kid(a)", pid: error.pid }))
      }
      assert.strictEqual(failures.length, 2)
      yield* journal.expect("+a1")
    })
  )

  treeTest("a typed failure of init is the starter's, and leaves nothing", ({ journal, crashes, lines }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal, { script: { init: failing } })
      assert.deepStrictEqual(yield* Effect.flip(start("a")), new StartError({ child: "a" }))
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      assert.deepStrictEqual(yield* kids.get("a"), Option.none())
      yield* journal.expect("!a1", "-a1")
      // The key is free at once.
      yield* start("a")
      yield* journal.expect("+a2")
      assert.deepStrictEqual([crashes, lines], [[], []])
    })
  )

  treeTest(
    "#192 an init that dies is a defect of the start; the supervisor and the others live",
    ({ journal, crashes }) =>
      Effect.gen(function* () {
        const init = (key: string) => (key === "bad" ? Effect.die("oops") : Effect.void)
        const { kids, start } = yield* runKids(journal, { script: { init } })
        yield* start("good")
        assert.deepStrictEqual(yield* Effect.exit(start("bad")), Exit.die("oops"))
        yield* journal.expect("+good1", "!bad1", "-bad1")
        assert.deepStrictEqual(
          (yield* kids.whichChildren).map(({ key }) => key),
          ["good"]
        )
        assert.deepStrictEqual(
          crashes.map(({ decision }) => decision),
          ["no restart"]
        )
      })
  )

  treeTest("an init that interrupts itself, and one that is killed, are defects too", ({ journal }) =>
    Effect.gen(function* () {
      const init = (key: string) =>
        key === "interrupted"
          ? Effect.interrupt
          : Effect.andThen(Effect.flatMap(Process.self, Process.kill), Effect.never)
      const { kids, start } = yield* runKids(journal, { script: { init } })
      for (const key of ["interrupted", "killed"]) {
        const exit = yield* Effect.exit(start(key))
        assert.isTrue(Exit.hasDies(exit), key)
        assert.isFalse(Exit.hasInterrupts(exit), key)
      }
      assert.deepStrictEqual(yield* kids.whichChildren, [])
    })
  )

  treeTest("inits of different children run side by side: one that hangs delays no other", ({ journal }) =>
    Effect.gen(function* () {
      const init = (key: string) => (key === "hangs" ? Effect.never : Effect.void)
      const { kids, start } = yield* runKids(journal, { script: { init } })
      const hanging = yield* beside(start("hangs"))
      yield* journal.expect()
      yield* start("a")
      yield* journal.expect("+a1")
      assert.deepStrictEqual(yield* kids.countChildren, { children: 2, active: 1, restarting: 1 })
      const [first] = yield* kids.whichChildren
      assert.deepStrictEqual([first?.key, first?.state], ["hangs", "starting"])
      assert.deepStrictEqual(yield* kids.get("hangs"), Option.none())
      assert.isFalse(yield* hanging.isDone)
    })
  )

  treeTest("a child may start another one in its init", ({ journal }) =>
    Effect.gen(function* () {
      const handle = yield* Deferred.make<(key: string) => Effect.Effect<unknown>>()
      const init = (key: string) =>
        key === "outer" ? Effect.flatMap(Deferred.await(handle), (start) => start("inner")) : Effect.void
      const { start } = yield* runKids(journal, { script: { init } })
      yield* Deferred.succeed(handle, (key) => Effect.orDie(start(key)))
      yield* start("outer")
      yield* journal.expect("+inner1", "+outer1")
    })
  )

  treeTest("#329 a child is started even if its starter is interrupted", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { kids, start } = yield* runKids(journal, { script: { init: () => Deferred.await(gate) } })
      const starting = yield* beside(start("a"))
      yield* quiet
      yield* starting.interrupt
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 0, restarting: 1 })
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a1")
      const client = yield* Effect.flatMap(kids.get("a"), Effect.fromOption)
      assert.strictEqual(yield* client.incarnation(), 1)
    })
  )

  treeTest(
    "#329 whenever the starter is interrupted, the key is never stuck",
    ({ journal }) =>
      Effect.gen(function* () {
        const { kids, start } = yield* runKids(journal, { script: { init: () => Effect.yieldNow } })
        const starting = yield* Effect.forkChild(start("a"))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(starting)
        yield* quiet
        // Nothing was begun, or it is up.
        assertUpOrGone(yield* kids.whichChildren)
        yield* Effect.ignore(kids.terminateChild("a"))
        yield* start("a")
      }),
    200
  )

  treeTest("#193 with a maxChildren of 0 it starts none", ({ journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runKids(journal, { maxChildren: 0 })
      assert.deepStrictEqual(yield* Effect.flip(start("a")), new MaxChildren({ maxChildren: 0 }))
      yield* journal.expect()
    })
  )

  treeTest("#194 children that start or restart count against the limit, too", ({ journal }) =>
    Effect.gen(function* () {
      const init = (_: string, n: number) => (n === 1 ? Effect.void : Effect.never)
      const { kids, start } = yield* runKids(journal, { maxChildren: 1, script: { init } })
      yield* start("a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1")
      assert.deepStrictEqual(yield* kids.countChildren, { children: 1, active: 0, restarting: 1 })
      assert.deepStrictEqual(yield* Effect.flip(start("b")), new MaxChildren({ maxChildren: 1 }))
      yield* kids.terminateChild("a")
      yield* start("b")
    })
  )

  treeTest(
    "#132 a start under a name that a stranger has fails with a typed error, and the stranger keeps the name",
    () =>
      Effect.gen(function* () {
        class Named extends GenServer.Service<Named>()("test/Named", [Rpc.make("get", { success: Schema.String })]) {
          static readonly definition = this.define({
            init: (name: string) => Effect.succeed(name),
            handlers: { get: (_, state) => GenServer.reply(state, state) },
            name: (name: string) => `test/${name}`
          })
        }
        class All extends DynamicSupervisor.Service<All>()("test/All", { child: Named.definition }) {}
        const { context } = yield* run(All.layer)
        const all = Context.get(context, All)
        const name = Name.make("test/x")
        const stranger = yield* Process.spawn(Effect.never)
        yield* Name.register(name, stranger)
        const error = yield* Effect.flip(all.startChild("x", "x"))
        assert.strictEqual(error._tag === "AlreadyStarted" && error.pid, stranger)
        assert.deepStrictEqual(yield* all.whichChildren, [])
        assert.deepStrictEqual(yield* Name.whereis(name), Option.some(stranger))
        yield* Process.kill(stranger)
        yield* all.startChild("x", "x")
        assert.isTrue(Option.isSome(yield* Name.whereis(name)))
      })
  )

  treeTest("the services of children are taken once, from the environment of the supervisor", ({ journal }) =>
    Effect.gen(function* () {
      class Config extends Context.Service<Config, { readonly name: string }>()("test/Config") {}
      class Reader extends GenServer.Service<Reader>()("test/Reader", [Rpc.make("get", { success: Schema.String })]) {
        static readonly definition = this.define({
          init: (suffix: string) => Effect.map(Config, ({ name }) => name + suffix),
          handlers: {
            get: (_, state) => Effect.map(Config, ({ name }) => GenServer.reply(`${name} ${state}`, state))
          }
        })
      }
      class Readers extends DynamicSupervisor.Service<Readers>()("test/Readers", { child: Reader.definition }) {}
      const config = Layer.effect(
        Config,
        Effect.sync(() => {
          journal.write("config")
          return { name: "supervisor's" }
        })
      )
      const { context } = yield* run(Layer.provide(Readers.layer, config))
      const readers = Context.get(context, Readers)
      const start = (key: string) => Effect.provideService(readers.startChild(key, key), Config, { name: "starter's" })
      const answers = yield* Effect.forEach(["a", "b"], (key) => Effect.flatMap(start(key), (reader) => reader.get()))
      assert.deepStrictEqual(answers, ["supervisor's supervisor'sa", "supervisor's supervisor'sb"])
      yield* journal.expect("config")
    })
  )

  treeTest("the supervisor is the parent of a child, whatever starts it", ({ journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runKids(journal)
      const [supervisor] = yield* Kernel.processes
      const starter = yield* Process.spawn(Effect.orDie(start("a")))
      yield* Process.awaitExit(starter)
      const info = yield* Effect.flatMap(Process.info(journal.pid("a")), Effect.fromOption)
      assert.strictEqual(info.parent, supervisor)
      yield* journal.expect("+a1")
    })
  )

  treeTest("a supervisor that is down starts nothing", ({ journal }) =>
    Effect.gen(function* () {
      const { close, kids, start } = yield* runKids(journal)
      yield* start("a")
      yield* close
      const down = new SupervisorDown({ supervisor: "test/Kids" })
      assert.deepStrictEqual(yield* Effect.flip(start("b")), down)
      assert.deepStrictEqual(yield* Effect.flip(kids.terminateChild("a")), down)
      assert.deepStrictEqual(yield* kids.get("a"), Option.none())
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      assert.deepStrictEqual(yield* kids.countChildren, { children: 0, active: 0, restarting: 0 })
      yield* journal.expect("+a1", "-a1")
    })
  )

  treeTest("a caller that waits for a start is told when the supervisor stops meanwhile", ({ journal }) =>
    Effect.gen(function* () {
      const { close, start } = yield* runKids(journal, { script: { init: () => Effect.never } })
      const starting = yield* beside(start("a"))
      yield* quiet
      yield* close
      assert.deepStrictEqual(yield* starting.exit, Exit.fail(new SupervisorDown({ supervisor: "test/Kids" })))
      yield* journal.expect("!a1", "-a1")
    })
  )

  treeTest("a caller that waits for a start is told when the supervisor is killed", ({ journal }) =>
    Effect.gen(function* () {
      const { start } = yield* runKids(journal, { script: { init: () => Effect.never } })
      const [supervisor] = yield* Kernel.processes
      const starting = yield* beside(start("a"))
      yield* quiet
      yield* Process.kill(supervisor!)
      assert.deepStrictEqual(yield* starting.exit, Exit.fail(new SupervisorDown({ supervisor: "test/Kids" })))
      yield* journal.expect("!a1", "-a1")
    })
  )
})

describe("startOrGet", () => {
  treeTest("starts one child, however many callers ask at once, and gives all of them its client", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { kids, startOrGet } = yield* runKids(journal, { script: { init: () => Deferred.await(gate) } })
      const asking = yield* Effect.forEach(["a", "a", "a", "b"], (key) => beside(startOrGet(key)))
      yield* settle
      assert.deepStrictEqual(yield* Effect.forEach(asking, ({ isDone }) => isDone), [false, false, false, false])
      // It waits for one `init` and not for its caller.
      yield* asking[0]!.interrupt
      yield* Deferred.succeed(gate, undefined)
      const a = yield* startOrGet("a")
      assert.deepStrictEqual(yield* asking[1]!.exit, Exit.succeed(a))
      assert.deepStrictEqual(yield* asking[2]!.exit, Exit.succeed(a))
      assert.notDeepEqual(yield* asking[3]!.exit, Exit.succeed(a))
      assert.strictEqual((yield* kids.countChildren).children, 2)
      assert.strictEqual(yield* a.incarnation(), 1)
    })
  )

  treeTest("gives all waiting callers the failure of init, and the next caller starts another child", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = (key: string, n: number) =>
        n === 1 ? Effect.andThen(Deferred.await(gate), Effect.fail(new StartError({ child: key }))) : Effect.void
      const { kids, startOrGet } = yield* runKids(journal, { script: { init } })
      const asking = yield* Effect.forEach(["a", "a"], (key) => beside(startOrGet(key)))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      for (const { exit } of asking) assert.deepStrictEqual(yield* exit, Exit.fail(new StartError({ child: "a" })))
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      assert.strictEqual(yield* (yield* startOrGet("a")).incarnation(), 2)
    })
  )

  treeTest("gives the client of a child that is being restarted", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = (_: string, n: number) => (n === 1 ? Effect.void : Deferred.await(gate))
      const { startOrGet } = yield* runKids(journal, { script: { init } })
      const a = yield* startOrGet("a")
      yield* crash(journal, "a")
      yield* journal.expect("+a1", "-a1")
      assert.strictEqual(yield* startOrGet("a"), a)
      const call = yield* beside(a.incarnation(undefined, { whenDown: "wait" }))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* call.exit, Exit.succeed(2))
    })
  )

  treeTest("waits for a child that is ending, and starts another", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { kids, startOrGet } = yield* runKids(journal, { script: { terminate: () => Deferred.await(gate) } })
      const first = yield* startOrGet("a")
      const stopping = yield* beside(kids.terminateChild("a"))
      yield* settle
      const asking = yield* Effect.forEach(["a", "a"], (key) => beside(startOrGet(key)))
      yield* settle
      assert.deepStrictEqual(yield* Effect.forEach(asking, ({ isDone }) => isDone), [false, false])
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* stopping.exit, Exit.void)
      const second = yield* startOrGet("a")
      for (const { exit } of asking) assert.deepStrictEqual(yield* exit, Exit.succeed(second))
      assert.notStrictEqual(second, first)
      assert.strictEqual(yield* second.incarnation(), 2)
    })
  )

  treeTest("fails like startChild: past the limit, and while the supervisor is down", ({ journal }) =>
    Effect.gen(function* () {
      const { close, startOrGet } = yield* runKids(journal, { maxChildren: 1 })
      const a = yield* startOrGet("a")
      assert.deepStrictEqual(yield* Effect.flip(startOrGet("b")), new MaxChildren({ maxChildren: 1 }))
      assert.strictEqual(yield* startOrGet("a"), a)
      yield* close
      assert.deepStrictEqual(yield* Effect.flip(startOrGet("a")), new SupervisorDown({ supervisor: "test/Kids" }))
    })
  )

  treeTest("tells waiting callers that the child was stopped before it was up", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, startOrGet } = yield* runKids(journal, { script: { init: () => Effect.never } })
      const asking = yield* Effect.forEach(["a", "a"], (key) => beside(startOrGet(key)))
      yield* settle
      yield* kids.terminateChild("a")
      for (const { exit } of asking) assert.deepStrictEqual(yield* exit, Exit.fail(new ChildNotFound({ id: "a" })))
    })
  )
})

describe("terminateChild", () => {
  treeTest("#140 stops a child in good order and forgets it; a second time there is none", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal)
      yield* start("a")
      yield* start("b")
      const pid = journal.pid("a")
      yield* kids.terminateChild("a")
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.shutdown())
      yield* journal.expect("+a1", "+b1", "-a1")
      assert.deepStrictEqual(
        (yield* kids.whichChildren).map(({ key }) => key),
        ["b"]
      )
      assert.deepStrictEqual(yield* Effect.flip(kids.terminateChild("a")), new ChildNotFound({ id: "a" }))
      assert.deepStrictEqual(
        yield* Effect.flip(kids.terminateChild("never was")),
        new ChildNotFound({ id: "never was" })
      )
      yield* start("a")
      yield* journal.expect("+a2")
    })
  )

  treeTest("a client of a child that was terminated fails at once, even if it would wait", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal)
      const client = yield* start("a")
      yield* kids.terminateChild("a")
      for (const whenDown of ["fail", "wait"] as const) {
        const error = yield* Effect.flip(client.incarnation(undefined, { whenDown }))
        assert.deepStrictEqual([fieldsOf(error.reason), error.started], [{ _tag: "NoProcess" }, "no"])
      }
      // Another child with the same key is another server.
      yield* start("a")
      assert.strictEqual((yield* Effect.flip(client.incarnation())).reason._tag, "NoProcess")
    })
  )

  treeTest("several callers wait for the same end", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { kids, start } = yield* runKids(journal, { script: { terminate: () => Deferred.await(gate) } })
      yield* start("a")
      const both = yield* Effect.forEach([1, 2], () => beside(kids.terminateChild("a")))
      yield* journal.expect("+a1")
      assert.deepStrictEqual(yield* Effect.forEach(both, ({ isDone }) => isDone), [false, false])
      const [info] = yield* kids.whichChildren
      assert.strictEqual(info?.state, "stopping")
      const taken = new AlreadyStarted({ processName: "test/Kid(a)", pid: info?.pid })
      assert.deepStrictEqual(yield* Effect.flip(start("a")), taken)
      yield* Deferred.succeed(gate, undefined)
      for (const { exit } of both) assert.deepStrictEqual(yield* exit, Exit.void)
      yield* journal.expect("-a1")
    })
  )

  treeTest("if the caller is interrupted, the child ends and its key is free all the same", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { kids, start } = yield* runKids(journal, { script: { terminate: () => Deferred.await(gate) } })
      yield* start("a")
      const asking = yield* beside(kids.terminateChild("a"))
      yield* quiet
      yield* asking.interrupt
      yield* Deferred.succeed(gate, undefined)
      yield* journal.expect("+a1", "-a1")
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      yield* start("a")
      yield* journal.expect("+a2")
    })
  )

  treeTest(
    "whenever it is interrupted, the child is up or gone",
    ({ journal }) =>
      Effect.gen(function* () {
        const { kids, start } = yield* runKids(journal)
        yield* start("a")
        const asking = yield* Effect.forkChild(kids.terminateChild("a"))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(asking)
        yield* quiet
        assertUpOrGone(yield* kids.whichChildren)
      }),
    200
  )

  treeTest("cancels a start: its init is interrupted, and the waiting caller is told", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal, { script: { init: () => Effect.never } })
      const starting = yield* beside(start("a"))
      yield* quiet
      yield* kids.terminateChild("a")
      assert.deepStrictEqual(yield* starting.exit, Exit.fail(new ChildNotFound({ id: "a" })))
      yield* journal.expect("!a1", "-a1")
      assert.deepStrictEqual(yield* kids.whichChildren, [])
    })
  )

  treeTest("a child that was never up has no client, not even while its start is cancelled", ({ journal }) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const init = () => Effect.onInterrupt(Effect.never, () => Deferred.await(gate))
      const { kids, start } = yield* runKids(journal, { script: { init } })
      yield* beside(start("a"))
      yield* quiet
      const asking = yield* beside(kids.terminateChild("a"))
      yield* quiet
      assert.deepStrictEqual(yield* kids.get("a"), Option.none())
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* asking.exit, Exit.void)
      yield* journal.expect("!a1", "-a1")
    })
  )

  treeTest(
    "whenever it comes during a start, nothing is left and everybody is answered",
    ({ journal }) =>
      Effect.gen(function* () {
        const { kids, start } = yield* runKids(journal, { script: { init: () => Effect.yieldNow } })
        const starting = yield* beside(start("a"))
        const asking = yield* beside(kids.terminateChild("a"))
        const [started, asked] = [yield* starting.exit, yield* asking.exit]
        yield* quiet
        const left = yield* kids.whichChildren
        if (Exit.isSuccess(asked)) {
          assert.deepStrictEqual(left, [])
          if (Exit.isFailure(started)) assert.deepStrictEqual(started.cause, Cause.fail(new ChildNotFound({ id: "a" })))
        } else {
          assert.deepStrictEqual(asked.cause, Cause.fail(new ChildNotFound({ id: "a" })))
          assert.lengthOf(left, 1)
        }
      }),
    300
  )

  treeTest(
    "a child that ends by itself while it is stopped is no crash, and is not restarted",
    ({ journal, crashes }) =>
      Effect.gen(function* () {
        const { kids, start } = yield* runKids(journal, { script: { terminate: () => Effect.die("in terminate") } })
        yield* start("a")
        const pid = journal.pid("a")
        yield* kids.terminateChild("a")
        assert.strictEqual((yield* Process.awaitExit(pid))._tag, "Crash")
        yield* journal.expect("+a1", "-a1")
        assert.deepStrictEqual(yield* kids.whichChildren, [])
        // It did crash, and that is reported.
        assert.deepStrictEqual(
          crashes.map(({ decision }) => decision),
          ["stop"]
        )
      })
  )

  treeTest("a child whose own handler asks for its end is ended, at the limit", ({ journal }) =>
    Effect.gen(function* () {
      const handle = yield* Deferred.make<(key: string) => Effect.Effect<void>>()
      class Selfish extends GenServer.Service<Selfish>()("test/Selfish", [GenServer.cast("leave")]) {
        static readonly definition = this.define({
          init: (key: string) => Effect.succeed(key),
          handlers: {
            leave: (_, key) =>
              Effect.flatMap(Deferred.await(handle), (terminate) => Effect.as(terminate(key), GenServer.noReply(key)))
          }
        })
      }
      class All extends DynamicSupervisor.Service<All>()("test/All", {
        child: Selfish.definition,
        shutdown: "1 second"
      }) {}
      const { context } = yield* run(All.layer)
      const all = Context.get(context, All)
      yield* Deferred.succeed(handle, (key) => Effect.orDie(all.terminateChild(key)))
      const client = yield* all.startChild("a", "a")
      yield* client.leave()
      yield* pass("1 second")
      assert.deepStrictEqual(yield* all.whichChildren, [])
      yield* journal.expect()
    })
  )
})

describe("as a child of another supervisor", () => {
  treeTest("provides its handle to later siblings and outside of the tree", ({ journal }) =>
    Effect.gen(function* () {
      const Kids = supervisorOf(journal)
      class Top extends Supervisor.Service<Top>()("test/Top", {
        strategy: "oneForAll",
        children: [
          Supervisor.child(Kids.layer),
          Supervisor.worker(
            "starter",
            Effect.flatMap(Kids, (kids) => Effect.andThen(kids.startChild("a", "a"), Effect.never))
          )
        ]
      }) {}
      const { close, context } = yield* run(Top.layer)
      yield* journal.expect("+a1")
      const kids = Context.get(context, Kids)
      assert.deepStrictEqual(
        (yield* kids.whichChildren).map(({ key }) => key),
        ["a"]
      )
      yield* close
      yield* journal.expect("-a1")
    })
  )

  treeTest("its handle stays valid when it is restarted; its former children are gone", ({ journal }) =>
    Effect.gen(function* () {
      const Kids = supervisorOf(journal)
      class Top extends Supervisor.Service<Top>()("test/Top", {
        strategy: "oneForOne",
        children: [Supervisor.child(Kids.layer)]
      }) {}
      const { context } = yield* run(Top.layer)
      const kids = Context.get(context, Kids)
      const old = yield* kids.startChild("a", "a")
      yield* kids.startChild("b", "b")
      const [, before] = yield* Kernel.processes
      yield* Process.kill(before!)
      yield* journal.expectAll("+a1", "+b1", "-a1", "-b1")
      assert.deepStrictEqual(yield* kids.whichChildren, [])
      assert.strictEqual((yield* Effect.flip(old.incarnation())).reason._tag, "NoProcess")
      const again = yield* kids.startChild("a", "a")
      assert.strictEqual(yield* again.incarnation(), 2)
    })
  )

  treeTest(
    "#162 a worker that cannot restart escalates: its dynamic siblings are gone with their supervisor",
    ({ journal }) =>
      Effect.gen(function* () {
        const Kids = supervisorOf(journal, { intensity: { max: 0, within: "1 second" } })
        class Top extends Supervisor.Service<Top>()("test/Top", {
          strategy: "oneForAll",
          children: [child(journal, "static"), Supervisor.child(Kids.layer)]
        }) {}
        const { context } = yield* run(Top.layer)
        const kids = Context.get(context, Kids)
        yield* kids.startChild("a", "a")
        yield* kids.startChild("b", "b")
        yield* journal.expect("+static1", "+a1", "+b1")
        yield* crash(journal, "a")
        yield* journal.expectAll("-a1", "-b1", "-static1", "+static2")
        assert.deepStrictEqual(yield* kids.whichChildren, [])
        yield* kids.startChild("a", "a")
        yield* journal.expect("+a2")
      })
  )

  treeTest("an exit signal of a stranger is ignored", ({ journal }) =>
    Effect.gen(function* () {
      const { kids, start } = yield* runKids(journal)
      yield* start("a")
      const [supervisor] = yield* Kernel.processes
      yield* Process.exit(supervisor!, ExitReason.shutdown())
      yield* Process.exit(supervisor!, boom)
      yield* journal.expect("+a1")
      assert.lengthOf(yield* kids.whichChildren, 1)
    })
  )
})
