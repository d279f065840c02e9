/**
 * The rooms. Each is a server. It is started when somebody comes, and ends when nobody has come for a while.
 *
 * A room keeps nothing. What is said in it is published to its topic, so listeners get it from every run of the room.
 */
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Rpc from "effect/rpc/Rpc"
import * as GenServer from "effect-otp/behaviour/GenServer"
import * as ExitReason from "effect-otp/kernel/ExitReason"
import * as Process from "effect-otp/kernel/Process"
import * as Registry from "effect-otp/naming/Registry"
import * as Topic from "effect-otp/naming/Topic"
import * as DynamicSupervisor from "effect-otp/supervision/DynamicSupervisor"
import { Draft, Message } from "./Message.ts"
import { HistoryDown, historyDown, Store } from "./Storage.ts"

/** What the listeners of a room hear. `Posted` is in the history. `Said` is kept nowhere. */
export type Heard =
  | { readonly _tag: "Posted"; readonly message: Message }
  | { readonly _tag: "Said"; readonly room: string; readonly from: string; readonly text: string }

export const heardIn = Topic.family<string, Heard>("demo/room")

const Names = Registry.make<string>("demo/rooms", { keys: "unique" })

export class Room extends GenServer.Service<Room>()("demo/Room", [
  /** Answers when the message is in the history. */
  Rpc.make("post", { payload: Draft, success: Message, error: HistoryDown }),
  GenServer.cast("say", { payload: Draft }),
  GenServer.cast("crash"),
  GenServer.cast("hang")
]) {
  static readonly definition = this.define({
    name: (room: string) => Registry.via(Names, room),
    // With this many messages in the mailbox senders wait, so that nobody can fill the memory.
    mailbox: { capacity: 10_000, strategy: "suspend" },
    // By itself a handler that never returns is not a crash. With this option it is.
    turnTimeout: "800 millis",
    // A room without a message for this long ends, unless somebody listens.
    idleTimeout: "3 seconds",
    init: (room: string) => Effect.succeed(room),
    handlers: {
      post: Effect.fnUntraced(function* (draft, room) {
        const message = yield* append({ room, ...draft })
        yield* Topic.publish(heardIn(room), { _tag: "Posted", message })
        return GenServer.reply(message, room)
      }),
      say: (draft, room) =>
        Effect.as(Topic.publish(heardIn(room), { _tag: "Said", room, ...draft }), GenServer.noReply(room)),
      crash: () => Effect.die(new Error("this room was told to crash")),
      hang: () => Effect.never
    },
    idle: (room) =>
      Effect.map(Topic.counts(heardIn(room)), ({ processes }) =>
        processes > 0 ? GenServer.noReply(room) : GenServer.stop(ExitReason.normal, room)
      )
  })
}

const append = (message: { readonly room: string } & Draft) =>
  Store.use((store) => store.append(message, { timeout: "400 millis" })).pipe(
    Effect.catchTag("CallError", () => Effect.fail(historyDown()))
  )

/** A room that has crashed is started again soon, however often it crashes. A room that has ended by itself is not. */
export class Rooms extends DynamicSupervisor.Service<Rooms>()("demo/Rooms", {
  child: Room.definition,
  restart: "transient",
  schedule: Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("100 millis")]),
  maxChildren: 1000
}) {}

/** A room by its name. It works for every run of the room, and while none is up. */
export const room = (name: string) => Room.via(Registry.via(Names, name))

const wake = (name: string) =>
  Rooms.use((rooms) => rooms.startOrGet(name, name)).pipe(
    Effect.tapErrorTag("MaxChildren", () => makeWay),
    Effect.retry({ while: ({ _tag }) => _tag === "MaxChildren", times: 10 })
  )

/** Ends one room that has nothing to do. Nothing is lost, and it is started again when somebody comes. */
const makeWay = Effect.gen(function* () {
  const rooms = yield* Rooms
  const idle: Array<string> = []
  for (const { key, pid } of yield* rooms.whichChildren) {
    const info = pid === undefined ? Option.none() : yield* Process.info(pid)
    if (Option.isSome(info) && info.value.messages.pending === 0) idle.push(key)
  }
  // A random one, because many callers may do this at the same time.
  if (Array.isArrayNonEmpty(idle)) yield* Effect.ignore(rooms.terminateChild(yield* Random.choice(idle)))
})

/** Listens to a room from now on. */
export const enter = (name: string) => Effect.andThen(wake(name), Topic.subscribe(heardIn(name)))

export const say = (name: string, draft: Draft) => Effect.andThen(wake(name), room(name).say(draft))

/** Posts in a room. If the room never began the post, it is tried again: that is safe. */
export const post = (name: string, draft: Draft) =>
  Effect.andThen(wake(name), room(name).post(draft, { whenDown: "wait", timeout: "1 second" })).pipe(
    Effect.retry({ while: (error) => error._tag === "CallError" && error.isRetryable, times: 2 })
  )
