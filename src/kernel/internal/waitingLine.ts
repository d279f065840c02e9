/** Senders that wait for room in a mailbox, in the order they came. */

interface Queued {
  readonly isControl?: boolean | undefined
}

interface Waiting<A> {
  readonly envelope: A
  /** Tells the sender that its message is in, or has another fate. */
  readonly admit: () => void
}

/** @internal */
export class WaitingLine<A extends Queued> {
  private items: Array<Waiting<A>> = []

  get length(): number {
    return this.items.length
  }

  add(envelope: A, admit: () => void): void {
    this.items.push({ envelope, admit })
  }

  shift(): Waiting<A> | undefined {
    return this.items.shift()
  }

  /** Takes a message out; false if it is not here. */
  remove(envelope: A): boolean {
    const at = this.items.findIndex((waiting) => waiting.envelope === envelope)
    if (at >= 0) this.items.splice(at, 1)
    return at >= 0
  }

  /** Takes out the requests to the process itself. */
  takeControls(): ReadonlyArray<Waiting<A>> {
    const controls = this.items.filter(({ envelope }) => envelope.isControl === true)
    this.items = this.items.filter(({ envelope }) => envelope.isControl !== true)
    return controls
  }
}
