/** What all supervisors have in common: their process, the signals it heeds, and how its end is reported. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { eachTarget, SupervisedLayers, type Adoption, type HandleTargets } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { close, finish } from "../../../kernel/shared/death.ts"
import { running } from "../../../kernel/shared/life.ts"
import { writeLine } from "../../../kernel/shared/log.ts"
import { become, ProcessRecord, Self, type Kind } from "../../../kernel/shared/processRecord.ts"
import type { ChildView, ProcessView } from "../../../kernel/shared/processView.ts"
import { addTree, removeTree } from "../../../kernel/shared/providedTwice.ts"
import { warn } from "../../../kernel/shared/warnings.ts"
import { TreeFailed, type TreeEndListener } from "../../../kernel/shared/treeEnd.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import { RestartLimit } from "../core/restartLimit.ts"
import * as Events from "../events.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import { interruptLaunch, type LaunchFiber } from "./layerLaunch.ts"
import { monotonicMillis } from "../../../kernel/shared/monotonic.ts"
import { OwnSupervisedLayers } from "./supervisedLayers.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

// ---- the kind -----------------------------------------------------------------------------------------------------

/** One run of a supervisor, kept as the data of its process. @internal */
export interface SupervisorRun {
  readonly process: SupervisorProcess
  /** Whether all its children have come up. */
  readonly isUp: boolean
  /** Whether it ends by itself only when it gives up. */
  readonly onlyGivesUp: boolean
  /** Asks it to end in good order. */
  readonly shutdown: (reason: ExitReason.ExitReason) => void
  /** Its mailbox is closed, so nobody waits for its answers any more. */
  readonly closed: () => void
  /** It has ended. Drop what must not be kept alive by a pid that somebody keeps. */
  readonly ended: () => void
  /** What listings show of it. */
  readonly spec: { readonly listedAs: ProcessView }
  /** Its children, in order. */
  readonly view: Iterable<ChildView>
  /** All processes below it. */
  readonly below: () => ReadonlyArray<ProcessRecord>
  /** The processes it waits for: those that it starts and ends. Its own fiber waits for nothing. */
  readonly blockers: () => ReadonlyArray<ProcessRecord>
}

const supervisor: Kind<SupervisorRun> = {
  /** An exit signal from a stranger is ignored. One from the parent asks for an orderly end. */
  onExit: (record, from, reason) => {
    if (from !== undefined && from === record.parent) record.data.shutdown(reason)
    return true
  },
  onSignal: ({ data }, reason) => data.shutdown(reason),
  onShutdown: ({ data }, reason) => data.shutdown(reason),
  onClose: ({ data }) => {
    // From here on its handle points to no process: a killed supervisor is down at once.
    data.process.target.markDown(data.process.record)
    data.closed()
  },
  onEnd: ({ data }) => {
    data.process.ended()
    data.ended()
  },
  view: ({ data }) => data.spec.listedAs,
  children: ({ data }) => data.view,
  below: ({ data }) => data.below(),
  blockers: ({ data }) => data.blockers(),
  // It gives each of its children a limit.
  limitsItself: true
}

/** @internal */
export const isSupervisor = (record: ProcessRecord | undefined): record is ProcessRecord<SupervisorRun> =>
  record?.kind === supervisor

/** A process, and all processes that have to end before it has. @internal */
export const withBelow = (record: ProcessRecord | undefined): ReadonlyArray<ProcessRecord> => {
  if (record === undefined || record.ended) return []
  return [record, ...(record.kind.below?.(record) ?? [])]
}

// ---- what they share ----------------------------------------------------------------------------------------------

/** Why a supervisor gives up. @internal */
export interface GivingUp {
  readonly child: string
  readonly reason: ChildEnd["reason"]
  readonly attempts: number
  readonly policy: "intensity" | "schedule"
}

/** What caused the end of a supervisor. @internal */
export type EndedBecause = "Requested" | "AutoShutdown" | "RestartLimit"

/** @internal */
export interface SupervisorProcessOptions {
  readonly id: string
  readonly adoption: Adoption | undefined
  readonly target: HandleTarget
  readonly targets: HandleTargets
  readonly kernel: ProcessRecord["kernel"]
  readonly parent: ProcessRecord | undefined
  readonly context: Context.Context<never>
  /** Gets its end, if it is the root of a tree. Undefined means the log. */
  readonly onTreeEnd: TreeEndListener | undefined
  /** Whether its Layer is inside a `Layer.fresh`. */
  readonly isFresh: boolean
  /** The fiber that may be launching it. */
  readonly launchFiber: LaunchFiber | undefined
}

/** @internal */
export class SupervisorProcess {
  readonly id: string
  readonly record: ProcessRecord<SupervisorRun>
  readonly target: HandleTarget
  readonly targets: HandleTargets
  /** The Layers that are supervised here. */
  readonly supervised: OwnSupervisedLayers
  readonly isRoot: boolean
  private readonly onTreeEnd: TreeEndListener | undefined
  private launchFiber: LaunchFiber | undefined
  /** The defect with which the launch of this tree has to end. */
  private launchFailure: TreeFailed | undefined = undefined
  /** Checks whether the fiber that built the tree does nothing but hold it. */
  private launchWatcher: Fiber.Fiber<void> | undefined = undefined

  constructor(run: SupervisorRun, options: SupervisorProcessOptions) {
    const { context, id, kernel, parent } = options
    this.id = id
    this.record = new ProcessRecord<SupervisorRun>({ kind: supervisor, kernel, parent, context })
    this.record.data = run
    this.record.label = id
    this.target = options.target
    this.targets = options.targets
    this.supervised = new OwnSupervisedLayers(id, kernel, Context.get(context, SupervisedLayers))
    this.isRoot = options.adoption === undefined
    this.onTreeEnd = options.onTreeEnd
    this.launchFiber = options.launchFiber
    const { record } = this
    if (record.isOpen) record.context = Context.add(context, Self, record)
    if (this.isRoot && !options.isFresh) addTree(kernel, this.supervised)
  }

  /** Runs its own fiber. It answers from now on. */
  run(effect: Effect.Effect<void>, fiberEnded: (exit: Exit.Exit<void>) => void): void {
    const { record } = this
    if (!record.isOpen) return
    const fiber = Effect.runForkWith(record.context)(effect)
    record.fiber = fiber
    fiber.addObserver(fiberEnded)
    this.target.markUp(record)
  }

  /** It counts as running from now on. */
  markRunning(): void {
    const { record } = this
    if (record.isOpen) become(record, running)
  }

  /** The time of the monotonic clock. */
  get nowMillis(): number {
    return monotonicMillis(Context.get(this.record.context, Clock.Clock))
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  /** Logs that it gives up, and returns the reason for the supervisor above. */
  gaveUp(why: GivingUp): ExitReason.ExitReason {
    const { id, record } = this
    const { child, attempts, policy } = why
    const { telemetry } = record.kernel
    if (Telemetry.isActiveUnsafe(telemetry, Events.restartLimit)) {
      Telemetry.executeUnsafe(telemetry, Events.restartLimit, { attempts }, { supervisor: id, child, policy })
    }
    const limit = new RestartLimit({ supervisor: id, ...why })
    // If it is the root of a tree without a listener, the fatal line says everything.
    const isFatal = this.isRoot && this.onTreeEnd === undefined
    if (!isFatal) warn(record, id, () => ({ text: limit.toString() }), "Error")
    return ExitReason.shutdown(limit)
  }

  /** Closes its mailbox, with the reason with which it will end. */
  close(reason: ExitReason.ExitReason): void {
    close(this.record, reason)
  }

  /** Ends its process. `because` says what caused that; undefined means a kill. */
  finish(reason: ExitReason.ExitReason, because: EndedBecause | undefined): void {
    const onTreeEnd = this.onTreeEnd ?? this.logTreeEnd()
    finish(this.record, reason)
    if (!this.isRoot) return
    this.target.markGone(reason)
    eachTarget(this.targets, (target) => target.markGone(reason))
    // Nobody asked for this end.
    if (because !== "Requested") onTreeEnd({ supervisor: this.id, reason, failed: because !== "AutoShutdown" })
  }

  /** The listener of a tree that has none: its end is logged, and a fiber that only holds the tree ends. */
  private logTreeEnd(): TreeEndListener {
    const { launchFiber } = this
    const { context } = this.record
    return (end) => {
      const failure = new TreeFailed(end)
      writeLine({ level: end.failed ? "Fatal" : "Info", text: failure.message }, context)
      if (!end.failed || launchFiber === undefined) return
      const look = interruptLaunch(launchFiber, () => (this.launchFailure = failure))
      this.launchWatcher = Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, look))
    }
  }

  /** Dies if the fiber that holds the tree has to end with the tree's failure. */
  readonly endLaunch: Effect.Effect<void> = Effect.suspend(() => {
    this.launchWatcher?.interruptUnsafe()
    return this.launchFailure === undefined ? Effect.void : Effect.die(this.launchFailure)
  })

  ended(): void {
    this.launchFiber = undefined
    // Below another supervisor this is not cleared, because that supervisor may start it again.
    if (!this.isRoot) return
    this.supervised.clear()
    removeTree(this.record.kernel, this.supervised)
  }
}
