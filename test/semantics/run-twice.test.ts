/** An effect or a Layer that starts something is a value. If it is run twice, it starts two things. */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { Rpc } from "effect/rpc"
import {
  Agent,
  DynamicSupervisor,
  GenServer,
  Kernel,
  Process,
  StateMachine,
  Supervisor,
  Task,
  TaskSupervisor,
  Timer
} from "effect-otp"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"

const next = Rpc.make("next", { success: Schema.Number })

class Counter extends GenServer.Service<Counter>()("test/Counter", [next]) {
  static readonly definition = this.define({
    init: () => Effect.succeed(0),
    handlers: { next: (_, n) => GenServer.reply(n + 1, n + 1) }
  })
}

class Machine extends StateMachine.Service<Machine>()("test/Machine", [next]) {
  static readonly definition = this.define({
    init: () => Effect.succeed({ _tag: "At" as const, n: 0 }),
    states: {
      At: {
        next: (_, { n }) => StateMachine.next({ _tag: "At", n: n + 1 }, [StateMachine.reply(n + 1)])
      }
    }
  })
}

class Cell extends Agent.Service<Cell, number>()("test/Cell") {
  static readonly definition = this.define({ init: () => Effect.succeed(0) })
}

class Tree extends Supervisor.Service<Tree>()("test/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Counter.definition.layer())]
}) {}

class Counters extends DynamicSupervisor.Service<Counters>()("test/Counters", { child: Counter.definition }) {}

class Jobs extends TaskSupervisor.Service<Jobs>()("test/Jobs") {}

const bump = (cell: Agent.Agent<number>) => Agent.updateAndGet(cell, (n) => n + 1)

type Counted = Effect.Effect<number, unknown>

/** Ways to start a counter, each as one value, and a way to make it count. */
const starts: ReadonlyArray<readonly [string, Effect.Effect<Counted, unknown, Scope.Scope>]> = [
  ["a server", Effect.map(Counter.definition.start(), (client) => client.next())],
  ["a state machine", Effect.map(Machine.definition.start(), (client) => client.next())],
  ["an agent of a service", Effect.map(Cell.definition.start(), bump)],
  ["an agent", Effect.map(Agent.start(Effect.succeed(0)), bump)],
  ["the Layer of a server", built(Counter.definition.layer(), Counter, (client) => client.next())],
  ["the Layer of a state machine", built(Machine.definition.layer(), Machine, (client) => client.next())],
  ["the Layer of an agent", built(Cell.definition.layer(), Cell, bump)],
  ["the Layer of a supervisor", built(Tree.layer, Counter, (client) => client.next())],
  [
    "the Layer of a dynamic supervisor",
    built(Counters.layer, Counters, (counters) => {
      const client = Effect.flatMap(counters.get("only"), (found) =>
        Option.isSome(found) ? Effect.succeed(found.value) : counters.startChild("only")
      )
      return Effect.flatMap(client, (client) => client.next())
    })
  ]
]

function built<I, S, E>(
  layer: Layer.Layer<I, E>,
  service: Context.Key<I, S>,
  count: (service: NoInfer<S>) => Counted
): Effect.Effect<Counted, unknown, Scope.Scope> {
  return Effect.map(Layer.build(layer), (context) => count(Context.get(context, service)))
}

describe("one value that starts something, run many times", () => {
  for (const [what, start] of starts) {
    kernelTest(
      `${what}: each client has a server of its own`,
      Effect.gen(function* () {
        const counts = yield* Effect.all([start, start, start])
        const [first, second, third] = counts
        assert.deepStrictEqual([yield* first, yield* second, yield* second, yield* third], [1, 1, 2, 1])
      }),
      5
    )

    kernelTest(
      `${what}: side by side, too`,
      Effect.gen(function* () {
        const counts = yield* Effect.all([start, start, start], { concurrency: "unbounded" })
        assert.deepStrictEqual(yield* Effect.all(counts), [1, 1, 1])
      }),
      20
    )

    kernelTest(
      `${what}: the end of one is not the end of another`,
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatten(start))
        const count = yield* start
        yield* Effect.scoped(Effect.flatten(start))
        yield* settle
        assert.strictEqual(yield* count, 1)
      }),
      5
    )
  }

  kernelTest(
    "processes and tasks: each run has one of its own",
    asProcess(() =>
      Effect.gen(function* () {
        let runs = 0
        const body = Effect.sync(() => ++runs)
        const jobs = yield* Effect.map(Layer.build(Jobs.layer), (context) => Context.get(context, Jobs))
        const task = (start: Effect.Effect<Task.Task<number, never>, unknown, Process.Self | Scope.Scope>) =>
          Effect.flatMap(start, (started) => Task.await(started))
        const values = [
          task(Task.async(body)),
          task(Task.asyncNoLink(body)),
          task(Task.asyncScoped(body)),
          task(jobs.async(body)),
          task(jobs.asyncNoLink(body)),
          Effect.flatMap(jobs.start(body), Process.awaitExit),
          Effect.flatMap(Process.spawn(body), Process.awaitExit),
          Effect.flatMap(Process.spawnLink(body), Process.awaitExit),
          Effect.flatMap(Process.spawnMonitor(body), ({ pid }) => Process.awaitExit(pid)),
          Stream.runDrain(Task.asyncStream(Stream.make(1, 2), () => body, { concurrency: 1 }))
        ]
        for (const value of values) {
          const before = runs
          yield* value
          const once = runs - before
          yield* value
          assert.deepStrictEqual([once > 0, runs - before], [true, once * 2])
        }
      })
    ),
    5
  )

  kernelTest(
    "a timer: each run sets one",
    Effect.gen(function* () {
      const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.receive(() => false))
      const set = Timer.sendAfter(pid, "ding", "1 hour")
      const first = yield* set
      yield* set
      yield* set
      assert.strictEqual((yield* Kernel.counts).timers, 3)
      yield* Timer.cancel(first)
      assert.strictEqual((yield* Kernel.counts).timers, 2)
      yield* Process.kill(pid)
    }),
    5
  )
})
