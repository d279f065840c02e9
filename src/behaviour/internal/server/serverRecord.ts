/**
 * What a server holds, and how it ends: the message in hand, the answers it owes, `terminate`, and what a signal does to
 * it.
 *
 * The state is what the last good turn left, whatever ends the server.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { describe, read } from "../../../values/describe.ts"
import type { Accounting } from "../../../kernel/Accounting.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { Handle, HandleTarget } from "../../../kernel/Handle.ts"
import { ProcessRecord, type Envelope } from "../../../kernel/shared/processRecord.ts"
import { CallEnvelope, CastEnvelope, isTypedFailure, StopEnvelope } from "../call/envelopes.ts"
import { explainFrozen } from "./frozen.ts"
import type { HandlerContext } from "./handlerContext.ts"
import * as Limits from "./limits.ts"
import type { ServerSpec } from "./serverSpec.ts"
import { ShownCrash } from "./status.ts"
import * as Travel from "../call/travel.ts"
import { freezing, type Watch } from "./watch.ts"
import { worse } from "../../../kernel/shared/exits.ts"
import type { CrashDetails } from "../../../kernel/shared/reports.ts"

/** @internal */
export abstract class ServerRecord extends ProcessRecord implements Limits.Limited {
  spec: ServerSpec
  readonly target: HandleTarget
  state: unknown = undefined
  /** The message whose turn it is. */
  protected inHand: Envelope | undefined = undefined
  /** The fiber of the turn, while it runs. */
  protected turn: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** An orderly end that waits for the turn to be over. */
  protected stopping: ExitReason.ExitReason | undefined = undefined
  /** Whether an orderly end is in its mailbox. */
  private isDraining = false
  /** Calls whose handler has left the answer for later. */
  private deferred: Set<CallEnvelope> | undefined = undefined
  /** The answer to give when `terminate` is through. */
  protected lastReply: { readonly call: CallEnvelope; readonly value: unknown } | undefined = undefined
  /** What handlers of messages without an answer share. */
  protected plainContext: HandlerContext | undefined = undefined
  private reportedMessage: unknown = undefined
  private shownCrash: ShownCrash | undefined = undefined
  /** Who looks on, or freezes what the turns leave; for most servers nobody. */
  protected watch: Watch | undefined = undefined
  /** What the turn is about that has no message. */
  protected ownTurn: "continue" | "idle" = "continue"
  idleMillis: Limits.Limited["idleMillis"] = undefined
  idle: Limits.Limited["idle"] = undefined
  turnLimit: Limits.Limited["turnLimit"] = undefined
  /** Whether it leaves its messages alone, but for stops and system requests. */
  suspended = false

  constructor(options: {
    readonly spec: ServerSpec
    readonly target: HandleTarget
    readonly kernel: ProcessRecord["kernel"]
    readonly parent: ProcessRecord | undefined
    readonly context: Context.Context<never>
  }) {
    super(options.kernel, options.parent, options.context)
    this.spec = options.spec
    this.target = options.target
    this.label = options.spec.id
    this.bound = options.spec.mailbox
    if (options.kernel.freezes) this.watch = freezing
  }

  /** The handle of this server. It holds nothing but its target, so each is as good as another. */
  get client(): Handle<unknown> {
    return this.spec.makeClient(this.target)
  }

  // ---- answers ----------------------------------------------------------------------------------------------------

  /** The turn of the message in hand is over. */
  protected done(fate: "handled" | "failed"): void {
    const message = this.inHand
    if (message === undefined) return
    this.inHand = undefined
    this.settle(fate === "handled" && message instanceof CallEnvelope && message.abandoned ? "abandoned" : fate)
  }

  protected answer(call: CallEnvelope, exit: Exit.Exit<unknown, unknown>): void {
    this.done("handled")
    if (!call.finish(exit)) call.countLate()
  }

  protected defer(call: CallEnvelope): void {
    this.done("handled")
    // Only a machine's own turns answer what it has put aside.
    if (this.spec.lens === undefined) call.handOver()
    if (!call.isDone) (call.keptIn = this.deferred ??= new Set()).add(call)
  }

  /** Gives the answer to a call that was left for later. */
  replyLater(call: CallEnvelope, exit: Exit.Exit<unknown, unknown>): void {
    this.deferred?.delete(call)
    this.watch?.answered(call.tag, exit)
    // What a killed server's fibers still answer is discarded.
    if (this.status === "dead" || !call.finish(exit)) call.countLate()
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  /** The loop is over: `terminate` runs, then the fiber ends. @internal */
  terminate(): Effect.Effect<void> {
    const { terminate } = this.spec
    const reason = this.exiting!
    // Killed meanwhile: no duties are left.
    if (terminate === undefined || this.status === "dead") return Effect.sync(() => this.replyLast(true))
    return Effect.flatMap(Effect.exit(this.inScope(Effect.suspend(() => terminate(reason, this.state)))), (exit) => {
      if (exit._tag === "Failure" && this.status !== "dead") this.terminateFailed(exit.cause)
      this.replyLast(exit._tag === "Success")
      return Effect.void
    })
  }

  private inScope<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.provideService(effect, Scope.Scope, this.scopeUnsafe())
  }

  private terminateFailed(cause: Cause.Cause<unknown>): void {
    this.signalled = false
    this.exiting = worse(this.exiting!, isTypedFailure(cause) ? Cause.die(Cause.squash(cause)) : cause)
  }

  private replyLast(ended: boolean): void {
    const last = this.lastReply
    this.lastReply = undefined
    if (last === undefined) return
    if (ended && this.status !== "dead") this.replyLater(last.call, Exit.succeed(last.value))
    else last.call.failWith({ _tag: "ServerDown", reason: this.exiting! })
  }

  /** A handler died: the state stays what it was before, callers learn it at once. @internal */
  crashed(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    if (this.exiting !== undefined) {
      // A signal was faster, but the message in hand is still without a fate.
      this.done("failed")
      return Effect.void
    }
    this.closeCrashed(cause)
    return Effect.void
  }

  private closeCrashed(cause: Cause.Cause<unknown>): void {
    // Nobody's signal did this, even if an orderly end was asked for: it is to be reported.
    this.signalled = false
    this.close(ExitReason.crash(this.kernel.freezes ? explainFrozen(cause) : cause), "failed")
  }

  crashIn(cause: Cause.Cause<unknown>): void {
    this.closeCrashed(cause)
    this.interruptTurn()
  }

  protected ranOut(exit: Exit.Exit<unknown, unknown>): void {
    this.turn = undefined
    Limits.stopIdling(this)
    const reason = this.exiting ?? ExitReason.fromExit(exit)
    this.finish(exit._tag === "Failure" && this.exiting !== undefined ? worse(reason, exit.cause) : reason)
  }

  protected override close(reason: ExitReason.ExitReason, inHand?: "failed"): boolean {
    if (this.exiting !== undefined) return false
    const message = this.inHand
    const held = this.heldCount
    const isAtWork = message !== undefined || this.turn !== undefined || inHand !== undefined
    if (isAtWork) this.reportedMessage = this.subject(message?.content)
    // Before anybody is told of the reason.
    if (reason._tag === "Crash" && !this.signalled && this.spec.formatStatus !== undefined) this.crashDetails(reason)
    super.close(reason)
    this.target.down(this)
    if (inHand !== undefined) this.done(inHand)
    this.handled -= held
    for (let i = 0; i < held; i++) this.settle("failed")
    if (message instanceof CallEnvelope) message.failWith({ _tag: "ServerDown", reason })
    const deferred = this.deferred
    this.deferred = undefined
    for (const call of deferred ?? []) {
      if (call !== this.lastReply?.call) call.failWith({ _tag: "ServerDown", reason })
    }
    return true
  }

  /** What its turn is about, as its user knows it. */
  private subject(content: unknown): unknown {
    const { lens } = this.spec
    return lens === undefined || this.state === undefined ? content : lens.subject(this.state, content)
  }

  /** The tag of the message whose turn it is, or what the turn is about that has none. */
  protected requestOf(message: Envelope | undefined): string {
    if (message instanceof CallEnvelope || message instanceof CastEnvelope) return message.tag
    if (this.spec.lens === undefined) return message === undefined ? this.ownTurn : "info"
    const subject = this.subject(message?.content)
    const tag = read(subject, "_tag")
    if (tag !== undefined) return describe(tag)
    return message === undefined && subject === undefined ? "start" : "info"
  }

  /** Messages that the state has put aside. `done` has counted them as handled, though they are to come again. */
  private get heldCount(): number {
    const { lens } = this.spec
    return lens === undefined || this.state === undefined || this.exiting !== undefined ? 0 : lens.held(this.state)
  }

  protected override get inHandCount(): number {
    return (this.inHand === undefined ? 0 : 1) + this.heldCount
  }

  override get accounting(): Accounting {
    const all = super.accounting
    return { ...all, handled: all.handled - this.heldCount }
  }

  protected override abandonHand(reason: ExitReason.ExitReason): void {
    this.done("failed")
    this.lastReply?.call.failWith({ _tag: "ServerDown", reason })
    this.lastReply = undefined
  }

  /** A signal that is not trapped: the turn in hand is given up, then `terminate` runs. */
  protected end(reason: ExitReason.ExitReason): void {
    const starting = this.status === "starting"
    if (!this.close(reason)) return
    if (starting) super.interrupt()
    else this.interruptTurn()
  }

  override shutdown(reason: ExitReason.ExitReason): void {
    if (this.exiting !== undefined || this.stopping !== undefined) return
    this.signalled = true
    if (this.status === "starting") return this.end(reason)
    // What came before waits for ever where the server is suspended.
    if (this.spec.drain && !this.suspended) {
      this.isDraining = true
      this.post(new StopEnvelope(reason, undefined), inLine)
      return
    }
    this.stopping = reason
    this.wakeUp()
  }

  /** The parent's exit ends a server that traps exits, too, whatever its reason. */
  protected override receiveExit(from: ProcessRecord | undefined, reason: ExitReason.ExitReason): void {
    if (this.trapExit && from !== undefined && from === this.parent) return this.shutdown(reason)
    super.receiveExit(from, reason)
  }

  protected get isAskedToStop(): boolean {
    return this.stopping !== undefined || this.isDraining
  }

  /** Wakes the loop where there is something to do that is no message. */
  wakeUp(): void {
    if (this.resume !== undefined) super.wake(idleWake)
  }

  /** While there is a turn the loop lives on: it sees the turn and its scope to their end, and ends then itself. */
  protected override interrupt(): void {
    if (this.turn === undefined) super.interrupt()
    else this.interruptTurn()
  }

  private interruptTurn(): void {
    const { turn } = this
    if (turn === undefined) this.wakeUp()
    // A process that ends itself does nothing more.
    else if (turn === Fiber.getCurrent()) turn.interruptUnsafe()
    else turn.currentDispatcher.scheduleTask(() => turn.interruptUnsafe(), 0)
  }

  /** A plain handler has no environment of its own: with what it sends goes what came with the message in hand. */
  get travel(): Travel.Travel | undefined {
    const fiber = Fiber.getCurrent()
    if (fiber !== undefined && fiber !== this.fiber) return Travel.capture(fiber)
    const message = this.inHand
    return message instanceof CastEnvelope || message instanceof CallEnvelope ? message.travel : undefined
  }

  override isOwn(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber === this.turn || fiber === this.fiber
  }

  /** How long the call in hand may still take, in milliseconds; undefined if nobody waits for an answer. */
  get timeLeft(): number | undefined {
    const call = this.inHand
    if (!(call instanceof CallEnvelope)) return undefined
    if (call.abandoned) return 0
    return call.isDone ? undefined : (call.left ?? Infinity)
  }

  protected override crashDetails(reason: ExitReason.ExitReason): CrashDetails {
    if (this.shownCrash?.reason === reason) return this.shownCrash
    // A finalizer has died, too.
    this.shownCrash?.forget()
    return (this.shownCrash = new ShownCrash(this.spec, { state: this.state, message: this.reportedMessage, reason }))
  }

  protected override release(): void {
    super.release()
    this.state = this.inHand = undefined
    this.plainContext = undefined
    this.deferred = undefined
    this.reportedMessage = undefined
    // It was killed before it had crashed to its end.
    if (this.reason?._tag !== "Crash") this.shownCrash?.forget()
    this.shownCrash = undefined
    this.watch = undefined
  }
}

/** A request to stop that waits for room is not waited for by anybody. */
const inLine = () => {}

/** A reason to wake the loop that is no message. */
const idleWake: Envelope = { from: undefined, content: undefined, refuse: () => "dropped" }
