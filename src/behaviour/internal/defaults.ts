/** The defaults of this layer. */
import * as Duration from "effect/Duration"

/** How long a call waits for its answer. @internal */
export const callTimeoutMillis = 5000

/** How long the orderly end of a server may take when its scope closes. @internal */
export const scopeLimit = Duration.seconds(5)

/** How long each task of a stream of tasks may take. @internal */
export const taskTimeout = Duration.seconds(5)

/** How many events a trace keeps for a slow reader. @internal */
export const traceCapacity = 1024
