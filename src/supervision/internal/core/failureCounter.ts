/**
 * The same count as `intensity.ts`, in place: a dynamic supervisor may have as many failures as it has children, and
 * keeps no history of its windows.
 */
import * as Intensity from "./intensity.ts"

/** How many forgotten entries are kept before they are moved out. */
const SLACK = 64

/** @internal */
export class FailureCounter {
  private readonly limit: Intensity.Limit
  /** When each failure happened, oldest first; those before `head` have left the window. */
  private times: Array<number> = []
  private head = 0

  /** Throws a `RangeError` if the limit makes no sense. */
  constructor(limit: Intensity.Limit) {
    this.limit = Intensity.make(limit).limit
  }

  /** Counts one failure, at a time no earlier than the last; the number of failures in the window if there are too many. */
  record(nowMillis: number): number | undefined {
    const { max, withinMillis } = this.limit
    this.times.push(nowMillis)
    while (nowMillis - this.times[this.head]! > withinMillis) this.head++
    if (this.head > SLACK && this.head * 2 > this.times.length) {
      this.times = this.times.slice(this.head)
      this.head = 0
    }
    const count = this.times.length - this.head
    return count > max ? count : undefined
  }
}
