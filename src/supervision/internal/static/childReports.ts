/**
 * What a supervisor makes known of its children: telemetry events, crash reports, lines in the log.
 *
 * A crash is reported together with what the supervisor decided. The report is made at the death of the process, the
 * decision a little later: until then the report waits.
 */
import { settingsOf } from "../../../kernel/Display.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { OVERRAN } from "../../../kernel/Shutdown.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import * as Events from "../../SupervisorEvents.ts"
import { abnormal, shownEnding, type Abnormal } from "../child/abnormal.ts"
import type { Ending } from "../core/ending.ts"
import type { Slot, Slots } from "./slots.ts"
import type { EndReason, Event, State } from "../group/group.ts"
import { type Crash, reportCrash, warn } from "../../../kernel/shared/reports.ts"

interface Waiting {
  readonly child: number
  /** Whether the core knows of this ending. */
  heard: boolean
  readonly write: (decision: string) => void
}

/** @internal */
export class ChildReports {
  private readonly supervisor: ProcessRecord
  private readonly name: string
  /** Kept: there may be something to say of a child that outlives the supervisor. */
  private readonly where: Pick<ProcessRecord, "kernel" | "context">
  private readonly slots: Slots
  private waiting: Array<Waiting> = []
  /** What a schedule has just granted. */
  private delayMillis = 0
  private closed = false

  constructor(supervisor: ProcessRecord, name: string, slots: Slots) {
    this.supervisor = supervisor
    this.name = name
    this.slots = slots
    this.where = { kernel: supervisor.kernel, context: supervisor.context }
  }

  // ---- telemetry --------------------------------------------------------------------------------------------------

  private about({ id, incarnation, run }: Slot) {
    return { supervisor: this.name, child: id, incarnation, pid: run?.record }
  }

  private execute<M extends object, D extends object>(
    event: Telemetry.Event<M, D>,
    measurements: NoInfer<M>,
    metadata: () => NoInfer<D>
  ): void {
    const { telemetry } = this.supervisor.kernel
    if (Telemetry.isActiveUnsafe(telemetry, event)) Telemetry.executeUnsafe(telemetry, event, measurements, metadata())
  }

  started(child: Slot, durationMillis: number): void {
    this.execute(Events.childStart, { durationMillis }, () => this.about(child))
  }

  exited(child: Slot, reason: Ending["reason"], uptimeMillis: number): void {
    this.execute(Events.childExit, { uptimeMillis }, () => ({ ...this.about(child), reason: this.shown(reason) }))
  }

  overdue(child: Slot): void {
    this.execute(Events.childZombie, { count: 1 }, () => this.about(child))
    this.warnOf(child, { what: OVERDUE }, undefined)
  }

  private shown(reason: Ending["reason"]): Ending["reason"] {
    return shownEnding(reason, settingsOf(this.supervisor.context))
  }

  // ---- crashes ----------------------------------------------------------------------------------------------------

  /** Takes the crash reports of one run of a child. */
  reporter(child: number): (crash: Crash) => void {
    const { where } = this
    return (crash) => {
      const write = (decision: string) => reportCrash(where, crash, decision)
      // Of a zombie that was left behind.
      if (this.closed) write("stop")
      else this.waiting.push({ child, heard: false, write })
    }
  }

  /** The core is about to hear of this. */
  hear(state: State<Ending>, event: Event<Ending>): void {
    this.delayMillis = 0
    if (event._tag === "Verdict") this.hearVerdict(state, event)
    if (!("child" in event) || event._tag === "ChildStarted") return
    if (event._tag === "StartFailed" || event._tag === "ChildExited") this.hearEnding(state, event)
    for (const waiting of this.waiting) if (waiting.child === event.child) waiting.heard = true
  }

  private hearVerdict(
    { phase }: State<Ending>,
    { restart, verdict }: Extract<Event<Ending>, { readonly _tag: "Verdict" }>
  ): void {
    const asked = phase._tag === "Running" ? phase.restarts.find((asked) => asked.restart === restart) : undefined
    // Absorbed by another round meanwhile, or taken out by hand: then nothing comes of it.
    if (asked?.stage._tag !== "Asking" || verdict._tag !== "Delay" || !asked.members.includes(asked.child)) return
    const delayMillis = (this.delayMillis = verdict.millis)
    this.execute(Events.childRestart, { delayMillis }, () => this.about(this.slots.at(asked.child)))
  }

  /** What is abnormal and no crash of a process is reported by no process. */
  private hearEnding(
    { children, options, phase }: State<Ending>,
    { _tag, child, exit, incarnation }: Extract<Event<Ending>, { readonly _tag: "StartFailed" | "ChildExited" }>
  ): void {
    const { life, incarnation: latest, starter, waiting } = children[child]!
    if (incarnation !== latest || this.waiting.some((waiting) => waiting.child === child)) return
    // If somebody asked for this start, they are told. So are those who wait for the boot.
    const isTold =
      _tag === "StartFailed" && (life._tag !== "Starting" || starter !== undefined || waiting !== undefined)
    if (isTold || (_tag === "StartFailed" && phase._tag !== "Running")) return
    const isResource = options.members[child]!.kind === "resource"
    if (isResource && phase._tag !== "Running") return
    const found = abnormal(exit.reason, {
      record: this.slots.at(child).run?.record,
      isStart: _tag === "StartFailed",
      isResource
    })
    if (found !== undefined) this.tell(child, found)
  }

  /** It was killed since it did not end in time. */
  overran(child: number, record: ProcessRecord, state: State<Ending> | undefined): void {
    // The report of a crash says enough.
    if (record.exiting?._tag === "Crash") return
    if (this.closed) return this.warnOf(this.slots.at(child), { what: OVERRAN }, "stop")
    // One that ends by itself: the core learns of its end a little later.
    const isToldToEnd = state?.children[child]?.life._tag === "Stopping"
    this.tell(child, { what: OVERRAN }, isToldToEnd)
    if (isToldToEnd) this.settle(state)
  }

  private tell(child: number, what: Abnormal, heard = true): void {
    const slot = this.slots.at(child)
    this.waiting.push({ child, heard, write: (decision) => this.warnOf(slot, what, decision) })
  }

  private warnOf(slot: Slot, { cause, what }: Abnormal, decision: string | undefined): void {
    const { id } = slot
    const child = `${this.name}: child ${id}`
    warn(this.where, child, () => {
      const text = `${child} ${what}`
      return { text: decision === undefined ? text : `${text} (${decision})`, cause }
    })
  }

  /** Writes what is decided by now. */
  settle(state: State<Ending>): void {
    if (this.waiting.length === 0) return
    const all = this.waiting
    this.waiting = []
    for (const waiting of all) {
      const decision = waiting.heard ? decisionOn(state, waiting.child, this.delayMillis) : undefined
      if (decision === undefined) this.waiting.push(waiting)
      else waiting.write(decision)
    }
  }

  /** The supervisor is over: nothing more will be decided. */
  close(reason: EndReason<Ending> | undefined): void {
    this.closed = true
    for (const { child, write } of this.waiting) write(reason === undefined ? "stop" : because(reason, child))
    this.waiting = []
  }
}

const OVERDUE = "did not end within its shutdown limit"

/** What follows the ending of a child; undefined as long as that is not known. */
const decisionOn = ({ phase }: State<Ending>, child: number, delayMillis: number): string | undefined => {
  switch (phase._tag) {
    case "Booting":
      return undefined
    case "Running": {
      const restart = phase.restarts.find(({ members }) => members.includes(child))
      if (restart === undefined) return "no restart"
      if (restart.child !== child) return "restart with a sibling"
      if (restart.stage._tag === "Asking") return undefined
      return delayMillis > 0 ? `restart in ${delayMillis} ms` : "restart"
    }
    case "Ending":
      return because(phase.reason, child)
    case "Ended":
      return "stop"
  }
}

const because = (reason: EndReason<Ending>, child: number): string => {
  if (reason._tag === "Requested" || reason.child !== child) return "stop"
  return reason._tag === "AutoShutdown" ? "stop all" : "give up"
}
