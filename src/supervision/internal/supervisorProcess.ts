/**
 * The process of a supervisor: feeds the decision core one event after another and runs what it decides.
 *
 * Nothing here waits: starts, stops, delays and schedules are fibers of their own whose results come back as events. So a
 * supervisor answers, and can be stopped, while a child's `init` runs or a delay passes.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Fate } from "../../kernel/Accounting.ts"
import { innerTargets, SupervisedLayers, type Supervised, type Targets } from "../../kernel/Adoption.ts"
import type * as CrashReport from "../../kernel/CrashReport.ts"
import * as ExitReason from "../../kernel/ExitReason.ts"
import { TypeId as HandleTypeId } from "../../kernel/Handle.ts"
import { reportCrash, Self, type Envelope, type ProcessRecord } from "../../kernel/ProcessRecord.ts"
import type { Limit } from "../../kernel/Shutdown.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import type { Untyped } from "../ChildSpec.ts"
import * as Events from "../SupervisorEvents.ts"
import { ChildRun, type Ending } from "./childRun.ts"
import { RestartSteps } from "./restartSchedule.ts"
import * as Strategy from "./strategy.ts"
import { TreeProcess, type TreeOptions } from "./treeProcess.ts"

type Event = Strategy.Event<Ending>
type Action = Strategy.Action<Ending>
type EndReason = Strategy.EndReason<Ending>

/** What a supervisor is told of one of its children. @internal */
export interface SupervisorSpec {
  readonly id: string
  readonly options: Strategy.Options
  readonly children: ReadonlyArray<Untyped>
  /** The steps of a child's schedule, made when first asked for; undefined: restart at once. */
  readonly schedule: (child: number) => RestartSteps | undefined
}

/** An event for the core, or a question of a user. @internal */
export class SupervisorEnvelope implements Envelope {
  readonly from = undefined
  readonly content: unknown
  readonly event: Event
  private readonly onRefuse: (() => void) | undefined
  constructor(event: Event, onRefuse?: () => void) {
    this.event = event
    this.content = event
    this.onRefuse = onRefuse
  }
  refuse(): Fate {
    this.onRefuse?.()
    return "returned"
  }
}

interface Slot {
  readonly spec: Untyped
  readonly id: string
  readonly targets: Targets
  run: ChildRun | undefined
  incarnation: number
  startedAt: number
  steps: RestartSteps | undefined
  /** What it gives to later siblings now. */
  context: Context.Context<never> | undefined
  /** The report of its crash, until it is known what follows. */
  report: CrashReport.CrashReport | undefined
  /** How long its last run was up. */
  uptime: number
}

/** @internal */
export class SupervisorProcess extends TreeProcess {
  readonly spec: SupervisorSpec
  /** The Layers its children were started by, and those of supervisors below. */
  readonly supervised = new Map<object, Supervised>()
  private readonly slots: ReadonlyArray<Slot | undefined>
  private state: Strategy.State<Ending> | undefined = undefined
  private readonly requests = new Map<number, (result: Strategy.Result<Ending>) => void>()
  private readonly sleeps = new Map<number, Fiber.Fiber<void>>()
  private lastRequest = 0
  private finalReason: ExitReason.ExitReason | undefined = undefined
  booted = false
  bootFailure: Cause.Cause<unknown> | undefined = undefined
  onBooted: (() => void) | undefined = undefined
  /** Why it ends; undefined if it was killed. */
  private ending: "Requested" | "AutoShutdown" | "RestartLimit" | undefined = undefined

  constructor(spec: SupervisorSpec, options: Omit<TreeOptions, "id">) {
    super({ ...options, id: spec.id })
    this.spec = spec
    this.slots = spec.children.map((child, index) => {
      const { id } = spec.options.members[index]!
      return {
        spec: child,
        id,
        targets: innerTargets(options.targets, id),
        run: undefined,
        incarnation: 0,
        startedAt: 0,
        steps: spec.schedule(index),
        context: undefined,
        report: undefined,
        uptime: 0
      }
    })
  }

  // ---- the loop ---------------------------------------------------------------------------------------------------

  run(): void {
    this.context = Context.add(this.context, Self, this)
    const main = Effect.onInterrupt(
      Effect.suspend(() => {
        this.status = "running"
        this.take(Strategy.boot(this.spec.options))
        return this.serve
      }),
      () => this.killChildren
    )
    const fiber = Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, main))
    this.fiber = fiber
    fiber.addObserver((exit) => this.ranOut(exit))
  }

  private readonly serve: Effect.Effect<void> = Effect.suspend(() => {
    for (let next = this.mailbox.shift(); next !== undefined; next = this.mailbox.shift()) {
      this.settle("handled")
      if (next instanceof SupervisorEnvelope) this.handle(next.event)
    }
    return this.finalReason !== undefined ? Effect.void : Effect.flatMap(this.park, () => this.serve)
  })

  private readonly park = Effect.callback<void>((resume) => {
    this.resume = resume
  })

  private handle(event: Event): void {
    if (this.finalReason === undefined) this.take(Strategy.decide(this.state!, event, this.now()))
    if (event._tag === "ChildExited") this.reportUnlessRestarting(event.child)
  }

  private take([state, actions]: readonly [Strategy.State<Ending>, ReadonlyArray<Action>]): void {
    this.state = state
    for (const action of actions) this.act(action)
  }

  private tell(event: Event): void {
    this.post(new SupervisorEnvelope(event))
  }

  private now(): number {
    return Number(Context.get(this.context, Clock.Clock).monotonicTimeNanosUnsafe()) / 1_000_000
  }

  // ---- actions ----------------------------------------------------------------------------------------------------

  private act(action: Action): void {
    switch (action._tag) {
      case "StartChild":
        return this.startChild(action.child, action.incarnation)
      case "StopChild":
        return this.slots[action.child]!.run!.stop()
      case "AskSchedule":
        return this.askSchedule(action)
      case "Sleep":
        return this.sleep(action.round, action.millis)
      case "CancelSleep":
        return this.cancelSleep(action.round)
      case "Reply":
        return this.reply(action.request, action.result)
      case "Forget":
        return this.forget(action.child)
      case "BootSucceeded":
        return this.bootSucceeded()
      case "End":
        return this.conclude(action.reason)
    }
  }

  private startChild(child: number, incarnation: number): void {
    const slot = this.slots[child]!
    slot.incarnation = incarnation
    const begun = this.now()
    const run = new ChildRun({
      id: slot.id,
      spec: slot.spec,
      parent: this,
      targets: slot.targets,
      context: this.contextFor(child),
      check: (record) => checkChild(record, slot.spec),
      defaultLimit: (record): Limit => (record instanceof TreeProcess ? "infinity" : defaultLimit),
      reports: {
        started: (context) => {
          this.childStarted(slot, run, context, begun)
          this.tell({ _tag: "ChildStarted", child, incarnation })
        },
        startFailed: (exit) => this.tell({ _tag: "StartFailed", child, incarnation, exit }),
        exited: (reason) => {
          slot.uptime = this.now() - slot.startedAt
          this.announceExit(slot, reason)
          const expected = ExitReason.isExpected(reason)
          this.tell({ _tag: "ChildExited", child, incarnation, expected, exit: { reason } })
        },
        released: () => this.tell({ _tag: "ChildStopped", child, incarnation }),
        overdue: (exit) => {
          this.announceZombie(slot)
          this.tell({ _tag: "ReleaseTimedOut", child, incarnation, exit })
        }
      }
    })
    slot.run = run
    slot.uptime = 0
    run.start()
  }

  private childStarted(slot: Slot, run: ChildRun, built: Context.Context<never>, begun: number): void {
    slot.startedAt = this.now()
    slot.context =
      slot.spec.key === undefined
        ? handlesOf(built)
        : Context.make(slot.spec.key as Context.Key<never, unknown>, Context.getUnsafe(built, slot.spec.key))
    const { record } = run
    if (record !== undefined) {
      record.reporter = (report) => {
        slot.report = report
      }
      this.supervised.set(run.layer!, { targets: slot.targets, context: slot.context })
      if (record instanceof SupervisorProcess) {
        for (const [layer, supervised] of record.supervised) this.supervised.set(layer, supervised)
      }
    }
    if (!Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childStart)) return
    const durationMillis = slot.startedAt - begun
    Telemetry.executeUnsafe(this.kernel.telemetry, Events.childStart, { durationMillis }, this.about(slot))
  }

  /** The environment of a child: the supervisor's, and what earlier siblings give. */
  private contextFor(child: number): Context.Context<never> {
    let context = Context.omit(Self)(this.context) as Context.Context<never>
    for (const slot of this.slots.slice(0, child)) {
      if (slot?.context !== undefined) context = Context.merge(context, slot.context)
    }
    const above = Context.get(this.context, SupervisedLayers)
    return Context.add(context, SupervisedLayers, new Map([...above, ...this.supervised]))
  }

  private askSchedule(action: Extract<Action, { readonly _tag: "AskSchedule" }>): void {
    const { round, child, incarnation, exit } = action
    const slot = this.slots[child]!
    const answer = (verdict: Strategy.Verdict) => {
      if (verdict._tag === "Delay") this.announceRestart(slot, verdict.millis)
      this.tell({ _tag: "Verdict", round, verdict })
    }
    if (slot.steps === undefined) return answer({ _tag: "Delay", millis: 0 })
    const uptime = Duration.millis(slot.uptime)
    const input = { id: slot.id, reason: exit.reason, incarnation: incarnation - 1, uptime }
    const asked = Effect.map(slot.steps.ask(input, this.now()), answer)
    Effect.runForkWith(this.contextFor(child))(Effect.andThen(Effect.yieldNow, asked))
  }

  private sleep(round: number, millis: number): void {
    const passed = Effect.sync(() => {
      this.sleeps.delete(round)
      this.tell({ _tag: "DelayPassed", round })
    })
    const sleeping = Effect.runForkWith(this.context)(Effect.andThen(Effect.sleep(Duration.millis(millis)), passed))
    if (sleeping.pollUnsafe() === undefined) this.sleeps.set(round, sleeping)
  }

  private cancelSleep(round: number): void {
    this.sleeps.get(round)?.interruptUnsafe()
    this.sleeps.delete(round)
  }

  private reply(request: number, result: Strategy.Result<Ending>): void {
    this.requests.get(request)?.(result)
    this.requests.delete(request)
  }

  private forget(child: number): void {
    this.flushReport(this.slots[child], "not restarted: temporary")
    ;(this.slots as Array<Slot | undefined>)[child] = undefined
  }

  private bootSucceeded(): void {
    this.booted = true
    this.target.up(this)
    this.onBooted?.()
    this.onBooted = undefined
  }

  // ---- questions --------------------------------------------------------------------------------------------------

  /** Asks the core for something; `answer` is called once. */
  request(tag: "TerminateRequested" | "RestartRequested", id: string, answer: (result: Strategy.Result<Ending>) => void): void {
    const request = ++this.lastRequest
    this.requests.set(request, answer)
    this.post(
      new SupervisorEnvelope({ _tag: tag, request, id }, () => this.reply(request, { _tag: "SupervisorStopping" }))
    )
  }

  get view(): ReadonlyArray<Strategy.ChildView & { readonly record: ProcessRecord | undefined; readonly restarts: number }> {
    if (this.state === undefined) return []
    const slots = new Map(this.slots.map((slot) => [slot?.id, slot]))
    return Strategy.whichChildren(this.state).map((child) => {
      const slot = slots.get(child.id)
      const record = slot?.run?.record
      const alive = record !== undefined && record.isAlive ? record : undefined
      return { ...child, record: alive, restarts: Math.max(0, (slot?.incarnation ?? 1) - 1) }
    })
  }

  /** What it exports: the handles of its children. */
  get exports(): Context.Context<never> {
    let context: Context.Context<never> = Context.empty()
    for (const slot of this.slots) {
      if (slot?.spec.kind === "child" && slot.context !== undefined) context = Context.merge(context, slot.context)
    }
    return context
  }

  // ---- reports ----------------------------------------------------------------------------------------------------

  private about(slot: Slot) {
    return { supervisor: this.spec.id, child: slot.id, incarnation: slot.incarnation, pid: slot.run?.record }
  }

  private announceExit(slot: Slot, reason: ExitReason.ExitReason): void {
    if (!Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childExit)) return
    const metadata = { ...this.about(slot), reason }
    Telemetry.executeUnsafe(this.kernel.telemetry, Events.childExit, { uptimeMillis: slot.uptime }, metadata)
  }

  private announceRestart(slot: Slot, delayMillis: number): void {
    this.flushReport(slot, delayMillis === 0 ? "restart" : `restart in ${delayMillis} ms`)
    if (!Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childRestart)) return
    Telemetry.executeUnsafe(this.kernel.telemetry, Events.childRestart, { delayMillis }, this.about(slot))
  }

  private announceZombie(slot: Slot): void {
    if (Telemetry.isActiveUnsafe(this.kernel.telemetry, Events.childZombie)) {
      Telemetry.executeUnsafe(this.kernel.telemetry, Events.childZombie, { count: 1 }, this.about(slot))
    }
    this.log(Effect.logWarning(`${this.spec.id}: child ${slot.id} has not ended within its shutdown limit`))
  }

  /** A crash that asks no schedule is not followed by a restart of its own. */
  private reportUnlessRestarting(child: number): void {
    const slot = this.slots[child]
    if (slot?.report === undefined) return
    const asked = this.state?.phase._tag === "Running" && this.state.phase.rounds.some((round) => round.child === child)
    if (asked) return
    this.flushReport(slot, this.state?.phase._tag === "Running" ? "not restarted, or restarted with a sibling" : "stop")
  }

  private flushReport(slot: Slot | undefined, decision: string): void {
    const report = slot?.report
    if (slot === undefined || report === undefined) return
    slot.report = undefined
    reportCrash(this.kernel, { ...report, decision }, this.context)
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  private conclude(end: EndReason): void {
    // A tree that never came up is the failure of its Layer, not its end.
    this.ending = end._tag === "BootFailed" ? "Requested" : end._tag
    const reason = this.reasonOf(end)
    for (const slot of this.slots) this.flushReport(slot, "give up")
    this.finalReason = reason
    this.close(reason)
  }

  private reasonOf(end: EndReason): ExitReason.ExitReason {
    switch (end._tag) {
      case "Requested":
        return end.reason.reason as ExitReason.ExitReason
      case "BootFailed":
        this.bootFailure = end.exit.cause
        return ExitReason.shutdown({ _tag: "BootFailed", child: this.idOf(end.child) })
      case "AutoShutdown":
        return ExitReason.shutdown({ _tag: "AutoShutdown", child: this.idOf(end.child) })
      case "RestartLimit": {
        const { attempts, policy } = end
        return this.gaveUp({ child: this.idOf(end.child), reason: end.exit.reason, attempts, policy })
      }
    }
  }

  private idOf(child: number): string {
    return this.spec.options.members[child]!.id
  }

  private ranOut(exit: Exit.Exit<unknown, unknown>): void {
    for (const answer of this.requests.values()) answer({ _tag: "SupervisorStopping" })
    this.requests.clear()
    this.over(this.finalReason ?? this.exiting ?? ExitReason.fromExit(exit), this.ending)
  }

  /** Its own end is the children's: in reverse order they are killed, and all have ended before it has. */
  private readonly killChildren: Effect.Effect<void> = Effect.suspend(() => {
    for (const sleeping of this.sleeps.values()) sleeping.interruptUnsafe()
    const runs = this.slots.flatMap((slot) => (slot?.run === undefined ? [] : [slot.run])).reverse()
    return Effect.forEach(runs, (run) => run.kill, { discard: true })
  })

  override shutdown(reason: ExitReason.ExitReason): void {
    if (this.exiting === undefined) this.tell({ _tag: "StopRequested", reason: { reason } })
  }
}

/** How long a process that is no supervisor may take to end in good order. */
const defaultLimit = Duration.seconds(5)

/** Only handles leave a child: anything else in what was built would be stale after a restart. */
const handlesOf = (built: Context.Context<never>): Context.Context<never> => {
  const handles = new Map<string, unknown>()
  for (const [key, value] of built.mapUnsafe) {
    if (typeof value === "object" && value !== null && HandleTypeId in value) handles.set(key, value)
  }
  return Context.makeUnsafe(handles)
}

const checkChild = (record: ProcessRecord, spec: Untyped): void => {
  if (!(record instanceof TreeProcess) || spec.options.restart !== "transient") return
  if (record instanceof SupervisorProcess && record.spec.options.autoShutdown !== "never") return
  throw new RangeError(
    `${record.treeId} cannot be transient: when it gives up it ends with Shutdown, which is expected, and would ` +
      `vanish silently. Make it permanent, or give it autoShutdown`
  )
}
