/** The subscribers of the topics of one family in one kernel: processes and streams, in one group for each key. */
import { MessageEnvelope } from "../../kernel/shared/plainEnvelopes.ts"
import { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { post } from "../../kernel/shared/delivery.ts"
import type { Opened } from "./feed.ts"
import { MembershipState } from "./membershipState.ts"
import { MessageFeed, type FeedBound } from "./messageFeed.ts"

type StreamFeed = MessageFeed<unknown, unknown>
type Subscriber = ProcessRecord | StreamFeed

/** The bound of a stream that has lost a message. @internal */
export type Drop = FeedBound

interface Publication {
  readonly message: unknown
  readonly from: ProcessRecord | undefined
  readonly except: ProcessRecord | undefined
  readonly onDrop: (drop: Drop) => void
}

/** @internal */
export class TopicState {
  private readonly state = new MembershipState<unknown, Subscriber>()
  dropped = 0

  at(key: unknown): ReadonlyArray<Subscriber> {
    return Array.from(this.state.membership.group(key)?.members.keys() ?? [])
  }

  add(key: unknown, subscriber: Subscriber): void {
    if (!this.state.membership.has(key, subscriber)) this.state.join(key, subscriber)
  }

  remove(key: unknown, subscriber: Subscriber): boolean {
    return this.state.leave(key, subscriber)
  }

  open<A, E>(key: unknown, options: { bound: FeedBound; overflow: () => E }): Opened<MessageFeed<A, E>> {
    const feed = new MessageFeed<A, E>(options.bound, options.overflow)
    const subscriber = feed as unknown as StreamFeed
    this.add(key, subscriber)
    return { feed, close: () => this.remove(key, subscriber) }
  }

  /**
   * Publishes in one step. A subscriber that is added meanwhile, by a listener to lost messages, may get the message or
   * not.
   */
  publish(key: unknown, publication: Publication): void {
    const members = this.state.membership.group(key)?.members
    if (members === undefined) return
    const { except, from, message } = publication
    const envelope = new MessageEnvelope(message, from)
    for (const subscriber of members.keys()) {
      if (subscriber instanceof ProcessRecord) {
        if (subscriber !== except) post(subscriber, envelope)
      } else if (from?.wasKilled !== true && !subscriber.push(message)) this.lost(key, subscriber, publication)
    }
  }

  private lost(key: unknown, feed: StreamFeed, { onDrop }: Publication): void {
    this.dropped++
    // The stream fails when its waiting messages have been read. It gets no more.
    if (feed.bound.strategy === "fail") this.remove(key, feed)
    onDrop(feed.bound)
  }
}
