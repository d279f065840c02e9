/** What holds in this layer where nobody says otherwise. */

/** How many events wait for a reader of a stream that is slow. @internal */
export const defaultCapacity = 1024
