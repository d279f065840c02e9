/**
 * One structured report for each crash, written to Effect's log with no wiring.
 *
 * The process that crashed reports, nobody whom its exit signal took along: a chain of fifty linked processes dies with
 * one report. Under a supervisor the report also says what the supervisor decided.
 *
 * **Guarantees**
 *
 * - At most 10 reports a second are written for each label (or name; processes with neither share one limit for each
 *   parent); the next one after that says how many were left out. The telemetry event `otp.process.crash` is sent for
 *   every one.
 *
 * **In Erlang/OTP**
 *
 * The crash report of `proc_lib`, the terminate log of `gen_server` and `child_terminated` of a supervisor in one.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { describe } from "../values/describe.ts"
import type { Pid } from "./Pid.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * What is known of a crash.
 *
 * @category models
 * @since 0.1.0
 */
export interface CrashReport {
  readonly pid: Pid
  readonly name: string | undefined
  readonly label: string | undefined
  /** From the parent upwards, each by its label, name or pid. */
  readonly ancestors: ReadonlyArray<string>
  /** The message in hand, if there was one. */
  readonly message: unknown
  /** The state before that message. */
  readonly state: unknown
  readonly cause: Cause.Cause<unknown>
  /** How many messages were waiting. */
  readonly mailboxLength: number
  /** What the supervisor decided, for example `restart in 100 ms`; undefined if nobody supervises the process. */
  readonly decision: string | undefined
}

// ---- internals ----------------------------------------------------------------------------------------------------

const WINDOW_MILLIS = 1000
const PER_WINDOW = 10
const MOST_WINDOWS = 1000

interface Window {
  startMillis: number
  written: number
  suppressed: number
}

/** Decides what may be written; keeps one small entry for each kind of process that crashed lately. @internal */
export class CrashLimiter {
  /** The one whose second began last comes last. */
  private readonly windows = new Map<string, Window>()

  /** How many reports were left out before this one, or undefined if this one is left out, too. */
  admit(kind: string, nowMillis: number): number | undefined {
    const window = this.windows.get(kind)
    if (window === undefined || nowMillis - window.startMillis >= WINDOW_MILLIS) {
      this.windows.delete(kind)
      if (this.windows.size >= MOST_WINDOWS) this.forgetOldest()
      this.windows.set(kind, { startMillis: nowMillis, written: 1, suppressed: 0 })
      return window?.suppressed ?? 0
    }
    if (window.written < PER_WINDOW) {
      window.written++
      return 0
    }
    window.suppressed++
    return undefined
  }

  private forgetOldest(): void {
    for (const kind of this.windows.keys()) {
      this.windows.delete(kind)
      return
    }
  }
}

/** Who crashed, in one word. @internal */
export const subject = (report: CrashReport): string => report.label ?? report.name ?? describe(report.pid)

/** What shares a limit: every process without a label or name has another pid. @internal */
export const kind = (report: CrashReport): string => report.label ?? report.name ?? `below ${report.ancestors[0] ?? ""}`

/** Writes a report to the log of this environment. @internal */
export const write = (report: CrashReport, suppressed: number, context: Context.Context<never>): void => {
  Effect.runForkWith(context)(
    Effect.annotateLogs(Effect.logError(`${subject(report)} crashed`, report.cause), annotations(report, suppressed))
  )
}

const annotations = (report: CrashReport, suppressed: number): Record<string, unknown> => {
  const fields: Record<string, unknown> = { pid: describe(report.pid), mailboxLength: report.mailboxLength }
  if (report.name !== undefined) fields["name"] = report.name
  if (report.ancestors.length > 0) fields["ancestors"] = report.ancestors
  if (report.message !== undefined) fields["message"] = report.message
  if (report.state !== undefined) fields["state"] = report.state
  if (report.decision !== undefined) fields["decision"] = report.decision
  if (suppressed > 0) fields["suppressed"] = suppressed
  return fields
}
