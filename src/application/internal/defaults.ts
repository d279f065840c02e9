/** The defaults of this layer. */
import * as Duration from "effect/Duration"

/** How long an application may take to stop. @internal */
export const defaultStopWithin = Duration.seconds(30)
