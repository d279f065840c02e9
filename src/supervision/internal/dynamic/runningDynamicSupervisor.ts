/** One run of a dynamic supervisor: which children may start, when it gives up, and how it ends. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { duringWait, recheckCyclesUnsafe } from "../../../kernel/shared/waitCycles.ts"
import { guarded } from "../../../values/guard.ts"
import * as Intensity from "../core/intensity.ts"
import {
  SupervisorProcess,
  withBelow,
  type EndedBecause,
  type GivingUp,
  type SupervisorRun,
  type SupervisorProcessOptions
} from "../tree/supervisorProcess.ts"
import type { ChildPolicy } from "./childPolicy.ts"
import type { DynamicChild } from "./dynamicChild.ts"
import type { DynamicSpec } from "./dynamicSpec.ts"
import { markOrphansGone, addOrphan } from "./orphanedHandles.ts"
import { LiveChildren } from "./liveChildren.ts"

/** Why a child was not started. @internal */
export type RefusedBecause = "AlreadyStarted" | "MaxChildren" | "Stopping"

/** @internal */
export class RunningDynamicSupervisor implements SupervisorRun {
  readonly process: SupervisorProcess
  readonly spec: DynamicSpec
  private readonly live: LiveChildren
  /** Undefined if failures are not counted. */
  private failures: Intensity.FailureWindow | undefined
  private readonly stopRequested = Latch.makeUnsafe()
  private readonly killed = Latch.makeUnsafe()
  /** Whether it was closed with children left. Callers may wait for them. */
  hasAbandoned = false
  /** How many keys were made for children that were started without one. */
  private keysMade = 0
  private finalReason: ExitReason.ExitReason | undefined = undefined
  private endedFor: EndedBecause | undefined = undefined

  constructor(spec: DynamicSpec, options: Omit<SupervisorProcessOptions, "id">) {
    this.process = new SupervisorProcess(this, { ...options, id: spec.id })
    this.spec = spec
    this.failures = spec.intensity === undefined ? undefined : Intensity.make(spec.intensity)
    this.live = new LiveChildren({
      record: this.record,
      spec,
      targets: this.process.targets,
      context: () => this.record.context,
      nowMillis: () => this.process.nowMillis,
      isStopping: () => this.isStopping,
      later: (step) => this.record.fiber?.currentDispatcher.scheduleTask(() => guarded(step, this.record), 0),
      failed: () => this.countFailure(),
      giveUp: (failure) => this.giveUp(failure),
      forgotten: (child) => this.forgotten(child)
    })
  }

  get record(): ProcessRecord {
    return this.process.record
  }

  run(): void {
    this.process.markRunning()
    markOrphansGone(this.process.targets)
    this.process.run(Effect.andThen(this.stopRequested.await, this.live.stopAll), (exit) => {
      const { context, exiting } = this.record
      const end = () => this.process.finish(this.finalReason ?? exiting ?? ExitReason.fromExit(exit), this.endedFor)
      if (this.children.size === 0) return end()
      // It was killed, maybe before its first step.
      Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, this.live.killAll)).addObserver(end)
    })
  }

  get children(): ReadonlyMap<string, DynamicChild> {
    return this.live.byKey
  }

  /** How many children were ever started here. */
  get added(): number {
    return this.live.added
  }

  get isStopping(): boolean {
    return this.finalReason !== undefined || !this.record.isOpen
  }

  get isUp(): boolean {
    return this.record.phase === "running"
  }

  get onlyGivesUp(): boolean {
    return true
  }

  get view(): IterableIterator<DynamicChild> {
    return this.listed()
  }

  private *listed(): IterableIterator<DynamicChild> {
    for (const child of this.children.values()) if (!child.isGone) yield child
  }

  below(): ReadonlyArray<ProcessRecord> {
    return [...this.children.values()].flatMap(({ record }) => withBelow(record))
  }

  /** The processes that its end waits for. Before its end it waits for nothing. */
  blockers(): ReadonlyArray<ProcessRecord> {
    return this.isStopping ? this.below() : []
  }

  /** A key that no child has. */
  freeKey(): string {
    let key: string
    do key = `child ${++this.keysMade}`
    while (this.children.has(key))
    return key
  }

  /** Starts a child, or says why not. */
  add(key: string, args: ReadonlyArray<unknown>, policy: ChildPolicy = this.spec): DynamicChild | RefusedBecause {
    if (this.isStopping) return "Stopping"
    if (this.children.has(key)) return "AlreadyStarted"
    if (this.live.occupied >= this.spec.maxChildren) return "MaxChildren"
    return this.live.add(key, args, policy)
  }

  /**
   * Stops one child in good order and forgets it. The stop goes on even if its caller is interrupted. If the supervisor
   * is killed, the caller no longer waits.
   */
  stop(child: DynamicChild): Effect.Effect<void> {
    return duringWait(child.endWait, Effect.raceFirst(this.live.stop(child), this.killed.await))
  }

  // ---- giving up --------------------------------------------------------------------------------------------------

  /** Counts a failure. Returns the number if there were too many. */
  private countFailure(): number | undefined {
    if (this.failures === undefined) return undefined
    const [window, exceeded] = Intensity.countFailure(this.failures, this.process.nowMillis)
    this.failures = window
    return exceeded ? window.count : undefined
  }

  private giveUp(why: GivingUp): void {
    if (!this.isStopping) this.beginEnd("RestartLimit", this.process.gaveUp(why))
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  shutdown(reason: ExitReason.ExitReason): void {
    if (!this.isStopping) this.beginEnd("Requested", reason)
  }

  private beginEnd(why: EndedBecause, reason: ExitReason.ExitReason): void {
    this.endedFor = why
    this.finalReason = reason
    this.stopRequested.openUnsafe()
    // From now on it waits for its children.
    const { kernel } = this.record
    if (kernel.waitingUntilUp.size > 0) recheckCyclesUnsafe(kernel)
  }

  closed(): void {
    this.hasAbandoned = this.children.size > 0
    this.live.abandon()
    this.killed.openUnsafe()
  }

  ended(): void {}

  /** Gives a child's handle the reason why it is gone, or leaves that to the supervisor above. */
  private forgotten(child: DynamicChild): void {
    if (this.endedFor === "RestartLimit") child.markGone(this.finalReason!)
    else if (this.isStopping && !this.process.isRoot) addOrphan(this.process.targets, child)
    else child.markGone(child.goneReason)
  }
}
