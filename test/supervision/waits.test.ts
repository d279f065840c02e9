/** Turns that wait for a server that is down: a wait that could not end is reported at once, and no other. */
import { assert, describe } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Layer, Schedule, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, Process, Supervisor, Task } from "effect-otp"
import { ExitReason } from "effect-otp/kernel"
import { kernelTest, settle } from "../fixtures/kernel.ts"
import { beside, ended, later, running } from "../behaviour/puppet.ts"
import { pidOf } from "../fixtures/supervision.ts"

type Step = Effect.Effect<unknown>
const step = Schema.declare((u: unknown): u is Step => Effect.isEffect(u))
const protocol = [Rpc.make("run", { payload: step, success: Schema.Unknown }), GenServer.cast("crash")] as const
type Client = GenServer.Client<(typeof protocol)[number]>

interface Script {
  /** Runs in the `init` of every run but the first. */
  readonly again?: () => Effect.Effect<unknown>
  /** Runs at its first end. */
  readonly terminate?: () => Effect.Effect<unknown>
  readonly shutdown?: "brutalKill"
}

/** A server that runs in its turn the effect it is sent, and answers with the result. */
const server = (name: string, { again, terminate, shutdown }: Script) => {
  let runs = 0
  let ends = 0
  class Server extends GenServer.Service<Server>()(`test/${name}`, protocol) {
    static readonly layer = this.define({
      init: () =>
        Effect.andThen(
          Process.setLabel(name),
          Effect.suspend(() => (++runs === 1 ? Effect.void : (again?.() ?? Effect.void)))
        ),
      handlers: {
        run: (step, state) => Effect.map(step, (value) => GenServer.reply(value, state)),
        crash: () => Effect.die("crash")
      },
      terminate: () => (++ends === 1 ? Effect.asVoid(terminate?.() ?? Effect.void) : Effect.void)
    }).layer()
  }
  return { key: Server, child: Supervisor.child(Server.layer, { id: name, shutdown: shutdown ?? "1 minute" }) }
}

const patient = { whenDown: "wait", timeout: Duration.infinity } as const

/** The result of a call: its answer, or the path of the cycle that it would have closed. */
const outcome = (call: Effect.Effect<unknown, GenServer.CallError>): Effect.Effect<unknown> =>
  Effect.match(call, {
    onSuccess: (value) => value,
    onFailure: ({ reason, started }) => (reason._tag === "CallCycle" ? [...reason.path, started] : reason._tag)
  })

const ask = (to: () => Client, options: GenServer.CallOptions = patient): Effect.Effect<unknown> =>
  Effect.suspend(() => outcome(to().run(Effect.succeed("answer"), options)))

type Clients = Readonly<Record<string, Client>>

/** A supervisor that starts each child again 100 ms after its end. The scripts reach the clients once it is up. */
const tree = (
  strategy: "oneForOne" | "oneForAll" | "restForOne",
  scripts: (clients: Clients) => Readonly<Record<string, Script>>
) =>
  Effect.gen(function* () {
    const clients: Record<string, Client> = {}
    const servers = Object.entries(scripts(clients)).map(([name, script]) => [name, server(name, script)] as const)
    class Tree extends Supervisor.Service<Tree>()("test/Tree", {
      strategy,
      schedule: Schedule.spaced(100),
      children: servers.map(([, { child }]) => child)
    }) {}
    const context = (yield* Layer.build(Tree.layer)) as Context.Context<unknown>
    for (const [name, { key }] of servers) clients[name] = Context.getUnsafe(context, key as never)
    const supervisor: Supervisor.SupervisorHandle = Context.getUnsafe(context, Tree as never)
    return { ...(clients as Readonly<Record<"a" | "b" | "c", Client>>), supervisor }
  })

/** Runs a step in the turn of a server, beside the test. */
const within = (client: Client, step: Effect.Effect<unknown>) =>
  beside(Effect.exit(client.run(step, { timeout: Duration.infinity })))

describe("a turn that waits for a server that is down", () => {
  kernelTest(
    "is answered by the next run",
    Effect.gen(function* () {
      const { a, b } = yield* tree("oneForOne", () => ({ a: {}, b: {} }))
      yield* b.crash()
      yield* settle
      const waiting = yield* within(
        a,
        ask(() => b)
      )
      yield* running(waiting)
      yield* later(100)
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed("answer")))
    })
  )

  kernelTest(
    "is not called back by the init of that server: its call names the cycle",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { a, b } = yield* tree("oneForOne", (clients) => ({
        a: {},
        b: {
          again: () =>
            Effect.map(
              ask(() => clients["a"]!),
              (outcome) => seen.push(outcome)
            )
        }
      }))
      yield* b.crash()
      yield* settle
      const waiting = yield* within(
        a,
        ask(() => b)
      )
      yield* later(100)
      assert.deepStrictEqual(seen, [["b", "a", "b", "no"]])
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed("answer")))
    })
  )

  kernelTest(
    "fails at once if the init of that server waits for it already",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { a, b } = yield* tree("oneForOne", (clients) => ({
        a: {},
        b: {
          again: () =>
            Effect.map(
              ask(() => clients["a"]!),
              (outcome) => seen.push(outcome)
            )
        }
      }))
      const gate = yield* Deferred.make<void>()
      const waiting = yield* within(
        a,
        Effect.andThen(
          Deferred.await(gate),
          ask(() => b)
        )
      )
      yield* b.crash()
      yield* settle
      yield* later(100)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed(["a", "b", "a", "no"])))
      assert.deepStrictEqual(seen, ["answer"])
    })
  )

  kernelTest(
    "is not called back by the terminate of the last run: its call names the cycle",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { a, b } = yield* tree("oneForOne", (clients) => ({
        a: {},
        b: {
          terminate: () =>
            Effect.andThen(
              Effect.sleep(10),
              Effect.map(
                ask(() => clients["a"]!),
                (outcome) => seen.push(outcome)
              )
            )
        }
      }))
      yield* b.crash()
      yield* settle
      const waiting = yield* within(
        a,
        ask(() => b)
      )
      yield* later(10)
      assert.deepStrictEqual(seen, [["b", "a", "b", "no"]])
      yield* later(100)
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed("answer")))
    })
  )

  kernelTest(
    "is not called back by the init of a sibling that has to be up first: its call names the cycle",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { a, b, c } = yield* tree("restForOne", (clients) => ({
        a: {},
        b: {
          again: () =>
            Effect.map(
              ask(() => clients["a"]!),
              (outcome) => seen.push(outcome)
            )
        },
        c: {}
      }))
      yield* b.crash()
      yield* settle
      const waiting = yield* within(
        a,
        ask(() => c)
      )
      yield* later(100)
      assert.deepStrictEqual(seen, [["b", "a", "b", "no"]])
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed("answer")))
    })
  )

  kernelTest(
    "waits for an unrelated sibling, and can be called back by it",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { a, b, c } = yield* tree("oneForOne", (clients) => ({
        a: {},
        b: {
          again: () =>
            Effect.map(
              ask(() => clients["a"]!),
              (outcome) => seen.push(outcome)
            )
        },
        c: {}
      }))
      yield* b.crash()
      yield* settle
      yield* later(50)
      yield* c.crash()
      yield* settle
      const waiting = yield* within(
        a,
        ask(() => c)
      )
      yield* later(50)
      yield* running(waiting)
      yield* later(50)
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed("answer")))
      assert.deepStrictEqual(seen, ["answer"])
    })
  )

  kernelTest(
    "fails at once if it has to end itself before that server is started again",
    Effect.gen(function* () {
      const { a, c } = yield* tree("oneForAll", () => ({ a: {}, b: {}, c: {} }))
      const gate = yield* Deferred.make<void>()
      const first = yield* within(
        a,
        Effect.andThen(
          Deferred.await(gate),
          ask(() => c)
        )
      )
      yield* c.crash()
      yield* settle
      yield* running(first)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(first), Exit.succeed(Exit.succeed(["a", "a", "no"])))
      yield* later(100)
      assert.strictEqual(yield* outcome(c.run(Effect.succeed("up"))), "up")
    })
  )

  kernelTest(
    "fails as soon as its supervisor decides that it has to end before that server is started again",
    Effect.gen(function* () {
      const { a, b, c } = yield* tree("restForOne", () => ({ a: {}, b: {}, c: {} }))
      // The first waits for the last, which would come back by itself, until the failure of the first one's own group.
      yield* c.crash()
      yield* settle
      const waiting = yield* within(
        b,
        ask(() => c)
      )
      yield* running(waiting)
      yield* a.crash()
      yield* settle
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed(["b", "b", "no"])))
      yield* later(100)
      assert.strictEqual(yield* outcome(c.run(Effect.succeed("up"))), "up")
    })
  )

  kernelTest(
    "fails as soon as a supervisor over it decides that it has to end before that server is started again",
    Effect.gen(function* () {
      // A dynamic supervisor with two children, and beside it something that is not ready a second time.
      class Kid extends GenServer.Service<Kid>()("test/Kid", protocol) {
        static readonly definition = this.define({
          init: () => Effect.void,
          handlers: {
            run: (step, state) => Effect.map(step, (value) => GenServer.reply(value, state)),
            crash: () => Effect.die("crash")
          }
        })
      }
      class Kids extends DynamicSupervisor.Service<Kids>()("test/Kids", {
        child: Kid.definition,
        intensity: { max: 0, within: "1 minute" }
      }) {}
      let builds = 0
      const once = Layer.effectDiscard(Effect.suspend(() => (++builds === 1 ? Effect.void : Effect.never)))
      const { child, key } = server("a", {})
      class Tree extends Supervisor.Service<Tree>()("test/Tree", {
        strategy: "oneForAll",
        schedule: Schedule.spaced(100),
        children: [Supervisor.child(Layer.provideMerge(once, Kids.layer), { id: "kids" }), child]
      }) {}
      const context = yield* Layer.build(Tree.layer)
      const [a, kids] = [Context.get(context, key), Context.get(context, Kids)]
      // The supervisor is up again and takes children, but its own supervisor has not come to `a` yet.
      yield* a.crash()
      yield* settle
      yield* later(100)
      const [waiter, fragile] = [
        yield* Effect.orDie(kids.startChild("waiter")),
        yield* Effect.orDie(kids.startChild("fragile"))
      ]
      const waiting = yield* within(
        waiter,
        ask(() => a)
      )
      yield* running(waiting)
      // Now that supervisor gives up, and has to end with all its children before `a` is started.
      yield* fragile.crash()
      yield* settle
      const path = ["test/Kid(waiter)", "test/Kids(kids)", "test/Kid(waiter)", "no"]
      assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed(path)))
    })
  )
})

describe("init", () => {
  kernelTest(
    "that waits for a later sibling of its group fails at once: that one is started after it",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { a, b } = yield* tree("oneForAll", (clients) => ({
        a: {
          again: () =>
            Effect.map(
              ask(() => clients["b"]!),
              (outcome) => seen.push(outcome)
            )
        },
        b: {}
      }))
      yield* a.crash()
      yield* settle
      yield* later(100)
      assert.deepStrictEqual(seen, [["a", "a", "no"]])
      assert.strictEqual(yield* outcome(b.run(Effect.succeed("up"))), "up")
    })
  )

  kernelTest(
    "that waits for itself fails at once",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const { a } = yield* tree("oneForOne", (clients) => ({
        a: {
          again: () =>
            Effect.map(
              ask(() => clients["a"]!),
              (outcome) => seen.push(outcome)
            )
        }
      }))
      yield* a.crash()
      yield* settle
      yield* later(100)
      assert.deepStrictEqual(seen, [["a", "a", "no"]])
    })
  )
})

describe("a turn that waits for something other than an answer", () => {
  const protocolOf = () => {
    const seen: Array<unknown> = []
    const note = (effect: Effect.Effect<unknown>) => Effect.map(effect, (outcome) => void seen.push(outcome))
    return { seen, note }
  }

  kernelTest(
    "for the start of a server whose init calls it: that call names the cycle",
    Effect.gen(function* () {
      const { note, seen } = protocolOf()
      const { a } = yield* tree("oneForOne", () => ({ a: {} }))
      class Inner extends GenServer.Service<Inner>()("test/Inner", []) {
        static readonly definition = this.define({
          init: () => Effect.andThen(Process.setLabel("inner"), note(ask(() => a))),
          handlers: {}
        })
      }
      const starting = yield* within(a, Effect.scoped(Effect.asVoid(Inner.definition.start())))
      assert.deepStrictEqual(yield* ended(starting), Exit.succeed(Exit.succeed(undefined)))
      assert.deepStrictEqual(seen, [["inner", "a", "inner", "no"]])
    })
  )

  kernelTest(
    "for a tree whose child calls it: that call names the cycle",
    Effect.gen(function* () {
      const { note, seen } = protocolOf()
      const { a } = yield* tree("oneForOne", () => ({ a: {} }))
      class Inner extends GenServer.Service<Inner>()("test/Inner", []) {
        static readonly layer = this.define({
          init: () => Effect.andThen(Process.setLabel("inner"), note(ask(() => a))),
          handlers: {}
        }).layer()
      }
      class Below extends Supervisor.Service<Below>()("test/Below", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer)]
      }) {}
      const starting = yield* within(a, Effect.provide(Effect.void, Below.layer))
      assert.deepStrictEqual(yield* ended(starting), Exit.succeed(Exit.succeed(undefined)))
      assert.deepStrictEqual(seen, [["inner", "a", "test/Below", "inner", "no"]])
    })
  )

  kernelTest(
    "for a dynamic child whose init calls it: that call names the cycle",
    Effect.gen(function* () {
      const { note, seen } = protocolOf()
      const { a } = yield* tree("oneForOne", () => ({ a: {} }))
      class Room extends GenServer.Service<Room>()("test/Room", []) {
        static readonly definition = this.define({
          init: () => Effect.andThen(Process.setLabel("room"), note(ask(() => a))),
          handlers: {}
        })
      }
      class Rooms extends DynamicSupervisor.Service<Rooms>()("test/Rooms", { child: Room.definition }) {}
      const rooms = Context.get(yield* Layer.build(Rooms.layer), Rooms)
      const starting = yield* within(a, Effect.asVoid(Effect.orDie(rooms.startChild("lobby"))))
      assert.deepStrictEqual(yield* ended(starting), Exit.succeed(Exit.succeed(undefined)))
      assert.deepStrictEqual(seen, [["room(lobby)", "a", "room(lobby)", "no"]])
    })
  )

  kernelTest(
    "for the end of a server that calls it: that call fails, and the server ends in good order",
    Effect.gen(function* () {
      const { a, b } = yield* tree("oneForOne", () => ({ a: {}, b: {} }))
      const gate = yield* Deferred.make<void>()
      const stopping = yield* within(a, Effect.andThen(Deferred.await(gate), outcome(GenServer.terminate(b))))
      const calling = yield* within(
        b,
        ask(() => a)
      )
      yield* running(calling)
      yield* Deferred.succeed(gate, undefined)
      // `terminate` is a call itself, and it is the one that fails.
      assert.deepStrictEqual(yield* ended(stopping), Exit.succeed(Exit.succeed(["a", "b", "a", "no"])))
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(Exit.succeed("answer")))
    })
  )

  kernelTest(
    "for a task that calls it: the call of the task names the cycle, whichever was first",
    Effect.gen(function* () {
      for (const taskFirst of [true, false]) {
        const { a } = yield* tree("oneForOne", () => ({ a: {} }))
        const gate = yield* Deferred.make<void>()
        const step = Effect.gen(function* () {
          const calling = Effect.andThen(
            Process.setLabel("task"),
            Effect.andThen(
              taskFirst ? Effect.void : Deferred.await(gate),
              ask(() => a)
            )
          )
          const task = yield* Task.asyncNoLink(calling)
          if (taskFirst) yield* Deferred.await(gate)
          return yield* Effect.orDie(Task.await(task))
        })
        const waiting = yield* within(a, step)
        yield* running(waiting)
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(yield* ended(waiting), Exit.succeed(Exit.succeed(["task", "a", "task", "no"])))
      }
    })
  )

  kernelTest(
    "for its supervisor to stop a sibling that calls it: the call of the sibling names the cycle",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const seen: Array<unknown> = []
      const { a, b, supervisor } = yield* tree("oneForOne", () => ({ a: {}, b: {} }))
      const stopping = yield* within(
        a,
        Effect.andThen(Deferred.await(gate), Effect.orDie(supervisor.terminateChild("b")))
      )
      const calling = yield* within(
        b,
        Effect.map(
          ask(() => a),
          (outcome) => void seen.push(outcome)
        )
      )
      yield* running(calling)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(stopping), Exit.succeed(Exit.succeed(undefined)))
      assert.deepStrictEqual(seen, [["b", "a", "b", "no"]])
    })
  )

  kernelTest(
    "for the end of a process that waited for its caller until it was told to end: the call is answered",
    Effect.gen(function* () {
      const { a, b, c } = yield* tree("oneForOne", () => ({ a: {}, b: {}, c: {} }))
      const [first, last] = [yield* pidOf(a), yield* pidOf(c)]
      const long = { timeout: Duration.infinity } as const
      const stop = Effect.andThen(Process.exit(first, ExitReason.shutdown("told to")), Process.awaitExit(first))
      yield* within(a, Process.awaitExit(last))
      const calling = yield* within(c, outcome(b.run(Effect.as(stop, "answer"), long)))
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(Exit.succeed("answer")))
    })
  )
})
