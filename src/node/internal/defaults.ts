/** The defaults of this layer. */

/** How long a connection may be quiet before a listener that stops closes it. @internal */
export const quietMillis = 500

/** How long a client has to read the last answer, and to close its side. @internal */
export const lingerMillis = 1000

/** How many requests wait for an application that is still being built. The connections of others are closed. @internal */
export const maxEarly = 1000

/** How long the processes of connections have to end at the limit of a socket listener. @internal */
export const connectionEndMillis = 1000

/** How long a listener waits before it closes its port, while it still serves. @internal */
export const defaultDrainDelay = 0

/** How many connections a socket listener handles at a time. @internal */
export const defaultMaxConnections = Infinity
