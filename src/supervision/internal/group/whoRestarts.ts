/**
 * Which children restart when one of them has failed, by the strategy and by the resources it may hold.
 *
 * | strategy     | restarts                                  |
 * | ------------ | ----------------------------------------- |
 * | `oneForOne`  | the child that failed                     |
 * | `restForOne` | that child, and all that come after it    |
 * | `oneForAll`  | all                                       |
 *
 * Under every strategy the end of a resource restarts it and all children after it. So does the failure of a child
 * after it, if the resource is rebuilt with its holders and may be the cause.
 */
import { childAt, type Draft } from "./draft.ts"
import { resourceRestart, restartsOf } from "./openRestarts.ts"

export interface Failure<X> {
  readonly child: number
  readonly exit: X
  /** Whether a resource that it holds may be the cause. */
  readonly mayBlameResource: boolean
}

/** The children that restart, and whether they restart as a group. */
export interface Affected {
  readonly members: ReadonlyArray<number>
  readonly group: boolean
  /** The first child that it may affect. */
  readonly from: number
}

export const whoRestarts = <X>(draft: Draft<X>, { child, mayBlameResource }: Failure<X>): Affected => {
  const from = Math.min(firstByStrategy(draft, child), mayBlameResource ? firstResourceHeld(draft, child) : Infinity)
  const members = gather(draft, child, from)
  return { members, group: from !== Infinity || members.length > 1, from: Math.min(from, members[0]!) }
}

/** The first child that restarts because this one failed. Infinity if only this one does. */
const firstByStrategy = <X>(draft: Draft<X>, child: number): number => {
  const isResource = childAt(draft, child).member.kind === "resource"
  switch (draft.options.strategy) {
    case "oneForAll":
      return 0
    case "restForOne":
      return child
    case "oneForOne":
      return isResource ? child : Infinity
  }
}

/** The first resource before this child that is rebuilt with its holders. Infinity if there is none. */
const firstResourceHeld = <X>(draft: Draft<X>, child: number): number => {
  const held = draft.children.findIndex(
    ({ member }, at) => at < child && member.kind === "resource" && member.rebuild === "withHolder"
  )
  return held === -1 ? Infinity : held
}

/**
 * The failed child, all children from the first one on, and the members of every restart that these belong to. Under a
 * group strategy a child that is down comes back with its group, unless it is parked. After the end of a resource it
 * stays as it was. If a child fails while it waits for a resource, the whole restart of that resource is included.
 */
const gather = <X>(draft: Draft<X>, child: number, from: number): ReadonlyArray<number> => {
  const awaited = resourceRestart(draft, child)
  const met = restartsOf(draft).filter(
    (restart) => restart === awaited || restart.members.some((member) => member >= from)
  )
  const joins = new Set([child, ...met.flatMap(({ members }) => members)])
  return draft.children.flatMap(({ state, parked }, other) => {
    if (state._tag === "Dropped") return []
    const active = state._tag === "Up" || state._tag === "Starting"
    const named = other >= from && (active || (draft.options.strategy !== "oneForOne" && parked !== true))
    return named || joins.has(other) ? [other] : []
  })
}
