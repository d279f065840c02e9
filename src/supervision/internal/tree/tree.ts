/** What all supervisors have in common: their process, the signals it heeds, and how its end is reported. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { eachTarget, SupervisedLayers, type Place, type Targets } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { HandleTarget } from "../../../kernel/Handle.ts"
import { close, finish } from "../../../kernel/shared/death.ts"
import { isOpen } from "../../../kernel/shared/life.ts"
import { writeLine } from "../../../kernel/shared/log.ts"
import { ProcessRecord, Self, type Kind } from "../../../kernel/shared/processRecord.ts"
import { warn } from "../../../kernel/shared/reports.ts"
import { TreeFailed, type TreeEnd } from "../../../kernel/shared/treeWatch.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import { RestartLimit } from "../core/restartLimit.ts"
import * as Events from "../events.ts"
import type { Ending } from "../core/ending.ts"
import { launching, type Launcher } from "./launcher.ts"
import { monotonicMillis } from "../../../kernel/shared/monotonic.ts"
import { SupervisedHere } from "./supervised.ts"

// ---- the kind -----------------------------------------------------------------------------------------------------

/** One run of a supervisor, which its process keeps as its data. @internal */
export interface Running {
  readonly tree: Tree
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
  /** All processes below it. */
  readonly below: () => ReadonlyArray<ProcessRecord>
  /** The processes it waits for: those that it starts and ends. Its own fiber waits for nothing. */
  readonly blockers: () => ReadonlyArray<ProcessRecord>
}

const supervisor: Kind<Running> = {
  /** An exit signal from a stranger is ignored. One from the parent asks for an orderly end. */
  onExit: (record, from, reason) => {
    if (from !== undefined && from === record.parent) record.data.shutdown(reason)
    return true
  },
  onSignal: ({ data }, reason) => data.shutdown(reason),
  onShutdown: ({ data }, reason) => data.shutdown(reason),
  onClose: ({ data }) => {
    // From here on its handle points to no process: a killed supervisor is down at once.
    data.tree.target.down(data.tree.record)
    data.closed()
  },
  onEnd: ({ data }) => {
    data.tree.ended()
    data.ended()
  },
  below: ({ data }) => data.below(),
  blockers: ({ data }) => data.blockers(),
  // It gives each of its children a limit.
  limitsItself: true
}

/** @internal */
export const isSupervisor = (record: ProcessRecord | undefined): record is ProcessRecord<Running> =>
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
  readonly reason: Ending["reason"]
  readonly attempts: number
  readonly policy: "intensity" | "schedule"
}

/** What caused the end of a supervisor. @internal */
export type EndedFor = "Requested" | "AutoShutdown" | "RestartLimit"

/** Gets the end of a tree and reports it. @internal */
export type Watch = (end: TreeEnd) => void

/** @internal */
export interface TreeOptions {
  readonly id: string
  readonly place: Place | undefined
  readonly target: HandleTarget
  readonly targets: Targets
  readonly kernel: ProcessRecord["kernel"]
  readonly parent: ProcessRecord | undefined
  readonly context: Context.Context<never>
  /** Gets its end, if it is the root of a tree. Undefined means the log. */
  readonly watch: Watch | undefined
  /** The fiber that may be launching it. */
  readonly launcher: Launcher | undefined
}

/** @internal */
export class Tree {
  readonly id: string
  readonly record: ProcessRecord<Running>
  readonly target: HandleTarget
  readonly targets: Targets
  /** The Layers that are supervised here. */
  readonly supervised: SupervisedHere
  readonly isRoot: boolean
  private readonly watch: Watch | undefined
  private launcher: Launcher | undefined
  /** The defect with which the launch of this tree has to end. */
  private launchFailure: TreeFailed | undefined = undefined
  /** The fiber that looks whether the fiber that built the tree only holds it. */
  private looking: Fiber.Fiber<void> | undefined = undefined

  constructor(running: Running, { context, id, kernel, launcher, parent, place, target, targets, watch }: TreeOptions) {
    this.id = id
    this.record = new ProcessRecord<Running>({ kind: supervisor, kernel, parent, context })
    this.record.data = running
    this.record.label = id
    this.target = target
    this.targets = targets
    this.supervised = new SupervisedHere(kernel, Context.get(context, SupervisedLayers))
    this.isRoot = place === undefined
    this.watch = watch
    this.launcher = launcher
    const { life } = this.record
    if (isOpen(life)) life.context = Context.add(context, Self, this.record)
  }

  /** Runs its own fiber. It answers from now on. */
  run(effect: Effect.Effect<void>, ranOut: (exit: Exit.Exit<void>) => void): void {
    const { life } = this.record
    if (!isOpen(life)) return
    const fiber = Effect.runForkWith(life.context)(effect)
    life.fiber = fiber
    fiber.addObserver(ranOut)
    this.target.up(this.record)
  }

  /** It counts as running from now on. */
  started(): void {
    const { life } = this.record
    if (isOpen(life)) life._tag = "running"
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
    // If it is the root of a tree without a watch, the fatal line says everything.
    const isFatal = this.isRoot && this.watch === undefined
    if (!isFatal) warn(record, id, () => ({ text: limit.toString() }), "Error")
    return ExitReason.shutdown(limit)
  }

  /** Closes its mailbox, with the reason with which it will end. */
  close(reason: ExitReason.ExitReason): void {
    close(this.record, reason)
  }

  /** Ends its process. `end` says what caused that; undefined means a kill. */
  finish(reason: ExitReason.ExitReason, end: EndedFor | undefined): void {
    const watch = this.watch ?? this.unwatched()
    finish(this.record, reason)
    if (!this.isRoot) return
    this.target.leave(reason)
    eachTarget(this.targets, (target) => target.leave(reason))
    // Nobody asked for this end.
    if (end !== "Requested") watch({ supervisor: this.id, reason, failed: end !== "AutoShutdown" })
  }

  /** The watch of a tree that has none: its end is logged, and a fiber that only holds the tree ends. */
  private unwatched(): Watch {
    const { launcher } = this
    const { context } = this.record
    return (end) => {
      const failure = new TreeFailed(end)
      writeLine({ level: end.failed ? "Fatal" : "Info", text: failure.message }, context)
      if (!end.failed || launcher === undefined) return
      const look = launching(launcher, () => (this.launchFailure = failure))
      this.looking = Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, look))
    }
  }

  /** Dies if the fiber that holds the tree has to end with that. */
  readonly endLaunch: Effect.Effect<void> = Effect.suspend(() => {
    this.looking?.interruptUnsafe()
    return this.launchFailure === undefined ? Effect.void : Effect.die(this.launchFailure)
  })

  ended(): void {
    this.launcher = undefined
    // Below another supervisor this is not cleared, because that supervisor may start it again.
    if (this.isRoot) this.supervised.clear()
  }
}
