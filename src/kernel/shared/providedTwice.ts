/**
 * Finds a Layer that is provided twice in one kernel: to a supervisor, as a child, and once more outside of its tree.
 * Then two servers run where their user most likely means one, so it is told in the log.
 *
 * Two Layers are the same if they are one object, or if one definition made them from the same arguments. A `Layer.fresh`
 * is never the same as another one: a program that uses it asks for a second server. Children of dynamic and of partition
 * supervisors do not count, because nobody outside gets their handles from the Layer of the tree.
 */
import type * as Context from "effect/Context"
import { displayName } from "./displayName.ts"
import { TypeId as HandleTypeId, type HandleTarget } from "./handleTarget.ts"
import type { ProcessRecord } from "./processRecord.ts"
import { warn, type Warning } from "./warnings.ts"

/** What a Layer was made from. @internal */
export interface LayerSource {
  /** The key of the service of the process that it starts. */
  readonly key: string
  /** Its definition. Undefined: the Layer itself. */
  readonly definition?: object | undefined
  readonly args?: ReadonlyArray<unknown> | undefined
}

/** A child that is up, whose handle leaves the tree. @internal */
export interface SupervisedChild {
  readonly id: string
  readonly supervisor: string
  readonly record: ProcessRecord
}

/** The tree below one root. @internal */
export interface Tree {
  /** The child that was started by the same Layer, if it is up. */
  readonly startedBy: (layer: object, key: string) => SupervisedChild | undefined
}

/** A process that a Layer has started without a supervisor. */
interface Unsupervised {
  readonly layer: object
  readonly record: ProcessRecord
}

interface InUse {
  readonly trees: Set<Tree>
  /** By the definitions of their Layers. */
  readonly unsupervised: Map<object, Set<Unsupervised>>
  /** The definitions that the log has named. Each is named once. */
  readonly told: WeakSet<object>
}

const sources = new WeakMap<object, LayerSource>()
const inUse = new WeakMap<ProcessRecord["kernel"], InUse>()

/** Notes what a Layer was made from. @internal */
export const addSource = (layer: object, source: LayerSource): void => {
  sources.set(layer, source)
}

/** @internal */
export const isSameLayer = (one: object, other: object): boolean => {
  if (one === other) return true
  const [a, b] = [sources.get(one), sources.get(other)]
  if (a?.definition === undefined || a.definition !== b?.definition) return false
  const [args = [], others = []] = [a.args, b.args]
  return args.length === others.length && args.every((arg, i) => Object.is(arg, others[i]))
}

/** A root has begun. @internal */
export const addTree = (kernel: ProcessRecord["kernel"], tree: Tree): void => {
  inUseIn(kernel).trees.add(tree)
}

/** A root has ended. @internal */
export const removeTree = (kernel: ProcessRecord["kernel"], tree: Tree): void => {
  inUse.get(kernel)?.trees.delete(tree)
}

/** A Layer has started a process that nobody supervises. @internal */
export const startedAlone = (layer: object, gives: Context.Context<never>): void => {
  const record = ownProcess(layer, gives)
  if (record === undefined) return
  const used = inUseIn(record.kernel)
  const definition = definitionOf(layer)
  if (used.told.has(definition)) return
  const started = { layer, record }
  const alone = used.unsupervised.get(definition) ?? new Set()
  used.unsupervised.set(definition, alone.add(started))
  const dead = () => {
    alone.delete(started)
    if (alone.size === 0) used.unsupervised.delete(definition)
  }
  record.observe({ dead })
  tellIfTwice(used, started)
}

/** A child of a tree is up. @internal */
export const startedInTree = (kernel: ProcessRecord["kernel"], layer: object): void => {
  const used = inUse.get(kernel)
  for (const started of used?.unsupervised.get(definitionOf(layer)) ?? []) tellIfTwice(used!, started)
}

// ---- internals ----------------------------------------------------------------------------------------------------

const inUseIn = (kernel: ProcessRecord["kernel"]): InUse => {
  let found = inUse.get(kernel)
  if (found === undefined) {
    inUse.set(kernel, (found = { trees: new Set(), unsupervised: new Map(), told: new WeakSet() }))
  }
  return found
}

const definitionOf = (layer: object): object => sources.get(layer)?.definition ?? layer

const ownProcess = (layer: object, gives: Context.Context<never>): ProcessRecord | undefined => {
  const source = sources.get(layer)
  if (source === undefined) return undefined
  const handle = gives.mapUnsafe.get(source.key) as { readonly [HandleTypeId]: HandleTarget } | undefined
  return handle?.[HandleTypeId].current
}

const tellIfTwice = ({ told, trees }: InUse, { layer, record }: Unsupervised): void => {
  const definition = definitionOf(layer)
  if (told.has(definition)) return
  const { key } = sources.get(layer)!
  for (const tree of trees) {
    const child = tree.startedBy(layer, key)
    if (child === undefined) continue
    told.add(definition)
    return warn(record, `${key}: provided twice`, () => twice(key, child, record))
  }
}

const twice = (key: string, child: SupervisedChild, second: ProcessRecord): Warning => {
  const { id, record, supervisor } = child
  const where = second.parent === undefined ? "outside of every process" : `in ${displayName(second.parent)}`
  return {
    text:
      `${key} runs twice: as child "${id}" of ${supervisor} (${record.toString()}), and once more without a supervisor ` +
      `(${second.toString()}), because its Layer was also provided ${where}. Provide only ${supervisor}, whose Layer ` +
      `provides ${key}. If you want two, put Layer.fresh around one of them`,
    fields: { supervisor, child: id, pid: record.toString(), second: second.toString() }
  }
}
