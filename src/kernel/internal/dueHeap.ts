/** A binary heap by due time. Each entry knows its index, so it can be removed from the middle. */

/** @internal */
export interface Entry {
  due: number
  /** Its index in the heap; -1 if it is not in the heap. */
  index: number
}

/** @internal */
export class DueHeap<E extends Entry> {
  private readonly entries: Array<E> = []

  /** The entry that is due first. */
  get first(): E | undefined {
    return this.entries[0]
  }

  add(entry: E): void {
    this.entries.push(entry)
    this.up(entry, this.entries.length - 1)
  }

  /** Call this when the due time of an entry has become later. */
  delayed(entry: E): void {
    this.down(entry, entry.index)
  }

  remove(entry: E): void {
    const { index } = entry
    if (index < 0) return
    entry.index = -1
    const last = this.entries.pop()!
    if (last === entry) return
    this.up(last, index)
    this.down(last, last.index)
  }

  private up(entry: E, from: number): void {
    let index = from
    while (index > 0) {
      const above = (index - 1) >>> 1
      const other = this.entries[above]!
      if (other.due <= entry.due) break
      this.put(other, index)
      index = above
    }
    this.put(entry, index)
  }

  private down(entry: E, from: number): void {
    let index = from
    for (;;) {
      const left = 2 * index + 1
      const right = left + 1
      let other = this.entries[left]
      if (other === undefined) break
      const beside = this.entries[right]
      if (beside !== undefined && beside.due < other.due) other = beside
      if (entry.due <= other.due) break
      const below = other.index
      this.put(other, index)
      index = below
    }
    this.put(entry, index)
  }

  private put(entry: E, index: number): void {
    this.entries[index] = entry
    entry.index = index
  }
}
