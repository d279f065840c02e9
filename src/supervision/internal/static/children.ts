/** The children of one supervisor: the run of each, and what each provides to later siblings and to the outside. */
import * as Context from "effect/Context"
import {
  eachTarget,
  innerTargets,
  SupervisedLayers,
  type HandleTargets,
  type StartedBy
} from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { ProcessView } from "../../../kernel/shared/processView.ts"
import { Self, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { makeWait } from "../../../kernel/shared/waitCycles.ts"
import type { UntypedSpec } from "../child/untypedSpec.ts"
import type { ChildRun } from "../child/childRun.ts"
import type { ReportedChild, WaitingReport } from "../child/childReports.ts"
import { handlesOf } from "../child/exportedHandles.ts"
import { supervisedEntry } from "../child/supervisedEntry.ts"
import type { RestartSteps } from "../child/restartSchedule.ts"
import type { Options } from "../group/group.ts"
import { addLeftover } from "../child/leftovers.ts"
import type { OwnSupervisedLayers } from "../tree/supervisedLayers.ts"

/** What a supervisor knows of its children. @internal */
export interface SupervisorSpec {
  readonly id: string
  /** What listings show of it. */
  readonly listedAs: ProcessView
  readonly options: Options
  readonly children: ReadonlyArray<UntypedSpec>
  /** The schedule of a child. Undefined means: restart at once. */
  readonly schedule: (child: number) => RestartSteps | undefined
  /** Whether the Layer of a child gives the supervised handle if it is provided again below. Default: true. */
  readonly sharesLayers?: boolean | undefined
}

/** @internal */
export class ChildEntry implements ReportedChild {
  readonly id: string
  readonly targets: HandleTargets
  /** Dropped once a temporary child has ended. */
  spec: UntypedSpec | undefined
  run: ChildRun | undefined = undefined
  incarnation = 0
  startedAt = 0
  /** How long its last run was up. */
  uptime = 0
  readonly steps: RestartSteps | undefined
  /** What it provides now. Handles outlive the child. */
  services: Context.Context<never>
  reports: Array<WaitingReport> | undefined = undefined
  decision: string | undefined = undefined
  /** Whether the core has heard of the end of its last run. */
  isHeard = false
  readonly reportKind: string

  constructor(spec: UntypedSpec, of: Pick<ChildEntry, "id" | "targets" | "steps" | "services" | "reportKind">) {
    this.id = of.id
    this.spec = spec
    this.targets = of.targets
    this.steps = of.steps
    this.services = of.services
    this.reportKind = of.reportKind
  }

  get displayName(): string {
    return this.id
  }

  get record(): ProcessRecord | undefined {
    return this.run?.record
  }

  /** Another run of it begins. */
  beginRun(incarnation: number, run: ChildRun): void {
    this.run = run
    this.incarnation = incarnation
    this.uptime = 0
    this.decision = undefined
    this.isHeard = false
  }
}

/** The handles that a child provides, by its targets. They are valid for every run of the child and of its supervisor. */
const known = new WeakMap<HandleTargets, Context.Context<never>>()

/** @internal */
export class Children {
  private readonly all: ReadonlyArray<ChildEntry>
  private readonly byId: ReadonlyMap<string, ChildEntry>
  /** The Layers by which its children were started, and those of supervisors below. */
  private readonly supervised: OwnSupervisedLayers

  constructor(
    { children, id: supervisor, options, schedule }: SupervisorSpec,
    targets: HandleTargets,
    supervised: OwnSupervisedLayers
  ) {
    this.supervised = supervised
    this.all = children.map((spec, index) => {
      const { id } = options.members[index]!
      const own = innerTargets(targets, id, spec.options.id)
      return new ChildEntry(spec, {
        id,
        targets: own,
        steps: schedule(index),
        reportKind: `${supervisor}: child ${id}`,
        // A sibling may need the handle of a child that is terminated before it has come up in this run.
        services: known.get(own) ?? Context.empty()
      })
    })
    this.byId = new Map(this.all.map((entry) => [entry.id, entry]))
  }

  at(child: number): ChildEntry {
    return this.all[child]!
  }

  entries(): Iterable<[number, ChildEntry]> {
    return this.all.entries()
  }

  withId(id: string): ChildEntry | undefined {
    return this.byId.get(id)
  }

  /** Sets what the restart of each child waits for. */
  restartsWaitFor(blockers: (child: number) => Iterable<ProcessRecord>): void {
    for (const [child, { targets }] of this.all.entries()) targets.restart = makeWait(() => blockers(child))
  }

  /** The latest run first. */
  get runs(): ReadonlyArray<ChildRun> {
    return this.all.flatMap(({ run }) => (run === undefined ? [] : [run])).toReversed()
  }

  /** The environment of a child: that of the supervisor, and what earlier siblings provide. */
  environment(child: number, context: Context.Context<never>): Context.Context<never> {
    const own: Context.Context<never> = Context.omit(Self)(context)
    return Context.add(merged(own, this.all.slice(0, child)), SupervisedLayers, this.supervised)
  }

  /** The handles of all children. */
  get exports(): Context.Context<never> {
    return merged(
      Context.empty(),
      this.all.filter(({ spec }) => spec?.kind !== "resource")
    )
  }

  /** Takes what a child has built. */
  setServices(child: number, built: Context.Context<never>): void {
    const entry = this.at(child)
    const { spec } = entry
    const key = spec!.key as Context.Key<never, unknown> | undefined
    if (key !== undefined) {
      entry.services = Context.make(key, Context.getUnsafe(built, key))
      return
    }
    entry.services = handlesOf(built)
    known.set(entry.targets, entry.services)
  }

  /** The process of a child is up. */
  addSupervised(child: number, by: StartedBy): void {
    this.supervised.add(child, supervisedEntry(this.at(child), by))
  }

  /** Leaves behind the runs that have not ended. The next run of the supervisor has to wait for them. */
  addLeftovers(): void {
    for (const { run, targets } of this.all) if (run?.hasEnded() === false) addLeftover(targets, run)
  }

  /** Drops what must not be kept alive by a pid that somebody keeps. */
  clear(): void {
    for (const entry of this.all) {
      entry.spec = entry.run = undefined
      entry.services = Context.empty()
    }
  }

  /** A temporary child has ended. It will not be started again, so nobody has to wait for that. */
  forget(child: number): void {
    const entry = this.at(child)
    const reason = entry.run?.record?.reason ?? ExitReason.normal
    eachTarget(entry.targets, (target) => target.markGone(reason))
    if (entry.run?.hasEnded() === false) addLeftover(entry.targets, entry.run)
    entry.spec = undefined
    entry.run = undefined
  }
}

const merged = (context: Context.Context<never>, children: ReadonlyArray<ChildEntry>): Context.Context<never> => {
  const all = new Map(context.mapUnsafe)
  for (const { services } of children) for (const [key, service] of services.mapUnsafe) all.set(key, service)
  return Context.makeUnsafe(all)
}
