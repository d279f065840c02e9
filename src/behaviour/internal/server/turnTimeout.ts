/** A turn that took longer than its server allows: the defect in the cause of the crash. */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

export class TurnTimeout extends Data.TaggedError("TurnTimeout")<{
  readonly server: string
  readonly request: string
  readonly timeout: Duration.Duration
}> {
  override get message() {
    return `${this.server}.${this.request}: the turn took longer than ${Duration.format(this.timeout)}`
  }
}
