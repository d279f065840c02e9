/** What `define` says about a server, without its types. */
import type * as Effect from "effect/Effect"
import type { ExitReason } from "../../kernel/ExitReason.ts"
import type { Handle, HandleTarget } from "../../kernel/Handle.ts"
import type { Bound } from "../../kernel/Mailbox.ts"
import type { HandlerContext } from "./handlerContext.ts"

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
  readonly formatStatus: ((status: Status) => Status) | undefined
  readonly lens: Lens | undefined
  readonly makeClient: (target: HandleTarget) => Handle<unknown>
  readonly mailbox: Bound | undefined
  readonly drain: boolean
}

/** What of a server's state is its user's, if it is not all of it. @internal */
export interface Lens {
  readonly get: (state: unknown) => unknown
  readonly set: (state: unknown, value: unknown) => unknown
}

/** What a crash report shows. @internal */
export interface Status {
  readonly state: unknown
  readonly message: unknown
}
