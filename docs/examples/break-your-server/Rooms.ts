/**
 * The rooms: one server each, started when somebody comes, gone when nobody has come for a while.
 *
 * A room keeps nothing. What is said in it goes to its topic, and so to those who listen, whichever run of the room it is.
 */
import { Effect, Schedule } from "effect"
import { DynamicSupervisor, ExitReason, GenServer, Registry, Topic } from "effect-otp"
import { Rpc } from "effect/rpc"
import { Draft, Message } from "./Message.ts"
import { HistoryDown, Store } from "./Storage.ts"

/** What those who listen to a room hear. What is only said is kept nowhere. */
export type Heard =
  | { readonly _tag: "Posted"; readonly message: Message }
  | { readonly _tag: "Said"; readonly room: string; readonly from: string; readonly text: string }

export const heardIn = Topic.family<string, Heard>("demo/room")

const Names = Registry.make<string>("demo/rooms", { keys: "unique" })

/** A room in which nothing happens for so long falls asleep, unless somebody listens. */
const SLEEPS_AFTER = { idle: "3 seconds" } as const

const stay = (room: string) => GenServer.noReply(room, SLEEPS_AFTER)

export class Room extends GenServer.Service<Room>()("demo/Room", [
  /** Answers when the message is in the history. */
  Rpc.make("post", { payload: Draft, success: Message, error: HistoryDown }),
  GenServer.cast("say", { payload: Draft }),
  GenServer.cast("crash"),
  GenServer.cast("hang")
]) {
  static readonly definition = this.define({
    name: (room: string) => Registry.via(Names, room),
    init: (room: string) => Effect.succeed(GenServer.initial(room, SLEEPS_AFTER)),
    handlers: {
      // Answered by hand: after a failed turn a server would not be idle any more, and this room would never fall asleep.
      post: (draft, room, { from }) =>
        Effect.matchEffect(append({ room, ...draft }), {
          onFailure: (error) => Effect.as(from.fail(error), stay(room)),
          onSuccess: (message) =>
            Effect.as(
              Topic.publish(heardIn(room), { _tag: "Posted", message }),
              GenServer.reply(message, room, SLEEPS_AFTER)
            )
        }),
      say: (draft, room) => Effect.as(Topic.publish(heardIn(room), { _tag: "Said", room, ...draft }), stay(room)),
      crash: () => Effect.die(new Error("this room was told to crash")),
      hang: () => Effect.never
    },
    idle: (room) =>
      Effect.map(Topic.counts(heardIn(room)), ({ processes }) =>
        processes > 0 ? stay(room) : GenServer.stop(ExitReason.normal, room)
      )
  })
}

const append = (message: { readonly room: string } & Draft) =>
  Store.use((store) => store.append(message, { timeout: "400 millis" })).pipe(
    Effect.catchTag("CallError", ({ message }) => Effect.fail(new HistoryDown({ message })))
  )

/** A room that crashes is back soon, however often; one that fell asleep is not started again. */
export class Rooms extends DynamicSupervisor.Service<Rooms>()("demo/Rooms", {
  child: Room.definition,
  restart: "transient",
  schedule: Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("100 millis")]),
  maxChildren: 1000
}) {}

/** A room by its name, whichever run it is, awake or not. */
export const room = (name: string) => Room.via(Registry.via(Names, name))

const wake = (name: string) =>
  Rooms.use((rooms) => rooms.startChild(name, name)).pipe(
    Effect.catchTag(["ChildAlreadyStarted", "AlreadyStarted"], () => Effect.void)
  )

/** Listens to a room from now on. */
export const enter = (name: string) => Effect.andThen(wake(name), Topic.subscribe(heardIn(name)))

export const say = (name: string, draft: Draft) => Effect.andThen(wake(name), room(name).say(draft))

/** Posts in a room. What the room never began is asked again: that is safe. */
export const post = (name: string, draft: Draft) =>
  Effect.andThen(wake(name), room(name).post(draft, { whenDown: "wait", timeout: "1 second" })).pipe(
    Effect.retry({ while: (error) => error._tag === "CallError" && error.started === "no", times: 2 })
  )
