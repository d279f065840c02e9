/** Writes the reports about the end of a child, once the core has decided what follows. */
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { ChildReports } from "../child/childReports.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import type { EndReason, Event, State } from "../group/group.ts"
import type { Children } from "./children.ts"
import { decisionAtEnd, decisionText, childGranted, isForTheLog } from "./decisionText.ts"

/** @internal */
export class DecisionReports {
  private readonly children: Children
  private readonly reports: ChildReports

  constructor(children: Children, reports: ChildReports) {
    this.children = children
    this.reports = reports
  }

  /** Called before the core gets this event. Returns the delay that a schedule has granted. */
  eventArrived(state: State<ChildEnd>, event: Event<ChildEnd>): number {
    if ("child" in event && event._tag !== "ChildStarted") {
      const child = this.children.at(event.child)
      const isStart = event._tag === "StartFailed"
      if ((isStart || event._tag === "ChildExited") && isForTheLog(state, event)) {
        const isResource = state.options.members[event.child]!.kind === "resource"
        this.reports.ended(child, event.exit.reason, { isStart, isResource })
      }
      child.isHeard = true
    }
    const granted = childGranted(state, event)
    if (granted === undefined || event._tag !== "ScheduleAnswered" || event.answer._tag !== "Delay") return 0
    this.reports.restarting(this.children.at(granted), event.answer.millis)
    return event.answer.millis
  }

  /** Writes the reports whose decision is now known. */
  writeDecided(state: State<ChildEnd>, delayMillis: number): void {
    for (const [index, child] of this.children.entries()) {
      if (child.reports === undefined || !child.isHeard) continue
      const decision = decisionText(state, index, delayMillis)
      if (decision !== undefined) this.reports.decided(child, decision)
    }
  }

  /** A child was killed because it did not end in time. */
  overran(state: State<ChildEnd> | undefined, index: number, record: ProcessRecord): void {
    const child = this.children.at(index)
    this.reports.overran(child, record)
    // If it ends by itself, the core learns of its end a little later.
    if (state?.children[index]?.state._tag !== "Stopping") return
    child.isHeard = true
    this.writeDecided(state, 0)
  }

  /** Nothing more will be decided. */
  close(end: EndReason<ChildEnd> | undefined): void {
    for (const [index, child] of this.children.entries()) {
      this.reports.decided(child, end === undefined ? "stop" : decisionAtEnd(end, index))
    }
  }
}
