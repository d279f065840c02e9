import { assert, describe } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { Rpc } from "effect/rpc"
import { Agent, DynamicSupervisor, GenServer, PartitionSupervisor, Supervisor } from "effect-otp"
import { Kernel, type Pid, Process } from "effect-otp/kernel"
import { type Line, pidOf, quiet, run, treeTest } from "../fixtures/supervision.ts"

class Stock extends GenServer.Service<Stock>()("test/Stock", [Rpc.make("left", { success: Schema.Int })]) {
  static readonly definition = this.define({
    init: (left: number) => Effect.succeed(left),
    handlers: { left: (_, left) => GenServer.reply(left, left) }
  })
  static readonly layer = this.definition.layer(3)
}
class Shop extends Supervisor.Service<Shop>()("test/Shop", {
  strategy: "oneForOne",
  children: [Supervisor.child(Stock.layer, { id: "stock" })]
}) {}
class Town extends Supervisor.Service<Town>()("test/Town", {
  strategy: "oneForOne",
  children: [Supervisor.child(Shop.layer)]
}) {}

const told = (lines: ReadonlyArray<Line>) =>
  Effect.andThen(
    quiet,
    Effect.sync(() => lines.filter(({ message }) => message.includes("runs twice")))
  )

const line = (child: string, pids: readonly [first: Pid.Pid, second: Pid.Pid], where = "outside of every process") => {
  const [first, second] = pids.map(String)
  const supervisor = child.slice(child.indexOf(" of ") + 4)
  return {
    level: "Warn",
    message:
      `test/Stock runs twice: as child ${child} (${first}), and once more without a supervisor (${second}), because its ` +
      `Layer was also provided ${where}. Provide only ${supervisor}, whose Layer provides test/Stock. If you want two, ` +
      "put Layer.fresh around one of them"
  }
}

const stockOf = ({ context }: { readonly context: Context.Context<Stock> }) => pidOf(Context.get(context, Stock))

describe("a Layer that is provided to a supervisor and once more beside it", () => {
  treeTest("is told once, with the child and the other process", ({ lines }) =>
    Effect.gen(function* () {
      const first = yield* Effect.flatMap(run(Shop.layer), stockOf)
      const second = yield* Effect.flatMap(run(Stock.layer), stockOf)
      yield* run(Stock.layer)
      assert.notStrictEqual(first, second)
      assert.deepStrictEqual(yield* told(lines), [line('"stock" of test/Shop', [first, second])])
    })
  )

  treeTest("is told as well if the supervisor comes second, at any depth", ({ lines }) =>
    Effect.gen(function* () {
      const second = yield* Effect.flatMap(run(Stock.layer), stockOf)
      const { context } = yield* run(Town.layer)
      const first = yield* pidOf(Context.get(context, Stock))
      assert.deepStrictEqual(yield* told(lines), [line('"stock" of test/Shop', [first, second])])
    })
  )

  treeTest("is told in a mergeAll, in whatever order they start", ({ lines }) =>
    Effect.gen(function* () {
      yield* run(Layer.mergeAll(Shop.layer, Stock.layer))
      assert.strictEqual((yield* told(lines)).length, 1)
    })
  )

  treeTest("is told if the supervisor is a child, too", ({ lines }) =>
    Effect.gen(function* () {
      yield* run(Town.layer)
      yield* run(Shop.layer)
      assert.deepStrictEqual(
        (yield* told(lines)).map(({ message }) => message.slice(0, 48)),
        ['test/Shop runs twice: as child "child 1" of test']
      )
    })
  )

  treeTest("is told if it was made anew from the same definition and arguments", ({ lines }) =>
    Effect.gen(function* () {
      yield* run(Shop.layer)
      yield* run(Stock.definition.layer(4))
      assert.deepStrictEqual(yield* told(lines), [])
      yield* run(Stock.definition.layer(3))
      assert.strictEqual((yield* told(lines)).length, 1)
    })
  )

  treeTest("is told when the child is up again, if it was down", ({ lines }) =>
    Effect.gen(function* () {
      const { context } = yield* run(Shop.layer)
      const shop = Context.get(context, Shop)
      yield* shop.terminateChild("stock")
      const second = yield* Effect.flatMap(run(Stock.layer), stockOf)
      assert.deepStrictEqual(yield* told(lines), [])
      yield* shop.restartChild("stock")
      assert.deepStrictEqual(yield* told(lines), [line('"stock" of test/Shop', [yield* stockOf({ context }), second])])
    })
  )

  treeTest("is told of agents, too", ({ lines }) =>
    Effect.gen(function* () {
      class Count extends Agent.Service<Count, number>()("test/Count") {
        static readonly layer = this.define({ init: () => Effect.succeed(0) }).layer()
      }
      class Counts extends Supervisor.Service<Counts>()("test/Counts", {
        strategy: "oneForOne",
        children: [Supervisor.child(Count.layer)]
      }) {}
      yield* run(Layer.mergeAll(Counts.layer, Count.layer))
      assert.deepStrictEqual(
        (yield* told(lines)).map(({ message }) => message.slice(0, 21)),
        ["test/Count runs twice"]
      )
    })
  )

  treeTest("is told with the process that has provided it", ({ lines }) =>
    Effect.gen(function* () {
      const first = yield* Effect.flatMap(run(Shop.layer), stockOf)
      const host = yield* Process.spawn(Effect.andThen(Layer.build(Stock.definition.layer(3)), Effect.never), {
        label: "host"
      })
      yield* quiet
      const processes = yield* Kernel.processes
      const second = processes.find((pid) => pid !== host && pid.toString() > host.toString())!
      assert.deepStrictEqual(yield* told(lines), [line('"stock" of test/Shop', [first, second], "in host")])
      yield* Process.kill(host)
    })
  )
})

describe("nothing is told", () => {
  const silent = (title: string, program: Effect.Effect<unknown, unknown, Scope.Scope>) =>
    treeTest(title, ({ lines }) =>
      Effect.gen(function* () {
        yield* program
        assert.deepStrictEqual(yield* told(lines), [])
      })
    )

  silent(
    "of Layer.fresh, on either side",
    Effect.gen(function* () {
      yield* run(Shop.layer)
      yield* run(Layer.fresh(Stock.layer))
      class Second extends Supervisor.Service<Second>()("test/Second", {
        strategy: "oneForOne",
        children: [Supervisor.child(Layer.fresh(Shop.layer))]
      }) {}
      yield* run(Second.layer)
      yield* run(Shop.layer)
    })
  )

  silent(
    "of what is inside of a fresh supervisor that is a child",
    Effect.gen(function* () {
      class Second extends Supervisor.Service<Second>()("test/Second", {
        strategy: "oneForOne",
        children: [Supervisor.child(Layer.fresh(Shop.layer))]
      }) {}
      yield* run(Second.layer)
      yield* run(Stock.layer)
    })
  )

  silent(
    "of what is inside of a fresh tree",
    Effect.gen(function* () {
      yield* run(Layer.mergeAll(Layer.fresh(Shop.layer), Stock.layer))
      yield* run(Layer.fresh(Town.layer))
    })
  )

  silent(
    "of several that nobody supervises, and of several trees",
    Effect.gen(function* () {
      yield* Effect.forEach([1, 2, 3], () => run(Stock.definition.layer(3)))
      yield* Effect.forEach([1, 2], () => run(Stock.layer))
      class Market extends Supervisor.Service<Market>()("test/Market", {
        strategy: "oneForOne",
        children: [
          Supervisor.child(Stock.definition.layer(5)),
          Supervisor.child(Stock.definition.layer(5), { id: "two" })
        ]
      }) {}
      yield* run(Market.layer)
      yield* run(Market.layer)
    })
  )

  silent(
    "of a Layer provided again below its tree, which gives the supervised handle",
    Effect.gen(function* () {
      class Busy extends Supervisor.Service<Busy>()("test/Busy", {
        strategy: "oneForOne",
        children: [
          Supervisor.child(Stock.layer),
          Supervisor.worker("w", Effect.andThen(Layer.build(Stock.layer), Effect.never))
        ]
      }) {}
      yield* run(Busy.layer)
    })
  )

  silent(
    "of restarts",
    Effect.gen(function* () {
      const { context } = yield* run(Town.layer)
      for (let i = 0; i < 3; i++) {
        yield* Process.kill(yield* pidOf(Context.get(context, Stock)))
        yield* quiet
      }
    })
  )

  silent(
    "of a child that has ended for good",
    Effect.gen(function* () {
      class Once extends Supervisor.Service<Once>()("test/Once", {
        strategy: "oneForOne",
        children: [Supervisor.child(Stock.layer, { restart: "temporary" })]
      }) {}
      const tree = yield* run(Once.layer)
      yield* Process.kill(yield* stockOf(tree))
      yield* quiet
      yield* run(Stock.layer)
    })
  )

  silent(
    "of a tree that has ended, and of a server that has ended",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Stock.layer, scope)
      yield* Scope.close(scope, Exit.void)
      const { close } = yield* run(Shop.layer)
      yield* close
      yield* run(Stock.layer)
    })
  )

  silent(
    "of dynamic children and of partitions",
    Effect.gen(function* () {
      class Stocks extends DynamicSupervisor.Service<Stocks>()("test/Stocks", { child: Stock.definition }) {}
      class Shops extends DynamicSupervisor.Service<Shops>()("test/Shops", { child: () => Shop.layer }) {}
      class Shared extends PartitionSupervisor.Service<Shared>()("test/Shared", { child: Stock, partitions: 2 }) {}
      class All extends Supervisor.Service<All>()("test/All", {
        strategy: "oneForOne",
        children: [Supervisor.child(Stocks.layer), Supervisor.child(Shops.layer), Supervisor.child(Shared.layer)]
      }) {}
      const { context } = yield* run(All.layer)
      yield* Context.get(context, Stocks).startChild("a", 3)
      yield* Context.get(context, Shops).startChild("a")
      yield* Effect.scoped(run(Stock.layer))
      yield* run(Shop.layer)
    })
  )

  silent(
    "of a server in a kernel of its own",
    Effect.gen(function* () {
      yield* run(Shop.layer)
      yield* run(Layer.provide(Stock.layer, Layer.fresh(Kernel.layer)))
    })
  )
})
