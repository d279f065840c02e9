/** What a supervisor requires of the process of a child, and its default limit. */
import * as Duration from "effect/Duration"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { Limit } from "../../../kernel/Shutdown.ts"
import type { Untyped } from "./untyped.ts"
import { isSupervisor } from "../tree/tree.ts"

/** How long a process that is not a supervisor may take to end in good order. */
const defaultLimit = Duration.seconds(5)

/** The limit of a child that does not set its own. @internal */
export const limitOf = (record: ProcessRecord | undefined): Limit =>
  isSupervisor(record) ? Duration.infinity : defaultLimit

/** Throws if this process cannot be a child with these options. @internal */
export const checkChild = (record: ProcessRecord, spec: Untyped): void => {
  if (spec.options.restart !== "transient" || !isSupervisor(record) || !record.data.onlyGivesUp) return
  throw new RangeError(
    `${record.data.tree.id} cannot be transient: a supervisor that gives up ends with Shutdown. That is an expected reason, so ` +
      `a transient one would not be restarted. Make it permanent, or give it autoShutdown`
  )
}
