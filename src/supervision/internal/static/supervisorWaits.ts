/** The processes that a supervisor waits for, and those that its callers wait for. */
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { awaited, type Awaited } from "../group/awaited.ts"
import type { Request } from "../group/member.ts"
import type { Children } from "./children.ts"
import type { State } from "../group/draft.ts"
import type { Running } from "../tree/tree.ts"

/** @internal */
export interface Waiter extends Running {
  readonly children: Children
}

/** @internal */
export class SupervisorWaits {
  private readonly supervisor: Waiter
  private readonly state: () => State<unknown> | undefined

  constructor(options: { readonly supervisor: Waiter; readonly state: () => State<unknown> | undefined }) {
    this.supervisor = options.supervisor
    this.state = options.state
  }

  /** The processes that its boot or its end waits for. At other times it waits for nothing. */
  get now(): ReadonlyArray<ProcessRecord> {
    return this.isKilled ? this.supervisor.below() : this.before(undefined)
  }

  /** The processes that must act before the next start of a child. */
  beforeRestart(child: number): Iterable<ProcessRecord> {
    // Then the supervisor above has to start this one again.
    if (this.supervisor.tree.record.ended) return this.supervisor.tree.targets.restart?.blockers ?? []
    return this.isKilled ? this.supervisor.below() : this.before(child)
  }

  /** The processes that must act before a request about a child is answered. */
  beforeAnswer(tag: Request["_tag"], id: string): ReadonlyArray<ProcessRecord> {
    const run = this.supervisor.tree.record.ended ? undefined : this.supervisor.children.withId(id)?.run
    if (run === undefined) return []
    if (tag !== "RestartRequested") return run.endWaitsFor
    const { record } = run
    return record === undefined || record.ended || record.status === "running" ? [] : [record]
  }

  private get isKilled(): boolean {
    const { record } = this.supervisor.tree
    return record.status === "dead" && !record.ended
  }

  private before(child: number | undefined): ReadonlyArray<ProcessRecord> {
    const state = this.state()
    return state === undefined ? [] : this.processesOf(awaited(state, child))
  }

  private processesOf({ starting, ending }: Awaited): ReadonlyArray<ProcessRecord> {
    const { children } = this.supervisor
    const started = starting.flatMap((child) => children.at(child).run?.record ?? [])
    return [...started, ...ending.flatMap((child) => children.at(child).run?.endWaitsFor ?? [])]
  }
}
