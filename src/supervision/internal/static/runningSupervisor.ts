/**
 * One run of a supervisor: feeds the decision core one event after another and runs what it decides.
 *
 * Nothing here waits: starts, stops, delays and schedules are fibers of their own, and their results come back as
 * events. So a supervisor answers, and can be stopped, while a child's `init` runs or a delay passes.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { post, countFate } from "../../../kernel/shared/delivery.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { recheckCyclesUnsafe } from "../../../kernel/shared/waitCycles.ts"
import { checkChild, defaultLimitOf } from "../child/checkChild.ts"
import { ChildReports } from "../child/childReports.ts"
import { ChildRun } from "../child/childRun.ts"
import type { RunListener } from "../child/childRunOptions.ts"
import { outcomeOf, type ChildEnd } from "../core/childEnd.ts"
import * as Group from "../group/group.ts"
import type { ChildRequest } from "../group/member.ts"
import {
  SupervisorProcess,
  withBelow,
  type EndedBecause,
  type SupervisorRun,
  type SupervisorProcessOptions
} from "../tree/supervisorProcess.ts"
import { Children, type SupervisorSpec } from "./children.ts"
import { DecisionReports } from "./decisionReports.ts"
import { finalReason } from "./finalReason.ts"
import { PendingRequests, type Answer } from "./pendingRequests.ts"
import { RestartWaits } from "./restartWaits.ts"
import { SupervisorEnvelope } from "./supervisorEnvelope.ts"
import { SupervisorView, type ChildView } from "./supervisorView.ts"
import { SupervisorWaits } from "./supervisorWaits.ts"

type Event = Group.Event<ChildEnd>
type Action = Group.Action<ChildEnd>
type EndReason = Group.EndReason<ChildEnd>
type State = Group.State<ChildEnd>

/** @internal */
export class RunningSupervisor implements SupervisorRun {
  readonly process: SupervisorProcess
  readonly spec: SupervisorSpec
  readonly children: Children
  private readonly reports: ChildReports
  private readonly decisions: DecisionReports
  private readonly restartWaits = new RestartWaits()
  readonly waits: SupervisorWaits
  private readonly requests = new PendingRequests()
  private readonly supervisorView: SupervisorView
  private state: State | undefined = undefined
  private finalReason: ExitReason.ExitReason | undefined = undefined
  booted = false
  /** The handles of its children. They stay valid even if the supervisor has ended since. */
  exports: Context.Context<never> = Context.empty()
  bootFailure: Cause.Cause<unknown> | undefined = undefined
  onBooted: (() => void) | undefined = undefined
  /** Why it ends. Undefined if it was killed. */
  private endedFor: EndedBecause | undefined = undefined

  constructor(spec: SupervisorSpec, options: Omit<SupervisorProcessOptions, "id">) {
    this.process = new SupervisorProcess(this, { ...options, id: spec.id })
    this.spec = spec
    this.children = new Children(spec, options.targets, this.process.supervised)
    this.reports = new ChildReports(this.record, spec.id)
    this.decisions = new DecisionReports(this.children, this.reports)
    this.waits = new SupervisorWaits({ supervisor: this, state: () => this.state })
    this.supervisorView = new SupervisorView({
      children: this.children,
      state: () => this.state,
      told: () => this.record.mailbox.held,
      now: () => this.process.nowMillis
    })
    this.children.restartsWaitFor((child) => this.waits.beforeRestart(child))
  }

  get record(): ProcessRecord {
    return this.process.record
  }

  // ---- the loop ---------------------------------------------------------------------------------------------------

  run(): void {
    const main = Effect.suspend(() => {
      this.process.markRunning()
      this.apply(Group.boot(this.spec.options))
      return this.serve
    })
    const guarded = Effect.onExit(main, () => (this.finalReason === undefined ? this.killChildren : Effect.void))
    this.process.run(Effect.andThen(Effect.yieldNow, guarded), (exit) => this.fiberEnded(exit))
  }

  private readonly serve: Effect.Effect<void> = Effect.suspend(() => {
    const { record } = this
    const { mailbox } = record
    for (let next = mailbox.shift(); next !== undefined; next = mailbox.shift()) {
      countFate(record, next, "handled")
      if (next instanceof SupervisorEnvelope) this.handleEvent(next.event)
    }
    return this.finalReason !== undefined ? Effect.void : Effect.flatMap(this.park, () => this.serve)
  })

  private readonly park = Effect.callback<void>((resume) => {
    const { record } = this
    // A message may have come after the look and before this step. It has woken nobody, because nobody was waiting.
    if (record.mailbox.size > 0) resume(Exit.void)
    else record.resume = resume
  })

  private handleEvent(event: Event): void {
    const state = this.state!
    const delayMillis = this.decisions.eventArrived(state, event)
    const decided = Group.decide(state, event, this.process.nowMillis)
    // Reports are written before another run begins, or they would be taken for reports of that run.
    this.decisions.writeDecided(decided[0], delayMillis)
    this.apply(decided)
  }

  private apply([state, actions]: readonly [State, ReadonlyArray<Action>]): void {
    this.state = state
    for (const action of actions) this.runAction(action)
    const { kernel } = this.record
    if (actions.length > 0 && kernel.waitingUntilUp.size > 0) recheckCyclesUnsafe(kernel)
  }

  private tell(event: Event): void {
    post(this.record, new SupervisorEnvelope(event))
  }

  // ---- actions ----------------------------------------------------------------------------------------------------

  private runAction(action: Action): void {
    switch (action._tag) {
      case "StartChild":
        return this.startChild(action.child, action.incarnation)
      case "StopChild":
        return this.children.at(action.child).run!.stop()
      case "AskSchedule":
        return this.askSchedule(action)
      case "Sleep":
        return this.sleep(action.restart, action.millis)
      case "CancelSleep":
        return this.restartWaits.cancel(action.restart)
      case "Reply":
        return this.requests.answer(action.request, action.result)
      case "Forget":
        return this.children.forget(action.child)
      case "BootSucceeded":
        return this.bootSucceeded()
      case "End":
        return this.endDecided(action.reason)
    }
  }

  private startChild(index: number, incarnation: number): void {
    const child = this.children.at(index)
    const spec = child.spec!
    this.record.kernel.development?.runs(child.displayName, [child.record])
    const run = new ChildRun({
      id: child.id,
      spec,
      parent: this.record,
      targets: child.targets,
      context: this.children.environment(index, this.record.context),
      reporter: (crash) => this.reports.crashed(child, crash),
      check: (record) => checkChild(record, spec),
      defaultLimit: defaultLimitOf,
      listener: this.listenerFor(index, incarnation)
    })
    child.beginRun(incarnation, run)
    run.start()
  }

  private listenerFor(index: number, incarnation: number): RunListener {
    const { reports } = this
    const child = this.children.at(index)
    const at = { child: index, incarnation }
    const begun = this.process.nowMillis
    return {
      up: (by) => {
        if (this.spec.sharesLayers !== false) this.children.addSupervised(index, by)
      },
      started: (built) => {
        child.startedAt = this.process.nowMillis
        this.children.setServices(index, built)
        reports.started(child, child.startedAt - begun)
        this.tell({ _tag: "ChildStarted", ...at })
      },
      startFailed: (exit) => {
        reports.exited(child, exit.reason, 0)
        this.tell({ _tag: "StartFailed", ...at, exit })
      },
      exited: (reason) => {
        child.uptime = this.process.nowMillis - child.startedAt
        reports.exited(child, reason, child.uptime)
        this.tell({ _tag: "ChildExited", ...at, ...outcomeOf(reason), exit: { reason } })
      },
      overran: (record) => this.decisions.overran(this.state, index, record),
      released: () => this.tell({ _tag: "ChildStopped", ...at }),
      overdue: (exit) => {
        // It was left behind, and that was reported.
        if (!this.record.isOpen) return
        reports.overdue(child)
        this.tell({ _tag: "ReleaseTimedOut", ...at, exit })
      },
      leftBehind: () => reports.overdue(child)
    }
  }

  private askSchedule({ child, exit, incarnation, restart }: Extract<Action, { readonly _tag: "AskSchedule" }>): void {
    const { id, steps, uptime } = this.children.at(child)
    const report = (answer: Group.ScheduleAnswer) => this.tell({ _tag: "ScheduleAnswered", restart, answer })
    if (steps === undefined) return report({ _tag: "Delay", millis: 0 })
    const input = { id, reason: exit.reason, incarnation: incarnation - 1, uptime: Duration.millis(uptime) }
    const context = this.children.environment(child, this.record.context)
    this.restartWaits.start({ restart, context, effect: steps.ask(input) }, report)
  }

  private sleep(restart: number, millis: number): void {
    const effect = Effect.sleep(Duration.millis(millis))
    const { context } = this.record
    this.restartWaits.start({ restart, context, effect }, () => this.tell({ _tag: "DelayPassed", restart }))
  }

  private bootSucceeded(): void {
    this.exports = this.children.exports
    this.booted = true
    this.onBooted?.()
    this.onBooted = undefined
  }

  // ---- questions --------------------------------------------------------------------------------------------------

  /** Sends a request to the core. `answer` is called once. */
  request(tag: ChildRequest["_tag"], id: string, answer: Answer): void {
    const request = this.requests.add((result) => answer(this.upToDate(id, result)))
    const refused = () => this.requests.answer(request, { _tag: "SupervisorStopping" })
    post(this.record, new SupervisorEnvelope({ _tag: tag, request, id }, refused))
  }

  /** A child whose process is up counts as running, though its start is not over. */
  private upToDate(id: string, result: Group.Result<ChildEnd>): Group.Result<ChildEnd> {
    if (result._tag !== "ChildRestarting") return result
    const isUp = this.view.some((child) => child.id === id && child.state === "running")
    return isUp ? { _tag: "ChildRunning" } : result
  }

  /** The children as lists show them. Never older than what anybody has seen of a child. */
  get view(): ReadonlyArray<ChildView> {
    return this.supervisorView.children
  }

  get onlyGivesUp(): boolean {
    return this.spec.options.autoShutdown === "never"
  }

  get isUp(): boolean {
    return this.booted || this.supervisorView.isUp
  }

  /** The processes of its children, including those that are being started. */
  readonly below = () => this.children.runs.flatMap(({ record }) => withBelow(record))

  readonly blockers = (): ReadonlyArray<ProcessRecord> => this.waits.current

  // ---- the end ----------------------------------------------------------------------------------------------------

  shutdown(reason: ExitReason.ExitReason): void {
    if (this.record.isOpen) this.tell({ _tag: "StopRequested", reason: { reason } })
  }

  private endDecided(end: EndReason): void {
    // If a tree never came up, its Layer fails; that is not reported as the end of the tree.
    this.endedFor = end._tag === "BootFailed" ? "Requested" : end._tag
    this.decisions.close(end)
    if (end._tag === "BootFailed") this.bootFailure = end.exit.cause
    const idOf = (child: number) => this.spec.options.members[child]!.id
    this.finalReason = finalReason(end, { idOf, gaveUp: (why) => this.process.gaveUp(why) })
    this.process.close(this.finalReason)
  }

  private fiberEnded(exit: Exit.Exit<void>): void {
    this.restartWaits.cancelAll()
    this.decisions.close(undefined)
    this.children.addLeftovers()
    this.process.finish(this.finalReason ?? this.record.exiting ?? ExitReason.fromExit(exit), this.endedFor)
  }

  /**
   * Kills the children in reverse order, because the supervisor was killed. Each is killed when the one before has
   * ended or is past its limit.
   */
  private readonly killChildren: Effect.Effect<void> = Effect.suspend(() => {
    this.restartWaits.cancelAll()
    return Effect.forEach(this.children.runs, (run) => Effect.suspend(() => run.kill()), { discard: true })
  })

  readonly closed = (): void => this.requests.close()

  ended(): void {
    this.state = undefined
    this.children.clear()
  }
}
