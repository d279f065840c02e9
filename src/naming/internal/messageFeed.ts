/** Messages for one reader, up to a bound. */
import type * as Arr from "effect/Array"
import * as Exit from "effect/Exit"
import * as Check from "../../values/check.ts"
import { takeFrom, wake, type Feed, type Source } from "./feed.ts"

/** @internal */
export type FeedStrategy = "dropping" | "sliding" | "fail"

/** @internal */
export interface FeedBound {
  readonly capacity: number
  readonly strategy: FeedStrategy
}

/** @internal */
export class MessageFeed<A, E> implements Feed<A, E>, Source<A, E> {
  readonly take = takeFrom<A, E>(this)
  wakeReader: (() => void) | undefined = undefined
  readonly bound: FeedBound
  private readonly overflow: () => E
  private messages: Array<A> = []
  /** How many at the beginning are dropped already. */
  private head = 0
  private isFull = false

  constructor(bound: FeedBound, overflow: () => E) {
    this.bound = bound
    this.overflow = overflow
  }

  /** Adds a message. False if this message, or another one in its place, was dropped. */
  push(message: A): boolean {
    const { capacity, strategy } = this.bound
    const hasRoom = this.messages.length - this.head < capacity
    if (!hasRoom && strategy !== "sliding") {
      this.isFull = strategy === "fail"
      return false
    }
    this.messages.push(message)
    if (hasRoom) wake(this)
    else this.slide(capacity)
    return hasRoom
  }

  private slide(capacity: number): void {
    this.head++
    if (this.head < capacity) return
    this.messages = this.messages.slice(this.head)
    this.head = 0
  }

  collect(): Exit.Exit<Arr.NonEmptyReadonlyArray<A>, E> | undefined {
    if (this.messages.length === 0) return this.isFull ? Exit.fail(this.overflow()) : undefined
    const messages = this.head === 0 ? this.messages : this.messages.slice(this.head)
    this.messages = []
    this.head = 0
    return Exit.succeed(messages as [A, ...Array<A>])
  }

  get isReady(): boolean {
    return this.messages.length > 0 || this.isFull
  }
}

const strategies: ReadonlyArray<FeedStrategy> = ["dropping", "sliding", "fail"]

/** @internal */
export const checkedBound = ({ capacity, strategy }: FeedBound): FeedBound => {
  Check.wholeNumber("The capacity of a stream", capacity, 1)
  Check.oneOf("The strategy of a stream", strategy, strategies)
  return { capacity, strategy }
}
