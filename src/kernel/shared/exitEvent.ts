/** The event that a process has died. */
import type * as Context from "effect/Context"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { type ExitReason } from "../ExitReason.ts"
import type { Pid } from "../Pid.ts"
import { displayName } from "./displayName.ts"
import * as Events from "./events.ts"
import type { Named } from "./warnings.ts"
import { settingsOf } from "./displaySettings.ts"
import { shownOf } from "./shownReason.ts"

interface Dead extends Named, Pid<unknown> {
  readonly kernel: { readonly telemetry: Telemetry.Table }
  readonly context: Context.Context<never>
  readonly accepted: number
  readonly handled: number
  /** Defined, because it is dead. */
  readonly reason: ExitReason | undefined
}

/** Sends the event that a process has died. @internal */
export const reportDeath = (record: Dead): void => {
  const { accepted, context, handled, label, name } = record
  const { telemetry } = record.kernel
  if (!Telemetry.isActiveUnsafe(telemetry, Events.processExit)) return
  const shown = shownOf(record.reason!, settingsOf(context))
  Telemetry.executeUnsafe(
    telemetry,
    Events.processExit,
    { accepted, handled },
    { pid: record, displayName: displayName(record), name, label, reason: shown }
  )
}
