/** The latest of many numbered things. The numbers begin at 1. */

/** @internal */
export class Recent<A extends { readonly number: number }> {
  private readonly capacity: number
  private items: Array<A> = []
  /** The number of the latest one. */
  last = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  add(make: (number: number) => A): void {
    this.items.push(make(++this.last))
    if (this.items.length >= this.capacity * 2) this.items = this.items.slice(-this.capacity)
  }

  get all(): ReadonlyArray<A> {
    return this.items.slice(-this.capacity)
  }

  /** Those with a higher number, as far as they are kept. */
  after(number: number): ReadonlyArray<A> {
    return this.all.filter((item) => item.number > number)
  }
}
