/**
 * What must and what must not compile about partition supervisors. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics floatingEffect:off
import { Context, Effect, type Layer, Schedule, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, PartitionSupervisor, type RestartPolicy, Supervisor } from "effect-otp"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", { code: Schema.Finite }) {}
class Database extends Context.Service<Database, { readonly load: Effect.Effect<number, DatabaseError> }>()(
  "types/Database"
) {}

const get = Rpc.make("get", { payload: { key: Schema.String }, success: Schema.Finite })
const clear = GenServer.cast("clear")
type Messages = typeof get | typeof clear

class Cache extends GenServer.Service<Cache>()("types/Cache", [get, clear]) {
  static readonly plain = this.define({
    init: () => Effect.succeed(0),
    handlers: { get: (_, n) => GenServer.reply(n, n), clear: () => GenServer.noReply(0) }
  })
  static readonly numbered = this.define({
    init: (_partition: number) => Effect.flatMap(Database, ({ load }) => load),
    handlers: { get: (_, n) => GenServer.reply(n, n), clear: () => GenServer.noReply(0) }
  })
  static readonly named = this.define({
    init: (name: string, size: number) => Effect.succeed(name.length + size),
    handlers: { get: (_, n) => GenServer.reply(n, n), clear: () => GenServer.noReply(0) }
  })
}

// ---- inference ----------------------------------------------------------------------------------------------------

class Plain extends PartitionSupervisor.Service<Plain>()("types/Plain", { child: Cache.plain }) {}
same<typeof Plain.layer, Layer.Layer<Plain>>(true)

// Its partitions start with it, so it fails as they do and needs what they need.
class Numbered extends PartitionSupervisor.Service<Numbered>()("types/Numbered", {
  child: Cache.numbered,
  partitions: 4,
  strategy: "restForOne",
  intensity: { max: 3, within: "1 minute" },
  shutdown: "Infinity"
}) {}
same<typeof Numbered.layer, Layer.Layer<Numbered, DatabaseError, Database>>(true)

class Named extends PartitionSupervisor.Service<Named>()("types/Named", {
  child: Cache.named,
  args: (partition) => [`cache ${partition}`, 10],
  schedule: ($) =>
    $(Schedule.spaced("1 second")).pipe(
      Schedule.while(({ input }) => {
        same<typeof input, RestartPolicy.ChildExit<never>>(true)
        return true
      })
    )
}) {}
same<typeof Named.layer, Layer.Layer<Named>>(true)

export const program = Effect.gen(function* () {
  const caches = yield* Numbered
  same<
    typeof caches.client,
    (key: string | number | bigint) => Effect.Effect<GenServer.Client<Messages>, PartitionSupervisor.NoPartitions>
  >(true)
  same<typeof caches.clients, Effect.Effect<ReadonlyArray<GenServer.Client<Messages>>>>(true)
  same<
    typeof caches.resize,
    (size: number) => Effect.Effect<number, PartitionSupervisor.StartFailed | PartitionSupervisor.SupervisorDown>
  >(true)
  const cache = yield* caches.client("a")
  const value: number = yield* cache.get({ key: "a" })
  // @ts-expect-error a key is a text or a number
  yield* caches.client({ key: "a" })
  // @ts-expect-error the payload is checked
  yield* cache.get({ key: 1 })
  return value
})

// ---- a Layer for each partition -----------------------------------------------------------------------------------

class Rooms extends DynamicSupervisor.Service<Rooms>()("types/Rooms", { child: Cache.named }) {}
class Groups extends PartitionSupervisor.Service<Groups>()("types/Groups", { child: Rooms }) {}
same<typeof Groups.layer, Layer.Layer<Groups>>(true)
export const start = Effect.gen(function* () {
  const groups = yield* Groups
  const rooms = yield* groups.client("lobby")
  same<typeof rooms, Rooms["Service"]>(true)
  const room = yield* rooms.startChild("lobby", "lobby", 10)
  yield* room.clear()
  // @ts-expect-error the arguments of init are required
  yield* rooms.startChild("lobby")
})

// It is a child like any other, and its handle leaves the tree.
class Tree extends Supervisor.Service<Tree>()("types/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Numbered.layer), Supervisor.child(Groups.layer)]
}) {}
same<typeof Tree.layer, Layer.Layer<Tree | Numbered | Groups, DatabaseError, Database>>(true)

// ---- what must not compile ----------------------------------------------------------------------------------------

// @ts-expect-error #208 the child is required
PartitionSupervisor.Service<never>()("types/Wrong", { partitions: 2 })
// @ts-expect-error its init takes more than a number, so args is required
PartitionSupervisor.Service<never>()("types/Wrong", { child: Cache.named })
// @ts-expect-error its init takes other arguments
PartitionSupervisor.Service<never>()("types/Wrong", { child: Cache.named, args: (partition) => [partition] })
// @ts-expect-error there is no such strategy
PartitionSupervisor.Service<never>()("types/Wrong", { child: Cache.plain, strategy: "oneForFour" })
// @ts-expect-error #208 it does not shut down by itself
PartitionSupervisor.Service<never>()("types/Wrong", { child: Cache.plain, autoShutdown: "anySignificant" })
// @ts-expect-error a partition is always restarted
PartitionSupervisor.Service<never>()("types/Wrong", { child: Cache.plain, restart: "temporary" })
// @ts-expect-error a plain service is not a process
PartitionSupervisor.Service<never>()("types/Wrong", { child: Database })
