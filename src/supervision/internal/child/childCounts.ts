/** How many children a supervisor has. */

export interface Counts {
  /** All children on the list. */
  readonly children: number
  /** The children that run. */
  readonly active: number
  /** The children that are being started or restarted. */
  readonly restarting: number
}

export const countsOf = (listed: Iterable<{ readonly state: string }>): Counts => {
  let children = 0
  let active = 0
  let restarting = 0
  for (const { state } of listed) {
    children++
    if (state === "running") active++
    else if (state === "starting" || state === "restarting") restarting++
  }
  return { children, active, restarting }
}
