/** The defaults of this layer. */

/** How often a watched observer looks at all processes. */
export const pollEvery = "1 second"

/** How long a look may hold up other fibers, in milliseconds. */
export const sliceMillis = 2

/** How many neighbours and children of one process are listed. */
export const shownNeighbours = 100

/** How many crashes, restarts and removed processes are kept for those that read later. */
export const keptCrashes = 200
export const keptRestarts = 1000
export const keptRemovals = 10_000
