/** How a crash is reported: to telemetry, and to the log unless there were too many. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { render, renderText, type Settings } from "../../values/render.ts"
import type { Mode } from "../../values/valueKinds.ts"
import type { CrashReport } from "../CrashReport.ts"
import { type ExitReason } from "../ExitReason.ts"
import type { Pid } from "../Pid.ts"
import { displayName } from "./displayName.ts"
import * as Events from "./events.ts"
import { writeLine } from "./log.ts"
import { mayReport, type Named, type Where } from "./warnings.ts"
import { settingsOf } from "./displaySettings.ts"
import { shownOf } from "./shownReason.ts"

interface Descendant extends Named {
  readonly parent: Descendant | undefined
}

// ---- models -------------------------------------------------------------------------------------------------------

/** What a process was doing when it crashed, and why it crashed, as its user wants it shown. @internal */
export interface CrashDetails {
  /** Runs code of a user. Call it once. */
  make(): { readonly message: unknown; readonly state: unknown; readonly reason: ExitReason }
  /** Called when no more details will be asked for. */
  forget(): void
}

/** A crash before anything of it is rendered. @internal */
export interface Crash {
  readonly pid: Pid
  readonly displayName: string
  readonly name: string | undefined
  readonly label: string | undefined
  readonly kind: string
  readonly ancestors: ReadonlyArray<string>
  readonly mailboxLength: number
  readonly details: CrashDetails
}

// ---- operations ---------------------------------------------------------------------------------------------------

/** @internal */
export const crashOf = (record: Descendant & Pid, mailboxLength: number, details: CrashDetails): Crash => ({
  pid: record,
  displayName: displayName(record),
  name: record.name,
  label: record.label,
  kind: kindOf(record),
  ancestors: ancestors(record),
  mailboxLength,
  details
})

/** Sends a crash report to telemetry, and to the log unless there were too many. @internal */
export const reportCrash = ({ kernel, context }: Where, crash: Crash, decision?: string): void => {
  const isHeard = Telemetry.isActiveUnsafe(kernel.telemetry, Events.processCrash)
  const isWritten = mayReport(kernel, "Error", crash.kind, context)
  if (isHeard || isWritten) {
    const settings = settingsOf(context)
    const report = (mode: Mode) => reportOf(crash, decision, { mode, settings })
    if (isHeard) {
      Telemetry.executeUnsafe(kernel.telemetry, Events.processCrash, { count: 1 }, { report: report("same") })
    }
    if (isWritten) writeReport(report("plain"), context)
  }
  crash.details.forget()
}

const writeReport = (report: CrashReport, context: Context.Context<never>): void => {
  const text = `${renderText(report.displayName)} crashed`
  writeLine({ level: "Error", text, cause: report.cause, fields: fieldsOf(report) }, context)
}

const reportOf = (
  crash: Crash,
  decision: string | undefined,
  { mode, settings }: { readonly mode: Mode; readonly settings: Settings }
): CrashReport => {
  const { ancestors, details, displayName, label, mailboxLength, name, pid } = crash
  const { message, reason, state } = details.make()
  const shown = shownOf(reason, settings, mode)
  return {
    pid,
    displayName,
    name,
    label,
    ancestors,
    message: render(message, mode, settings),
    state: render(state, mode, settings),
    cause: shown._tag === "Crash" ? shown.cause : Cause.empty,
    mailboxLength,
    decision
  }
}

const fieldsOf = (report: CrashReport): Record<string, unknown> => {
  const fields: Record<string, unknown> = { pid: report.pid.toString(), mailboxLength: report.mailboxLength }
  if (report.name !== undefined) fields["name"] = renderText(report.name)
  if (report.ancestors.length > 0) fields["ancestors"] = report.ancestors
  if (report.message !== undefined) fields["message"] = report.message
  if (report.state !== undefined) fields["state"] = report.state
  if (report.decision !== undefined) fields["decision"] = report.decision
  return fields
}

// ---- names --------------------------------------------------------------------------------------------------------

const MOST_ANCESTORS = 32

/** The names of its ancestors, from the parent upwards. @internal */
export const ancestors = (record: Descendant): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (let { parent } = record; parent !== undefined && names.length < MOST_ANCESTORS; parent = parent.parent) {
    names.push(displayName(parent))
  }
  return names
}

/**
 * The key of a rate limit: the runs and siblings of one server share it. Processes without a label or name share it by
 * parent, because each has another pid.
 */
const kindOf = ({ label, name, parent }: Descendant): string =>
  label ?? name ?? (parent === undefined ? "below nobody" : `below ${displayName(parent)}`)
