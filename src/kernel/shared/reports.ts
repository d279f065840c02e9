/** What the kernel reports to people and to telemetry: deaths, crashes, dead letters. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { describe } from "../../values/describe.ts"
import { attempt, type Mode } from "../../values/kinds.ts"
import { render, renderCause, renderText, type Settings } from "../../values/render.ts"
import type { CrashReport } from "../CrashReport.ts"
import { settingsOf } from "../Display.ts"
import * as Events from "./events.ts"
import { shownOf, type ExitReason } from "../ExitReason.ts"
import { CROWD } from "../Mailbox.ts"
import type { Pid } from "../Pid.ts"
import { displayName } from "./displayName.ts"
import { monotonicMillis } from "./monotonic.ts"
import { isVisible, writeLine, type Line } from "./log.ts"
import { afterwards } from "../internal/spareTimer.ts"
import type { LeftOut, ReportLimiter } from "../internal/reportLimiter.ts"

interface Known {
  readonly name: string | undefined
  readonly label: string | undefined
  readonly child: string | undefined
  toString(): string
}

/** What counts and sends reports. @internal */
export interface Reporting {
  readonly telemetry: Telemetry.Table
  readonly reports: ReportLimiter
}

interface Process extends Known, Pid<unknown> {
  readonly kernel: Reporting & { announcing: boolean }
  readonly context: Context.Context<never>
  readonly accepted: number
  readonly handled: number
}

interface Descendant extends Known {
  readonly parent: Descendant | undefined
}

interface Letter {
  readonly from: Pid<unknown> | undefined
  readonly content: unknown
}

type Why = { readonly _tag: "Closed"; readonly reason: ExitReason } | { readonly _tag: "Full" }

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

// ---- telemetry ----------------------------------------------------------------------------------------------------

/** @internal */
export const death = (record: Process, reason: ExitReason): void => {
  const { accepted, context, handled, label, name } = record
  const { telemetry } = record.kernel
  if (!Telemetry.isActiveUnsafe(telemetry, Events.processExit)) return
  const shown = shownOf(reason, settingsOf(context))
  Telemetry.executeUnsafe(
    telemetry,
    Events.processExit,
    { accepted, handled },
    { pid: record, displayName: displayName(record), name, label, reason: shown }
  )
}

/** If a listener sends to a dead process, that is not announced. @internal */
export const deadLetter = (to: Process, { content, from }: Letter, why: Why): void => {
  const { kernel, label, name } = to
  if (kernel.announcing || !Telemetry.isActiveUnsafe(kernel.telemetry, Events.deadLetter)) return
  kernel.announcing = true
  try {
    // The context of a process that has ended is empty, and has no settings.
    const settings = settingsOf(Fiber.getCurrent()?.context ?? to.context)
    const shown = {
      content: render(content, "same", settings),
      why: why._tag === "Full" ? why : { _tag: why._tag, reason: shownOf(why.reason, settings) }
    }
    const about = { to, displayName: displayName(to), name, label, from }
    Telemetry.executeUnsafe(kernel.telemetry, Events.deadLetter, { count: 1 }, { ...about, ...shown })
  } finally {
    kernel.announcing = false
  }
}

// ---- reports ------------------------------------------------------------------------------------------------------

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
  const isWritten = admits(kernel, "Error", crash.kind, context)
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

/** Something abnormal that is not a crash. @internal */
export interface Warning {
  readonly text: string
  readonly fields?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: Cause.Cause<unknown> | undefined
}

/** The kernel that counts a line, and the environment whose log it goes to. @internal */
export interface Where {
  readonly kernel: Reporting
  readonly context: Context.Context<never>
}

/** Writes a warning, unless there were too many of its `kind`. The text is made only if it is written. @internal */
export const warn = (
  { kernel, context }: Where,
  kind: string,
  warning: () => Warning,
  level: Line["level"] = "Warn"
): void => {
  if (!admits(kernel, level, kind, context)) return
  const settings = settingsOf(context)
  const { cause, fields, text }: Warning = attempt(warning) ?? { text: `${kind} ended abnormally` }
  const shown = cause === undefined ? undefined : renderCause(cause, "plain", settings)
  const shownFields = fields && (render(fields, "plain", settings) as Record<string, unknown>)
  writeLine({ level, text: renderText(text, settings, MOST_OF_LINE), cause: shown, fields: shownFields }, context)
}

/** Characters of a line. A line that says why a tree ended holds a stack. */
const MOST_OF_LINE = 12_000

/** Warns that a mailbox without a bound has become very long. @internal */
export const tellCrowded = (record: Known & Where): void => {
  const name = displayName(record)
  const why =
    "It handles them more slowly than they come. A bound for the mailbox makes its senders wait, or fails them."
  warn(record, `${name}: mailbox`, () => ({
    text: `${name}: more than ${CROWD.toLocaleString("en")} messages wait in its mailbox. ${why}`,
    fields: { pid: record.toString() }
  }))
}

/** Logs what a listener to a death has thrown, an observer for example. @internal */
export const logThrown = (process: Known & Where, error: unknown, context = process.context): void => {
  const name = displayName(process)
  const text = () => `${name} has ended. A listener that was told of it threw an error: ${describe(error)}`
  warn({ kernel: process.kernel, context }, `${name}: listener`, () => ({ text: text() }), "Error")
}

// ---- the limit ----------------------------------------------------------------------------------------------------

/** Whether a line about this is to be written. The first line that is left out schedules the summary. */
const admits = (
  { reports }: Reporting,
  level: Line["level"],
  kind: string,
  context: Context.Context<never>
): boolean => {
  if (!isVisible(level, context)) return false
  const nowMillis = monotonicMillis(Context.get(context, Clock.Clock))
  const before = reports.hasLeftOut
  if (reports.admit(kind, nowMillis)) return true
  if (!before) summariseIn(reports, reports.restMillis(nowMillis), context)
  return false
}

const summariseIn = (reports: ReportLimiter, millis: number, context: Context.Context<never>): void =>
  afterwards(millis, () => summarise(reports, context), context)

/** Writes how many reports were left out, if any were. @internal */
export const summarise = (reports: ReportLimiter, context: Context.Context<never>): void => {
  const leftOut = reports.takeLeftOut()
  if (leftOut === undefined) return
  const { count } = leftOut
  const text = `${count} ${count === 1 ? "report was" : "reports were"} left out: ${listOf(leftOut)}`
  writeLine({ level: "Warn", text, fields: { suppressed: count } }, context)
}

const listOf = ({ count, kinds }: LeftOut): string => {
  const known = kinds.reduce((sum, [, ofKind]) => sum + ofKind, 0)
  const listed = kinds.map(([kind, ofKind]) => `${renderText(kind.slice(0, 100))} ${ofKind}`)
  return [...listed, ...(known < count ? [`others ${count - known}`] : [])].join(", ")
}
