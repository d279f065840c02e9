/**
 * The children of a dynamic supervisor. Their events go to the core, and its decisions are carried out here.
 *
 * Nothing here waits: starts, questions to schedules, delays and stops are fibers of their own, so no child delays
 * another.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { kill } from "../../../kernel/shared/death.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { Crash } from "../../../kernel/shared/crashReports.ts"
import { ChildReports } from "../child/childReports.ts"
import { addLeftover } from "../child/leftovers.ts"
import { releaseTimedOut, failedStart, type ChildEnd, type RunEnd } from "../core/childEnd.ts"
import { restartsAfter } from "../core/restartType.ts"
import { decide, isStopping, type Action, type Event } from "../core/singleChild.ts"
import { beginLayer, type LayerHost } from "./beginLayer.ts"
import type { ChildPolicy } from "./childPolicy.ts"
import { DynamicChild, type ChildListener } from "./dynamicChild.ts"
import type { ChildrenOwner } from "./childrenOwner.ts"
import type { GivingUp } from "../tree/supervisorProcess.ts"
import { ChildrenByKey } from "./childrenByKey.ts"
import { killAll, stopAll, type ChildStopper } from "./stopAll.ts"
import { endWithin, parse } from "../../../kernel/shared/shutdown.ts"

/** @internal */
export class LiveChildren implements ChildListener, ChildStopper, LayerHost {
  readonly owner: ChildrenOwner
  private readonly children = new ChildrenByKey()
  readonly reports: ChildReports
  /** How many restarts were allowed. */
  private tickets = 0

  constructor(owner: ChildrenOwner) {
    this.owner = owner
    this.reports = new ChildReports(owner.record, owner.spec.id)
  }

  get byKey(): ReadonlyMap<string, DynamicChild> {
    return this.children.byKey
  }

  /** How many were ever started. */
  get added(): number {
    return this.children.added
  }

  /** How many count against the limit. */
  get occupied(): number {
    return this.children.occupied
  }

  // ---- the core ---------------------------------------------------------------------------------------------------

  /** Feeds the core of one child, and carries out its decisions. */
  private handleEvent(child: DynamicChild, event: Event<RunEnd>): void {
    const [core, actions] = decide(child.core, event, child.policy.restart)
    child.core = core
    for (const action of actions) this.runAction(child, action)
  }

  private runAction(child: DynamicChild, action: Action<RunEnd>): void {
    switch (action._tag) {
      case "Start":
        return this.restart(child)
      case "Stop":
        return this.beginStop(child)
      case "AwaitRelease":
        return this.awaitRelease(child)
      case "Failed":
        // In a later step: a death may be in progress, and starts that fail at once must not recurse.
        return this.owner.later(() => this.failed(child, action.exit))
      case "Ask":
        return this.ask(child, action.ticket, action.exit)
      case "Sleep":
        return this.sleep(child, action)
      case "GiveUp":
        return this.giveUp(child, action.exit, { attempts: action.attempts, policy: "schedule" })
      case "NotStarted":
        return this.notStarted(child, action.exit)
      case "Forget":
        return this.forget(child)
    }
  }

  // ---- starts -----------------------------------------------------------------------------------------------------

  /** Starts a child. The start goes on even if the caller does not. */
  add(key: string, args: ReadonlyArray<unknown>, policy: ChildPolicy): DynamicChild {
    const { record: parent, spec, targets } = this.owner
    const { starter } = spec
    const child = new DynamicChild({ key, args, policy, starter, parent, listener: this, targets })
    this.children.add(child)
    this.start(child)
    return child
  }

  private restart(child: DynamicChild): void {
    this.owner.record.kernel.development?.runs(child.displayName, [child.record])
    child.record = undefined
    child.decision = undefined
    this.start(child)
  }

  private start(child: DynamicChild): void {
    if (child.layers !== undefined) return beginLayer(child, child.layers, this)
    child.runStartStep(this.owner.context(), Effect.exit(this.startEffect(child)), (exit) => {
      if (exit._tag === "Success") child.answerStart(exit)
      else this.startFailed(child, failedStart(child.key, exit.cause))
    })
  }

  startFailed(child: DynamicChild, ending: ChildEnd): void {
    // It was told to stop meanwhile, and that stop does the rest.
    if (isStopping(child.core)) return
    this.reports.exited(child, ending.reason, 0)
    this.handleEvent(child, { _tag: "StartFailed", exit: { ...ending, isStart: true, uptimeMillis: 0 } })
  }

  private startEffect(child: DynamicChild): Effect.Effect<void, unknown> {
    const { starter } = this.owner.spec
    const { spawn } = starter
    if (spawn !== undefined) {
      return Effect.withFiber((fiber) => {
        this.startSucceeded(child, spawn(fiber, child.args!, child.adoption), this.owner.nowMillis())
        return Exit.void
      })
    }
    // It must not be interrupted between the start and the note that it has started.
    return Effect.uninterruptibleMask((restore) => {
      const begun = this.owner.nowMillis()
      const { adoption, target } = child
      const started = starter.start(child.args!, { target, adoption, restore })
      return Effect.map(started, (record) => this.startSucceeded(child, record, begun))
    })
  }

  started(child: DynamicChild, begun: number): void {
    child.startedAt = this.owner.nowMillis()
    this.handleEvent(child, { _tag: "ChildStarted" })
    if (child.policy.restart === "temporary") child.args = undefined
    this.reports.started(child, child.startedAt - begun)
  }

  private startSucceeded(child: DynamicChild, record: ProcessRecord, begun: number): void {
    this.started(child, begun)
    // It may be dying or dead already.
    if (record.phase === "exiting") this.childExiting(child)
    else if (record.phase === "dead") this.childDead(child, record.reason!)
  }

  private notStarted(child: DynamicChild, ending: RunEnd): void {
    this.reports.decided(child, "no restart")
    child.answerStart(Exit.failCause(ending.cause!))
    this.forget(child)
  }

  // ---- endings ----------------------------------------------------------------------------------------------------

  childCrashed(child: DynamicChild, crash: Crash): void {
    this.reports.crashed(child, crash)
  }

  /** It has outlived its limit: that of a stop, or that of an end by itself. */
  childOverran(child: DynamicChild, record: ProcessRecord): void {
    const isRestarted =
      child.core.state._tag === "Up" && restartsAfter(child.policy.restart, ExitReason.isExpected(record.exiting!))
    this.reports.overran(child, record, this.owner.isStopping() ? "stop" : isRestarted ? "restart" : "no restart")
  }

  /** It ends by itself. Its clean-up gets the shutdown limit. */
  childExiting(child: DynamicChild): void {
    if (child.core.state._tag !== "Up") return
    const record = child.record!
    const killIt = Effect.sync(() => {
      if (child.core.state._tag !== "Up" || child.record !== record) return
      if (record.isAlive) this.childOverran(child, record)
      kill(record, record.exiting)
    })
    // Most children end at once, so look again before setting a timer.
    this.owner.later(() => {
      if (record.isAlive) this.run(Effect.andThen(endWithin(record, parse(child.limit).own), killIt))
    })
  }

  childDead(child: DynamicChild, reason: ExitReason.ExitReason): void {
    if (child.core.state._tag !== "Up") return this.diedUnheard(child)
    this.died(child, reason)
    this.owner.later(() => this.awaitRelease(child))
  }

  died(child: DynamicChild, reason: ExitReason.ExitReason): void {
    const isStopping = this.owner.isStopping()
    const uptimeMillis = this.owner.nowMillis() - child.startedAt
    this.reports.exited(child, reason, uptimeMillis)
    const expected = isStopping || ExitReason.isExpected(reason)
    if (isStopping) this.handleEvent(child, { _tag: "StopRequested" })
    else this.handleEvent(child, { _tag: "ChildExited", expected, exit: { reason, isStart: false, uptimeMillis } })
    if (child.core.restart === undefined) {
      // The caller of a task learns how it ended.
      if (!child.isTask) this.reports.ended(child, reason, { isStart: false, isResource: false })
      this.reports.decided(child, isStopping ? "stop" : "no restart")
      this.children.markDeadForGood(child)
    }
  }

  /** It died while its start or its stop was under way. If it will not be started again, it leaves the lists. */
  diedUnheard(child: DynamicChild): void {
    const isTemporary = child.policy.restart === "temporary" && child.cameUp
    if (isStopping(child.core) || isTemporary) this.children.markDeadForGood(child)
  }

  /** Waits for the end of the dead run, within the limit. */
  private awaitRelease(child: DynamicChild): void {
    const { layers, record } = child
    if (layers !== undefined) return layers.stopAgain()
    const report = () => {
      if (child.record === record) this.releaseOver(child)
    }
    if (record === undefined || record.ended) report()
    else this.run(Effect.andThen(endWithin(record, child.releaseLimit), Effect.sync(report)))
  }

  /** Reports that the dead run has ended, or that it has not ended within the limit. */
  releaseOver(child: DynamicChild): void {
    // A stop reports it, too.
    if (child.stopFiber !== undefined) return
    if (!child.hasEnded() && child.core.restart !== undefined) this.reports.overdue(child)
    this.reportStopped(child)
  }

  // ---- restarts ---------------------------------------------------------------------------------------------------

  private failed(child: DynamicChild, ending: RunEnd): void {
    // It was told to stop meanwhile.
    if (isStopping(child.core) || this.owner.isStopping()) return
    const attempts = this.owner.failed()
    if (attempts === undefined) this.handleEvent(child, { _tag: "RestartAllowed", ticket: ++this.tickets })
    else this.giveUp(child, ending, { attempts, policy: "intensity" })
  }

  private giveUp(child: DynamicChild, ending: RunEnd, why: Pick<GivingUp, "attempts" | "policy">): void {
    this.decided(child, ending, "give up")
    this.owner.giveUp({ child: child.key, reason: ending.reason, ...why })
  }

  private ask(child: DynamicChild, ticket: number, ending: RunEnd): void {
    const report = (answer: Extract<Event<RunEnd>, { readonly _tag: "ScheduleAnswered" }>["answer"]) => {
      if (answer._tag === "Delay") this.restarting(child, ending, answer.millis)
      this.handleEvent(child, { _tag: "ScheduleAnswered", ticket, answer })
    }
    const steps = (child.steps ??= this.owner.spec.steps())
    if (steps === undefined) return report({ _tag: "Delay", millis: 0 })
    const { reason, uptimeMillis } = ending
    const input = { id: child.key, reason, incarnation: child.restarts, uptime: Duration.millis(uptimeMillis) }
    child.runStartStep(this.owner.context(), steps.ask(input), report)
  }

  private restarting(child: DynamicChild, ending: RunEnd, delayMillis: number): void {
    this.decided(child, ending, delayMillis === 0 ? "restart" : `restart in ${delayMillis} ms`)
    this.reports.restarting(child, delayMillis)
  }

  private decided(child: DynamicChild, { isStart, reason }: RunEnd, decision: string): void {
    this.reports.ended(child, reason, { isStart, isResource: false })
    this.reports.decided(child, decision)
  }

  private sleep(child: DynamicChild, { millis, ticket }: { readonly millis: number; readonly ticket: number }): void {
    const passed = () => this.handleEvent(child, { _tag: "DelayPassed", ticket })
    child.runStartStep(this.owner.context(), Effect.sleep(Duration.millis(millis)), passed)
  }

  // ---- stops ------------------------------------------------------------------------------------------------------

  /** Stops a child for good, and waits until it is forgotten. The stop goes on even if the waiting fiber is interrupted. */
  stop(child: DynamicChild): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.handleEvent(child, { _tag: "StopRequested" })
      return child.stopFiber === undefined ? Effect.void : Effect.asVoid(Fiber.await(child.stopFiber))
    })
  }

  private beginStop(child: DynamicChild): void {
    const stopped = Effect.map(child.stop(), () => this.reportStopped(child))
    child.stopFiber ??= this.run(Effect.andThen(Effect.yieldNow, stopped))
  }

  reportStopped(child: DynamicChild): void {
    if (child.hasEnded()) this.handleEvent(child, { _tag: "ChildStopped" })
    else this.handleEvent(child, { _tag: "ReleaseTimedOut", exit: releaseTimedOut(child.key) })
  }

  /** Marks all as ending for good. The caller ends them. */
  markAllStopping(children: Iterable<DynamicChild>): void {
    for (const child of children) child.core = decide(child.core, { _tag: "StopRequested" }, child.policy.restart)[0]
  }

  /** Nobody waits for any of them any more. */
  abandon(): void {
    this.markAllStopping(this.byKey.values())
    for (const child of this.byKey.values()) child.answerStart("stopped")
  }

  /** Stops all of them side by side, in good order. */
  readonly stopAll: Effect.Effect<void> = Effect.suspend(() => stopAll(this.byKey.values(), this))

  /** Kills all of them, and waits for each within its limit. */
  readonly killAll: Effect.Effect<void> = Effect.suspend(() => killAll(this.byKey.values(), this))

  private forget(child: DynamicChild): void {
    this.children.remove(child)
    if (!child.hasEnded()) {
      this.reports.overdue(child)
      addLeftover(this.owner.targets, child)
    }
    child.layers?.forget(this.owner.targets)
    if (child.decision === undefined) this.reports.decided(child, "stop")
    child.answerStart("stopped")
    this.owner.forgotten(child)
  }

  private readonly run = <A>(effect: Effect.Effect<A>): Fiber.Fiber<A> =>
    Effect.runForkWith(this.owner.context())(effect)
}
