/**
 * Decides which reports are written: so many a second for each kind of process, and so many for the whole kernel.
 *
 * What it keeps is bounded by what it admits, so it need not forget a kind before its second is over.
 */
import { reportsPerSecond } from "./defaults.ts"

const WINDOW_MILLIS = 1000

/** Of so many kinds it is known how many reports were left out; of others only how many in all. */
const MOST_LEFT_OUT = 20

/** What was left out. @internal */
export interface LeftOut {
  readonly count: number
  /** The first kinds, each with how many reports of it. */
  readonly kinds: ReadonlyArray<readonly [kind: string, count: number]>
}

/** @internal */
export class ReportLimiter {
  private startMillis = Number.NEGATIVE_INFINITY
  private admitted = 0
  /** How many reports of a kind were written in this second. */
  private readonly written = new Map<string, number>()
  private readonly kinds = new Map<string, number>()
  private count = 0

  /** Whether a report may be written now. If not, it is counted as left out. */
  admit(kind: string, nowMillis: number): boolean {
    if (nowMillis - this.startMillis >= WINDOW_MILLIS) {
      this.startMillis = nowMillis
      this.admitted = 0
      this.written.clear()
    }
    const written = this.written.get(kind) ?? 0
    if (written < reportsPerSecond.ofKind && this.admitted < reportsPerSecond.inAll) {
      this.admitted++
      this.written.set(kind, written + 1)
      return true
    }
    this.leaveOut(kind)
    return false
  }

  private leaveOut(kind: string): void {
    this.count++
    const before = this.kinds.get(kind)
    if (before !== undefined || this.kinds.size < MOST_LEFT_OUT) this.kinds.set(kind, (before ?? 0) + 1)
  }

  /** How long this second still is. */
  restMillis(nowMillis: number): number {
    return Math.max(0, this.startMillis + WINDOW_MILLIS - nowMillis)
  }

  get hasLeftOut(): boolean {
    return this.count > 0
  }

  /** What was left out since this was last asked. */
  takeLeftOut(): LeftOut | undefined {
    if (this.count === 0) return undefined
    const leftOut = { count: this.count, kinds: [...this.kinds] }
    this.count = 0
    this.kinds.clear()
    return leftOut
  }
}
