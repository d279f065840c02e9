/** The entries of a registry in one kernel. */
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { ChangeFeed } from "./changeFeed.ts"
import { opened, type Opened } from "./feed.ts"
import { KeyMap } from "./keyMap.ts"
import { Registrations, type Entry, type Owner } from "./registrations.ts"

/** @internal */
export type RegistryEntry<K, V> = Entry<K, V, ProcessRecord>

/** @internal */
export interface Registration<K, V> {
  readonly key: K
  readonly pid: ProcessRecord
  readonly value: V
}

/** @internal */
export interface Snapshot<K, V> {
  readonly _tag: "Snapshot"
  readonly entries: ReadonlyArray<Registration<K, V>>
}

/** @internal */
export interface Delta<K, V> extends Registration<K, V> {
  readonly _tag: "Registered" | "Updated" | "Unregistered"
}

type Reader<K, V> = ChangeFeed<Snapshot<K, V>, Delta<K, V>>

/** @internal */
export class RegistryState<K, V> {
  readonly table: Registrations<K, V, ProcessRecord>
  readonly meta: Map<unknown, unknown>
  feeds: Set<Reader<K, V>> | undefined = undefined
  /** The waiters for a unique key to be taken. */
  private readonly waiters = new KeyMap<K, Set<() => void>>()

  constructor(isUnique: boolean, meta: object) {
    this.table = new Registrations(isUnique, (owner) => this.dropAll(owner))
    this.meta = new Map(Object.entries(meta))
  }

  /** Adds an entry. A unique key must be free. */
  add(key: K, record: ProcessRecord, value: V): void {
    const entry = this.table.add(key, record, value)
    if (entry.owner.first === entry) record.own(entry.owner)
    if (this.feeds !== undefined) this.tell("Registered", entry)
    if (this.waiters.size > 0) this.wake(key)
  }

  remove(entry: RegistryEntry<K, V>): void {
    if (this.table.remove(entry)) entry.pid.disown(entry.owner)
    if (this.feeds !== undefined) this.tell("Unregistered", entry)
  }

  update(entry: RegistryEntry<K, V>, value: V): void {
    entry.value = value
    if (this.feeds !== undefined) this.tell("Updated", entry)
  }

  lookup(key: K): ReadonlyArray<Registration<K, V>> {
    const one = this.table.holder(key)
    return one === undefined ? this.table.at(key).map(registration) : [registration(one)]
  }

  /** Runs in the step in which the process dies, before anybody is told. */
  private dropAll(owner: Owner<K, V, ProcessRecord>): void {
    for (const entry of owner.entries()) {
      this.table.remove(entry)
      if (this.feeds !== undefined) this.tell("Unregistered", entry)
    }
  }

  read(capacity: number): Opened<Reader<K, V>> {
    return opened(this, new ChangeFeed(capacity, () => this.snapshot()))
  }

  private snapshot(): Snapshot<K, V> {
    return { _tag: "Snapshot", entries: Array.from(this.table.all(), registration) }
  }

  private tell(_tag: Delta<K, V>["_tag"], entry: RegistryEntry<K, V>): void {
    const delta: Delta<K, V> = { _tag, ...registration(entry) }
    for (const feed of this.feeds!) feed.push(delta)
  }

  wait(key: K, waiter: () => void): void {
    const waiting = this.waiters.get(key)
    if (waiting === undefined) this.waiters.set(key, new Set([waiter]))
    else waiting.add(waiter)
  }

  forget(key: K, waiter: () => void): void {
    const waiting = this.waiters.get(key)
    if (waiting?.delete(waiter) === true && waiting.size === 0) this.waiters.delete(key)
  }

  private wake(key: K): void {
    const waiting = this.waiters.get(key)
    this.waiters.delete(key)
    for (const waiter of waiting ?? []) waiter()
  }
}

/** @internal */
export const registration = <K, V>({ key, pid, value }: RegistryEntry<K, V>): Registration<K, V> => ({
  key,
  pid,
  value
})
