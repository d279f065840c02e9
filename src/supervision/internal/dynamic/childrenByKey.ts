/**
 * The children of a dynamic supervisor, by key. A dead child keeps its key until it is released, but does not count
 * against the limit.
 */
import type { DynamicChild } from "./dynamicChild.ts"

/** @internal */
export class ChildrenByKey {
  readonly byKey = new Map<string, DynamicChild>()
  /** How many children were ever added. */
  added = 0
  /** Children that are dead for good, and not removed yet. */
  private deadForGood = 0

  /** How many children count against the limit. */
  get occupied(): number {
    return this.byKey.size - this.deadForGood
  }

  has(child: DynamicChild): boolean {
    return this.byKey.get(child.key) === child
  }

  add(child: DynamicChild): void {
    this.byKey.set(child.key, child)
    this.added++
  }

  /** It is dead for good. */
  markDeadForGood(child: DynamicChild): void {
    if (child.isDeadForGood || !this.has(child)) return
    child.isDeadForGood = true
    this.deadForGood++
  }

  /** Its key is free. */
  remove(child: DynamicChild): void {
    this.byKey.delete(child.key)
    if (child.isDeadForGood) this.deadForGood--
  }
}
