/**
 * The process of a dynamic supervisor. Its own fiber waits for the end; children are started, restarted and stopped by
 * fibers of their own, so that none holds another up.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { Self, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { kill as killRecord } from "../../../kernel/shared/death.ts"
import { during } from "../../../kernel/shared/waiting.ts"
import { restartsAfter } from "../core/restartType.ts"
import { overdue, startEnding, type RunEnding } from "../core/ending.ts"
import { DynamicChild, type ChildListener, type ChildPolicy } from "./dynamicChild.ts"
import { DynamicReports } from "./dynamicReports.ts"
import type { DynamicSpec } from "./dynamicSpec.ts"
import * as Intensity from "../core/intensity.ts"
import { abandon, leaveBehind } from "./leftBehind.ts"
import { Roster } from "./roster.ts"
import { leave } from "../child/stragglers.ts"
import { stopTogether } from "./stopTogether.ts"
import { TreeProcess, withBelow, type TreeOptions } from "../tree/treeProcess.ts"
import type { Crash } from "../../../kernel/shared/reports.ts"

/** Why a child was not started. @internal */
export type Refused = "AlreadyStarted" | "MaxChildren" | "Stopping"

/** @internal */
export class DynamicProcess extends TreeProcess implements ChildListener {
  readonly spec: DynamicSpec
  private readonly roster = new Roster()
  private readonly reports: DynamicReports
  /** Undefined: failures are not counted. */
  private failures: Intensity.Window | undefined
  private readonly stopRequested = Latch.makeUnsafe()
  private readonly killed = Latch.makeUnsafe()
  /** Whether it was closed with children left: somebody may wait for them. */
  hasAbandoned = false
  private finalReason: ExitReason.ExitReason | undefined = undefined
  private ending: "Requested" | "RestartLimit" | undefined = undefined

  constructor(spec: DynamicSpec, options: Omit<TreeOptions, "id">) {
    super({ ...options, id: spec.id })
    this.spec = spec
    this.failures = spec.intensity === undefined ? undefined : Intensity.make(spec.intensity)
    this.context = Context.add(this.context, Self, this)
    this.reports = new DynamicReports(this, spec.id)
  }

  run(): void {
    this.status = "running"
    abandon(this.targets)
    const fiber = Effect.runForkWith(this.context)(Effect.andThen(this.stopRequested.await, this.stopAll))
    this.fiber = fiber
    fiber.addObserver((exit) => {
      const end = () => this.over(this.finalReason ?? this.exiting ?? ExitReason.fromExit(exit), this.ending)
      if (this.children.size === 0) return end()
      // It was killed, maybe before its first step.
      Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, this.killAll)).addObserver(end)
    })
    this.target.up(this)
  }

  get children(): ReadonlyMap<string, DynamicChild> {
    return this.roster.byKey
  }

  /** How many children were ever started here. */
  get added(): number {
    return this.roster.added
  }

  get isStopping(): boolean {
    return this.finalReason !== undefined || !this.isOpen
  }

  below(): ReadonlyArray<ProcessRecord> {
    return [...this.children.values()].flatMap(({ record }) => withBelow(record))
  }

  /** What its end waits for. Otherwise it is there for everybody. */
  blockers(): ReadonlyArray<ProcessRecord> {
    return this.isStopping ? this.below() : []
  }

  // ---- starts -----------------------------------------------------------------------------------------------------

  /** Starts a child; its own fiber goes on even if who asked for it does not. */
  add(key: string, args: ReadonlyArray<unknown>, policy: ChildPolicy = this.spec): DynamicChild | Refused {
    if (this.isStopping) return "Stopping"
    if (this.children.has(key)) return "AlreadyStarted"
    if (this.roster.occupied >= this.spec.maxChildren) return "MaxChildren"
    const { spec, targets } = this
    const child = new DynamicChild({ key, args, policy, launch: spec.launch, supervisor: this, targets })
    this.roster.add(child)
    const settled = (exit: Exit.Exit<void, unknown>) => Effect.sync(() => this.firstStarted(child, exit))
    child.begin(this.context, Effect.onExit(this.start(child), settled))
    return child
  }

  private firstStarted(child: DynamicChild, exit: Exit.Exit<void, unknown>): void {
    if (exit._tag === "Success") return child.settle(exit)
    // Told to stop meanwhile: whoever told it sees to the rest.
    if (child.state === "stopping") return
    this.reports.exited(child, startEnding(exit.cause).reason, 0)
    this.reports.settle(child, "no restart")
    child.settle(exit)
    this.forget(child)
  }

  private start(child: DynamicChild): Effect.Effect<void, unknown> {
    const { spawn } = this.spec.launch
    if (spawn !== undefined) {
      return Effect.withFiber((fiber) => {
        this.started(child, spawn(fiber, child.args!, child.place), this.nowMillis)
        return Exit.void
      })
    }
    // Not interrupted between the start and the note that it has started.
    return Effect.uninterruptibleMask((restore) => {
      const begun = this.nowMillis
      const { place, target } = child
      const launched = this.spec.launch.start(child.args!, { target, place, restore })
      return Effect.map(launched, (record) => this.started(child, record, begun))
    })
  }

  private started(child: DynamicChild, record: ProcessRecord, begun: number): void {
    child.startedAt = this.nowMillis
    child.wasUp = true
    if (child.state !== "stopping") child.state = "running"
    if (child.policy.restart === "temporary") child.args = undefined
    this.reports.started(child, child.startedAt - begun)
    // It may be dying or dead already.
    if (record.status === "exiting") this.childExiting(child)
    else if (record.status === "dead") this.childDead(child, record.reason!)
  }

  // ---- endings ----------------------------------------------------------------------------------------------------

  childCrashed(child: DynamicChild, crash: Crash): void {
    this.reports.crashed(child, crash)
  }

  childOverran(child: DynamicChild, record: ProcessRecord): void {
    this.reports.overran(child, record, this.isStopping ? "stop" : "no restart")
  }

  /** It ends by itself; what it has left to do has its limit. */
  childExiting(child: DynamicChild): void {
    if (child.state !== "running") return
    const record = child.record!
    const kill = Effect.sync(() => {
      if (child.state !== "running" || child.record !== record) return
      const follows = restartsAfter(child.policy.restart, ExitReason.isExpected(record.exiting!))
      if (record.isAlive) this.reports.overran(child, record, follows ? "restart" : "no restart")
      killRecord(record, record.exiting)
    })
    // Most end at once: look again before a timer is set.
    const within = Effect.andThen(Effect.yieldNow, child.endByItself(record))
    Effect.runForkWith(this.context)(Effect.andThen(within, kill))
  }

  childDead(child: DynamicChild, reason: ExitReason.ExitReason): void {
    if (child.state !== "running") return this.deadUntold(child)
    const uptime = this.nowMillis - child.startedAt
    this.reports.exited(child, reason, uptime)
    if (!this.isStopping && restartsAfter(child.policy.restart, ExitReason.isExpected(reason))) {
      child.state = "restarting"
      // In a later step: who called is in the middle of a death.
      child.begin(
        this.context,
        Effect.andThen(Effect.yieldNow, this.restart(child, { reason, isStart: false }, uptime))
      )
    } else {
      this.reports.ended(child, reason, this.isStopping ? "stop" : "no restart")
      this.roster.leave(child)
      this.beginStop(child)
    }
  }

  /** It is dead while its start or its stop is under way. If nobody will start it again it is gone for whoever knows. */
  private deadUntold(child: DynamicChild): void {
    const isTemporary = child.policy.restart === "temporary" && child.cameUp
    if (child.state === "stopping" || isTemporary) this.roster.leave(child)
  }

  /** Counts the failure, asks the schedule, waits, and starts it anew, until it is up or the supervisor gives up. */
  private restart(child: DynamicChild, ending: RunEnding, uptime: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const attempts = this.countFailure()
      if (attempts !== undefined) return this.giveUp(child, ending, { attempts, policy: "intensity" })
      return Effect.flatMap(child.ask(this.spec.steps, ending, uptime), (verdict) => {
        if (verdict._tag === "Exhausted") {
          return this.giveUp(child, ending, { attempts: verdict.attempts, policy: "schedule" })
        }
        this.reports.restarting(child, ending, verdict.millis)
        return Effect.flatMap(child.released, (released) => {
          if (!released) this.reports.overdue(child)
          return released ? this.startAgain(child, verdict.millis) : this.restart(child, overdue(child.key), 0)
        })
      })
    })
  }

  /** How many failures there were, if that is too many. */
  private countFailure(): number | undefined {
    if (this.failures === undefined) return undefined
    const [window, exceeded] = Intensity.record(this.failures, this.nowMillis)
    this.failures = window
    return exceeded ? window.count : undefined
  }

  private startAgain(child: DynamicChild, millis: number): Effect.Effect<void> {
    const delayed = millis > 0 ? Effect.sleep(Duration.millis(millis)) : Effect.void
    const again = Effect.suspend(() => {
      child.incarnation++
      child.record = undefined
      return Effect.exit(this.start(child))
    })
    return Effect.flatMap(Effect.andThen(delayed, again), (exit) => {
      if (exit._tag === "Success") return Effect.void
      const ending = startEnding(exit.cause)
      this.reports.exited(child, ending.reason, 0)
      return this.restart(child, { ...ending, isStart: true }, 0)
    })
  }

  private giveUp(
    child: DynamicChild,
    ending: RunEnding,
    why: { readonly attempts: number; readonly policy: "intensity" | "schedule" }
  ): Effect.Effect<void> {
    return Effect.sync(() => {
      this.reports.decided(child, ending, "give up")
      if (this.isStopping) return
      this.ending = "RestartLimit"
      this.finalReason = this.gaveUp({ child: child.key, reason: ending.reason, ...why })
      this.stopRequested.openUnsafe()
    })
  }

  // ---- stop -------------------------------------------------------------------------------------------------------

  override onShutdown(reason: ExitReason.ExitReason): void {
    if (this.isStopping) return
    this.ending = "Requested"
    this.finalReason = reason
    this.stopRequested.openUnsafe()
  }

  /**
   * Stops one child in good order and forgets it. Once begun it is done, whatever becomes of who waits for it. If the
   * supervisor is killed nobody waits any longer.
   */
  stop(child: DynamicChild): Effect.Effect<void> {
    const ended = Effect.suspend(() => Effect.asVoid(Fiber.await(this.beginStop(child))))
    return during(child.endWait, Effect.raceFirst(ended, this.killed.await))
  }

  override onClose(reason: ExitReason.ExitReason): void {
    super.onClose(reason)
    this.hasAbandoned = this.children.size > 0
    this.roster.abandon()
    this.killed.openUnsafe()
  }

  private beginStop(child: DynamicChild): Fiber.Fiber<void> {
    child.state = "stopping"
    const stopped = Effect.andThen(child.end(), this.forgetting(child))
    return (child.stop ??= Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, stopped)))
  }

  private forgetting(child: DynamicChild): Effect.Effect<void> {
    return Effect.sync(() => this.forget(child))
  }

  private forget(child: DynamicChild): void {
    if (!this.roster.has(child)) return
    this.roster.remove(child)
    if (!child.isOver()) {
      this.reports.overdue(child)
      leave(this.targets, child)
    }
    if (child.decision === undefined) this.reports.settle(child, "stop")
    child.settle(Exit.interrupt())
    if (this.ending === "RestartLimit") child.target.leave(this.finalReason!)
    else if (this.isStopping && !this.isRoot) leaveBehind(this.targets, child.key, child.target)
    else child.target.leave(ExitReason.normal)
  }

  private readonly stopAll: Effect.Effect<void> = Effect.suspend(() => {
    const all = [...this.children.values()]
    const up = all.filter(({ state }) => state === "running")
    const others = all.filter(({ state }) => state !== "running")
    for (const child of up) child.state = "stopping"
    const stopUp = stopTogether(
      up,
      (child) => this.forget(child),
      (child, record) => this.childOverran(child, record)
    )
    const stopOthers = Effect.forEach(others, (child) => this.stop(child), { concurrency: "unbounded", discard: true })
    return Effect.all([stopUp, stopOthers], { concurrency: 2, discard: true })
  })

  /** It was killed: so are its children, and it waits for each of them within its limit. */
  private readonly killAll: Effect.Effect<void> = Effect.suspend(() => {
    const all = [...this.children.values()]
    for (const child of all) child.state = "stopping"
    const kill = (child: DynamicChild) => Effect.suspend(() => Effect.andThen(child.kill(), this.forgetting(child)))
    return Effect.forEach(all, kill, { concurrency: "unbounded", discard: true })
  })
}
