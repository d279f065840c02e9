/** One child of a dynamic supervisor: its key, its arguments, and the run it is in. */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Launch } from "../../../behaviour/GenServer.ts"
import type { Place, Targets } from "../../../kernel/shared/adoption.ts"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import { HandleTarget, type Handle } from "../../../kernel/Handle.ts"
import type { Observer, ProcessRecord, Wait } from "../../../kernel/shared/processRecord.ts"
import { kill } from "../../../kernel/shared/death.ts"
import { awaitEnd, endWithin, parse, shutdownTelling, type Limit } from "../../../kernel/Shutdown.ts"
import * as Waiting from "../../../kernel/shared/waiting.ts"
import type { Restart } from "../../RestartPolicy.ts"
import type { Ending } from "../core/ending.ts"
import type { RestartSteps } from "../child/restartSchedule.ts"
import type { Verdict } from "../group/group.ts"
import { withBelow } from "../tree/treeProcess.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import type { Crash } from "../../../kernel/shared/reports.ts"

/** Hears of a child from its process. @internal */
export interface ChildListener {
  readonly childExiting: (child: DynamicChild) => void
  readonly childDead: (child: DynamicChild, reason: ExitReason) => void
  readonly childCrashed: (child: DynamicChild, crash: Crash) => void
  readonly childOverran: (child: DynamicChild, record: ProcessRecord) => void
}

/** Where a child stands. A child that is stopping is never started again, whatever else happens. @internal */
export type ChildState = "starting" | "running" | "restarting" | "stopping"

/** How a child is started. @internal */
export interface DynamicLaunch extends Launch {
  /** In one step: nothing can happen to the process before the supervisor knows it. */
  readonly spawn?: (fiber: Fiber.Fiber<unknown, unknown>, args: ReadonlyArray<unknown>, place: Place) => ProcessRecord
}

/** How one child is treated. @internal */
export interface ChildPolicy {
  readonly restart: Restart
  readonly limit: Limit
}

/** @internal */
export interface DynamicChildOptions {
  readonly key: string
  readonly policy: ChildPolicy
  readonly args: ReadonlyArray<unknown>
  readonly launch: DynamicLaunch
  readonly supervisor: ProcessRecord & ChildListener
  readonly targets: Targets
}

/** @internal */
export class DynamicChild implements Observer {
  readonly key: string
  readonly target: HandleTarget
  readonly client: Handle<unknown>
  readonly place: Place
  readonly policy: ChildPolicy
  /** Whether it is the task of somebody. */
  readonly isTask: boolean
  private readonly listener: ChildListener
  /** Let go of once no other start can follow. */
  args: ReadonlyArray<unknown> | undefined
  state: ChildState = "starting"
  /** The process of its last start, from before its `init`. */
  record: ProcessRecord | undefined = undefined
  incarnation = 1
  startedAt = 0
  wasUp = false
  /** Dead for good: whoever is next has its room, though its fiber may not have ended. */
  isLeaving = false
  steps: RestartSteps | undefined = undefined
  /** The crash of its last run, until it is known what follows. */
  report: Crash | undefined = undefined
  /** What followed the end of its last run; undefined until that is known. */
  decision: string | undefined = undefined
  /** How its first start ended. */
  first: Exit.Exit<void, unknown> | undefined = undefined
  /** Tells who waits for that. Must not run a user's code. */
  onFirst: (() => void) | undefined = undefined
  /** The start or restart that is under way. */
  work: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** Its stop, once somebody has asked for one. */
  stop: Fiber.Fiber<void> | undefined = undefined

  constructor({ key, args, launch, policy, supervisor, targets }: DynamicChildOptions) {
    this.key = key
    this.policy = policy
    this.args = args
    this.listener = supervisor
    this.isTask = launch.spawn !== undefined
    this.target = new HandleTarget(launch.id, true, key)
    this.target.home = targets
    this.client = launch.client(this.target)
    this.place = { parent: supervisor, targets, adopt: (record) => this.adopt(record) }
  }

  private adopt(record: ProcessRecord): void {
    this.record = record
    record.child = this.key
    this.decision = undefined
    record.reporter = (report) => this.listener.childCrashed(this, report)
    // From here on: it may be up, and seen, before its start is over.
    record.observe(this)
  }

  /** Whether its process is up now, as whoever had an answer of it knows. */
  get isUp(): boolean {
    return this.record?.status === "running" && this.state !== "stopping"
  }

  private get isDead(): boolean {
    return this.record?.isAlive === false
  }

  /** Whether the process of its last start has been up. */
  get cameUp(): boolean {
    const { record, target } = this
    return record !== undefined && (target.current === record || target.last === record)
  }

  /** Whether it is dead for good, or did not come up: then it is on no list. */
  get isGone(): boolean {
    return this.isLeaving || (this.state === "starting" && this.isDead && !this.cameUp)
  }

  /** Where it stands, never older than what anybody has seen of it. */
  get shownState(): ChildState {
    return this.isUp ? "running" : this.state
  }

  /** Runs a start or restart, the one thing that is done for it at a time. */
  begin(context: Context.Context<never>, effect: Effect.Effect<void, unknown>): void {
    const work = Effect.runForkWith(context)(effect)
    if (work.pollUnsafe() !== undefined) return
    this.work = work
    work.addObserver(() => {
      if (this.work === work) this.work = undefined
    })
  }

  /** Says how its first start ended, unless that is known. */
  settle(first: Exit.Exit<void, unknown>): void {
    if (this.first !== undefined) return
    this.first = first
    this.onFirst?.()
    this.onFirst = undefined
  }

  /** Asks its schedule what follows this end. */
  ask(make: () => RestartSteps | undefined, { reason }: Ending, uptimeMillis: number): Effect.Effect<Verdict> {
    const steps = (this.steps ??= make())
    if (steps === undefined) return Effect.succeed({ _tag: "Delay", millis: 0 })
    const uptime = Duration.millis(uptimeMillis)
    return steps.ask({ id: this.key, reason, incarnation: this.incarnation - 1, uptime })
  }

  /** How people know it, whether a run of it is up or not. */
  get displayName(): string {
    return this.record === undefined || !this.isTask ? this.target.displayName : displayName(this.record)
  }

  /** How long a run that is dead may take to end. */
  get patience(): Duration.Duration {
    return parse(this.policy.limit).release
  }

  /** Waits until the last run has ended, within the limit; gives whether it has. */
  get released(): Effect.Effect<boolean> {
    const { record } = this
    return record === undefined
      ? Effect.succeed(true)
      : Effect.map(endWithin(record, this.patience), () => record.ended)
  }

  /** A wait for its end. One that is killed does not get to finish what it does. */
  get endWait(): Wait {
    return Waiting.make(() => (this.policy.limit === "brutalKill" ? [] : withBelow(this.record)))
  }

  /** Waits until a run that ends by itself has ended, within the limit. */
  endByItself(record: ProcessRecord): Effect.Effect<void> {
    return endWithin(record, parse(this.policy.limit).own)
  }

  /** Whether its last run has ended. */
  readonly isOver = (): boolean => this.record?.ended !== false

  /** Waits for that, however long it takes. */
  get over(): Effect.Effect<void> {
    return this.record === undefined ? Effect.void : awaitEnd(this.record)
  }

  /** Ends its start or restart, then its run in good order, all within the limit. It may be that not all has ended then. */
  end(): Effect.Effect<void> {
    const { patience } = this
    const { limit } = this.policy
    const endRun = Effect.suspend(() => {
      const { record, work } = this
      if (record === undefined) return Effect.void
      if (record.isAlive) {
        const overran = () => this.listener.childOverran(this, record)
        return Effect.asVoid(shutdownTelling(record, { limit, overran }))
      }
      // A start that is still not through has had its time.
      return work === undefined ? endWithin(record, patience) : Effect.void
    })
    return Effect.andThen(this.endWork(patience), endRun)
  }

  /** That kills a process in its `init`, which may take its time. */
  private endWork(patience: Duration.Duration): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { work } = this
      if (work === undefined) return Effect.void
      work.interruptUnsafe()
      return Effect.asVoid(Effect.timeoutOption(Fiber.await(work), patience))
    })
  }

  /** Kills it, wherever it stands, and waits until all has ended, within the limit. */
  kill(): Effect.Effect<void> {
    const { patience } = this
    if (this.record !== undefined) kill(this.record)
    const killRun = Effect.suspend(() => {
      const { record, work } = this
      if (record === undefined) return Effect.void
      // A start may have been past its interruption.
      kill(record)
      return work === undefined ? endWithin(record, patience) : Effect.void
    })
    return Effect.andThen(this.endWork(patience), killRun)
  }

  exiting(): void {
    this.listener.childExiting(this)
  }

  dead(reason: ExitReason): void {
    this.listener.childDead(this, reason)
  }
}
