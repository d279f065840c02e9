/** The defaults of this layer. */

/** How many changes may wait for a reader. @internal */
export const defaultCapacity = 256
