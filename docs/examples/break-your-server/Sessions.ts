/**
 * Those who listen: one server for each WebSocket. It hears its room, and says there what its client sends.
 *
 * A session is not restarted, since its socket died with it: its client connects again. When its room dies it comes back
 * into the room as soon as that is up.
 */
import { Effect, Schedule, Schema } from "effect"
import { DynamicSupervisor, ExitReason, GenServer, Process, type Protocol } from "effect-otp"
import type { Socket } from "effect/socket"
import { Draft, type Event } from "./Message.ts"
import * as Rooms from "./Rooms.ts"

interface Connection {
  readonly id: string
  readonly room: string
  readonly socket: Socket.Socket
}

type Send = (frame: Frame) => Effect.Effect<void, Socket.SocketError>

/** What a client receives. */
type Frame =
  | Event
  | { readonly _tag: "Welcome"; readonly session: string }
  | { readonly _tag: "Refused"; readonly message: string }

interface State {
  readonly id: string
  readonly room: string
  readonly send: Send
}

export class Session extends GenServer.Service<Session>()("demo/Session", [Rooms.Hear]) {
  static readonly definition = this.define({
    init: ({ id, room, socket }: Connection) =>
      Effect.gen(function* () {
        const writer = yield* socket.writer
        const reader = yield* socket.reader
        const send: Send = (frame) => writer.write(JSON.stringify(frame))
        const me = yield* Process.self
        yield* Effect.forkScoped(
          Effect.ensuring(Effect.ignore(listen(reader, room, send)), Process.exit(me, ExitReason.normal))
        )
        return GenServer.initial<State, "join">({ id, room, send }, { continue: "join" })
      }),
    handlers: {
      hear: (event, state) => deliver(state, event)
    },
    continue: (_: "join", state: State, { self }: GenServer.HandlerContext<typeof Rooms.Hear, Protocol.Cast, never>) =>
      Effect.andThen(join(state.room, self), deliver(state, { _tag: "Welcome", session: state.id })),
    info: (signal, state) =>
      signal._tag === "Down" ? GenServer.noReply(state, { continue: "join" as const }) : GenServer.noReply(state)
  })
}

/** A client that cannot be written to is gone. */
const deliver = (state: State, frame: Frame) =>
  Effect.match(state.send(frame), {
    onSuccess: () => GenServer.noReply(state),
    onFailure: () => GenServer.stop(ExitReason.normal, state)
  })

/** Waits for a room that is being restarted; a room that stays away crashes the session, and the client learns it. */
const join = (name: string, listener: Rooms.Listener) =>
  Effect.gen(function* () {
    const room = yield* Rooms.open(name)
    yield* Process.monitor(yield* room.join({ listener }, { whenDown: "wait", timeout: "1 second" }))
  }).pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 10 }), Effect.orDie)

const decodeDraft = Schema.decodeUnknownEffect(Schema.fromJsonString(Draft))

/** Says in the room what the client sends, until the client closes. */
const listen = (reader: Socket.Reader, name: string, send: Send) => {
  const say = Effect.fnUntraced(function* (frame: string | Uint8Array) {
    const draft = yield* decodeDraft(frame)
    const room = yield* Rooms.open(name)
    yield* room.say(draft)
  })
  const sayOrRefuse = (frame: string | Uint8Array) =>
    Effect.catch(say(frame), ({ message }) => send({ _tag: "Refused", message }))
  return Effect.forever(Effect.flatMap(reader.pull, (frames) => Effect.forEach(frames, sayOrRefuse)))
}

export class Sessions extends DynamicSupervisor.Service<Sessions>()("demo/Sessions", {
  child: Session.definition,
  restart: "temporary",
  maxChildren: 10_000
}) {}
