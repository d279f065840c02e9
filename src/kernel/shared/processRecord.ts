/**
 * The record of one process: its identity, its phase of life, its mailbox and its relations.
 *
 * For authors of behaviours. Every process is one record, and its {@link Kind} says what differs. `life.ts` has the
 * phases, `delivery.ts` the delivery of messages, `signals.ts` what a signal does, `death.ts` the end.
 *
 * **Not here**
 *
 * No function of these modules runs a user's code in the caller's step. Such code goes to the dispatcher of the fiber
 * that it runs on. So when a function returns, the signal has been delivered, in the order sent and without recursion.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import { pipeArguments } from "effect/Pipeable"
import * as Scope from "effect/Scope"
import { ownKey } from "../../values/copies.ts"
import { isInstance } from "../../values/describe.ts"
import { refuseArgument } from "../../values/wrongArgument.ts"
import { guarded, type Guard } from "../../values/guard.ts"
import { printAs } from "../../values/printAs.ts"
import { type Accounting, type Fate } from "../Accounting.ts"
import type * as ExitReason from "../ExitReason.ts"
import { logThrown, warnCrowded } from "./warnings.ts"
import { type Crash, type CrashDetails } from "./crashReports.ts"
import type { KernelState } from "./kernelState.ts"
import type * as Relations from "../internal/linksAndMonitors.ts"
import type { WaitOf } from "../internal/wait.ts"
import type { WaitingSenders } from "../internal/waitingSenders.ts"
import { type Bound } from "../Mailbox.ts"
import * as Pid from "../Pid.ts"
import { leaderOf, type GroupLeader } from "./groupLeader.ts"
import { isOpen, isDead, starting, type EndedBy, type Life } from "./life.ts"
import { emptyTally, type Tally } from "./tally.ts"
import { Mailbox } from "./mailbox.ts"
import type { ChildView, ProcessView, StateView } from "./processView.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The phase of a process.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase = "starting" | "running" | "exiting" | "dead"

/**
 * Why a message could not be delivered.
 *
 * @category models
 * @since 0.1.0
 */
export type Refusal = { readonly _tag: "Closed"; readonly reason: ExitReason.ExitReason } | { readonly _tag: "Full" }

/**
 * An entry of a mailbox.
 *
 * @category models
 * @since 0.1.0
 */
export interface Envelope {
  readonly from: ProcessRecord | undefined
  /** What a dead letter shows of it. */
  readonly content: unknown
  /** A request to the process itself. No bound refuses or drops it, though under `suspend` it waits in line. */
  readonly isControl?: boolean | undefined
  /** The part of it that is a user's value and is shared with the sender. */
  readonly shared?: unknown
  /** Tells the sender that the message will not be handled. Returns the fate that it counts as. */
  refuse(why: Refusal): Fate
}

/**
 * Is told how a process ends. The functions must not throw and must not run a user's code.
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
 * Something that is dropped when its process dies.
 *
 * @category models
 * @since 0.1.0
 */
export interface Belonging {
  drop(): void
}

/**
 * The environment entry that says in which process an effect runs. Its value is a record.
 *
 * @category services
 * @since 0.1.0
 */
export class Self extends Context.Service<Self, Pid.Pid>()(ownKey("effect-otp/kernel/Self")) {}

/**
 * The process for which this fiber acts, if any.
 *
 * **Details**
 *
 * A fiber that has outlived its process acts as a stranger. If the process was killed, the fiber still acts for it, so
 * that its messages can be discarded.
 *
 * @category accessors
 * @since 0.1.0
 */
export const currentProcessUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): ProcessRecord | undefined =>
  (Context.getOrUndefined(fiber.context, Self) as ProcessRecord | undefined)?.actsAs

/**
 * The record behind a pid. Anything that is not a pid of this copy of the library is refused with a `RangeError`. `to`
 * names the function that was given it. @internal
 */
export const checkedRecord = (to: string, pid: Pid.Pid, what = "a pid"): ProcessRecord => {
  if (isInstance(pid, ProcessRecord)) return pid
  return refuseArgument({ to, what, isForeign: Pid.isPid(pid) }, pid)
}

// ---- the kind -----------------------------------------------------------------------------------------------------

/**
 * The functions by which one kind of process differs from another: plain processes, servers, supervisors. A behaviour
 * has one kind, made once.
 *
 * `Data` is what the kind keeps for each process. The functions run in a step of the kernel, so they must not run code
 * of a user. Delivery calls none of them. @internal
 */
export interface Kind<Data = unknown> {
  /** An exit signal has come. Whether it is trapped has not been checked yet. True if the kind has handled it. */
  onExit?(record: ProcessRecord<Data>, from: ProcessRecord | undefined, reason: ExitReason.ExitReason): boolean
  /** Handles an exit signal that is not trapped and ends the process. */
  onSignal(record: ProcessRecord<Data>, reason: ExitReason.ExitReason, by: EndedBy): void
  /** The parent asks an open process for an orderly end. */
  onShutdown(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): void
  /** Its mailbox has just closed. Nobody has been told yet, and the waiting messages are still there. */
  onClose?(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): void
  /** A kill has closed it, and it dies in this step. */
  onKill?(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): void
  /** It has ended. Drop what must not be kept alive by a pid that somebody keeps. */
  onEnd?(record: ProcessRecord<Data>): void
  /** How many messages it has taken whose turns are not over. */
  inHand?(record: ProcessRecord<Data>): number
  /** How many messages it has counted as handled and put aside. They will have another turn. */
  setAside?(record: ProcessRecord<Data>): number
  /** What a crash report says of the work in hand. */
  crashDetails?(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): CrashDetails
  /** How many milliseconds the caller of the present work still waits. Undefined if there is no such caller. */
  timeLeft?(record: ProcessRecord<Data>): number | undefined
  /** The processes it waits for, if those differ from what its own fiber waits for. */
  blockers?(record: ProcessRecord<Data>): ReadonlyArray<ProcessRecord>
  /** What listings show of it. */
  view(record: ProcessRecord<Data>): ProcessView
  /** The state that it shows to people. It may run code of a user, and is called in a step of its own. */
  state?(record: ProcessRecord<Data>): StateView
  /** The children of a supervisor, in order, also those that have no process. */
  children?(record: ProcessRecord<Data>): Iterable<ChildView>
  /** All processes below it. They end before it. */
  below?(record: ProcessRecord<Data>): ReadonlyArray<ProcessRecord>
  /** What its fiber does when a message has come for which it waited. Without this, it goes on where it waited. */
  readonly whenWoken?: Effect.Effect<void>
  /** Whether it limits its own end, and so needs no limit once it is dead. */
  readonly limitsItself?: boolean
}

// ---- the record ---------------------------------------------------------------------------------------------------

/** What a record is made from. @internal */
export interface RecordOptions<Data> {
  readonly kind: Kind<Data>
  readonly kernel: KernelState<ProcessRecord>
  readonly parent: ProcessRecord | undefined
  readonly context: Context.Context<never>
}

/**
 * One process. `Data` is what its kind keeps for it.
 *
 * @category models
 * @since 0.1.0
 */
export class ProcessRecord<out Data = unknown> implements Pid.Pid<unknown>, Relations.Node<ProcessRecord>, Guard {
  // The fields that each message reads and writes come first, so that they take few lines of the processor's cache.
  readonly kernel: KernelState<ProcessRecord>
  life: Life = starting
  /** Set by its kind, before the first step of the process. */
  data!: Data
  readonly mailbox = new Mailbox<Envelope>()
  bound: Bound | undefined = undefined
  /** Resumes the fiber of the process, which waits for a message. */
  resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  /** Undefined before its first step, and once it has ended. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  accepted = 0
  handled = 0

  readonly id: number
  readonly kind: Kind<Data>
  /** The process that spawned it. Once that has ended, the nearest process above that has not. */
  parent: ProcessRecord | undefined
  /** The leader of its group, if it has one. */
  leader: GroupLeader | undefined
  name: string | undefined = undefined
  label: string | undefined = undefined
  /** Its id or key in its supervisor, unless its label ends with it. */
  child: string | undefined = undefined
  /** Writes its crash report. Supervisors set this, to add what they decided. */
  reporter: ((crash: Crash) => void) | undefined = undefined
  trapExit = false
  /** The environment of its fibers. It holds `Self`. Empty once it has ended. */
  context: Context.Context<never>
  /** Made on first use. */
  scope: Scope.Closeable | undefined = undefined
  /** The fiber of a server's turn, while there is one. It acts for the process. */
  turn: Fiber.Fiber<unknown, unknown> | undefined = undefined

  /** Senders that wait for room, under the strategy `suspend`. */
  waiting: WaitingSenders<Envelope> | undefined = undefined
  fates: Tally | undefined = undefined

  relations: Relations.Relations<ProcessRecord> | undefined = undefined
  /** The wait of its own fiber: its edges in the wait-for graph. */
  waitingFor: Wait | undefined = undefined
  observers: Array<Observer> | undefined = undefined
  belongings: Set<Belonging> | undefined = undefined

  constructor({ context, kernel, kind, parent }: RecordOptions<Data>) {
    this.id = kernel.nextId()
    this.kernel = kernel
    this.kind = kind
    this.context = context
    this.parent = parent
    this.leader = leaderOf(kernel, parent, context)
    kernel.table.add(this)
    if (kernel.births !== undefined) kernel.births.note(this.id, context)
  }

  get [Pid.TypeId](): (message: unknown) => void {
    return accepts
  }

  toString(): string {
    return `<0.${this.id}>`
  }

  pipe() {
    return pipeArguments(this, arguments)
  }

  [Equal.symbol](that: unknown): boolean {
    return this === that
  }

  [Hash.symbol](): number {
    return Hash.number(this.id)
  }

  // ---- where it is in its life ------------------------------------------------------------------------------------

  get phase(): Phase {
    const { _tag } = this.life
    return _tag === "ended" ? "dead" : _tag
  }

  /** Whether it still accepts messages. */
  get isOpen(): boolean {
    return isOpen(this.life)
  }

  get isAlive(): boolean {
    return !isDead(this.life)
  }

  /** Whether its fiber and its scope have ended, too. */
  get ended(): boolean {
    return this.life._tag === "ended"
  }

  /** Why it ends. Defined once it is exiting. */
  get exiting(): ExitReason.ExitReason | undefined {
    const { life } = this
    return isOpen(life) ? undefined : life.exiting
  }

  /** Why it ended. Defined once it is dead. */
  get reason(): ExitReason.ExitReason | undefined {
    const { life } = this
    return isDead(life) ? life.reason : undefined
  }

  /** Whether a kill ended it. If so, messages that it still sends are discarded. */
  get wasKilled(): boolean {
    const { life } = this
    return isDead(life) && life.wasKilled
  }

  /** Whether its end has a crash report of its own. */
  get isReported(): boolean {
    const { life } = this
    return isDead(life) && life.isReported
  }

  /** Whether the end of a linked process ended it. */
  get endedByLink(): boolean {
    const { life } = this
    return !isOpen(life) && life.by === "link"
  }

  /** The process for which its fibers act, even those that outlive it. */
  get actsAs(): ProcessRecord | undefined {
    const { life } = this
    return isDead(life) && !life.wasKilled ? undefined : this
  }

  // ---- its counts -------------------------------------------------------------------------------------------------

  /** The counts of the messages whose fate is known. */
  get tally(): Tally {
    const { accepted, fates, handled } = this
    return { ...(fates ?? emptyTally()), accepted, handled }
  }

  /** How many messages have no fate yet. */
  get pending(): number {
    const { kind, mailbox, waiting } = this
    return mailbox.size + (waiting?.length ?? 0) + (kind.inHand?.(this) ?? 0) + this.setAside
  }

  get accounting(): Accounting {
    const { tally } = this
    return { ...tally, handled: tally.handled - this.setAside, pending: this.pending }
  }

  private get setAside(): number {
    return this.kind.setAside?.(this) ?? 0
  }

  // ---- what it runs in --------------------------------------------------------------------------------------------

  /** Whether a fiber is the process's own, and not one that it has forked. */
  isOwn(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber === this.turn || fiber === this.fiber
  }

  // ---- whom it tells, and what it holds ---------------------------------------------------------------------------

  observe(observer: Observer): void {
    const { life } = this
    if (isDead(life)) guarded(() => observer.dead?.(life.reason), this)
    if (life._tag === "ended") guarded(() => observer.ended?.(), this)
    else (this.observers ??= []).push(observer)
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

  /** Called when its mailbox has become very long. */
  crowded(): void {
    if (this.bound === undefined) warnCrowded(this)
  }

  /** Logs an error that was thrown by something that was told of its end. */
  threw(error: unknown): void {
    logThrown(this, error)
  }
}

/** The process goes into its next phase. @internal */
export const become = (record: ProcessRecord, life: Life): void => {
  record.kernel.development?.steps(record, life)
  record.life = life
}

/** The scope of a process. It is made on first use. @internal */
export const scopeUnsafe = (record: ProcessRecord): Scope.Closeable =>
  record.ended ? Scope.makeUnsafe() : (record.scope ??= Scope.makeUnsafe())

// ---- internals ----------------------------------------------------------------------------------------------------

/** Never called. It carries the type of the messages. */
const accepts = (): void => {}

printAs(ProcessRecord.prototype, (record) => record.toString())
