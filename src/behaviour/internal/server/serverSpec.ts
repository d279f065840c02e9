/** What `define` says about a server, without its types. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import type { Handle } from "../../../kernel/Handle.ts"
import type { Bound } from "../../../kernel/Mailbox.ts"
import type { MessageContext } from "../call/messageContext.ts"
import type { ProcessView } from "../../../kernel/shared/processView.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** What a handler can use besides its message and its state. @internal */
export interface HandlerContext {
  readonly self: unknown
  /** Where to send the answer later. */
  readonly from: unknown
  /** What travels with a message that it sends now. */
  readonly messageContext: MessageContext | undefined
}

/** @internal */
export type Handler = (message: unknown, state: unknown, context: HandlerContext) => unknown

/** @internal */
export interface ServerSpec {
  readonly id: string
  /** What listings show of its servers. */
  readonly view: ProcessView
  readonly handlers: Readonly<Record<string, Handler>>
  readonly info: Handler | undefined
  readonly continue: Handler | undefined
  readonly idle: ((state: unknown, context: HandlerContext) => unknown) | undefined
  readonly terminate: ((reason: ExitReason, state: unknown) => Effect.Effect<unknown, unknown>) | undefined
  readonly formatStatus: ((status: Status) => Shown) | undefined
  readonly lens: Lens | undefined
  readonly makeClient: (target: HandleTarget) => Handle<unknown>
  readonly mailbox: Bound | undefined
  readonly drain: boolean
  /** How long it may wait for a message, unless a turn sets another time. */
  readonly idleMillis: number | undefined
  /** How long a turn may take. */
  readonly turnMillis: number | undefined
}

/**
 * The part of a server's state that belongs to its user, if that is not all of it, and what else the state tells.
 * @internal
 */
export interface Lens {
  readonly get: (state: unknown) => unknown
  readonly set: (state: unknown, value: unknown) => unknown
  /** How many messages it has put aside: they have no fate yet, although their turns are over. */
  readonly held: (state: unknown) => number
  /** What a turn in this state is about: the message that came, or undefined for a turn without one. */
  readonly subject: (state: unknown, content: unknown) => unknown
  /** The events and timers of a state machine. */
  readonly machine: (state: unknown) => MachineStatus
}

/** A timer that a state machine has set. */
export interface MachineTimer {
  /** The name of the timer. The two timers without a name of their own are `"state timer"` and `"event timer"`. */
  readonly name: string
  /** How long it still runs. Zero if it is due. */
  readonly left: Duration.Duration
  /** The event that it will give. */
  readonly event: unknown
}

/** What a state machine has to handle besides the messages in its mailbox. */
export interface MachineStatus {
  /** Events that come before the next message, in order: inserted events, and postponed ones that come again. */
  readonly queue: ReadonlyArray<unknown>
  /** Postponed events, the oldest first. */
  readonly postponed: ReadonlyArray<unknown>
  /** In the order in which they were set. */
  readonly timers: ReadonlyArray<MachineTimer>
}

/** What can be shown of a server. There is a reason only once it crashes. @internal */
export interface Status {
  readonly state: unknown
  readonly message: unknown
  readonly reason: ExitReason | undefined
  /** For a state machine, as long as it has not crashed. */
  readonly machine?: MachineStatus | undefined
}

/** What is shown. If it gives no reason, the real one is shown. @internal */
export interface Shown {
  readonly state: unknown
  readonly message: unknown
  readonly reason?: ExitReason | undefined
  readonly machine?: MachineStatus | undefined
}
