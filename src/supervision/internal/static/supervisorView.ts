/**
 * What a supervisor shows of its children. It is never older than what anybody has seen of them.
 *
 * The core learns of a child a little later than a process that had an answer from it. So the view is made from the
 * state that the core will have after all messages in the mailbox, and from the processes themselves.
 */
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import type { Children } from "./children.ts"
import * as Group from "../group/group.ts"
import { SupervisorEnvelope } from "./supervisorEnvelope.ts"
import { isSupervisor } from "../tree/supervisorProcess.ts"

type State = Group.State<ChildEnd>

/** @internal */
export interface ChildView extends Group.ChildView {
  readonly pid: ProcessRecord | undefined
  readonly restarts: number
}

/** What the view is made from. @internal */
export interface Source {
  readonly children: Children
  readonly state: () => State | undefined
  /** The messages that the core has not handled yet. */
  readonly told: () => ReadonlyArray<object>
  readonly now: () => number
}

/** @internal */
export class SupervisorView {
  private readonly source: Source

  constructor(source: Source) {
    this.source = source
  }

  get children(): ReadonlyArray<ChildView> {
    const state = this.foreseen
    if (state === undefined) return []
    return Group.whichChildren(state, (child, incarnation) => this.knownState(child, incarnation)).map((child) => {
      const { incarnation, run } = this.source.children.withId(child.id)!
      const pid = run?.record?.isAlive === true ? run.record : undefined
      return { ...child, pid, restarts: Math.max(0, incarnation - 1) }
    })
  }

  /** Whether all children have come up. */
  get isUp(): boolean {
    const state = this.foreseen
    if (state === undefined || state.phase._tag !== "Booting") return state?.phase._tag === "Running"
    const { skipped } = state.phase
    return state.children.every(({ incarnation, state }, child) => {
      if (incarnation === 0) return skipped.includes(child)
      return state._tag !== "Starting" || this.knownState(child, incarnation) === "up"
    })
  }

  /** The state after all messages in the mailbox. The core is pure, so it can be asked for that in advance. */
  private get foreseen(): State | undefined {
    const { now, state, told } = this.source
    const nowMillis = now()
    return told().reduce(
      (foreseen: State | undefined, envelope) =>
        foreseen !== undefined && envelope instanceof SupervisorEnvelope
          ? Group.decide(foreseen, envelope.event, nowMillis)[0]
          : foreseen,
      state()
    )
  }

  private knownState(child: number, incarnation: number): Group.KnownState {
    const entry = this.source.children.at(child)
    const record = entry.incarnation === incarnation ? entry.record : undefined
    if (record?.isAlive === false) return "dead"
    const isUp = isSupervisor(record) ? record.data.isUp : record?.phase === "running"
    return isUp ? "up" : undefined
  }
}
