/** One child of a dynamic supervisor: its key, its arguments, where it stands, and the process of its latest run. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ServerStarter } from "../../../behaviour/shared/definition.ts"
import type { Adoption, HandleTargets } from "../../../kernel/shared/adoption.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { type Handle } from "../../../kernel/Handle.ts"
import type { Observer, ProcessRecord, Wait } from "../../../kernel/shared/processRecord.ts"
import { kill } from "../../../kernel/shared/death.ts"
import { awaitEnd, type Limit } from "../../../kernel/Shutdown.ts"
import * as Waiting from "../../../kernel/shared/waitCycles.ts"
import { defaultLimitOf } from "../child/checkChild.ts"
import type { ReportedChild, WaitingReport } from "../child/childReports.ts"
import type { RestartSteps } from "../child/restartSchedule.ts"
import type { UntypedSpec } from "../child/untypedSpec.ts"
import type { RunEnd } from "../core/childEnd.ts"
import { begun, isFirstStart, isRestarting, isStopping, type SingleChild } from "../core/singleChild.ts"
import { withBelow } from "../tree/supervisorProcess.ts"
import type { ChildPolicy } from "./childPolicy.ts"
import { LayerRuns } from "./layerRuns.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import type { Crash } from "../../../kernel/shared/crashReports.ts"
import { endWithin, parse, shutdownTelling } from "../../../kernel/shared/shutdown.ts"
import { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** Gets the events of a child's process. @internal */
export interface ChildListener {
  readonly childExiting: (child: DynamicChild) => void
  readonly childDead: (child: DynamicChild, reason: ExitReason.ExitReason) => void
  readonly childCrashed: (child: DynamicChild, crash: Crash) => void
  readonly childOverran: (child: DynamicChild, record: ProcessRecord) => void
}

/** How a child is started. @internal */
export interface ChildStarter extends ServerStarter {
  /** Spawns in one step, so that nothing can happen to the process before the supervisor knows it. */
  readonly spawn?: (
    fiber: Fiber.Fiber<unknown, unknown>,
    args: ReadonlyArray<unknown>,
    adoption: Adoption
  ) => ProcessRecord
  /** Makes the Layer of a child. Then the child is everything that this Layer starts. */
  readonly layer?: (args: ReadonlyArray<unknown>) => UntypedSpec["layer"]
}

/** How the first start of a child has ended. `"stopped"` means that the child was told to stop before. @internal */
export type FirstStart = Exit.Exit<void, unknown> | "stopped"

/** @internal */
export interface DynamicChildOptions {
  readonly key: string
  readonly policy: ChildPolicy
  readonly args: ReadonlyArray<unknown>
  readonly starter: ChildStarter
  readonly parent: ProcessRecord
  readonly listener: ChildListener
  readonly targets: HandleTargets
}

/** @internal */
export class DynamicChild implements Observer, ReportedChild {
  readonly key: string
  readonly target: HandleTarget
  readonly adoption: Adoption
  /** The runs of its Layer. Undefined if it is a process and no more. */
  readonly layers: LayerRuns | undefined
  readonly policy: ChildPolicy
  /** Whether it is a task. */
  readonly isTask: boolean
  private readonly ownClient: Handle<unknown>
  private readonly listener: ChildListener
  /** Dropped once no other start can follow. */
  args: ReadonlyArray<unknown> | undefined
  /** Where it stands, as the core decides. */
  core: SingleChild<RunEnd> = begun
  /** The process of its last start. Set before its `init`. */
  record: ProcessRecord | undefined = undefined
  startedAt = 0
  /** It is dead for good. Its room is free, though its fiber may not have ended. */
  isDeadForGood = false
  steps: RestartSteps | undefined = undefined
  /** The reports of its last run that wait for a decision. */
  reports: Array<WaitingReport> | undefined = undefined
  /** What followed its last run. Undefined until it is known. */
  decision: string | undefined = undefined
  /** How its first start ended. */
  firstStart: FirstStart | undefined = undefined
  /** Tell the callers that wait for the first start. They must not run a user's code. */
  onFirstStart: Set<() => void> | undefined = undefined
  /** The fiber that works towards its start: the start itself, a question to its schedule, or a delay. */
  startFiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The fiber that stops it, once somebody has asked for that. */
  stopFiber: Fiber.Fiber<void> | undefined = undefined

  constructor({ key, args, starter, listener, parent, policy, targets }: DynamicChildOptions) {
    this.key = key
    this.policy = policy
    this.args = args
    this.listener = listener
    this.isTask = starter.spawn !== undefined
    this.target = new HandleTarget(starter.id, targets, key)
    this.ownClient = starter.client(this.target)
    this.layers = starter.layer === undefined ? undefined : new LayerRuns(key, targets)
    this.adoption = { parent, targets, adopt: (record) => this.adopt(record) }
  }

  private adopt(record: ProcessRecord): void {
    this.record = record
    record.child = this.key
    this.decision = undefined
    record.reporter = (report) => this.listener.childCrashed(this, report)
    // It is observed from here on, because it may be up and seen before its start is over.
    record.observe(this)
  }

  /** The process of a run of its Layer, which the run watches. It may die while a start or a stop is under way. */
  adopted(record: ProcessRecord, diedUnheard: () => void): void {
    this.record = record
    this.decision = undefined
    const dead = () => {
      if (this.record === record && this.core.state._tag !== "Up") diedUnheard()
    }
    record.observe({ dead })
  }

  exiting(): void {
    this.listener.childExiting(this)
  }

  dead(reason: ExitReason.ExitReason): void {
    this.listener.childDead(this, reason)
  }

  // ---- what is shown of it ----------------------------------------------------------------------------------------

  get id(): string {
    return this.key
  }

  get pid(): ProcessRecord | undefined {
    return this.record?.isAlive === true ? this.record : undefined
  }

  /** What its callers get: the client of its server, or the handles that its Layer provides. */
  get client(): Handle<unknown> | Context.Context<never> {
    return this.layers === undefined ? this.ownClient : this.layers.services
  }

  /** How long its orderly end may take. */
  get limit(): Limit {
    return this.policy.limit ?? defaultLimitOf(this.record)
  }

  get reportKind(): string {
    return this.target.key
  }

  /** The number of its latest start. */
  get incarnation(): number {
    return this.core.incarnation
  }

  /** How many times it was started again. */
  get restarts(): number {
    return this.core.incarnation - 1
  }

  /** Whether its process is up now, as anybody with an answer from it knows. */
  get isUp(): boolean {
    if (this.record?.phase !== "running" || isStopping(this.core)) return false
    return this.layers === undefined || this.layers.isUp
  }

  /** Whether its first start has succeeded. */
  get wasUp(): boolean {
    return this.firstStart !== "stopped" && this.firstStart?._tag === "Success"
  }

  /** Whether its client exists. A Layer gives it when it is built. */
  get hasClient(): boolean {
    return this.wasUp || (this.isUp && this.layers === undefined)
  }

  /** Whether the process of its last start has been up. */
  get cameUp(): boolean {
    const { layers, record, target } = this
    if (layers !== undefined) return layers.cameUp
    return record !== undefined && (target.current === record || target.last === record)
  }

  /** Whether it is dead for good, or did not come up. Then it is on no list. */
  get isGone(): boolean {
    return this.isDeadForGood || (isFirstStart(this.core) && this.record?.isAlive === false && !this.cameUp)
  }

  /** Whether it was told to stop. */
  get isEnding(): boolean {
    return isStopping(this.core)
  }

  /** Where it stands. Never older than what anybody has seen of it. */
  get state(): "starting" | "running" | "restarting" | "stopping" {
    if (this.isUp || this.core.state._tag === "Up") return "running"
    if (isRestarting(this.core)) return "restarting"
    return isFirstStart(this.core) ? "starting" : "stopping"
  }

  /** Its name for people, whether a run of it is up or not. */
  get displayName(): string {
    const hasOwnName = this.isTask || this.layers !== undefined
    return this.record === undefined || !hasOwnName ? this.target.displayName : displayName(this.record)
  }

  /** Why its handles are gone once it is not started again. */
  get goneReason(): ExitReason.ExitReason {
    return this.layers === undefined ? ExitReason.normal : this.layers.goneReason
  }

  /** Gives its handles the reason why they are gone. */
  markGone(reason: ExitReason.ExitReason): void {
    if (this.layers === undefined) this.target.markGone(reason)
    else this.layers.markGone(reason)
  }

  // ---- its start --------------------------------------------------------------------------------------------------

  /** Runs one step of its start. `then` gets the result, unless the step is interrupted. */
  runStartStep<A>(context: Context.Context<never>, effect: Effect.Effect<A>, then: (result: A) => void): void {
    this.startFiber?.interruptUnsafe()
    const through = Effect.map(effect, (result) => {
      this.startFiber = undefined
      then(result)
    })
    const work = Effect.runForkWith(context)(through)
    if (work.pollUnsafe() === undefined) this.startFiber = work
  }

  /** Sets how its first start ended, unless that is known already. */
  answerStart(first: FirstStart): void {
    if (this.firstStart !== undefined) return
    this.firstStart = first
    const waiting = this.onFirstStart
    this.onFirstStart = undefined
    for (const tell of waiting ?? []) tell()
  }

  // ---- its end ----------------------------------------------------------------------------------------------------

  /** A wait for its end. A process that is killed does not finish its work, so nothing waits for it. */
  get endWait(): Wait {
    return Waiting.makeWait(() => (this.limit === "brutalKill" ? [] : withBelow(this.record)))
  }

  /** Whether its last run has ended. */
  readonly hasEnded = (): boolean => (this.layers === undefined ? this.record?.ended !== false : this.layers.hasEnded)

  /** Waits for the end of its last run, however long that takes. */
  get untilEnded(): Effect.Effect<void> {
    if (this.layers !== undefined) return this.layers.untilEnded
    return this.record === undefined ? Effect.void : awaitEnd(this.record)
  }

  /** How long a dead run may take to end. */
  get releaseLimit(): Duration.Duration {
    return parse(this.limit).release
  }

  /**
   * Ends the step towards its start, then its run in good order, all within the limit. Something may still run
   * afterwards.
   */
  stop(): Effect.Effect<void> {
    const { layers, limit, releaseLimit } = this
    if (layers !== undefined) return Effect.andThen(this.interruptStart(releaseLimit), layers.stop)
    const endRun = Effect.suspend(() => {
      const { record, startFiber } = this
      if (record === undefined) return Effect.void
      if (record.isAlive) {
        const overran = () => this.listener.childOverran(this, record)
        return Effect.asVoid(shutdownTelling(record, { limit, overran }))
      }
      // A start that is still running has had its time.
      return startFiber === undefined ? endWithin(record, releaseLimit) : Effect.void
    })
    return Effect.andThen(this.interruptStart(releaseLimit), endRun)
  }

  /** Kills it, wherever it stands, and waits within the limit until everything has ended. */
  kill(): Effect.Effect<void> {
    const { layers, releaseLimit } = this
    if (layers !== undefined) return Effect.andThen(this.interruptStart(releaseLimit), layers.kill)
    if (this.record !== undefined) kill(this.record)
    const killRun = Effect.suspend(() => {
      const { record, startFiber } = this
      if (record === undefined) return Effect.void
      // The start may have gone on past its interruption.
      kill(record)
      return startFiber === undefined ? endWithin(record, releaseLimit) : Effect.void
    })
    return Effect.andThen(this.interruptStart(releaseLimit), killRun)
  }

  /** Ends the step towards its start. If that is a start, this kills a process in its `init`, which may take time. */
  private interruptStart(limit: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { startFiber } = this
      if (startFiber === undefined) return Effect.void
      startFiber.interruptUnsafe()
      const ended = Effect.map(Fiber.await(startFiber), () => {
        if (this.startFiber === startFiber) this.startFiber = undefined
      })
      return Effect.asVoid(Effect.timeoutOption(ended, limit))
    })
  }
}
