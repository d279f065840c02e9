/** Senders that wait for room in a mailbox, in order of arrival. */
import { Mailbox } from "../shared/mailbox.ts"

interface Queued {
  readonly isControl?: boolean | undefined
}

interface Waiting<A> {
  readonly envelope: A
  /** Tells the sender that its message is in the mailbox, or was refused or dropped. */
  readonly admit: () => void
}

/** @internal */
export class WaitingSenders<A extends Queued> {
  private readonly line = new Mailbox<A>()
  private readonly admits = new Map<A, () => void>()

  get length(): number {
    return this.line.size
  }

  add(envelope: A, admit: () => void): void {
    this.line.push(envelope)
    this.admits.set(envelope, admit)
  }

  shift(): Waiting<A> | undefined {
    return this.taken(this.line.shift())
  }

  /** Removes a message. False if it is not here. */
  remove(envelope: A): boolean {
    return this.admits.delete(envelope) && this.line.remove(envelope)
  }

  /** Removes and returns the requests to the process itself. */
  takeControls(): ReadonlyArray<Waiting<A>> {
    const controls: Array<Waiting<A>> = []
    for (const envelope of this.line.clear()) {
      if (envelope.isControl === true) controls.push(this.taken(envelope)!)
      else this.line.push(envelope)
    }
    return controls
  }

  private taken(envelope: A | undefined): Waiting<A> | undefined {
    if (envelope === undefined) return undefined
    const admit = this.admits.get(envelope)!
    this.admits.delete(envelope)
    return { envelope, admit }
  }
}
