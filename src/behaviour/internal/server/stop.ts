/** Stops a server from outside, when the request's turn comes. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { post } from "../../../kernel/shared/delivery.ts"
import { currentProcessUnsafe, type ProcessRecord, type Wait } from "../../../kernel/shared/processRecord.ts"
import { awaitEnd } from "../../../kernel/Shutdown.ts"
import { findCycleUnsafe, duringWait, waitForEnd, cycleNames } from "../../../kernel/shared/waitCycles.ts"
import type { CallError } from "../call/callError.ts"
import type { CallReason } from "../call/callReason.ts"
import { callCycle, makeCallError, noProcess, serverDown, timeout } from "../call/makeCallError.ts"
import { StopEnvelope } from "../call/envelopes.ts"
import { isServer } from "./serverKind.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** @internal */
export const stopServer = (
  target: HandleTarget,
  options: { readonly reason: ExitReason.ExitReason; readonly timeout: Duration.Duration }
): Effect.Effect<void, CallError> =>
  Effect.withFiber((fiber) => {
    const server = target.current ?? stillEnding(target)
    if (server === undefined) return Effect.fail(failure(target, noProcess, "no"))
    const from = currentProcessUnsafe(fiber)
    const wait = waitForEnd(server)
    const cycle = from === undefined ? undefined : cycleOf(from, fiber, server, wait)
    if (cycle !== undefined) return Effect.fail(failure(target, callCycle(cycleNames(cycle)), "no"))
    post(server, new StopEnvelope(options.reason, from), isSuspended(server) ? undefined : () => {})
    // The request of a killed process is discarded, so there is nothing to wait for.
    if (from?.wasKilled === true) {
      return Effect.fail(failure(target, serverDown(ExitReason.killed), "no"))
    }
    const ending = Effect.timeoutOption(awaitEnd(server), options.timeout)
    return Effect.flatMap(duringWait(wait, ending), (ended) =>
      Option.isNone(ended) ? Effect.fail(failure(target, timeout, "unknown")) : check(target, server, options.reason)
    )
  })

/** A server that is ending also waits for its own fibers. */
const cycleOf = (from: ProcessRecord, fiber: Fiber.Fiber<unknown, unknown>, server: ProcessRecord, wait: Wait) => {
  if (from.isOwn(fiber)) return findCycleUnsafe(from, wait.blockers)
  return from === server && !server.isOpen ? [from, server] : undefined
}

/** A suspended server makes no room in its mailbox, so the request would wait in vain. */
const isSuspended = (server: ProcessRecord): boolean => isServer(server) && server.data.suspended

const stillEnding = ({ last }: HandleTarget): ProcessRecord | undefined => (last?.isAlive === true ? last : undefined)

const check = (target: HandleTarget, server: ProcessRecord, wanted: ExitReason.ExitReason) => {
  const reason = server.reason ?? ExitReason.normal
  return Equal.equals(reason, wanted) ? Effect.void : Effect.fail(failure(target, serverDown(reason), "unknown"))
}

const failure = (target: HandleTarget, reason: CallReason, started: "no" | "unknown"): CallError =>
  makeCallError({ server: target.displayName, request: "terminate", reason, started })
