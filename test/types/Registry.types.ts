/** What must and must not compile with registries, groups and topics. Checked by `tsc`; nothing here runs. */
import { Effect, type Layer, type Option, Schema, type Scope, type Stream } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, type Name, type Pid, Process, ProcessGroup, Registry, type Signal, Timer, Topic } from "effect-otp"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(...difference: Equals<A, B> extends true ? [] : ["not the same", A, B]): unknown => difference

const use = (value: unknown): unknown => value

// ---- registries -----------------------------------------------------------------------------------------------------

interface Job {
  readonly _tag: "Job"
  readonly id: number
}

const Rooms = Registry.make<string>("rooms", { keys: "unique" })
const Desks = Registry.make<number, { readonly city: string }, Job>("desks", { keys: "unique" })
const Tags = Registry.make<string, number>("tags", { keys: "duplicate" })
declare const pid: Pid.Pid
declare const worker: Pid.Pid<Job>

const registered = Registry.register(Rooms, "a")
same<typeof registered, Effect.Effect<void, Registry.AlreadyRegistered, Process.Self>>()
const tagged = Registry.register(Tags, "a", 1)
same<typeof tagged, Effect.Effect<void, never, Process.Self>>()
const received = Registry.register(Desks, 1, { city: "Oslo" })
same<typeof received, Effect.Effect<void, Registry.AlreadyRegistered, Process.Self | Process.Receives<Job>>>()
const entered = Registry.registerFor(Desks, worker, 1, { city: "Oslo" })
same<typeof entered, Effect.Effect<void, Registry.AlreadyRegistered | Process.NoProcess>>()
const found = Registry.whereis(Desks, 1)
same<typeof found, Effect.Effect<Option.Option<Pid.Pid<Job>>>>()
const changes = Registry.changes(Tags)
same<typeof changes, Stream.Stream<Registry.Change<string, number>>>()

// @ts-expect-error the key has another type
use(Registry.lookup(Rooms, 1))
// @ts-expect-error the value is missing
use(Registry.register(Tags, "a"))
// @ts-expect-error the value has another type
use(Registry.register(Tags, "a", "b"))
// @ts-expect-error this process does not accept jobs
use(Registry.registerFor(Desks, pid, 1, { city: "Oslo" }))
// @ts-expect-error a duplicate key has no single owner
use(Registry.whereis(Tags, "a"))
// @ts-expect-error a duplicate key has no single value
use(Registry.update(Tags, "a", (n: number) => n))
// @ts-expect-error a duplicate key cannot be a name
use(Registry.via(Tags, "a"))
// @ts-expect-error keys are unique or duplicate
use(Registry.make<string>("x", { keys: "both" }))

const Limited = Registry.make<string, void, never, { readonly limit: number }>("x", {
  keys: "unique",
  meta: { limit: 1 }
})
const limit = Registry.meta(Limited, "limit")
same<typeof limit, Effect.Effect<number>>()
// @ts-expect-error there is no such name
use(Registry.meta(Limited, "colour"))
// @ts-expect-error the value has another type
use(Registry.putMeta(Limited, "limit", "high"))
// @ts-expect-error meta is required
use(Registry.make<string, void, never, { readonly limit: number }>("x", { keys: "unique" }))

// ---- via ------------------------------------------------------------------------------------------------------------

class Room extends GenServer.Service<Room>()("app/Room", [Rpc.make("name", { success: Schema.String })]) {}

const handlers = { name: () => GenServer.reply("", undefined) }
const init = (key: string) => Effect.asVoid(Effect.succeed(key))

const named = Room.define({ name: (key: string) => Registry.via(Rooms, key), init, handlers })
const namedLayer = named.layer("a")
same<typeof namedLayer, Layer.Layer<Room, Name.AlreadyStarted>>()

const room = Room.via(Registry.via(Rooms, "a"))
const asked = room.name()
use(Timer.sendAfter(Registry.via(Desks, 1), { _tag: "Job", id: 1 }, "1 second"))
// @ts-expect-error there is no such message
room.rename()
// @ts-expect-error the desks are sent jobs
use(Timer.sendAfter(Registry.via(Desks, 1), "job", "1 second"))
// @ts-expect-error the key has another type
Room.define({ name: (key: string) => Registry.via(Desks, key, { city: key }), init, handlers })
// @ts-expect-error the key has no value, so it cannot be claimed
Room.define({ name: Registry.via(Desks, 1), init: () => Effect.void, handlers })

const deskOf = (city: string) => Registry.via(Desks, 1, { city })
const deaf = Room.define({ name: deskOf, init, handlers })
// It does not accept jobs, so it has a requirement that nobody can provide.
const deafLayer = deaf.layer("a")
same<typeof deafLayer, Layer.Layer<Room, Name.AlreadyStarted, Process.Receives<Job>>>()
const info = (message: Job | Signal.Signal) =>
  message._tag === "Job" ? GenServer.noReply(undefined) : GenServer.noReply(undefined)
const able = Room.define({ name: deskOf, info, init, handlers })
const ableLayer = able.layer("a")
same<typeof ableLayer, Layer.Layer<Room, Name.AlreadyStarted>>()

// ---- groups ---------------------------------------------------------------------------------------------------------

const Workers = ProcessGroup.make<"eu" | "us", Job>("workers")

use(ProcessGroup.join(Workers, "eu", worker))
use(ProcessGroup.broadcast(Workers, "eu", { _tag: "Job", id: 1 }))
const joined = ProcessGroup.join(Workers, "eu")
same<typeof joined, Effect.Effect<void, never, Process.Self | Process.Receives<Job>>>()
const members = ProcessGroup.members(Workers, "us")
same<typeof members, Effect.Effect<ReadonlyArray<Pid.Pid<Job>>>>()
// @ts-expect-error there is no such group
use(ProcessGroup.join(Workers, "asia", worker))
// @ts-expect-error this process does not accept jobs
use(ProcessGroup.join(Workers, "eu", pid))
// @ts-expect-error the message has another type
use(ProcessGroup.broadcast(Workers, "eu", "job"))

// ---- topics ---------------------------------------------------------------------------------------------------------

const Jobs = Topic.make<Job>("jobs")

use(Topic.publish(Jobs, { _tag: "Job", id: 1 }))
// @ts-expect-error the message has another type
use(Topic.publish(Jobs, "job"))
// @ts-expect-error this process does not accept jobs
use(Topic.subscribe(Jobs, pid))
// @ts-expect-error a publisher never waits
use(Topic.stream(Jobs, { capacity: 1, strategy: "suspend" }))

const lossy = Topic.stream(Jobs, { capacity: 1, strategy: "sliding" })
same<typeof lossy, Stream.Stream<Job>>()
const strict = Topic.subscription(Jobs, { capacity: 1, strategy: "fail" })
same<typeof strict, Effect.Effect<Stream.Stream<Job, Topic.Overflow>, never, Scope.Scope>>()

// A plain process accepts the messages of its inbox.
const heard = Process.spawn((inbox: Process.Inbox<Job>) => Effect.andThen(Topic.subscribe(Jobs), inbox.take))
same<typeof heard, Effect.Effect<Pid.Pid<Job>>>()
const unheard = Process.spawn((inbox: Process.Inbox<string>) => Effect.andThen(Topic.subscribe(Jobs), inbox.take))
same<typeof unheard, Effect.Effect<Pid.Pid<string>, never, Process.Receives<Job>>>()

// A server accepts the messages of its `info`.
const subscribed = { init: () => Topic.subscribe(Jobs), handlers }
const listening = Room.define({ ...subscribed, info }).layer()
same<typeof listening, Layer.Layer<Room>>()
const dumb = Room.define(subscribed).layer()
same<typeof dumb, Layer.Layer<Room, never, Process.Receives<Job>>>()

export const all = [asked]
