/**
 * The listeners: a state machine for each WebSocket.
 *
 * It is `Joining` while the latest messages are fetched, and postpones what it hears. Once it is `Live`, it passes
 * everything on. What its client says goes to the room in both states, one frame after the other: the next frame is not
 * read before the last one is passed on.
 *
 * A session is not restarted, because its socket is closed when it dies. Its client connects again.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as StateMachine from "effect-otp/behaviour/StateMachine"
import * as Task from "effect-otp/behaviour/Task"
import * as ExitReason from "effect-otp/kernel/ExitReason"
import * as Process from "effect-otp/kernel/Process"
import type * as Signal from "effect-otp/kernel/Signal"
import * as DynamicSupervisor from "effect-otp/supervision/DynamicSupervisor"
import { messageFor } from "./Failures.ts"
import { Draft, type Message } from "./Message.ts"
import { enter, type Heard, say } from "./Rooms.ts"
import { Store } from "./Storage.ts"
import { type CannotWrite, type Connection, open } from "./WebSocket.ts"

/** What a client receives. It may get a message of its welcome once more, with the same id. */
type Frame =
  | Heard
  | { readonly _tag: "Welcome"; readonly session: string; readonly recent: ReadonlyArray<Message> }
  | { readonly _tag: "Refused"; readonly message: string }

/** What the session receives from its room, its reader, and the task that fetches the latest messages. */
type Event =
  | Heard
  | { readonly _tag: "Recent"; readonly messages: ReadonlyArray<Message> }
  | { readonly _tag: "Closed" }

interface Joining extends Connection {
  readonly id: string
  readonly room: string
}

interface Wire {
  readonly id: string
  readonly write: (frame: Frame) => Effect.Effect<void, CannotWrite>
}

type State = Wire & ({ readonly _tag: "Joining" } | { readonly _tag: "Live" })

const joining = (wire: Wire): State => ({ _tag: "Joining", ...wire })

const closed = { _tag: "Closed" } as const

/** If the write fails, the client is gone. */
const send = ({ write }: Wire, frame: Frame) =>
  StateMachine.perform(
    "send",
    Effect.orElseSucceed(write(frame), () => closed)
  )

const decodeDraft = Schema.decodeUnknownEffect(Schema.fromJsonString(Draft))

/** Passes to the room what the client has sent. */
const pass = ({ write }: Wire, room: string, text: string | Uint8Array) =>
  Effect.flatMap(decodeDraft(text), (draft) => say(room, draft)).pipe(
    Effect.catch((error) => write({ _tag: "Refused", message: messageFor(error) }))
  )

export class Session extends StateMachine.Service<Session, Event>()("demo/Session", []) {
  static readonly definition = this.define({
    init: ({ id, room, ...connection }: Joining) =>
      Effect.gen(function* () {
        const { pull, write } = yield* open(connection)
        const wire: Wire = { id, write: (frame) => write(JSON.stringify(frame)) }
        const self = yield* Process.selfFor<Event>()
        yield* enter(room)
        yield* Effect.forkScoped(
          Effect.forever(
            Effect.flatMap(pull, (frames) => Effect.forEach(frames, (text) => pass(wire, room, text)))
          ).pipe(Effect.ignore, Effect.ensuring(Process.send(self, closed)))
        )
        yield* Task.async(Effect.flatMap(recent(room), (messages) => Process.send(self, { _tag: "Recent", messages })))
        return StateMachine.start(joining(wire), [
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
        Recent: ({ messages }, state) =>
          StateMachine.next({ ...state, _tag: "Live" }, [
            send(state, { _tag: "Welcome", session: state.id, recent: messages })
          ])
      },
      Live: {}
    }
  })
}

/** The latest messages of a room. None while the history is down. */
const recent = (room: string) =>
  Store.use((store) => store.latest({ room, limit: 20 }, { timeout: "500 millis" })).pipe(
    Effect.orElseSucceed(() => [])
  )

export class Sessions extends DynamicSupervisor.Service<Sessions>()("demo/Sessions", {
  child: Session.definition,
  restart: "temporary",
  maxChildren: 2000
}) {}
