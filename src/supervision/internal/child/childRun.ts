/**
 * One run of one child: builds its Layer, watches the process until it ends, and releases what it held.
 *
 * The process is watched from the step in which it is adopted. If it is up and ends before the Layer is built, the
 * build is interrupted and the start has failed: the child was never up. A process that ends in its `init` needs no
 * watch, because its failure is the failure of the Layer.
 *
 * Nothing runs in the supervisor's step: each part is a fiber of its own that reports when it has finished.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Adopter, CurrentAdoption, LayerAdoption } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { awaitEnd, type Limit } from "../../../kernel/Shutdown.ts"
import { kill as killRecord } from "../../../kernel/shared/death.ts"
import { exitSignal } from "../../../kernel/shared/signals.ts"
import { TreeFailed, CurrentTreeEndListener, type TreeEnd } from "../../../kernel/shared/treeEnd.ts"
import type { UntypedSpec } from "./untypedSpec.ts"
import { endedDuringStart, releaseTimedOut as overdueEnding, failedStart, type ChildEnd } from "../core/childEnd.ts"
import { awaitLeftovers } from "./leftovers.ts"
import type { ChildRunOptions } from "./childRunOptions.ts"
import { withBelow } from "../tree/supervisorProcess.ts"
import { warnReleaseFailed } from "./releaseFailure.ts"
import { noProcess, severalProcesses } from "./wrongLayer.ts"
import { waitForRelease } from "./waitForRelease.ts"
import { scopeExit } from "../../../kernel/shared/scopeExit.ts"
import { childId } from "../../../kernel/shared/displayName.ts"
import { interruptLater } from "../../../kernel/shared/waitUntil.ts"
import { endWithin, parse, shutdownTelling, unlessSoon } from "../../../kernel/shared/shutdown.ts"

/** @internal */
export class ChildRun {
  private readonly options: ChildRunOptions
  private readonly scope = Scope.makeUnsafe()
  fiber: Fiber.Fiber<Context.Context<never>, unknown> | undefined = undefined
  private watcher: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** It was told to stop, or has ended by itself. Now it is only released. */
  private stopping = false
  private releasing = false
  private released = false
  /** It was reported that it did not end in time. */
  private isOverdue = false
  private isBuilt = false
  /** The resource has ended, and the supervisor knows. */
  private isResourceBroken = false
  /** The reason for which a tree that its Layer has started for itself has ended. */
  private brokenTree: ExitReason.ExitReason | undefined = undefined
  /** The process is up, whether or not the Layer is built. */
  private isUp = false
  /** The process began to end while the Layer was still being built. */
  private endedEarly = false
  /** This run is ending the process. */
  private isEnding = false
  readonly done = Latch.makeUnsafe()
  /** Waits until its fiber and scope have ended, however long that takes. */
  readonly untilEnded: Effect.Effect<void> = this.done.await
  private adoption: LayerAdoption | undefined = undefined
  /** The Layer that started the process. */
  private layer: object | undefined = undefined
  record: ProcessRecord | undefined = undefined

  constructor(options: ChildRunOptions) {
    this.options = options
  }

  // ---- start ------------------------------------------------------------------------------------------------------

  start(): void {
    const { spec } = this.options
    const context = Context.add(this.options.context, CurrentTreeEndListener, (end) => this.privateTreeEnded(end))
    const memoMap = Layer.CurrentMemoMap.forkOrCreate(context)
    const adoption = spec.kind === "child" ? new LayerAdoption(this.adopter(spec), memoMap) : undefined
    this.adoption = adoption
    const build = Effect.andThen(
      awaitLeftovers(this.options.targets, { child: this.options.id, limit: () => this.limit }),
      Effect.suspend(() => Layer.buildWithMemoMap(spec.layer, memoMap, this.scope))
    )
    // A task of its own, because the supervisor is in the middle of a decision.
    const fiber = Effect.runForkWith(
      adoption === undefined ? context : Context.add(context, CurrentAdoption, adoption)
    )(
      Effect.andThen(
        Effect.yieldNow,
        Effect.tap(build, (built) => this.checkBuilt(built))
      )
    )
    this.fiber = fiber
    fiber.addObserver((exit) => this.built(exit))
  }

  private adopter(spec: UntypedSpec): Adopter {
    const { parent, reporter, listener, targets } = this.options
    return {
      parent,
      targets,
      adopt: (record) => {
        this.record = record
        record.reporter = reporter
        // A default id adds nothing to the name.
        if (spec.options.id !== undefined) record.child = childId(record.label ?? "", spec.options.id)
        const isThis = () => record === this.record && this.isUp
        record.observe({
          exiting: () => isThis() && this.exiting(record, spec),
          dead: (reason) => isThis() && this.dead(reason)
        })
        listener.adopted?.(record)
      },
      up: (by) => {
        this.isUp = true
        this.layer = by.layer
        listener.up(by)
        const record = this.record
        if (record !== undefined && record.phase !== "running") this.exiting(record, spec)
      },
      stop: Effect.suspend(() => this.endProcess())
    }
  }

  /** Checks that a child has started its one process. */
  private checkBuilt(built: Context.Context<never>): Effect.Effect<void> {
    const { spec, check, id } = this.options
    if (spec.kind === "resource") return Effect.void
    const { record } = this
    if (record === undefined || !this.isUp) return Effect.die(new Error(noProcess(id, built)))
    return Effect.sync(() => check(record))
  }

  private built(exit: Exit.Exit<Context.Context<never>, unknown>): void {
    const { adoption, record } = this
    this.fiber = undefined
    this.isBuilt = true
    adoption?.close()
    // It was told to stop meanwhile. Whatever was built is released.
    if (this.stopping) return this.release(exit)
    const { id } = this.options
    if (adoption?.isContested === true) {
      return this.startFailed(exit, () => failedStart(id, Cause.die(new Error(severalProcesses(id, record)))))
    }
    if (this.endedEarly) return this.startFailed(exit, () => endedDuringStart(id, record!))
    return exit._tag === "Success"
      ? this.startSucceeded(exit.value)
      : this.startFailed(exit, () => failedStart(id, exit.cause))
  }

  private startFailed(exit: Exit.Exit<unknown, unknown>, ending: () => ChildEnd): void {
    this.release(exit, () => this.options.listener.startFailed(ending()))
  }

  private startSucceeded(context: Context.Context<never>): void {
    this.options.listener.started(context)
    const { spec } = this.options
    const { record } = this
    // It may have ended in the step in which the Layer was built.
    if (record?.phase === "dead") return this.exited(record.reason!)
    if (this.brokenTree !== undefined) return this.breakDown(this.brokenTree)
    if (spec.key === undefined || spec.options.watch === undefined) return
    const service = Context.getUnsafe(context, spec.key)
    const watch = spec.options.watch
    const watcher = this.run(Effect.suspend(() => watch(service)))
    this.watcher = watcher
    watcher.addObserver((exit) => {
      this.watcher = undefined
      this.resourceBroken(ExitReason.fromExit(exit))
    })
  }

  /** Its process has begun to end. If the Layer is still being built, that is a failed start. */
  private exiting(record: ProcessRecord, spec: UntypedSpec): void {
    this.limitEnd(record)
    // A Layer that is only the process is built in this moment, so the child was up.
    if (this.isBuilt || this.stopping || this.isEnding || this.endedEarly || this.layer === spec.layer) return
    this.endedEarly = true
    if (this.fiber !== undefined) interruptLater(this.fiber)
    // Two limits: for an orderly end, and after a kill.
    this.reportIfOverdue(2)
  }

  private dead(reason: ExitReason.ExitReason): void {
    if (this.isBuilt && !this.endedEarly) this.exited(reason)
  }

  /** It ends by itself. Its clean-up gets the shutdown limit; then the process is killed. */
  private limitEnd(record: ProcessRecord): void {
    if (this.stopping || record.ended) return
    const kill = Effect.sync(() => {
      if (this.stopping && !this.endedEarly) return
      if (record.isAlive) this.options.listener.overran(record)
      killRecord(record, record.exiting)
    })
    this.run(unlessSoon(() => record.ended, Effect.andThen(endWithin(record, parse(this.limit).own), kill)))
  }

  /** The resource has ended. Its holders must let go of it first, so it is released only when it is told to stop. */
  private resourceBroken(reason: ExitReason.ExitReason): void {
    if (this.stopping || this.isResourceBroken) return
    this.isResourceBroken = true
    this.options.listener.exited(reason)
  }

  /**
   * A tree that its Layer has started for itself has failed. Then the resource counts as ended, and a process gets an
   * exit signal.
   */
  private privateTreeEnded(end: TreeEnd): void {
    if (!end.failed) return
    this.brokenTree = ExitReason.defect(new TreeFailed(end))
    if (this.isBuilt) this.breakDown(this.brokenTree)
  }

  private breakDown(reason: ExitReason.ExitReason): void {
    if (this.options.spec.kind === "resource") this.resourceBroken(reason)
    else if (this.record !== undefined) exitSignal(this.record, undefined, reason)
  }

  /** It ended by itself or was killed from outside. The supervisor is told, and it is released without being asked. */
  private exited(reason: ExitReason.ExitReason): void {
    if (this.stopping) return
    this.stopping = true
    this.options.listener.exited(reason)
    this.release(scopeExit(reason))
    this.reportIfOverdue(1)
  }

  // ---- stop -------------------------------------------------------------------------------------------------------

  /** Stops it, or waits again for a zombie to end. */
  stop(): void {
    if (this.stopping) return this.reportIfOverdue(1)
    this.stopping = true
    if (this.fiber === undefined) this.release(Exit.interrupt())
    else this.interruptStart(this.fiber)
    // Two limits: for an orderly end, and after a kill.
    this.reportIfOverdue(2)
  }

  /** Interrupts a start. A supervisor that is starting must stop its children, and gets the limit for that. */
  private interruptStart(fiber: Fiber.Fiber<unknown, unknown>): void {
    interruptLater(fiber)
    const { orderly } = parse(this.limit)
    const orderlyEnd = orderly === undefined ? Effect.void : Effect.timeoutOption(Fiber.await(fiber), orderly)
    // If the start is interrupted in time, the process ends in good order: see `endProcess`.
    const kill = Effect.sync(() => {
      if (this.fiber === undefined || this.record === undefined) return
      if (this.record.isAlive && orderly !== undefined) this.options.listener.overran(this.record)
      killRecord(this.record)
    })
    this.run(Effect.andThen(Effect.andThen(Effect.yieldNow, orderlyEnd), kill))
  }

  /** Ends everything at once, because the supervisor was killed, and waits for it within its limit. */
  kill(): Effect.Effect<void> {
    this.stopping = true
    this.watcher?.interruptUnsafe()
    if (this.record !== undefined) killRecord(this.record)
    this.fiber?.interruptUnsafe()
    if (this.fiber === undefined) this.release(Exit.interrupt())
    // It has had its time already.
    if (this.released || this.isOverdue) return Effect.void
    return this.releasedWithin(1, this.options.listener.leftBehind)
  }

  /** Whether its fiber and scope have ended. */
  readonly hasEnded = (): boolean => this.released

  /**
   * The processes that its orderly end waits for. A process that is killed does not finish its work, so nothing waits
   * for it.
   */
  get endWaitsFor(): ReadonlyArray<ProcessRecord> {
    return this.limit === "brutalKill" ? [] : withBelow(this.record)
  }

  private get limit(): Limit {
    return this.options.spec.options.shutdown ?? this.options.defaultLimit(this.record)
  }

  /**
   * Ends the process, then closes the scope of its Layer: the dependencies that only this child has are released last.
   */
  private release(exit: Exit.Exit<unknown, unknown>, then: () => void = this.options.listener.released): void {
    if (this.releasing) return
    this.releasing = true
    const { record, watcher } = this
    const unwatched = watcher === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(watcher))
    const all = Effect.andThen(Effect.andThen(unwatched, this.endProcess()), Scope.close(this.scope, exit))
    this.run(all).addObserver((exit) => {
      this.released = true
      if (record !== undefined) record.reporter = undefined
      if (exit._tag === "Failure" && Cause.hasDies(exit.cause)) warnReleaseFailed(this.options, exit.cause)
      this.done.openUnsafe()
      then()
    })
  }

  /**
   * Ends the process in good order, and waits for it however long that takes, because its dependencies are released
   * after it.
   */
  private endProcess(): Effect.Effect<void> {
    const { options, record } = this
    if (record === undefined || record.ended) return Effect.void
    // It ends by itself within its limit.
    if (this.endedEarly) return awaitEnd(record)
    this.isEnding = true
    return Effect.andThen(
      shutdownTelling(record, { limit: this.limit, overran: options.listener.overran }),
      awaitEnd(record)
    )
  }

  /** Reports it overdue if it is not released after this many limits. */
  private reportIfOverdue(limits: number): void {
    const report = () => {
      this.isOverdue = true
      this.options.listener.overdue(overdueEnding(this.options.id))
    }
    this.run(unlessSoon(this.hasEnded, this.releasedWithin(limits, report)))
  }

  /**
   * Waits for the release, this many times the limit, and calls `late` if that was too short. If the orderly end has no
   * limit, this first waits for that end.
   */
  private releasedWithin(limits: number, late: () => void): Effect.Effect<void> {
    return Effect.map(waitForRelease(this, this.limit, limits), () => (this.released ? undefined : late()))
  }

  private run<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.options.context)(effect)
  }
}
