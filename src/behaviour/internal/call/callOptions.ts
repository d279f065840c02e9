/** How a call waits for its answer. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"

/** @internal */
export interface CallOptions {
  readonly timeout?: Duration.Input | "inherit" | undefined
  readonly whenDown?: "fail" | "wait" | undefined
}

/** The options of calls that do not give their own. @internal */
export const CallDefaults: Context.Reference<CallOptions> = Context.Reference<CallOptions>(
  "effect-otp/behaviour/GenServer/CallDefaults",
  { defaultValue: () => ({}) }
)
