/**
 * Hears how a supervision tree ends that nobody asked to.
 *
 * An application puts a watch around its tree. Without one, a tree that gives up is logged as fatal.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { ExitReason } from "../kernel/ExitReason.ts"

/**
 * How a tree ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface TreeEnd {
  /** The id of the supervisor at the root. */
  readonly supervisor: string
  readonly reason: ExitReason
  /** False if it ended on purpose, by `autoShutdown`. */
  readonly failed: boolean
}

/**
 * Called once when a supervisor that has no supervisor above ends by itself. Must not run a user's code in its step.
 *
 * @category services
 * @since 0.1.0
 */
export const TreeWatch: Context.Reference<((end: TreeEnd) => void) | undefined> = Context.Reference<
  ((end: TreeEnd) => void) | undefined
>("effect-otp/supervision/TreeWatch", { defaultValue: () => undefined })
