/**
 * The handles of the children of a dynamic supervisor that has ended below another supervisor.
 *
 * These children are not started again. But the reason to show is not known yet. If the supervisor is started again,
 * the children are simply gone. If the tree ends, they share its reason, which the root gives to all handles of the
 * tree.
 */
import { innerTargets, type HandleTargets } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

const CHILDREN = "children"

/** Leaves a child's target where the root of the tree finds it. @internal */
export const addOrphan = (targets: HandleTargets, key: string, target: HandleTarget): void => {
  innerTargets(targets, CHILDREN).own.set(key, target)
}

/** The supervisor runs again, and does not know the children of the run before. @internal */
export const markOrphansGone = ({ inner }: HandleTargets): void => {
  const left = inner.get(CHILDREN)
  inner.delete(CHILDREN)
  for (const target of left?.own.values() ?? []) target.markGone(ExitReason.normal)
}
