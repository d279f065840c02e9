/**
 * Says who is told of a supervision tree that ends without being asked to.
 *
 * An application puts a listener around its layers. It is told of the trees that the layers start themselves. A process
 * does not inherit it: if a tree that a process started gives up, only that process ends.
 *
 * | who starts the tree | who hears that it gave up |
 * | --- | --- |
 * | an application | the application |
 * | a process, for itself | the process: it ends with a crash, or gets an `Exit` if it traps exits |
 * | a resource of a supervisor | the supervisor: the resource counts as ended |
 * | `Layer.launch` | its fiber: it ends with `TreeFailed` as a defect |
 * | anything else | the log, as fatal |
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import { printFields } from "../../values/printAs.ts"
import { ownKey } from "../../values/copies.ts"
import * as ExitReason from "../ExitReason.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * How a tree ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface TreeEnd {
  /** The id of the supervisor at the root. */
  readonly supervisor: string
  readonly reason: ExitReason.ExitReason
  /** False if `autoShutdown` ended it on purpose. */
  readonly failed: boolean
}

/**
 * Called once when a tree has ended. It must not run a user's code in that step.
 *
 * @category models
 * @since 0.1.0
 */
export type TreeEndListener = (end: TreeEnd) => void

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * The tree gave up, or was killed.
 *
 * @category errors
 * @since 0.1.0
 */
export class TreeFailed extends Data.TaggedError("TreeFailed")<{
  readonly supervisor: string
  readonly reason: ExitReason.ExitReason
}> {
  override get message() {
    return `The supervision tree ${this.supervisor} ended: ${ExitReason.format(this.reason)}`
  }
}

printFields(TreeFailed.prototype)

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * Called once when a supervisor without a supervisor above it ends by itself. It must not run a user's code in that
 * step.
 *
 * @category services
 * @since 0.1.0
 */
export const CurrentTreeEndListener: Context.Reference<TreeEndListener | undefined> = Context.Reference<
  TreeEndListener | undefined
>(ownKey("effect-otp/kernel/CurrentTreeEndListener"), { defaultValue: () => undefined })
