/** The defaults of this layer. */
import * as Duration from "effect/Duration"

/** How long a probe waits for a message, in real time. @internal */
export const defaultPatience = Duration.seconds(1)

/** How long a process may take to end before a test kernel reports a leak, in real time. @internal */
export const leakLimit = Duration.seconds(1)

/** In how many orders a program runs that is explored. @internal */
export const defaultSeeds = 100

/** In how many orders a law is tried, beside the default order. @internal */
export const defaultLawSeeds = 10
