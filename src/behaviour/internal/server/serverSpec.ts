/** What `define` says about a server, without its types. */
import type * as Effect from "effect/Effect"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import type { Handle, HandleTarget } from "../../../kernel/Handle.ts"
import type { Bound } from "../../../kernel/Mailbox.ts"
import type { Travel } from "../call/travel.ts"

/** What a handler can reach beside its message and its state. @internal */
export interface HandlerContext {
  readonly self: unknown
  /** Whom it may answer later. */
  readonly from: unknown
  /** What goes with a message that it sends now. */
  readonly travel: Travel | undefined
}

/** @internal */
export type Handler = (message: unknown, state: unknown, context: HandlerContext) => unknown

/** @internal */
export interface ServerSpec {
  readonly id: string
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
  /** How long it may go without a message, where a turn does not say. */
  readonly idleMillis: number | undefined
  /** How long a turn may take. */
  readonly turnMillis: number | undefined
}

/** What of a server's state is its user's, if it is not all of it; and what else the state knows. @internal */
export interface Lens {
  readonly get: (state: unknown) => unknown
  readonly set: (state: unknown, value: unknown) => unknown
  /** How many messages it has put aside: they have no fate yet, although their turns are over. */
  readonly held: (state: unknown) => number
  /** What a turn in this state is about, if it began with what has come, or with nothing. */
  readonly subject: (state: unknown, content: unknown) => unknown
}

/** What there is to show of a server; the reason only once it crashes. @internal */
export interface Status {
  readonly state: unknown
  readonly message: unknown
  readonly reason: ExitReason | undefined
}

/** What is shown. Without a reason that stays as it is. @internal */
export interface Shown {
  readonly state: unknown
  readonly message: unknown
  readonly reason?: ExitReason | undefined
}
