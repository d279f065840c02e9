/**
 * One turn of a server: from what a handler returns to what is left afterwards.
 *
 * A turn that is an effect runs on a fiber of its own. Children that it forks end with the message. An exit signal
 * interrupts the turn, and the loop lives on to run `terminate`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { describe } from "../../../values/describe.ts"
import { close } from "../../../kernel/shared/death.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import { warn } from "../../../kernel/shared/warnings.ts"
import type { Envelope, ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { CallEnvelope, isTypedFailure } from "../call/envelopes.ts"
import { serverDown } from "../call/makeCallError.ts"
import { dropLateReply } from "../call/lateReply.ts"
import { withMessageContext } from "../call/messageContext.ts"
import { answer, leaveForLater, messageDone, requestOf, messageContextOf } from "./answers.ts"
import * as Limits from "./timeLimits.ts"
import type { Next, Options } from "./handlerAnswer.ts"
import { lastDutiesOf, type Server } from "./server.ts"
import type { Remaining } from "./remaining.ts"

/** Undefined if the turn is over already, else an effect to wait for. @internal */
export const turn = (server: Server, message: Envelope | undefined, given: unknown): Remaining => {
  if (!Effect.isEffect(given)) return apply(server, message, given as Next)
  return runTurn(server, message, given as Effect.Effect<Next, unknown>)
}

// ---- a turn that is an effect -------------------------------------------------------------------------------------

const runTurn = (server: Server, message: Envelope | undefined, effect: Effect.Effect<Next, unknown>): Remaining => {
  if (Exit.isExit(effect)) return turnEnded(server, message, effect as Exit.Exit<Next, unknown>)
  const { record } = server
  const scope = Scope.makeUnsafe()
  let context: Context.Context<never> = Context.add(record.context, Scope.Scope, scope)
  const messageContext = messageContextOf(message)
  if (messageContext !== undefined) context = withMessageContext(context, messageContext)
  const fiber = Effect.runForkWith(context)(
    Effect.withFiber<Next, unknown>((fiber) => {
      record.turn = fiber
      return effect
    })
  )
  const exit = fiber.pollUnsafe()
  const closed = (exit: Exit.Exit<Next, unknown>) => closeTurnScope(server, message, { scope, exit })
  if (exit !== undefined) return closed(exit)
  Limits.limitTurn(server, message)
  return Effect.flatMap(awaitFiber(fiber), (exit) => closed(exit) ?? Effect.void)
}

/** A turn ends only when its finalizers have ended. */
const closeTurnScope = (
  server: Server,
  message: Envelope | undefined,
  { exit, scope }: { readonly scope: Scope.Closeable; readonly exit: Exit.Exit<Next, unknown> }
): Remaining => {
  if (scope.state._tag !== "Open") {
    scope.state = closedScope
    return turnEnded(server, message, exit)
  }
  Limits.limitTurn(server, message)
  return Effect.flatMap(Effect.exit(Scope.close(scope, exit)), (closed) => {
    const result = closed._tag === "Failure" ? Exit.failCause(closed.cause) : exit
    return turnEnded(server, message, result) ?? Effect.void
  })
}

const turnEnded = (server: Server, message: Envelope | undefined, exit: Exit.Exit<Next, unknown>): Remaining => {
  const { record } = server
  record.turn = undefined
  if (server.turnLimit !== undefined) Limits.endTurnLimit(server)
  // The server was killed or ended by a signal, so the result of the turn has no effect.
  if (!record.isOpen) return tooLate(server, message, exit._tag === "Success" ? exit.value : undefined)
  if (exit._tag === "Success") return apply(server, message, exit.value)
  if (message instanceof CallEnvelope && isTypedFailure(exit.cause)) {
    server.watch?.answered(message.tag, exit)
    answer(server, message, Exit.failCause(exit.cause))
    return undefined
  }
  return Effect.failCause(exit.cause) as Effect.Effect<never>
}

/** Counts the message of a turn that ended after the server had closed. */
const tooLate = (server: Server, message: Envelope | undefined, next: Next | undefined): undefined => {
  if (message !== undefined && server.inHand === message) messageDone(server, "failed")
  const answered = next?._tag === "Reply" || next?._tag === "StopReply"
  if (answered && message instanceof CallEnvelope) dropLateReply(message)
}

// ---- what a turn leaves behind ------------------------------------------------------------------------------------

/** Applies what a handler has returned. */
const apply = (server: Server, message: Envelope | undefined, next: Next): undefined => {
  const { record, spec } = server
  if (!record.isOpen) return tooLate(server, message, next)
  const call = message instanceof CallEnvelope ? message : undefined
  const tag = next?._tag
  if (call === undefined && (tag === "Reply" || tag === "StopReply"))
    throw new RangeError(repliedToNobody(displayName(record), requestOf(server, message), tag))
  if (server.watch !== undefined) server.watch.turned(call?.tag, next)
  if (tag === "Reply" || tag === "NoReply") {
    if (message !== undefined && server.idle?.millis !== spec.idleMillis) Limits.idleAsDefined(server)
    if (next.options !== undefined) applyOptions(server, next.options, message === undefined)
    server.state = next.state
    if (tag === "Reply") answer(server, call!, Exit.succeed(next.value))
    else if (call === undefined) messageDone(server, "handled")
    else leaveForLater(server, call)
    return
  }
  if (tag !== "Stop" && tag !== "StopReply")
    throw new RangeError(
      `${spec.id}: a handler answered with ${describe(next)}. Use GenServer.reply, noReply, stop or stopReply`
    )
  server.state = next.state
  if (tag === "StopReply") lastDutiesOf(server).reply = { call: call!, value: next.value }
  messageDone(server, "handled")
  if (tag === "Stop" && call !== undefined) call.failWith(serverDown(next.reason))
  close(record, next.reason)
}

/** Applies what a turn or `init` has asked for besides its state. @internal */
export const applyOptions = (server: Server, options: Options, isOwnTurn: boolean): void => {
  if ("continue" in options) {
    server.continuation = { token: options.continue, isChained: isOwnTurn && server.ownTurn === "continue" }
  }
  if (options.idle !== undefined) Limits.idleFor(server, options.idle)
}

// ---- parts --------------------------------------------------------------------------------------------------------

const awaitFiber = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.callback<Exit.Exit<A, E>>((resume) => {
    fiber.addObserver((exit) => resume(Exit.succeed(exit)))
  })

/** The scope in the environment of a fiber that goes on after the turn that forked it. */
const closedScope: Scope.State.Closed = { _tag: "Closed", exit: Exit.void }

/** Warns that a message came which no handler handles. @internal */
export const warnOfInfo = (record: ProcessRecord, content: unknown): undefined => {
  const name = displayName(record)
  warn(record, `${record.label ?? name}: info`, () => ({
    text: `${name} has no info handler, so it ignored a message`,
    fields: { message: content }
  }))
}

/** The error for an answer to a message that has no caller. */
const repliedToNobody = (server: string, request: string, tag: "Reply" | "StopReply"): string => {
  const [replied, wanted] = tag === "Reply" ? ["reply", "noReply"] : ["stopReply", "stop"]
  return (
    `${server}: the handler of "${request}" used GenServer.${replied}, but nobody waits for an answer. ` +
    `Use GenServer.${wanted}`
  )
}
