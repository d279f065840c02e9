/**
 * The Layers a supervisor has started its children by, and what each gives.
 *
 * It is looked at each time somebody below provides a Layer, so it says what is true then: an entry is there from the
 * step in which the process of a child is up, it is replaced when another run is up, and all are gone with the tree.
 */
import type { Supervised, SupervisedLayers } from "../../../kernel/shared/adoption.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"

/** One child: the Layer it was started by last, and where those of the children below it are found. */
interface Entry {
  readonly layer: object
  readonly supervised: Supervised
  readonly below: SupervisedHere | undefined
}

/** @internal */
export class SupervisedHere implements SupervisedLayers {
  private readonly kernel: ProcessRecord["kernel"]
  private readonly above: SupervisedLayers | undefined
  private readonly entries = new Map<number, Entry>()
  private readonly byLayer = new Map<object, Supervised>()

  constructor(kernel: ProcessRecord["kernel"], above: SupervisedLayers | undefined) {
    this.kernel = kernel
    this.above = above
  }

  find(layer: object, kernel: ProcessRecord["kernel"]): Supervised | undefined {
    return (kernel === this.kernel ? this.here(layer) : undefined) ?? this.above?.find(layer, kernel)
  }

  /** The process of a child is up. What was known of the run before is forgotten. */
  add(child: number, entry: Entry): void {
    const before = this.entries.get(child)
    if (before !== undefined) {
      this.byLayer.delete(before.layer)
      if (before.below !== entry.below) before.below?.clear()
    }
    this.entries.set(child, entry)
    this.byLayer.set(entry.layer, entry.supervised)
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
