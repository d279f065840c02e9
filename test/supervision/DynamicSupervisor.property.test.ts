import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  type Layer,
  Option,
  Random,
  Schedule,
  Schema,
  type Scope
} from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, Events, GenServer, Supervisor, Telemetry } from "effect-otp"
import { ExitReason, Process, type Pid } from "effect-otp/kernel"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { seeds } from "../fixtures/seeds.ts"
import { inWorld, quiet, run, StartError, type World } from "../fixtures/supervision.ts"

const below = (n: number) => Random.nextIntBetween(0, n, { halfOpen: true })
const chance = (percent: number) => Effect.map(below(100), (n) => n < percent)
const pick = <A>(from: ReadonlyArray<A>): Effect.Effect<A> => Effect.map(below(from.length), (n) => from[n]!)
const someMillis = Effect.map(Random.nextIntBetween(1, 400), Duration.millis)

/** A random part of a child's life. All except `never` end within the limit of a stop. */
const act = (kinds: ReadonlyArray<"nothing" | "yield" | "sleep" | "die" | "stubborn" | "never">): Effect.Effect<void> =>
  Effect.flatMap(pick(kinds), (kind) => {
    switch (kind) {
      case "nothing":
        return Effect.void
      case "yield":
        return Effect.yieldNow
      case "sleep":
        return Effect.flatMap(someMillis, Effect.sleep)
      case "die":
        return Effect.die(kind)
      case "stubborn":
        return Effect.uninterruptible(Effect.flatMap(someMillis, Effect.sleep))
      case "never":
        return Effect.never
    }
  })

const plain = ["nothing", "nothing", "yield"] as const

/** Checks that a key has one process at a time, and that each is released once. */
class Witness {
  readonly held = new Map<string, number>()
  readonly pids = new Map<string, Pid.Pid<unknown>>()
  begun = 0
  released = 0

  hold(key: string, pid: Pid.Pid): Effect.Effect<void, never, Scope.Scope> {
    return Effect.suspend(() => {
      this.begun++
      const held = (this.held.get(key) ?? 0) + 1
      this.held.set(key, held)
      assert.strictEqual(held, 1, `two processes of ${key}`)
      this.pids.set(key, pid as Pid.Pid<unknown>)
      return Effect.addFinalizer(() =>
        Effect.andThen(
          act(["nothing", "nothing", "nothing", "yield", "sleep"]),
          Effect.sync(() => {
            this.released++
            this.held.set(key, this.held.get(key)! - 1)
          })
        )
      )
    }).pipe(Effect.uninterruptible)
  }
}

const kidOf = (witness: Witness) => {
  class Kid extends GenServer.Service<Kid>()("test/Kid", [
    Rpc.make("ask", { success: Schema.Finite }),
    GenServer.cast("act")
  ]) {
    static readonly definition = this.define({
      init: (key: string) =>
        Effect.gen(function* () {
          yield* witness.hold(key, yield* Process.self)
          yield* act([...plain, ...plain, "sleep", "stubborn", "die", "never"])
          if (yield* chance(10)) return yield* new StartError({ child: key })
          return 0
        }),
      handlers: {
        ask: (_, n) => Effect.as(act([...plain, "sleep", "die"]), GenServer.reply(n + 1, n + 1)),
        act: (_, n) => Effect.as(act(["nothing", "sleep", "die", "die", "stubborn"]), GenServer.noReply(n))
      },
      info: (_message: unknown, n) => GenServer.stop(ExitReason.normal, n),
      terminate: () => act(["nothing", "nothing", "yield", "sleep", "die", "never"])
    })
  }
  return Kid
}

const limits = ["1 second", "brutalKill"] as const

const someIntensity = Effect.map(pick([0, 2, 1000]), (max) => ({ max, within: "1 second" }) as const)

const optionsOf = Effect.gen(function* () {
  const restart = yield* pick(["permanent", "transient", "temporary"] as const)
  const intensity = yield* someIntensity
  const schedule = (yield* chance(40)) ? Schedule.spaced("100 millis") : undefined
  const maxChildren = yield* pick([2, 3, Infinity])
  return { restart, intensity, schedule, maxChildren }
})

/** Each child is a server. */
const ofServers = (witness: Witness) =>
  Effect.gen(function* () {
    const { definition } = kidOf(witness)
    const options = { ...(yield* optionsOf), shutdown: yield* pick(limits) }
    class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", { child: definition, ...options }) {}
    const handle = ({ get, startChild, startOrGet, terminateChild, whichChildren }: Kids["Service"]) => ({
      start: (key: string) => startChild(key, key),
      startOrGet: (key: string) => startOrGet(key, key),
      ...{ get, terminateChild, whichChildren }
    })
    return { layer: Kids.layer, handle: (kids: Context.Context<Kids>) => handle(Context.get(kids, Kids)) }
  })

/** Each child is a tree with that server, and another process before it. */
const ofTrees = (witness: Witness) =>
  Effect.gen(function* () {
    const Kid = kidOf(witness)
    const intensity = yield* someIntensity
    const shutdown = yield* pick(limits)
    const strategy = yield* pick(["oneForOne", "oneForAll", "restForOne"] as const)
    class Tree extends Supervisor.Service<Tree>()("test/Tree", {
      strategy,
      intensity,
      children: (key: string) => [
        Supervisor.worker("idle", Effect.never, { shutdown }),
        Supervisor.child(Kid.definition.layer(key), { shutdown })
      ]
    }) {}
    const { restart, ...options } = yield* optionsOf
    class Trees extends DynamicSupervisor.Service<Trees>()("test/Trees", {
      child: Tree.layer,
      // A tree that gives up is not transient.
      restart: restart === "transient" ? "permanent" : restart,
      shutdown: yield* pick(["Infinity", "brutalKill"] as const),
      ...options
    }) {}
    const kidOfTree = (tree: Context.Context<InstanceType<typeof Kid>>) => Context.get(tree, Kid)
    const handle = ({ get, startChild, startOrGet, terminateChild, whichChildren }: Trees["Service"]) => ({
      start: (key: string) => Effect.map(startChild(key, key), kidOfTree),
      startOrGet: (key: string) => Effect.map(startOrGet(key, key), kidOfTree),
      get: (key: string) => Effect.map(get(key), Option.map(kidOfTree)),
      ...{ terminateChild, whichChildren }
    })
    return { layer: Trees.layer, handle: (trees: Context.Context<Trees>) => handle(Context.get(trees, Trees)) }
  })

type Handle = ReturnType<Effect.Success<ReturnType<typeof ofServers>>["handle"]>

const keys = ["a", "b", "c", "d"]
const actions = [
  "start",
  "start",
  "startOrGet",
  "terminate",
  "call",
  "call",
  "cast",
  "cast",
  "message",
  "kill",
  "look"
] as const

/** One action of an actor. Its type covers all possible answers. */
const step = (kids: Handle, witness: Witness): Effect.Effect<unknown, StartError | GenServer.CallError | Refusals> =>
  Effect.gen(function* () {
    const key = yield* pick(keys)
    switch (yield* pick(actions)) {
      case "start":
        return yield* kids.start(key)
      case "startOrGet":
        return yield* kids.startOrGet(key)
      case "terminate":
        return yield* kids.terminateChild(key)
      case "call": {
        const client = yield* kids.get(key)
        if (client._tag === "None") return
        const whenDown = yield* pick(["fail", "wait"] as const)
        return yield* client.value.ask(undefined, { whenDown, timeout: "2 seconds" })
      }
      case "cast": {
        const client = yield* kids.get(key)
        return client._tag === "None" ? undefined : yield* client.value.act()
      }
      case "message": {
        const pid = witness.pids.get(key)
        return pid === undefined ? undefined : yield* Process.send(pid, "end")
      }
      case "kill": {
        const pid = witness.pids.get(key)
        return pid === undefined ? undefined : yield* Process.kill(pid)
      }
      case "look": {
        const infos = yield* kids.whichChildren
        assert.strictEqual(new Set(infos.map((info) => info.key)).size, infos.length)
        return infos
      }
    }
  })

type Refusals =
  | DynamicSupervisor.AlreadyStarted
  | DynamicSupervisor.MaxChildren
  | DynamicSupervisor.ChildNotFound
  | DynamicSupervisor.SupervisorDown

interface Requests {
  asked: number
  answered: number
  readonly unexpected: Array<string>
}

/** An actor that does some things, beside or after one another, and sometimes does not wait for the answer. */
const actor = (kids: Handle, witness: Witness, requests: Requests) =>
  Effect.gen(function* () {
    for (let n = 0; n < 10; n++) {
      requests.asked++
      const doing = yield* Effect.forkDetach(step(kids, witness), { startImmediately: yield* chance(50) })
      // An observer, because an effect that is interrupted before it begins runs no finalizer.
      doing.addObserver((exit) => {
        requests.answered++
        if (Exit.isFailure(exit) && isForeign(exit.cause)) requests.unexpected.push(Cause.pretty(exit.cause))
      })
      if (yield* chance(20)) yield* Effect.flatMap(someMillis, Effect.sleep)
      if (yield* chance(20)) yield* Fiber.interrupt(doing)
      else if (yield* chance(60)) yield* Effect.timeoutOption(Fiber.await(doing), "1 second")
    }
  })

/** A defect that does not come from the child. */
const isForeign = (cause: Cause.Cause<unknown>): boolean => {
  const defect = Cause.hasDies(cause) ? Cause.squash(cause) : "die"
  return defect !== "die" && !/ended before (its init had succeeded|all its children were up)/.test(String(defect))
}

const isCrash = (reason: ExitReason.ExitReason): boolean =>
  reason._tag === "Crash" && !(Cause.squash(reason.cause) instanceof StartError)

/** Lets time pass until an effect has ended. */
const withTime = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const doing = yield* Effect.forkChild(effect)
    for (let n = 0; n < 200 && doing.pollUnsafe() === undefined; n++) yield* SeededScheduler.adjust("100 millis")
    assert.isDefined(doing.pollUnsafe(), "it does not end")
    return yield* Fiber.join(doing)
  })

const life =
  (supervisorOf: typeof ofServers | typeof ofTrees) =>
  ({ crashes }: World) =>
    Effect.gen(function* () {
      const witness = new Witness()
      const deaths: Array<{ readonly pid: Pid.Pid; readonly reason: ExitReason.ExitReason }> = []
      yield* Telemetry.attachScoped("deaths", Events.processExit, (_, { label, pid, reason }) => {
        if (label === "test/Kid") deaths.push({ pid, reason })
      })
      const { handle, layer } = yield* supervisorOf(witness)
      class Top extends Supervisor.Service<Top>()("test/Top", {
        strategy: "oneForOne",
        intensity: { max: 1000, within: "1 second" },
        children: [Supervisor.child(layer as Layer.Layer<never>, { shutdown: "Infinity" })]
      }) {}
      const isNested = yield* chance(50)
      const { close, context } = yield* run(
        isNested ? (Top.layer as Layer.Layer<never>) : (layer as Layer.Layer<never>)
      )
      const kids = handle(context as never)
      const requests: Requests = { asked: 0, answered: 0, unexpected: [] }
      const actors = Effect.forEach([1, 2, 3], () => actor(kids, witness, requests), { concurrency: "unbounded" })
      const mischief = Effect.gen(function* () {
        if (yield* chance(70)) return
        yield* Effect.flatMap(someMillis, Effect.sleep)
        const [first] = yield* kids.whichChildren
        const pid = first?.pid
        const info = pid === undefined ? undefined : yield* Process.info(pid)
        const parent = info?._tag === "Some" ? info.value.parent : undefined
        if (parent !== undefined) yield* Process.kill(parent)
      })
      yield* withTime(Effect.all([actors, mischief], { concurrency: 2 }))
      yield* withTime(close)
      // What waits for its own time still happens.
      for (let n = 0; n < 60; n++) yield* SeededScheduler.adjust("100 millis")
      yield* quiet
      assert.strictEqual(requests.answered, requests.asked, "a request was not answered once")
      assert.strictEqual(witness.released, witness.begun, "a run was not released once")
      // Each crash is reported once, with the decision. A typed failure of a start is not a crash. The last finalizer of
      // a killed process may add one.
      const crashed = deaths.filter(({ reason }) => isCrash(reason)).map(({ pid }) => pid)
      const reported = crashes.map(({ pid }) => pid)
      assert.strictEqual(new Set(reported).size, reported.length, "a crash was reported twice")
      assert.includeMembers(reported, crashed)
      const killed = deaths.filter(({ reason }) => reason._tag === "Killed").map(({ pid }) => pid)
      assert.includeMembers([...crashed, ...killed], reported)
      assert.isTrue(crashes.every(({ decision }) => decision !== undefined))
      assert.deepStrictEqual(requests.unexpected, [])
      return { begun: witness.begun, crashed: crashed.length }
    })

describe.each([
  ["of servers", ofServers],
  ["of trees", ofTrees]
] as const)("any life of a dynamic supervisor %s", (_, supervisorOf) => {
  it.effect(
    "ends with nothing left, one process a key, each request answered, each message and each crash accounted for",
    () =>
      Effect.gen(function* () {
        const lives = yield* SeededScheduler.explore(inWorld(life(supervisorOf)), { seeds: seeds(1000) })
        // Enough must have happened for the check to mean something.
        if (lives.length < 100) return
        const total = (of: "begun" | "crashed") => lives.reduce((sum, life) => sum + life[of], 0) / lives.length
        assert.isAbove(total("begun"), 4)
        assert.isAbove(total("crashed"), 0.5)
      }),
    process.env["OTP_DEEP"] === "1" ? 600_000 : 120_000
  )
})
