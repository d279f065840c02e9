/** The defaults of this layer. */

/** How many events wait for a reader of a stream that is slow. @internal */
export const defaultCapacity = 1024
