/** The errors for Layers that cannot be children. They say what to do instead. */
import type * as Context from "effect/Context"
import { TypeId } from "../../../kernel/Handle.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { handlesOf } from "./exportedHandles.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import { type HandleTarget, targetOf } from "../../../kernel/shared/handleTarget.ts"

/** A child's Layer has started no process. @internal */
export const noProcess = (id: string, built: Context.Context<never>): string => {
  const what = `The Layer of child "${id}" started no process`
  const [handle] = handlesOf(built).mapUnsafe.values()
  // A test double that was written by hand has only a key, and is handled below. A handle of another copy is refused.
  const made: Partial<HandleTarget> | undefined = handle?.[TypeId]
  const target = handle === undefined || made?.copy === undefined ? made : targetOf("Supervisor.child", handle)
  if (target === undefined) {
    return `${what}: it is not a server, a worker or a supervisor. Make it a Supervisor.resource`
  }
  const { current, key } = target
  if (current === undefined)
    return `${what}: it provides ${key} without one. Provide a test double where ${key} is needed`
  if (current.parent !== undefined) {
    const parent = displayName(current.parent)
    return `${what}, because ${key} is already supervised by ${parent}. Take its handle from there`
  }
  return (
    `${what}, because ${key} already runs: the same Layer is also provided elsewhere. Provide the supervisor where ` +
    `${key} is needed, or give the child a server of its own with Layer.fresh. If an effect in that Layer provides or ` +
    `builds ${key}, use Layer.unwrap instead`
  )
}

/** A child's Layer has started a second process. @internal */
export const severalProcesses = (id: string, first: ProcessRecord | undefined): string => {
  const second = first === undefined ? "several processes" : `a second process beside ${displayName(first)}`
  return (
    `The Layer of child "${id}" started ${second}. Make each server a child of its own: Supervisor.child(A.layer), ` +
    "Supervisor.child(B.layer) instead of one child with Layer.merge or Layer.provide"
  )
}
