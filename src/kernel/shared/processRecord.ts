/**
 * The record of one process: who it is, what it holds, whom it is tied to, and how it ends.
 *
 * For authors of behaviours: `GenServer`, supervisors and plain processes are kinds of it. Everybody else uses
 * `Process`.
 *
 * A record goes one way: `starting → running → exiting → dead`, and has *ended* once its fiber and its scope have, too.
 * While it exits its mailbox is closed, its last duties run (`terminate`, finalizers) and it is still alive. A kill skips
 * to `dead` at once and leaves the fiber to end when it can.
 *
 * **Not here**
 *
 * Nothing in this module runs a user's code in the caller's step: what must run is handed to the dispatcher of the fiber
 * it runs on. So a signal is delivered when the function returns, in the order sent, without recursion.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Scope from "effect/Scope"
import { printAs } from "../../values/printed.ts"
import { emptyTally, type Accounting, type Fate, type Tally } from "../Accounting.ts"
import * as ExitReason from "../ExitReason.ts"
import { leaderOf, type GroupLeader } from "./groupLeader.ts"
import {
  type Crash,
  type CrashDetails,
  crashOf,
  deadLetter,
  death as announceDeath,
  logThrown,
  reportCrash
} from "./reports.ts"
import { exitOf, worse } from "./exits.ts"
import { deepFreeze } from "./deepFreeze.ts"
import type { KernelState } from "./kernelState.ts"
import { SignalEnvelope } from "./plainEnvelopes.ts"
import * as Relations from "../internal/relations.ts"
import type { WaitOf } from "../internal/wait.ts"
import { WaitingLine } from "../internal/waitingLine.ts"
import { Mailbox, type Bound } from "../Mailbox.ts"
import * as Pid from "../Pid.ts"
import * as Signal from "../Signal.ts"
import { forEachGuarded, guarded } from "../../values/guard.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Where a process is on its way.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = "starting" | "running" | "exiting" | "dead"

/**
 * Why a message could not be delivered.
 *
 * @category models
 * @since 0.1.0
 */
export type Refusal = { readonly _tag: "Closed"; readonly reason: ExitReason.ExitReason } | { readonly _tag: "Full" }

/**
 * What a mailbox holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Envelope {
  readonly from: ProcessRecord | undefined
  /** What a dead letter shows. */
  readonly content: unknown
  /** A request to the process itself: no bound refuses or drops it, though under `suspend` it waits in line. */
  readonly isControl?: boolean | undefined
  /** What of it is a user's, and shared with whoever sent it. */
  readonly shared?: unknown
  /** Tells whoever waits that the message will not be handled, and says what became of it. */
  refuse(why: Refusal): Fate
}

/**
 * Looks on while a process ends. The functions must not throw and must not run a user's code.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observer {
  readonly exiting?: ((reason: ExitReason.ExitReason) => void) | undefined
  readonly dead?: ((reason: ExitReason.ExitReason) => void) | undefined
  readonly ended?: (() => void) | undefined
}

/**
 * What a process waits for in its own fiber.
 *
 * @category models
 * @since 0.1.0
 */
export type Wait = WaitOf<ProcessRecord>

/**
 * Something that is dropped with the process it belongs to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Belonging {
  drop(): void
}

/**
 * The environment entry that says which process an effect runs in. Its value is a record.
 *
 * @category services
 * @since 0.1.0
 */
export class Self extends Context.Service<Self, Pid.Pid>()("effect-otp/kernel/Self") {}

/**
 * The process in whose name this fiber acts, if there is one.
 *
 * **Details**
 *
 * A fiber that has outlived its process acts as a stranger. Only where the process was killed is it still the process's:
 * what a killed process sends is discarded.
 *
 * @category accessors
 * @since 0.1.0
 */
export const currentUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): ProcessRecord | undefined =>
  (Context.getOrUndefined(fiber.context, Self) as ProcessRecord | undefined)?.speaker

// ---- the record ---------------------------------------------------------------------------------------------------

/**
 * One process.
 *
 * @category models
 * @since 0.1.0
 */
export abstract class ProcessRecord implements Pid.Pid<unknown>, Relations.Node<ProcessRecord> {
  readonly id: number
  readonly kernel: KernelState<ProcessRecord>
  /** Who spawned it; once it has ended, the nearest above that has not. */
  parent: ProcessRecord | undefined
  readonly mailbox = new Mailbox<Envelope>()
  /** Whose group it belongs to, if to any. */
  leader: GroupLeader | undefined
  /** What its fibers run in; `Self` is in it. Emptied when the process has ended. */
  context: Context.Context<never>
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  status: Status = "starting"
  ended = false
  trapExit = false
  name: string | undefined = undefined
  label: string | undefined = undefined
  /** Its id or key in its supervisor, unless its label says it already. */
  child: string | undefined = undefined
  /** Why it is ending, from the moment it does. */
  exiting: ExitReason.ExitReason | undefined = undefined
  /** Why it ended. Written once, at its death. */
  reason: ExitReason.ExitReason | undefined = undefined
  /** Whether a kill ended it: then what it still sends is discarded. */
  wasKilled = false
  /** Whether a signal ended it: then who sent the signal reports the crash. */
  protected signalled = false
  /** Who writes its crash report; a supervisor does, with what it decided. */
  reporter: ((crash: Crash) => void) | undefined = undefined
  /** Whether the end of a linked process ended it. */
  endedByLink = false
  relations: Relations.Relations<ProcessRecord> | undefined = undefined
  /** What it waits for in its own fiber: its edges in the wait-for graph. */
  waitingFor: Wait | undefined = undefined
  /** Resumes the owner where it waits for a message. */
  protected resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  protected bound: Bound | undefined = undefined
  /** Senders waiting for room, under the policy `suspend`. */
  private waiting: WaitingLine<Envelope> | undefined = undefined
  private observers: Array<Observer> | undefined = undefined
  private belongings: Set<Belonging> | undefined = undefined
  protected scope: Scope.Closeable | undefined = undefined
  private lengthAtClose = 0
  accepted = 0
  handled = 0
  private fates: Tally | undefined = undefined

  constructor(kernel: KernelState<ProcessRecord>, parent: ProcessRecord | undefined, context: Context.Context<never>) {
    this.kernel = kernel
    this.parent = parent
    this.context = context
    this.leader = leaderOf(kernel, parent, context)
    this.id = kernel.nextId()
    kernel.table.add(this)
  }

  get [Pid.TypeId](): (message: unknown) => void {
    return accepts
  }

  /** Messages in hand: taken, and not yet done with. */
  protected get inHandCount(): number {
    return 0
  }

  get isAlive(): boolean {
    return this.status !== "dead"
  }

  /** Of a supervisor: whom it waits for, and all processes below it, which end before it does. */
  blockers?(): ReadonlyArray<ProcessRecord>
  below?(): ReadonlyArray<ProcessRecord>

  /** In whose name its fibers act, those included that outlive it. */
  get speaker(): ProcessRecord | undefined {
    return this.status === "dead" && !this.wasKilled ? undefined : this
  }

  /** Whether messages are still taken in. */
  get isOpen(): boolean {
    return this.exiting === undefined
  }

  get isBounded(): boolean {
    return this.bound !== undefined
  }

  get pending(): number {
    return this.mailbox.size + this.inHandCount + (this.waiting?.length ?? 0)
  }

  get accounting(): Accounting {
    return { ...this.tally(), pending: this.pending }
  }

  toString(): string {
    return `<0.${this.id}>`
  }

  [Equal.symbol](that: unknown): boolean {
    return this === that
  }

  [Hash.symbol](): number {
    return Hash.number(this.id)
  }

  // ---- messages ---------------------------------------------------------------------------------------------------

  /**
   * Adds a message, or says what became of it. Returns false if its sender has to wait for room: then `admit` is called
   * once there is some, or the message has another fate. Whoever waits must post in the step in which it begins to wait:
   * `admit` may be called before its next one.
   */
  post(envelope: Envelope, admit?: () => void): boolean {
    this.count()
    if (this.kernel.freezes) deepFreeze(envelope.shared)
    if (envelope.from?.wasKilled === true) return this.lose(envelope, "dropped")
    if (this.exiting !== undefined) return this.refuse(envelope, { _tag: "Closed", reason: this.exiting })
    if (this.bound !== undefined && this.mailbox.size >= this.bound.capacity) return this.overflow(envelope, admit)
    this.mailbox.push(envelope)
    this.wake(envelope)
    return true
  }

  /** Adds a signal of the kernel: no bound holds it off. */
  signal(signal: Signal.Signal): void {
    const envelope = new SignalEnvelope(signal)
    this.count()
    if (this.exiting !== undefined) this.refuse(envelope, { _tag: "Closed", reason: this.exiting })
    else this.admit(envelope)
  }

  /** Takes a message that has not begun back out of the mailbox; false if it has begun or is not here. */
  withdraw(envelope: Envelope): boolean {
    if (!this.mailbox.remove(envelope) && this.waiting?.remove(envelope) !== true) return false
    this.settle("returned")
    this.roomMade()
    return true
  }

  settle(fate: Fate): void {
    if (fate === "handled") this.handled++
    else (this.fates ??= emptyTally())[fate]++
    // The table of a dead process is summed up already.
    if (this.status === "dead") this.kernel.retired[fate]++
  }

  protected wake(_arrived: Envelope): void {
    const resume = this.resume
    if (resume === undefined) return
    this.resume = undefined
    this.fiber!.currentDispatcher.scheduleTask(() => resume(Exit.void), 0)
  }

  /** Lets requests to the process itself in that wait for room behind other messages. */
  protected admitControls(): void {
    for (const { admit, envelope } of this.waiting?.takeControls() ?? []) {
      this.admit(envelope)
      admit()
    }
  }

  /** Lets the next sender in that waits for room. */
  protected roomMade(): void {
    const waiting = this.waiting
    if (waiting === undefined) return
    while (waiting.length > 0 && this.mailbox.size < this.bound!.capacity) {
      const { envelope, admit } = waiting.shift()!
      if (envelope.from?.wasKilled === true) this.lose(envelope, "dropped")
      else this.admit(envelope)
      admit()
    }
    if (waiting.length === 0) this.waiting = undefined
  }

  private count(): void {
    this.accepted++
    if (this.status === "dead") this.kernel.retired.accepted++
  }

  private lose(envelope: Envelope, fate: Fate): true {
    envelope.refuse({ _tag: "Closed", reason: ExitReason.killed })
    this.settle(fate)
    return true
  }

  private refuse(envelope: Envelope, why: Refusal): true {
    const fate = envelope.refuse(why)
    this.settle(fate)
    if (fate === "deadLettered") deadLetter(this, envelope, why)
    return true
  }

  private overflow(envelope: Envelope, admit: (() => void) | undefined): boolean {
    const bound = this.bound!
    if (bound.policy === "suspend" && admit !== undefined && envelope.from !== this) {
      ;(this.waiting ??= new WaitingLine()).add(envelope, admit)
      return false
    }
    if (envelope.isControl === true) return this.admit(envelope)
    if (bound.policy === "dropNewest") return this.drop(envelope)
    if (bound.policy === "dropOldest") {
      const oldest = this.mailbox.take((held) => held.isControl !== true)
      if (oldest === undefined) return this.drop(envelope)
      this.drop(oldest)
      return this.admit(envelope)
    }
    return this.refuse(envelope, { _tag: "Full" })
  }

  private admit(envelope: Envelope): true {
    this.mailbox.push(envelope)
    this.wake(envelope)
    return true
  }

  private drop(envelope: Envelope): true {
    const fate = envelope.refuse({ _tag: "Full" })
    this.settle(fate === "returned" ? "returned" : "dropped")
    return true
  }

  // ---- relations --------------------------------------------------------------------------------------------------

  observe(observer: Observer): void {
    if (this.status === "dead") guarded(() => observer.dead?.(this.reason!), this)
    if (this.ended) guarded(() => observer.ended?.(), this)
    else (this.observers ??= []).push(observer)
  }

  /** Takes a signal back out of the mailbox before it was received. */
  removeSignal(matches: (signal: Signal.Signal) => boolean): boolean {
    const found = this.mailbox.take((envelope) => envelope instanceof SignalEnvelope && matches(envelope.signal))
    if (found === undefined) return false
    this.settle("returned")
    this.roomMade()
    return true
  }

  unobserve(observer: Observer): void {
    const at = this.observers?.indexOf(observer) ?? -1
    if (at >= 0) this.observers!.splice(at, 1)
  }

  own(belonging: Belonging): void {
    ;(this.belongings ??= new Set()).add(belonging)
  }

  disown(belonging: Belonging): void {
    if (this.belongings?.delete(belonging) === true && this.belongings.size === 0) this.belongings = undefined
  }

  /** Whether a fiber is the process's own, not one it has forked. */
  isOwn(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber === this.fiber
  }

  /** The scope of this incarnation, made when first asked for. */
  scopeUnsafe(): Scope.Closeable {
    return (this.scope ??= Scope.makeUnsafe())
  }

  // ---- signals ----------------------------------------------------------------------------------------------------

  /** An exit signal from another process, from itself, or (undefined) from outside. */
  exitSignal(from: ProcessRecord | undefined, reason: ExitReason.ExitReason): void {
    // What a killed process still sends is discarded.
    if (from?.wasKilled !== true) this.receiveExit(from, reason)
  }

  protected receiveExit(from: ProcessRecord | undefined, reason: ExitReason.ExitReason): void {
    if (this.exiting !== undefined) return
    if (this.trapExit) return this.signal(new Signal.Exit(from, reason))
    if (reason._tag === "Normal" && from !== this) return
    this.signalled = true
    this.end(reason)
  }

  private receiveLinked(from: ProcessRecord, reason: ExitReason.ExitReason): void {
    const wasOpen = this.isOpen
    this.receiveExit(from, reason)
    this.endedByLink = wasOpen && this.exiting === reason
  }

  /** An orderly end, asked for by the parent. */
  shutdown(reason: ExitReason.ExitReason): void {
    if (this.exiting !== undefined) return
    this.signalled = true
    this.end(reason)
  }

  /**
   * Ends it at once: neighbours see the reason now, its name is free now. Its fiber is interrupted and may take its time
   * (an uninterruptible region, finalizers); what it still sends is discarded.
   */
  kill(reason: ExitReason.ExitReason = ExitReason.killed): void {
    if (this.status === "dead") return
    this.wasKilled = true
    this.close(reason)
    this.abandonHand(reason)
    this.die(reason)
    this.kernel.zombies.add(this)
    this.interrupt()
  }

  /** Ends for a reason that came as a signal: a plain process is interrupted, a server terminates first. */
  protected abstract end(reason: ExitReason.ExitReason): void

  /** Takes back a record whose process never ran: nobody has seen it. */
  discard(): void {
    this.exiting = this.reason = ExitReason.normal
    this.status = "dead"
    this.ended = true
    this.kernel.table.remove(this)
    this.release()
  }

  /** Gives up the message in hand because of a kill. */
  protected abandonHand(_reason: ExitReason.ExitReason): void {}

  /** Interrupts the fiber from a task of its own, so that no code of it runs in the caller's step. */
  protected interrupt(): void {
    const fiber = this.fiber
    if (fiber === undefined || fiber.pollUnsafe() !== undefined) return
    // A process that ends itself does nothing more.
    if (fiber === Fiber.getCurrent()) return fiber.interruptUnsafe()
    fiber.currentDispatcher.scheduleTask(() => fiber.interruptUnsafe(), 0)
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  /** Closes the mailbox: from now on messages are refused with this reason. False if it was closed before. */
  protected close(reason: ExitReason.ExitReason): boolean {
    if (this.exiting !== undefined) return false
    this.exiting = reason
    this.status = "exiting"
    // What it still waited for, it is taken out of: its last duties are still to come.
    this.waitingFor = undefined
    this.empty(reason)
    this.tellObservers((observer) => observer.exiting?.(reason))
    return true
  }

  private empty(reason: ExitReason.ExitReason): void {
    const why: Refusal = { _tag: "Closed", reason }
    this.lengthAtClose = this.mailbox.size
    forEachGuarded(this.mailbox.clear(), (envelope) => this.refuse(envelope, why), this)
    const waiting = this.waiting
    this.waiting = undefined
    for (let next = waiting?.shift(); next !== undefined; next = waiting?.shift()) {
      const { admit, envelope } = next
      guarded(() => this.refuse(envelope, why), this)
      guarded(admit, this)
    }
  }

  /** The fiber has ended and nothing is left to do but finalizers. */
  protected finish(reason: ExitReason.ExitReason): void {
    this.close(reason)
    const exit = exitOf(reason)
    const scope = this.scope
    if (scope === undefined || scope.state._tag !== "Open") return this.finished(reason)
    const closing = Effect.runForkWith(this.context)(Scope.close(scope, exit), { uninterruptible: true })
    closing.addObserver((closed) => this.finished(closed._tag === "Failure" ? worse(reason, closed.cause) : reason))
  }

  private finished(reason: ExitReason.ExitReason): void {
    if (this.scope?.state._tag === "Empty") this.scope.state = { _tag: "Closed", exit: exitOf(reason) }
    if (this.status !== "dead") this.die(reason)
    else if (reason._tag === "Crash" && reason !== this.reason && Cause.hasDies(reason.cause)) {
      guarded(() => this.report(reason), this)
    }
    this.ended = true
    this.kernel.zombies.delete(this)
    this.tellObservers((observer) => observer.ended?.())
    this.observers = undefined
    this.release()
  }

  /** Lets go of what a pid somebody keeps must not hold. */
  protected release(): void {
    this.context = Context.empty()
    this.fiber = this.scope = this.reporter = this.leader = undefined
    while (this.parent?.ended === true) this.parent = this.parent.parent
  }

  /**
   * Not alive; timers dropped; name free; exits to links; downs to monitors; observers such as supervisors. Then telemetry
   * and the crash report. Each step is guarded: if one throws, the later ones run all the same.
   */
  private die(reason: ExitReason.ExitReason): void {
    if (this.status === "dead") return
    this.kernel.retire(this.tally())
    this.status = "dead"
    this.reason = reason
    this.resume = undefined
    forEachGuarded(this.belongings, (belonging) => belonging.drop(), this)
    this.belongings = undefined
    this.kernel.table.remove(this)
    this.kernel.releaseName(this)
    const details = this.isReported ? this.crashDetails(reason) : undefined
    const deliver = (delivery: Relations.Delivery<ProcessRecord>) => {
      if (delivery._tag === "Exit") delivery.to.receiveLinked(this, reason)
      else delivery.to.signal(new Signal.Down(delivery.monitor, this, reason))
    }
    forEachGuarded(Relations.exited<ProcessRecord>(this), deliver, this)
    this.tellObservers((observer) => observer.dead?.(reason))
    guarded(() => announceDeath(this, reason), this)
    if (details !== undefined) guarded(() => this.report(reason, details), this)
  }

  /** Tells a copy of the list: observers may come and go meanwhile. */
  private tellObservers(tell: (observer: Observer) => void): void {
    if (this.observers !== undefined) forEachGuarded(this.observers.slice(), tell, this)
  }

  /** Something that was told of its end has thrown. @internal */
  threw(error: unknown): void {
    logThrown(this, error)
  }

  /** Whether its end has a crash report of its own. */
  get isReported(): boolean {
    return this.reason?._tag === "Crash" && !(this.signalled && this.reason === this.exiting)
  }

  private report(reason: ExitReason.ExitReason, details = this.crashDetails(reason)): void {
    const crash = crashOf(this, this.lengthAtClose, details)
    if (this.reporter === undefined) reportCrash(this, crash)
    else this.reporter(crash)
  }

  /** What a crash report says of the work it was at. From now on its user decides what is told of this reason. */
  protected crashDetails(reason: ExitReason.ExitReason): CrashDetails {
    return { make: () => ({ message: undefined, state: undefined, reason }), forget: () => {} }
  }

  private tally(): Tally {
    const { accepted, handled } = this
    return { ...(this.fates ?? emptyTally()), accepted, handled }
  }
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** Never called: it carries the type of the messages. */
const accepts = (): void => {}

printAs(ProcessRecord.prototype, (record) => record.toString())
