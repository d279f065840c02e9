/**
 * The Layers by which a supervisor has started its children, and what each provides.
 *
 * It is asked each time a Layer is provided below, so it is always up to date. An entry appears in the step in which
 * the process of a child is up. It is replaced when another run is up. All entries go with the tree.
 */
import type { Supervised, SupervisedLayers } from "../../../kernel/shared/adoption.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { isSameLayer, startedInTree, type SupervisedChild, type Tree } from "../../../kernel/shared/providedTwice.ts"

/** One child: the Layer that started it last, and the entries of the children below it. @internal */
export interface SupervisedEntry {
  readonly id: string
  readonly layer: object
  /** Whether the Layer is inside a `Layer.fresh`. */
  readonly isFresh: boolean
  readonly supervised: Supervised
  readonly below: OwnSupervisedLayers | undefined
}

/** @internal */
export class OwnSupervisedLayers implements SupervisedLayers, Tree {
  private readonly supervisor: string
  private readonly kernel: ProcessRecord["kernel"]
  private readonly above: SupervisedLayers | undefined
  private readonly entries = new Map<number, SupervisedEntry>()
  private readonly byLayer = new Map<object, Supervised>()

  constructor(supervisor: string, kernel: ProcessRecord["kernel"], above: SupervisedLayers | undefined) {
    this.supervisor = supervisor
    this.kernel = kernel
    this.above = above
  }

  find(layer: object, kernel: ProcessRecord["kernel"]): Supervised | undefined {
    return (kernel === this.kernel ? this.here(layer) : undefined) ?? this.above?.find(layer, kernel)
  }

  /** The process of a child is up. The entry of the run before is removed. */
  add(child: number, entry: SupervisedEntry): void {
    const before = this.entries.get(child)
    if (before !== undefined) {
      this.byLayer.delete(before.layer)
      if (before.below !== entry.below) before.below?.clear()
    }
    this.entries.set(child, entry)
    this.byLayer.set(entry.layer, entry.supervised)
    this.tellOf(entry)
  }

  /** Children of a supervisor below are known from here on, too. */
  private tellOf({ below, layer }: SupervisedEntry): void {
    startedInTree(this.kernel, layer)
    for (const entry of below?.entries.values() ?? []) below!.tellOf(entry)
  }

  startedBy(layer: object, key: string): SupervisedChild | undefined {
    for (const { below, id, isFresh, layer: own, supervised } of this.entries.values()) {
      // Everything inside of it is fresh, too.
      if (isFresh) continue
      const record = supervised.targets.own.get(key)?.current
      if (record !== undefined && isSameLayer(own, layer)) return { id, supervisor: this.supervisor, record }
      const found = below?.startedBy(layer, key)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Nothing is supervised here any more. */
  clear(): void {
    for (const { below } of this.entries.values()) below?.clear()
    this.entries.clear()
    this.byLayer.clear()
  }

  private here(layer: object): Supervised | undefined {
    const own = this.byLayer.get(layer)
    if (own !== undefined) return own
    for (const { below } of this.entries.values()) {
      const found = below?.here(layer)
      if (found !== undefined) return found
    }
    return undefined
  }
}
