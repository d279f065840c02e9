/**
 * Decides which reports are written: a number in each second for each kind of process, and a number for the whole
 * kernel.
 *
 * Its memory is bounded by the number of reports it admits, so a kind can stay in it until the second is over.
 */
import { reportsPerSecond } from "./defaults.ts"

const WINDOW_MILLIS = 1000

/** How many kinds are counted one by one when reports are left out. The others are counted together. */
const MOST_LEFT_OUT = 20

/** The reports that were left out. @internal */
export interface LeftOut {
  readonly count: number
  /** The first kinds, each with its number of reports. */
  readonly kinds: ReadonlyArray<readonly [kind: string, count: number]>
}

/** @internal */
export class ReportLimiter {
  private startMillis = Number.NEGATIVE_INFINITY
  private admitted = 0
  /** How many reports of each kind were written in this second. */
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

  /** How many milliseconds of this second are left. */
  restMillis(nowMillis: number): number {
    return Math.max(0, this.startMillis + WINDOW_MILLIS - nowMillis)
  }

  get hasLeftOut(): boolean {
    return this.count > 0
  }

  /** What was left out since the last call. */
  takeLeftOut(): LeftOut | undefined {
    if (this.count === 0) return undefined
    const leftOut = { count: this.count, kinds: [...this.kinds] }
    this.count = 0
    this.kinds.clear()
    return leftOut
  }
}
