/** Functions of two forms, data-first and data-last: both do the same. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, pipe, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as fs from "node:fs"
import {
  Agent,
  Application,
  ExitReason,
  Name,
  type Pid,
  Process,
  ProcessGroup,
  Registry,
  Telemetry,
  Timer,
  Topic
} from "effect-otp"
import { SeededScheduler } from "effect-otp/testing"
import { asProcess, inKernel, settle } from "../fixtures/kernel.ts"

type Inside = Effect.Effect<unknown, unknown, Process.Self | Process.Receives<unknown> | Scope.Scope>

const names = Name.make<string>("duals/name")
const rooms = Registry.make<string>("duals/rooms", { keys: "unique" })
const desks = Registry.make<string, number, never, { limit: number }>("duals/desks", {
  keys: "unique",
  meta: { limit: 1 }
})
const groups = ProcessGroup.make<string, string>("duals/groups")
const news = Topic.make<string>("duals/news")
const bound: Topic.Bound<"sliding"> = { capacity: 4, strategy: "sliding" }

class Counter extends Agent.Service<Counter, number>()("duals/Counter") {
  static readonly layer = this.define({ init: () => Effect.succeed(3) }).layer()
}
const query = Telemetry.spanEvents<{ readonly table: string }, { readonly rows: number }>("duals.query")
const simple = Telemetry.spanEvents<{ readonly table: string }>("duals.simple")

/** What a process gets that something is sent to. */
const received = (send: (pid: Pid.Pid<string>) => Effect.Effect<unknown, unknown, Process.Self>): Inside =>
  Effect.gen(function* () {
    const message = yield* Deferred.make<unknown>()
    const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
      Effect.flatMap(inbox.take, (taken) => Deferred.succeed(message, taken))
    )
    const sent = yield* send(pid)
    yield* TestClock.adjust("1 second")
    const taken = yield* Deferred.await(message)
    return [taken, typeof sent === "object" && sent !== null ? Option.isOption(sent) : sent]
  })

const member = (use: (pid: Pid.Pid<string>) => Effect.Effect<unknown, unknown, Process.Self>): Inside =>
  Effect.gen(function* () {
    const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => Effect.andThen(inbox.take, Effect.never), {
      label: "member"
    })
    const result = yield* use(pid)
    const inside = yield* Effect.all([
      ProcessGroup.members(groups, "a"),
      Topic.subscribers(news),
      Registry.select(rooms),
      Registry.select(desks),
      Name.registered
    ])
    yield* Process.kill(pid)
    return [result, JSON.stringify(inside)]
  })

/** As this process. */
const owner = (use: Effect.Effect<unknown, unknown, Process.Self | Process.Receives<string>>): Inside =>
  Effect.gen(function* () {
    yield* Registry.register(rooms, "attic")
    yield* Registry.register(desks, "attic", 7)
    yield* ProcessGroup.join(groups, "attic")
    yield* Topic.subscribe(news)
    const result = yield* use
    const after = yield* Effect.all([Registry.select(rooms), Registry.select(desks), Registry.meta(desks, "limit")])
    const members = yield* Effect.all([ProcessGroup.members(groups, "attic"), Topic.subscribers(news)])
    return JSON.stringify([result, after, members])
  })

const emitted = (use: Effect.Effect<unknown, unknown>): Inside =>
  Effect.gen(function* () {
    const heard = yield* Telemetry.collect([query.start, query.stop, simple.start, simple.stop])
    const result = yield* use
    return [result, (yield* heard).map(({ event }) => event.name)]
  })

const heard = (open: Effect.Effect<Stream.Stream<string>, never, Scope.Scope>): Inside =>
  Effect.gen(function* () {
    const stream = yield* open
    yield* Topic.publish(news, "hello")
    return yield* Stream.runCollect(Stream.take(stream, 1))
  })

/** Reads one message of a stream, which is published to once it listens. */
const streamed = (stream: Stream.Stream<string>): Inside =>
  Effect.gen(function* () {
    const reading = yield* Effect.forkChild(Stream.runCollect(Stream.take(stream, 1)))
    yield* settle
    yield* Topic.publish(news, "hello")
    return yield* Fiber.join(reading)
  })

const ofCounter = Effect.flatMap(Counter, (counter) => Agent.get(counter))
const isLarge = (n: number) => n > 5

/** The same call in both forms. */
const forms: Readonly<Record<string, readonly [first: Inside, last: Inside]>> = {
  "Process.send": [received((pid) => Process.send(pid, "hello")), received((pid) => pid.pipe(Process.send("hello")))],
  "Process.exit": [
    member((pid) => Process.exit(pid, ExitReason.killed)),
    member((pid) => pid.pipe(Process.exit(ExitReason.killed)))
  ],
  "Timer.sendAfter": [
    received((pid) => Effect.asVoid(Timer.sendAfter(pid, "hello", "1 second"))),
    received((pid) => Effect.asVoid(pid.pipe(Timer.sendAfter("hello", "1 second"))))
  ],
  "Timer.sendEvery": [
    received((pid) => Effect.asVoid(Timer.sendEvery(pid, "hello", "1 second"))),
    received((pid) => Effect.asVoid(pid.pipe(Timer.sendEvery("hello", "1 second"))))
  ],
  "Name.register": [member((pid) => Name.register(names, pid)), member((pid) => names.pipe(Name.register(pid)))],
  "Name.send": [
    received((pid) => Effect.andThen(Name.register(names, pid), Name.send(names, "hello"))),
    received((pid) => Effect.andThen(Name.register(names, pid), names.pipe(Name.send("hello"))))
  ],
  "Name.cast": [
    received((pid) => Effect.andThen(Name.register(names, pid), Name.cast(names, "hello"))),
    received((pid) => Effect.andThen(Name.register(names, pid), names.pipe(Name.cast("hello"))))
  ],
  "ProcessGroup.join": [owner(ProcessGroup.join(groups, "attic")), owner(groups.pipe(ProcessGroup.join("attic")))],
  "ProcessGroup.join, of a pid": [
    member((pid) => ProcessGroup.join(groups, "a", pid)),
    member((pid) => groups.pipe(ProcessGroup.join("a", pid)))
  ],
  "ProcessGroup.leave": [owner(ProcessGroup.leave(groups, "attic")), owner(groups.pipe(ProcessGroup.leave("attic")))],
  "ProcessGroup.leave, of a pid": [
    member((pid) => Effect.andThen(ProcessGroup.join(groups, "a", pid), ProcessGroup.leave(groups, "a", pid))),
    member((pid) => Effect.andThen(ProcessGroup.join(groups, "a", pid), groups.pipe(ProcessGroup.leave("a", pid))))
  ],
  "ProcessGroup.members": [
    owner(ProcessGroup.members(groups, "attic")),
    owner(groups.pipe(ProcessGroup.members("attic")))
  ],
  "ProcessGroup.broadcast": [
    received((pid) => Effect.andThen(ProcessGroup.join(groups, "a", pid), ProcessGroup.broadcast(groups, "a", "x"))),
    received((pid) =>
      Effect.andThen(ProcessGroup.join(groups, "a", pid), groups.pipe(ProcessGroup.broadcast("a", "x")))
    )
  ],
  "ProcessGroup.send": [
    received((pid) => Effect.andThen(ProcessGroup.join(groups, "a", pid), ProcessGroup.send(groups, "a", "x"))),
    received((pid) => Effect.andThen(ProcessGroup.join(groups, "a", pid), groups.pipe(ProcessGroup.send("a", "x"))))
  ],
  "ProcessGroup.dispatch": [
    owner(ProcessGroup.dispatch(groups, "attic", ({ length }) => Effect.succeed(length))),
    owner(groups.pipe(ProcessGroup.dispatch("attic", ({ length }) => Effect.succeed(length))))
  ],
  "Registry.via": [
    Effect.sync(() => Registry.via(rooms, "attic").name),
    Effect.sync(() => rooms.pipe(Registry.via("attic")).name)
  ],
  "Registry.via, with a value": [
    Effect.sync(() => Registry.via(desks, "attic", 1).name),
    Effect.sync(() => desks.pipe(Registry.via("attic", 1)).name)
  ],
  "Registry.register": [owner(Registry.register(rooms, "cellar")), owner(rooms.pipe(Registry.register("cellar")))],
  "Registry.register, with a value": [
    owner(Registry.register(desks, "cellar", 8)),
    owner(desks.pipe(Registry.register("cellar", 8)))
  ],
  "Registry.registerFor": [
    member((pid) => Registry.registerFor(rooms, pid, "a")),
    member((pid) => rooms.pipe(Registry.registerFor(pid, "a")))
  ],
  "Registry.registerFor, with a value": [
    member((pid) => Registry.registerFor(desks, pid, "a", 1)),
    member((pid) => desks.pipe(Registry.registerFor(pid, "a", 1)))
  ],
  "Registry.unregister": [owner(Registry.unregister(rooms, "attic")), owner(rooms.pipe(Registry.unregister("attic")))],
  "Registry.unregister, of values": [
    owner(Registry.unregister(desks, "attic", isLarge)),
    owner(desks.pipe(Registry.unregister("attic", isLarge)))
  ],
  "Registry.unregisterFor": [
    member((pid) => Effect.andThen(Registry.registerFor(rooms, pid, "a"), Registry.unregisterFor(rooms, pid, "a"))),
    member((pid) => Effect.andThen(Registry.registerFor(rooms, pid, "a"), rooms.pipe(Registry.unregisterFor(pid, "a"))))
  ],
  "Registry.update": [
    owner(Registry.update(desks, "attic", (n) => n + 1)),
    owner(desks.pipe(Registry.update("attic", (n) => n + 1)))
  ],
  "Registry.lookup": [owner(Registry.lookup(desks, "attic")), owner(desks.pipe(Registry.lookup("attic")))],
  "Registry.whereis": [owner(Registry.whereis(desks, "attic")), owner(desks.pipe(Registry.whereis("attic")))],
  "Registry.keys": [
    owner(Effect.flatMap(Process.self, (self) => Registry.keys(desks, self))),
    owner(Effect.flatMap(Process.self, (self) => desks.pipe(Registry.keys(self))))
  ],
  "Registry.values": [
    owner(Effect.flatMap(Process.self, (self) => Registry.values(desks, "attic", self))),
    owner(Effect.flatMap(Process.self, (self) => desks.pipe(Registry.values("attic", self))))
  ],
  "Registry.match": [
    owner(Registry.match(desks, "attic", isLarge)),
    owner(desks.pipe(Registry.match("attic", isLarge)))
  ],
  "Registry.dispatch": [
    owner(Registry.dispatch(desks, "attic", ([first]) => Effect.succeed(first.value))),
    owner(desks.pipe(Registry.dispatch("attic", ([first]) => Effect.succeed(first.value))))
  ],
  "Registry.meta": [owner(Registry.meta(desks, "limit")), owner(desks.pipe(Registry.meta("limit")))],
  "Registry.putMeta": [owner(Registry.putMeta(desks, "limit", 2)), owner(desks.pipe(Registry.putMeta("limit", 2)))],
  "Topic.publish": [
    received((pid) => Effect.andThen(Topic.subscribe(news, pid), Topic.publish(news, "x"))),
    received((pid) => Effect.andThen(Topic.subscribe(news, pid), news.pipe(Topic.publish("x"))))
  ],
  "Topic.publish, but to one": [
    received((pid) => Effect.flatMap(Process.self, (except) => published(pid, Topic.publish(news, "x", { except })))),
    received((pid) =>
      Effect.flatMap(Process.self, (except) => published(pid, news.pipe(Topic.publish("x", { except }))))
    )
  ],
  "Topic.publishUnsafe": [
    received((pid) =>
      Effect.andThen(
        Topic.subscribe(news, pid),
        Effect.sync(() => Topic.publishUnsafe(news, "x"))
      )
    ),
    received((pid) =>
      Effect.andThen(
        Topic.subscribe(news, pid),
        Effect.sync(() => news.pipe(Topic.publishUnsafe("x")))
      )
    )
  ],
  "Topic.subscribe": [owner(Topic.subscribe(news)), owner(pipe(news, (topic) => Topic.subscribe(topic)))],
  "Topic.subscribe, of a pid": [
    member((pid) => Topic.subscribe(news, pid)),
    member((pid) => news.pipe(Topic.subscribe(pid)))
  ],
  "Topic.unsubscribe": [owner(Topic.unsubscribe(news)), owner(pipe(news, (topic) => Topic.unsubscribe(topic)))],
  "Topic.unsubscribe, of a pid": [
    member((pid) => Effect.andThen(Topic.subscribe(news, pid), Topic.unsubscribe(news, pid))),
    member((pid) => Effect.andThen(Topic.subscribe(news, pid), news.pipe(Topic.unsubscribe(pid))))
  ],
  "Topic.stream": [streamed(Topic.stream(news, bound)), streamed(news.pipe(Topic.stream(bound)))],
  "Topic.subscription": [heard(Topic.subscription(news, bound)), heard(news.pipe(Topic.subscription(bound)))],
  "Agent.get": [
    Effect.provide(
      Effect.flatMap(Counter, (self) => Agent.get(self, isLarge)),
      Counter.layer
    ),
    Effect.provide(Effect.flatMap(Counter, Agent.get(isLarge)), Counter.layer)
  ],
  "Telemetry.span": [
    emitted(Telemetry.span(Effect.succeed(1), simple, { table: "a" })),
    emitted(Effect.succeed(1).pipe(Telemetry.span(simple, { table: "a" })))
  ],
  "Telemetry.spanWith": [
    emitted(Telemetry.spanWith(Effect.succeed(1), query, { metadata: { table: "a" }, stop: rowsOf })),
    emitted(Effect.succeed(1).pipe(Telemetry.spanWith(query, { metadata: { table: "a" }, stop: rowsOf })))
  ],
  "Application.provide": [
    Application.provide(ofCounter, Counter.layer, { stopWithin: "1 second" }),
    ofCounter.pipe(Application.provide(Counter.layer, { stopWithin: "1 second" }))
  ],
  "SeededScheduler.runSeed": [
    SeededScheduler.runSeed(Effect.succeed(1), 7, { preemption: 0 }),
    Effect.succeed(1).pipe(SeededScheduler.runSeed(7, { preemption: 0 }))
  ]
}

function published(pid: Pid.Pid<string>, publish: Effect.Effect<void>) {
  return Effect.andThen(Topic.subscribe(news, pid), publish)
}

function rowsOf(rows: number) {
  return { measurements: { rows }, metadata: {} }
}

const outcome = (form: Inside) => Effect.exit(inKernel(asProcess(() => form)))

describe("both forms do the same", () => {
  it.effect.each(Object.entries(forms))("%s", ([, [first, last]]) =>
    Effect.gen(function* () {
      const expected = yield* outcome(first)
      assert.isTrue(Exit.isSuccess(expected), String(expected))
      assert.deepStrictEqual(yield* outcome(last), expected)
    })
  )
})

describe("the table above", () => {
  it("has each function that has a data-last form", () => {
    const api = fs.readFileSync(new URL("../project/public-api.txt", import.meta.url), "utf8")
    const modules = api.split(/^==== effect-otp\/\w+\//m).slice(1)
    const dual = modules.flatMap((text) => {
      const [module = ""] = text.split("\n")
      return Array.from(text.matchAll(/^export declare const (\w+): \{\n((?: {4}.*\n)+?)\};$/gm), (found) => [
        module,
        ...found
      ]).flatMap(([, , name, overloads]) =>
        /^ {4}(?:<.*>)?\((?!self|body|layer|init).*\): .*\((?:self|body|layer|init): /m.test(overloads!)
          ? [`${module}.${name}`]
          : []
      )
    })
    const known = new Set(Object.keys(forms).map((name) => name.split(",")[0]!))
    const elsewhere = ["Agent", "NodeApplication", "RestartPolicy", "ChildSpec", "Task.asyncStream"]
    const missing = dual.filter((name) => !known.has(name) && !elsewhere.some((other) => name.startsWith(other)))
    assert.deepStrictEqual(missing, [])
    assert.isAbove(dual.length, 40)
  })
})
