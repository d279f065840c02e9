/**
 * Contract line 13.3: each cycle of waits is reported to one of the processes in it, and nothing else is reported.
 *
 * Every run draws servers under a supervisor that call one another, leave answers for later, wait for servers that are
 * down, run into their timeouts and die. The test keeps its own record of who waits for whom. A failing run names its
 * seed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Random, Schedule, Schema, Scope } from "effect"
import { Rpc } from "effect/rpc"
import { ExitReason, GenServer, Handle, type Pid, Process, Supervisor } from "effect-otp"
import { SeededScheduler } from "effect-otp/testing"
import { inKernel, settle } from "../fixtures/kernel.ts"
import { seeds } from "../fixtures/seeds.ts"

type Step = Effect.Effect<void>
const step = Schema.declare((u: unknown): u is Step => Effect.isEffect(u))
const protocol = [
  Rpc.make("run", { payload: step }),
  /** Runs the step in its turn. A helper answers later. */
  Rpc.make("defer", { payload: step })
] as const
type Client = GenServer.Client<(typeof protocol)[number]>

interface Call {
  readonly id: number
  readonly from: number
  readonly to: number
  isDeferred: boolean
}

class World {
  readonly clients: Array<Client> = []
  /** The call that each server waits for in its own fiber. */
  readonly waits = new Map<number, Call>()
  /** The calls of the cycles that were reported. */
  readonly reports: Array<string> = []
  readonly outcomes = new Set<string>()
  private readonly violations: Array<string> = []
  private lastCall = 0
  readonly int: (below: number) => number

  constructor(int: (below: number) => number) {
    this.int = int
  }

  pick<A>(from: ReadonlyArray<A>): A {
    return from[this.int(from.length)]!
  }

  /** The steps of a server in its turn, or in `init`. */
  work(server: number, depth: number): Step {
    return Effect.suspend(() =>
      Effect.forEach(
        Array.from({ length: 1 + this.int(2) }),
        () => {
          const kind = this.pick(["call", "call", "call", "call", "yield", "sleep", "crash", "nothing"])
          if (kind === "call") return depth > 4 ? Effect.void : this.call(server, depth)
          if (kind === "yield") return Effect.repeat(Effect.yieldNow, { times: this.int(4) })
          if (kind === "sleep") return Effect.sleep(this.int(40))
          return kind === "crash" && this.int(4) === 0 ? Effect.die("crash") : Effect.void
        },
        { discard: true }
      )
    )
  }

  private call(from: number, depth: number): Step {
    return Effect.suspend(() => {
      const call: Call = { id: ++this.lastCall, from, to: this.int(this.clients.length), isDeferred: false }
      const client = this.clients[call.to]!
      const options = {
        timeout: this.pick([Duration.millis(20), Duration.millis(300), Duration.infinity, Duration.infinity]),
        whenDown: this.pick(["wait", "wait", "fail"] as const)
      }
      const inTurn = this.work(call.to, depth + 1)
      const asked =
        this.int(4) === 0
          ? client.defer(
              Effect.andThen(
                inTurn,
                Effect.sync(() => void (call.isDeferred = true))
              ),
              options
            )
          : client.run(inTurn, options)
      const over = Effect.sync(() => {
        if (this.waits.get(from) === call) this.waits.delete(from)
      })
      // This is inside the part that records the end, because it may be killed before the step after the first.
      const begun = Effect.suspend(() => {
        this.waits.set(from, call)
        return Effect.tapError(asked, (error) => this.failed(call, error))
      })
      return Effect.ignore(Effect.ensuring(begun, over))
    })
  }

  private failed(call: Call, { reason, started }: GenServer.CallError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.outcomes.add(reason._tag)
      if (reason._tag !== "CallCycle") return
      const path = reason.path.map(Number)
      const calls = [call.id]
      const told = `call ${call.id} from ${call.from} to ${call.to}: cycle ${path.join(" → ")}`
      if (started !== "no") this.violations.push(`${told}: it had begun`)
      if (path[0] !== call.from || path[1] !== call.to || path.at(-1) !== call.from) this.violations.push(told)
      for (const [at, server] of path.slice(1, -1).entries()) {
        const wait = this.waits.get(server)
        if (wait === undefined || wait.to !== path[at + 2] || wait.isDeferred)
          this.violations.push(`${told}: ${server} does not wait`)
        else calls.push(wait.id)
      }
      this.outcomes.add(path.length > 2 ? "cycle of several" : "cycle of one")
      this.reports.push(calls.toSorted((a, b) => a - b).join(" "))
    })
  }

  /** When only time can change anything, no process waits for itself, and no cycle was reported twice. */
  check(): void {
    for (const server of this.waits.keys()) {
      const seen = [server]
      for (let wait = this.waits.get(server); wait !== undefined && !wait.isDeferred; wait = this.waits.get(wait.to)) {
        if (seen.includes(wait.to)) assert.fail(`nobody was told of the cycle ${[...seen, wait.to].join(" → ")}`)
        seen.push(wait.to)
      }
    }
    assert.deepStrictEqual(this.violations, [])
    assert.strictEqual(new Set(this.reports).size, this.reports.length, "a cycle was reported twice")
  }
}

const serverOf = (world: World, server: number) => {
  let runs = 0
  class Server extends GenServer.Service<Server>()(`test/${server}`, protocol) {
    static readonly layer = this.define({
      init: () =>
        Effect.andThen(
          Process.setLabel(String(server)),
          Effect.suspend(() => (++runs === 1 ? Effect.void : world.work(server, 3)))
        ),
      handlers: {
        run: (step, state) => Effect.as(step, GenServer.reply(undefined, state)),
        defer: (step, state, { from }) =>
          Effect.gen(function* () {
            yield* step
            yield* Effect.forkDetach(
              Effect.andThen(
                Effect.sleep(world.int(30)),
                Effect.suspend(() => from.succeed(undefined))
              )
            )
            return GenServer.noReply(state)
          })
      }
    }).layer()
  }
  return { key: Server, child: Supervisor.child(Server.layer, { id: String(server), shutdown: "100 millis" }) }
}

const play = Effect.gen(function* () {
  const random = yield* Random.Random
  const world = new World((below) => Math.floor(random.nextDoubleUnsafe() * below))
  const servers = Array.from({ length: 3 + world.int(2) }, (_, index) => serverOf(world, index))
  class Tree extends Supervisor.Service<Tree>()("test/Tree", {
    strategy: "oneForOne",
    schedule: Schedule.spaced(30),
    children: servers.map(({ child }) => child)
  }) {}
  const scope = yield* Scope.make()
  const context = (yield* Layer.buildWithScope(Tree.layer, scope)) as Context.Context<unknown>
  for (const { key } of servers) world.clients.push(Context.getUnsafe(context, key as never))
  for (let round = 0; round < 12; round++) {
    const client = world.pick(world.clients)
    const server = world.clients.indexOf(client)
    const kind = world.pick(["ask", "ask", "ask", "ask", "time", "kill", "exit"])
    if (kind === "ask") {
      yield* Effect.forkChild(Effect.exit(client.run(world.work(server, 0), { timeout: Duration.infinity })))
    } else if (kind === "time") yield* SeededScheduler.adjust(world.pick([1, 20, 50]))
    else {
      const pid = yield* Handle.pid(client)
      const strike = (pid: Pid.Pid) =>
        kind === "kill" ? Process.kill(pid) : Process.exit(pid, ExitReason.defect("signal"))
      if (pid._tag === "Some") yield* strike(pid.value)
    }
    if (world.int(2) === 0) yield* settle
    if (world.int(3) === 0) {
      yield* settle
      world.check()
    }
  }
  yield* settle
  world.check()
  const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
  yield* Effect.repeat(SeededScheduler.adjust("1 second"), { times: 10 })
  yield* Fiber.join(closing)
  return world.outcomes
})

describe("cycles of waits", () => {
  it.effect(
    "each is reported to one of the waiting processes, and nothing else is reported, in any order",
    () =>
      Effect.gen(function* () {
        const outcomes = new Set<string>()
        const all = seeds(60)
        const one = Effect.map(play, (seen) => {
          for (const outcome of seen) outcomes.add(outcome)
        })
        yield* SeededScheduler.explore(inKernel(one), { seeds: all })
        if (all.length > 1)
          assert.includeMembers([...outcomes], ["CallCycle", "cycle of several", "cycle of one", "Timeout"])
      }),
    120_000
  )
})
