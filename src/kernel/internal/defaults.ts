/** What holds in this layer where nobody says otherwise. */
import * as Duration from "effect/Duration"

/**
 * How long an orderly end may take, and how long a killed process may take to leave its last uninterruptible region.
 * @internal
 */
export const defaultLimit = Duration.seconds(5)

/** How many reports are written in a second: of one kind of process, and in the whole kernel. @internal */
export const reportsPerSecond = { ofKind: 10, inAll: 100 }
