/**
 * What must and what must not compile about tests: supervised starts, doubles and laws. Checked by `tsc`; nothing here
 * runs.
 */
// @effect-diagnostics missingEffectContext:off floatingEffect:off
import { Context, Effect, type Layer, Schedule, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, type Process, type RestartPolicy, Supervisor } from "effect-otp"
import { Laws, TestDouble, TestKernel } from "effect-otp/testing"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class StartError extends Schema.TaggedError<StartError>()("StartError", { code: Schema.Finite }) {}
class Database extends Context.Service<Database, { readonly load: Effect.Effect<number, StartError> }>()(
  "types/Database"
) {}

class Stock extends GenServer.Service<Stock>()("types/Stock", [
  Rpc.make("left", { success: Schema.Finite }),
  GenServer.cast("deliver", { payload: { count: Schema.Finite } })
]) {
  static readonly definition = this.define({
    init: () => Effect.flatMap(Database, ({ load }) => load),
    handlers: { left: (_, n) => GenServer.reply(n, n), deliver: ({ count }, n) => GenServer.noReply(n + count) }
  })
  static readonly layer = this.definition.layer()
}
class Shop extends Supervisor.Service<Shop>()("types/Shop", {
  strategy: "oneForOne",
  children: [Supervisor.child(Stock.layer)]
}) {}

// ---- startSupervised ----------------------------------------------------------------------------------------------

const stock = TestKernel.startSupervised(Stock)
same<typeof stock, Effect.Effect<Stock["Service"], StartError, Database | Scope.Scope>>(true)
const shop = TestKernel.startSupervised(Shop.layer)
same<typeof shop, Effect.Effect<Context.Context<Shop | Stock>, StartError, Database | Scope.Scope>>(true)

TestKernel.startSupervised(Stock, {
  restart: "temporary",
  intensity: { max: 1, within: "1 second" },
  schedule: ($) =>
    $(Schedule.forever).pipe(
      Schedule.while(({ input }) => {
        same<typeof input, RestartPolicy.ChildExit<StartError>>(true)
        return true
      })
    )
})
// @ts-expect-error there is no such restart type
TestKernel.startSupervised(Stock, { restart: "sometimes" })
// @ts-expect-error there is no automatic shutdown
TestKernel.startSupervised(Stock, { significant: true })
// @ts-expect-error a plain service is not a process
TestKernel.startSupervised(Database)

// ---- doubles ------------------------------------------------------------------------------------------------------

const soldOut = TestDouble.layer(Stock, { left: () => Effect.succeed(0) })
same<typeof soldOut, Layer.Layer<Stock>>(true)
same<Effect.Success<typeof stock>, ReturnType<typeof double>>(true)
const double = () => TestDouble.make(Stock, { deliver: ({ count }) => Effect.log(count) })
// @ts-expect-error the answer is checked
TestDouble.layer(Stock, { left: () => Effect.succeed("none") })
// @ts-expect-error there is no such method
TestDouble.layer(Stock, { sold: () => Effect.succeed(0) })
// @ts-expect-error a service that is not a handle needs no double
TestDouble.layer(Database, {})

// ---- laws ---------------------------------------------------------------------------------------------------------

declare const started: Effect.Effect<Stock["Service"], StartError, Scope.Scope>
const laws = Laws.server({
  start: started,
  ask: (stock) => stock.left(),
  crash: (stock) => stock.deliver({ count: 1 })
})
same<typeof laws, ReadonlyArray<Laws.Law>>(true)
same<(typeof laws)[number]["run"], Effect.Effect<void, Laws.LawBroken>>(true)
// @ts-expect-error the laws provide no services
Laws.server({ start: stock, ask: (client) => client.left(), crash: (client) => client.left() })
Laws.server({
  start: started,
  // @ts-expect-error there is no such call
  ask: (client) => client.sold(),
  crash: (client) => client.left()
})

class Stocks extends DynamicSupervisor.Service<Stocks>()("types/Stocks", { child: Stock.definition }) {}
declare const stocks: Effect.Effect<Stocks["Service"], never, Scope.Scope>
Laws.supervisor({
  start: Effect.gen(function* () {
    const supervisor = yield* stocks
    return { supervisor, children: [yield* supervisor.startChild("a")] }
  }),
  ask: (child) => child.left(),
  crash: (child) => child.deliver({ count: 1 })
})
declare const find: (key: string) => Effect.Effect<unknown, unknown, Process.Self>
Laws.registry({
  unique: true,
  // @ts-expect-error both keys have the same type
  keys: ["one", 2],
  register: find,
  unregister: find,
  lookup: () => Effect.succeed([])
})
