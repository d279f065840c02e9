/**
 * One run of one child: builds its Layer, knows the process that came of it, watches it end, and releases it.
 *
 * The process is watched from the step in which it is adopted. If it ends before the Layer is built, the build is
 * interrupted and the start has failed: the child was never up. A process that is still in its `init` is left alone, since
 * its failure is the failure of the Layer.
 *
 * Runs nothing in the supervisor's step: each part is a fiber of its own that reports when it is through.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Adopter, CurrentAdoption, LayerPlace } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { awaitDeath, awaitEnd, endWithin, parse, shutdownTelling, type Limit } from "../../../kernel/Shutdown.ts"
import { kill as killRecord } from "../../../kernel/shared/death.ts"
import { exitSignal } from "../../../kernel/shared/signals.ts"
import { TreeFailed, TreeWatch, type TreeEnd } from "../../../kernel/shared/treeWatch.ts"
import type { Untyped } from "../../ChildSpec.ts"
import { earlyEnding, overdue as overdueEnding, startEnding, type Ending } from "../core/ending.ts"
import { precedingEnded } from "./leftovers.ts"
import type { ChildRunOptions } from "./childRunOptions.ts"
import { withBelow } from "../tree/tree.ts"
import { warnUnclean } from "./unclean.ts"
import { noProcess, severalProcesses } from "./wrongLayer.ts"
import { exitOf } from "../../../kernel/shared/exits.ts"
import { childId } from "../../../kernel/shared/displayName.ts"

/** @internal */
export class ChildRun {
  private readonly options: ChildRunOptions
  private readonly scope = Scope.makeUnsafe()
  private fiber: Fiber.Fiber<Context.Context<never>, unknown> | undefined = undefined
  private watcher: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** Told to stop, or ended by itself: from now on it is only released. */
  private stopping = false
  private releasing = false
  private released = false
  /** It is known that it has not ended in time. */
  private isOverdue = false
  private isBuilt = false
  /** The resource is no good, and the supervisor knows. */
  private isSpoiled = false
  /** Why a tree that its Layer has started for itself is gone. */
  private brokenTree: ExitReason.ExitReason | undefined = undefined
  /** The process has come through its own start, whatever the Layer still does. */
  private isUp = false
  /** The process has begun to end while the Layer was still building. */
  private endedEarly = false
  /** The process is ended from here. */
  private isEnding = false
  private readonly done = Latch.makeUnsafe()
  /** Waits until its fiber and scope have ended, however long it takes. */
  readonly over: Effect.Effect<void> = this.done.await
  private place: LayerPlace | undefined = undefined
  /** The Layer that started it. */
  private layer: object | undefined = undefined
  record: ProcessRecord | undefined = undefined

  constructor(options: ChildRunOptions) {
    this.options = options
  }

  // ---- start ------------------------------------------------------------------------------------------------------

  start(): void {
    const { spec } = this.options
    const context = Context.add(this.options.context, TreeWatch, (end) => this.privateTreeEnded(end))
    const memoMap = Layer.CurrentMemoMap.forkOrCreate(context)
    const place = spec.kind === "child" ? new LayerPlace(this.adopter(spec), memoMap) : undefined
    this.place = place
    const build = Effect.andThen(
      precedingEnded(this.options.targets, { child: this.options.id, limit: () => this.limit }),
      Effect.suspend(() => Layer.buildWithMemoMap(spec.layer, memoMap, this.scope))
    )
    // A task of its own: the supervisor is in the middle of a decision.
    const fiber = Effect.runForkWith(place === undefined ? context : Context.add(context, CurrentAdoption, place))(
      Effect.andThen(
        Effect.yieldNow,
        Effect.tap(build, (built) => this.verify(built))
      )
    )
    this.fiber = fiber
    fiber.addObserver((exit) => this.built(exit))
  }

  private adopter(spec: Untyped): Adopter {
    const { parent, reporter, reports, targets } = this.options
    return {
      parent,
      targets,
      adopt: (record) => {
        this.record = record
        record.reporter = reporter
        // An id that nobody gave says nothing.
        if (spec.options.id !== undefined) record.child = childId(record.label ?? "", spec.options.id)
        const isThis = () => record === this.record && this.isUp
        record.observe({
          exiting: () => isThis() && this.exiting(record, spec),
          dead: (reason) => isThis() && this.dead(reason)
        })
      },
      up: (layer, gives) => {
        this.isUp = true
        this.layer = layer
        reports.up(layer, gives)
        const record = this.record
        if (record !== undefined && record.status !== "running") this.exiting(record, spec)
      },
      end: Effect.suspend(() => this.endProcess())
    }
  }

  /** A child must have started its one process by now. */
  private verify(built: Context.Context<never>): Effect.Effect<void> {
    const { spec, check, id } = this.options
    if (spec.kind === "resource") return Effect.void
    const { record } = this
    if (record === undefined || !this.isUp) return Effect.die(new Error(noProcess(id, built)))
    return Effect.sync(() => check(record))
  }

  private built(exit: Exit.Exit<Context.Context<never>, unknown>): void {
    const { place, record } = this
    this.fiber = undefined
    this.isBuilt = true
    place?.close()
    // Told to stop meanwhile: what was built is released, whatever it is.
    if (this.stopping) return this.release(exit)
    const { id } = this.options
    if (place?.isContested === true) {
      return this.startFailed(exit, () => startEnding(Cause.die(new Error(severalProcesses(id, record)))))
    }
    if (this.endedEarly) return this.startFailed(exit, () => earlyEnding(id, record!))
    return exit._tag === "Success" ? this.started(exit.value) : this.startFailed(exit, () => startEnding(exit.cause))
  }

  private startFailed(exit: Exit.Exit<unknown, unknown>, ending: () => Ending): void {
    this.release(exit, () => this.options.reports.startFailed(ending()))
  }

  private started(context: Context.Context<never>): void {
    this.options.reports.started(context)
    const { spec } = this.options
    const { record } = this
    // It may have ended in the step in which the Layer was built.
    if (record?.status === "dead") return this.exited(record.reason!)
    if (this.brokenTree !== undefined) return this.breakDown(this.brokenTree)
    if (spec.key === undefined || spec.options.watch === undefined) return
    const service = Context.getUnsafe(context, spec.key)
    const watch = spec.options.watch
    const watcher = this.run(Effect.suspend(() => watch(service)))
    this.watcher = watcher
    watcher.addObserver((exit) => {
      this.watcher = undefined
      this.spoiled(ExitReason.fromExit(exit))
    })
  }

  /** Its process has begun to end. While the Layer is still building that is a failed start. */
  private exiting(record: ProcessRecord, spec: Untyped): void {
    this.limitEnd(record)
    // A Layer that is nothing but the process is built in this moment: then the child was up.
    if (this.isBuilt || this.stopping || this.isEnding || this.endedEarly || this.layer === spec.layer) return
    this.endedEarly = true
    const { fiber } = this
    fiber?.currentDispatcher.scheduleTask(() => fiber.interruptUnsafe(), 0)
    // An orderly end, and a kill.
    this.expect(2)
  }

  private dead(reason: ExitReason.ExitReason): void {
    if (this.isBuilt && !this.endedEarly) this.exited(reason)
  }

  /** It is ending by itself. What it has left to do has its limit, too; then its end is made known without it. */
  private limitEnd(record: ProcessRecord): void {
    if (this.stopping || record.ended) return
    this.run(
      Effect.flatMap(endWithin(record, parse(this.limit).own), () =>
        Effect.sync(() => {
          if (this.stopping && !this.endedEarly) return
          if (record.isAlive) this.options.reports.overran(record)
          killRecord(record, record.exiting)
        })
      )
    )
  }

  /** The resource is no longer good. Who holds it lets go of it first: it is released when told to stop. */
  private spoiled(reason: ExitReason.ExitReason): void {
    if (this.stopping || this.isSpoiled) return
    this.isSpoiled = true
    this.options.reports.exited(reason)
  }

  /** A tree that its Layer has started for itself: without it, neither the resource nor the process is any good. */
  private privateTreeEnded(end: TreeEnd): void {
    if (!end.failed) return
    this.brokenTree = ExitReason.defect(new TreeFailed(end))
    if (this.isBuilt) this.breakDown(this.brokenTree)
  }

  private breakDown(reason: ExitReason.ExitReason): void {
    if (this.options.spec.kind === "resource") this.spoiled(reason)
    else if (this.record !== undefined) exitSignal(this.record, undefined, reason)
  }

  /** It ended by itself, or somebody else killed it: the supervisor learns it, and it is released without being asked. */
  private exited(reason: ExitReason.ExitReason): void {
    if (this.stopping) return
    this.stopping = true
    this.options.reports.exited(reason)
    this.release(exitOf(reason))
    this.expect(1)
  }

  // ---- stop -------------------------------------------------------------------------------------------------------

  /** Stops it, or waits again for a zombie to end. */
  stop(): void {
    if (this.stopping) return this.expect(1)
    this.stopping = true
    const fiber = this.fiber
    if (fiber === undefined) this.release(Exit.interrupt())
    else this.interruptStart(fiber)
    // An orderly end, and a kill.
    this.expect(2)
  }

  /** A supervisor that is starting stops what it has started: that has its limit, too. */
  private interruptStart(fiber: Fiber.Fiber<unknown, unknown>): void {
    fiber.currentDispatcher.scheduleTask(() => fiber.interruptUnsafe(), 0)
    const { orderly } = parse(this.limit)
    const patience = orderly === undefined ? Effect.void : Effect.timeoutOption(Fiber.await(fiber), orderly)
    // Interrupted in time, it ends in good order: see `endProcess`.
    const kill = Effect.sync(() => {
      const { record } = this
      if (this.fiber === undefined || record === undefined) return
      if (record.isAlive && orderly !== undefined) this.options.reports.overran(record)
      killRecord(record)
    })
    this.run(Effect.andThen(Effect.andThen(Effect.yieldNow, patience), kill))
  }

  /** Ends everything at once and waits for it within its limit: the supervisor was killed. */
  kill(): Effect.Effect<void> {
    this.stopping = true
    this.watcher?.interruptUnsafe()
    if (this.record !== undefined) killRecord(this.record)
    this.fiber?.interruptUnsafe()
    if (this.fiber === undefined) this.release(Exit.interrupt())
    // It has had its time.
    if (this.released || this.isOverdue) return Effect.void
    return this.releasedWithin(1, this.options.reports.leftBehind)
  }

  /** Whether its fiber and scope have ended. */
  readonly isOver = (): boolean => this.released

  /** Whom its orderly end waits for. One that is killed does not get to finish what it does. */
  get endWaitsFor(): ReadonlyArray<ProcessRecord> {
    return this.limit === "brutalKill" ? [] : withBelow(this.record)
  }

  private get limit(): Limit {
    return this.options.spec.options.shutdown ?? this.options.defaultLimit(this.record)
  }

  /** Ends the process, then the scope its Layer was built in: what only this child needs goes last. */
  private release(exit: Exit.Exit<unknown, unknown>, then: () => void = this.options.reports.released): void {
    if (this.releasing) return
    this.releasing = true
    const { record, watcher } = this
    const unwatched = watcher === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(watcher))
    const all = Effect.andThen(Effect.andThen(unwatched, this.endProcess()), Scope.close(this.scope, exit))
    this.run(all).addObserver((exit) => {
      this.released = true
      if (record !== undefined) record.reporter = undefined
      if (exit._tag === "Failure" && Cause.hasDies(exit.cause)) warnUnclean(this.options, exit.cause)
      this.done.openUnsafe()
      then()
    })
  }

  /** Ends the process in good order, and waits for it however long it takes: what it needs is released after it. */
  private endProcess(): Effect.Effect<void> {
    const { record } = this
    const { reports } = this.options
    if (record === undefined || record.ended) return Effect.void
    // It ends by itself within its limit.
    if (this.endedEarly) return awaitEnd(record)
    this.isEnding = true
    return Effect.andThen(shutdownTelling(record, { limit: this.limit, overran: reports.overran }), awaitEnd(record))
  }

  /** Reports it overdue if it is not released so many limits from now. */
  private expect(limits: number): void {
    const { id, reports } = this.options
    const report = () => {
      this.isOverdue = true
      reports.overdue(overdueEnding(id))
    }
    this.run(this.releasedWithin(limits, report))
  }

  /**
   * Waits until it is released, so many limits long, and calls `late` if it is not. An end that has no limit comes first,
   * and then what it held has one.
   */
  private releasedWithin(limits: number, late: () => void): Effect.Effect<void> {
    const { own, release } = parse(this.limit)
    const limit = Duration.isFinite(own) ? Duration.times(release, limits) : release
    const started = Effect.suspend(() => (this.fiber === undefined ? Effect.void : Fiber.await(this.fiber)))
    const dead = Effect.suspend(() => (this.record === undefined ? Effect.void : awaitDeath(this.record)))
    const before = Duration.isFinite(own) ? Effect.void : Effect.andThen(started, dead)
    const waiting = Effect.andThen(before, Effect.timeoutOption(this.done.await, limit))
    return Effect.map(waiting, () => (this.released ? undefined : late()))
  }

  private run<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.options.context)(effect)
  }
}
