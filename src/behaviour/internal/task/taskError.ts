/** How a task ends without an answer. */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import { printFields } from "../../../values/printAs.ts"
import { describe } from "../../../values/describe.ts"
import type * as ExitReason from "../../../kernel/ExitReason.ts"
import type { Pid } from "../../../kernel/Pid.ts"
import { outline } from "../../../kernel/shared/shownReason.ts"

export class TaskExit extends Data.TaggedError("TaskExit")<{
  readonly pid: Pid
  readonly reason: ExitReason.ExitReason
}> {
  override get message() {
    return `Task ${describe(this.pid)} ended without an answer: ${outline(this.reason)}`
  }
}

printFields(TaskExit.prototype)

export class TaskTimeout extends Data.TaggedError("TaskTimeout")<{ readonly timeout: Duration.Duration }> {
  override get message() {
    return `A task took longer than ${describe(this.timeout)}`
  }
}
