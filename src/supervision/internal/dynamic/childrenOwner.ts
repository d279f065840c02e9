/** What the children of a dynamic supervisor need from it. */
import type * as Context from "effect/Context"
import type { HandleTargets } from "../../../kernel/shared/adoption.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { GivingUp } from "../tree/supervisorProcess.ts"
import type { DynamicChild } from "./dynamicChild.ts"
import type { DynamicSpec } from "./dynamicSpec.ts"

/** @internal */
export interface ChildrenOwner {
  readonly record: ProcessRecord
  readonly spec: DynamicSpec
  readonly targets: HandleTargets
  /** The environment for the fibers of starts and stops. */
  readonly context: () => Context.Context<never>
  readonly nowMillis: () => number
  readonly isStopping: () => boolean
  /** Runs a step after this one. */
  readonly later: (step: () => void) => void
  /** Counts a failure. Returns the number if there were too many. */
  readonly failed: () => number | undefined
  readonly giveUp: (why: GivingUp) => void
  /** A child is gone for good. */
  readonly forgotten: (child: DynamicChild) => void
}
