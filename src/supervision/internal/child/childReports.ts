/**
 * What a supervisor reports of its children: telemetry events, crash reports, lines in the log.
 *
 * A crash is reported together with the decision of the supervisor. The report is made at the death of the process, the
 * decision a little later. Until then the report waits with the child.
 */
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { type Crash, reportCrash } from "../../../kernel/shared/crashReports.ts"
import { warn } from "../../../kernel/shared/warnings.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import * as Events from "../events.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import { abnormalEnd, shownEnd, type AbnormalEnd } from "./abnormalEnd.ts"
import { settingsOf } from "../../../kernel/shared/displaySettings.ts"
import { OVERRAN } from "../../../kernel/shared/shutdown.ts"

/** Writes a report once the decision is known. @internal */
export type WaitingReport = (decision: string) => void

/** What reports need to know of a child. @internal */
export interface ReportedChild {
  /** Its id or key. */
  readonly id: string
  /** Its name for people. */
  readonly displayName: string
  /** The key of the rate limit of its log lines. */
  readonly reportKind: string
  readonly incarnation: number
  readonly record: ProcessRecord | undefined
  /** The reports of its last run that wait for a decision. */
  reports: Array<WaitingReport> | undefined
  /** What followed the last run. Undefined until it is known. */
  decision: string | undefined
}

/** @internal */
export class ChildReports {
  private readonly name: string
  /** Kept, because a child that outlives the supervisor may still be reported. */
  private readonly where: Pick<ProcessRecord, "kernel" | "context">

  constructor({ context, kernel }: ProcessRecord, name: string) {
    this.name = name
    this.where = { kernel, context }
  }

  // ---- telemetry --------------------------------------------------------------------------------------------------

  started(child: ReportedChild, durationMillis: number): void {
    this.execute(Events.childStart, { durationMillis }, () => this.about(child))
  }

  exited(child: ReportedChild, reason: ChildEnd["reason"], uptimeMillis: number): void {
    this.execute(Events.childExit, { uptimeMillis }, () => ({
      ...this.about(child),
      reason: shownEnd(reason, settingsOf(this.where.context))
    }))
  }

  restarting(child: ReportedChild, delayMillis: number): void {
    this.execute(Events.childRestart, { delayMillis }, () => this.about(child))
  }

  overdue(child: ReportedChild): void {
    this.execute(Events.childZombie, { count: 1 }, () => this.about(child))
    this.warnOf(child, { what: "did not end within its shutdown limit" }, undefined)
  }

  private about({ id, incarnation, record }: ReportedChild) {
    return { supervisor: this.name, child: id, incarnation, pid: record }
  }

  private execute<M extends object, D extends object>(
    event: Telemetry.Event<M, D>,
    measurements: NoInfer<M>,
    metadata: () => NoInfer<D>
  ): void {
    const { telemetry } = this.where.kernel
    if (Telemetry.isActiveUnsafe(telemetry, event)) Telemetry.executeUnsafe(telemetry, event, measurements, metadata())
  }

  // ---- what waits for a decision ----------------------------------------------------------------------------------

  /** Its process has crashed. */
  crashed(child: ReportedChild, crash: Crash): void {
    this.add(child, (decision) => reportCrash(this.where, crash, decision))
  }

  /**
   * It has ended, or has not started. Only the supervisor can report an abnormal end that is not a crash of a process.
   */
  ended(
    child: ReportedChild,
    reason: ChildEnd["reason"],
    of: { readonly isStart: boolean; readonly isResource: boolean }
  ): void {
    if (child.reports !== undefined) return
    const found = abnormalEnd(reason, { record: child.record, ...of })
    if (found !== undefined) this.add(child, (decision) => this.warnOf(child, found, decision))
  }

  /** It was killed because it did not end in time. */
  overran(child: ReportedChild, record: ProcessRecord, decision?: string): void {
    // The crash report is enough.
    if (record.exiting?._tag === "Crash") return
    const what = { what: OVERRAN }
    if (decision !== undefined) this.warnOf(child, what, decision)
    else this.add(child, (decision) => this.warnOf(child, what, decision))
  }

  /** After the decision only the last finalizer of a killed process can follow. It is reported at once. */
  private add(child: ReportedChild, write: WaitingReport): void {
    if (child.decision !== undefined) write(child.decision)
    else (child.reports ??= []).push(write)
  }

  /** It is known what follows its end. */
  decided(child: ReportedChild, decision: string): void {
    const { reports } = child
    child.reports = undefined
    child.decision = decision
    for (const write of reports ?? []) write(decision)
  }

  private warnOf(child: ReportedChild, { cause, what }: AbnormalEnd, decision: string | undefined): void {
    warn(this.where, child.reportKind, () => {
      const text = `${this.name}: child ${child.displayName} ${what}`
      return { text: decision === undefined ? text : `${text} (${decision})`, cause }
    })
  }
}
