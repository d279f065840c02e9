/**
 * The process of a supervisor: feeds the decision core one event after another and runs what it decides.
 *
 * Nothing here waits: starts, stops, delays and schedules are fibers of their own whose results come back as events. So a
 * supervisor answers, and can be stopped, while a child's `init` runs or a delay passes.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { Self, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { recheckUnsafe } from "../../../kernel/shared/waiting.ts"
import type { Request } from "../group/member.ts"
import { checkChild, limitOf } from "../child/checkChild.ts"
import { ChildReports } from "./childReports.ts"
import { outcomeOf, type Ending } from "../core/ending.ts"
import { ChildRun } from "../child/childRun.ts"
import type { Reports } from "../child/childRunOptions.ts"
import { RequestDesk, type Answer } from "./requestDesk.ts"
import { RoundWaits } from "./roundWaits.ts"
import { finalReason } from "./finalReason.ts"
import { Slots, type SupervisorSpec } from "./slots.ts"
import * as Strategy from "../group/group.ts"
import { SupervisorEnvelope } from "./supervisorEnvelope.ts"
import { SupervisorView, type ChildView } from "./supervisorView.ts"
import { SupervisorWaits } from "./supervisorWaits.ts"
import { TreeProcess, withBelow, type TreeOptions } from "../tree/treeProcess.ts"

type Event = Strategy.Event<Ending>
type Action = Strategy.Action<Ending>
type EndReason = Strategy.EndReason<Ending>
type State = Strategy.State<Ending>

/** @internal */
export class SupervisorProcess extends TreeProcess {
  readonly spec: SupervisorSpec
  readonly slots: Slots
  private readonly reports: ChildReports
  private readonly waits = new RoundWaits()
  readonly waitsFor = new SupervisorWaits({ supervisor: this, state: () => this.state })
  private readonly desk = new RequestDesk()
  private readonly sights: SupervisorView
  private state: State | undefined = undefined
  private finalReason: ExitReason.ExitReason | undefined = undefined
  booted = false
  /** The handles of its children: good even if it has ended since. */
  exports: Context.Context<never> = Context.empty()
  bootFailure: Cause.Cause<unknown> | undefined = undefined
  onBooted: (() => void) | undefined = undefined
  /** Why it ends; undefined if it was killed. */
  private ending: "Requested" | "AutoShutdown" | "RestartLimit" | undefined = undefined

  constructor(spec: SupervisorSpec, options: Omit<TreeOptions, "id">) {
    super({ ...options, id: spec.id })
    this.spec = spec
    this.slots = new Slots(spec, options.targets, this.supervised)
    this.reports = new ChildReports(this, spec.id, this.slots)
    this.sights = new SupervisorView({
      slots: this.slots,
      state: () => this.state,
      told: () => this.mailbox.held,
      now: () => this.nowMillis
    })
    this.slots.restartsWaitFor((child) => this.waitsFor.beforeRestart(child))
  }

  // ---- the loop ---------------------------------------------------------------------------------------------------

  run(): void {
    this.context = Context.add(this.context, Self, this)
    const main = Effect.suspend(() => {
      this.status = "running"
      this.take(Strategy.boot(this.spec.options))
      return this.serve
    })
    const guarded = Effect.onExit(main, () => (this.finalReason === undefined ? this.killChildren : Effect.void))
    const fiber = Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, guarded))
    this.fiber = fiber
    fiber.addObserver((exit) => this.ranOut(exit))
    // It answers from now on, also while its children are being started.
    this.target.up(this)
  }

  private readonly serve: Effect.Effect<void> = Effect.suspend(() => {
    for (let next = this.mailbox.shift(); next !== undefined; next = this.mailbox.shift()) {
      this.settle("handled")
      if (next instanceof SupervisorEnvelope) this.handle(next.event)
    }
    return this.finalReason !== undefined ? Effect.void : Effect.flatMap(this.park, () => this.serve)
  })

  private readonly park = Effect.callback<void>((resume) => {
    // This fiber may have lost its turn between the look and here: what came meanwhile woke nobody.
    if (this.mailbox.size > 0) resume(Exit.void)
    else this.resume = resume
  })

  private handle(event: Event): void {
    this.reports.hear(this.state!, event)
    this.take(Strategy.decide(this.state!, event, this.nowMillis))
    this.reports.settle(this.state!)
  }

  private take([state, actions]: readonly [State, ReadonlyArray<Action>]): void {
    this.state = state
    for (const action of actions) this.act(action)
    if (actions.length > 0 && this.kernel.patient.size > 0) recheckUnsafe(this.kernel)
  }

  private tell(event: Event): void {
    this.post(new SupervisorEnvelope(event))
  }

  // ---- actions ----------------------------------------------------------------------------------------------------

  private act(action: Action): void {
    switch (action._tag) {
      case "StartChild":
        return this.startChild(action.child, action.incarnation)
      case "StopChild":
        return this.slots.at(action.child).run!.stop()
      case "AskSchedule":
        return this.askSchedule(action)
      case "Sleep":
        return this.sleep(action.restart, action.millis)
      case "CancelSleep":
        return this.waits.cancel(action.restart)
      case "Reply":
        return this.desk.reply(action.request, action.result)
      case "Forget":
        return this.slots.forget(action.child)
      case "BootSucceeded":
        return this.bootSucceeded()
      case "End":
        return this.conclude(action.reason)
    }
  }

  private startChild(child: number, incarnation: number): void {
    const slot = this.slots.at(child)
    const spec = slot.spec!
    slot.incarnation = incarnation
    slot.uptime = 0
    slot.run = new ChildRun({
      id: slot.id,
      spec,
      parent: this,
      targets: slot.targets,
      context: this.slots.environment(child, this.context),
      reporter: this.reports.reporter(child),
      check: (record) => checkChild(record, spec),
      defaultLimit: limitOf,
      reports: this.listenTo(child, incarnation)
    })
    slot.run.start()
  }

  private listenTo(child: number, incarnation: number): Reports {
    const { reports } = this
    const slot = this.slots.at(child)
    const begun = this.nowMillis
    return {
      up: (layer, gives) => this.supervises(child, layer, gives),
      started: (built) => {
        slot.startedAt = this.nowMillis
        this.slots.started(child, built)
        reports.started(slot, slot.startedAt - begun)
        this.tell({ _tag: "ChildStarted", child, incarnation })
      },
      startFailed: (exit) => {
        reports.exited(slot, exit.reason, 0)
        this.tell({ _tag: "StartFailed", child, incarnation, exit })
      },
      exited: (reason) => {
        slot.uptime = this.nowMillis - slot.startedAt
        reports.exited(slot, reason, slot.uptime)
        this.tell({ _tag: "ChildExited", child, incarnation, ...outcomeOf(reason), exit: { reason } })
      },
      overran: (record) => reports.overran(child, record, this.state),
      released: () => this.tell({ _tag: "ChildStopped", child, incarnation }),
      overdue: (exit) => {
        // It was left behind, and that was said.
        if (!this.isOpen) return
        reports.overdue(slot)
        this.tell({ _tag: "ReleaseTimedOut", child, incarnation, exit })
      },
      leftBehind: () => reports.overdue(slot)
    }
  }

  /** The process of a child is up: who provides its Layer below from now on gets its handle. */
  protected supervises(child: number, layer: object, gives: Context.Context<never>): void {
    this.slots.supervises(child, layer, gives)
  }

  private askSchedule(action: Extract<Action, { readonly _tag: "AskSchedule" }>): void {
    const { restart, child, incarnation, exit } = action
    const { id, steps, uptime } = this.slots.at(child)
    const answer = (verdict: Strategy.Verdict) => this.tell({ _tag: "Verdict", restart, verdict })
    if (steps === undefined) return answer({ _tag: "Delay", millis: 0 })
    const input = { id, reason: exit.reason, incarnation: incarnation - 1, uptime: Duration.millis(uptime) }
    this.waits.start(restart, this.slots.environment(child, this.context), steps.ask(input), answer)
  }

  private sleep(restart: number, millis: number): void {
    const sleep = Effect.sleep(Duration.millis(millis))
    this.waits.start(restart, this.context, sleep, () => this.tell({ _tag: "DelayPassed", restart }))
  }

  private bootSucceeded(): void {
    this.exports = this.slots.exports
    this.booted = true
    this.onBooted?.()
    this.onBooted = undefined
  }

  // ---- questions --------------------------------------------------------------------------------------------------

  /** Asks the core for something; `answer` is called once. */
  request(tag: Request["_tag"], id: string, answer: Answer): void {
    const request = this.desk.add((result) => answer(this.upToDate(id, result)))
    const refused = () => this.desk.reply(request, { _tag: "SupervisorStopping" })
    this.post(new SupervisorEnvelope({ _tag: tag, request, id }, refused))
  }

  /** A child whose process is up is running for everybody, though its start is not over. */
  private upToDate(id: string, result: Strategy.Result<Ending>): Strategy.Result<Ending> {
    if (result._tag !== "ChildRestarting") return result
    const isUp = this.view.some((child) => child.id === id && child.state === "running")
    return isUp ? { _tag: "ChildRunning" } : result
  }

  /** Never older than what anybody has seen of a child. */
  get view(): ReadonlyArray<ChildView> {
    return this.sights.children
  }

  override get onlyGivesUp(): boolean {
    return this.spec.options.autoShutdown === "never"
  }

  override get isUp(): boolean {
    return this.booted || this.sights.isUp
  }

  // ---- who waits for whom -----------------------------------------------------------------------------------------

  /** Its children as processes, those included that are being started. */
  below(): ReadonlyArray<ProcessRecord> {
    return this.slots.runs.flatMap(({ record }) => withBelow(record))
  }

  blockers(): ReadonlyArray<ProcessRecord> {
    return this.waitsFor.now
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  private conclude(end: EndReason): void {
    // A tree that never came up is the failure of its Layer, not its end.
    this.ending = end._tag === "BootFailed" ? "Requested" : end._tag
    this.reports.close(end)
    if (end._tag === "BootFailed") this.bootFailure = end.exit.cause
    this.finalReason = finalReason(end, { idOf: (child) => this.idOf(child), gaveUp: (why) => this.gaveUp(why) })
    this.close(this.finalReason)
  }

  private idOf(child: number): string {
    return this.spec.options.members[child]!.id
  }

  private ranOut(exit: Exit.Exit<unknown, unknown>): void {
    this.waits.cancelAll()
    this.reports.close(undefined)
    this.slots.leaveBehind()
    this.over(this.finalReason ?? this.exiting ?? ExitReason.fromExit(exit), this.ending)
  }

  /**
   * Its own end is the children's: they are killed in reverse order, each when the one before has ended or is past its
   * limit.
   */
  private readonly killChildren: Effect.Effect<void> = Effect.suspend(() => {
    this.waits.cancelAll()
    return Effect.forEach(this.slots.runs, (run) => Effect.suspend(() => run.kill()), { discard: true })
  })

  /** From here on nobody waits for its answer. */
  override onClose(reason: ExitReason.ExitReason): void {
    super.onClose(reason)
    this.desk.close()
  }

  override release(): void {
    super.release()
    this.state = undefined
    this.slots.clear()
  }

  override onShutdown(reason: ExitReason.ExitReason): void {
    if (this.exiting === undefined) this.tell({ _tag: "StopRequested", reason: { reason } })
  }
}
