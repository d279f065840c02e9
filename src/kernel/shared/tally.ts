/** Counts of messages by what became of them. */
import type { Fate } from "../Accounting.ts"

export interface Tally extends Record<Fate, number> {
  accepted: number
}

export const emptyTally = (): Tally => ({
  accepted: 0,
  handled: 0,
  failed: 0,
  returned: 0,
  abandoned: 0,
  dropped: 0,
  deadLettered: 0
})

export const addTo = (total: Tally, tally: Tally): void => {
  total.accepted += tally.accepted
  total.handled += tally.handled
  total.failed += tally.failed
  total.returned += tally.returned
  total.abandoned += tally.abandoned
  total.dropped += tally.dropped
  total.deadLettered += tally.deadLettered
}
