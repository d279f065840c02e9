/**
 * The entries of a registry: keys, owners and values. Plain data: no fiber, no clock.
 *
 * Every entry can be found by its key and by its owner. To remove all entries of an owner takes time only for these. To
 * find the entries of an owner under one key takes time for the entries of the key or of the owner, whichever are
 * fewer.
 */
import { KeyMap } from "./keyMap.ts"

/** One registration. @internal */
export class Entry<K, V, P> {
  readonly key: K
  readonly owner: Owner<K, V, P>
  value: V
  /** The entries of one owner, in the order they were made. */
  previous: Entry<K, V, P> | undefined = undefined
  next: Entry<K, V, P> | undefined = undefined

  constructor(key: K, owner: Owner<K, V, P>, value: V) {
    this.key = key
    this.owner = owner
    this.value = value
  }

  get pid(): P {
    return this.owner.pid
  }
}

/** The entries of one process. It exists as long as it has an entry. @internal */
export class Owner<K, V, P> {
  readonly pid: P
  size = 0
  first: Entry<K, V, P> | undefined = undefined
  private last: Entry<K, V, P> | undefined = undefined
  private readonly dropAll: (owner: Owner<K, V, P>) => void

  constructor(pid: P, dropAll: (owner: Owner<K, V, P>) => void) {
    this.pid = pid
    this.dropAll = dropAll
  }

  append(entry: Entry<K, V, P>): void {
    const { last } = this
    this.size++
    entry.previous = last
    if (last === undefined) this.first = entry
    else last.next = entry
    this.last = entry
  }

  unlink(entry: Entry<K, V, P>): void {
    const { next, previous } = entry
    this.size--
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
  }

  /** The process has died. */
  drop(): void {
    this.dropAll(this)
  }

  *entries(): IterableIterator<Entry<K, V, P>> {
    for (let entry = this.first; entry !== undefined; entry = entry.next) yield entry
  }
}

/** @internal */
export class Registrations<K, V, P> {
  private readonly isUnique: boolean
  private readonly ones = new KeyMap<K, Entry<K, V, P>>()
  private readonly many = new KeyMap<K, Set<Entry<K, V, P>>>()
  private readonly owners = new Map<P, Owner<K, V, P>>()
  private readonly dropAll: (owner: Owner<K, V, P>) => void
  size = 0

  constructor(isUnique: boolean, dropAll: (owner: Owner<K, V, P>) => void) {
    this.isUnique = isUnique
    this.dropAll = dropAll
  }

  /** The one entry of a unique key. */
  holder(key: K): Entry<K, V, P> | undefined {
    return this.ones.get(key)
  }

  /** The entries of a key, in the order they were made. */
  at(key: K): ReadonlyArray<Entry<K, V, P>> {
    if (!this.isUnique) return Array.from(this.many.get(key) ?? [])
    const entry = this.ones.get(key)
    return entry === undefined ? [] : [entry]
  }

  of(pid: P): Owner<K, V, P> | undefined {
    return this.owners.get(pid)
  }

  /** The entries of a process under a key, in the order they were made. */
  own(pid: P, key: K): ReadonlyArray<Entry<K, V, P>> {
    if (this.isUnique) return this.at(key).filter((entry) => entry.pid === pid)
    const entries = this.many.get(key)
    const owner = this.owners.get(pid)
    if (entries === undefined || owner === undefined) return []
    // Both sets may be large, so the smaller one is searched.
    if (entries.size < owner.size) return Array.from(entries).filter((entry) => entry.owner === owner)
    return Array.from(owner.entries()).filter((entry) => entries.has(entry))
  }

  *all(): IterableIterator<Entry<K, V, P>> {
    if (this.isUnique) yield* this.ones.values()
    else for (const entries of this.many.values()) yield* entries
  }

  /** Adds an entry. A unique key must be free. */
  add(key: K, pid: P, value: V): Entry<K, V, P> {
    const owner = this.ownerOf(pid)
    const entry = new Entry(key, owner, value)
    owner.append(entry)
    this.size++
    if (this.isUnique) this.ones.set(key, entry)
    else {
      const entries = this.many.get(key)
      if (entries === undefined) this.many.set(key, new Set([entry]))
      else entries.add(entry)
    }
    return entry
  }

  /** Removes an entry. True if it was the last of its owner. */
  remove(entry: Entry<K, V, P>): boolean {
    const { key, owner } = entry
    owner.unlink(entry)
    this.size--
    if (this.isUnique) this.ones.delete(key)
    else {
      const entries = this.many.get(key)!
      entries.delete(entry)
      if (entries.size === 0) this.many.delete(key)
    }
    return owner.first === undefined && this.owners.delete(owner.pid)
  }

  private ownerOf(pid: P): Owner<K, V, P> {
    let owner = this.owners.get(pid)
    if (owner === undefined) this.owners.set(pid, (owner = new Owner(pid, this.dropAll)))
    return owner
  }
}
