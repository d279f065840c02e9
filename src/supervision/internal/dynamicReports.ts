/**
 * What a dynamic supervisor makes known of its children: telemetry events, crash reports, lines in the log.
 *
 * A crash is reported together with what the supervisor decided, which it does a little later than the crash.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { CrashReport } from "../../kernel/CrashReport.ts"
import { type ProcessRecord, reportCrash } from "../../kernel/ProcessRecord.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { describe } from "../../values/describe.ts"
import * as Events from "../SupervisorEvents.ts"
import type { Ending } from "./childEnding.ts"
import type { DynamicChild } from "./dynamicChild.ts"

/** @internal */
export class DynamicReports {
  private readonly name: string
  private readonly kernel: ProcessRecord["kernel"]
  private readonly context: Context.Context<never>

  constructor(supervisor: ProcessRecord, name: string) {
    this.name = name
    this.kernel = supervisor.kernel
    // Kept: there may be something to say of a child that outlives the supervisor.
    this.context = supervisor.context
  }

  started(child: DynamicChild, durationMillis: number): void {
    this.execute(Events.childStart, { durationMillis }, () => this.about(child))
  }

  exited(child: DynamicChild, reason: Ending["reason"], uptimeMillis: number): void {
    this.execute(Events.childExit, { uptimeMillis }, () => ({ ...this.about(child), reason }))
  }

  restarting(child: DynamicChild, ending: Ending, delayMillis: number): void {
    this.decided(child, ending, delayMillis === 0 ? "restart" : `restart in ${delayMillis} ms`)
    this.execute(Events.childRestart, { delayMillis }, () => this.about(child))
  }

  overdue(child: DynamicChild): void {
    this.execute(Events.childZombie, { count: 1 }, () => this.about(child))
    this.log(Effect.logWarning(`${this.name}: child ${child.key} has not ended within its shutdown limit`))
  }

  /** Its process has crashed. */
  crashed(child: DynamicChild, report: CrashReport): void {
    // What comes after the decision is the last finalizer of a process that was killed.
    if (child.decision === undefined) child.report = report
    else this.write(report, child.decision)
  }

  /** It is known what follows its end. A start that failed without a crash is reported by no process. */
  decided(child: DynamicChild, { reason }: Ending, decision: string): void {
    this.settle(child, decision)
    if (reason._tag !== "StartFailed") return
    const line = `${this.name}: child ${child.key} did not start: ${describe(reason.error)} (${decision})`
    this.log(Effect.logWarning(line))
  }

  /** Nothing follows any more. */
  settle(child: DynamicChild, decision: string): void {
    const { report } = child
    child.report = undefined
    child.decision = decision
    if (report !== undefined) this.write(report, decision)
  }

  private write(report: CrashReport, decision: string): void {
    reportCrash(this.kernel, { ...report, decision }, this.context)
  }

  private about({ key, incarnation, record }: DynamicChild) {
    return { supervisor: this.name, child: key, incarnation, pid: record }
  }

  private execute<M extends object, D extends object>(
    event: Telemetry.Event<M, D>,
    measurements: NoInfer<M>,
    metadata: () => NoInfer<D>
  ): void {
    const { telemetry } = this.kernel
    if (Telemetry.isActiveUnsafe(telemetry, event)) Telemetry.executeUnsafe(telemetry, event, measurements, metadata())
  }

  private log(effect: Effect.Effect<void>): void {
    Effect.runForkWith(this.context)(effect)
  }
}
