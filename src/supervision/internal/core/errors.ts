/** The errors of requests to a supervisor. */
import * as Data from "effect/Data"
import { describe } from "../../../values/describe.ts"
import { printFields } from "../../../values/printAs.ts"

export class ChildNotFound extends Data.TaggedError("ChildNotFound")<{ readonly id: string }> {
  override get message() {
    return `There is no child "${this.id}"`
  }
}

export class ChildRunning extends Data.TaggedError("ChildRunning")<{ readonly id: string }> {
  override get message() {
    return `Child "${this.id}" is already running`
  }
}

export class ChildRestarting extends Data.TaggedError("ChildRestarting")<{ readonly id: string }> {
  override get message() {
    return `Child "${this.id}" is already being restarted`
  }
}

export class StartFailed<out E = unknown> extends Data.TaggedError("StartFailed")<{
  readonly id: string
  readonly error: unknown
}> {
  declare readonly error: E

  override get message() {
    return `Child "${this.id}" did not start: ${describe(this.error)}`
  }
}

printFields(StartFailed.prototype)

export class SupervisorDown extends Data.TaggedError("SupervisorDown")<{ readonly supervisor: string }> {
  override get message() {
    return `${this.supervisor} is not running`
  }
}

export class MaxChildren extends Data.TaggedError("MaxChildren")<{ readonly maxChildren: number }> {
  override get message() {
    return `The supervisor already has ${this.maxChildren} children, which is its maximum`
  }
}
