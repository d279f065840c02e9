/**
 * Says that a turn of a server took longer than the server allows.
 *
 * It is the defect in the cause of the crash: the server ends with `Crash`, and its supervisor decides. Callers see it in
 * the `ServerDown` of their `CallError`.
 *
 * **In Erlang/OTP**
 *
 * Nothing of the kind. A stuck `gen_server` stays stuck until somebody kills it.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * A turn that was not over within the `turnTimeout` of its server.
 *
 * **Details**
 *
 * `request` is the tag of the message whose turn it was; `"info"`, `"continue"` or `"idle"` where the turn was about no
 * message of the protocol. An event of a state machine that has a `_tag` is named by that, and its first turn `"start"`.
 *
 * @category errors
 * @since 0.1.0
 */
export class TurnTimeout extends Data.TaggedError("TurnTimeout")<{
  readonly server: string
  readonly request: string
  readonly timeout: Duration.Duration
}> {
  override get message() {
    return `${this.server}.${this.request}: the turn took longer than ${Duration.format(this.timeout)}`
  }
}
