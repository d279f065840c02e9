/**
 * What a dynamic supervisor makes known of its children: telemetry events, crash reports, lines in the log.
 *
 * A crash is reported together with what the supervisor decided, which it does a little later than the crash.
 */
import { settingsOf } from "../../../kernel/Display.ts"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { OVERRAN } from "../../../kernel/Shutdown.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import * as Events from "../../SupervisorEvents.ts"
import { abnormal, shownEnding, type Abnormal } from "../child/abnormal.ts"
import type { Ending } from "../core/ending.ts"
import type { DynamicChild } from "./dynamicChild.ts"
import { type Crash, reportCrash, warn } from "../../../kernel/shared/reports.ts"

/** @internal */
export class DynamicReports {
  private readonly name: string
  /** Kept: there may be something to say of a child that outlives the supervisor. */
  private readonly where: Pick<ProcessRecord, "kernel" | "context">

  constructor(supervisor: ProcessRecord, name: string) {
    this.name = name
    this.where = { kernel: supervisor.kernel, context: supervisor.context }
  }

  started(child: DynamicChild, durationMillis: number): void {
    this.execute(Events.childStart, { durationMillis }, () => this.about(child))
  }

  exited(child: DynamicChild, reason: Ending["reason"], uptimeMillis: number): void {
    this.execute(Events.childExit, { uptimeMillis }, () => ({
      ...this.about(child),
      reason: shownEnding(reason, settingsOf(this.where.context))
    }))
  }

  restarting(child: DynamicChild, ending: Ending & { readonly isStart: boolean }, delayMillis: number): void {
    this.decided(child, ending, delayMillis === 0 ? "restart" : `restart in ${delayMillis} ms`)
    this.execute(Events.childRestart, { delayMillis }, () => this.about(child))
  }

  overdue(child: DynamicChild): void {
    this.execute(Events.childZombie, { count: 1 }, () => this.about(child))
    this.warnOf(child, { what: "did not end within its shutdown limit" }, undefined)
  }

  /** Its process has crashed. */
  crashed(child: DynamicChild, crash: Crash): void {
    // What comes after the decision is the last finalizer of a process that was killed.
    if (child.decision === undefined) child.report = crash
    else this.write(crash, child.decision)
  }

  /** It is known what follows its end. What is abnormal and no crash of a process is reported by no process. */
  decided(child: DynamicChild, { reason, isStart }: Ending & { readonly isStart: boolean }, decision: string): void {
    const isReported = child.report !== undefined
    this.settle(child, decision)
    if (isReported) return
    const found = abnormal(reason, { record: child.record, isStart, isResource: false })
    if (found !== undefined) this.warnOf(child, found, decision)
  }

  /** It has ended for good. */
  ended(child: DynamicChild, reason: ExitReason, decision: string): void {
    // Whoever asked for a task knows how it ended.
    if (child.isTask) this.settle(child, decision)
    else this.decided(child, { reason, isStart: false }, decision)
  }

  /** It was killed since it did not end in time. */
  overran(child: DynamicChild, record: ProcessRecord, decision: string): void {
    // The report of a crash says enough.
    if (record.exiting?._tag !== "Crash") this.warnOf(child, { what: OVERRAN }, decision)
  }

  private warnOf(child: DynamicChild, { cause, what }: Abnormal, decision: string | undefined): void {
    warn(this.where, child.target.key, () => {
      const text = `${this.name}: child ${child.displayName} ${what}`
      return { text: decision === undefined ? text : `${text} (${decision})`, cause }
    })
  }

  /** Nothing follows any more. */
  settle(child: DynamicChild, decision: string): void {
    const { report } = child
    child.report = undefined
    child.decision = decision
    if (report !== undefined) this.write(report, decision)
  }

  private write(crash: Crash, decision: string): void {
    reportCrash(this.where, crash, decision)
  }

  private about({ key, incarnation, record }: DynamicChild) {
    return { supervisor: this.name, child: key, incarnation, pid: record }
  }

  private execute<M extends object, D extends object>(
    event: Telemetry.Event<M, D>,
    measurements: NoInfer<M>,
    metadata: () => NoInfer<D>
  ): void {
    const { telemetry } = this.where.kernel
    if (Telemetry.isActiveUnsafe(telemetry, event)) Telemetry.executeUnsafe(telemetry, event, measurements, metadata())
  }
}
