import { assert } from "@effect/vitest"
import { Effect, Fiber, Option, Random, Schema, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { DynamicSupervisor, GenServer, Process, ProcessGroup, Registry, type Signal, Topic } from "effect-otp"
import { kernelTest, settle } from "../fixtures/kernel.ts"

const Rooms = Registry.make<string>("test/chaos/rooms", { keys: "unique" })
const Open = ProcessGroup.make<string>("test/chaos/open")
const Lines = Topic.family<string, Line>("test/chaos/lines")

interface Line {
  readonly _tag: "Line"
  readonly text: string
}

class Room extends GenServer.Service<Room>()("test/chaos/Room", [
  Rpc.make("heard", { success: Schema.Finite }),
  Rpc.make("say", { payload: Schema.String, success: Schema.String })
]) {
  static readonly definition = this.define({
    name: (name: string) => Registry.via(Rooms, name),
    init: (name: string) =>
      Effect.gen(function* () {
        yield* ProcessGroup.join(Open, "rooms")
        yield* Effect.yieldNow
        yield* Topic.subscribe(Lines(name))
        return { name, heard: 0 }
      }),
    info: (message: Line | Signal.Signal, state) =>
      GenServer.noReply(message._tag === "Line" ? { ...state, heard: state.heard + 1 } : state),
    handlers: {
      heard: (_, state) => GenServer.reply(state.heard, state),
      say: (text, state) => {
        Topic.publishUnsafe(Lines(state.name), { _tag: "Line", text })
        return GenServer.reply(state.name, state)
      }
    }
  })
  static readonly at = (name: string) => this.via(Registry.via(Rooms, name))
}

class House extends DynamicSupervisor.Service<House>()("test/chaos/House", {
  child: Room.definition,
  intensity: { max: 1_000, within: "1 second" }
}) {}

const names = ["attic", "cellar"]
const anyName = Effect.map(Random.nextIntBetween(0, 1), (index) => names[index]!)

/** Asks again until there is an answer, because the room may be killed while it answers. */
const say = (name: string): Effect.Effect<string> =>
  Effect.catchTag(Room.at(name).say("x", { whenDown: "wait" }), "CallError", () => say(name))

/** Follows the owners of all keys: no key is ever given to a second owner. */
const owners = Effect.gen(function* () {
  const known = new Map<string, number>()
  const reader = yield* Effect.forkScoped(
    Stream.runForEach(Registry.changes(Rooms, { capacity: 4 }), (change) =>
      Effect.sync(() => {
        if (change._tag === "Snapshot") {
          known.clear()
          for (const { key, pid } of change.entries) known.set(key, pid.id)
        } else if (change._tag === "Registered") {
          assert.isFalse(known.has(change.key))
          known.set(change.key, change.pid.id)
        } else {
          assert.strictEqual(known.get(change.key), change.pid.id)
          known.delete(change.key)
        }
      })
    )
  )
  return { known, reader }
})

kernelTest(
  "rooms that are killed again and again have one owner each, answer in the end, and get what is said",
  Effect.gen(function* () {
    const house = yield* House
    const { known, reader } = yield* owners
    for (const name of names) yield* house.startChild(name, name)
    const talking = yield* Effect.forkChild(
      Effect.forEach(
        [1, 2, 3],
        () =>
          Effect.repeat(
            Effect.flatMap(anyName, (name) => Effect.map(say(name), (answer) => assert.strictEqual(answer, name))),
            { times: 4 }
          ),
        { concurrency: "unbounded" }
      )
    )
    const killing = yield* Effect.forkChild(
      Effect.repeat(
        Effect.gen(function* () {
          const found = yield* Registry.whereis(Rooms, yield* anyName)
          if (Option.isSome(found)) yield* Process.kill(found.value)
          yield* Effect.yieldNow
        }),
        { times: 6 }
      )
    )
    yield* Fiber.join(killing)
    yield* Fiber.join(talking)
    for (const name of names) {
      const before = yield* Room.at(name).heard(undefined, { whenDown: "wait" })
      yield* Topic.publish(Lines(name), { _tag: "Line", text: "good night" })
      assert.strictEqual(yield* Room.at(name).heard(), before + 1)
      assert.strictEqual((yield* Topic.subscribers(Lines(name))).length, 1)
    }
    yield* settle
    assert.isUndefined(reader.pollUnsafe())
    const alive = yield* Registry.select(Rooms)
    assert.deepStrictEqual(new Map(alive.map(({ key, pid }) => [key, pid.id])), known)
    assert.deepStrictEqual(new Set(yield* ProcessGroup.members(Open, "rooms")), new Set(alive.map(({ pid }) => pid)))
  }).pipe(Effect.provide(House.layer)),
  100
)
