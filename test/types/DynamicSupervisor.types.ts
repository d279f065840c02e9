/**
 * What must and what must not compile about dynamic supervisors. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics floatingEffect:off missingEffectContext:off
import { Context, Duration, Effect, Layer, type Option, Schedule, Schema } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, type RestartPolicy, Supervisor } from "effect-otp"
import type { Name } from "effect-otp/naming"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", { code: Schema.Finite }) {}
class History extends Context.Service<
  History,
  { readonly load: (room: string) => Effect.Effect<ReadonlyArray<string>, DatabaseError> }
>()("types/History") {}
class Patience extends Context.Service<Patience, { readonly seconds: number }>()("types/Patience") {}

// ---- a supervisor without annotations -----------------------------------------------------------------------------

const post = Rpc.make("post", { payload: { text: Schema.String }, success: Schema.Finite })
const clear = GenServer.cast("clear")
type Messages = typeof post | typeof clear

class Room extends GenServer.Service<Room>()("types/Room", [post, clear]) {
  static readonly definition = this.define({
    init: (options: { readonly name: string; readonly limit?: number }) =>
      Effect.flatMap(History, (history) => history.load(options.name)),
    handlers: {
      post: ({ text }, lines) => GenServer.reply(lines.length + 1, [...lines, text]),
      clear: () => GenServer.noReply([])
    }
  })
}
class Rooms extends DynamicSupervisor.Service<Rooms>()("types/Rooms", { child: Room.definition }) {}

type Refusals =
  | DynamicSupervisor.AlreadyStarted
  | DynamicSupervisor.MaxChildren
  | DynamicSupervisor.ChildNotFound
  | DynamicSupervisor.SupervisorDown

// Nothing is started with it, so it cannot fail: the failure of an init is in the type of startChild.
same<typeof Rooms.layer, Layer.Layer<Rooms, never, History>>(true)

export const program = Effect.gen(function* () {
  const rooms = yield* Rooms
  same<
    typeof rooms.startChild,
    (
      child: string | DynamicSupervisor.ChildOptions | undefined,
      options: { readonly name: string; readonly limit?: number }
    ) => Effect.Effect<GenServer.Client<Messages>, DatabaseError | Refusals>
  >(true)
  same<
    typeof rooms.startOrGet,
    (
      child: string | (DynamicSupervisor.ChildOptions & { readonly key: string }),
      options: { readonly name: string; readonly limit?: number }
    ) => Effect.Effect<GenServer.Client<Messages>, DatabaseError | Refusals>
  >(true)
  same<typeof rooms.get, (key: string) => Effect.Effect<Option.Option<GenServer.Client<Messages>>>>(true)
  same<
    typeof rooms.terminateChild,
    (key: string) => Effect.Effect<void, DynamicSupervisor.ChildNotFound | DynamicSupervisor.SupervisorDown>
  >(true)
  same<typeof rooms.whichChildren, Effect.Effect<ReadonlyArray<DynamicSupervisor.ChildInfo>>>(true)
  same<typeof rooms.countChildren, Effect.Effect<DynamicSupervisor.Counts>>(true)

  const lobby = yield* rooms.startChild("lobby", { name: "lobby" })
  const lines: number = yield* lobby.post({ text: "hello" })
  yield* lobby.clear()

  yield* rooms.startChild(undefined, { name: "without a key" })
  yield* rooms.startOrGet("lobby", { name: "lobby" })
  yield* rooms.startChild({ restart: "temporary", shutdown: "1 second" }, { name: "without a key" })
  yield* rooms.startOrGet({ key: "lobby", restart: "transient" }, { name: "lobby" })

  // @ts-expect-error the arguments of init are required
  yield* rooms.startChild("lobby")
  // @ts-expect-error also without a key
  yield* rooms.startChild()
  // @ts-expect-error a child that can be asked for again has a key
  yield* rooms.startOrGet(undefined, { name: "lobby" })
  // @ts-expect-error also among options
  yield* rooms.startOrGet({ restart: "transient" }, { name: "lobby" })
  // @ts-expect-error a restart type is one of three words
  yield* rooms.startChild({ key: "lobby", restart: "always" }, { name: "lobby" })
  // @ts-expect-error the arguments of init are checked
  yield* rooms.startChild("lobby", { name: 1 })
  // @ts-expect-error an argument of init has no such field
  yield* rooms.startChild("lobby", { name: "lobby", colour: "red" })
  // @ts-expect-error init takes no more arguments
  yield* rooms.startChild("lobby", { name: "lobby" }, "more")
  // @ts-expect-error a key is a string
  yield* rooms.startChild(1, { name: "lobby" })
  // @ts-expect-error a key is a string, and not a client
  yield* rooms.terminateChild(lobby)
  // @ts-expect-error the payload is checked
  yield* lobby.post({ text: 1 })
  // @ts-expect-error the supervisor itself takes no messages
  yield* rooms.post({ text: "hello" })
  return lines
})

/** These are all the failures of a start. */
export const caught: Effect.Effect<number, GenServer.CallError | Refusals, Rooms> = Effect.gen(function* () {
  const rooms = yield* Rooms
  const lobby = yield* rooms.startChild("lobby", { name: "lobby" }).pipe(
    Effect.catchTag("DatabaseError", (error) => rooms.startChild(String(error.code), { name: "spare" })),
    Effect.catchTag("DatabaseError", (error) => Effect.die(error))
  )
  return yield* lobby.post({ text: "hello" })
})

// ---- arguments ----------------------------------------------------------------------------------------------------

const get = Rpc.make("get", { success: Schema.Finite })
class Counter extends GenServer.Service<Counter>()("types/Counter", [get]) {
  static readonly plain = this.define({
    init: () => Effect.succeed(0),
    handlers: { get: (_, n) => GenServer.reply(n, n) }
  })
  static readonly many = this.define({
    init: (from: number, _to: number, _step?: number) => Effect.succeed(from),
    handlers: { get: (_, n) => GenServer.reply(n, n) }
  })
  static readonly named = this.define({
    init: (from: number) => Effect.succeed(from),
    handlers: { get: (_, n) => GenServer.reply(n, n) },
    name: (from: number) => `counter ${from}`
  })
}
class Plain extends DynamicSupervisor.Service<Plain>()("types/Plain", { child: Counter.plain }) {}
class Many extends DynamicSupervisor.Service<Many>()("types/Many", { child: Counter.many }) {}
class Named extends DynamicSupervisor.Service<Named>()("types/Named", { child: Counter.named }) {}

same<typeof Plain.layer, Layer.Layer<Plain>>(true)

export const startPlain = (plain: Plain["Service"]) => {
  const started = plain.startChild("a")
  same<typeof started, Effect.Effect<GenServer.Client<typeof get>, Refusals>>(true)
  // @ts-expect-error init takes no arguments
  plain.startChild("a", 1)
}
export const startMany = (many: Many["Service"]) => {
  many.startChild("a", 1, 2)
  many.startChild("a", 1, 2, 3)
  // @ts-expect-error an argument is missing
  many.startChild("a", 1)
}
export const startNamed = (named: Named["Service"]) => {
  const started = named.startChild("a", 1)
  // A name may be taken.
  same<typeof started, Effect.Effect<GenServer.Client<typeof get>, Name.AlreadyStarted | Refusals>>(true)
}

// ---- schedules ----------------------------------------------------------------------------------------------------

class Patient extends DynamicSupervisor.Service<Patient>()("types/Patient", {
  child: Room.definition,
  restart: "transient",
  schedule: ($) =>
    $(Schedule.exponential("1 second")).pipe(
      Schedule.while(({ input }) => {
        same<typeof input, RestartPolicy.ChildExit<DatabaseError>>(true)
        return input.reason._tag !== "StartFailed" || input.reason.error.code < 500
      })
    ),
  resetAfter: "1 minute",
  intensity: { max: 100, within: "1 hour" },
  shutdown: "Infinity",
  maxChildren: 1000
}) {}
same<typeof Patient.layer, Layer.Layer<Patient, never, History>>(true)

// The supervisor needs what the schedule needs.
class Asking extends DynamicSupervisor.Service<Asking>()("types/Asking", {
  child: Room.definition,
  schedule: Schedule.forever.pipe(
    Schedule.addDelay(() => Effect.map(Patience, ({ seconds }) => Duration.seconds(seconds)))
  )
}) {}
same<typeof Asking.layer, Layer.Layer<Asking, never, History | Patience>>(true)

// If the start of a child cannot fail, the schedule sees no start failure.
DynamicSupervisor.Service<never>()("types/Never", {
  child: Counter.plain,
  schedule: ($) =>
    $(Schedule.forever).pipe(
      Schedule.while(({ input }) => {
        same<typeof input, RestartPolicy.ChildExit<never>>(true)
        return true
      })
    )
})

DynamicSupervisor.Service<never>()("types/Wrong", {
  child: Room.definition,
  schedule: ($) =>
    $(Schedule.forever).pipe(
      // @ts-expect-error a child has no such property
      Schedule.while(({ input }) => input.reason.message === "gone")
    )
})

declare const overOthers: Schedule.Schedule<unknown, RestartPolicy.ChildExit<{ readonly _tag: "Other" }>>
DynamicSupervisor.Service<never>()("types/Wrong", {
  child: Room.definition,
  // @ts-expect-error the schedule is for another child's failures
  schedule: overOthers
})

// ---- Layers -------------------------------------------------------------------------------------------------------

class Log extends GenServer.Service<Log>()("types/Log", [get]) {
  static readonly definition = this.define({
    init: (_room: string) => Effect.as(History, 0),
    handlers: { get: (_, n) => GenServer.reply(n, n) }
  })
}
class House extends Supervisor.Service<House>()("types/House", {
  strategy: "oneForAll",
  children: (name: string, limit?: number) => [
    Supervisor.child(Log.definition.layer(name)),
    Supervisor.child(Room.definition.layer(limit === undefined ? { name } : { name, limit }))
  ]
}) {}
class Houses extends DynamicSupervisor.Service<Houses>()("types/Houses", { child: House.layer }) {}

// It needs what the Layers need. It cannot fail: the failures of the Layers are those of a start.
same<typeof Houses.layer, Layer.Layer<Houses, never, History>>(true)
export const withHouses = Effect.gen(function* () {
  const houses = yield* Houses
  same<
    typeof houses.startOrGet,
    (
      child: string | (DynamicSupervisor.ChildOptions & { readonly key: string }),
      name: string,
      limit?: number
    ) => Effect.Effect<Context.Context<House | Log | Room>, DatabaseError | Refusals>
  >(true)
  same<typeof houses.get, (key: string) => Effect.Effect<Option.Option<Context.Context<House | Log | Room>>>>(true)
  const house = yield* houses.startChild({ key: "a", shutdown: "1 second" }, "a", 3)
  const lines: number = yield* Context.get(house, Room).post({ text: "hello" })
  yield* Context.get(house, House).whichChildren
  // The handles are a Context like any other.
  const provided: Effect.Effect<number, GenServer.CallError> = Effect.provide(
    Effect.flatMap(Log, (log) => log.get()),
    house
  )
  // @ts-expect-error the Layers do not provide it
  Context.get(house, Rooms)
  // @ts-expect-error the arguments are checked
  yield* houses.startChild("a")
  // @ts-expect-error the arguments are checked
  yield* houses.startChild("a", 1)
  return [lines, provided]
})

// Any Layer that starts a process will do, with services of its own.
declare const historyOf: (room: string) => Layer.Layer<History, DatabaseError, Patience>
class Own extends DynamicSupervisor.Service<Own>()("types/Own", {
  child: (room: string) => Layer.provide(Log.definition.layer(room), historyOf(room)),
  restart: "transient",
  schedule: ($) =>
    $(Schedule.forever).pipe(
      Schedule.while(({ input }) => {
        same<typeof input, RestartPolicy.ChildExit<DatabaseError>>(true)
        return true
      })
    ),
  shutdown: "Infinity",
  maxChildren: 10
}) {}
same<typeof Own.layer, Layer.Layer<Own, never, Patience>>(true)
class None extends DynamicSupervisor.Service<None>()("types/None", { child: () => House.layer("the only one") }) {}
export const startNone = (none: None["Service"]) => {
  const started = none.startChild("a")
  same<typeof started, Effect.Effect<Context.Context<House | Log | Room>, DatabaseError | Refusals>>(true)
}

// Only handles leave a child: a plain service would be stale after a restart.
class Both extends DynamicSupervisor.Service<Both>()("types/Both", {
  child: (room: string) => Layer.provideMerge(Log.definition.layer(room), historyOf(room))
}) {}
same<typeof Both.layer, Layer.Layer<Both, never, Patience>>(true)
export const startBoth = (both: Both["Service"]) => {
  const started = both.startChild("a", "a")
  same<typeof started, Effect.Effect<Context.Context<Log>, DatabaseError | Refusals>>(true)
}
// @ts-expect-error the function makes a Layer
DynamicSupervisor.Service<never>()("types/Wrong", { child: () => Effect.void })
// @ts-expect-error a Layer is not a function
DynamicSupervisor.Service<never>()("types/Wrong", { child: House.layer("a") })
// @ts-expect-error a class is not a function that makes a Layer
DynamicSupervisor.Service<never>()("types/Wrong", { child: Chat })

// ---- options ------------------------------------------------------------------------------------------------------

// @ts-expect-error the child is required
DynamicSupervisor.Service<never>()("types/Wrong", {})
// @ts-expect-error a child is a definition, not a Layer
DynamicSupervisor.Service<never>()("types/Wrong", { child: Counter.plain.layer() })
// @ts-expect-error there is no such restart type
DynamicSupervisor.Service<never>()("types/Wrong", { child: Counter.plain, restart: "sometimes" })
// @ts-expect-error #189 the strategy is always one for one
DynamicSupervisor.Service<never>()("types/Wrong", { child: Counter.plain, strategy: "oneForAll" })
// @ts-expect-error #190 no child is significant
DynamicSupervisor.Service<never>()("types/Wrong", { child: Counter.plain, significant: true })
// @ts-expect-error #180 it does not shut down by itself
DynamicSupervisor.Service<never>()("types/Wrong", { child: Counter.plain, autoShutdown: "anySignificant" })

// ---- below another supervisor -------------------------------------------------------------------------------------

class Archive extends GenServer.Service<Archive>()("types/Archive", [get]) {
  static readonly layer = this.define({
    init: () => Effect.flatMap(Rooms, (rooms) => rooms.startChild("archive", { name: "archive" }).pipe(Effect.as(0))),
    handlers: { get: (_, n) => GenServer.reply(n, n) }
  }).layer()
}
declare const historyLayer: Layer.Layer<History, DatabaseError>
class Chat extends Supervisor.Service<Chat>()("types/Chat", {
  strategy: "restForOne",
  children: [
    Supervisor.resource(History, historyLayer),
    Supervisor.child(Rooms.layer, { shutdown: "10 seconds" }),
    Supervisor.child(Archive.layer)
  ]
}) {}
// An earlier sibling provides what its children need. Its handle leaves the tree.
same<typeof Chat.layer, Layer.Layer<Chat | Rooms | Archive, DatabaseError | Refusals>>(true)
