/**
 * Which items of a stream of tasks are begun and not yet read, and which of them is to be read next: plain bookkeeping,
 * no fiber, no clock.
 *
 * An item has its room from when it is begun until it is read, however long ago it has finished.
 */

/** @internal */
export interface Finishing {
  finished: boolean
}

/** @internal */
export class TaskWindow<T extends Finishing> {
  private readonly capacity: number
  private readonly ordered: boolean
  /** In the order they are read: as they began, or as they finished. */
  private readonly line: Array<T> = []
  /** Where the line begins; what was before it has been read. */
  private head = 0
  /** Begun and not yet read. */
  unread = 0

  constructor(capacity: number, ordered: boolean) {
    this.capacity = capacity
    this.ordered = ordered
  }

  get hasRoom(): boolean {
    return this.unread < this.capacity
  }

  begin(item: T): void {
    this.unread++
    if (this.ordered) this.line.push(item)
  }

  finish(item: T): void {
    item.finished = true
    if (!this.ordered) this.line.push(item)
  }

  /** Whether there is one to read. */
  get isReady(): boolean {
    return this.line[this.head]?.finished === true
  }

  /** The next to be read, if it has finished. */
  read(): T | undefined {
    const item = this.line[this.head]
    if (item?.finished !== true) return undefined
    this.unread--
    this.head++
    this.compact()
    return item
  }

  /** Lets go of what was read, now and then. */
  private compact(): void {
    if (this.head < 64 && this.head < this.line.length) return
    this.line.splice(0, this.head)
    this.head = 0
  }
}
