/** A kernel that is provided inside a process. The process is a stranger in it. */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Layer, Logger, Option, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { Rpc } from "effect/rpc"
import { Agent, GenServer, StateMachine, Task } from "effect-otp/behaviour"
import { ExitReason, Kernel, type Pid, Process } from "effect-otp/kernel"
import { Supervisor, TaskSupervisor } from "effect-otp/supervision"
import { asProcess, kernelTest, settle } from "../fixtures/kernel.ts"

const id = Rpc.make("id", { success: Schema.Number })

class Named extends GenServer.Service<Named>()("test/Named", [id]) {
  static readonly definition = this.define({
    init: () => Effect.map(Process.self, (pid) => pid.id),
    name: "test/named",
    handlers: { id: (_, id) => GenServer.reply(id, id) }
  })
}

class Machine extends StateMachine.Service<Machine>()("test/Machine", [id]) {
  static readonly definition = this.define({
    init: () => Effect.map(Process.self, (pid) => ({ _tag: "Here" as const, id: pid.id })),
    name: "test/machine",
    states: { Here: { id: (_, { id }) => StateMachine.keep([StateMachine.reply(id)]) } }
  })
}

class Jobs extends TaskSupervisor.Service<Jobs>()("test/Jobs") {}
class Tree extends Supervisor.Service<Tree>()("test/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Named.definition.layer())]
}) {}

const agent = Agent.start(Effect.succeed(0), { name: "test/agent" })

const servers: ReadonlyArray<readonly [string, Effect.Effect<unknown, unknown, Scope.Scope | Process.Self>]> = [
  ["a server", Named.definition.start()],
  ["a state machine", Machine.definition.start()],
  ["an agent", agent],
  ["the Layer of a server", Layer.build(Named.definition.layer())],
  ["the Layer of a state machine", Layer.build(Machine.definition.layer())],
  ["a supervisor with a server", Layer.build(Tree.layer)],
  ["a plain process", Process.spawn(Effect.never)],
  ["a task", Task.asyncNoLink(Effect.never)],
  ["a task of a scope", Task.asyncScoped(Effect.never)],
  ["a linked task", Task.async(Effect.never)],
  ["a task supervisor", Effect.scoped(Layer.build(Jobs.layer))],
  [
    "a stream of tasks",
    Effect.forkScoped(Stream.runDrain(Task.asyncStream(Stream.make(1), () => Effect.never, { concurrency: 1 })))
  ]
]

const processes = Effect.map(Kernel.counts, (counts) => counts.processes)

describe("a kernel of its own inside a process", () => {
  for (const [what, start] of servers) {
    kernelTest(
      `has ${what} that is started in it, and ends it`,
      asProcess(() =>
        Effect.gen(function* () {
          // Otherwise a link, or a tree of its own, would end it with the kernel.
          yield* Process.trapExit(true)
          const outside = yield* processes
          yield* Effect.gen(function* () {
            assert.strictEqual(yield* processes, 0)
            yield* start
            yield* settle
            const inside = yield* Kernel.processes
            if (what !== "a task supervisor") assert.isAbove(inside.length, 0)
            for (const pid of inside) {
              const info = Option.getOrThrow(yield* Process.info(pid))
              assert.isTrue(info.parent === undefined || inside.includes(info.parent))
            }
          }).pipe(Effect.provide(Kernel.layer), Effect.scoped)
          yield* settle
          assert.strictEqual(yield* processes, outside)
        })
      ),
      5
    )
  }

  kernelTest(
    "has names of its own",
    asProcess(() =>
      Effect.gen(function* () {
        const outer = yield* Named.definition.start()
        const inside = Effect.gen(function* () {
          const inner = yield* Named.definition.start()
          const again = yield* Effect.flip(Named.definition.start())
          const calls = [yield* inner.id(), yield* outer.id()]
          return { calls, again: again._tag, machine: yield* (yield* Machine.definition.start()).id() }
        })
        const one = yield* Effect.scoped(inside).pipe(Effect.provide(Kernel.layer))
        const two = yield* Effect.scoped(inside).pipe(Effect.provide(Kernel.layer))
        const outerId = yield* outer.id()
        assert.deepStrictEqual(one, { calls: [1, outerId], again: "AlreadyStarted", machine: 3 })
        assert.deepStrictEqual(two, one)
      }).pipe(Effect.scoped)
    ),
    5
  )

  kernelTest(
    "kills detached processes in it when it closes, even a server whose scope is still open",
    asProcess(() =>
      Effect.gen(function* () {
        const [client, pid] = yield* Effect.gen(function* () {
          const client = yield* Named.definition.start()
          return [client, Option.getOrThrow(yield* GenServer.pid(client))] as const
        }).pipe(Effect.provide(Kernel.layer))
        assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.killed)
        assert.strictEqual((yield* Effect.exit(client.id()))._tag, "Failure")
      }).pipe(Effect.scoped)
    ),
    5
  )

  kernelTest(
    "sends crashes of its processes to its own telemetry, and to a process outside by a link or a monitor",
    asProcess(() =>
      Effect.gen(function* () {
        yield* Process.trapExit(true)
        const gate = yield* Deferred.make<void>()
        const reason = yield* Effect.gen(function* () {
          const pid: Pid.Pid = yield* Process.spawnLink(Effect.andThen(Deferred.await(gate), Effect.die("broken")))
          yield* Deferred.succeed(gate, undefined)
          return yield* Process.awaitExit(pid)
        }).pipe(Effect.provide(Layer.merge(Kernel.layer, Logger.layer([]))))
        assert.strictEqual(reason._tag, "Crash")
        yield* settle
      })
    ),
    5
  )

  kernelTest(
    "the server of a turn is a stranger to it, too",
    Effect.gen(function* () {
      class Host extends GenServer.Service<Host>()("test/Host", [id]) {
        static readonly definition = this.define({
          init: () => Effect.succeed(0),
          handlers: {
            id: (_, n) =>
              Effect.gen(function* () {
                const named = yield* Named.definition.start()
                return GenServer.reply(yield* named.id(), n)
              }).pipe(Effect.provide(Kernel.layer), Effect.orDie)
          }
        })
      }
      yield* Named.definition.start()
      const host = yield* Host.definition.start()
      assert.deepStrictEqual([yield* host.id(), yield* host.id()], [1, 1])
    }),
    10
  )
})
