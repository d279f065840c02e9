/**
 * Values that are not a pid, client, task, name or topic: each public function that takes one of these refuses them
 * with a sentence.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as fs from "node:fs"
import * as Otp from "effect-otp"
import { Probe, TestKernel } from "effect-otp/testing"
import { hostile } from "../fixtures/hostile.ts"
import { asProcess } from "../fixtures/kernel.ts"

const { Agent, GenServer, Name, Process, ProcessGroup, Registry, Sys, Task, Timer, Topic } = Otp

class Counter extends GenServer.Service<Counter>()("given/Counter", [
  Rpc.make("next", { success: Schema.Finite }),
  GenServer.cast("tell")
]) {
  static readonly definition = this.define({
    init: () => Effect.succeed(1),
    handlers: {
      next: (_, count: number) => GenServer.reply(count, count + 1),
      tell: (_, count) => GenServer.noReply(count)
    }
  })
}

class Jobs extends Otp.TaskSupervisor.Service<Jobs>()("given/Jobs") {}

const name = Name.make<number>("given/name")
const registry = Registry.make<string>("given/registry", { keys: "unique" })
const group = ProcessGroup.make<string>("given/group")
const topic = Topic.make<number>("given/topic")

const probed = (use: (probe: Probe.Probe<unknown>) => unknown) =>
  Effect.scoped(Effect.flatMap(Probe.make(), (probe) => Effect.suspend(() => effectOf(use(probe)))))

/** Casts from a handler that is not an effect. */
const casting = (to: Counter["Service"]) => {
  class Caster extends GenServer.Service<Caster>()("given/Caster", [Rpc.make("cast", { success: Schema.Void })]) {}
  const caster = Caster.define({
    init: () => Effect.succeed(0),
    handlers: {
      cast: (_, state, context) => {
        context.cast(to, "tell")
        return GenServer.reply(undefined, state)
      }
    }
  })
  return Effect.scoped(
    Effect.flatMap(caster.start(), (client) =>
      Effect.catchTag(client.cast(), "CallError", ({ reason }) =>
        reason._tag === "ServerDown" && reason.reason._tag === "Crash"
          ? Effect.failCause(reason.reason.cause)
          : Effect.die(reason)
      )
    )
  )
}

type Place = (value: never) => unknown

/** Each has the name of the exported function. A second place of the same function has a text after it. */
const places: Readonly<Record<string, Readonly<Record<string, Place>>>> = {
  Process: {
    send: (pid) => Process.send(pid, 1),
    exit: (pid) => Process.exit(pid, Otp.ExitReason.killed),
    kill: (pid) => Process.kill(pid),
    link: (pid) => asProcess(() => Process.link(pid)),
    unlink: (pid) => asProcess(() => Process.unlink(pid)),
    monitor: (pid) => asProcess(() => Process.monitor(pid)),
    demonitor: (ref) => asProcess(() => Process.demonitor(ref)),
    awaitExit: (pid) => Process.awaitExit(pid),
    isAlive: (pid) => Process.isAlive(pid),
    info: (pid) => Process.info(pid)
  },
  Shutdown: {
    shutdown: (pid) => Otp.Shutdown.shutdown(pid),
    shutdownAll: (pid) => Otp.Shutdown.shutdownAll([pid]),
    awaitEnd: (pid) => Otp.Shutdown.awaitEnd(pid),
    killAndAwait: (pid) => Otp.Shutdown.killAndAwait(pid)
  },
  Timer: {
    sendAfter: (to) => Timer.sendAfter(to, 1, "1 second"),
    sendEvery: (to) => Timer.sendEvery(to, 1, "1 second"),
    cancel: (timer) => Timer.cancel(timer),
    read: (timer) => Timer.read(timer)
  },
  Handle: { pid: (handle) => Otp.Handle.pid(handle) },
  Name: {
    register: (given) => Effect.flatMap(Process.spawn(Effect.never), (pid) => Name.register(given, pid as never)),
    "register: pid": (pid) => Name.register(name, pid),
    unregister: (given) => Name.unregister(given),
    whereis: (given) => Name.whereis(given),
    send: (given) => Name.send(given, 1),
    cast: (given) => Name.cast(given, 1),
    monitor: (given) => asProcess(() => Name.monitor(given)),
    resolve: (given) => Name.resolve(given)
  },
  ProcessGroup: {
    join: (scope) => asProcess(() => ProcessGroup.join(scope, "a")),
    "join: pid": (pid) => ProcessGroup.join(group, "a", pid ?? null!),
    leave: (scope) => asProcess(() => ProcessGroup.leave(scope, "a")),
    "leave: pid": (pid) => ProcessGroup.leave(group, "a", pid ?? null!),
    members: (scope) => ProcessGroup.members(scope, "a"),
    groups: (scope) => ProcessGroup.groups(scope),
    broadcast: (scope) => ProcessGroup.broadcast(scope, "a", 1),
    send: (scope) => ProcessGroup.send(scope, "a", 1),
    dispatch: (scope) => ProcessGroup.dispatch(scope, "a", () => Effect.void),
    changes: (scope) => Stream.runDrain(ProcessGroup.changes(scope)),
    changesOf: (scope) => Stream.runDrain(ProcessGroup.changesOf(scope, "a"))
  },
  Registry: {
    // Of two arguments the first may be a key: the registry comes later, and is refused then.
    via: (given) => Registry.via("a")(given as typeof registry),
    register: (given) => asProcess(() => Registry.register("a")(given as typeof registry)),
    registerFor: (given) =>
      Effect.flatMap(Process.spawn(Effect.never), (pid) => Registry.registerFor(given as typeof registry, pid, "a")),
    "registerFor: pid": (pid) => Registry.registerFor(registry, pid, "a"),
    unregister: (given) => asProcess(() => Registry.unregister(given, "a")),
    unregisterFor: (pid) => Registry.unregisterFor(registry, pid, "a"),
    update: (given) => asProcess(() => Registry.update(given, "a", () => undefined)),
    lookup: (given) => Registry.lookup(given, "a"),
    whereis: (given) => Registry.whereis(given, "a"),
    keys: (pid) => Registry.keys(registry, pid),
    values: (pid) => Registry.values(registry, "a", pid),
    match: (given) => Registry.match(given, "a", () => true),
    select: (given) => Registry.select(given),
    count: (given) => Registry.count(given),
    dispatch: (given) => Registry.dispatch(given, "a", () => Effect.void),
    meta: (given) => Registry.meta(given, "a" as never),
    putMeta: (given) => Registry.putMeta(given, "a" as never, 1 as never),
    changes: (given) => Stream.runDrain(Registry.changes(given))
  },
  Topic: {
    publish: (given) => Topic.publish(given, 1),
    "publish: except": (except) => Topic.publish(topic, 1, { except: except ?? null! }),
    publishUnsafe: (given) => Topic.publishUnsafe(given, 1),
    subscribe: (given) => asProcess(() => Topic.subscribe(given as typeof topic)),
    "subscribe: pid": (pid) => Topic.subscribe(topic, pid ?? null!),
    unsubscribe: (given) => asProcess(() => Topic.unsubscribe(given as typeof topic)),
    "unsubscribe: pid": (pid) => Topic.unsubscribe(topic, pid ?? null!),
    stream: (given) => Stream.runDrain(Topic.stream(given, { capacity: 1, strategy: "sliding" })),
    subscription: (given) => Topic.subscription(given, { capacity: 1, strategy: "sliding" }),
    subscribers: (given) => Topic.subscribers(given),
    counts: (given) => Topic.counts(given)
  },
  GenServer: {
    pid: (client) => GenServer.pid(client),
    terminate: (client) => GenServer.terminate(client),
    toRpcGroup: (service) => GenServer.toRpcGroup(service),
    toRpcHandlers: (service) => GenServer.toRpcHandlers(service),
    clientSchema: (service) => GenServer.clientSchema(service),
    "cast in a handler": casting,
    "via a key": (key) => Counter.via(key),
    "the child of a DynamicSupervisor": (child) => Otp.DynamicSupervisor.Service<never>()("given/Pool", { child }),
    "the child of a PartitionSupervisor": (child) =>
      Otp.PartitionSupervisor.Service<never>()("given/Parts", { child, args: () => [] } as never)
  },
  Agent: {
    get: (agent) => Agent.get(agent),
    set: (agent) => Agent.set(agent, 1 as never),
    getAndSet: (agent) => Agent.getAndSet(agent, 1 as never),
    update: (agent) => Agent.update(agent, (n: never) => n),
    updateAndGet: (agent) => Agent.updateAndGet(agent, (n: never) => n),
    getAndUpdate: (agent) => Agent.getAndUpdate(agent, (n: never) => n),
    modify: (agent) => Agent.modify(agent, (n: never) => [n, n] as const),
    updateEffect: (agent) => Agent.updateEffect(agent, (n: never) => Effect.succeed(n)),
    updateAndGetEffect: (agent) => Agent.updateAndGetEffect(agent, (n: never) => Effect.succeed(n)),
    getAndUpdateEffect: (agent) => Agent.getAndUpdateEffect(agent, (n: never) => Effect.succeed(n)),
    modifyEffect: (agent) => Agent.modifyEffect(agent, (n: never) => Effect.succeed([n, n] as const)),
    cast: (agent) => Agent.cast(agent, (n: never) => n),
    castEffect: (agent) => Agent.castEffect(agent, (n: never) => Effect.succeed(n)),
    changes: (agent) => Stream.runDrain(Agent.changes(agent))
  },
  Sys: {
    getState: (target) => Sys.getState(target),
    replaceState: (target) => Sys.replaceState(target, (n) => n, { schema: Schema.Finite }),
    suspend: (target) => Sys.suspend(target),
    resume: (target) => Sys.resume(target),
    getStatus: (target) => Sys.getStatus(target),
    setStatistics: (target) => Sys.setStatistics(target, true),
    statistics: (target) => Sys.statistics(target),
    trace: (target) => Stream.runDrain(Sys.trace(target))
  },
  Task: {
    await: (task) => Task.await(task),
    poll: (task) => Task.poll(task),
    shutdown: (task) => Task.shutdown(task),
    ignore: (task) => Task.ignore(task)
  },
  TaskSupervisor: {
    terminateChild: (pid) =>
      Effect.provide(
        Effect.flatMap(Jobs, (jobs) => jobs.terminateChild(pid)),
        Jobs.layer
      )
  },
  Probe: {
    monitor: (target) => probed((probe) => probe.monitor(target)),
    expectDown: (of) => probed((probe) => probe.expectDown(of)),
    expectExit: (from) => probed((probe) => probe.expectExit(from))
  }
}

/** Exported functions that take none of these. */
const others: Readonly<Record<string, ReadonlyArray<string>>> = {
  Process: ["spawn", "spawnLink", "spawnMonitor", "selfFor", "trapExit", "setLabel", "environment"],
  Name: ["make", "isName"],
  ProcessGroup: ["make", "isProcessGroup"],
  Registry: ["make", "isRegistry"],
  Topic: ["make", "family", "isTopic"],
  GenServer: ["Service", "cast", "reply", "noReply", "stop", "stopReply", "initial", "traveling"],
  Agent: ["Service", "start"],
  Task: ["async", "asyncScoped", "asyncNoLink", "asyncStream", "asyncStreamNoLink"]
}

const effectOf = (made: unknown): Effect.Effect<unknown, unknown> =>
  Effect.isEffect(made) ? (made as Effect.Effect<unknown, unknown>) : Effect.succeed(made)

/** The error that it throws, or dies with. */
const outcome = (place: Place, value: unknown): Effect.Effect<unknown> =>
  Effect.suspend(() => effectOf(place(value as never))).pipe(
    Effect.scoped,
    Effect.provide(TestKernel.layer),
    Effect.exit,
    Effect.map((exit) => (Exit.isSuccess(exit) ? exit.value : Cause.squash(exit.cause)))
  )

const wrong: ReadonlyArray<readonly [name: string, value: unknown]> = [
  ["an empty record", {}],
  ["a text", "<0.1>"],
  ["a number", 1],
  ["a list", []],
  ["a record with a pid's id", { id: 1 }],
  ["a Layer", Layer.empty],
  ...hostile.map(([name, make]) => [name, make()] as const)
]

const rows = Object.entries(places).flatMap(([module, functions]) =>
  Object.entries(functions).map(([name, place]) => [`${module}.${name}`, place] as const)
)

const takesFunctions = ["Agent.", "GenServer.the child of a DynamicSupervisor"]

describe.each(rows)("%s refuses with a sentence", (title, place) => {
  it.effect.each(wrong)("%s", ([, value]) =>
    Effect.map(outcome(place, value), (error) => {
      // A function in the first place is the change for an agent. The agent is given later.
      // The child of a dynamic supervisor may be a function that makes a Layer. What it makes is checked at each start.
      if (takesFunctions.some((known) => title.startsWith(known)) && typeof value === "function") return
      assert.instanceOf(error, RangeError)
      assert.match(error.message, /^\S[^\n]* needs an? [^\n]*, not [^\n]*$/)
      assert.isBelow(error.message.length, 400)
    })
  )
})

describe("the table above", () => {
  const api = fs.readFileSync(new URL("../project/public-api.txt", import.meta.url), "utf8")
  const publicOf = (module: string): ReadonlyArray<string> => {
    const text = api
      .split(/^==== /m)
      .find((section) => section.startsWith("effect-otp") && section.split("\n")[0]!.endsWith(`/${module}`))
    const found = text?.matchAll(/^export declare const (\w+): (?:<.*>)?\(|^export declare const (\w+): \{$/gm) ?? []
    return Array.from(found, ([, one, other]) => (one ?? other)!.replace(/_$/, ""))
  }

  it.each(Object.keys(places).filter((module) => module !== "TaskSupervisor" && module !== "Probe"))(
    "has all functions of %s that take such a value",
    (module) => {
      const exported = publicOf(module)
      const known = [...Object.keys(places[module]!).map((name) => name.split(":")[0]!), ...(others[module] ?? [])]
      assert.isAbove(exported.length, 0)
      assert.deepStrictEqual(
        exported.filter((name) => !known.includes(name)),
        []
      )
    }
  )
})

describe("the sentence", () => {
  it.effect.each<readonly [value: (pid: Otp.Pid.Pid, client: Counter["Service"]) => unknown, text: string]>([
    [() => null, "Process.kill needs a pid or a client, not null"],
    [() => ({}), "Process.kill needs a pid or a client, not {}"],
    [() => ({ password: "hunter2" }), 'Process.kill needs a pid or a client, not {"password":"<redacted>"}'],
    [() => "<0.1>", 'Process.kill needs a pid or a client, not "<0.1>"'],
    [(_, client) => [client], 'Process.kill needs a pid or a client, not ["[given/Counter]"]']
  ])("names the function, and shows what it was given: %#", ([value, text]) =>
    Effect.gen(function* () {
      const pid = yield* Process.spawn(Effect.never)
      const client = yield* Counter.definition.start()
      const error = yield* outcome((given) => Process.kill(given), value(pid, client))
      assert.strictEqual((error as Error).message, text)
      const other = yield* outcome((given) => GenServer.terminate(given), pid)
      assert.strictEqual(
        (other as Error).message,
        `GenServer.terminate needs a client, as the service of a server is, not ${String(pid)}`
      )
      yield* Process.kill(pid)
    }).pipe(Effect.provide(TestKernel.layer))
  )
})
