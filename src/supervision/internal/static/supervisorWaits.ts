/** The processes that a supervisor waits for, and those that its callers wait for. */
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { blockingChildren, type BlockingChildren } from "../group/blockingChildren.ts"
import type { ChildRequest } from "../group/member.ts"
import type { Children } from "./children.ts"
import type { State } from "../group/draft.ts"
import type { SupervisorRun } from "../tree/supervisorProcess.ts"

/** @internal */
export interface WaitingSupervisor extends SupervisorRun {
  readonly children: Children
}

/** @internal */
export class SupervisorWaits {
  private readonly supervisor: WaitingSupervisor
  private readonly state: () => State<unknown> | undefined

  constructor(options: { readonly supervisor: WaitingSupervisor; readonly state: () => State<unknown> | undefined }) {
    this.supervisor = options.supervisor
    this.state = options.state
  }

  /** The processes that its boot or its end waits for. At other times it waits for nothing. */
  get current(): ReadonlyArray<ProcessRecord> {
    return this.isKilled ? this.supervisor.below() : this.before(undefined)
  }

  /** The processes that must act before the next start of a child. */
  beforeRestart(child: number): Iterable<ProcessRecord> {
    // Then the supervisor above has to start this one again.
    if (this.supervisor.process.record.ended) return this.supervisor.process.targets.restart?.blockers ?? []
    return this.isKilled ? this.supervisor.below() : this.before(child)
  }

  /** The processes that must act before a request about a child is answered. */
  beforeAnswer(tag: ChildRequest["_tag"], id: string): ReadonlyArray<ProcessRecord> {
    const run = this.supervisor.process.record.ended ? undefined : this.supervisor.children.withId(id)?.run
    if (run === undefined) return []
    if (tag !== "RestartRequested") return run.endWaitsFor
    const { record } = run
    return record === undefined || record.ended || record.phase === "running" ? [] : [record]
  }

  private get isKilled(): boolean {
    const { record } = this.supervisor.process
    return record.phase === "dead" && !record.ended
  }

  private before(child: number | undefined): ReadonlyArray<ProcessRecord> {
    const state = this.state()
    return state === undefined ? [] : this.processesOf(blockingChildren(state, child))
  }

  private processesOf({ starting, ending }: BlockingChildren): ReadonlyArray<ProcessRecord> {
    const { children } = this.supervisor
    const started = starting.flatMap((child) => children.at(child).run?.record ?? [])
    return [...started, ...ending.flatMap((child) => children.at(child).run?.endWaitsFor ?? [])]
  }
}
