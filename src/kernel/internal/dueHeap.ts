/** A binary heap by due time. Each entry knows its index, so it can be removed from the middle. */

/** @internal */
export interface Entry {
  due: number
  /** Its index in the heap; -1 if it is not in the heap. */
  place: number
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
    this.down(entry, entry.place)
  }

  remove(entry: E): void {
    const { place } = entry
    if (place < 0) return
    entry.place = -1
    const last = this.entries.pop()!
    if (last === entry) return
    this.up(last, place)
    this.down(last, last.place)
  }

  private up(entry: E, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >>> 1
      const other = this.entries[above]!
      if (other.due <= entry.due) break
      this.put(other, place)
      place = above
    }
    this.put(entry, place)
  }

  private down(entry: E, from: number): void {
    let place = from
    for (;;) {
      const left = 2 * place + 1
      const right = left + 1
      let other = this.entries[left]
      if (other === undefined) break
      const beside = this.entries[right]
      if (beside !== undefined && beside.due < other.due) other = beside
      if (entry.due <= other.due) break
      const below = other.place
      this.put(other, place)
      place = below
    }
    this.put(entry, place)
  }

  private put(entry: E, place: number): void {
    this.entries[place] = entry
    entry.place = place
  }
}
