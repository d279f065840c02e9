/**
 * What must and must not compile about supervisors. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics missingLayerContext:off missingEffectError:off missingEffectContext:off floatingEffect:off
import { Context, Data, Duration, Effect, Layer, Schedule, Schema } from "effect"
import type { Scope } from "effect"
import { Rpc } from "effect/rpc"
import { type ChildSpec, GenServer, type RestartPolicy, Supervisor } from "effect-otp"
import type { ExitReason, Pid, Process } from "effect-otp/kernel"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

type Out<L> = L extends Layer.Layer<infer A, infer _E, infer _R> ? A : never
type Fails<L> = L extends Layer.Layer<infer _A, infer E, infer _R> ? E : never
type Needs<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? R : never

// ---- the parts ----------------------------------------------------------------------------------------------------

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Finite }) {}
class DatabaseError extends Data.TaggedError("DatabaseError")<{ readonly code: number }> {}
class ConfigError extends Data.TaggedError("ConfigError") {}
class Config extends Context.Service<Config, { readonly url: string }>()("app/Config") {}
class Metrics extends Context.Service<Metrics, { readonly count: (name: string) => Effect.Effect<void> }>()(
  "app/Metrics"
) {}
class Database extends Context.Service<
  Database,
  { readonly query: (sql: string) => Effect.Effect<number>; readonly closed: Effect.Effect<void, DatabaseError> }
>()("app/Database") {}
declare const DatabaseLive: Layer.Layer<Database, DatabaseError, Config>

class Account extends GenServer.Service<Account>()("app/Account", [
  Rpc.make("withdraw", { payload: { amount: Schema.Finite }, success: Schema.Finite, error: Overdrawn }),
  Rpc.make("balance", { success: Schema.Finite }),
  GenServer.cast("deposit", { payload: { amount: Schema.Finite } })
]) {
  static readonly layer = this.define({
    init: () => Effect.flatMap(Database, (database) => database.query("select balance from account")),
    handlers: {
      withdraw: ({ amount }, balance) =>
        amount > balance
          ? Effect.fail(new Overdrawn({ balance }))
          : GenServer.reply(balance - amount, balance - amount),
      balance: (_, balance) => GenServer.reply(balance, balance),
      deposit: ({ amount }, balance) => GenServer.noReply(balance + amount)
    }
  }).layer()
}

class Audit extends GenServer.Service<Audit>()("app/Audit", [
  GenServer.cast("log", { payload: { line: Schema.String } })
]) {
  static readonly layer = this.define({
    init: () => Effect.as(Account, [] as ReadonlyArray<string>),
    handlers: { log: ({ line }, lines) => GenServer.noReply([...lines, line]) }
  }).layer()
}

class Reports extends GenServer.Service<Reports>()("app/Reports", [Rpc.make("last", { success: Schema.String })]) {
  static readonly layer = this.define({
    name: "reports",
    init: () => (Math.PI > 3 ? Effect.succeed("") : Effect.fail(new ConfigError())),
    handlers: { last: (_, text) => GenServer.reply(text, text) }
  }).layer()
}

const interest = Effect.gen(function* () {
  const account = yield* Account
  yield* account.deposit({ amount: 1 })
  return yield* account.balance()
})

// ---- the type of a tree -------------------------------------------------------------------------------------------

class Bank extends Supervisor.Service<Bank>()("app/Bank", {
  strategy: "restForOne",
  schedule: Schedule.exponential("100 millis").pipe(Schedule.jittered),
  intensity: { max: 10, within: "1 minute" },
  children: [
    Supervisor.resource(Database, DatabaseLive, { watch: (database) => database.closed }),
    Supervisor.child(Account.layer, {
      schedule: ($) => $(Schedule.spaced("1 second")).pipe(Schedule.while(({ input }) => input.reason._tag === "Crash"))
    }),
    Supervisor.child(Audit.layer, { restart: "transient", shutdown: "2 seconds" }),
    Supervisor.worker("interest", interest)
  ]
}) {}
// The database stays inside; the handles come out; Config is left to provide; the start has one failure.
same<typeof Bank.layer, Layer.Layer<Bank | Account | Audit, DatabaseError, Config>>(true)

// The errors and requirements of all children, each once.
class Office extends Supervisor.Service<Office>()("app/Office", {
  strategy: "oneForAll",
  children: [
    Supervisor.child(Bank.layer),
    Supervisor.child(Reports.layer),
    Supervisor.worker(
      "count",
      Effect.flatMap(Metrics, (metrics) => metrics.count("x"))
    )
  ]
}) {}
same<Out<typeof Office.layer>, Office | Bank | Account | Audit | Reports>(true)
same<Needs<typeof Office.layer>, Config | Metrics>(true)
same<
  Extract<Fails<typeof Office.layer>, { readonly _tag: "DatabaseError" | "ConfigError" }>,
  DatabaseError | ConfigError
>(true)
same<Fails<typeof Office.layer>["_tag"], "DatabaseError" | "ConfigError" | "AlreadyStarted">(true)

class Empty extends Supervisor.Service<Empty>()("app/Empty", { strategy: "oneForOne", children: [] }) {}
same<typeof Empty.layer, Layer.Layer<Empty, never, never>>(true)

// It is a service like any other.
export const office: Effect.Effect<ReadonlyArray<Supervisor.ChildInfo>, never, Office> = Effect.flatMap(
  Office,
  ({ whichChildren }) => whichChildren
)
same<Context.Service.Shape<typeof Office>, Supervisor.SupervisorHandle>(true)
same<Supervisor.ChildInfo["state"], "starting" | "running" | "restarting" | "stopping" | "stopped">(true)
same<Supervisor.ChildInfo["pid"], Pid.Pid | undefined>(true)
declare const handle: Supervisor.SupervisorHandle
same<
  Effect.Error<ReturnType<typeof handle.restartChild>>["_tag"],
  "ChildNotFound" | "ChildRunning" | "ChildRestarting" | "StartFailed" | "SupervisorDown"
>(true)
same<Effect.Error<ReturnType<typeof handle.terminateChild>>["_tag"], "ChildNotFound" | "SupervisorDown">(true)
// @ts-expect-error children are not added at run time: the type of the tree would no longer be true
void handle.startChild

// A program can use what a tree provides, and needs no more than it uses.
export const program: Effect.Effect<number, DatabaseError | Overdrawn | GenServer.CallError, Config> = Effect.gen(
  function* () {
    const account = yield* Account
    return yield* account.withdraw({ amount: 1 }, { timeout: "1 second", whenDown: "wait" })
  }
).pipe(Effect.provide(Bank.layer))
// @ts-expect-error a resource does not leave its supervisor: it would be stale after a restart
export const leaked: Layer.Layer<Database, DatabaseError, Config> = Bank.layer
// @ts-expect-error Config is still to be provided
export const incomplete: Layer.Layer<Bank, DatabaseError> = Bank.layer
// @ts-expect-error the start can fail
export const safe: Layer.Layer<Bank, never, Config> = Bank.layer

// ---- order --------------------------------------------------------------------------------------------------------

Supervisor.Service<never>()("app/WrongOrder", {
  strategy: "restForOne",
  children: [
    // @ts-expect-error Audit needs Account, which starts after it
    Supervisor.child(Audit.layer),
    Supervisor.resource(Database, DatabaseLive),
    Supervisor.child(Account.layer)
  ]
})
Supervisor.Service<never>()("app/WrongResource", {
  strategy: "oneForOne",
  children: [
    // @ts-expect-error Account needs the database, which is built after it
    Supervisor.child(Account.layer),
    Supervisor.resource(Database, DatabaseLive)
  ]
})
Supervisor.Service<never>()("app/WrongTwice", {
  strategy: "oneForOne",
  children: [
    Supervisor.resource(Config, Layer.succeed(Config, { url: "" })),
    // @ts-expect-error the interest is for an account, which starts after it
    Supervisor.worker("interest", interest),
    // @ts-expect-error so does Audit
    Supervisor.child(Audit.layer),
    Supervisor.resource(Database, DatabaseLive),
    Supervisor.child(Account.layer)
  ]
})
class Late extends Supervisor.Service<Late>()("app/Late", {
  strategy: "oneForOne",
  children: [Supervisor.child(Audit.layer)]
}) {}
Supervisor.Service<never>()("app/WrongNested", {
  strategy: "oneForOne",
  children: [
    // @ts-expect-error a child of Late needs Account, which a child of Bank provides
    Supervisor.child(Late.layer),
    Supervisor.child(Bank.layer)
  ]
})
Supervisor.Service<never>()("app/WrongSchedule", {
  strategy: "oneForOne",
  children: [
    // @ts-expect-error its schedule needs Metrics, which come after it
    Supervisor.worker("w", Effect.void, { schedule: needy }),
    Supervisor.resource(Metrics, Layer.succeed(Metrics, { count: () => Effect.void }))
  ]
})

// The error says in words what to do, at the child that is in the wrong place.
type TooEarly = "this child needs what a later sibling provides: write it below that one"
declare const audit: ChildSpec.ChildSpec<Audit, never, Account>
declare const account: ChildSpec.ChildSpec<Account, DatabaseError, Database>
declare const database: ChildSpec.ResourceSpec<Database, DatabaseError, Config>
// oxlint-disable-next-line typescript/no-explicit-any -- nothing can be said of such a child
declare const anything: ChildSpec.ChildSpec<any, any, any>
same<ChildSpec.InOrder<readonly [typeof audit, typeof account]>, readonly [TooEarly, unknown]>(true)
same<
  ChildSpec.InOrder<readonly [typeof audit, typeof account, typeof database]>,
  readonly [TooEarly, TooEarly, unknown]
>(true)
same<ChildSpec.InOrder<readonly [typeof database, typeof account, typeof audit]>, readonly [unknown, unknown, unknown]>(
  true
)
// What nobody in the list provides has to come from outside.
same<ChildSpec.InOrder<readonly [typeof audit, typeof database]>, readonly [unknown, unknown]>(true)
// If an earlier sibling provides it as well, the child has that.
same<ChildSpec.InOrder<readonly [typeof account, typeof audit, typeof account]>, readonly [unknown, unknown, unknown]>(
  true
)
// A resource that is made from the one outside replaces it for the siblings after it.
declare const cached: ChildSpec.ResourceSpec<Database, never, Database>
same<ChildSpec.InOrder<readonly [typeof account, typeof cached, typeof audit]>, readonly [unknown, unknown, unknown]>(
  true
)
same<
  ChildSpec.InOrder<readonly [typeof account, typeof cached, typeof database]>,
  readonly [TooEarly, unknown, unknown]
>(true)
same<ChildSpec.InOrder<readonly []>, readonly []>(true)
same<
  ChildSpec.InOrder<readonly [typeof anything, typeof audit, typeof anything]>,
  readonly [unknown, unknown, unknown]
>(true)

// Where the compiler does not know the order, it checks nothing, and the list needs everything.
declare const accounts: ReadonlyArray<ChildSpec.ChildSpec<Account, DatabaseError, Database>>
declare const isLarge: boolean
class Spread extends Supervisor.Service<Spread>()("app/Spread", {
  strategy: "oneForOne",
  children: [Supervisor.resource(Database, DatabaseLive), ...accounts, Supervisor.child(Audit.layer)]
}) {}
same<Out<typeof Spread.layer>, Spread | Account | Audit>(true)
same<Needs<typeof Spread.layer>, Config | Account>(true)
class SpreadFirst extends Supervisor.Service<SpreadFirst>()("app/SpreadFirst", {
  strategy: "oneForOne",
  children: [...accounts, Supervisor.resource(Database, DatabaseLive)]
}) {}
same<Out<typeof SpreadFirst.layer>, SpreadFirst | Account>(true)
Supervisor.Service<never>()("app/SpreadLate", {
  strategy: "oneForOne",
  children: [
    // @ts-expect-error what comes before the spread is in order, too
    Supervisor.child(Audit.layer),
    ...accounts
  ]
})
class Mapped extends Supervisor.Service<Mapped>()("app/Mapped", {
  strategy: "oneForOne",
  children: ["a", "b"].map((id) => Supervisor.child(Account.layer, { id }))
}) {}
same<typeof Mapped.layer, Layer.Layer<Mapped | Account, never, Database>>(true)
// A child that is there or not.
class Sometimes extends Supervisor.Service<Sometimes>()("app/Sometimes", {
  strategy: "oneForOne",
  children: [
    Supervisor.resource(Database, DatabaseLive),
    ...(isLarge ? [Supervisor.worker("w", Effect.void)] : []),
    Supervisor.child(Account.layer)
  ]
}) {}
same<Out<typeof Sometimes.layer>, Sometimes | Account>(true)

// ---- children from arguments --------------------------------------------------------------------------------------

class Branch extends Supervisor.Service<Branch>()("app/Branch", {
  strategy: "restForOne",
  children: (url: string, isAudited: boolean) => [
    Supervisor.resource(Config, Layer.succeed(Config, { url })),
    Supervisor.resource(Database, DatabaseLive),
    Supervisor.child(Account.layer),
    Supervisor.child(Audit.layer, { restart: isAudited ? "permanent" : "temporary" })
  ]
}) {}
same<typeof Branch.layer, (url: string, isAudited: boolean) => Layer.Layer<Branch | Account | Audit, DatabaseError>>(
  true
)
same<Context.Service.Shape<typeof Branch>, Supervisor.SupervisorHandle>(true)
class Branches extends Supervisor.Service<Branches>()("app/Branches", {
  strategy: "oneForOne",
  children: [Supervisor.child(Branch.layer("north", true))]
}) {}
same<typeof Branches.layer, Layer.Layer<Branches | Branch | Account | Audit, DatabaseError>>(true)
class Block extends Supervisor.Service<Block>()("app/Block", {
  strategy: "oneForOne",
  children: (ids: ReadonlyArray<string>) => {
    const all = ids.map((id) => Supervisor.worker(id, Effect.void))
    return [Supervisor.child(Account.layer), ...all]
  }
}) {}
same<typeof Block.layer, (ids: ReadonlyArray<string>) => Layer.Layer<Block | Account, never, Database>>(true)
// @ts-expect-error the arguments are checked
Branch.layer("north")
Supervisor.Service<never>()("app/WrongBranch", {
  strategy: "oneForOne",
  // @ts-expect-error Account needs the database, which is built after it
  children: (_url: string) => [Supervisor.child(Account.layer), Supervisor.resource(Database, DatabaseLive)]
})
// @ts-expect-error a function of children gives children
Supervisor.Service<never>()("app/WrongBranch", { strategy: "oneForOne", children: () => [Account.layer] })

class NeedsItself extends Supervisor.Service<NeedsItself>()("app/NeedsItself", {
  strategy: "oneForOne",
  children: [
    Supervisor.worker(
      "w",
      Effect.flatMap(Account, (account) => account.balance())
    )
  ]
}) {}
same<Needs<typeof NeedsItself.layer>, Account>(true)

// A nested supervisor also has what an earlier sibling provides.
class Deep extends Supervisor.Service<Deep>()("app/Deep", {
  strategy: "oneForOne",
  children: [Supervisor.child(Bank.layer), Supervisor.worker("w", interest)]
}) {}
same<Needs<typeof Deep.layer>, Config>(true)

// A resource can need another resource.
class Chain extends Supervisor.Service<Chain>()("app/Chain", {
  strategy: "oneForOne",
  children: [
    Supervisor.resource(Config, Layer.succeed(Config, { url: "" })),
    Supervisor.resource(Database, DatabaseLive),
    Supervisor.child(Account.layer)
  ]
}) {}
same<typeof Chain.layer, Layer.Layer<Chain | Account, DatabaseError, never>>(true)

// If the compiler does not know the order of a list, the list needs everything.
declare const list: ReadonlyArray<ChildSpec.ChildSpec<Account, DatabaseError, Database | Audit>>
class Unordered extends Supervisor.Service<Unordered>()("app/Unordered", { strategy: "oneForOne", children: list }) {}
same<typeof Unordered.layer, Layer.Layer<Unordered | Account, DatabaseError, Database | Audit>>(true)

// ---- children -----------------------------------------------------------------------------------------------------

// @ts-expect-error a plain service would be stale after a restart: it must be a resource
Supervisor.child(DatabaseLive)
// @ts-expect-error a plain service beside a server would be stale, too
Supervisor.child(Layer.provideMerge(Account.layer, DatabaseLive))
// A Layer that provides nothing but starts a process is allowed, and so is one that keeps its plain services to itself.
same<ReturnType<typeof privately>, ChildSpec.ChildSpec<Account, DatabaseError, Config>>(true)
const privately = () => Supervisor.child(Layer.provide(Account.layer, DatabaseLive))
// @ts-expect-error a definition is not a Layer yet
Supervisor.child(Account)
// @ts-expect-error an effect must be a worker
Supervisor.child(interest)

same<ReturnType<typeof asChild>, ChildSpec.ChildSpec<Account, never, Database>>(true)
const asChild = () => Supervisor.child(Account.layer)
same<ReturnType<typeof asResource>, ChildSpec.ResourceSpec<Database, DatabaseError, Config>>(true)
const asResource = () => Supervisor.resource(Database, DatabaseLive)
// A worker has its own scope and process. Its failure is not a failure of the start.
declare const working: Effect.Effect<number, DatabaseError, Database | Scope.Scope | Process.Self>
same<ReturnType<typeof asWorker>, ChildSpec.ChildSpec<never, never, Database>>(true)
const asWorker = () => Supervisor.worker("w", working)

// ---- schedules ----------------------------------------------------------------------------------------------------

// A schedule for the child's own start error.
declare const onDatabase: Schedule.Schedule<number, RestartPolicy.ChildExit<DatabaseError>>
declare const onAny: Schedule.Schedule<number, RestartPolicy.ChildExit<unknown>>
Supervisor.resource(Database, DatabaseLive, { schedule: onDatabase })
Supervisor.resource(Database, DatabaseLive, { schedule: onAny })
Supervisor.child(Bank.layer, { schedule: onDatabase })
// @ts-expect-error this child has other failures, too
Supervisor.child(Office.layer, { schedule: onDatabase })
Supervisor.child(Office.layer, { schedule: onAny })
class Plain extends Supervisor.Service<Plain>()("app/Plain", {
  strategy: "oneForOne",
  schedule: onAny,
  children: []
}) {}
void Plain
Supervisor.Service()("app/Typed", {
  strategy: "oneForOne",
  // @ts-expect-error the supervisor's schedule must fit every child
  schedule: onDatabase,
  children: []
})

// In the function form the type of the input is known.
Supervisor.child(Bank.layer, {
  schedule: ($) =>
    $(Schedule.exponential("1 second")).pipe(
      Schedule.while(({ input }) => {
        same<typeof input, RestartPolicy.ChildExit<DatabaseError>>(true)
        same<typeof input.uptime, Duration.Duration>(true)
        same<typeof input.reason, ExitReason.ExitReason | Supervisor.StartFailed<DatabaseError>>(true)
        return input.reason._tag === "StartFailed" ? input.reason.error.code < 500 : input.incarnation < 10
      })
    )
})
Supervisor.child(Bank.layer, {
  schedule: ($) =>
    $(Schedule.forever).pipe(
      // @ts-expect-error there is no such field
      Schedule.while(({ input }) => input.attempt < 3)
    )
})

// The child needs what its schedule needs: from outside, or from earlier siblings.
declare const needy: Schedule.Schedule<number, unknown, never, Metrics>
same<ReturnType<typeof withNeedy>, ChildSpec.ChildSpec<Account, never, Database | Metrics>>(true)
const withNeedy = () => Supervisor.child(Account.layer, { schedule: needy })
same<ReturnType<typeof needyResource>, ChildSpec.ResourceSpec<Database, DatabaseError, Config | Metrics>>(true)
const needyResource = () => Supervisor.resource(Database, DatabaseLive, { schedule: needy })
same<ReturnType<typeof needyWorker>, ChildSpec.ChildSpec<never, never, Metrics>>(true)
const needyWorker = () => Supervisor.worker("w", Effect.void, { schedule: needy })
class Needy extends Supervisor.Service<Needy>()("app/Needy", {
  strategy: "oneForOne",
  children: [
    Supervisor.resource(Metrics, Layer.succeed(Metrics, { count: () => Effect.void })),
    Supervisor.worker("w", Effect.void, { schedule: needy })
  ]
}) {}
same<typeof Needy.layer, Layer.Layer<Needy, never, never>>(true)
Supervisor.Service()("app/NeedyToo", {
  strategy: "oneForOne",
  // @ts-expect-error the supervisor's own schedule cannot need anything
  schedule: needy,
  children: []
})
declare const failing: Schedule.Schedule<number, unknown, "failed">
// @ts-expect-error a restart schedule cannot fail
Supervisor.child(Account.layer, { schedule: failing })

// ---- watch --------------------------------------------------------------------------------------------------------

declare const watched: Effect.Effect<never, string, Metrics>
same<ReturnType<typeof watching>, ChildSpec.ResourceSpec<Database, DatabaseError, Config | Metrics>>(true)
const watching = () => Supervisor.resource(Database, DatabaseLive, { watch: () => watched })
// @ts-expect-error the type of the service is known
Supervisor.resource(Database, DatabaseLive, { watch: (database) => database.open })
// @ts-expect-error a watch is an effect
Supervisor.resource(Database, DatabaseLive, { watch: () => true })
// @ts-expect-error the Layer must provide the service of that key
Supervisor.resource(Config, DatabaseLive)
// @ts-expect-error a child is a process and has no watch
Supervisor.child(Account.layer, { watch: () => Effect.never })

// ---- options ------------------------------------------------------------------------------------------------------

const options = { restart: undefined, shutdown: undefined, schedule: undefined, resetAfter: undefined, id: undefined }
Supervisor.child(Account.layer, { ...options, significant: undefined })
Supervisor.resource(Database, DatabaseLive, { shutdown: 500, schedule: undefined, resetAfter: Duration.minutes(1) })
for (const shutdown of ["brutalKill", "Infinity", "1 second", 1_000, Duration.infinity] as const) {
  Supervisor.child(Account.layer, { shutdown })
}
// @ts-expect-error the strategy is required
Supervisor.Service()("app/Options", { children: [] })
// @ts-expect-error there is no such strategy
Supervisor.Service()("app/Options", { strategy: "one_for_one", children: [] })
// @ts-expect-error the children are required
Supervisor.Service()("app/Options", { strategy: "oneForOne" })
// @ts-expect-error a window has a length
Supervisor.Service()("app/Options", { strategy: "oneForOne", intensity: { max: 1 }, children: [] })
// @ts-expect-error there is no such mode
Supervisor.Service()("app/Options", { strategy: "oneForOne", autoShutdown: "always", children: [] })
// @ts-expect-error a Layer is not a child yet
Supervisor.Service()("app/Options", { strategy: "oneForOne", children: [Account.layer] })
// @ts-expect-error there is no such option
Supervisor.Service()("app/Options", { strategy: "oneForOne", children: [], maxRestarts: 3 })
// @ts-expect-error there is no such restart type
Supervisor.child(Account.layer, { restart: "always" })
// @ts-expect-error a duration has a unit
Supervisor.child(Account.layer, { shutdown: "5" })
// @ts-expect-error there is no such option
Supervisor.child(Account.layer, { maxRestarts: 3 })
// @ts-expect-error a resource is always restarted, because others hold it
Supervisor.resource(Database, DatabaseLive, { restart: "temporary" })
// @ts-expect-error a resource cannot be significant
Supervisor.resource(Database, DatabaseLive, { significant: true })
// @ts-expect-error a worker must have an id
Supervisor.worker(interest)
