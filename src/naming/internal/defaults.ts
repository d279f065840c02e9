/** What holds in this layer where nobody says otherwise. */

/** How many changes may wait for a reader. @internal */
export const defaultCapacity = 256
