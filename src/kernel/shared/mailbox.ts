/** The queue of a mailbox. */

/** How many empty slots there may be before they are removed. */
const COMPACT = 1024

/** How many slots an empty mailbox keeps for the next messages. */
const KEPT = 32

/**
 * With more messages than this, the owner is warned. It is warned again only after the number was down to half of it.
 */
export const CROWD = 100_000

/** The owner was warned. */
const TOLD = 2 ** 30

/** Is told that its mailbox has become very long. */
export interface Owner {
  crowded(): void
}

/** What a mailbox needs only if messages were taken out of its middle, or if it was very long. */
class Upkeep {
  /** How many slots between `head` and `tail` are empty. */
  holes = 0
  /** Where the last message was removed. Calls that time out together stand next to each other. */
  near = 0
  /** At this many slots it checks how many messages it holds. */
  alarm = CROWD + 1
}

/**
 * The queue itself: an array that is read at `head` and written at `tail`. A slot between them is empty if a caller
 * withdrew its call.
 */
export class Mailbox<A extends object> {
  private items: Array<A | undefined> | undefined = undefined
  private head = 0
  private tail = 0
  /** How many slots were removed at the front so far. */
  private cut = 0
  private upkeep: Upkeep | undefined = undefined

  /** The position after the newest message. It only grows, and every later message stands at it or after it. */
  get end(): number {
    return this.cut + this.tail
  }

  get size(): number {
    const { head, tail, upkeep } = this
    return upkeep === undefined ? tail - head : tail - head - upkeep.holes
  }

  push(message: A, owner?: Owner): void {
    const { items, tail } = this
    this.tail = tail + 1
    if (items === undefined) this.items = [message]
    else if (tail < items.length) items[tail] = message
    else if (items.push(message) > CROWD) this.look(items.length, owner)
  }

  private look(slots: number, owner: Owner | undefined): void {
    const upkeep = (this.upkeep ??= new Upkeep())
    if (slots < upkeep.alarm) return
    const { size } = this
    upkeep.alarm = size > CROWD ? TOLD : slots + CROWD + 1 - size
    if (size > CROWD) owner?.crowded()
  }

  shift(): A | undefined {
    while (this.head < this.tail) {
      const items = this.items!
      const message = items[this.head]
      items[this.head++] = undefined
      if (message === undefined) this.upkeep!.holes--
      if (this.head === this.tail || this.head >= COMPACT) this.trim(items)
      if (message !== undefined) return message
    }
    return undefined
  }

  /** Takes the first message that matches, from a position on. The others stay in order. */
  take(matches: (message: A) => boolean, from = 0): A | undefined {
    for (let i = Math.max(this.head, from - this.cut); i < this.tail; i++) {
      const message = this.items![i]
      if (message !== undefined && matches(message)) {
        this.removeAt(this.items!, i)
        return message
      }
    }
    return undefined
  }

  /** Removes one message, wherever it is. False if it is not here any more. */
  remove(message: A): boolean {
    const { items } = this
    if (items === undefined) return false
    const near = Math.max(this.head, (this.upkeep?.near ?? 0) - this.cut)
    let at = items.indexOf(message, near)
    if (at < 0 && near > this.head) at = items.indexOf(message, this.head)
    if (at < 0) return false
    const position = this.cut + at
    this.removeAt(items, at)
    if (this.upkeep !== undefined) this.upkeep.near = position
    return true
  }

  /** Removes and returns everything. */
  clear(): Array<A> {
    const rest = this.held
    this.items = undefined
    this.startAfresh()
    return rest
  }

  /** A copy of its messages, oldest first. */
  get held(): Array<A> {
    return this.items?.slice(this.head, this.tail).filter((message) => message !== undefined) ?? []
  }

  private removeAt(items: Array<A | undefined>, at: number): void {
    items[at] = undefined
    if (at > this.head) (this.upkeep ??= new Upkeep()).holes++
    else {
      this.head++
      while (this.head < this.tail && items[this.head] === undefined) {
        this.head++
        this.upkeep!.holes--
      }
    }
    this.trim(items)
  }

  private trim(items: Array<A | undefined>): void {
    const { head, tail, upkeep } = this
    const isTold = upkeep?.alarm === TOLD
    if (isTold && this.size < CROWD / 2) upkeep.alarm = CROWD + 1
    // After a warning the next take also comes here, so some empty slots stay in front.
    const kept = isTold ? COMPACT : 0
    if (head === tail) {
      if (items.length > KEPT) this.items = undefined
      this.startAfresh()
    } else if (head >= COMPACT && head * 2 >= tail) {
      this.items = items.slice(head - kept, tail)
      this.cut += head - kept
      this.tail = tail - head + kept
      this.head = kept
      if (!isTold && upkeep !== undefined) upkeep.alarm = CROWD + 1
    } else if (upkeep !== undefined && upkeep.holes >= COMPACT && upkeep.holes * 2 >= tail - head) {
      // Other messages come and go behind a message that is never taken. The messages that are left move towards the
      // end, so no reader misses one.
      const rest = this.held
      this.items = kept === 0 ? rest : [...Array.from({ length: kept }, () => undefined), ...rest]
      this.startAfresh()
      this.head = kept
      this.tail = rest.length + kept
      this.cut -= this.tail
      if (!isTold) upkeep.alarm = CROWD + 1
    }
  }

  private startAfresh(): void {
    this.cut += this.tail
    this.head = this.tail = 0
    if (this.upkeep !== undefined) this.upkeep.holes = 0
  }
}
