/** Why a call got no answer. */
import * as Schema from "effect/Schema"
import { printFields } from "../../../values/printAs.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { outline } from "../../../kernel/shared/shownReason.ts"

const id = <const Tag extends string>(tag: Tag) => `effect-otp/behaviour/GenServer/${tag}` as const

export class Timeout extends Schema.TaggedError<Timeout>(id("Timeout"))("Timeout", {}) {
  static {
    this.prototype.name = "Timeout"
  }

  override get message(): string {
    return "no answer within the timeout"
  }

  /** Whether another attempt may succeed. */
  get isRetryable(): boolean {
    return true
  }
}

export class NoProcess extends Schema.TaggedError<NoProcess>(id("NoProcess"))("NoProcess", {}) {
  static {
    this.prototype.name = "NoProcess"
  }

  override get message(): string {
    return "the server is not running"
  }

  /** Whether another attempt may succeed. */
  get isRetryable(): boolean {
    return true
  }
}

export class ServerDown extends Schema.TaggedError<ServerDown>(id("ServerDown"))("ServerDown", {
  reason: ExitReason.ExitReason
}) {
  static {
    this.prototype.name = "ServerDown"
    printFields(this.prototype)
  }

  override get message(): string {
    return `the server ended: ${outline(this.reason)}`
  }

  /** Whether another attempt may succeed. */
  get isRetryable(): boolean {
    return true
  }
}

export class MailboxFull extends Schema.TaggedError<MailboxFull>(id("MailboxFull"))("MailboxFull", {}) {
  static {
    this.prototype.name = "MailboxFull"
  }

  override get message(): string {
    return "the mailbox of the server is full"
  }

  /** Whether another attempt may succeed. */
  get isRetryable(): boolean {
    return true
  }
}

export class CallCycle extends Schema.TaggedError<CallCycle>(id("CallCycle"))("CallCycle", {
  path: Schema.Array(Schema.String)
}) {
  static {
    this.prototype.name = "CallCycle"
  }

  override get message(): string {
    return `the call would wait for itself: ${this.path.join(" → ")}`
  }

  /** Whether another attempt may succeed: it would wait for itself again. */
  get isRetryable(): boolean {
    return false
  }
}

export type CallReason = Timeout | NoProcess | ServerDown | MailboxFull | CallCycle

export const CallReason: Schema.Union<
  readonly [typeof Timeout, typeof NoProcess, typeof ServerDown, typeof MailboxFull, typeof CallCycle]
> = Schema.Union([Timeout, NoProcess, ServerDown, MailboxFull, CallCycle])
