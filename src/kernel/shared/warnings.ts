/** Warnings and other lines of the log, and the limit that they share with crash reports. */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Telemetry from "../../telemetry/Telemetry.ts"
import { describe } from "../../values/describe.ts"
import { attempt } from "../../values/valueKinds.ts"
import { render, renderCause, renderText } from "../../values/render.ts"
import { displayName } from "./displayName.ts"
import { monotonicMillis } from "./monotonic.ts"
import { isVisible, writeLine, type Line } from "./log.ts"
import { runAfter } from "../internal/unrefTimer.ts"
import type { LeftOut, ReportLimiter } from "../internal/reportLimiter.ts"
import { settingsOf } from "./displaySettings.ts"
import { CROWD } from "./mailbox.ts"

/** Whatever has a name for people. @internal */
export interface Named {
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
  if (!mayReport(kernel, level, kind, context)) return
  const settings = settingsOf(context)
  const { cause, fields, text }: Warning = attempt(warning) ?? { text: `${kind} ended abnormally` }
  const shown = cause === undefined ? undefined : renderCause(cause, "plain", settings)
  const shownFields = fields && (render(fields, "plain", settings) as Record<string, unknown>)
  writeLine({ level, text: renderText(text, settings, MOST_OF_LINE), cause: shown, fields: shownFields }, context)
}

/** The most characters of a line. The line that says why a tree ended contains a stack trace. */
const MOST_OF_LINE = 12_000

/** Warns that a mailbox without a bound has become very long. @internal */
export const warnCrowded = (record: Named & Where): void => {
  const name = displayName(record)
  const why =
    "It handles them more slowly than they come. A bound for the mailbox makes its senders wait, or fails them."
  warn(record, `${name}: mailbox`, () => ({
    text: `${name}: more than ${CROWD.toLocaleString("en")} messages wait in its mailbox. ${why}`,
    fields: { pid: record.toString() }
  }))
}

/** Logs what a listener to a death has thrown, an observer for example. @internal */
export const logThrown = (process: Named & Where, error: unknown, context = process.context): void => {
  const name = displayName(process)
  const text = () => `${name} has ended. A listener that was told of it threw an error: ${describe(error)}`
  warn({ kernel: process.kernel, context }, `${name}: listener`, () => ({ text: text() }), "Error")
}

// ---- the limit ----------------------------------------------------------------------------------------------------

/** Whether a line about this is to be written. The first line that is left out schedules the summary. @internal */
export const mayReport = (
  { reports }: Reporting,
  level: Line["level"],
  kind: string,
  context: Context.Context<never>
): boolean => {
  if (!isVisible(level, context)) return false
  const nowMillis = monotonicMillis(Context.get(context, Clock.Clock))
  const before = reports.hasLeftOut
  if (reports.admit(kind, nowMillis)) return true
  if (!before) reportLeftOutIn(reports, reports.restMillis(nowMillis), context)
  return false
}

const reportLeftOutIn = (reports: ReportLimiter, millis: number, context: Context.Context<never>): void =>
  runAfter(millis, () => reportLeftOut(reports, context), context)

/** Writes how many reports were left out, if any were. @internal */
export const reportLeftOut = (reports: ReportLimiter, context: Context.Context<never>): void => {
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
