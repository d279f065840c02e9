/** The messages in the mailbox of a server. */
import type * as Cause from "effect/Cause"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { describe } from "../../../values/describe.ts"
import { callGuarded } from "../../../values/guard.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import type { Fate } from "../../../kernel/Accounting.ts"
import * as Events from "../../../kernel/Events.ts"
import type * as ExitReason from "../../../kernel/ExitReason.ts"
import { withdraw } from "../../../kernel/shared/delivery.ts"
import type { EndedBy } from "../../../kernel/shared/life.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import type { Envelope, ProcessRecord, Refusal } from "../../../kernel/shared/processRecord.ts"
import { warn } from "../../../kernel/shared/reports.ts"
import { names } from "../../../kernel/shared/waiting.ts"
import { resumeLater } from "../../../kernel/shared/waitUntil.ts"
import { CallError, type Reason, type Started } from "../../CallError.ts"
import type { Travel } from "./travel.ts"
import { disarm, type Deadline } from "../../../kernel/shared/deadlines.ts"

/** @internal */
export class CastEnvelope implements Envelope {
  readonly tag: string
  readonly payload: unknown
  readonly from: ProcessRecord | undefined
  readonly travel: Travel | undefined

  constructor(tag: string, payload: unknown, from: ProcessRecord | undefined, travel: Travel | undefined) {
    this.tag = tag
    this.payload = payload
    this.from = from
    this.travel = travel
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

/** How many answers may resume their callers inside one another before one has to take its turn with the dispatcher. */
const MAX_DEPTH = 16

/** What makes a call. @internal */
export interface CallParts {
  readonly tag: string
  readonly payload: unknown
  readonly from: ProcessRecord | undefined
  readonly travel: Travel | undefined
  readonly server: ProcessRecord
  readonly caller: Fiber.Fiber<unknown, unknown>
  readonly resume: (exit: Effect.Effect<unknown, unknown>) => void
  /** What the process of the server itself is asked. Undefined: its handlers answer the call. */
  readonly request: SystemRequest | undefined
}

/** What is asked of a server beside its handlers. It must not throw. @internal */
export type SystemRequest = (server: never) => Exit.Exit<unknown, unknown>

/**
 * A call: it ends exactly once, with an answer, a typed failure, a `CallError`, or because its caller left.
 *
 * As an effect it does what an interrupted caller has to: it leaves.
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
  readonly travel: Travel | undefined
  readonly server: ProcessRecord
  readonly request: SystemRequest | undefined
  private readonly caller: Fiber.Fiber<unknown, unknown>
  private resume: ((exit: Effect.Effect<unknown, unknown>) => void) | undefined
  /** Set when the caller has gone, by interruption or timeout, after the call had begun. */
  abandoned = false
  begun = false
  /** Where the server keeps it, if it has left the answer for later. */
  keptIn: Set<CallEnvelope> | undefined = undefined

  constructor(options: CallParts) {
    super()
    this.tag = options.tag
    this.payload = options.payload
    this.from = options.from
    this.travel = options.travel
    this.server = options.server
    this.caller = options.caller
    this.resume = options.resume
    this.request = options.request
  }

  get content(): unknown {
    return this.request === undefined ? { _tag: this.tag, payload: this.payload } : { _tag: this.tag }
  }

  get shared(): unknown {
    return this.payload
  }

  /** What its process is asked has to reach it: no bound holds that off. */
  get isControl(): boolean {
    return this.request !== undefined
  }

  asEffect(): Effect.Effect<void> {
    this.leave()
    return Exit.void
  }

  /** Whom its caller waits for. */
  get blockers(): ReadonlyArray<ProcessRecord> {
    return [this.server]
  }

  /** Its caller would wait for itself. */
  fail(round: ReadonlyArray<ProcessRecord>): boolean {
    if (this.isDone) return false
    const { begun } = this
    const exit = Exit.fail(this.error({ _tag: "CallCycle", path: names(round) }, begun ? "unknown" : "no"))
    const resume = this.resume!
    this.leave()
    resumeLater(this.caller, resume, exit)
    return true
  }

  /** From now on others may answer it: its caller does not wait for the turns of the server any more. */
  handOver(): void {
    if (this.from !== undefined && this.from.waitingFor === this) this.from.waitingFor = undefined
  }

  get isDone(): boolean {
    return this.resume === undefined
  }

  /** Gives the caller its answer; false if it has one already or has left. */
  finish(exit: Exit.Exit<unknown, unknown>): boolean {
    const resume = this.resume
    if (resume === undefined) return false
    this.end()
    const kernel = this.server.kernel
    // A chain of answers that resume one another would run out of stack: past a few, take a turn.
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
  failWith(reason: Reason): boolean {
    const started: Started = this.begun ? "unknown" : "no"
    return !this.isDone && this.later(Exit.fail(this.error(reason, started)))
  }

  private error(reason: Reason, started: Started): CallError {
    return new CallError({ server: displayName(this.server), request: this.tag, reason, started })
  }

  /** From a kernel step: no code of the caller may run in it. */
  private later(exit: Exit.Exit<unknown, unknown>): true {
    const resume = this.resume!
    this.end()
    resumeLater(this.caller, resume, exit)
    return true
  }

  /** The caller does not wait any more: a call that has not begun is withdrawn, one that has is abandoned. */
  leave(): void {
    if (this.isDone) return
    this.end()
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
    const started: Started = this.begun ? "unknown" : "no"
    this.leave()
    resume(Exit.fail(this.error({ _tag: "Timeout" }, started)))
  }

  refuse(why: Refusal): Fate {
    this.failWith(refusalReason(this.server, why))
    return "returned"
  }

  private end(): void {
    this.resume = undefined
    disarm(this)
    this.handOver()
  }

  /** An answer that came too late. */
  countLate(): void {
    const { kernel } = this.server
    kernel.lateReplies++
    if (!Telemetry.isActiveUnsafe(kernel.telemetry, Events.lateReply)) return
    const about = { pid: this.server, displayName: displayName(this.server), request: this.tag }
    Telemetry.executeUnsafe(kernel.telemetry, Events.lateReply, { count: 1 }, about)
  }
}

/** A server that was dead already is no process to call; one that is ending says why. */
const refusalReason = (server: ProcessRecord, why: Refusal): Reason => {
  if (why._tag === "Full") return { _tag: "MailboxFull" }
  return server.status === "dead" ? { _tag: "NoProcess" } : { _tag: "ServerDown", reason: why.reason }
}

/** Asks a server to stop when its turn comes. @internal */
export class StopEnvelope implements Envelope {
  readonly from: ProcessRecord | undefined
  readonly reason: ExitReason.ExitReason

  /** Who ends the server by it: whoever asked for a stop, or its parent. */
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

/** The typed failure of a turn, if that is all its cause holds. @internal */
export const isTypedFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.length > 0 && cause.reasons.every((reason) => reason._tag === "Fail")
