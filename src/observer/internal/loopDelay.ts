/** How late timers were since somebody last asked. */
import type * as Snapshot from "../Snapshot.ts"

/** @internal */
export class LoopDelay {
  private count = 0
  private sum = 0
  private longest = 0

  add(millis: number): void {
    const late = Math.max(0, millis)
    this.count++
    this.sum += late
    this.longest = Math.max(this.longest, late)
  }

  /** Undefined if no timer has fired since. */
  take(): Snapshot.Totals["eventLoopDelay"] {
    const { count, longest, sum } = this
    this.count = this.sum = this.longest = 0
    return count === 0 ? undefined : { longest: rounded(longest), mean: rounded(sum / count) }
  }
}

const rounded = (millis: number): number => Math.round(millis * 10) / 10
