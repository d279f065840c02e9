/**
 * Says that a turn of a server took longer than the server allows.
 *
 * It is the defect in the cause of the crash: the server ends with `Crash`, and its supervisor decides. Callers get it
 * in the `ServerDown` of their `CallError`.
 *
 * **In Erlang/OTP**
 *
 * There is nothing like it. A stuck `gen_server` stays stuck until somebody kills it.
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
 * `request` is the tag of the message whose turn it was. For a turn without a message of the protocol it is `"info"`,
 * `"continue"` or `"idle"`. For an event of a state machine it is the event's `_tag`, if it has one, and `"start"` for
 * the first turn.
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
