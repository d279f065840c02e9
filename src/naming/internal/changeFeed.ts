/**
 * Changes for one reader: first a snapshot, then each change.
 *
 * If a reader is too slow for its bound, the waiting changes are dropped, and next it gets a new snapshot. So what it
 * knows may be late, but is never wrong.
 */
import * as Exit from "effect/Exit"
import { defaultCapacity } from "./defaults.ts"
import * as Check from "../../values/check.ts"
import { takeFrom, wake, type Feed, type Source } from "./feed.ts"

/** @internal */
export class ChangeFeed<S, D> implements Feed<S | D>, Source<S | D, never> {
  readonly take = takeFrom<S | D, never>(this)
  wakeReader: (() => void) | undefined = undefined
  private readonly capacity: number
  private readonly snapshot: () => S
  /** Undefined if a snapshot waits. The snapshot is made when it is taken. */
  private changes: Array<D> | undefined = undefined

  constructor(capacity: number, snapshot: () => S) {
    this.capacity = capacity
    this.snapshot = snapshot
  }

  push(change: D): void {
    if (this.changes === undefined) return
    if (this.changes.length >= this.capacity) this.changes = undefined
    else this.changes.push(change)
    wake(this)
  }

  collect() {
    const { changes } = this
    if (changes?.length === 0) return undefined
    this.changes = []
    return Exit.succeed(changes === undefined ? ([this.snapshot()] as const) : (changes as [D, ...Array<D>]))
  }

  get isReady(): boolean {
    return this.changes?.length !== 0
  }
}

/** @internal */
export const checkedCapacity = (capacity: number | undefined): number => {
  if (capacity === undefined) return defaultCapacity
  return Check.wholeNumber("The capacity of a stream", capacity, 1)
}
