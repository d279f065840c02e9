import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Schema, Scope } from "effect"
import { Rpc } from "effect/rpc"
import {
  Agent,
  DynamicSupervisor,
  GenServer,
  Name,
  PartitionSupervisor,
  type Pid,
  Process,
  Registry,
  StateMachine,
  Supervisor
} from "effect-otp"
import { Handle, Kernel, Shutdown } from "effect-otp/kernel"
import { Laws } from "effect-otp/testing"
import { seeds } from "../fixtures/seeds.ts"

const hold = (what: string, laws: ReadonlyArray<Laws.Law>) =>
  describe(what, () => {
    for (const law of laws) it.effect(law.name, () => law.run)
  })

const options = { seeds: seeds(20) }

// ---- servers and supervisors --------------------------------------------------------------------------------------

class Counter extends GenServer.Service<Counter>()("test/Counter", [
  Rpc.make("get", { success: Schema.Finite }),
  GenServer.cast("crash")
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed(0),
    handlers: { get: (_, n) => GenServer.reply(n, n), crash: () => Effect.die(new Error("asked to")) }
  })
  /** Every turn is an effect that takes time. */
  static readonly slow = this.define({
    init: () => Effect.as(Effect.yieldNow, 0),
    handlers: {
      get: (_, n) => Effect.as(Effect.yieldNow, GenServer.reply(n, n)),
      crash: () => Effect.andThen(Effect.yieldNow, Effect.die(new Error("asked to")))
    },
    terminate: () => Effect.yieldNow
  })
}

type Client = Counter["Service"]

const dealings = { ...options, ask: (client: Client) => client.get(), crash: (client: Client) => client.crash() }

hold("GenServer", Laws.server({ ...dealings, start: Counter.definition.start() }))
hold("GenServer, slow", Laws.server({ ...dealings, start: Counter.slow.start() }))
hold(
  "GenServer, as a Layer",
  Laws.server({
    ...dealings,
    start: Effect.map(Layer.build(Layer.fresh(Counter.definition.layer())), (context) => Context.get(context, Counter))
  })
)

hold(
  "Agent",
  Laws.server({
    ...options,
    start: Agent.start(Effect.succeed(0)),
    ask: (agent) => Agent.get(agent),
    crash: (agent) =>
      Agent.update(agent, () => {
        throw new Error("asked to")
      })
  })
)

class Turnstile extends StateMachine.Service<Turnstile>()("test/Turnstile", [
  Rpc.make("push", { success: Schema.Boolean }),
  StateMachine.cast("crash")
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed<{ readonly _tag: "Locked" }>({ _tag: "Locked" }),
    states: {
      Locked: {
        push: () => StateMachine.keep([StateMachine.reply(false)]),
        crash: () => {
          throw new Error("asked to")
        }
      }
    }
  })
}

hold(
  "StateMachine",
  Laws.server({
    ...options,
    start: Turnstile.definition.start(),
    ask: (turnstile) => turnstile.push(),
    crash: (turnstile) => turnstile.crash()
  })
)

const supervisors = (strategy: Supervisor.Strategy) => {
  const numbered = (n: number) =>
    class Numbered extends GenServer.Service<Numbered>()(`test/Counter${n}`, [
      Rpc.make("get", { success: Schema.Finite }),
      GenServer.cast("crash")
    ]) {
      static readonly layer = this.define({
        init: () => Effect.succeed(0),
        handlers: { get: (_, n) => GenServer.reply(n, n), crash: () => Effect.die(new Error("asked to")) }
      }).layer()
    }
  const [A, B, C] = [numbered(1), numbered(2), numbered(3)]
  class Tree extends Supervisor.Service<Tree>()("test/Tree", {
    strategy,
    children: [Supervisor.child(A.layer), Supervisor.child(B.layer), Supervisor.child(C.layer)]
  }) {}
  const start = Effect.map(Layer.build(Tree.layer), (context) => ({
    supervisor: Context.get(context, Tree),
    children: [Context.get(context, B), Context.get(context, A), Context.get(context, C)]
  }))
  return Laws.supervisor({ ...dealings, start })
}

hold("Supervisor, oneForOne", supervisors("oneForOne"))
hold("Supervisor, oneForAll", supervisors("oneForAll"))
hold("Supervisor, restForOne", supervisors("restForOne"))

class Counters extends DynamicSupervisor.Service<Counters>()("test/Counters", { child: Counter.definition }) {}

hold(
  "DynamicSupervisor",
  Laws.supervisor({
    ...dealings,
    start: Effect.gen(function* () {
      const supervisor = Context.get(yield* Layer.build(Counters.layer), Counters)
      const children = yield* Effect.forEach(["a", "b", "c"], (key) => supervisor.startChild(key))
      return { supervisor, children }
    })
  })
)

class Partitions extends PartitionSupervisor.Service<Partitions>()("test/Partitions", {
  child: Counter.slow,
  partitions: 3
}) {}

hold(
  "PartitionSupervisor",
  Laws.supervisor({
    ...dealings,
    start: Effect.gen(function* () {
      const supervisor = Context.get(yield* Layer.build(Partitions.layer), Partitions)
      return { supervisor, children: yield* supervisor.clients }
    })
  })
)

// ---- registries ---------------------------------------------------------------------------------------------------

hold(
  "Name",
  Laws.registry({
    ...options,
    unique: true,
    keys: [Name.make("one"), Name.make("other")],
    register: (name) => Effect.flatMap(Process.self, (pid) => Name.register(name, pid)),
    unregister: (name) => Name.unregister(name),
    lookup: (name) => Effect.map(Name.whereis(name), Option.toArray)
  })
)

const unique = Registry.make<string>("test/unique", { keys: "unique" })

hold(
  "Registry, unique",
  Laws.registry({
    ...options,
    unique: true,
    keys: ["one", "other"],
    register: (key) => Registry.register(unique, key),
    unregister: (key) => Registry.unregister(unique, key),
    lookup: (key) => Effect.map(Registry.whereis(unique, key), Option.toArray)
  })
)

const duplicate = Registry.make<string>("test/duplicate", { keys: "duplicate" })

hold(
  "Registry, duplicate",
  Laws.registry({
    ...options,
    unique: false,
    keys: ["one", "other"],
    register: (key) => Registry.register(duplicate, key),
    unregister: (key) => Registry.unregister(duplicate, key),
    lookup: (key) => Effect.map(Registry.lookup(duplicate, key), (found) => found.map(({ pid }) => pid))
  })
)

// ---- laws find what is broken -------------------------------------------------------------------------------------

describe("a law", () => {
  /** The laws that do not hold. */
  const broken = (laws: ReadonlyArray<Laws.Law>) =>
    Effect.map(
      Effect.forEach(laws, ({ name, run }) => Effect.map(Effect.exit(run), (exit) => ({ name, exit }))),
      (all) => all.filter(({ exit }) => Exit.isFailure(exit)).map(({ name }) => name)
    )

  it.effect("says what is not true, and in which order", () =>
    Effect.gen(function* () {
      const [law] = Laws.server({ ...dealings, start: Counter.definition.start(), ask: () => Effect.fail("no") })
      const error = yield* Effect.flip(law!.run)
      assert.instanceOf(error, Laws.LawBroken)
      assert.strictEqual(error.seed, undefined)
      assert.include(error.message, "a server is up when its start returns: a call to a server that was just started")
    })
  )

  it.effect("of servers finds a server that outlives its scope, survives a crash, or does not answer", () =>
    Effect.gen(function* () {
      const start = Counter.definition.start()
      const outlives = Effect.flatMap(Scope.make(), (scope) => Scope.provide(start, scope))
      assert.include(
        yield* broken(Laws.server({ ...dealings, seeds: 0, start: outlives })),
        "a server has ended when the scope in which it was started has closed"
      )
      assert.deepStrictEqual(
        yield* broken(Laws.server({ ...dealings, seeds: 0, start, crash: (client) => client.get() })),
        ["a crash ends a server, and its monitors get a Down"]
      )
      assert.include(
        yield* broken(Laws.server({ ...dealings, seeds: 0, start, ask: () => Effect.never })),
        "every caller learns at once that a server was killed"
      )
    })
  )

  it.effect("of supervisors finds a supervisor that restarts nothing, never gives up, or leaves a child", () =>
    Effect.gen(function* () {
      class Temporary extends DynamicSupervisor.Service<Temporary>()("test/Temporary", {
        child: Counter.definition,
        restart: "temporary"
      }) {}
      class Endless extends DynamicSupervisor.Service<Endless>()("test/Endless", {
        child: Counter.definition,
        intensity: { max: 1000, within: "1 hour" }
      }) {}
      const start = (service: typeof Temporary | typeof Endless) =>
        Effect.gen(function* () {
          const supervisor = Context.get(
            yield* Layer.build<never, never, never>(service.layer as never),
            service as never
          )
          const { startChild } = supervisor as Temporary["Service"]
          return { supervisor: supervisor as Temporary["Service"], children: [yield* startChild("a")] }
        })
      assert.deepStrictEqual(yield* broken(Laws.supervisor({ ...dealings, seeds: 0, start: start(Temporary) })), [
        "a child that crashes is started again, behind the same client",
        "a child that is killed is started again, behind the same client",
        "a supervisor gives up on a child that fails too often, and leaves nothing"
      ])
      assert.deepStrictEqual(yield* broken(Laws.supervisor({ ...dealings, seeds: 0, start: start(Endless) })), [
        "a supervisor gives up on a child that fails too often, and leaves nothing"
      ])
      const stranger = Effect.map(start(Counters as never), ({ supervisor }) => ({ supervisor, children: [] }))
      const without = yield* broken(Laws.supervisor({ ...dealings, seeds: 0, start: stranger }))
      assert.strictEqual(without.length, 8)
    })
  )

  it.effect("of registries finds a registry that keeps dead processes, refuses nobody, or mixes up keys", () =>
    Effect.gen(function* () {
      const make = () => new Map<string, Array<Pid.Pid>>()
      let held = make()
      const subject = {
        seeds: 0,
        unique: true,
        keys: ["one", "other"] as const,
        register: (key: string) =>
          Effect.flatMap(Process.self, (pid) =>
            (held.get(key) ?? []).length > 0 ? Effect.fail("taken") : Effect.sync(() => held.set(key, [pid]))
          ),
        unregister: (key: string) => Effect.sync(() => held.delete(key)),
        lookup: (key: string) => Effect.sync(() => held.get(key) ?? [])
      }
      const laws = (changed: object) =>
        Laws.registry({ ...subject, ...changed }).map(({ name, run }) => ({
          name,
          run: Effect.andThen(
            Effect.sync(() => {
              held = make()
            }),
            run
          )
        }))
      assert.deepStrictEqual(yield* broken(laws({})), [
        "a process that ends normally has left its key before anybody hears of the end",
        "a process that ends by a crash has left its key before anybody hears of the end",
        "a process that ends by a kill has left its key before anybody hears of the end"
      ])
      const add = (key: string) =>
        Effect.flatMap(Process.self, (pid) => Effect.sync(() => held.set(key, [...(held.get(key) ?? []), pid])))
      assert.include(yield* broken(laws({ register: add })), "one of many processes that want a free key gets it")
      const all = () => Effect.sync(() => [...held.values()].flat())
      assert.include(yield* broken(laws({ lookup: all })), "a process is found under its key, and under no other")
    })
  )

  it.effect("does not touch the kernel of the test", () =>
    Effect.gen(function* () {
      const before = yield* Kernel.counts
      for (const law of Laws.server({ ...dealings, start: Counter.definition.start() })) yield* law.run
      assert.deepStrictEqual(yield* Kernel.counts, before)
      const client = yield* Counter.definition.start()
      const pid = Option.getOrThrow(yield* Handle.pid(client))
      assert.deepStrictEqual((yield* Shutdown.shutdown(pid)).zombie, false)
    })
  )

  it.live("runs by real time, too", () =>
    Effect.gen(function* () {
      for (const law of Laws.server({ ...dealings, seeds: 1, start: Counter.definition.start() })) yield* law.run
    })
  )
})
