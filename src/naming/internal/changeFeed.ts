/**
 * Changes for one reader: first all that is, then each change.
 *
 * A reader that is too slow for its bound is not told half of it: what waits is let go, and the next it gets is all that is
 * by then. So it is never wrong, only late.
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
  /** Undefined: what waits is a snapshot, made when it is taken. */
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
