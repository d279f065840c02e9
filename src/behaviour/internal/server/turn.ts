/** What a turn runs in, if it is an effect. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { type Envelope, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { CallEnvelope, CastEnvelope } from "../call/envelopes.ts"
import type * as Travel from "../call/travel.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import { warn } from "../../../kernel/shared/reports.ts"

/** @internal */
export const awaitFiber = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.callback<Exit.Exit<A, E>>((resume) => {
    fiber.addObserver((exit) => resume(Exit.succeed(exit)))
  })

/** What came with a message. @internal */
export const travelOf = (message: Envelope | undefined): Travel.Travel | undefined =>
  message instanceof CastEnvelope || message instanceof CallEnvelope ? message.travel : undefined

/** What a fiber that outlives the message finds in place of its scope. @internal */
export const closedScope: Scope.State.Closed = { _tag: "Closed", exit: Exit.void }

/** Says that a message came that nothing handles. @internal */
export const warnOfInfo = (record: ProcessRecord, content: unknown): undefined => {
  const name = displayName(record)
  warn(record, `${record.label ?? name}: info`, () => ({
    text: `${name} has no handler for info messages`,
    fields: { message: content }
  }))
}

/** A handler has answered a message that has no caller. @internal */
export const repliedToNobody = (server: string, request: string, tag: "Reply" | "StopReply"): string => {
  const [replied, wanted] = tag === "Reply" ? ["reply", "noReply"] : ["stopReply", "stop"]
  return (
    `${server}: the handler of "${request}" used GenServer.${replied}, but nobody waits for an answer. ` +
    `Use GenServer.${wanted}`
  )
}
