/** Why a call got no answer. */
import * as Data from "effect/Data"
import { printFields } from "../../../values/printAs.ts"
import type * as ExitReason from "../../../kernel/ExitReason.ts"
import { outline } from "../../../kernel/shared/shownReason.ts"

export type CallReason =
  | { readonly _tag: "Timeout" }
  | { readonly _tag: "NoProcess" }
  | { readonly _tag: "ServerDown"; readonly reason: ExitReason.ExitReason }
  | { readonly _tag: "MailboxFull" }
  | { readonly _tag: "CallCycle"; readonly path: ReadonlyArray<string> }

export type CallStarted = "no" | "unknown"

export class CallError extends Data.TaggedError("CallError")<{
  readonly server: string
  readonly request: string
  readonly reason: CallReason
  readonly started: CallStarted
}> {
  override get message() {
    const begun = this.started === "no" ? "the call did not begin" : "the call may have begun"
    return `${this.server}.${this.request}: ${explain(this.reason)} (${begun})`
  }
}

printFields(CallError.prototype)

const explain = (reason: CallReason): string => {
  switch (reason._tag) {
    case "Timeout":
      return "no answer within the timeout"
    case "NoProcess":
      return "the server is not running"
    case "ServerDown":
      return `the server ended: ${outline(reason.reason)}`
    case "MailboxFull":
      return "the mailbox of the server is full"
    case "CallCycle":
      return `the call would wait for itself: ${reason.path.join(" → ")}`
  }
}
