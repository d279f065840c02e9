/**
 * The process of a server: takes messages in order and runs their handlers one at a time.
 *
 * The loop runs on the fiber of the process and takes as many messages as it can in one step. A handler that answers with
 * a plain value costs no fiber; one that answers with an effect runs it as a turn, on a fiber of its own: children it forks
 * end with the message, and an exit signal interrupts the turn while the loop lives on to run `terminate`.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { describe, isInstance } from "../../../values/describe.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { Self, type Envelope } from "../../../kernel/shared/processRecord.ts"
import { CallEnvelope, CastEnvelope, isTypedFailure, StopEnvelope, SystemEnvelope } from "../call/envelopes.ts"
import { HandlerContext } from "./handlerContext.ts"
import * as Limits from "./limits.ts"
import { Initial, type Continuation, type Next, type Options } from "./next.ts"
import { forgetSender } from "../call/sender.ts"
import type { Handler } from "./serverSpec.ts"
import * as Step from "./step.ts"
import { SystemRecord } from "./systemRecord.ts"
import * as Travel from "../call/travel.ts"
import { awaitFiber, closedScope, repliedToNobody, travelOf, warnOfInfo } from "./turn.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"

/** @internal */
export class ServerProcess extends SystemRecord {
  /** What to do before the next message. */
  private continuation: Continuation | undefined = undefined
  /** Why `init` failed, if it did. */
  initFailure: Cause.Cause<unknown> | undefined = undefined
  started = false
  /** Tells who waits for `init`. Must not run a user's code. */
  onStarted: (() => void) | undefined = undefined

  // ---- start ------------------------------------------------------------------------------------------------------

  /** Runs `init` in the caller's step, and the loop after it. */
  run(init: Effect.Effect<unknown, unknown>): void {
    this.context = Context.add(this.context, Self, this)
    this.follow(Effect.runForkWith(Context.add(this.context, Scope.Scope, this.scopeUnsafe()))(this.main(init)))
  }

  /** Apart from `run`, for what is made here lives as long as the server and must not hold its `init`. */
  private follow(fiber: Fiber.Fiber<unknown, unknown>): void {
    fiber.addObserver((exit) => this.ranOut(exit))
  }

  private main(init: Effect.Effect<unknown, unknown>): Effect.Effect<void, unknown> {
    return Effect.withFiber((fiber) => {
      this.fiber = fiber
      return Effect.matchCauseEffect(init, {
        onFailure: (cause) => this.initFailed(cause),
        onSuccess: (state) => this.initialized(state)
      })
    })
  }

  private initialized(result: unknown): Effect.Effect<void> {
    if (this.exiting !== undefined) return Effect.void
    this.idleMillis = this.spec.idleMillis
    if (isInstance(result, Initial)) {
      this.state = result.state
      this.afterwards(result.options, false)
    } else this.state = result
    this.watch?.began(this.state)
    this.status = "running"
    this.started = true
    this.target.up(this)
    this.onStarted?.()
    this.onStarted = undefined
    // Only `init` and `terminate` run in the scope of the server.
    this.fiber!.setContext(this.context)
    // Who starts the server goes on before a continue of `init` runs.
    return this.continuation === undefined ? serve : Effect.andThen(Effect.yieldNow, serve)
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
    const share = Step.share(this.mailbox.size)
    for (let taken = 0, until = Step.first; taken < until || (until = Step.goOn(taken, share)) > taken; taken++) {
      if (this.exiting !== undefined) return Effect.void
      const { continuation } = this
      if (continuation !== undefined) {
        this.continuation = undefined
        // A server that always continues would never come to its stop.
        if (continuation.isChained && this.isAskedToStop) continue
        const waiting = this.runContinuation(continuation.token)
        if (waiting !== undefined) return Effect.flatMap(waiting, again)
        continue
      }
      if (this.stopping !== undefined) {
        this.close(this.stopping)
        return Effect.void
      }
      const next = this.mailbox.shift()
      if (next === undefined && this.idle?.isDue !== true) {
        if (this.idleMillis !== undefined) Limits.beginIdling(this)
        return rest
      }
      const waiting = next === undefined ? this.runIdle() : this.take(next)
      if (waiting !== undefined) return Effect.flatMap(waiting, again)
    }
    return pause
  }

  /** Nothing to do: waits for a message. @internal */
  park(resume: (effect: Effect.Effect<void>) => void): void {
    forgetSender()
    // This fiber may have lost its turn between the look and here: what came meanwhile woke nobody.
    if (this.mailbox.size > 0 || this.hasToAct) resume(Exit.void)
    else this.resume = resume
  }

  private get hasToAct(): boolean {
    return this.stopping !== undefined || this.exiting !== undefined || this.idle?.isDue === true
  }

  private take(message: Envelope): Effect.Effect<void> | undefined {
    this.inHand = message
    if (this.idle !== undefined && !(message instanceof SystemEnvelope)) Limits.stopIdling(this)
    if (this.bound !== undefined) this.roomMade()
    if (message instanceof CastEnvelope) {
      return this.handle(message, this.spec.handlers[message.tag]!, message.payload, this.quietContext)
    }
    if (message instanceof CallEnvelope) {
      message.begun = true
      if (message instanceof SystemEnvelope) return this.system(message)
      const context = new HandlerContext(this, message)
      return this.handle(message, this.spec.handlers[message.tag]!, message.payload, context)
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
    if (handler !== undefined) return this.handle(message, handler, content, this.quietContext)
    this.done("handled")
    return warnOfInfo(this, content)
  }

  private runContinuation(token: unknown): Effect.Effect<void> | undefined {
    this.ownTurn = "continue"
    const handler = this.spec.continue
    if (handler === undefined) return Effect.die(new Error(`${this.spec.id} has no handler for continue`))
    return this.handle(undefined, handler, token, this.quietContext)
  }

  private runIdle(): Effect.Effect<void> | undefined {
    Limits.stopIdling(this)
    this.idleMillis = this.spec.idleMillis
    this.ownTurn = "idle"
    const handler = this.spec.idle
    if (handler === undefined) {
      this.close(ExitReason.normal)
      return Effect.void
    }
    const onIdle: Handler = (_, state, context) => handler(state, context)
    return this.handle(undefined, onIdle, undefined, this.quietContext)
  }

  /** Runs one handler. Undefined when its turn is over already; an effect to wait for otherwise. */
  private handle(
    message: Envelope | undefined,
    handler: Handler,
    payload: unknown,
    context: HandlerContext
  ): Effect.Effect<void> | undefined {
    const result = handler(payload, this.state, context)
    if (!Effect.isEffect(result)) return this.apply(message, result as Next)
    return this.runTurn(message, result as Effect.Effect<Next, unknown>)
  }

  private runTurn(
    message: Envelope | undefined,
    effect: Effect.Effect<Next, unknown>
  ): Effect.Effect<void> | undefined {
    if (Exit.isExit(effect)) return this.turnEnded(message, effect as Exit.Exit<Next, unknown>)
    const scope = Scope.makeUnsafe()
    let context: Context.Context<never> = Context.add(this.context, Scope.Scope, scope)
    const travel = travelOf(message)
    if (travel !== undefined) context = Travel.apply(context, travel)
    const fiber = Effect.runForkWith(context)(
      Effect.withFiber<Next, unknown>((fiber) => {
        this.turn = fiber
        return effect
      })
    )
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return this.leaveScope(message, scope, exit)
    this.limitTurn(message)
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
    this.limitTurn(message)
    return Effect.flatMap(
      Effect.exit(Scope.close(scope, exit)),
      (closed) =>
        this.turnEnded(message, closed._tag === "Failure" ? Exit.failCause(closed.cause) : exit) ?? Effect.void
    )
  }

  private turnEnded(message: Envelope | undefined, exit: Exit.Exit<Next, unknown>): Effect.Effect<void> | undefined {
    this.turn = undefined
    if (this.turnLimit !== undefined) Limits.turnOver(this)
    // Killed, or ended by a signal: whatever the turn came to has no effect any more.
    if (this.exiting !== undefined) return this.interrupted(message, exit._tag === "Success" ? exit.value : undefined)
    if (exit._tag === "Success") return this.apply(message, exit.value)
    if (message instanceof CallEnvelope && isTypedFailure(exit.cause)) {
      this.watch?.answered(message.tag, exit)
      this.answer(message, Exit.failCause(exit.cause))
      return undefined
    }
    return Effect.failCause(exit.cause) as Effect.Effect<never>
  }

  private interrupted(message: Envelope | undefined, next: Next | undefined): undefined {
    if (message !== undefined && this.inHand === message) this.done("failed")
    const answered = next?._tag === "Reply" || next?._tag === "StopReply"
    if (answered && message instanceof CallEnvelope) message.countLate()
  }

  /** Does what a handler has answered. */
  private apply(message: Envelope | undefined, next: Next): undefined {
    if (this.exiting !== undefined) return this.interrupted(message, next)
    const call = message instanceof CallEnvelope ? message : undefined
    const tag = next?._tag
    if (call === undefined && (tag === "Reply" || tag === "StopReply"))
      throw new RangeError(repliedToNobody(displayName(this), this.requestOf(message), tag))
    if (this.watch !== undefined) this.watch.turned(call?.tag, next)
    if (tag === "Reply" || tag === "NoReply") {
      if (message !== undefined) this.idleMillis = this.spec.idleMillis
      if (next.options !== undefined) this.afterwards(next.options, message === undefined)
      this.state = next.state
      if (tag === "Reply") this.answer(call!, Exit.succeed(next.value))
      else if (call === undefined) this.done("handled")
      else this.defer(call)
      return
    }
    if (tag !== "Stop" && tag !== "StopReply")
      throw new RangeError(`${this.spec.id}: no handler can answer ${describe(next)}`)
    this.state = next.state
    if (tag === "StopReply") this.lastReply = { call: call!, value: next.value }
    this.done("handled")
    if (tag === "Stop" && call !== undefined) call.failWith({ _tag: "ServerDown", reason: next.reason })
    this.close(next.reason)
  }

  // ---- what a turn leaves behind ------------------------------------------------------------------------------------

  private afterwards(options: Options, isOwnTurn: boolean): void {
    if ("continue" in options) {
      this.continuation = { token: options.continue, isChained: isOwnTurn && this.ownTurn === "continue" }
    }
    if (options.idle !== undefined) Limits.idleFor(this, options.idle)
  }

  private limitTurn(message: Envelope | undefined): void {
    if (this.spec.turnMillis === undefined) return
    Limits.limitTurn(this, () => ({ server: displayName(this), request: this.requestOf(message) }))
  }
}

// ---- the parts all servers share ----------------------------------------------------------------------------------

const recordOf = (fiber: Fiber.Fiber<unknown, unknown>): ServerProcess =>
  Context.getUnsafe(fiber.context, Self) as unknown as ServerProcess

const loop: Effect.Effect<void> = Effect.withFiber((fiber) => recordOf(fiber).drain())
const again = (): Effect.Effect<void> => loop
const pause: Effect.Effect<void> = Effect.flatMap(Effect.yieldNow, again)
const rest: Effect.Effect<void> = Effect.flatMap(
  Effect.callback<void>((resume) => recordOf(Fiber.getCurrent()!).park(resume)),
  again
)

const serve: Effect.Effect<void> = Effect.flatMap(
  Effect.catchCause(loop, (cause) => Effect.withFiber((fiber) => recordOf(fiber).crashed(cause))),
  () => Effect.withFiber((fiber) => recordOf(fiber).terminate())
)
