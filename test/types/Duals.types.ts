/** Functions of two forms: both infer without annotations, and wrong use compiles in neither. Checked by `tsc`; nothing here runs. */
// @effect-diagnostics missingEffectContext:off floatingEffect:off
import { Effect, type Layer, type Option, pipe, type Scope, type Stream } from "effect"
import {
  Agent,
  Application,
  ExitReason,
  type GenServer,
  Name,
  type Pid,
  Process,
  ProcessGroup,
  Registry,
  type RestartPolicy,
  Supervisor,
  Task,
  Telemetry,
  Timer,
  Topic
} from "effect-otp"
import { SeededScheduler } from "effect-otp/testing"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(...difference: Equals<A, B> extends true ? [] : ["not the same", A, B]): unknown => difference

type Event = { readonly _tag: "Sold"; readonly count: number } | { readonly _tag: "Closed" }
declare const shop: Pid.Pid<Event>
declare const lamp: Pid.Pid<"on" | "off">
declare const sold: Event

// ---- Process --------------------------------------------------------------------------------------------------------

const sends = [
  Process.send(lamp, "on"),
  lamp.pipe(Process.send("on")),
  pipe(lamp, Process.send("off")),
  shop.pipe(Process.send({ _tag: "Sold", count: 1 })),
  shop.pipe(Process.send(sold))
]
same<typeof sends, Array<Effect.Effect<void>>>()
const everybody = Effect.forEach([lamp, lamp], Process.send("on"))
same<typeof everybody, Effect.Effect<Array<void>>>()
// @ts-expect-error it accepts its messages only
lamp.pipe(Process.send("dimmed"))
// @ts-expect-error it accepts its messages only
shop.pipe(Process.send({ _tag: "Bought", count: 1 }))
const exits = [Process.exit(lamp, ExitReason.killed), lamp.pipe(Process.exit(ExitReason.killed))]
same<typeof exits, Array<Effect.Effect<void>>>()

// What has no other argument than options has one form, which goes into a pipe as it is.
const plain = Effect.succeed(1).pipe(Process.spawn)
same<typeof plain, Effect.Effect<Pid.Pid>>()

// ---- Timer, Name ----------------------------------------------------------------------------------------------------

const timers = [Timer.sendAfter(lamp, "on", "1 second"), lamp.pipe(Timer.sendAfter("on", "1 second"))]
same<typeof timers, Array<Effect.Effect<Timer.Timer>>>()
const Shop = Name.make<Event>("shop")
const named = [Timer.sendEvery(Shop, sold, "1 second"), Shop.pipe(Timer.sendEvery({ _tag: "Closed" }, "1 second"))]
same<typeof named, Array<Effect.Effect<Timer.Timer>>>()
// @ts-expect-error it accepts its messages only
lamp.pipe(Timer.sendAfter(1, "1 second"))
const asked = [Name.send(Shop, sold), Shop.pipe(Name.send({ _tag: "Sold", count: 1 }))]
same<typeof asked, Array<Effect.Effect<void, Process.NoProcess>>>()
const told = [Name.cast(Shop, sold), Shop.pipe(Name.cast(sold))]
same<typeof told, Array<Effect.Effect<void>>>()
const registered = Shop.pipe(Name.register(shop))
same<typeof registered, Effect.Effect<void, Name.AlreadyStarted | Name.AlreadyNamed | Process.NoProcess>>()
// @ts-expect-error this process does not accept what is sent to the name
Shop.pipe(Name.register(lamp))

// ---- Topic ----------------------------------------------------------------------------------------------------------

const News = Topic.make<Event>("news")
const published = [
  Topic.publish(News, sold),
  News.pipe(Topic.publish({ _tag: "Sold", count: 1 })),
  News.pipe(Topic.publish(sold, { except: lamp }))
]
same<typeof published, Array<Effect.Effect<void>>>()
// @ts-expect-error the topic takes its messages only
News.pipe(Topic.publish({ _tag: "Bought" }))
// @ts-expect-error the topic takes its messages only
Topic.publish(News, { _tag: "Bought" })
// @ts-expect-error the topic takes its messages only
Topic.publish(News, {})
const subscribed = News.pipe(Topic.subscribe(shop))
same<typeof subscribed, Effect.Effect<void, Process.NoProcess>>()
const lossy = News.pipe(Topic.stream({ capacity: 1, strategy: "sliding" }))
same<typeof lossy, Stream.Stream<Event>>()
const strict = News.pipe(Topic.subscription({ capacity: 1, strategy: "fail" }))
same<typeof strict, Effect.Effect<Stream.Stream<Event, Topic.Overflow>, never, Scope.Scope>>()

// ---- Registry -------------------------------------------------------------------------------------------------------

interface Job {
  readonly _tag: "Job"
}
type Floor = "cellar" | "attic"
const Rooms = Registry.make<Floor>("rooms", { keys: "unique" })
const Desks = Registry.make<Floor, { readonly city: string }, Job, { readonly limit: number }>("desks", {
  keys: "unique",
  meta: { limit: 1 }
})
declare const clerk: Pid.Pid<Job>

const found = Rooms.pipe(Registry.lookup("attic"))
same<typeof found, Effect.Effect<ReadonlyArray<Registry.Registration<Floor, void>>>>()
const where = Desks.pipe(Registry.whereis("cellar"))
same<typeof where, Effect.Effect<Option.Option<Pid.Pid<Job>>>>()
const lookup = Registry.lookup(1)
const Numbers = Registry.make<number, string>("numbers", { keys: "duplicate" })
const apart = lookup(Numbers)
same<typeof apart, Effect.Effect<ReadonlyArray<Registry.Registration<number, string>>>>()
const entered = Rooms.pipe(Registry.register("attic"))
same<typeof entered, Effect.Effect<void, Registry.AlreadyRegistered, Process.Self>>()
const seated = Desks.pipe(Registry.register("attic", { city: "Oslo" }))
same<typeof seated, Effect.Effect<void, Registry.AlreadyRegistered, Process.Self | Process.Receives<Job>>>()
const seatedFor = Desks.pipe(Registry.registerFor(clerk, "attic", { city: "Oslo" }))
same<typeof seatedFor, Effect.Effect<void, Registry.AlreadyRegistered | Process.NoProcess>>()
const left = Desks.pipe(Registry.unregister("attic", ({ city }) => city === "Oslo"))
same<typeof left, Effect.Effect<void, never, Process.Self>>()
const moved = Desks.pipe(Registry.update("attic", ({ city }) => ({ city: `${city}!` })))
same<
  typeof moved,
  Effect.Effect<
    { readonly value: { readonly city: string }; readonly previous: { readonly city: string } },
    Registry.NotOwner,
    Process.Self
  >
>()
const keys = Rooms.pipe(Registry.keys(lamp))
same<typeof keys, Effect.Effect<ReadonlyArray<Floor>>>()
const inOslo = Desks.pipe(Registry.match("attic", ({ city }) => city === "Oslo"))
same<typeof inOslo, Effect.Effect<ReadonlyArray<Registry.Registration<Floor, { readonly city: string }, Job>>>>()
const dispatched = Desks.pipe(Registry.dispatch("attic", ([{ pid }]) => Process.send(pid, { _tag: "Job" })))
same<typeof dispatched, Effect.Effect<void>>()
const limit = Desks.pipe(Registry.meta("limit"))
same<typeof limit, Effect.Effect<number>>()
const put = Desks.pipe(Registry.putMeta("limit", 2))
same<typeof put, Effect.Effect<void>>()
const claim = Rooms.pipe(Registry.via("attic"))
same<typeof claim, Registry.Claim>()
const valued = Desks.pipe(Registry.via("attic", { city: "Oslo" }))
same<typeof valued, Registry.Claim<Job>>()
const seen = Desks.pipe(Registry.via("attic"))
same<typeof seen, Registry.Via<Job>>()
// @ts-expect-error there is no such key
Rooms.pipe(Registry.lookup("garage"))
// @ts-expect-error the value is missing
Desks.pipe(Registry.register("attic"))
// @ts-expect-error a value of another type
Desks.pipe(Registry.register("attic", 1))
// @ts-expect-error there is no such name
Desks.pipe(Registry.meta("size"))
// @ts-expect-error a value of another type
Desks.pipe(Registry.putMeta("limit", "2"))
// @ts-expect-error a duplicate key has no one owner
Numbers.pipe(Registry.whereis(1))

// ---- ProcessGroup ---------------------------------------------------------------------------------------------------

const Teams = ProcessGroup.make<Floor, Event>("teams")
const joined = Teams.pipe(ProcessGroup.join("attic"))
same<typeof joined, Effect.Effect<void, never, Process.Self | Process.Receives<Event>>>()
const joinedFor = Teams.pipe(ProcessGroup.join("attic", shop))
same<typeof joinedFor, Effect.Effect<void, Process.NoProcess>>()
const leaving = [Teams.pipe(ProcessGroup.leave("attic", lamp)), ProcessGroup.leave(Teams, "attic", lamp)]
same<typeof leaving, Array<Effect.Effect<boolean>>>()
const members = Teams.pipe(ProcessGroup.members("attic"))
same<typeof members, Effect.Effect<ReadonlyArray<Pid.Pid<Event>>>>()
const cried = Teams.pipe(ProcessGroup.broadcast("attic", { _tag: "Sold", count: 1 }))
same<typeof cried, Effect.Effect<void>>()
const whispered = Teams.pipe(ProcessGroup.send("attic", sold))
same<typeof whispered, Effect.Effect<Option.Option<Pid.Pid<Event>>>>()
const shared = Teams.pipe(ProcessGroup.dispatch("attic", ([first]) => Process.send(first, sold)))
same<typeof shared, Effect.Effect<void>>()
// @ts-expect-error there is no such group
Teams.pipe(ProcessGroup.members("garage"))
// @ts-expect-error the members do not accept it
Teams.pipe(ProcessGroup.broadcast("attic", "hello"))
// @ts-expect-error this process does not accept what members are sent
Teams.pipe(ProcessGroup.join("attic", lamp))

// ---- Agent, Task, Telemetry -----------------------------------------------------------------------------------------

declare const counter: Agent.Agent<number>
const doubled = pipe(
  counter,
  Agent.get((n) => n * 2)
)
same<typeof doubled, Effect.Effect<number, GenServer.CallError>>()
declare const load: Effect.Effect<string, "broken">
const task = load.pipe(Task.asyncNoLink)
same<typeof task, Effect.Effect<Task.Task<string, "broken">>>()
const query = Telemetry.spanEvents<{ readonly table: string }, { readonly rows: number }>("types.query")
const spanned = load.pipe(
  Telemetry.spanWith(query, {
    metadata: { table: "items" },
    stop: (text: string) => ({ measurements: { rows: text.length }, metadata: {} })
  })
)
same<typeof spanned, typeof load>()
const simple = Telemetry.spanEvents<{ readonly table: string }>("types.simple")
const measured = [load.pipe(Telemetry.span(simple, { table: "a" })), Telemetry.span(load, simple, { table: "a" })]
same<typeof measured, Array<typeof load>>()

// ---- Application, Supervisor ----------------------------------------------------------------------------------------

class Counter extends Agent.Service<Counter, number>()("types/Counter") {
  static readonly definition = this.define({ init: () => Effect.succeed(0) })
}
class Tree extends Supervisor.Service<Tree>()("types/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Counter.definition.layer(), { id: "counter", restart: "transient" })]
}) {}
same<typeof Tree.layer, Layer.Layer<Tree | Counter>>()
declare const schedule: RestartPolicy.ChildExit<unknown>
same<(typeof schedule)["reason"], ExitReason.ExitReason | Supervisor.StartFailed>()

const inTree = Effect.flatMap(Counter, (counter) => Agent.get(counter))
type Ended = Application.TreeFailed | Application.StopTimeout
const provided = [inTree.pipe(Application.provide(Tree.layer)), Application.provide(inTree, Tree.layer)]
same<typeof provided, Array<Effect.Effect<number, GenServer.CallError | Ended>>>()
const ran = Tree.layer.pipe(Application.run)
same<typeof ran, Effect.Effect<void, Ended>>()

// What Effect makes pipeable is pipeable here: keys of services, Layers, definitions, specifications of children.
const key = Counter.pipe((self) => self.key)
same<typeof key, "types/Counter">()
const layer = Counter.definition.pipe(({ layer }) => layer())
same<typeof layer, Layer.Layer<Counter>>()
const kind = Supervisor.child(Counter.definition.layer()).pipe((spec) => spec.kind)
same<typeof kind, "child">()

// ---- testing --------------------------------------------------------------------------------------------------------

const seeded = load.pipe(SeededScheduler.runSeed(7))
same<typeof seeded, Effect.Effect<string, "broken" | SeededScheduler.Stuck>>()
