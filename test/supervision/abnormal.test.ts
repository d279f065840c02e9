import { assert, describe } from "@effect/vitest"
import { Context, Effect, Option, Schedule, Schema } from "effect"
import { DynamicSupervisor, GenServer, Supervisor, TaskSupervisor, Task } from "effect-otp"
import { ExitReason, Handle, Process } from "effect-otp/kernel"
import { Rpc } from "effect/rpc"
import { runKids } from "../fixtures/dynamic.ts"
import { boom, child, end, failing, pass, quiet, run, treeTest, type World } from "../fixtures/supervision.ts"

const firstLines = ({ lines }: World) => lines.map(({ level, message }) => `${level} ${message.split("\n")[0]}`)

const intensity = { max: 10, within: "1 second" } as const

class Worker extends GenServer.Service<Worker>()("app/Worker", [
  Rpc.make("name", { success: Schema.String }),
  GenServer.cast("crash")
]) {
  static readonly definition = this.define({
    init: (name: string) => Effect.succeed(name),
    handlers: { name: (_, name) => GenServer.reply(name, name), crash: () => Effect.die(new Error("boom")) }
  })
}

class Workers extends DynamicSupervisor.Service<Workers>()("app/Workers", { child: Worker.definition, intensity }) {}

const pidOf = (worker: Worker["Service"]) => Effect.map(GenServer.pid(worker), Option.getOrThrow)

describe("an abnormal end that is no crash", () => {
  treeTest("a kill is reported once, with the decision", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity,
        schedule: Schedule.spaced("1 second"),
        children: [child(journal, "a"), child(journal, "b", { restart: "temporary" })]
      }) {}
      yield* run(Sup.layer)
      for (const name of ["a", "b"]) {
        yield* end(journal, name, ExitReason.killed)
        yield* pass("1 second")
      }
      assert.deepStrictEqual(firstLines(world), [
        "Warn test/Sup: child a was killed (restart in 1000 ms)",
        "Warn test/Sup: child b was killed (no restart)"
      ])
    })
  )

  treeTest("a kill of a dynamic child is reported once, by server and key", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const { start } = yield* runKids(journal, { intensity })
      yield* start("k")
      yield* end(journal, "k", ExitReason.killed)
      yield* quiet
      assert.deepStrictEqual(firstLines(world), ["Warn test/Kids: child test/Kid(k) was killed (restart)"])
    })
  )

  treeTest("a crash that came as an exit signal of a stranger is reported, because no process reports it", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a")]
      }) {}
      yield* run(Sup.layer)
      const { start } = yield* runKids(journal, { intensity })
      yield* start("k")
      for (const name of ["a", "k"]) {
        yield* Process.exit(journal.pid(name), boom)
        yield* quiet
      }
      assert.deepStrictEqual(world.crashes, [])
      assert.deepStrictEqual(firstLines(world), [
        "Warn test/Sup: child a was ended by an exit signal (restart)",
        "Warn test/Kids: child test/Kid(k) was ended by an exit signal (restart)"
      ])
    })
  )

  treeTest("the supervisors of both report the kill of a linked process", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity,
        children: [
          child(journal, "a"),
          child(journal, "b", {
            script: {
              init: (incarnation) => (incarnation > 1 ? Effect.void : Effect.orDie(Process.link(journal.pid("a"))))
            }
          })
        ]
      }) {}
      yield* run(Sup.layer)
      yield* end(journal, "a", ExitReason.killed)
      yield* quiet
      assert.deepStrictEqual(firstLines(world).toSorted(), [
        "Warn test/Sup: child a was killed (restart)",
        "Warn test/Sup: child b was killed (restart)"
      ])
    })
  )

  treeTest("a restart that fails with a defect outside of a process is reported", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const init = (incarnation: number) => (incarnation === 2 ? Effect.interrupt : Effect.void)
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        intensity,
        children: [child(journal, "a", { script: { init } })]
      }) {}
      yield* run(Sup.layer)
      yield* end(journal, "a", ExitReason.normal)
      yield* quiet
      assert.strictEqual(world.crashes.length + world.lines.filter(({ level }) => level === "Warn").length, 1)
    })
  )

  treeTest("only the callers that wait for a start get its failure", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { script: { init: failing("a", 1) } })]
      }) {}
      assert.strictEqual((yield* Effect.exit(run(Sup.layer)))._tag, "Failure")
      yield* quiet
      assert.deepStrictEqual(firstLines(world), [])
    })
  )

  treeTest("a child that ends by itself past its limit is reported, with the decision", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const terminate = () => Effect.never
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [child(journal, "a", { shutdown: "1 second", script: { terminate } })]
      }) {}
      const { close } = yield* run(Sup.layer)
      const { close: closeKids, start } = yield* runKids(journal, { shutdown: "1 second", script: { terminate } })
      yield* start("k")
      for (const name of ["a", "k"]) {
        yield* end(journal, name, ExitReason.normal)
        yield* pass("1 second")
      }
      const lines = firstLines(world)
      yield* Effect.forkChild(Effect.andThen(close, closeKids))
      yield* pass("2 seconds")
      assert.deepStrictEqual(lines, [
        "Warn test/Sup: child a did not end within its shutdown limit and was killed (restart)",
        "Warn test/Kids: child test/Kid(k) did not end within its shutdown limit and was killed (restart)"
      ])
    })
  )

  treeTest("a server without a supervisor is reported, too, if it does not end within its limit", (world) =>
    Effect.gen(function* () {
      class Slow extends GenServer.Service<Slow>()("test/Slow", [GenServer.cast("go")]) {
        static readonly layer = this.define({
          init: () => Effect.succeed(0),
          handlers: { go: (_, n) => GenServer.noReply(n) },
          terminate: () => Effect.never
        }).layer()
      }
      const { close } = yield* run(Slow.layer)
      const closing = yield* Effect.forkChild(close)
      yield* pass("5 seconds")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(firstLines(world), ["Warn test/Slow did not end within its shutdown limit and was killed"])
    })
  )

  treeTest("children that are killed because their supervisor was killed are not reported one by one", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      class Inner extends Supervisor.Service<Inner>()("test/Inner", {
        strategy: "oneForOne",
        children: [child(journal, "a"), child(journal, "b")]
      }) {}
      class Outer extends Supervisor.Service<Outer>()("test/Outer", {
        strategy: "oneForOne",
        children: [Supervisor.child(Inner.layer, { id: "inner" })]
      }) {}
      const { context } = yield* run(Outer.layer)
      yield* Process.kill(yield* Effect.flatMap(Handle.pid(Context.get(context, Inner)), Effect.fromOption))
      yield* quiet
      assert.deepStrictEqual(firstLines(world), ["Warn test/Outer: child inner was killed (restart)"])
    })
  )

  treeTest("a task that its owner kills is not reported", (world) =>
    Effect.gen(function* () {
      class Jobs extends TaskSupervisor.Service<Jobs>()("test/Jobs") {}
      const { context } = yield* run(Jobs.layer)
      const task = yield* Context.get(context, Jobs).asyncNoLink(Effect.never)
      yield* Task.shutdown(task, { limit: "brutalKill" })
      yield* quiet
      assert.deepStrictEqual(firstLines(world), [])
    })
  )

  treeTest(
    "a flood of kills is limited, and the omitted ones are counted in the log",
    (world) =>
      Effect.gen(function* () {
        const { journal } = world
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          intensity: { max: 100, within: "1 second" },
          children: [child(journal, "a")]
        }) {}
        yield* run(Sup.layer)
        for (let i = 0; i < 25; i++) {
          yield* end(journal, "a", ExitReason.killed)
          yield* quiet
        }
        assert.strictEqual(world.lines.length, 10)
        yield* pass("1 second")
        assert.deepStrictEqual(firstLines(world).slice(10), ["Warn 15 reports were left out: test/Sup: child a 15"])
      }),
    2
  )
})

describe("the name of a child", () => {
  treeTest("of a dynamic supervisor is server and key: in reports, errors, events and Process.info", (world) =>
    Effect.gen(function* () {
      const { context } = yield* run(Workers.layer)
      const workers = Context.get(context, Workers)
      const worker = yield* workers.startChild("tenant-42", "x")
      const pid = yield* pidOf(worker)
      const info = Option.getOrThrow(yield* Process.info(pid))
      yield* worker.crash()
      yield* quiet
      yield* workers.terminateChild("tenant-42")
      const error = yield* Effect.flip(worker.name())
      assert.deepStrictEqual(
        [info.displayName, world.crashes[0]!.displayName, firstLines(world), error.message],
        [
          "app/Worker(tenant-42)",
          "app/Worker(tenant-42)",
          ["Error app/Worker(tenant-42) crashed"],
          "app/Worker(tenant-42).name: the server is not running (the call did not begin)"
        ]
      )
    })
  )

  treeTest("of a supervisor has the id that it was given, and nothing otherwise", (world) =>
    Effect.gen(function* () {
      const layer = Worker.definition.layer("x")
      for (const [options, name] of [
        [{ id: "first" }, "app/Worker(first)"],
        [{ id: "Worker" }, "app/Worker"],
        [{}, "app/Worker"]
      ] as const) {
        class Sup extends Supervisor.Service<Sup>()("test/Sup", {
          strategy: "oneForOne",
          children: [Supervisor.child(layer, options)]
        }) {}
        const { close, context } = yield* run(Sup.layer)
        const worker = Context.get(context, Worker)
        const info = Option.getOrThrow(yield* Process.info(yield* pidOf(worker)))
        yield* close
        const error = yield* Effect.flip(worker.name())
        assert.deepStrictEqual([info.displayName, error.server], [name, name])
      }
      assert.deepStrictEqual(world.lines, [])
    })
  )

  treeTest("is the id of a server that crashes", (world) =>
    Effect.gen(function* () {
      class Sup extends Supervisor.Service<Sup>()("test/Sup", {
        strategy: "oneForOne",
        children: [Supervisor.child(Worker.definition.layer("x"), { id: "w" })]
      }) {}
      const { context } = yield* run(Sup.layer)
      yield* Context.get(context, Worker).crash()
      yield* quiet
      assert.deepStrictEqual(firstLines(world), ["Error app/Worker(w) crashed"])
    })
  )
})
