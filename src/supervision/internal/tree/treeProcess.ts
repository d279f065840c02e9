/** What all supervisors have in common as processes: whom they listen to, and how their end is made known. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { eachTarget, SupervisedLayers, type Place, type Targets } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { HandleTarget } from "../../../kernel/Handle.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { warn } from "../../../kernel/shared/reports.ts"
import { writeLine } from "../../../kernel/shared/log.ts"
import { SubclassedRecord } from "../../../kernel/shared/subclassed.ts"
import { TreeFailed, type TreeEnd } from "../../../kernel/shared/treeWatch.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import { RestartLimit } from "../../RestartLimit.ts"
import * as Events from "../../SupervisorEvents.ts"
import type { Ending } from "../core/ending.ts"
import { launching, type Launcher } from "./launcher.ts"
import { monotonicMillis } from "../../../kernel/shared/monotonic.ts"
import { SupervisedHere } from "./supervised.ts"

/** Why a supervisor gives up. @internal */
export interface GivingUp {
  readonly child: string
  readonly reason: Ending["reason"]
  readonly attempts: number
  readonly policy: "intensity" | "schedule"
}

/** A process, and all that have to end before it has. @internal */
export const withBelow = (record: ProcessRecord | undefined): ReadonlyArray<ProcessRecord> => {
  if (record === undefined || record.ended) return []
  return record instanceof TreeProcess ? [record, ...record.below()] : [record]
}

/** Hears how a tree ends, and makes it known. @internal */
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
  /** Who hears how it ends, if it is the root of a tree; undefined: the log. */
  readonly watch: Watch | undefined
  /** The fiber that may be launching it. */
  readonly launcher: Launcher | undefined
}

/** @internal */
export abstract class TreeProcess extends SubclassedRecord {
  readonly treeId: string
  readonly target: HandleTarget
  readonly targets: Targets
  /** The Layers that are supervised here. */
  readonly supervised: SupervisedHere
  protected readonly isRoot: boolean
  private readonly watch: Watch | undefined
  private launcher: Launcher | undefined
  /** What the launch of this tree is to end with. */
  private launchFailure: TreeFailed | undefined = undefined
  /** Looks whether the fiber that built it has come to do nothing but hold it. */
  private looking: Fiber.Fiber<void> | undefined = undefined

  constructor(options: TreeOptions) {
    super(options)
    this.treeId = options.id
    this.label = options.id
    this.target = options.target
    this.targets = options.targets
    this.supervised = new SupervisedHere(options.kernel, Context.get(options.context, SupervisedLayers))
    this.isRoot = options.place === undefined
    this.watch = options.watch
    this.launcher = options.launcher
  }

  /** Logs that it gives up, and says why in a form that can travel upwards. */
  protected gaveUp(why: GivingUp): ExitReason.ExitReason {
    const supervisor = this.treeId
    const { child, attempts, policy } = why
    if (Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.limit)) {
      Telemetry.executeUnsafe(this.kernel.telemetry, Events.limit, { attempts }, { supervisor, child, policy })
    }
    const limit = new RestartLimit({ supervisor, ...why })
    // At the root of a tree that nobody watches the fatal line says all of it.
    const isFatal = this.isRoot && this.watch === undefined
    if (!isFatal) warn(this, this.treeId, () => ({ text: limit.toString() }), "Error")
    return ExitReason.shutdown(limit)
  }

  /** Ends the record. `end` says what brought it about; undefined: a kill. */
  protected over(reason: ExitReason.ExitReason, end: "Requested" | "AutoShutdown" | "RestartLimit" | undefined): void {
    const watch = this.watch ?? this.unwatched()
    this.finish(reason)
    if (!this.isRoot) return
    this.target.leave(reason)
    eachTarget(this.targets, (target) => target.leave(reason))
    // Nobody asked for this end.
    if (end !== "Requested") watch({ supervisor: this.treeId, reason, failed: end !== "AutoShutdown" })
  }

  /** Nobody watches it: the log hears of its end, and a fiber that does nothing but hold it ends. */
  private unwatched(): Watch {
    const { context, launcher } = this
    return (end) => {
      const failure = new TreeFailed(end)
      writeLine({ level: end.failed ? "Fatal" : "Info", text: failure.message }, context)
      if (!end.failed || launcher === undefined) return
      const look = launching(launcher, () => (this.launchFailure = failure))
      this.looking = Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, look))
    }
  }

  /** Dies if the fiber that holds it is to end with that. */
  readonly endLaunch: Effect.Effect<void> = Effect.suspend(() => {
    this.looking?.interruptUnsafe()
    return this.launchFailure === undefined ? Effect.void : Effect.die(this.launchFailure)
  })

  /** From here on its handle points to nothing: a killed supervisor is down at once. */
  override onClose(_reason: ExitReason.ExitReason): void {
    this.target.down(this)
  }

  abstract override below(): ReadonlyArray<ProcessRecord>

  /** Its own fiber waits for nobody; it waits for what it starts and ends. */
  abstract override blockers(): ReadonlyArray<ProcessRecord>

  /** A stranger's exit signal is ignored; the parent's asks for an orderly end. */
  override receiveExit(from: ProcessRecord | undefined, reason: ExitReason.ExitReason): boolean {
    if (from !== undefined && from === this.parent) this.onShutdown(reason)
    return true
  }

  override release(): void {
    this.launcher = undefined
    // Of one below, its supervisor decides: it may be started again.
    if (this.isRoot) this.supervised.clear()
  }

  /** The time of the monotonic clock. */
  protected get nowMillis(): number {
    return monotonicMillis(Context.get(this.context, Clock.Clock))
  }

  /** Whether it ends by itself only when it gives up. */
  get onlyGivesUp(): boolean {
    return true
  }

  /** Whether all its children have come up. */
  get isUp(): boolean {
    return this.status === "running"
  }
}
