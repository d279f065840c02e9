/**
 * Those who listen: a state machine for each WebSocket.
 *
 * It is `Joining` while the latest messages are fetched: what it hears and what its client says wait until then. `Live` it
 * passes both on.
 *
 * A session is not restarted, since its socket died with it: its client connects again.
 */
import { Effect, Schema } from "effect"
import { DynamicSupervisor, ExitReason, Process, type Signal, StateMachine, Task } from "effect-otp"
import type { Socket } from "effect/socket"
import { Draft, type Message } from "./Message.ts"
import { enter, type Heard, say } from "./Rooms.ts"
import { Store } from "./Storage.ts"

/** What a client receives. It may hear of a message it knows from its welcome: the id is the same. */
type Frame =
  | Heard
  | { readonly _tag: "Welcome"; readonly session: string; readonly recent: ReadonlyArray<Message> }
  | { readonly _tag: "Refused"; readonly message: string }

/** What comes to the session: from its room, from its client, and from the task that fetches the latest messages. */
type Event =
  | Heard
  | { readonly _tag: "Received"; readonly text: string | Uint8Array }
  | { readonly _tag: "Recent"; readonly messages: ReadonlyArray<Message> }
  | { readonly _tag: "Closed" }

interface Connection {
  readonly id: string
  readonly room: string
  readonly socket: Socket.Socket
}

interface Wire extends Omit<Connection, "socket"> {
  readonly write: (frame: string) => Effect.Effect<void, Socket.SocketError>
}

type State = Wire & ({ readonly _tag: "Joining" } | { readonly _tag: "Live" })

const joining = (wire: Wire): State => ({ _tag: "Joining", ...wire })

const closed = { _tag: "Closed" } as const

/** A client that cannot be written to is gone. */
const send = ({ write }: Wire, frame: Frame) =>
  StateMachine.perform(
    "send",
    Effect.orElseSucceed(write(JSON.stringify(frame)), () => closed)
  )

/** Says in the room what the client has sent. */
const pass = (wire: Wire, text: string | Uint8Array) =>
  StateMachine.perform(
    "say",
    Effect.flatMap(Schema.decodeUnknownEffect(Schema.fromJsonString(Draft))(text), (draft) =>
      say(wire.room, draft)
    ).pipe(Effect.catch(({ message }) => Effect.ignore(wire.write(JSON.stringify({ _tag: "Refused", message })))))
  )

export class Session extends StateMachine.Service<Session, Event>()("demo/Session", []) {
  static readonly definition = this.define({
    init: ({ id, room, socket }: Connection) =>
      Effect.gen(function* () {
        const { write } = yield* socket.writer
        const reader = yield* socket.reader
        const self = yield* Process.selfFor<Event>()
        yield* enter(room)
        yield* Effect.forkScoped(
          Effect.forever(
            Effect.flatMap(reader.pull, (frames) =>
              Effect.forEach(frames, (text) => Process.send(self, { _tag: "Received", text }))
            )
          ).pipe(Effect.ignore, Effect.ensuring(Process.send(self, closed)))
        )
        yield* Task.async(Effect.flatMap(recent(room), (messages) => Process.send(self, { _tag: "Recent", messages })))
        return StateMachine.start(joining({ id, room, write }), [
          StateMachine.stateTimeout("1 second", { _tag: "Recent" as const, messages: [] })
        ])
      }),
    info: (message: Event | Signal.Signal) =>
      message._tag === "Exit" || message._tag === "Down"
        ? StateMachine.keep()
        : StateMachine.keep([StateMachine.insert(message)]),
    common: {
      Posted: (event, state) => StateMachine.keep([send(state, event)]),
      Said: (event, state) => StateMachine.keep([send(state, event)]),
      Recent: () => StateMachine.keep(),
      Closed: () => StateMachine.stop(ExitReason.normal)
    },
    states: {
      Joining: {
        Posted: () => StateMachine.keep([StateMachine.postpone]),
        Said: () => StateMachine.keep([StateMachine.postpone]),
        Received: () => StateMachine.keep([StateMachine.postpone]),
        Recent: ({ messages }, state) =>
          StateMachine.next({ ...state, _tag: "Live" }, [
            send(state, { _tag: "Welcome", session: state.id, recent: messages })
          ])
      },
      Live: {
        Received: ({ text }, state) => StateMachine.keep([pass(state, text)])
      }
    }
  })
}

/** The latest messages of a room; none while the history is down. */
const recent = (room: string) =>
  Store.use((store) => store.history({ room, after: 0, most: 20 }, { timeout: "500 millis" })).pipe(
    Effect.orElseSucceed(() => [])
  )

export class Sessions extends DynamicSupervisor.Service<Sessions>()("demo/Sessions", {
  child: Session.definition,
  restart: "temporary",
  maxChildren: 10_000
}) {}
