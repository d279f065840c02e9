/** Closes the port of a server of Node, and leaves its connections open. */
import * as Effect from "effect/Effect"
import { Server } from "node:net"

/** A port that is never quiet is closed all the same. */
const patienceMillis = 50

/**
 * How long a quiet round of the event loop may last, in milliseconds. The shorter it is, the less can have come since the
 * loop has asked for connections. A busy loop has no such round.
 */
const quietRound = (waitedMillis: number) => (waitedMillis < patienceMillis / 2 ? 0.02 : 0.2)

/**
 * The operating system resets what waits in the queue of a port when the port is closed. So this waits for a round of
 * the event loop in which no connection came and little else was done.
 *
 * @internal
 */
export const closePort = (server: Server, accepted: () => number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const begin = performance.now()
    let count = accepted()
    let lookedAt = begin
    const look = () => {
      const now = performance.now()
      const isQuiet = count === accepted() && now - lookedAt < quietRound(now - begin)
      if (!isQuiet && now - begin < patienceMillis) {
        count = accepted()
        lookedAt = now
        immediate = setImmediate(look)
        return
      }
      closeNow(server)
      resume(Effect.void)
    }
    let immediate = setImmediate(look)
    return Effect.sync(() => clearImmediate(immediate))
  })

/** The `close` of an HTTP server would also destroy its idle connections, and what is on the way to them. @internal */
export const closeNow = (server: Server): void => {
  if (server.listening) Server.prototype.close.call(server)
}
