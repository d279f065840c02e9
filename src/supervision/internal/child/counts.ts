/** How many children a supervisor has. */

export interface Counts {
  /** All on its list. */
  readonly children: number
  /** Those that run. */
  readonly active: number
  /** Those that are started or restarted. */
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
