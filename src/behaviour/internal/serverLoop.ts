/**
 * The process of a server: takes messages in order, runs their handlers one at a time, and ends in good order.
 *
 * The loop runs on the fiber of the process and takes as many messages as it can in one step. A handler that answers with
 * a plain value costs no fiber; one that answers with an effect runs it as a turn, on a fiber of its own: children it forks
 * end with the message, and an exit signal interrupts the turn while the loop lives on to run `terminate`.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as ExitReason from "../../kernel/ExitReason.ts"
import type { Bound } from "../../kernel/Mailbox.ts"
import type { Handle, HandleTarget } from "../../kernel/Handle.ts"
import { ProcessRecord, Self, worse, type Envelope } from "../../kernel/ProcessRecord.ts"
import * as Timer from "../../kernel/Timer.ts"
import { CallEnvelope, CastEnvelope, isTypedFailure, StopEnvelope } from "./envelopes.ts"
import { HandlerContext } from "./handlerContext.ts"
import { Initial, type Next, type Options } from "./next.ts"
import * as Travel from "./travel.ts"

type Handler = (message: unknown, state: unknown, context: HandlerContext) => unknown

/** What `define` says about a server, without its types. @internal */
export interface ServerSpec {
  readonly id: string
  readonly handlers: Readonly<Record<string, Handler>>
  readonly info: Handler | undefined
  readonly continue: Handler | undefined
  readonly idle: ((state: unknown, context: HandlerContext) => unknown) | undefined
  readonly terminate: ((reason: ExitReason.ExitReason, state: unknown) => Effect.Effect<unknown, unknown>) | undefined
  readonly formatStatus: ((status: Status) => Status) | undefined
  readonly makeClient: (target: HandleTarget) => Handle<unknown>
  readonly mailbox: Bound | undefined
  readonly drain: boolean
}

/** What a crash report shows. @internal */
export interface Status {
  readonly state: unknown
  readonly message: unknown
}

/** How many messages one step takes before others get their turn. */
const BUDGET = 512

/** @internal */
export class ServerProcess extends ProcessRecord {
  readonly spec: ServerSpec
  readonly target: HandleTarget
  state: unknown = undefined
  /** The message whose turn it is. */
  private inHand: Envelope | undefined = undefined
  /** The fiber of the turn, while it runs. */
  private turn: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** What to do before the next message. */
  private continuation: { readonly token: unknown } | undefined = undefined
  /** An orderly end that waits for the turn to be over. */
  private stopping: ExitReason.ExitReason | undefined = undefined
  /** Calls whose handler has left the answer for later. */
  private deferred: Set<CallEnvelope> | undefined = undefined
  /** The answer to give when `terminate` is through. */
  private lastReply: { readonly call: CallEnvelope; readonly value: unknown } | undefined = undefined
  private idle: IdleDeadline | undefined = undefined
  private plainContext: HandlerContext | undefined = undefined
  /** Why `init` failed, if it did. */
  initFailure: Cause.Cause<unknown> | undefined = undefined
  started = false
  /** Tells who waits for `init`. Must not run a user's code. */
  onStarted: (() => void) | undefined = undefined
  private reportedMessage: unknown = undefined

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
  }

  /** The handle of this server. It holds nothing but its target, so each is as good as another. */
  get client(): Handle<unknown> {
    return this.spec.makeClient(this.target)
  }

  // ---- start ------------------------------------------------------------------------------------------------------

  /** Runs `init` in the caller's step, and the loop after it. */
  run(init: Effect.Effect<unknown, unknown>): void {
    this.context = Context.add(Context.add(this.context, Self, this), Scope.Scope, this.scopeUnsafe())
    const main = Effect.withFiber((fiber) => {
      this.fiber = fiber
      return Effect.matchCauseEffect(init, {
        onFailure: (cause) => this.initFailed(cause),
        onSuccess: (state) => this.initialized(state)
      })
    })
    Effect.runForkWith(this.context)(main).addObserver((exit) => this.ranOut(exit))
  }

  private initialized(result: unknown): Effect.Effect<void> {
    if (this.exiting !== undefined) return Effect.void
    if (result instanceof Initial) {
      this.state = result.state
      this.afterwards(result.options)
    } else this.state = result
    this.status = "running"
    this.started = true
    this.target.up(this)
    this.onStarted?.()
    this.onStarted = undefined
    return serve
  }

  private initFailed(cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> {
    this.initFailure = cause
    // A typed failure is the starter's to deal with: it is no crash.
    if (isTypedFailure(cause)) this.signalled = true
    return Effect.failCause(cause)
  }

  // ---- the loop ---------------------------------------------------------------------------------------------------

  /** Takes messages until there are none, one has to be waited for, or the server is to end. @internal */
  drain(): Effect.Effect<void> {
    for (let budget = BUDGET; budget > 0; budget--) {
      if (this.exiting !== undefined) return Effect.void
      if (this.continuation !== undefined) {
        const waiting = this.runContinuation(this.continuation.token)
        if (waiting !== undefined) return Effect.flatMap(waiting, again)
        continue
      }
      if (this.stopping !== undefined) {
        this.close(this.stopping)
        return Effect.void
      }
      const next = this.mailbox.shift()
      const waiting = next === undefined ? this.rest() : this.take(next)
      if (waiting !== undefined) return Effect.flatMap(waiting, again)
    }
    return Effect.flatMap(Effect.yieldNow, again)
  }

  /** Nothing to do: waits for a message, unless the server has idled long enough. */
  private rest(): Effect.Effect<void> | undefined {
    if (this.idle !== undefined && this.idle.isDue) return this.runIdle()
    return Effect.callback<void>((resume) => {
      // This fiber may have lost its turn between the look and here: what came meanwhile woke nobody.
      if (this.mailbox.size > 0 || this.hasToAct) resume(Exit.void)
      else this.resume = resume
    })
  }

  private get hasToAct(): boolean {
    return this.stopping !== undefined || this.exiting !== undefined || this.idle?.isDue === true
  }

  private take(message: Envelope): Effect.Effect<void> | undefined {
    this.inHand = message
    if (this.idle !== undefined) this.stopIdling()
    if (this.bound !== undefined) this.roomMade()
    if (message instanceof CastEnvelope) {
      return this.handle(message, this.spec.handlers[message.tag]!, message.payload, this.quietContext, message.travel)
    }
    if (message instanceof CallEnvelope) {
      message.begun = true
      const context = new HandlerContext(this, message)
      return this.handle(message, this.spec.handlers[message.tag]!, message.payload, context, message.travel)
    }
    if (message instanceof StopEnvelope) return this.stopRequested(message)
    return this.inform(message)
  }

  private get quietContext(): HandlerContext {
    return (this.plainContext ??= new HandlerContext(this, undefined))
  }

  private inform(message: Envelope): Effect.Effect<void> | undefined {
    const content = message.content
    const handler = this.spec.info
    if (handler !== undefined) return this.handle(message, handler, content, this.quietContext, undefined)
    this.done("handled")
    return Effect.annotateLogs(Effect.logWarning(`${this.spec.id} has no handler for info messages`), { message: content })
  }

  private stopRequested(message: StopEnvelope): undefined {
    this.done("handled")
    this.close(message.reason)
  }

  private runContinuation(token: unknown): Effect.Effect<void> | undefined {
    this.continuation = undefined
    const handler = this.spec.continue
    if (handler === undefined) return Effect.die(new Error(`${this.spec.id} has no handler for continue`))
    return this.handle(undefined, handler, token, this.quietContext, undefined)
  }

  private runIdle(): Effect.Effect<void> | undefined {
    this.stopIdling()
    const handler = this.spec.idle
    if (handler === undefined) {
      this.close(ExitReason.normal)
      return Effect.void
    }
    const onIdle: Handler = (_, state, context) => handler(state, context)
    return this.handle(undefined, onIdle, undefined, this.quietContext, undefined)
  }

  /** Runs one handler. Undefined when its turn is over already; an effect to wait for otherwise. */
  private handle(
    message: Envelope | undefined,
    handler: Handler,
    payload: unknown,
    context: HandlerContext,
    travel: Travel.Travel | undefined
  ): Effect.Effect<void> | undefined {
    const result = handler(payload, this.state, context)
    if (!Effect.isEffect(result)) return this.apply(message, result as Next)
    return this.runTurn(message, result as Effect.Effect<Next, unknown>, travel)
  }

  private runTurn(
    message: Envelope | undefined,
    effect: Effect.Effect<Next, unknown>,
    travel: Travel.Travel | undefined
  ): Effect.Effect<void> | undefined {
    if (Exit.isExit(effect)) return this.turnEnded(message, effect as Exit.Exit<Next, unknown>)
    const scope = Scope.makeUnsafe()
    let context: Context.Context<never> = Context.add(this.context, Scope.Scope, scope)
    if (travel !== undefined) context = Travel.apply(context, travel)
    const fiber = Effect.runForkWith(context)(
      Effect.withFiber<Next, unknown>((fiber) => {
        this.turn = fiber
        return effect
      })
    )
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.leaveScope(message, scope, exit)
    return Effect.flatMap(awaitFiber(fiber), (exit) => this.leaveScope(message, scope, exit) ?? Effect.void)
  }

  private leaveScope(
    message: Envelope | undefined,
    scope: Scope.Closeable,
    exit: Exit.Exit<Next, unknown>
  ): Effect.Effect<void> | undefined {
    if (scope.state._tag !== "Open") {
      scope.state = closedScope
      return this.turnEnded(message, exit)
    }
    return Effect.flatMap(Effect.exit(Scope.close(scope, exit)), (closed) =>
      this.turnEnded(message, closed._tag === "Failure" ? Exit.failCause(closed.cause) : exit) ?? Effect.void
    )
  }

  private turnEnded(message: Envelope | undefined, exit: Exit.Exit<Next, unknown>): Effect.Effect<void> | undefined {
    this.turn = undefined
    // Killed, or ended by a signal: whatever the turn came to has no effect any more.
    if (this.exiting !== undefined) return this.interrupted(message, exit._tag === "Success")
    if (exit._tag === "Success") return this.apply(message, exit.value)
    if (message instanceof CallEnvelope && isTypedFailure(exit.cause)) {
      this.answer(message, Exit.failCause(exit.cause))
      return undefined
    }
    return Effect.failCause(exit.cause) as Effect.Effect<never>
  }

  private interrupted(message: Envelope | undefined, answered: boolean): undefined {
    if (message !== undefined && this.inHand === message) this.done("failed")
    if (answered && message instanceof CallEnvelope) message.countLate()
  }

  /** Does what a handler has answered. */
  private apply(message: Envelope | undefined, next: Next): undefined {
    if (this.exiting !== undefined) return this.interrupted(message, true)
    const call = message instanceof CallEnvelope ? message : undefined
    const tag = next?._tag
    if (tag === "Reply" || tag === "NoReply") {
      if (next.options !== undefined) this.afterwards(next.options)
      this.state = next.state
      if (tag === "Reply") this.answer(call!, Exit.succeed(next.value))
      else if (call === undefined) this.done("handled")
      else this.defer(call)
      return
    }
    if (tag !== "Stop" && tag !== "StopReply") throw new RangeError(`${this.spec.id}: ${noAnswer} ${String(next)}`)
    this.state = next.state
    if (tag === "StopReply") this.lastReply = { call: call!, value: next.value }
    this.done("handled")
    if (tag === "Stop" && call !== undefined) call.failWith({ _tag: "ServerDown", reason: next.reason })
    this.close(next.reason)
  }

  /** The turn of the message in hand is over. */
  private done(fate: "handled" | "failed"): void {
    const message = this.inHand
    if (message === undefined) return
    this.inHand = undefined
    this.settle(fate === "handled" && message instanceof CallEnvelope && message.abandoned ? "abandoned" : fate)
  }

  private answer(call: CallEnvelope, exit: Exit.Exit<unknown, unknown>): void {
    this.done("handled")
    if (!call.finish(exit)) call.countLate()
  }

  private defer(call: CallEnvelope): void {
    this.done("handled")
    if (!call.isDone) (this.deferred ??= new Set()).add(call)
  }

  /** Gives the answer to a call that was left for later. */
  replyLater(call: CallEnvelope, exit: Exit.Exit<unknown, unknown>): void {
    this.deferred?.delete(call)
    // What a killed server's fibers still answer is discarded.
    if (this.status === "dead" || !call.finish(exit)) call.countLate()
  }

  private afterwards(options: Options): void {
    if ("continue" in options) this.continuation = { token: options.continue }
    if (options.idle !== undefined) this.startIdling(Duration.fromInputUnsafe(options.idle))
  }

  private startIdling(after: Duration.Duration): void {
    this.stopIdling()
    const idle = new IdleDeadline(() => this.idleOver())
    this.idle = idle
    Timer.armUnsafe(idle, this.fiber!, Duration.toMillis(after))
  }

  private stopIdling(): void {
    this.idle?.disarm()
    this.idle = undefined
  }

  private idleOver(): void {
    if (this.resume !== undefined) super.wake(idleWake)
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  /** The loop is over: `terminate` runs, then the fiber ends. @internal */
  terminate(): Effect.Effect<void> {
    const { terminate } = this.spec
    const reason = this.exiting!
    // Killed meanwhile: no duties are left.
    if (terminate === undefined || this.status === "dead") return Effect.sync(() => this.replyLast(true))
    return Effect.flatMap(Effect.exit(Effect.suspend(() => terminate(reason, this.state))), (exit) => {
      if (exit._tag === "Failure" && this.status !== "dead") this.terminateFailed(exit.cause)
      this.replyLast(exit._tag === "Success")
      return Effect.void
    })
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
    if (this.exiting !== undefined) return Effect.void
    // Nobody's signal did this, even if an orderly end was asked for: it is to be reported.
    this.signalled = false
    this.close(ExitReason.crash(cause), "failed")
    return Effect.void
  }

  private ranOut(exit: Exit.Exit<unknown, unknown>): void {
    this.turn = undefined
    this.stopIdling()
    const reason = this.exiting ?? ExitReason.fromExit(exit)
    this.finish(exit._tag === "Failure" && this.exiting !== undefined ? worse(reason, exit.cause) : reason)
  }

  protected override close(reason: ExitReason.ExitReason, inHand: "failed" | undefined = undefined): boolean {
    if (this.exiting !== undefined) return false
    const message = this.inHand
    this.reportedMessage = message?.content
    super.close(reason)
    this.target.down(this)
    if (inHand !== undefined) this.done(inHand)
    if (message instanceof CallEnvelope) message.failWith({ _tag: "ServerDown", reason })
    const deferred = this.deferred
    this.deferred = undefined
    for (const call of deferred ?? []) {
      if (call !== this.lastReply?.call) call.failWith({ _tag: "ServerDown", reason })
    }
    return true
  }

  protected override get inHandCount(): number {
    return this.inHand === undefined ? 0 : 1
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
    if (this.spec.drain) {
      this.post(new StopEnvelope(reason, undefined), inLine)
      return
    }
    this.stopping = reason
    super.wake(idleWake)
  }

  /** The parent's exit ends a server that traps exits, too, whatever its reason. */
  protected override receiveExit(from: ProcessRecord | undefined, reason: ExitReason.ExitReason): void {
    if (this.trapExit && from !== undefined && from === this.parent) return this.shutdown(reason)
    super.receiveExit(from, reason)
  }

  /** While there is a turn the loop lives on: it sees the turn and its scope to their end, and ends then itself. */
  protected override interrupt(): void {
    if (this.turn === undefined) super.interrupt()
    else this.interruptTurn()
  }

  private interruptTurn(): void {
    const { turn } = this
    if (turn === undefined) super.wake(idleWake)
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

  protected override get crashDetails(): Status {
    const status: Status = { state: this.state, message: this.reportedMessage }
    const { formatStatus } = this.spec
    if (formatStatus === undefined) return status
    // A user's function, in a step of the kernel: whatever it throws must not get out.
    const formatted = Effect.runSyncExit(Effect.sync(() => formatStatus(status)))
    return formatted._tag === "Success" ? formatted.value : { state: formatFailed, message: formatFailed }
  }

  protected override release(): void {
    super.release()
    this.state = undefined
    this.inHand = undefined
    this.plainContext = undefined
    this.deferred = undefined
    this.reportedMessage = undefined
  }
}

// ---- the parts all servers share ----------------------------------------------------------------------------------

const recordOf = (fiber: Fiber.Fiber<unknown, unknown>): ServerProcess =>
  Context.getUnsafe(fiber.context, Self) as unknown as ServerProcess

const loop: Effect.Effect<void> = Effect.withFiber((fiber) => recordOf(fiber).drain())
const again = (): Effect.Effect<void> => loop

const serve: Effect.Effect<void> = Effect.flatMap(
  Effect.catchCause(loop, (cause) => Effect.withFiber((fiber) => recordOf(fiber).crashed(cause))),
  () => Effect.withFiber((fiber) => recordOf(fiber).terminate())
)

const awaitFiber = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.callback<Exit.Exit<A, E>>((resume) => {
    fiber.addObserver((exit) => resume(Exit.succeed(exit)))
  })

/** A request to stop that waits for room is not waited for by anybody. */
const inLine = () => {}

const noAnswer = "no handler can answer"
const formatFailed = "formatStatus failed"

/** What a fiber that outlives the message finds in place of its scope. */
const closedScope: Scope.State.Closed = { _tag: "Closed", exit: Exit.void }

/** A reason to wake the loop that is no message. */
const idleWake: Envelope = { from: undefined, content: undefined, refuse: () => "dropped" }

class IdleDeadline extends Timer.Deadline {
  isDue = false
  private readonly onExpire: () => void
  constructor(onExpire: () => void) {
    super()
    this.onExpire = onExpire
  }
  expire(): void {
    this.isDue = true
    this.onExpire()
  }
}
