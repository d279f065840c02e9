/** The defaults of this layer. */
import * as Duration from "effect/Duration"

/**
 * The limit of an orderly end, and of a killed process that is still in an uninterruptible region.
 * @internal
 */
export const defaultLimit = Duration.seconds(5)

/** How many reports are written in a second: for one kind of process, and for the whole kernel. @internal */
export const reportsPerSecond = { ofKind: 10, inAll: 100 }

/** How late a timer must be before the event loop counts as blocked. @internal */
export const blockedAfter = Duration.millis(100)

/** How long one macrotask of the run queue lasts at most, and how many tasks it runs at most. @internal */
export const slice = { millis: 2, tasks: 16_384 }
