/**
 * A WebSocket with limits: how many a client may have, and how many bytes it may leave unread.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Socket from "effect/socket/Socket"
import * as ProcessGroup from "effect-otp/naming/ProcessGroup"

const MAX_UNREAD_BYTES = 1024 * 1024
const MAX_SOCKETS_PER_CLIENT = 100

export interface Connection {
  readonly socket: Socket.Socket
  /** The address of the client. */
  readonly client: string
  /** How many bytes wait here for the client to read. */
  readonly unread: () => number
}

/** The client has too many WebSockets already. */
export class TooManySockets extends Data.TaggedError("TooManySockets")<{ readonly message: string }> {}

/** The client has left too much unread. */
class ReadsTooSlowly extends Data.TaggedError("ReadsTooSlowly") {}

export type CannotWrite = ReadsTooSlowly | Socket.SocketError

/** The processes of the WebSockets, by client. */
const Clients = ProcessGroup.make<string>("demo/clients")

/** Opens the WebSocket for this process. It is closed with the scope. */
export const open = Effect.fnUntraced(function* ({ socket, client, unread }: Connection) {
  yield* ProcessGroup.join(Clients, client)
  if ((yield* ProcessGroup.members(Clients, client)).length > MAX_SOCKETS_PER_CLIENT) {
    return yield* new TooManySockets({ message: `a client may have ${MAX_SOCKETS_PER_CLIENT} WebSockets at a time` })
  }
  const { write } = yield* socket.writer
  const { pull } = yield* socket.reader
  return {
    pull,
    // A write does not wait until the client has read it.
    write: (text: string) =>
      Effect.suspend((): Effect.Effect<void, CannotWrite> =>
        unread() > MAX_UNREAD_BYTES ? Effect.fail(new ReadsTooSlowly()) : write(text)
      )
  }
})
