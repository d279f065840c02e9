/**
 * The process pool of "Learn You Some Erlang": pools that are started by name, each with a limit of workers and a queue.
 *
 * `ppool_supersup` is `Pools`, `ppool_sup` is `PoolTree`, `ppool_serv` is `Pool`, `ppool_worker_sup` is `Workers`. There
 * the server of a pool starts its supervisor of workers itself, below its own supervisor, and links to it. Here both are
 * children of the tree: the server needs what its elder sibling provides.
 */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, Supervisor } from "effect-otp"
import { ExitReason, Process, type Signal } from "effect-otp/kernel"
import { beside, pidOf, quiet, run, treeTest } from "../fixtures/supervision.ts"

class Worker extends GenServer.Service<Worker>()("ppool/Worker", [
  Rpc.make("task", { success: Schema.String }),
  GenServer.cast("finish"),
  GenServer.cast("crash")
]) {
  static readonly definition = this.define({
    init: (task: string) => Effect.succeed(task),
    handlers: {
      task: (_, task) => GenServer.reply(task, task),
      finish: (_, task) => GenServer.stop(ExitReason.normal, task),
      crash: () => Effect.die("a worker crashes")
    }
  })
}

class Workers extends DynamicSupervisor.Service<Workers>()("ppool/Workers", {
  child: Worker.definition,
  restart: "temporary"
}) {}

class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", { limit: Schema.Int }) {}

interface Waiting {
  readonly task: string
  /** Who waits for the worker. Undefined if nobody does. */
  readonly from: GenServer.ReplyTo<void, never> | undefined
}

interface PoolState {
  readonly workers: Workers["Service"]
  readonly limit: number
  readonly running: ReadonlySet<Signal.MonitorRef>
  readonly queue: ReadonlyArray<Waiting>
}

const payload = { task: Schema.String }

class Pool extends GenServer.Service<Pool>()("ppool/Pool", [
  // Starts a worker, or fails.
  Rpc.make("run", { payload, error: NoRoom }),
  // Starts a worker when there is room, and answers then.
  Rpc.make("runInTurn", { payload }),
  // Starts a worker when there is room.
  GenServer.cast("runLater", { payload }),
  GenServer.cast("crash")
]) {
  static readonly definition = this.define({
    init: (limit: number) =>
      Effect.map(Workers, (workers): PoolState => ({ workers, limit, running: new Set(), queue: [] })),
    info: (message: Signal.Signal, state) => {
      if (message._tag !== "Down" || !state.running.has(message.monitor)) return GenServer.noReply(state)
      const running = new Set(state.running)
      running.delete(message.monitor)
      const [next, ...queue] = state.queue
      if (next === undefined) return GenServer.noReply({ ...state, running })
      return Effect.gen(function* () {
        const after = yield* begin({ ...state, running, queue }, next.task)
        if (next.from !== undefined) yield* next.from.succeed(undefined)
        return GenServer.noReply(after)
      })
    },
    handlers: {
      run: ({ task }, state) =>
        hasRoom(state)
          ? Effect.map(begin(state, task), (after) => GenServer.reply(undefined, after))
          : Effect.fail(new NoRoom({ limit: state.limit })),
      runInTurn: ({ task }, state, { from }) =>
        hasRoom(state)
          ? Effect.map(begin(state, task), (after) => GenServer.reply(undefined, after))
          : GenServer.noReply({ ...state, queue: [...state.queue, { task, from }] }),
      runLater: ({ task }, state) =>
        hasRoom(state)
          ? Effect.map(begin(state, task), (after) => GenServer.noReply(after))
          : GenServer.noReply({ ...state, queue: [...state.queue, { task, from: undefined }] }),
      crash: () => Effect.die("a pool crashes")
    }
  })
}

const hasRoom = ({ limit, running }: PoolState): boolean => running.size < limit

const begin = (state: PoolState, task: string) =>
  Effect.gen(function* () {
    const worker = yield* Effect.orDie(state.workers.startChild(task, task))
    const pid = yield* Effect.orDie(Effect.flatMap(GenServer.pid(worker), Effect.fromOption))
    const ref = yield* Process.monitor(pid)
    return { ...state, running: new Set([...state.running, ref]) }
  })

class PoolTree extends Supervisor.Service<PoolTree>()("ppool/PoolTree", {
  strategy: "oneForAll",
  intensity: { max: 1, within: "1 hour" },
  children: (limit: number) => [Supervisor.child(Workers.layer), Supervisor.child(Pool.definition.layer(limit))]
}) {}

class Pools extends DynamicSupervisor.Service<Pools>()("ppool/Pools", {
  child: PoolTree.layer,
  intensity: { max: 6, within: "1 hour" },
  shutdown: "10500 millis"
}) {}

/** A pool, as the tests use it. */
const startPool = (name: string, limit: number) =>
  Effect.gen(function* () {
    const handles = yield* Effect.flatMap(Pools, (pools) => pools.startChild(name, limit))
    const pool = Context.get(handles, Pool)
    const workers = Context.get(handles, Workers)
    const worker = (task: string) => Effect.flatMap(workers.get(task), Effect.fromOption)
    /** The tasks that are worked on, oldest first. */
    const tasks = Effect.andThen(
      quiet,
      Effect.map(workers.whichChildren, (children) => children.map(({ key }) => key))
    )
    return { pool, tree: Context.get(handles, PoolTree), tasks, worker, workers }
  })

const poolTest = (title: string, program: Effect.Effect<void, unknown, Pools>) =>
  treeTest(title, () => Effect.flatMap(run(Pools.layer), ({ context }) => Effect.provide(program, context)))

describe("a pool of processes", () => {
  poolTest(
    "runs as many workers as its limit says, and refuses more",
    Effect.gen(function* () {
      const { pool, tasks, worker } = yield* startPool("nagger", 2)
      yield* pool.run({ task: "finish the chapter" })
      yield* pool.run({ task: "watch a good movie" })
      assert.deepStrictEqual(yield* Effect.flip(pool.run({ task: "clean up" })), new NoRoom({ limit: 2 }))
      assert.deepStrictEqual(yield* tasks, ["finish the chapter", "watch a good movie"])
      assert.strictEqual(yield* Effect.flatMap(worker("watch a good movie"), (w) => w.task()), "watch a good movie")
      yield* Effect.flatMap(worker("finish the chapter"), (w) => w.finish())
      assert.deepStrictEqual(yield* tasks, ["watch a good movie"])
      yield* pool.run({ task: "clean up" })
      assert.deepStrictEqual(yield* tasks, ["watch a good movie", "clean up"])
    })
  )

  poolTest(
    "keeps a queue of tasks, with and without somebody who waits",
    Effect.gen(function* () {
      const { pool, tasks, worker } = yield* startPool("nagger", 1)
      yield* pool.run({ task: "pay the bills" })
      yield* pool.runLater({ task: "take a shower" })
      const waiting = yield* beside(pool.runInTurn({ task: "plant a tree" }, { timeout: "Infinity" }))
      assert.deepStrictEqual(yield* tasks, ["pay the bills"])
      yield* Effect.flatMap(worker("pay the bills"), (w) => w.finish())
      assert.deepStrictEqual(yield* tasks, ["take a shower"])
      assert.isFalse(yield* waiting.isDone)
      yield* Effect.flatMap(worker("take a shower"), (w) => w.crash())
      yield* waiting.join
      assert.deepStrictEqual(yield* tasks, ["plant a tree"])
    })
  )

  poolTest(
    "is not touched by the crash of a worker, which is not started again",
    Effect.gen(function* () {
      const { pool, tasks, worker } = yield* startPool("nagger", 2)
      const before = yield* GenServer.pid(pool)
      for (let i = 0; i < 10; i++) {
        yield* pool.run({ task: `task ${i}` })
        yield* Effect.flatMap(worker(`task ${i}`), (w) => w.crash())
        assert.deepStrictEqual(yield* tasks, [])
      }
      assert.deepStrictEqual(yield* GenServer.pid(pool), before)
    })
  )

  poolTest(
    "begins anew, without workers, when its server crashes",
    Effect.gen(function* () {
      const { pool, tasks, workers } = yield* startPool("nagger", 1)
      yield* pool.run({ task: "pay the bills" })
      const before = yield* pidOf(workers)
      yield* pool.crash()
      assert.deepStrictEqual(yield* tasks, [])
      assert.notStrictEqual(yield* pidOf(workers), before)
      yield* pool.run({ task: "clean up" })
      assert.deepStrictEqual(yield* tasks, ["clean up"])
    })
  )

  poolTest(
    "begins anew, too, when its supervisor of workers is killed",
    Effect.gen(function* () {
      const { pool, tasks, workers } = yield* startPool("nagger", 1)
      const before = yield* GenServer.pid(pool)
      yield* pool.run({ task: "pay the bills" })
      yield* Process.kill(yield* pidOf(workers))
      assert.deepStrictEqual(yield* tasks, [])
      assert.notDeepEqual(yield* GenServer.pid(pool), before)
      yield* pool.run({ task: "clean up" })
      assert.deepStrictEqual(yield* tasks, ["clean up"])
    })
  )

  poolTest(
    "is started again by the supervisor of all pools when it gives up; other pools go on",
    Effect.gen(function* () {
      const nagger = yield* startPool("nagger", 1)
      const other = yield* startPool("other", 1)
      yield* other.pool.run({ task: "go on" })
      const tree = yield* pidOf(nagger.tree)
      yield* nagger.pool.crash()
      yield* quiet
      assert.strictEqual(yield* pidOf(nagger.tree), tree)
      yield* nagger.pool.crash()
      yield* quiet
      assert.notStrictEqual(yield* pidOf(nagger.tree), tree)
      yield* nagger.pool.run({ task: "clean up" })
      assert.deepStrictEqual([yield* nagger.tasks, yield* other.tasks], [["clean up"], ["go on"]])
      const pools = yield* Pools
      assert.deepStrictEqual(
        (yield* pools.whichChildren).map(({ key, restarts, state }) => [key, state, restarts]),
        [
          ["nagger", "running", 1],
          ["other", "running", 0]
        ]
      )
    })
  )

  poolTest(
    "takes all pools along when it gives up more often than six times in an hour",
    Effect.gen(function* () {
      const nagger = yield* startPool("nagger", 1)
      const other = yield* startPool("other", 1)
      for (let i = 0; i < 2 * 7; i++) {
        yield* nagger.pool.crash()
        yield* quiet
      }
      const { reason } = yield* Effect.flip(Effect.asVoid(other.pool.runInTurn({ task: "too late" })))
      const detail =
        reason._tag === "ServerDown" && reason.reason._tag === "Shutdown" ? reason.reason.detail : undefined
      assert.instanceOf(detail, Supervisor.RestartLimit)
      const { child, supervisor, attempts } = detail
      assert.deepStrictEqual(
        { child, supervisor, attempts },
        { child: "nagger", supervisor: "ppool/Pools", attempts: 7 }
      )
    })
  )

  poolTest(
    "is stopped by its name, with its workers; the name is free then",
    Effect.gen(function* () {
      const pools = yield* Pools
      const { pool } = yield* startPool("nagger", 1)
      yield* pool.run({ task: "pay the bills" })
      yield* pools.terminateChild("nagger")
      assert.deepStrictEqual(yield* pools.get("nagger"), Option.none())
      assert.strictEqual((yield* Effect.flip(pool.run({ task: "clean up" })))._tag, "CallError")
      const again = yield* startPool("nagger", 2)
      assert.deepStrictEqual(yield* again.tasks, [])
    })
  )

  treeTest("can be the whole application", () =>
    Effect.gen(function* () {
      class App extends Supervisor.Service<App>()("ppool/App", {
        strategy: "oneForOne",
        children: [Supervisor.child(Pools.layer)]
      }) {}
      const { close, context } = yield* run(Layer.mergeAll(App.layer))
      const { pool, worker } = yield* Effect.provide(startPool("nagger", 1), context)
      yield* pool.run({ task: "pay the bills" })
      const pid = yield* Effect.flatMap(worker("pay the bills"), pidOf)
      yield* close
      assert.isFalse(yield* Process.isAlive(pid))
    })
  )
})
