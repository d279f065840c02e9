/**
 * The handles of the children of a dynamic supervisor that has ended below another supervisor.
 *
 * These children are not started again. But the reason to show is not known yet. If the supervisor is started again,
 * the children are simply gone. If the tree ends, they share its reason, which the root gives to all handles of the
 * tree.
 */
import { eachTarget, innerTargets, type HandleTargets } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { DynamicChild } from "./dynamicChild.ts"

type Orphan = Pick<DynamicChild, "key" | "layers" | "target">

const CHILDREN = "children"

/** Leaves a child's targets where the root of the tree finds them. @internal */
export const addOrphan = (targets: HandleTargets, { key, layers, target }: Orphan): void => {
  const orphans = innerTargets(targets, CHILDREN)
  if (layers === undefined) orphans.own.set(key, target)
  else layers.addTo(orphans)
}

/** The supervisor runs again, and does not know the children of the run before. @internal */
export const markOrphansGone = ({ inner }: HandleTargets): void => {
  const left = inner.get(CHILDREN)
  inner.delete(CHILDREN)
  if (left !== undefined) eachTarget(left, (target) => target.markGone(ExitReason.normal))
}
