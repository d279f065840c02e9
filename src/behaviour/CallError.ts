/**
 * Says why a call got no answer.
 *
 * `reason` says what happened. `started` says whether the server may have begun the call: after `started: "no"` a retry
 * is safe. To handle one reason, use `Effect.catchReason("CallError", "Timeout", …)`.
 *
 * **In Erlang/OTP**
 *
 * The exits of `gen_server:call`: `timeout`, `noproc`, `calling_self`, or the reason for which the server died.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { printFields } from "../values/printed.ts"
import * as ExitReason from "../kernel/ExitReason.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * What happened to a call.
 *
 * - `Timeout`: no answer within its timeout.
 * - `NoProcess`: the server is down at the moment, or gone.
 * - `ServerDown`: the server ended before it answered.
 * - `MailboxFull`: its mailbox refused the call.
 * - `CallCycle`: the server waits, directly or through others, for the process that calls. `path` names all of them.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason =
  | { readonly _tag: "Timeout" }
  | { readonly _tag: "NoProcess" }
  | { readonly _tag: "ServerDown"; readonly reason: ExitReason.ExitReason }
  | { readonly _tag: "MailboxFull" }
  | { readonly _tag: "CallCycle"; readonly path: ReadonlyArray<string> }

/**
 * `"no"`: the server never began this call, so a retry is safe. `"unknown"`: it may have begun.
 *
 * @category models
 * @since 0.1.0
 */
export type Started = "no" | "unknown"

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * A call that got no answer.
 *
 * @category errors
 * @since 0.1.0
 */
export class CallError extends Data.TaggedError("CallError")<{
  readonly server: string
  readonly request: string
  readonly reason: Reason
  readonly started: Started
}> {
  override get message() {
    const begun = this.started === "no" ? "the call did not begin" : "the call may have begun"
    return `${this.server}.${this.request}: ${explain(this.reason)} (${begun})`
  }
}

printFields(CallError.prototype)

const explain = (reason: Reason): string => {
  switch (reason._tag) {
    case "Timeout":
      return "no answer within the timeout"
    case "NoProcess":
      return "the server is not running"
    case "ServerDown":
      return `the server ended: ${ExitReason.outline(reason.reason)}`
    case "MailboxFull":
      return "the mailbox of the server is full"
    case "CallCycle":
      return `the call would wait for itself: ${reason.path.join(" → ")}`
  }
}
