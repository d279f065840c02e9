/**
 * Requests to the process of a server, which its handlers never see, and suspension, in which the server takes nothing
 * else.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { close } from "../../../kernel/shared/death.ts"
import { admitControls, roomMade } from "../../../kernel/shared/delivery.ts"
import type { Envelope } from "../../../kernel/shared/processRecord.ts"
import { CallEnvelope, StopEnvelope, type SystemRequest } from "../call/envelopes.ts"
import { answer, messageDone } from "./answers.ts"
import * as Limits from "./timeLimits.ts"
import { serverOf, type Server } from "./server.ts"
import type { Remaining } from "./remaining.ts"

// ---- requests -----------------------------------------------------------------------------------------------------

/** Answers a request to the process itself. Returns an effect if the server is suspended afterwards. @internal */
export const answerSystem = (server: Server, message: CallEnvelope, request: SystemRequest): Remaining => {
  message.begun = true
  answer(server, message, (request as (server: Server) => Exit.Exit<unknown, unknown>)(server))
  return server.suspended ? suspension : undefined
}

/** Whether a message is not for its handlers. @internal */
export const isSystem = (message: Envelope): boolean =>
  message instanceof CallEnvelope && message.systemRequest !== undefined

/** @internal */
export const stopRequested = (server: Server, { by, reason }: StopEnvelope): undefined => {
  messageDone(server, "handled")
  close(server.record, reason, by)
}

// ---- suspension ---------------------------------------------------------------------------------------------------

const suspension: Effect.Effect<void> = Effect.suspend(() => serveSuspended(serverOf(Fiber.getCurrent()!), 0))

/** Takes stops and system requests from a position in the mailbox on, until the server is resumed or ends. */
const serveSuspended = (server: Server, from: number): Effect.Effect<void> => {
  const { record } = server
  admitControls(record)
  Limits.beginIdling(server)
  while (server.suspended && !isToEnd(server)) {
    const next = record.mailbox.take(isForProcess, from)
    if (next === undefined) {
      const seen = record.mailbox.end
      return Effect.flatMap(pause(server, seen), () => serveSuspended(server, seen))
    }
    server.inHand = next
    if (record.bound !== undefined) roomMade(record)
    if (next instanceof StopEnvelope) stopRequested(server, next)
    else answerSystem(server, next as CallEnvelope, (next as CallEnvelope).systemRequest!)
  }
  return Effect.void
}

/** Waits for a message that a suspended server handles, or for its end. */
const pause = (server: Server, seen: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // A message may have come after the look and before this step. It has woken nobody, because nobody was waiting.
    if (server.record.mailbox.end > seen || isToEnd(server)) resume(Exit.void)
    else server.record.resume = () => resume(Exit.void)
  })

const isToEnd = ({ lastDuties, record }: Server): boolean => lastDuties?.stop?.isInLine === false || !record.isOpen

const isForProcess = (message: Envelope): boolean => isSystem(message) || message instanceof StopEnvelope
