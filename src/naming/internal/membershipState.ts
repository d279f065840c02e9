/** The members of groups in one kernel. A process leaves in the step in which it dies. */
import { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { ChangeFeed } from "./changeFeed.ts"
import { opened, type Opened } from "./feed.ts"
import { KeyMap } from "./keyMap.ts"
import { Membership, type Member } from "./membership.ts"

/** @internal */
export interface MembershipEntry<K, P> {
  readonly group: K
  readonly pid: P
}

/** @internal */
export interface Snapshot<K, P> {
  readonly _tag: "Snapshot"
  readonly members: ReadonlyArray<MembershipEntry<K, P>>
}

/** @internal */
export interface Delta<K, P> extends MembershipEntry<K, P> {
  readonly _tag: "Joined" | "Left"
}

type Reader<K, P> = ChangeFeed<Snapshot<K, P>, Delta<K, P>>

/** Members are processes, or anything else that can be reached. @internal */
export class MembershipState<K, P = ProcessRecord> {
  readonly membership = new Membership<K, P>((member) => this.dropAll(member))
  feeds: Set<Reader<K, P>> | undefined = undefined
  private readonly readersOf = new KeyMap<K, Set<Reader<K, P>>>()

  join(key: K, id: P): void {
    const member = this.membership.join(key, id)
    if (member !== undefined && id instanceof ProcessRecord) id.own(member)
    this.tell("Joined", key, id)
  }

  /** Removes one membership. False if there is none. */
  leave(key: K, id: P): boolean {
    if (!this.membership.leave(key, id)) return false
    const member = this.membership.prune(id)
    if (member !== undefined && id instanceof ProcessRecord) id.disown(member)
    this.tell("Left", key, id)
    return true
  }

  private dropAll(member: Member<K, P>): void {
    for (const [key, times] of this.membership.drop(member)) {
      for (let i = 0; i < times; i++) this.tell("Left", key, member.id)
    }
  }

  private snapshot(): Snapshot<K, P> {
    return { _tag: "Snapshot", members: Array.from(this.membership.groups()).flatMap(entriesOf) }
  }

  private snapshotOf(key: K): Snapshot<K, P> {
    const group = this.membership.group(key)
    return { _tag: "Snapshot", members: group === undefined ? [] : entriesOf(group) }
  }

  read(capacity: number): Opened<Reader<K, P>> {
    return opened(this, new ChangeFeed(capacity, () => this.snapshot()))
  }

  /** Reads the changes of one group. */
  readOf(key: K, capacity: number): Opened<Reader<K, P>> {
    const feed: Reader<K, P> = new ChangeFeed(capacity, () => this.snapshotOf(key))
    const others = this.readersOf.get(key)
    if (others === undefined) this.readersOf.set(key, new Set([feed]))
    else others.add(feed)
    const close = () => {
      const readers = this.readersOf.get(key)
      if (readers?.delete(feed) === true && readers.size === 0) this.readersOf.delete(key)
    }
    return { feed, close }
  }

  private tell(_tag: Delta<K, P>["_tag"], group: K, pid: P): void {
    const { feeds } = this
    const readersOf = this.readersOf.size === 0 ? undefined : this.readersOf.get(group)
    if (feeds === undefined && readersOf === undefined) return
    const delta: Delta<K, P> = { _tag, group, pid }
    for (const feed of feeds ?? []) feed.push(delta)
    for (const feed of readersOf ?? []) feed.push(delta)
  }
}

const entriesOf = <K, P>(group: { readonly key: K; all(): Iterable<P> }): ReadonlyArray<MembershipEntry<K, P>> =>
  Array.from(group.all(), (pid) => ({ group: group.key, pid }))
