/** The fates of the messages that a server has taken, and the answers to its calls. */
import * as Fiber from "effect/Fiber"
import * as Exit from "effect/Exit"
import { describe, read } from "../../../values/describe.ts"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import { millisLeft } from "../../../kernel/shared/deadlines.ts"
import { countFate, recountFate } from "../../../kernel/shared/delivery.ts"
import type { Envelope } from "../../../kernel/shared/processRecord.ts"
import { CallEnvelope, CastEnvelope } from "../call/envelopes.ts"
import { serverDown } from "../call/makeCallError.ts"
import { dropLateReply } from "../call/lateReply.ts"
import { captureMessageContext, type MessageContext } from "../call/messageContext.ts"
import { heldCount, subjectOf, type Server } from "./server.ts"

/** Ends the turn of the message in hand and counts its fate. @internal */
export const messageDone = (server: Server, fate: "handled" | "failed"): void => {
  const message = server.inHand
  if (message === undefined) return
  server.inHand = undefined
  const wasLeft = fate === "handled" && message instanceof CallEnvelope && message.abandoned
  countFate(server.record, message, wasLeft ? "abandoned" : fate)
}

/** Answers the call in hand. @internal */
export const answer = (server: Server, call: CallEnvelope, exit: Exit.Exit<unknown, unknown>): void => {
  messageDone(server, "handled")
  if (!call.finish(exit)) dropLateReply(call)
}

/** Ends the turn of a call whose answer is left for later. @internal */
export const leaveForLater = (server: Server, call: CallEnvelope): void => {
  messageDone(server, "handled")
  // Only the machine's own turns answer the calls that it has put aside.
  if (server.spec.lens === undefined) call.handOver()
  if (!call.isDone) (call.keptIn = server.unanswered ??= new Set()).add(call)
}

/** Answers a call whose answer was left for later. @internal */
export const answerLater = (server: Server, call: CallEnvelope, exit: Exit.Exit<unknown, unknown>): void => {
  server.unanswered?.delete(call)
  server.watch?.answered(call.tag, exit)
  // Answers that fibers of a dead server still give are discarded.
  if (!server.record.isAlive || !call.finish(exit)) dropLateReply(call)
}

/** Gives the answer that had to wait for `terminate`. @internal */
export const answerAfterTerminate = (server: Server, hasEnded: boolean): void => {
  const { lastDuties, record } = server
  const reply = lastDuties?.reply
  if (reply === undefined) return
  lastDuties!.reply = undefined
  if (hasEnded && record.isAlive) answerLater(server, reply.call, Exit.succeed(reply.value))
  else reply.call.failWith(serverDown(record.exiting!))
}

/**
 * Fails all calls that the server has taken, because no turn will answer them now. The answer that waits for
 * `terminate` is not touched. @internal
 */
export const failUnanswered = (server: Server, reason: ExitReason): void => {
  const { lastDuties, inHand, unanswered, record } = server
  const held = heldCount(server)
  for (let i = 0; i < held; i++) recountFate(record, "failed")
  if (inHand instanceof CallEnvelope) inHand.failWith(serverDown(reason))
  server.unanswered = undefined
  if (unanswered === undefined) return
  const down = serverDown(reason)
  for (const call of unanswered) {
    if (call !== lastDuties?.reply?.call) call.failWith(down)
  }
}

// ---- the message in hand ------------------------------------------------------------------------------------------

/** The tag of the message in hand, or a word for a turn without a message. @internal */
export const requestOf = (server: Server, message: Envelope | undefined): string => {
  if (message instanceof CallEnvelope || message instanceof CastEnvelope) return message.tag
  if (server.spec.lens === undefined) return message === undefined ? server.ownTurn : "info"
  const subject = subjectOf(server, message?.content)
  const tag = read(subject, "_tag")
  if (tag !== undefined) return describe(tag)
  return message === undefined && subject === undefined ? "start" : "info"
}

/** What travelled with a message. @internal */
export const messageContextOf = (message: Envelope | undefined): MessageContext | undefined =>
  message instanceof CastEnvelope || message instanceof CallEnvelope ? message.messageContext : undefined

/**
 * What travels with a message that is sent now. A plain handler has no fiber of its own, so it passes on what came with
 * the message in hand. @internal
 */
export const currentMessageContext = ({ inHand, record }: Server): MessageContext | undefined => {
  const fiber = Fiber.getCurrent()
  return fiber !== undefined && fiber !== record.fiber ? captureMessageContext(fiber) : messageContextOf(inHand)
}

/** How many milliseconds the call in hand may still take. Undefined if nobody waits for an answer. @internal */
export const timeLeft = ({ inHand }: Server): number | undefined => {
  if (!(inHand instanceof CallEnvelope)) return undefined
  if (inHand.abandoned) return 0
  return inHand.isDone ? undefined : (millisLeft(inHand) ?? Infinity)
}
