/** What a handler returns, without its types. */
import type * as Duration from "effect/Duration"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import { keepShape } from "../../../kernel/shared/keepShape.ts"

/** @internal */
export interface Options {
  readonly continue?: unknown
  readonly idle?: Duration.Input | undefined
}

/** @internal */
export type Next =
  | { readonly _tag: "Reply"; readonly value: unknown; readonly state: unknown; readonly options: Options | undefined }
  | { readonly _tag: "NoReply"; readonly state: unknown; readonly options: Options | undefined }
  | { readonly _tag: "Stop"; readonly reason: ExitReason; readonly state: unknown }
  | { readonly _tag: "StopReply"; readonly reason: ExitReason; readonly value: unknown; readonly state: unknown }

/** The `continue` that a turn has asked for. @internal */
export interface Continuation {
  readonly token: unknown
  /** Whether that turn was a `continue`, too. */
  readonly isChained: boolean
}

/** What `init` returns if it gives more than the state. @internal */
export class InitResult {
  readonly state: unknown
  readonly options: Options
  constructor(state: unknown, options: Options) {
    this.state = state
    this.options = options
  }
}

keepShape(
  { _tag: "Reply", value: undefined, state: undefined, options: undefined } satisfies Next,
  { _tag: "NoReply", state: undefined, options: undefined } satisfies Next
)
