/**
 * The process of a dynamic supervisor. Its own fiber waits for the end; children are started, restarted and stopped by
 * fibers of their own, so that none holds another up.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type { Launch } from "../../behaviour/GenServer.ts"
import { makeTargets, type Place } from "../../kernel/Adoption.ts"
import * as ExitReason from "../../kernel/ExitReason.ts"
import { reportCrash, Self, type ProcessRecord } from "../../kernel/ProcessRecord.ts"
import { endWithin, killAndAwait, parse, shutdown, shutdownAll, type Limit } from "../../kernel/Shutdown.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import type { Restart } from "../RestartPolicy.ts"
import * as Events from "../SupervisorEvents.ts"
import { shouldRestart } from "./child.ts"
import { ReleaseTimeout, startEnding, type Ending } from "./childRun.ts"
import { DynamicChild, type ChildListener } from "./dynamicChild.ts"
import * as Intensity from "./intensity.ts"
import type { RestartSteps } from "./restartSchedule.ts"
import type { Verdict } from "./strategy.ts"
import { TreeProcess, type TreeOptions } from "./treeProcess.ts"

/** @internal */
export interface DynamicSpec {
  readonly id: string
  readonly launch: Launch
  readonly restart: Restart
  /** Undefined: failures are not counted. */
  readonly intensity: Intensity.Limit | undefined
  readonly steps: () => RestartSteps | undefined
  readonly limit: Limit
  readonly maxChildren: number
}

/** Why a child was not started. @internal */
export type Refused = "AlreadyStarted" | "MaxChildren" | "Stopping"

/** @internal */
export class DynamicProcess extends TreeProcess implements ChildListener {
  readonly spec: DynamicSpec
  readonly children = new Map<string, DynamicChild>()
  private window: Intensity.Window | undefined
  private readonly stopRequested = Latch.makeUnsafe()
  private finalReason: ExitReason.ExitReason | undefined = undefined
  private ending: "Requested" | "RestartLimit" | undefined = undefined
  private readonly place: Place

  constructor(spec: DynamicSpec, options: Omit<TreeOptions, "id">) {
    super({ ...options, id: spec.id })
    this.spec = spec
    this.window = spec.intensity === undefined ? undefined : Intensity.make(spec.intensity)
    // Children are adopted by hand: the place only names their parent.
    this.place = { parent: this, targets: makeTargets(), take: () => true, adopt: () => {} }
  }

  run(): void {
    this.context = Context.add(this.context, Self, this)
    this.status = "running"
    const main = Effect.andThen(
      Effect.onInterrupt(this.stopRequested.await, () => this.killAll),
      Effect.suspend(() => this.stopAll)
    )
    const fiber = Effect.runForkWith(this.context)(main)
    this.fiber = fiber
    fiber.addObserver((exit) => {
      this.over(this.finalReason ?? this.exiting ?? ExitReason.fromExit(exit), this.ending)
    })
    this.target.up(this)
  }

  // ---- children ---------------------------------------------------------------------------------------------------

  get isStopping(): boolean {
    return this.finalReason !== undefined || !this.isOpen
  }

  /** Starts a child; its own fiber goes on even if who asked for it does not. */
  add(key: string, args: ReadonlyArray<unknown>): DynamicChild | Refused {
    if (this.isStopping) return "Stopping"
    if (this.children.has(key)) return "AlreadyStarted"
    if (this.children.size >= this.spec.maxChildren) return "MaxChildren"
    const child = new DynamicChild(this.spec.launch.id, key, args, this)
    this.children.set(key, child)
    return child
  }

  /** The first start of a child that was added. */
  first(child: DynamicChild): Effect.Effect<void, unknown> {
    const started = Effect.onExit(this.start(child), (exit) =>
      Effect.sync(() => {
        child.work = undefined
        if (exit._tag === "Failure") this.remove(child)
      })
    )
    return Effect.suspend(() => {
      const work = Effect.runForkWith(this.context)(started)
      if (work.pollUnsafe() === undefined) child.work = work
      return work.pollUnsafe() ?? Effect.flatten(Fiber.await(work))
    })
  }

  private start(child: DynamicChild): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const begun = this.now()
      const { launch } = this.spec
      const launched = launch.start(child.args!, { target: child.target, place: this.place })
      return Effect.map(launched, (record) => this.started(child, record, begun))
    })
  }

  private started(child: DynamicChild, record: ProcessRecord, begun: number): void {
    child.record = record
    child.state = "running"
    child.startedAt = this.now()
    if (this.spec.restart === "temporary") child.args = undefined
    record.reporter = (report) => {
      child.report = report
    }
    if (Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childStart)) {
      const durationMillis = child.startedAt - begun
      Telemetry.executeUnsafe(this.kernel.telemetry, Events.childStart, { durationMillis }, this.about(child))
    }
    // It may have ended since: then it is told at once.
    record.observe(child)
  }

  private remove(child: DynamicChild): void {
    if (this.children.get(child.key) === child) this.children.delete(child.key)
    child.target.leave(this.ending === "RestartLimit" ? this.finalReason! : ExitReason.normal)
  }

  // ---- endings ----------------------------------------------------------------------------------------------------

  /** It ends by itself; what it has left to do has its limit. */
  childExiting(child: DynamicChild): void {
    if (child.state !== "running") return
    const record = child.record!
    const within = endWithin(record, parse(this.spec.limit).release)
    const kill = Effect.sync(() => {
      if (child.state === "running" && child.record === record) record.kill(record.exiting)
    })
    // Most end at once: look again before a timer is set.
    Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, Effect.andThen(within, kill)))
  }

  childDead(child: DynamicChild, reason: ExitReason.ExitReason): void {
    if (child.state !== "running") return
    if (Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childExit)) {
      const uptimeMillis = this.now() - child.startedAt
      Telemetry.executeUnsafe(this.kernel.telemetry, Events.childExit, { uptimeMillis }, { ...this.about(child), reason })
    }
    if (this.isStopping || !shouldRestart(this.spec.restart, ExitReason.isExpected(reason))) {
      child.state = "stopping"
      this.flushReport(child, "not restarted")
      this.work(child, Effect.andThen(this.awaitRelease(child), Effect.sync(() => this.remove(child))))
      return
    }
    child.state = "restarting"
    this.work(child, this.restart(child, { reason }))
  }

  /** Runs in a later step: who called is in the middle of a death. */
  private work(child: DynamicChild, effect: Effect.Effect<void>): void {
    const work = Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, effect))
    child.work = work
    work.addObserver(() => {
      if (child.work === work) child.work = undefined
    })
  }

  /** Counts the failure, asks the schedule, waits, and starts it anew, until it is up or the supervisor gives up. */
  private restart(child: DynamicChild, ending: Ending): Effect.Effect<void> {
    return Effect.suspend(() => {
      const uptime = child.state === "restarting" && child.record !== undefined ? this.now() - child.startedAt : 0
      const attempts = this.countFailure()
      if (attempts !== undefined) return this.giveUp(child, ending, { attempts, policy: "intensity" })
      return Effect.flatMap(this.ask(child, ending, uptime), (verdict) => {
        if (verdict._tag === "Exhausted") {
          return this.giveUp(child, ending, { attempts: verdict.attempts, policy: "schedule" })
        }
        this.announceRestart(child, verdict.millis)
        return Effect.andThen(this.awaitRelease(child), (released) =>
          released ? this.startAgain(child, verdict.millis) : this.restart(child, overdue(child))
        )
      })
    })
  }

  private startAgain(child: DynamicChild, millis: number): Effect.Effect<void> {
    const delayed = millis > 0 ? Effect.sleep(Duration.millis(millis)) : Effect.void
    const again = Effect.suspend(() => {
      child.incarnation++
      child.record = undefined
      return Effect.exit(this.start(child))
    })
    return Effect.flatMap(Effect.andThen(delayed, again), (exit) =>
      exit._tag === "Success" ? Effect.void : this.restart(child, startEnding(exit.cause))
    )
  }

  /** The number of failures if there are too many. */
  private countFailure(): number | undefined {
    if (this.window === undefined) return undefined
    const [window, exceeded] = Intensity.record(this.window, this.now())
    this.window = window
    return exceeded ? window.entries.length : undefined
  }

  private ask(child: DynamicChild, ending: Ending, uptimeMillis: number): Effect.Effect<Verdict> {
    const steps = (child.steps ??= this.spec.steps())
    if (steps === undefined) return Effect.succeed({ _tag: "Delay", millis: 0 })
    const uptime = Duration.millis(uptimeMillis)
    const incarnation = child.incarnation - 1
    return steps.ask({ id: child.key, reason: ending.reason, incarnation, uptime }, this.now())
  }

  /** Waits until the last run has ended, within the limit. */
  private awaitRelease(child: DynamicChild): Effect.Effect<boolean> {
    const { record } = child
    if (record === undefined) return Effect.succeed(true)
    return Effect.map(endWithin(record, parse(this.spec.limit).release), () => {
      if (!record.ended) this.announceZombie(child)
      return record.ended
    })
  }

  private giveUp(
    child: DynamicChild,
    { reason }: Ending,
    why: { readonly attempts: number; readonly policy: "intensity" | "schedule" }
  ): Effect.Effect<void> {
    return Effect.sync(() => {
      this.flushReport(child, "give up")
      if (this.isStopping) return
      this.ending = "RestartLimit"
      this.finalReason = this.gaveUp({ child: child.key, reason, ...why })
      this.stopRequested.openUnsafe()
    })
  }

  // ---- stop -------------------------------------------------------------------------------------------------------

  override shutdown(reason: ExitReason.ExitReason): void {
    if (this.isStopping) return
    this.ending = "Requested"
    this.finalReason = reason
    this.stopRequested.openUnsafe()
  }

  /** Stops one child in good order and forgets it. */
  stop(child: DynamicChild): Effect.Effect<void> {
    return Effect.suspend(() => {
      child.state = "stopping"
      const stopWork = child.work === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(child.work))
      const { limit } = this.spec
      const stopRecord = Effect.suspend(() =>
        child.record === undefined ? Effect.void : Effect.asVoid(shutdown(child.record, { limit }))
      )
      return Effect.andThen(
        Effect.andThen(stopWork, stopRecord),
        Effect.sync(() => this.stopped(child))
      )
    })
  }

  private stopped(child: DynamicChild): void {
    if (child.record !== undefined && !child.record.ended) this.announceZombie(child)
    this.remove(child)
  }

  /** Those that are up are asked all at once, and waited for together: one limit serves them all. */
  private readonly stopAll: Effect.Effect<void> = Effect.suspend(() => {
    const all = [...this.children.values()]
    const isUp = (child: DynamicChild) => child.work === undefined && child.record !== undefined
    const busy = all.filter((child) => !isUp(child))
    const up = all.filter(isUp)
    const stopBusy = Effect.forEach(busy, (child) => this.stop(child), { concurrency: "unbounded", discard: true })
    const records = up.map((child) => child.record!)
    for (const child of up) child.state = "stopping"
    const removed = Effect.sync(() => {
      for (const child of up) this.stopped(child)
      this.close(this.finalReason ?? ExitReason.shutdown())
    })
    const stopUp = shutdownAll(records, { limit: this.spec.limit })
    return Effect.andThen(Effect.all([stopBusy, stopUp], { concurrency: 2, discard: true }), removed)
  })

  private readonly killAll: Effect.Effect<void> = Effect.suspend(() => {
    const all = [...this.children.values()]
    return Effect.forEach(all, (child) => this.killOne(child), { concurrency: "unbounded", discard: true })
  })

  private killOne(child: DynamicChild): Effect.Effect<void> {
    child.state = "stopping"
    const stopWork = child.work === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(child.work))
    const killRecord = Effect.suspend(() => (child.record === undefined ? Effect.void : killAndAwait(child.record)))
    return Effect.andThen(Effect.andThen(stopWork, killRecord), Effect.sync(() => this.remove(child)))
  }

  // ---- reports ----------------------------------------------------------------------------------------------------

  private about(child: DynamicChild) {
    const { key, incarnation, record } = child
    return { supervisor: this.spec.id, child: key, incarnation, pid: record }
  }

  private announceRestart(child: DynamicChild, delayMillis: number): void {
    this.flushReport(child, delayMillis === 0 ? "restart" : `restart in ${delayMillis} ms`)
    if (!Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childRestart)) return
    Telemetry.executeUnsafe(this.kernel.telemetry, Events.childRestart, { delayMillis }, this.about(child))
  }

  private announceZombie(child: DynamicChild): void {
    if (Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childZombie)) {
      Telemetry.executeUnsafe(this.kernel.telemetry, Events.childZombie, { count: 1 }, this.about(child))
    }
    this.log(Effect.logWarning(`${this.spec.id}: child ${child.key} has not ended within its shutdown limit`))
  }

  private flushReport(child: DynamicChild, decision: string): void {
    const { report } = child
    child.report = undefined
    if (report !== undefined) reportCrash(this.kernel, { ...report, decision }, this.context)
  }

  private now(): number {
    return Number(Context.get(this.context, Clock.Clock).monotonicTimeNanosUnsafe()) / 1_000_000
  }
}

const overdue = (child: DynamicChild): Ending => ({
  reason: ExitReason.defect(new ReleaseTimeout({ child: child.key }))
})
