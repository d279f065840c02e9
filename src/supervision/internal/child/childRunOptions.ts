/** The input of one run of a child, and its callbacks. */
import type * as Context from "effect/Context"
import type { HandleTargets, StartedBy } from "../../../kernel/shared/adoption.ts"
import type * as ExitReason from "../../../kernel/ExitReason.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { Limit } from "../../../kernel/Shutdown.ts"
import type { UntypedSpec } from "./untypedSpec.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import type { Crash } from "../../../kernel/shared/crashReports.ts"

/** The callbacks of a child. They run in fibers of its own, never inside a decision. @internal */
export interface RunListener {
  /** Its process exists, and does not run yet. */
  readonly adopted?: ((record: ProcessRecord) => void) | undefined
  /** Its process is up. The child's Layer may still be building. */
  readonly up: (by: StartedBy) => void
  readonly started: (context: Context.Context<never>) => void
  readonly startFailed: (ending: ChildEnd) => void
  readonly exited: (reason: ExitReason.ExitReason) => void
  /** It is alive at its shutdown limit, and is killed in this step. */
  readonly overran: (record: ProcessRecord) => void
  /** Its fiber and scope have ended. This may come after `overdue`. */
  readonly released: () => void
  readonly overdue: (ending: ChildEnd) => void
  /** The supervisor was killed and does not wait for it any longer. */
  readonly leftBehind: () => void
}

/** @internal */
export interface ChildRunOptions {
  readonly id: string
  readonly spec: UntypedSpec
  readonly parent: ProcessRecord
  readonly targets: HandleTargets
  /** The environment of its Layer. */
  readonly context: Context.Context<never>
  /** Throws if this process cannot be a child of this supervisor. */
  readonly check: (record: ProcessRecord) => void
  /** Gets the crash reports of its process. */
  readonly reporter: (crash: Crash) => void
  readonly defaultLimit: (record: ProcessRecord | undefined) => Limit
  readonly listener: RunListener
}
