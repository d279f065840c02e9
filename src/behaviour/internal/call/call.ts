/** A call before it is sent, and the error with which it is refused. */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { cycleNames } from "../../../kernel/shared/waitCycles.ts"
import type { CallError } from "./callError.ts"
import type { CallReason } from "./callReason.ts"
import { callCycle, makeCallError, noProcess, serverDown } from "./makeCallError.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** @internal */
export interface Call {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly target: HandleTarget
  readonly tag: string
  readonly payload: unknown
  readonly from: ProcessRecord | undefined
  readonly millis: number
}

/** Sends a call to the run of a server that is up. @internal */
export type Ask = (call: Call, server: ProcessRecord) => Effect.Effect<unknown, unknown>

/** @internal */
export const downReason = (target: HandleTarget): CallReason =>
  target.goneReason === undefined || target.goneReason._tag === "Normal" ? noProcess : serverDown(target.goneReason)

/** Fails a call because its caller would wait for itself. @internal */
export const failWithCycle = (call: Call, cycle: ReadonlyArray<ProcessRecord>): Effect.Effect<never, CallError> => {
  call.from!.waitingFor = undefined
  return Exit.fail(callErrorOf(call, callCycle(cycleNames(cycle))))
}

/** @internal */
export const callErrorOf = (call: Call, reason: CallReason): CallError =>
  makeCallError({ server: call.target.displayName, request: call.tag, reason, started: "no" })
