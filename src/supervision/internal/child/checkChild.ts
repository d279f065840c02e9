/** What a supervisor requires of the process of a child, and its default limit. */
import * as Duration from "effect/Duration"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { Limit } from "../../../kernel/Shutdown.ts"
import type { UntypedSpec } from "./untypedSpec.ts"
import { defaultShutdown } from "../defaults.ts"
import { isSupervisor } from "../tree/supervisorProcess.ts"

/** The limit of a child that does not set its own. @internal */
export const defaultLimitOf = (record: ProcessRecord | undefined): Limit =>
  isSupervisor(record) ? Duration.infinity : defaultShutdown

/** Throws if this process cannot be a child with these options. @internal */
export const checkChild = (record: ProcessRecord, spec: UntypedSpec): void => {
  if (spec.options.restart !== "transient" || !isSupervisor(record) || !record.data.onlyGivesUp) return
  throw new RangeError(
    `${record.data.process.id} cannot be transient: a supervisor that gives up ends with Shutdown. That is an expected reason, so ` +
      `a transient one would not be restarted. Make it permanent, or give it autoShutdown`
  )
}
