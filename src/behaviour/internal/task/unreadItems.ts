/**
 * Which items of a stream of tasks have begun and are unread, and which of them is read next. Plain data: no fiber, no
 * clock.
 *
 * An item takes room from its beginning until it is read, however long ago it finished.
 */

/** @internal */
export interface UnreadItem {
  finished: boolean
}

/** @internal */
export class UnreadItems<T extends UnreadItem> {
  private readonly capacity: number
  private readonly ordered: boolean
  /** Items in the order in which they are read: as they began, or as they finished. */
  private readonly line: Array<T> = []
  /** Where the line begins. The items before it have been read. */
  private head = 0
  /** How many items have begun and are unread. */
  count = 0

  constructor(capacity: number, ordered: boolean) {
    this.capacity = capacity
    this.ordered = ordered
  }

  get hasRoom(): boolean {
    return this.count < this.capacity
  }

  begin(item: T): void {
    this.count++
    if (this.ordered) this.line.push(item)
  }

  finish(item: T): void {
    item.finished = true
    if (!this.ordered) this.line.push(item)
  }

  /** Whether there is an item to read. */
  get isReady(): boolean {
    return this.line[this.head]?.finished === true
  }

  /** The next item to read, if it has finished. */
  read(): T | undefined {
    const item = this.line[this.head]
    if (item?.finished !== true) return undefined
    this.count--
    this.head++
    this.compact()
    return item
  }

  /** Drops read items now and then. */
  private compact(): void {
    if (this.head < 64 && this.head < this.line.length) return
    this.line.splice(0, this.head)
    this.head = 0
  }
}
