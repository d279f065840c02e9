/**
 * The runs of a child that is a Layer: a supervisor with its children, or a server with what only it needs.
 *
 * Each run builds the Layer anew, and has ended when everything that it built is released. The handles that the Layer
 * provides are the same for all runs.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { eachTarget, makeTargets, SupervisedLayers, type HandleTargets } from "../../../kernel/shared/adoption.ts"
import type { Crash } from "../../../kernel/shared/crashReports.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { Self, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { checkChild, defaultLimitOf } from "../child/checkChild.ts"
import { ChildRun } from "../child/childRun.ts"
import { handlesOf } from "../child/exportedHandles.ts"
import { addLeftoversOf } from "../child/leftovers.ts"
import { supervisedEntry } from "../child/supervisedEntry.ts"
import type { UntypedSpec } from "../child/untypedSpec.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import { isGivingUp } from "../core/restartLimit.ts"
import { OwnSupervisedLayers } from "../tree/supervisedLayers.ts"
import { isSupervisor } from "../tree/supervisorProcess.ts"
import type { ChildPolicy } from "./childPolicy.ts"

/** What the supervisor hears of a run. @internal */
export interface LayerListener {
  /** Its process exists, and does not run yet. */
  readonly adopted: (record: ProcessRecord) => void
  readonly crashed: (crash: Crash) => void
  readonly started: () => void
  readonly startFailed: (ending: ChildEnd) => void
  readonly exited: (reason: ExitReason.ExitReason) => void
  /** It is alive at its limit, and is killed in this step. */
  readonly overran: (record: ProcessRecord) => void
  readonly released: () => void
  /** It was not released within its limit. */
  readonly overdue: () => void
}

/** @internal */
export interface BeginOptions {
  readonly layer: UntypedSpec["layer"]
  readonly policy: ChildPolicy
  readonly parent: ProcessRecord
  readonly listener: LayerListener
}

/** @internal */
export class LayerRuns {
  /** What the Layer provides. Empty until the first run is up. */
  services: Context.Context<never> = Context.empty()
  /** Whether the process of the last run has been up. */
  cameUp = false
  private readonly key: string
  private readonly targets: HandleTargets
  private run: ChildRun | undefined = undefined
  private supervised: OwnSupervisedLayers | undefined = undefined
  /** Opens when a stop of the last run has ended, or is past its limit. */
  private readonly stopOver = Latch.makeUnsafe()

  /** `owner` has the targets of the supervisor: a run waits for what has to happen before that is started again. */
  constructor(key: string, owner: HandleTargets) {
    this.key = key
    this.targets = makeTargets(key)
    this.targets.restart = owner.restart
  }

  /** The process of the last run. */
  get record(): ProcessRecord | undefined {
    return this.run?.record
  }

  /** Whether its process is up, with all its children if it is a supervisor. */
  get isUp(): boolean {
    const { record } = this
    return isSupervisor(record) ? record.data.isUp : record?.phase === "running"
  }

  get hasEnded(): boolean {
    return this.run?.hasEnded() !== false
  }

  /** Waits until the last run has ended, however long that takes. */
  get untilEnded(): Effect.Effect<void> {
    return this.run === undefined ? Effect.void : this.run.untilEnded
  }

  begin({ layer, policy, parent, listener }: BeginOptions): void {
    const { key, targets } = this
    const options = { id: key, restart: policy.restart, shutdown: policy.limit }
    const spec: UntypedSpec = { kind: "child", layer, options, key: undefined }
    this.cameUp = false
    const run = new ChildRun({
      id: key,
      spec,
      parent,
      targets,
      context: this.environment(parent),
      reporter: listener.crashed,
      check: (record) => checkChild(record, spec),
      defaultLimit: defaultLimitOf,
      listener: {
        adopted: listener.adopted,
        up: (by) => {
          this.cameUp = true
          this.supervised?.add(0, supervisedEntry({ id: key, record: this.record, targets }, by))
        },
        started: (built) => {
          if (this.services.mapUnsafe.size === 0) this.services = handlesOf(built)
          listener.started()
        },
        startFailed: (ending) => {
          this.stopOver.openUnsafe()
          listener.startFailed(ending)
        },
        exited: listener.exited,
        overran: listener.overran,
        released: () => {
          this.stopOver.openUnsafe()
          listener.released()
        },
        overdue: () => {
          this.stopOver.openUnsafe()
          listener.overdue()
        },
        leftBehind: () => {}
      }
    })
    this.run = run
    run.start()
  }

  /** Below the child its own Layer gives its handles. Nobody else finds it. */
  private environment({ context, kernel }: ProcessRecord): Context.Context<never> {
    this.supervised ??= new OwnSupervisedLayers(this.key, kernel, Context.get(context, SupervisedLayers))
    const own: Context.Context<never> = Context.omit(Self)(context)
    return Context.add(own, SupervisedLayers, this.supervised)
  }

  /** Stops the run, or waits again for one that has not ended in time. Its listener hears of the end. */
  stopAgain(): void {
    this.run?.stop()
  }

  /** Stops the run in good order, and waits until it has ended or is past its limit. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    const { run, stopOver } = this
    if (run === undefined || run.hasEnded()) return Effect.void
    stopOver.closeUnsafe()
    run.stop()
    return stopOver.await
  })

  /** Kills the run, and waits within its limit until everything has ended. */
  readonly kill: Effect.Effect<void> = Effect.suspend(() => {
    const { run } = this
    return run === undefined || run.hasEnded() ? Effect.void : run.kill()
  })

  /** It will not be started again. What is left of the children below it is left to the supervisor. */
  forget(owner: HandleTargets): void {
    this.supervised?.clear()
    addLeftoversOf(this.targets, owner)
  }

  /** Why its handles are gone once it is not started again. It may have given up itself. */
  get goneReason(): ExitReason.ExitReason {
    const reason = this.record?.reason
    return reason !== undefined && isGivingUp(reason) ? reason : ExitReason.normal
  }

  markGone(reason: ExitReason.ExitReason): void {
    eachTarget(this.targets, (target) => target.markGone(reason))
  }

  /** Leaves its targets where the root of the tree finds them. */
  addTo(targets: HandleTargets): void {
    targets.inner.set(this.key, this.targets)
  }
}
