/**
 * Random trees in a random order of steps, with all faults at once: crashes, kills, failing and slow starts, slow and
 * stubborn ends, callers that leave, requests, time that passes. Then calm: the tree is at rest, every process that
 * should be up is up, every call and every request has ended, and nothing is left after the close.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Random, Schedule, Scope } from "effect"
import { GenServer, Supervisor } from "effect-otp"
import { ExitReason, Kernel, type Pid, Process, type Signal } from "effect-otp/kernel"
import * as SeededScheduler from "effect-otp/testing/SeededScheduler"
import { inWorld, type Journal, quiet, StartError } from "../fixtures/supervision.ts"
import { seeds } from "../fixtures/seeds.ts"

type AnyLayer = Layer.Layer<never>
type AnyServer = ReturnType<typeof makeServer>

interface Team {
  readonly handle: Context.Key<unknown, Supervisor.SupervisorHandle>
  readonly ids: ReadonlyArray<string>
  /** Children that nobody stops by hand. They must be up as long as their supervisor is. */
  readonly stable: Set<string>
}

/** The random choices of a run, and its results. */
interface Play {
  readonly journal: Journal
  /** No new faults from now on. */
  calm: boolean
  readonly teams: Array<Team>
  readonly servers: Array<AnyServer>
  readonly pools: Array<Deferred.Deferred<void, string>>
  names: number
}

const below = (n: number) => Random.nextIntBetween(0, n, { halfOpen: true })
const chance = (probability: number) => Effect.map(Random.next, (drawn) => drawn < probability)
const pick = <A>(all: ReadonlyArray<A>) => Effect.map(below(all.length), (index) => all[index]!)

// ---- what a tree is made of ---------------------------------------------------------------------------------------

/** A start: at once, slow, or a failure of some kind. */
const start = (play: Play) =>
  Effect.gen(function* () {
    if (yield* chance(0.3)) yield* Effect.sleep(yield* below(500))
    if (play.calm || (yield* chance(0.85))) return
    return yield* (yield* chance(0.5)) ? new StartError({ child: "?" }) : Effect.die("init")
  })

/** An end: at once, slow, stubborn, or a failure. */
const finish = (play: Play) =>
  Effect.gen(function* () {
    if (yield* chance(0.3)) yield* Effect.sleep(yield* below(2_000))
    if (yield* chance(0.1)) yield* Effect.uninterruptible(Effect.sleep(yield* below(20_000)))
    if (!play.calm && (yield* chance(0.1))) return yield* Effect.die("terminate")
  })

const makeServer = (play: Play, name: string) => {
  class Server extends GenServer.Service<Server>()(name, []) {
    static readonly definition = this.define({
      init: () =>
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() => Effect.orDie(Effect.asVoid(Effect.exit(finish(play)))))
          yield* start(play)
        }),
      handlers: {},
      info: (message: ExitReason.ExitReason | Signal.Signal, state) =>
        message._tag === "Crash" ? Effect.die("crash") : GenServer.stop(ExitReason.normal, state),
      terminate: () => finish(play)
    })
  }
  return Server
}

const options = Effect.gen(function* () {
  const restart = yield* pick(["permanent", "permanent", "transient", "temporary"] as const)
  const shutdown = yield* pick([undefined, "1 second", "brutalKill", 0] as const)
  const schedule = (yield* chance(0.3)) ? Schedule.spaced(yield* below(1_000)) : undefined
  return { restart, shutdown, schedule }
})

const leaf = (play: Play) =>
  Effect.gen(function* () {
    const name = `c${play.names++}`
    const { restart, shutdown, schedule } = yield* options
    if (yield* chance(0.25)) {
      const run = Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.asVoid(Effect.exit(finish(play))))
        if (play.calm) return yield* Effect.never
        yield* Effect.sleep(yield* below(3_000))
        if (yield* chance(0.3)) return yield* Effect.never
        if (yield* chance(0.5)) return yield* Effect.fail("worker")
      })
      return { id: name, restart, spec: Supervisor.worker(name, run, { restart, shutdown, schedule }) }
    }
    const Server = makeServer(play, name)
    play.servers.push(Server)
    const spec = Supervisor.child(Server.definition.layer(), { id: name, restart, shutdown, schedule })
    return { id: name, restart, spec }
  })

const pool = (play: Play) =>
  Effect.sync(() => {
    const id = `p${play.names++}`
    class Pool extends Context.Service<Pool, Deferred.Deferred<void, string>>()(id) {}
    const layer = Layer.effect(
      Pool,
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.asVoid(Effect.exit(finish(play))))
        yield* start(play)
        const broken = yield* Deferred.make<void, string>()
        play.pools.push(broken)
        return broken
      })
    )
    const spec = Supervisor.resource(Pool, layer, { watch: Deferred.await })
    return { id, restart: "resource" as const, spec }
  })

const supervisor = (play: Play, depth: number): Effect.Effect<AnyLayer> =>
  Effect.gen(function* () {
    const id = `s${play.names++}`
    const size = 1 + (yield* below(4))
    const members = yield* Effect.forEach(Array.from({ length: size }), () => member(play, depth))
    const intensity = { max: 1 + (yield* below(depth === 0 ? 30 : 5)), within: "5 seconds" } as const
    class Sup extends Supervisor.Service<Sup>()(id, {
      strategy: yield* pick(["oneForOne", "oneForAll", "restForOne"] as const),
      intensity,
      children: members.map(({ spec }) => spec) as never
    }) {}
    const stable = members
      .filter(({ restart }) => restart === "permanent" || restart === "resource")
      .map(({ id }) => id)
    const ids = members.map(({ id }) => id)
    play.teams.push({ handle: Sup, ids, stable: new Set(stable) })
    return Sup.layer
  })

const member = (play: Play, depth: number) =>
  Effect.gen(function* () {
    if (depth < 2 && (yield* chance(0.3))) {
      const layer = yield* supervisor(play, depth + 1)
      const id = `n${play.names++}`
      const spec = Supervisor.child(layer, {
        id,
        shutdown: yield* pick([undefined, "2 seconds"] as const)
      })
      return { id, restart: "permanent" as const, spec }
    }
    return yield* (yield* chance(0.2)) ? pool(play) : leaf(play)
  })

// ---- what happens to it -------------------------------------------------------------------------------------------

/** Ends a random process, but not the root, which came first. */
const hurt = Effect.gen(function* () {
  const [, ...others] = yield* Kernel.processes
  if (others.length === 0) return
  const victim = yield* pick(others)
  switch (yield* below(4)) {
    case 0:
      return yield* Process.kill(victim)
    case 1:
      return yield* Process.exit(victim, ExitReason.shutdown("chaos"))
    default:
      return yield* Process.send(
        victim as Pid.Pid<unknown>,
        (yield* chance(0.8)) ? ExitReason.defect("crash") : ExitReason.normal
      )
  }
})

const breakPool = (play: Play) =>
  Effect.gen(function* () {
    if (play.pools.length === 0) return
    const how: Exit.Exit<void, string> = (yield* chance(0.5)) ? Exit.void : Exit.fail("broken")
    yield* Deferred.done(yield* pick(play.pools), how)
  })

/** A request whose caller may leave. */
const request = (play: Play, context: Context.Context<never>) =>
  Effect.gen(function* () {
    const { handle, ids, stable } = yield* pick(play.teams)
    const sup = Context.getUnsafe(context, handle)
    const id = yield* pick(ids)
    const isStop = yield* chance(0.5)
    if (isStop) stable.delete(id)
    return yield* Effect.forkChild(Effect.exit(isStop ? sup.terminateChild(id) : sup.restartChild(id)))
  })

/** A call to a server that may be down, with or without waiting. It ends with an answer or a CallError. */
const call = (play: Play, context: Context.Context<never>) =>
  Effect.gen(function* () {
    const Server = yield* pick(play.servers)
    const client = Context.getUnsafe(context, Server as unknown as Context.Key<unknown, GenServer.Client<never>>)
    const stop = GenServer.terminate(client, { timeout: yield* below(2_000), reason: ExitReason.shutdown("asked") })
    return yield* Effect.forkChild(Effect.exit(stop))
  })

const step = (play: Play, context: Context.Context<never>, waiting: Array<Fiber.Fiber<Exit.Exit<void, unknown>>>) =>
  Effect.gen(function* () {
    switch (yield* below(8)) {
      case 0:
      case 1:
      case 2:
        return yield* hurt
      case 3:
        return yield* breakPool(play)
      case 4:
        return void waiting.push(yield* request(play, context))
      case 5:
        if (play.servers.length > 0) waiting.push(yield* call(play, context))
        return
      case 6:
        if (waiting.length > 0) yield* Effect.forkChild(Fiber.interrupt(yield* pick(waiting)))
        return
      default:
        return yield* SeededScheduler.adjust(yield* below(1_000))
    }
  })

// ---- what must hold -----------------------------------------------------------------------------------------------

const ended = Effect.repeat(SeededScheduler.adjust("1 minute"), { times: 4 })

const check = (play: Play, context: Context.Context<never>) =>
  Effect.gen(function* () {
    for (const { handle, stable } of play.teams) {
      for (const { id, pid, state } of yield* Context.getUnsafe(context, handle).whichChildren) {
        assert.include(["running", "stopped"], state, `${handle.key}: ${id}`)
        if (stable.has(id)) assert.strictEqual(state, "running", `${handle.key}: ${id} is to be up`)
        if (pid !== undefined) assert.isTrue(yield* Process.isAlive(pid))
      }
    }
  })

const scenario = inWorld(({ crashes, journal }) =>
  Effect.gen(function* () {
    const play: Play = { journal, calm: true, teams: [], servers: [], pools: [], names: 0 }
    const layer = yield* supervisor(play, 0)
    const scope = yield* Scope.make()
    play.calm = yield* chance(0.8)
    const building = yield* Effect.forkChild(Effect.exit(Layer.buildWithScope(layer, scope)))
    yield* ended
    const built = yield* Fiber.join(building)
    if (Exit.isSuccess(built)) {
      const context = built.value
      const waiting: Array<Fiber.Fiber<Exit.Exit<void, unknown>>> = []
      play.calm = false
      const steps = yield* below(25)
      for (let n = 0; n < steps; n++) yield* step(play, context, waiting)
      play.calm = true
      if (yield* chance(0.7)) {
        yield* ended
        yield* check(play, context)
        for (const fiber of waiting) assert.isDefined(fiber.pollUnsafe(), "a request or a call that never ends")
      }
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* ended
      assert.isDefined(closing.pollUnsafe(), "it does not stop")
      for (const fiber of waiting) {
        const exit = fiber.pollUnsafe()
        assert.isDefined(exit, "a request or a call that never ends")
        if (exit?._tag === "Success" && exit.value._tag === "Failure") {
          const [reason] = exit.value.cause.reasons
          const error = reason?._tag === "Fail" ? reason.error : undefined
          assert.isTrue(error instanceof GenServer.CallError || error instanceof Error, String(reason))
        }
      }
    }
    // No process crashes twice, and each crash has a decision.
    const pids = crashes.map(({ cause, pid }) => `${String(pid)} ${String(cause)}`)
    assert.strictEqual(new Set(pids).size, pids.length, "a crash was reported twice")
    for (const { decision, label } of crashes) assert.isDefined(decision, `nothing was decided on ${label}`)
    yield* quiet
  })
)

describe("a random tree", () => {
  const parts = 8
  for (let part = 0; part < parts; part++) {
    it.effect(`comes to rest, and leaves nothing behind (${part + 1} of ${parts})`, () => {
      const mine = seeds(1_000).filter((seed) => process.env["OTP_SEED"] !== undefined || seed % parts === part)
      return SeededScheduler.explore(scenario, { seeds: mine })
    })
  }
})
