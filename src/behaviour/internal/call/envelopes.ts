/** The messages in the mailbox of a server. */
import type * as Cause from "effect/Cause"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { describe } from "../../../values/describe.ts"
import { callGuarded } from "../../../values/guard.ts"
import type { Fate } from "../../../kernel/Accounting.ts"
import type * as ExitReason from "../../../kernel/ExitReason.ts"
import { withdraw } from "../../../kernel/shared/delivery.ts"
import type { EndedBy } from "../../../kernel/shared/life.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import { keepShape } from "../../../kernel/shared/keepShape.ts"
import type { Envelope, ProcessRecord, Refusal } from "../../../kernel/shared/processRecord.ts"
import { warn } from "../../../kernel/shared/warnings.ts"
import { cycleNames } from "../../../kernel/shared/waitCycles.ts"
import { resumeLater } from "../../../kernel/shared/waitUntil.ts"
import type { CallError, CallStarted } from "./callError.ts"
import type { CallReason } from "./callReason.ts"
import { callCycle, mailboxFull, makeCallError, noProcess, serverDown, timeout } from "./makeCallError.ts"
import type { MessageContext } from "./messageContext.ts"
import { disarm, type Deadline } from "../../../kernel/shared/deadlines.ts"

/** @internal */
export class CastEnvelope implements Envelope {
  readonly tag: string
  readonly payload: unknown
  readonly from: ProcessRecord | undefined
  readonly messageContext: MessageContext | undefined

  constructor(
    tag: string,
    payload: unknown,
    from: ProcessRecord | undefined,
    messageContext: MessageContext | undefined
  ) {
    this.tag = tag
    this.payload = payload
    this.from = from
    this.messageContext = messageContext
  }

  get content(): unknown {
    return { _tag: this.tag, payload: this.payload }
  }

  get shared(): unknown {
    return this.payload
  }

  refuse(): Fate {
    return "deadLettered"
  }
}

/** How many resumed callers may be nested in each other. Deeper answers go through the dispatcher. */
const MAX_DEPTH = 16

/** The parts of a call. @internal */
export interface CallParts {
  readonly tag: string
  readonly payload: unknown
  readonly from: ProcessRecord | undefined
  readonly messageContext: MessageContext | undefined
  readonly server: ProcessRecord
  readonly caller: Fiber.Fiber<unknown, unknown>
  readonly resume: (exit: Effect.Effect<unknown, unknown>) => void
  /** A request to the process of the server itself. Undefined if its handlers answer the call. */
  readonly systemRequest: SystemRequest | undefined
}

/** A request that bypasses the handlers of a server. It must not throw. @internal */
export type SystemRequest = (server: never) => Exit.Exit<unknown, unknown>

/**
 * A call. It ends exactly once: with an answer, a typed failure, a `CallError`, or because its caller left.
 *
 * It is also the effect that an interrupted caller runs: to leave the call.
 *
 * @internal
 */
export class CallEnvelope extends Effectable.Class<void> implements Envelope, Deadline {
  list: Deadline["list"] = undefined
  due = 0
  previous: Deadline["previous"] = undefined
  next: Deadline["next"] = undefined
  readonly tag: string
  readonly payload: unknown
  readonly from: ProcessRecord | undefined
  readonly messageContext: MessageContext | undefined
  readonly server: ProcessRecord
  readonly systemRequest: SystemRequest | undefined
  private readonly caller: Fiber.Fiber<unknown, unknown>
  private resume: ((exit: Effect.Effect<unknown, unknown>) => void) | undefined
  /** Set if the caller left, by interruption or timeout, after the call had begun. */
  abandoned = false
  begun = false
  /** The set in which the server keeps it, if its answer was left for later. */
  keptIn: Set<CallEnvelope> | undefined = undefined

  constructor(options: CallParts) {
    super()
    this.tag = options.tag
    this.payload = options.payload
    this.from = options.from
    this.messageContext = options.messageContext
    this.server = options.server
    this.caller = options.caller
    this.resume = options.resume
    this.systemRequest = options.systemRequest
  }

  get content(): unknown {
    return this.systemRequest === undefined ? { _tag: this.tag, payload: this.payload } : { _tag: this.tag }
  }

  get shared(): unknown {
    return this.payload
  }

  /** No bound refuses a request to the process itself. */
  get isControl(): boolean {
    return this.systemRequest !== undefined
  }

  asEffect(): Effect.Effect<void> {
    this.callerLeft()
    return Exit.void
  }

  /** The process that its caller waits for. */
  get blockers(): ReadonlyArray<ProcessRecord> {
    return [this.server]
  }

  /** Fails the call because its caller would wait for itself. */
  fail(cycle: ReadonlyArray<ProcessRecord>): boolean {
    if (this.isDone) return false
    const { begun } = this
    const exit = Exit.fail(this.error(callCycle(cycleNames(cycle)), begun ? "unknown" : "no"))
    const resume = this.resume!
    this.callerLeft()
    resumeLater(this.caller, resume, exit)
    return true
  }

  /** From now on others may answer it, so its caller no longer waits for the turns of the server. */
  handOver(): void {
    if (this.from !== undefined && this.from.waitingFor === this) this.from.waitingFor = undefined
  }

  get isDone(): boolean {
    return this.resume === undefined
  }

  /** Gives the caller its answer. False if the caller has one already or has left. */
  finish(exit: Exit.Exit<unknown, unknown>): boolean {
    const resume = this.resume
    if (resume === undefined) return false
    this.markDone()
    const { kernel } = this.server
    if (kernel.development !== undefined) kernel.development.answers(this.server, this.tag)
    // A chain of answers that resume one another would run out of stack. At this depth it goes on in another task.
    if (kernel.depth >= MAX_DEPTH) {
      resumeLater(this.caller, resume, exit)
      return true
    }
    kernel.depth++
    callGuarded(resume, exit, this)
    kernel.depth--
    return true
  }

  /** An observer of the caller's fiber has thrown. That is not the server's fault. */
  threw(error: unknown): void {
    const server = displayName(this.server)
    const where = { kernel: this.server.kernel, context: this.caller.context }
    const text = () => `A caller of ${server} threw when it got its answer: ${describe(error)}`
    warn(where, `${server}: caller`, () => ({ text: text() }), "Error")
  }

  /** Ends the call without an answer from the server. */
  failWith(reason: CallReason): boolean {
    const started: CallStarted = this.begun ? "unknown" : "no"
    return !this.isDone && this.finishLater(Exit.fail(this.error(reason, started)))
  }

  private error(reason: CallReason, started: CallStarted): CallError {
    return makeCallError({ server: displayName(this.server), request: this.tag, reason, started })
  }

  /** Called in a step of the kernel, in which no code of the caller may run. */
  private finishLater(exit: Exit.Exit<unknown, unknown>): true {
    const resume = this.resume!
    this.markDone()
    resumeLater(this.caller, resume, exit)
    return true
  }

  /** The caller no longer waits. A call that has not begun is withdrawn; one that has begun is abandoned. */
  callerLeft(): void {
    if (this.isDone) return
    this.markDone()
    if (!this.begun) {
      withdraw(this.server, this)
      return
    }
    this.abandoned = true
    this.keptIn?.delete(this)
  }

  expire(): void {
    if (this.isDone) return
    const resume = this.resume!
    const started: CallStarted = this.begun ? "unknown" : "no"
    this.callerLeft()
    resume(Exit.fail(this.error(timeout, started)))
  }

  refuse(why: Refusal): Fate {
    this.failWith(refusalReason(this.server, why))
    return "returned"
  }

  private markDone(): void {
    this.resume = undefined
    disarm(this)
    this.handOver()
  }
}

/** `NoProcess` if the server was dead already; `ServerDown` with the reason if it is ending. @internal */
export const refusalReason = (server: ProcessRecord, why: Refusal): CallReason => {
  if (why._tag === "Full") return mailboxFull
  return server.phase === "dead" ? noProcess : serverDown(why.reason)
}

/** Asks a server to stop when the message's turn comes. @internal */
export class StopEnvelope implements Envelope {
  readonly from: ProcessRecord | undefined
  readonly reason: ExitReason.ExitReason

  /** What the end counts as: the server's own stop, or its parent's signal. */
  readonly by: EndedBy

  constructor(reason: ExitReason.ExitReason, from: ProcessRecord | undefined, by: EndedBy = "itself") {
    this.reason = reason
    this.from = from
    this.by = by
  }

  get content(): unknown {
    return { _tag: "Stop", reason: this.reason }
  }

  get isControl(): boolean {
    return true
  }

  refuse(): Fate {
    return "returned"
  }
}

/** Whether a cause holds only typed failures. @internal */
export const isTypedFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.length > 0 && cause.reasons.every((reason) => reason._tag === "Fail")

const exampleOfCall = new CallEnvelope({
  tag: "",
  payload: undefined,
  from: undefined,
  messageContext: undefined,
  server: undefined!,
  caller: undefined!,
  resume: () => {},
  systemRequest: undefined
})
// A time is seldom a whole number.
exampleOfCall.due = 0.5
keepShape(new CastEnvelope("", undefined, undefined, undefined), exampleOfCall)
