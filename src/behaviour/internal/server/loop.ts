/**
 * The loop of a server: takes messages in order, one after the other.
 *
 * It runs on the fiber of the process and takes as many messages as it can in one step. A handler that returns a plain
 * value needs no fiber. An effect that a handler returns runs as a turn on a fiber of its own.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { close } from "../../../kernel/shared/death.ts"
import { roomMade } from "../../../kernel/shared/delivery.ts"
import { nextTurn } from "../../../kernel/shared/hostRound.ts"
import type { Envelope } from "../../../kernel/shared/processRecord.ts"
import { CallEnvelope, CastEnvelope, StopEnvelope } from "../call/envelopes.ts"
import { forgetSender } from "../call/sender.ts"
import { messageDone } from "./answers.ts"
import { crash } from "./crash.ts"
import { terminate } from "./terminate.ts"
import { ServerHandlerContext } from "./handlerContext.ts"
import * as Limits from "./timeLimits.ts"
import { serverOf, type Server } from "./server.ts"
import type { HandlerContext } from "./serverSpec.ts"
import * as Step from "./messagesPerStep.ts"
import { answerSystem, isSystem, stopRequested } from "./systemRequests.ts"
import { turn, warnOfInfo } from "./turn.ts"
import type { Remaining } from "./remaining.ts"

// ---- the loop -----------------------------------------------------------------------------------------------------

/** Takes messages until there are none, a turn has to be waited for, or the server must end. */
const takeMessages = (server: Server): Effect.Effect<void> => {
  const { record } = server
  const { mailbox } = record
  if (Step.hasToWait(mailbox.size)) return inLine
  const share = Step.share(mailbox.size)
  for (let taken = 0, until = Step.first; taken < until || (until = Step.goOn(taken, share)) > taken; taken++) {
    if (!record.isOpen) return Effect.void
    const { continuation, lastDuties } = server
    if (continuation !== undefined) {
      server.continuation = undefined
      // Otherwise a server that always continues would never stop.
      if (continuation.isChained && lastDuties?.stop !== undefined) continue
      const waiting = runContinuation(server, continuation.token)
      if (waiting !== undefined) return Effect.flatMap(waiting, again)
      continue
    }
    if (lastDuties?.stop?.isInLine === false) {
      close(record, lastDuties.stop.reason, "signal")
      return Effect.void
    }
    const next = mailbox.shift()
    if (next === undefined && server.idle?.isDue !== true) {
      if (server.idle !== undefined) Limits.beginIdling(server)
      return rest
    }
    const waiting = next === undefined ? runIdle(server) : take(server, next)
    if (waiting !== undefined) return Effect.flatMap(waiting, again)
  }
  return Step.isFarBehind(mailbox.size) ? pause : inLine
}

/** Waits for a message. */
const park = (server: Server, resume: (effect: Effect.Effect<void>) => void): void => {
  const { record } = server
  forgetSender()
  // A message may have come after the look and before this step. It has woken nobody, because nobody was waiting.
  if (record.mailbox.size > 0 || hasToAct(server)) resume(loop)
  else record.resume = resume
}

const hasToAct = ({ lastDuties, idle, record }: Server): boolean =>
  lastDuties?.stop?.isInLine === false || !record.isOpen || idle?.isDue === true

// ---- one message --------------------------------------------------------------------------------------------------

const take = (server: Server, message: Envelope): Remaining => {
  server.inHand = message
  if (server.idle !== undefined && !isSystem(message)) Limits.stopIdling(server)
  if (server.record.bound !== undefined) roomMade(server.record)
  if (message instanceof CastEnvelope) {
    return turn(
      server,
      message,
      server.spec.handlers[message.tag]!(message.payload, server.state, castContextOf(server))
    )
  }
  if (message instanceof CallEnvelope) {
    message.begun = true
    if (message.systemRequest !== undefined) return answerSystem(server, message, message.systemRequest)
    const context = new ServerHandlerContext(server, message)
    return turn(server, message, server.spec.handlers[message.tag]!(message.payload, server.state, context))
  }
  if (message instanceof StopEnvelope) return stopRequested(server, message)
  return handleInfo(server, message)
}

const castContextOf = (server: Server): HandlerContext =>
  (server.castContext ??= new ServerHandlerContext(server, undefined))

const handleInfo = (server: Server, message: Envelope): Remaining => {
  const { content } = message
  const { info } = server.spec
  if (info !== undefined) return turn(server, message, info(content, server.state, castContextOf(server)))
  messageDone(server, "handled")
  return warnOfInfo(server.record, content)
}

// ---- turns without a message --------------------------------------------------------------------------------------

const runContinuation = (server: Server, token: unknown): Remaining => {
  server.ownTurn = "continue"
  const { continue: handler, id } = server.spec
  if (handler === undefined) return Effect.die(new Error(`${id} has no continue handler`))
  return turn(server, undefined, handler(token, server.state, castContextOf(server)))
}

const runIdle = (server: Server): Remaining => {
  Limits.stopIdling(server)
  Limits.idleAsDefined(server)
  server.ownTurn = "idle"
  const { idle } = server.spec
  if (idle === undefined) {
    close(server.record, ExitReason.normal)
    return Effect.void
  }
  return turn(server, undefined, idle(server.state, castContextOf(server)))
}

// ---- the parts all servers share ----------------------------------------------------------------------------------

/** Takes the next messages. A server that waits for one goes on here. @internal */
export const loop: Effect.Effect<void> = Effect.withFiber((fiber) => takeMessages(serverOf(fiber)))
const again = (): Effect.Effect<void> => loop
const pause: Effect.Effect<void> = Effect.flatMap(Effect.yieldNow, again)
const inLine: Effect.Effect<void> = Effect.flatMap(nextTurn, again)
const rest: Effect.Effect<void> = Effect.callback<void>((resume) => park(serverOf(Fiber.getCurrent()!), resume))

/** Handles messages until the server is to end, then ends it. @internal */
export const serve: Effect.Effect<void> = Effect.flatMap(
  Effect.catchCause(loop, (cause) =>
    Effect.withFiber((fiber) => {
      crash(serverOf(fiber), cause)
      return Effect.void
    })
  ),
  () => Effect.withFiber((fiber) => terminate(serverOf(fiber)))
)
