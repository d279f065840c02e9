/** Writes the reports about the end of a child, once the core has decided what follows. */
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { ChildReports } from "../child/childReports.ts"
import type { Ending } from "../core/ending.ts"
import type { EndReason, Event, State } from "../group/group.ts"
import type { Children } from "./children.ts"
import { becauseOf, decisionOn, grantedBy, isForTheLog } from "./decisions.ts"

/** @internal */
export class DecisionReports {
  private readonly children: Children
  private readonly reports: ChildReports

  constructor(children: Children, reports: ChildReports) {
    this.children = children
    this.reports = reports
  }

  /** Called before the core gets this event. Returns the delay that a schedule has granted. */
  hear(state: State<Ending>, event: Event<Ending>): number {
    if ("child" in event && event._tag !== "ChildStarted") {
      const child = this.children.at(event.child)
      const isStart = event._tag === "StartFailed"
      if ((isStart || event._tag === "ChildExited") && isForTheLog(state, event)) {
        const isResource = state.options.members[event.child]!.kind === "resource"
        this.reports.ended(child, event.exit.reason, { isStart, isResource })
      }
      child.isHeard = true
    }
    const granted = grantedBy(state, event)
    if (granted === undefined || event._tag !== "Verdict" || event.verdict._tag !== "Delay") return 0
    this.reports.restarting(this.children.at(granted), event.verdict.millis)
    return event.verdict.millis
  }

  /** Writes the reports whose decision is now known. */
  write(state: State<Ending>, delayMillis: number): void {
    for (const [index, child] of this.children.entries()) {
      if (child.reports === undefined || !child.isHeard) continue
      const decision = decisionOn(state, index, delayMillis)
      if (decision !== undefined) this.reports.decided(child, decision)
    }
  }

  /** A child was killed because it did not end in time. */
  overran(state: State<Ending> | undefined, index: number, record: ProcessRecord): void {
    const child = this.children.at(index)
    this.reports.overran(child, record)
    // If it ends by itself, the core learns of its end a little later.
    if (state?.children[index]?.life._tag !== "Stopping") return
    child.isHeard = true
    this.write(state, 0)
  }

  /** Nothing more will be decided. */
  close(end: EndReason<Ending> | undefined): void {
    for (const [index, child] of this.children.entries()) {
      this.reports.decided(child, end === undefined ? "stop" : becauseOf(end, index))
    }
  }
}
