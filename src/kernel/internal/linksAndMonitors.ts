/**
 * Links and monitors between processes, as plain data: no fiber, no clock.
 *
 * A node has a `relations` object only while it has relations. There is at most one link between two nodes, and it is
 * symmetric. Each monitor is its own reference and fires at most once.
 */

/** @internal */
export interface Node<N> {
  relations: Relations<N> | undefined
}

/** @internal */
export interface Relations<N> {
  readonly links: Set<N>
  /** Monitors that others have on this node, in the order they were made. */
  readonly watchers: Set<Monitor<N>>
  /** Monitors that this node has on others. */
  readonly watching: Set<Monitor<N>>
}

/** @internal */
export interface Monitor<N> {
  readonly watcher: N
  readonly pid: N
  /** The name it was made with. */
  readonly name: string | undefined
}

/** What the kernel sends when a node ends. Exits come before downs. @internal */
export type Delivery<N> =
  | { readonly _tag: "Exit"; readonly to: N }
  | { readonly _tag: "Down"; readonly to: N; readonly monitor: Monitor<N> }

/** @internal */
export const link = <N extends Node<N>>(a: N, b: N): void => {
  if (a === b) return
  relationsOf(a).links.add(b)
  relationsOf(b).links.add(a)
}

/** @internal */
export const unlink = <N extends Node<N>>(a: N, b: N): boolean => {
  b.relations?.links.delete(a)
  const found = a.relations?.links.delete(b) ?? false
  prune(a)
  prune(b)
  return found
}

/** @internal */
export const monitor = <N extends Node<N>>(watcher: N, pid: N, name?: string): Monitor<N> => {
  const made: Monitor<N> = { watcher, pid, name }
  if (watcher !== pid) {
    relationsOf(pid).watchers.add(made)
    relationsOf(watcher).watching.add(made)
  }
  return made
}

/** True if the monitor was still active, so that its `Down` will never come. @internal */
export const demonitor = <N extends Node<N>>(monitor: Monitor<N>): boolean => {
  const found = monitor.pid.relations?.watchers.delete(monitor) ?? false
  monitor.watcher.relations?.watching.delete(monitor)
  prune(monitor.pid)
  prune(monitor.watcher)
  return found
}

/** Removes all relations of a node and returns what to send. @internal */
export const exited = <N extends Node<N>>(node: N): ReadonlyArray<Delivery<N>> => {
  const relations = node.relations
  if (relations === undefined) return []
  node.relations = undefined
  const deliveries: Array<Delivery<N>> = []
  for (const to of relations.links) {
    to.relations?.links.delete(node)
    prune(to)
    deliveries.push({ _tag: "Exit", to })
  }
  for (const monitor of relations.watchers) {
    monitor.watcher.relations?.watching.delete(monitor)
    prune(monitor.watcher)
    deliveries.push({ _tag: "Down", to: monitor.watcher, monitor })
  }
  for (const monitor of relations.watching) {
    monitor.pid.relations?.watchers.delete(monitor)
    prune(monitor.pid)
  }
  return deliveries
}

const relationsOf = <N>(node: Node<N>): Relations<N> =>
  (node.relations ??= { links: new Set(), watchers: new Set(), watching: new Set() })

/** Drops the `relations` object of a node that has none left. */
const prune = <N>(node: Node<N>): void => {
  const r = node.relations
  if (r !== undefined && r.links.size === 0 && r.watchers.size === 0 && r.watching.size === 0) {
    node.relations = undefined
  }
}
