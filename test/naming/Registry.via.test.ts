import { assert, describe } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Rpc } from "effect/rpc"
import {
  Agent,
  DynamicSupervisor,
  ExitReason,
  GenServer,
  Handle,
  Kernel,
  Name,
  Process,
  Registry,
  StateMachine,
  Timer
} from "effect-otp"
import { idle, kernelTest, settle } from "../fixtures/kernel.ts"

const Rooms = Registry.make<string>("test/rooms", { keys: "unique" })

class Room extends GenServer.Service<Room>()("test/Room", [
  Rpc.make("name", { success: Schema.String }),
  GenServer.cast("crash"),
  GenServer.cast("rename", { payload: Schema.String })
]) {
  static readonly definition = this.define({
    name: (name: string) => Registry.via(Rooms, name),
    init: (name: string) => Effect.succeed(name),
    handlers: {
      name: (_, name) => GenServer.reply(name, name),
      crash: () => Effect.die("asked to"),
      rename: (name) => GenServer.noReply(name)
    }
  })
  static readonly at = (name: string) => this.via(Registry.via(Rooms, name))
}

class Doors extends GenServer.Service<Doors>()("test/Doors", [Rpc.make("name", { success: Schema.String })]) {
  static readonly definition = this.define({
    name: Registry.via(Rooms, "door"),
    init: () => Effect.void,
    handlers: { name: () => GenServer.reply("door", undefined) }
  })
}

class House extends DynamicSupervisor.Service<House>()("test/House", { child: Room.definition }) {}

const noProcess = (request: string, key = "attic") =>
  Exit.fail(
    new GenServer.CallError({
      server: `test/rooms("${key}")`,
      request,
      reason: new GenServer.NoProcess(),
      started: "no"
    })
  )

describe("a server under a key", () => {
  kernelTest(
    "is found by its key and called through it",
    Effect.gen(function* () {
      const client = yield* Room.definition.start("attic")
      const pid = yield* GenServer.pid(client)
      assert.deepStrictEqual(yield* Registry.whereis(Rooms, "attic"), pid)
      const room = Room.at("attic")
      assert.strictEqual(yield* room.name(), "attic")
      yield* room.rename("loft")
      assert.strictEqual(yield* client.name(), "loft")
      assert.deepStrictEqual(yield* GenServer.pid(room), pid)
      assert.deepStrictEqual(yield* Handle.pid(room), pid)
      assert.deepStrictEqual(yield* Name.resolve(room), pid)
      yield* GenServer.terminate(room)
      assert.deepStrictEqual(yield* Registry.whereis(Rooms, "attic"), Option.none())
    })
  )

  kernelTest(
    "the second start fails with AlreadyStarted, and its init never runs",
    Effect.gen(function* () {
      const inits: Array<string> = []
      const definition = Room.define({
        name: (name: string) => Registry.via(Rooms, name),
        init: (name: string) =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => inits.push(name))
          ),
        handlers: {
          name: (_, count) => GenServer.reply("", count),
          crash: (_, count) => GenServer.noReply(count),
          rename: (_, count) => GenServer.noReply(count)
        }
      })
      const starts = yield* Effect.all(
        Array.from({ length: 4 }, () => Effect.exit(definition.start("attic"))),
        { concurrency: "unbounded" }
      )
      const [pid] = Array.from(yield* Registry.lookup(Rooms, "attic"), ({ pid }) => pid)
      assert.strictEqual(starts.filter(Exit.isSuccess).length, 1)
      const refused: Exit.Exit<never, Name.AlreadyStarted> = Exit.fail(
        new Name.AlreadyStarted({ processName: 'test/rooms("attic")', pid: pid! })
      )
      assert.deepStrictEqual<ReadonlyArray<unknown>>(starts.filter(Exit.isFailure), [refused, refused, refused])
      assert.deepStrictEqual(inits, ["attic"])
    })
  )

  kernelTest(
    "leaves its key when init fails, dies or is interrupted",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const claimed: Array<boolean> = []
      const taken = Effect.map(Registry.whereis(Rooms, "attic"), (found) => {
        claimed.push(Option.isSome(found))
      })
      const handlers = {
        name: () => GenServer.reply("", undefined),
        crash: () => GenServer.noReply(undefined),
        rename: () => GenServer.noReply(undefined)
      }
      const failing = (end: Effect.Effect<never, string>) =>
        Room.define({ name: Registry.via(Rooms, "attic"), init: () => Effect.andThen(taken, end), handlers })
      for (const end of [Effect.fail("no"), Effect.die("never"), Effect.interrupt]) {
        const exit = yield* Effect.exit(failing(end).start())
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual(yield* Registry.count(Rooms), 0)
      }
      const starting = yield* Effect.forkChild(
        failing(Effect.andThen(Deferred.succeed(gate, undefined), Effect.never)).start()
      )
      yield* Deferred.await(gate)
      yield* Fiber.interrupt(starting)
      assert.strictEqual(yield* Registry.count(Rooms), 0)
      assert.deepStrictEqual(claimed, [true, true, true, true])
    })
  )
})

describe("a client through a key", () => {
  kernelTest(
    "finds no process while nobody has the key; a cast is a dead letter",
    Effect.gen(function* () {
      const room = Room.at("attic")
      assert.deepStrictEqual(yield* Effect.exit(room.name()), noProcess("name"))
      assert.deepStrictEqual(yield* Effect.exit(GenServer.terminate(room)), noProcess("terminate"))
      assert.deepStrictEqual(yield* GenServer.pid(room), Option.none())
      const before = (yield* Kernel.messages).deadLettered
      yield* room.rename("loft")
      assert.strictEqual((yield* Kernel.messages).deadLettered, before + 1)
    })
  )

  kernelTest(
    "waits for the key if asked to, and reaches its new owner",
    Effect.gen(function* () {
      const room = Room.at("attic")
      const asked = yield* Effect.forkChild(room.name(undefined, { whenDown: "wait" }))
      const late = yield* Effect.forkChild(
        Effect.exit(Room.at("cellar").name(undefined, { whenDown: "wait", timeout: "1 second" }))
      )
      yield* settle
      yield* Room.definition.start("attic")
      assert.strictEqual(yield* Fiber.join(asked), "attic")
      yield* TestClock.adjust("1 second")
      const timeout = new GenServer.CallError({
        server: 'test/rooms("cellar")',
        request: "name",
        reason: new GenServer.Timeout(),
        started: "no"
      })
      assert.deepStrictEqual(yield* Fiber.join(late), Exit.fail(timeout))
    })
  )

  kernelTest(
    "reaches a server in its init: messages wait, and fail with it",
    Effect.gen(function* () {
      for (const end of [Effect.void, Effect.fail("no")]) {
        const gate = yield* Deferred.make<void>()
        const slow = Room.define({
          name: Registry.via(Rooms, "attic"),
          init: () => Effect.as(Effect.andThen(Deferred.await(gate), end), "slow"),
          handlers: {
            name: (_, name) => GenServer.reply(name, name),
            crash: (_, name) => GenServer.noReply(name),
            rename: (name) => GenServer.noReply(name)
          }
        })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const starting = yield* Effect.forkChild(Effect.exit(slow.start()))
            yield* settle
            const asked = yield* Effect.forkChild(Effect.exit(Room.at("attic").name()))
            yield* settle
            assert.isUndefined(asked.pollUnsafe())
            yield* Deferred.succeed(gate, undefined)
            const answer = yield* Fiber.join(asked)
            yield* Fiber.join(starting)
            if (end === Effect.void) return assert.deepStrictEqual(answer, Exit.succeed("slow"))
            const error = Exit.isFailure(answer) ? Cause.squash(answer.cause) : undefined
            assert.isTrue(error instanceof GenServer.CallError && error.started === "no")
          })
        )
      }
    })
  )

  kernelTest(
    "stays valid over restarts under a dynamic supervisor",
    Effect.gen(function* () {
      const house = yield* House
      yield* house.startChild("1", "attic")
      const room = Room.at("attic")
      const before = yield* GenServer.pid(room)
      yield* room.rename("loft")
      yield* room.crash()
      assert.strictEqual(yield* room.name(undefined, { whenDown: "wait" }), "attic")
      const after = yield* GenServer.pid(room)
      assert.isTrue(Option.isSome(after))
      assert.notDeepEqual(after, before)
      const clash = yield* Effect.exit(house.startChild("2", "attic"))
      assert.deepStrictEqual(
        clash,
        Exit.fail(new Name.AlreadyStarted({ processName: 'test/rooms("attic")', pid: Option.getOrThrow(after) }))
      )
      yield* house.terminateChild("1")
      yield* house.startChild("2", "attic")
      assert.strictEqual(yield* room.name(), "attic")
    }).pipe(Effect.provide(House.layer))
  )

  kernelTest(
    "can get casts from a handler that is not an effect, and a timer finds its process",
    Effect.gen(function* () {
      class Porter extends GenServer.Service<Porter>()("test/Porter", [Rpc.make("paint", { success: Schema.Void })]) {
        static readonly definition = this.define({
          init: () => Effect.void,
          handlers: {
            paint: (_, state, { cast }) => {
              cast(Room.at("attic"), "rename", "painted")
              cast(Room.at("nowhere"), "rename", "painted")
              return GenServer.reply(undefined, state)
            }
          }
        })
      }
      const porter = yield* Porter.definition.start()
      const attic = yield* Room.definition.start("attic")
      const before = (yield* Kernel.messages).deadLettered
      yield* porter.paint()
      assert.strictEqual(yield* attic.name(), "painted")
      assert.strictEqual((yield* Kernel.messages).deadLettered, before + 1)

      const Desks = Registry.make<number, void, string>("test/desks", { keys: "unique" })
      const clerk = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
      yield* Registry.registerFor(Desks, clerk, 7)
      yield* Timer.sendAfter(Registry.via(Desks, 7), "letter", "1 second")
      yield* settle
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Process.awaitExit(clerk), ExitReason.normal)
    })
  )

  kernelTest(
    "calling it is a defect if the key belongs to something else",
    Effect.gen(function* () {
      const plain = yield* idle()
      yield* Registry.registerFor(Rooms, plain, "attic")
      yield* Doors.definition.start()
      for (const [name, exit] of [
        ["attic", yield* Effect.exit(Room.at("attic").name())],
        ["door", yield* Effect.exit(Room.at("door").name())]
      ] as const) {
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.match(
          String(error),
          new RegExp(`RangeError: test/rooms\\("${name}"\\) belongs to <0\\.\\d+>, which is not a server of test/Room`)
        )
      }
      assert.strictEqual((yield* Kernel.counts).processes, 2)
      yield* Process.kill(plain)
    })
  )

  kernelTest(
    "is a defect of the waiting caller, not of the process that takes the key",
    Effect.gen(function* () {
      const plain = yield* idle()
      const wait = Effect.exit(Room.at("attic").name(undefined, { whenDown: "wait" }))
      const asked = [yield* Effect.forkChild(wait), yield* Effect.forkChild(wait)]
      yield* settle
      assert.deepStrictEqual(yield* Effect.exit(Registry.registerFor(Rooms, plain, "attic")), Exit.void)
      for (const exit of yield* Effect.forEach(asked, Fiber.join)) {
        assert.match(
          String(Exit.isFailure(exit) && Cause.squash(exit.cause)),
          /RangeError: .* which is not a server of test\/Room/
        )
      }
      yield* Process.kill(plain)
    })
  )

  kernelTest(
    "loses nothing when the server behind the key is killed and started anew",
    Effect.gen(function* () {
      const house = yield* House
      yield* house.startChild("1", "attic")
      const room = Room.at("attic")
      const calls = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 5 }, () => room.name(undefined, { whenDown: "wait" })),
          { concurrency: "unbounded" }
        ).pipe(Effect.catchReason("CallError", "ServerDown", ({ reason }) => Effect.succeed([reason._tag])))
      )
      yield* Effect.yieldNow
      yield* Process.kill(Option.getOrThrow(yield* Registry.whereis(Rooms, "attic")))
      const answers = yield* Fiber.join(calls)
      assert.isTrue(answers.every((answer) => answer === "attic" || answer === ExitReason.killed._tag))
      assert.strictEqual(yield* room.name(undefined, { whenDown: "wait" }), "attic")
    }).pipe(Effect.provide(House.layer))
  )
})

class Tally extends Agent.Service<Tally, number>()("test/Tally") {
  static readonly definition = this.define({
    name: (key: string) => Registry.via(Rooms, key),
    init: (key: string) => Effect.succeed(key.length)
  })
}

class Other extends Agent.Service<Other, string>()("test/Other") {}

class Door extends StateMachine.Service<Door>()("test/Door", [GenServer.cast("knock")]) {
  static readonly definition = this.define({
    name: Registry.via(Rooms, "door"),
    init: () => Effect.succeed<{ readonly _tag: "Shut" }>({ _tag: "Shut" }),
    states: { Shut: { knock: () => StateMachine.keep() } }
  })
}

describe("an agent and a state machine", () => {
  kernelTest(
    "are found by their keys, too, and not mistaken for each other",
    Effect.gen(function* () {
      yield* Tally.definition.start("tally")
      yield* Door.definition.start()
      const tally = Tally.via(Registry.via(Rooms, "tally"))
      yield* Agent.update(tally, (n) => n + 1)
      assert.strictEqual(yield* Agent.get(tally), 6)
      const door = Door.via(Registry.via(Rooms, "door"))
      yield* door.knock()
      assert.deepStrictEqual(yield* GenServer.pid(door), yield* Registry.whereis(Rooms, "door"))
      const exit = yield* Effect.exit(Agent.get(Other.via(Registry.via(Rooms, "tally"))))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )
})
