/**
 * The members of groups, and how many times each has joined. Plain data: no fiber, no clock.
 *
 * A group without members does not exist. To join, to leave, and to find the next in turn takes the same time however
 * many members there are. To drop a member takes time only for its own groups.
 */
import { KeyMap } from "./keyMap.ts"

/** @internal */
export class Group<K, P> {
  readonly key: K
  /** How many times each has joined, in the order of first joining. */
  readonly members = new Map<P, number>()
  /** The members in the order of their next turns. Undefined until somebody asks. */
  private line: Set<P> | undefined = undefined
  private turns: SetIterator<P> | undefined = undefined

  constructor(key: K) {
    this.key = key
  }

  /** Each member as many times as it has joined. */
  *all(): IterableIterator<P> {
    for (const [member, times] of this.members) {
      for (let i = 0; i < times; i++) yield member
    }
  }

  /** The next member in turn. A new member waits behind the others. */
  next(): P {
    const line = (this.line ??= new Set(this.members.keys()))
    // The iterator never ends, because a member that had its turn goes to the end.
    this.turns ??= line.values()
    const member = this.turns.next().value!
    line.delete(member)
    line.add(member)
    return member
  }

  add(member: P): void {
    this.members.set(member, (this.members.get(member) ?? 0) + 1)
    this.line?.add(member)
  }

  remove(member: P): void {
    this.members.delete(member)
    this.line?.delete(member)
  }
}

/** The groups of one member. It exists as long as it has a group. @internal */
export class Member<K, P> {
  readonly id: P
  readonly groups = new Set<Group<K, P>>()
  private readonly dropAll: (member: Member<K, P>) => void

  constructor(id: P, dropAll: (member: Member<K, P>) => void) {
    this.id = id
    this.dropAll = dropAll
  }

  /** The process has died. */
  drop(): void {
    this.dropAll(this)
  }
}

/** @internal */
export class Membership<K, P> {
  private readonly byKey = new KeyMap<K, Group<K, P>>()
  private readonly byMember = new Map<P, Member<K, P>>()
  private readonly dropAll: (member: Member<K, P>) => void

  constructor(dropAll: (member: Member<K, P>) => void) {
    this.dropAll = dropAll
  }

  get size(): number {
    return this.byKey.size
  }

  group(key: K): Group<K, P> | undefined {
    return this.byKey.get(key)
  }

  groups(): IterableIterator<Group<K, P>> {
    return this.byKey.values()
  }

  has(key: K, id: P): boolean {
    return this.byKey.get(key)?.members.has(id) === true
  }

  /** Adds one membership. Returns the member if it had none before. */
  join(key: K, id: P): Member<K, P> | undefined {
    let group = this.byKey.get(key)
    if (group === undefined) this.byKey.set(key, (group = new Group(key)))
    group.add(id)
    const known = this.byMember.get(id)
    const member = known ?? new Member<K, P>(id, this.dropAll)
    member.groups.add(group)
    if (known !== undefined) return undefined
    this.byMember.set(id, member)
    return member
  }

  /** Removes one membership. False if there is none. */
  leave(key: K, id: P): boolean {
    const group = this.byKey.get(key)
    const times = group?.members.get(id)
    if (group === undefined || times === undefined) return false
    if (times > 1) group.members.set(id, times - 1)
    else {
      this.byMember.get(id)!.groups.delete(group)
      this.remove(group, id)
    }
    return true
  }

  /** Forgets the member and returns it, if it has no group any more. */
  prune(id: P): Member<K, P> | undefined {
    const member = this.byMember.get(id)
    if (member === undefined || member.groups.size > 0) return undefined
    this.byMember.delete(id)
    return member
  }

  /** Removes all memberships of a member, and returns them with their numbers. */
  drop(member: Member<K, P>): ReadonlyArray<readonly [key: K, times: number]> {
    this.byMember.delete(member.id)
    return Array.from(member.groups, (group) => {
      const times = group.members.get(member.id)!
      this.remove(group, member.id)
      return [group.key, times] as const
    })
  }

  private remove(group: Group<K, P>, id: P): void {
    group.remove(id)
    if (group.members.size === 0) this.byKey.delete(group.key)
  }
}
