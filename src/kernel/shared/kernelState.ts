/** The state that the processes of one kernel share. */
import { printAs } from "../../values/printAs.ts"
import type * as Telemetry from "../../telemetry/Telemetry.ts"
import { type Accounting } from "../Accounting.ts"
import type { Births } from "./births.ts"
import { Deadlines } from "./deadlines.ts"
import type { Development, Watched } from "./development.ts"
import { ReportLimiter } from "../internal/reportLimiter.ts"
import { ProcessTable } from "./processTable.ts"
import { addTo, emptyTally, type Tally } from "./tally.ts"

interface Registered extends Watched {
  readonly id: number
  readonly accounting: Accounting
  readonly accepted: number
  readonly handled: number
  /** The counts of the other fates. */
  readonly fates: Tally | undefined
  name: string | undefined
}

/** @internal */
export class KernelState<P extends Registered> {
  readonly telemetry: Telemetry.Table
  /** What freezes values and checks invariants. Undefined in production. */
  development: Development | undefined
  readonly table = new ProcessTable<P>()
  readonly names = new Map<string, P>()
  /** Killed processes whose fibers have not ended yet. */
  readonly zombies = new Set<P>()
  /** The message counts of dead processes. */
  readonly retired: Tally = emptyTally()
  readonly deadlines = new Deadlines()
  /** When its processes were started. Undefined unless somebody wants to know. */
  births: Births | undefined = undefined
  /** Timers of users that have not fired yet. */
  timers = 0
  /** Answers that came when their callers had stopped waiting. */
  lateReplies = 0
  /** True while a dead letter is announced, so that its listeners cannot cause another announcement. */
  isReportingLostMessage = false
  readonly reports = new ReportLimiter()
  /** Processes that wait in their own fiber until a server is up. */
  readonly waitingUntilUp = new Set<P>()
  /** How many resumed callers are nested inside each other right now. */
  depth = 0
  private lastId = 0

  constructor(telemetry: Telemetry.Table, development: Development | undefined) {
    this.telemetry = telemetry
    this.development = development
  }

  /** Whether messages and states are frozen, so that code that changes them in place throws. */
  get freezes(): boolean {
    return this.development?.freezes === true
  }

  nextId(): number {
    return ++this.lastId
  }

  /** Adds the counts of a process that dies. */
  retire({ accepted, fates, handled }: P): void {
    this.retired.accepted += accepted
    this.retired.handled += handled
    if (fates !== undefined) addTo(this.retired, fates)
  }

  remove(process: P): void {
    this.table.remove(process)
    this.births?.forget(process.id)
  }

  releaseName(process: P): void {
    if (process.name !== undefined && this.names.get(process.name) === process) this.names.delete(process.name)
  }

  get accounting(): Accounting {
    const total = { ...this.retired, pending: 0 }
    for (const { accounting } of this.table.values()) {
      addTo(total, accounting)
      total.pending += accounting.pending
    }
    return total
  }
}

printAs(KernelState.prototype, () => "Kernel")
