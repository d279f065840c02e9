import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Schema } from "effect"
import {
  DynamicSupervisor,
  EventLoop,
  Events,
  ExitReason,
  GenServer,
  Process,
  Supervisor,
  Telemetry,
  Topic
} from "effect-otp"
import { TestKernel } from "effect-otp/testing"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import * as path from "node:path"
import { lateClock } from "../fixtures/lateClock.ts"
import { files, read, root } from "./sources.ts"

interface Row {
  readonly name: string
  readonly measurements: ReadonlyArray<string>
  readonly metadata: ReadonlyArray<string>
}

/** Words in backticks that may be keys. */
const keysOf = (cell: string): ReadonlyArray<string> =>
  Array.from(cell.matchAll(/`([a-zA-Z]+)`/g), ([, key]) => key!).filter((key) => key !== "CrashReport")

/** The events on the page: all table rows that begin with a dotted name. */
const documented: ReadonlyArray<Row> = read("docs/telemetry.md")
  .split("\n")
  .flatMap((line) => {
    const [, first = "", , measurements = "", metadata = ""] = line.split("|")
    const name = /^ `(\w+(?:\.\w+)+)` $/.exec(first)?.[1]
    return name === undefined ? [] : [{ name, measurements: keysOf(measurements), metadata: keysOf(metadata) }]
  })

const events = [
  ...[Events.processExit, Events.processCrash, Events.deadLetter, Events.lateReply, Events.loopBlocked],
  ...[Events.childStart, Events.childExit, Events.childRestart],
  ...[Events.childZombie, Events.restartLimit, Telemetry.handlerFailure],
  Events.topicDropped
]

class Worker extends GenServer.Service<Worker>()("test/telemetry/Worker", [
  Rpc.make("slow", { success: Schema.Void }),
  Rpc.make("crash", { success: Schema.Void })
]) {
  static readonly make = (gate: Deferred.Deferred<void>) =>
    this.define({
      init: () => Effect.void,
      handlers: {
        slow: () => Effect.as(Effect.uninterruptible(Deferred.await(gate)), GenServer.reply(undefined, undefined)),
        crash: () => Effect.die("crash")
      }
    })
}

/** Makes each event happen at least once. */
const provoke = Effect.gen(function* () {
  const emitted = yield* Telemetry.collect(events)
  yield* Telemetry.attach("throws", Events.processExit, () => {
    throw new Error("a bad handler")
  })

  const dead = yield* Process.spawn((inbox: Process.Inbox<string>) => Effect.asVoid(inbox.take))
  yield* Process.exit(dead, ExitReason.shutdown())
  yield* Process.awaitExit(dead)
  yield* Process.send(dead, "too late")

  const News = Topic.make<string>("test/telemetry/news")
  yield* Effect.asVoid(Topic.subscription(News, { capacity: 1, strategy: "dropping" }))
  for (const message of ["heard", "lost"]) yield* Topic.publish(News, message)

  const gate = yield* Deferred.make<void>()
  const definition = Worker.make(gate)
  class Tree extends Supervisor.Service<Tree>()("test/telemetry/Tree", {
    strategy: "oneForOne",
    intensity: { max: 1, within: "1 second" },
    children: [Supervisor.child(definition.layer(), { id: "worker" })]
  }) {}
  class Many extends DynamicSupervisor.Service<Many>()("test/telemetry/Many", { child: definition }) {}

  yield* Effect.gen(function* () {
    const worker = yield* Worker
    yield* Effect.ignore(worker.crash(undefined, { whenDown: "wait" }))
    yield* Effect.ignore(worker.crash(undefined, { whenDown: "wait" }))
    yield* Effect.ignore(worker.crash(undefined, { whenDown: "wait" }))
  }).pipe(Effect.provide(Tree.layer))

  yield* Effect.gen(function* () {
    const many = yield* Many
    const [zombie, late] = [yield* many.startChild("zombie"), yield* many.startChild("late")]
    const slow = (worker: typeof zombie) => Effect.ignore(worker.slow(undefined, { timeout: "1 second" }))
    const calls = yield* Effect.forkChild(Effect.all([slow(zombie), slow(late)], { concurrency: 2 }))
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(calls)
    const stop = yield* Effect.forkChild(many.terminateChild("zombie"))
    // Its limit, and the same time again after the kill.
    yield* TestClock.adjust("5 seconds")
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(stop)
    yield* Deferred.succeed(gate, undefined)
    yield* GenServer.terminate(late)
  }).pipe(Effect.provide(Many.layer))

  const { block, provide } = yield* lateClock
  yield* Effect.gen(function* () {
    yield* TestClock.adjust("1 second")
    yield* block(300)
    yield* TestClock.adjust("1 second")
  }).pipe(Effect.provide(EventLoop.layer()), provide)
  return yield* emitted
})

describe("docs/telemetry.md", () => {
  it("knows every event that the library declares, and no other", async () => {
    for (const file of files("src", ".ts")) await import(path.join(root, file))
    assert.deepStrictEqual(
      documented.map(({ name }) => name).toSorted(),
      Telemetry.declared().map(({ name }) => name)
    )
  })

  it.effect("says what each event measures and tells", () =>
    Effect.gen(function* () {
      const emitted = yield* provoke
      for (const { name, measurements, metadata } of documented) {
        const found = emitted.find(({ event }) => event.name === name)
        if (found === undefined) assert.fail(`${name} was not sent`)
        assert.deepStrictEqual(Object.keys(found.measurements).toSorted(), measurements.toSorted(), name)
        assert.deepStrictEqual(Object.keys(found.metadata).toSorted(), metadata.toSorted(), name)
      }
    }).pipe(Effect.provide(Layer.merge(TestKernel.layer, Logger.layer([]))))
  )
})
