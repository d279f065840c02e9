/**
 * The record of one process: who it is, where it is in its life, what waits in its mailbox, and whom it is tied to.
 *
 * For authors of behaviours. A process of whatever kind is one record, and its {@link Kind} says what differs. `life.ts` has
 * the phases, `delivery.ts` the way of a message, `signals.ts` what a signal does, `death.ts` the end.
 *
 * **Not here**
 *
 * No function of these modules runs a user's code in the caller's step: what must run is handed to the dispatcher of the
 * fiber it runs on. So a signal is delivered when the function returns, in the order sent, without recursion.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Fiber from "effect/Fiber"
import * as Hash from "effect/Hash"
import * as Scope from "effect/Scope"
import { ownKey } from "../../values/copies.ts"
import { isInstance } from "../../values/describe.ts"
import { refuseGiven } from "../../values/given.ts"
import { guarded, type Guard } from "../../values/guard.ts"
import { printAs } from "../../values/printed.ts"
import { emptyTally, type Accounting, type Fate, type Tally } from "../Accounting.ts"
import type * as ExitReason from "../ExitReason.ts"
import { logThrown, tellCrowded, type Crash, type CrashDetails } from "./reports.ts"
import type { KernelState } from "./kernelState.ts"
import type * as Relations from "../internal/relations.ts"
import type { WaitOf } from "../internal/wait.ts"
import type { WaitingLine } from "../internal/waitingLine.ts"
import { Mailbox, type Bound } from "../Mailbox.ts"
import * as Pid from "../Pid.ts"
import { leaderOf, type GroupLeader } from "./groupLeader.ts"
import { isOpen, isOver, Open, type EndedBy, type Life } from "./life.ts"

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
export class Self extends Context.Service<Self, Pid.Pid>()(ownKey("effect-otp/kernel/Self")) {}

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

/**
 * The record behind a pid. `to` says who was given it: what is no pid of this copy of the library is refused with a
 * `RangeError`. @internal
 */
export const checkedRecord = (to: string, pid: Pid.Pid, what = "a pid"): ProcessRecord => {
  if (isInstance(pid, ProcessRecord)) return pid
  return refuseGiven({ to, what, isForeign: Pid.isPid(pid) }, pid)
}

// ---- the kind -----------------------------------------------------------------------------------------------------

/**
 * What makes a process one of its kind: a plain process, a server, a supervisor. A behaviour has one kind, made once.
 *
 * `Data` is what the kind keeps of each process. The functions run in a step of the kernel: no code of a user. Nothing on the
 * way of a message asks a kind. @internal
 */
export interface Kind<Data = unknown> {
  /** An exit signal has come, and nobody has looked whether it is trapped. True: the kind has dealt with it. */
  onExit?(record: ProcessRecord<Data>, from: ProcessRecord | undefined, reason: ExitReason.ExitReason): boolean
  /** An exit signal that is not trapped ends the process. */
  onSignal(record: ProcessRecord<Data>, reason: ExitReason.ExitReason, by: EndedBy): void
  /** Its parent asks an open process for an orderly end. */
  onShutdown(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): void
  /** Its mailbox is closed. Nobody has been told yet, and what waits in the mailbox is still there. */
  onClose?(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): void
  /** A kill has closed it, and it dies in this step. */
  onKill?(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): void
  /** It has ended: lets go of what a pid that somebody keeps must not hold. */
  onEnd?(record: ProcessRecord<Data>): void
  /** How many messages it has taken whose turn is not over. */
  inHand?(record: ProcessRecord<Data>): number
  /** How many messages it has counted as handled and has put aside. They will have their turn again. */
  setAside?(record: ProcessRecord<Data>): number
  /** What a crash report says of the work it was at. */
  crashDetails?(record: ProcessRecord<Data>, reason: ExitReason.ExitReason): CrashDetails
  /** How long somebody still waits for what it does now, in milliseconds; undefined if nobody does. */
  timeLeft?(record: ProcessRecord<Data>): number | undefined
  /** Whom it waits for, where that is not what its own fiber waits for. */
  blockers?(record: ProcessRecord<Data>): ReadonlyArray<ProcessRecord>
  /** All processes below it, which end before it does. */
  below?(record: ProcessRecord<Data>): ReadonlyArray<ProcessRecord>
  /** Whether it sees to it that its end comes, and so needs no limit once it is dead. */
  readonly limitsItself?: boolean
}

// ---- the record ---------------------------------------------------------------------------------------------------

/** What a record is made of. @internal */
export interface RecordOptions<Data> {
  readonly kind: Kind<Data>
  readonly kernel: KernelState<ProcessRecord>
  readonly parent: ProcessRecord | undefined
  readonly context: Context.Context<never>
}

/**
 * One process. `Data` is what its kind keeps of it.
 *
 * @category models
 * @since 0.1.0
 */
export class ProcessRecord<out Data = unknown> implements Pid.Pid<unknown>, Relations.Node<ProcessRecord>, Guard {
  readonly id: number
  readonly kernel: KernelState<ProcessRecord>
  readonly kind: Kind<Data>
  /** Set by its kind, before the first step of the process. */
  data!: Data
  life: Life
  /** Who spawned it; once that has ended, the nearest above that has not. */
  parent: ProcessRecord | undefined
  /** Whose group it belongs to, if to any. */
  leader: GroupLeader | undefined
  name: string | undefined = undefined
  label: string | undefined = undefined
  /** Its id or key in its supervisor, unless its label says it already. */
  child: string | undefined = undefined
  /** Who writes its crash report; a supervisor does, with what it decided. */
  reporter: ((crash: Crash) => void) | undefined = undefined
  trapExit = false
  /** The fiber that works in its name, while that is not its own: the turn of a server. */
  turn: Fiber.Fiber<unknown, unknown> | undefined = undefined

  readonly mailbox = new Mailbox<Envelope>()
  bound: Bound | undefined = undefined
  /** Senders waiting for room, under the policy `suspend`. */
  waiting: WaitingLine<Envelope> | undefined = undefined
  /** Resumes the owner where it waits for a message. */
  resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined
  accepted = 0
  handled = 0
  fates: Tally | undefined = undefined

  relations: Relations.Relations<ProcessRecord> | undefined = undefined
  /** What it waits for in its own fiber: its edges in the wait-for graph. */
  waitingFor: Wait | undefined = undefined
  observers: Array<Observer> | undefined = undefined
  belongings: Set<Belonging> | undefined = undefined

  constructor({ context, kernel, kind, parent }: RecordOptions<Data>) {
    this.id = kernel.nextId()
    this.kernel = kernel
    this.kind = kind
    this.life = new Open(context)
    this.parent = parent
    this.leader = leaderOf(kernel, parent, context)
    kernel.table.add(this)
  }

  get [Pid.TypeId](): (message: unknown) => void {
    return accepts
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

  // ---- where it is in its life ------------------------------------------------------------------------------------

  get status(): Status {
    const { _tag } = this.life
    return _tag === "ended" ? "dead" : _tag
  }

  /** Whether messages are still taken in. */
  get isOpen(): boolean {
    return isOpen(this.life)
  }

  get isAlive(): boolean {
    return !isOver(this.life)
  }

  /** Whether its fiber and its scope have ended, too. */
  get ended(): boolean {
    return this.life._tag === "ended"
  }

  /** Why it is ending, from the moment it does. */
  get exiting(): ExitReason.ExitReason | undefined {
    const { life } = this
    return isOpen(life) ? undefined : life.exiting
  }

  /** Why it ended, from its death on. */
  get reason(): ExitReason.ExitReason | undefined {
    const { life } = this
    return isOver(life) ? life.reason : undefined
  }

  /** Whether a kill ended it: then what it still sends is discarded. */
  get wasKilled(): boolean {
    const { life } = this
    return isOver(life) && life.wasKilled
  }

  /** Whether its end has a crash report of its own. */
  get isReported(): boolean {
    const { life } = this
    return isOver(life) && life.isReported
  }

  /** Whether the end of a linked process ended it. */
  get endedByLink(): boolean {
    const { life } = this
    return !isOpen(life) && life.by === "link"
  }

  /** In whose name its fibers act, those included that outlive it. */
  get speaker(): ProcessRecord | undefined {
    const { life } = this
    return isOver(life) && !life.wasKilled ? undefined : this
  }

  // ---- its counts -------------------------------------------------------------------------------------------------

  /** What became of the messages that have a fate. */
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

  /** The environment of its fibers; empty once it has ended. */
  get context(): Context.Context<never> {
    const { life } = this
    return life._tag === "ended" ? Context.empty() : life.context
  }

  get fiber(): Fiber.Fiber<unknown, unknown> | undefined {
    const { life } = this
    return life._tag === "ended" ? undefined : life.fiber
  }

  get scope(): Scope.Closeable | undefined {
    const { life } = this
    return life._tag === "ended" ? undefined : life.scope
  }

  /** Whether a fiber is the process's own, not one it has forked. */
  isOwn(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber === this.turn || fiber === this.fiber
  }

  // ---- whom it tells, and what it holds ---------------------------------------------------------------------------

  observe(observer: Observer): void {
    const { life } = this
    if (isOver(life)) guarded(() => observer.dead?.(life.reason), this)
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

  /** Its mailbox has become very long. */
  crowded(): void {
    if (this.bound === undefined) tellCrowded(this)
  }

  /** Something that was told of its end has thrown. */
  threw(error: unknown): void {
    logThrown(this, error)
  }
}

/** The scope of a process, made when somebody first asks for it. @internal */
export const scopeUnsafe = (record: ProcessRecord): Scope.Closeable => {
  const { life } = record
  if (life._tag === "ended") return Scope.makeUnsafe()
  return (life.scope ??= Scope.makeUnsafe())
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** Never called: it carries the type of the messages. */
const accepts = (): void => {}

printAs(ProcessRecord.prototype, (record) => record.toString())
