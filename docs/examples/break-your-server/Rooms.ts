/**
 * The rooms: one server each, started when somebody comes, gone when nobody has come for a while.
 *
 * A room knows who listens, and nothing else: a restarted room begins empty, and those who listened hear of its death and
 * come back.
 */
import { Effect, Option, Predicate, Schedule, Schema } from "effect"
import { DynamicSupervisor, ExitReason, GenServer, Handle, Pid, Process } from "effect-otp"
import { Rpc } from "effect/rpc"
import { Draft, Event, Message } from "./Message.ts"
import { HistoryDown, Store } from "./Storage.ts"

/** What a room sends to those who listen. */
export const Hear = GenServer.cast("hear", { payload: Event })

export type Listener = GenServer.Client<typeof Hear>

const isListener = (u: unknown): u is Listener => Predicate.hasProperty(u, Handle.TypeId)

/** A room in which nothing happens for so long falls asleep, unless somebody listens. */
const SLEEPS_AFTER = { idle: "3 seconds" } as const

interface State {
  readonly name: string
  readonly listeners: ReadonlyMap<Pid.Pid, Listener>
}

const stay = (state: State) => GenServer.noReply(state, SLEEPS_AFTER)

export class Room extends GenServer.Service<Room>()("demo/Room", [
  /** Answers when the message is in the history. */
  Rpc.make("post", { payload: Draft, success: Message, error: HistoryDown }),
  /** Goes to those who listen, and is kept nowhere. */
  GenServer.cast("say", { payload: Draft }),
  /** Answers with the run of the room that will send. */
  Rpc.make("join", {
    payload: { listener: Schema.declare(isListener) },
    success: Schema.declare(Pid.isPid)
  }),
  GenServer.cast("crash"),
  GenServer.cast("hang")
]) {
  static readonly definition = this.define({
    init: (name: string) => Effect.succeed(GenServer.initial<State>({ name, listeners: new Map() }, SLEEPS_AFTER)),
    handlers: {
      // Answered by hand: after a failed turn a server would not be idle any more, and this room would never fall asleep.
      post: (draft, state, { from }) =>
        Effect.matchEffect(append({ room: state.name, ...draft }), {
          onFailure: (error) => Effect.as(from.fail(error), stay(state)),
          onSuccess: (message) =>
            Effect.as(tell(state, { _tag: "Posted", message }), GenServer.reply(message, state, SLEEPS_AFTER))
        }),
      say: (draft, state) => Effect.as(tell(state, { _tag: "Said", room: state.name, ...draft }), stay(state)),
      join: Effect.fnUntraced(function* ({ listener }, state) {
        const pid = yield* GenServer.pid(listener)
        const self = yield* Process.self
        if (Option.isNone(pid)) return GenServer.reply(self, state, SLEEPS_AFTER)
        yield* Process.monitor(pid.value)
        const listeners = new Map(state.listeners).set(pid.value, listener)
        return GenServer.reply(self, { ...state, listeners }, SLEEPS_AFTER)
      }),
      crash: () => Effect.die(new Error("this room was told to crash")),
      hang: () => Effect.never
    },
    info: (signal, state) => {
      const listeners = new Map(state.listeners)
      if (signal._tag === "Down") listeners.delete(signal.pid)
      return stay({ ...state, listeners })
    },
    idle: (state) => (state.listeners.size > 0 ? stay(state) : GenServer.stop(ExitReason.normal, state))
  })
}

const append = (message: { readonly room: string } & Draft) =>
  Store.use((store) => store.append(message, { timeout: "400 millis" })).pipe(
    Effect.catchTag("CallError", ({ message }) => Effect.fail(new HistoryDown({ message })))
  )

const tell = ({ listeners }: State, event: Event) =>
  Effect.forEach(listeners.values(), (listener) => listener.hear(event), { discard: true })

/** A room that crashes is back soon, however often; one that slept in is not started again. */
export class Rooms extends DynamicSupervisor.Service<Rooms>()("demo/Rooms", {
  child: Room.definition,
  restart: "transient",
  schedule: Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("100 millis")]),
  maxChildren: 1000
}) {}

/** The room of that name, started if it is not there. */
export const open = Effect.fnUntraced(
  function* (name: string) {
    const rooms = yield* Rooms
    const room = yield* rooms.get(name)
    return Option.isSome(room) ? room.value : yield* rooms.startChild(name, name)
  },
  // Somebody else is just starting it, or it is falling asleep.
  Effect.retry({
    while: ({ _tag }) => _tag === "ChildAlreadyStarted",
    schedule: Schedule.spaced("10 millis"),
    times: 100
  })
)

/** Posts in a room. What the room never began is asked again: that is safe. */
export const post = (name: string, draft: Draft) =>
  Effect.flatMap(open(name), (room) => room.post(draft, { whenDown: "wait", timeout: "2 seconds" })).pipe(
    Effect.retry({
      while: (error) => error._tag === "CallError" && error.started === "no" && error.reason._tag === "NoProcess",
      schedule: Schedule.spaced("10 millis"),
      times: 10
    })
  )
