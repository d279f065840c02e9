/**
 * Says how a task can end without an answer.
 *
 * A failure of a task's effect is its answer and keeps its own type. Every other end is a `TaskExit` with the reason.
 * If an item of a stream of tasks takes too long, that is a `TaskTimeout`.
 *
 * **In Erlang/OTP**
 *
 * The exits of `Task.await`: `{Reason, {Task, await, […]}}` and `{timeout, …}`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import { printFields } from "../values/printed.ts"
import { describe } from "../values/describe.ts"
import * as ExitReason from "../kernel/ExitReason.ts"
import type { Pid } from "../kernel/Pid.ts"

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * A task ended without an answer: it crashed, was killed or told to end, or ended itself.
 *
 * @category errors
 * @since 0.1.0
 */
export class TaskExit extends Data.TaggedError("TaskExit")<{
  readonly pid: Pid
  readonly reason: ExitReason.ExitReason
}> {
  override get message() {
    return `Task ${describe(this.pid)} ended without an answer: ${ExitReason.outline(this.reason)}`
  }
}

printFields(TaskExit.prototype)

/**
 * An item of a stream of tasks took longer than its limit, and its task was killed.
 *
 * @category errors
 * @since 0.1.0
 */
export class TaskTimeout extends Data.TaggedError("TaskTimeout")<{ readonly timeout: Duration.Duration }> {
  override get message() {
    return `A task took longer than ${describe(this.timeout)}`
  }
}
