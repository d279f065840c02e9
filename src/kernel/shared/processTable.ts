/**
 * The processes of a kernel by id, in pages: a Map that grows to millions stalls for a quarter of a second when it
 * rehashes. The table also keeps fibers reachable: if nothing references a blocked fiber, it is collected and nobody
 * notices.
 */
const PAGE_BITS = 10
const PAGE_SIZE = 1 << PAGE_BITS
const PAGE_MASK = PAGE_SIZE - 1

interface Page<P> {
  readonly slots: Array<P | undefined>
  live: number
}

/** @internal */
export class ProcessTable<P extends { readonly id: number }> {
  private readonly pages = new Map<number, Page<P>>()
  size = 0

  add(process: P): void {
    const key = process.id >>> PAGE_BITS
    let page = this.pages.get(key)
    if (page === undefined) {
      page = { slots: [], live: 0 }
      this.pages.set(key, page)
    }
    page.slots[process.id & PAGE_MASK] = process
    page.live++
    this.size++
  }

  get(id: number): P | undefined {
    return this.pages.get(id >>> PAGE_BITS)?.slots[id & PAGE_MASK]
  }

  remove(process: P): boolean {
    const key = process.id >>> PAGE_BITS
    const page = this.pages.get(key)
    if (page === undefined || page.slots[process.id & PAGE_MASK] !== process) return false
    page.slots[process.id & PAGE_MASK] = undefined
    this.size--
    if (--page.live === 0) this.pages.delete(key)
    return true
  }

  *values(): IterableIterator<P> {
    for (const page of [...this.pages.values()]) {
      for (const process of page.slots) if (process !== undefined) yield process
    }
  }
}
