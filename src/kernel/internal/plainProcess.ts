/** A process whose body is any effect: it takes messages only if it wants to, and is interrupted to end it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as ExitReason from "../ExitReason.ts"
import type { Bound } from "../Mailbox.ts"
import { ProcessRecord, Self, worse, type Envelope } from "../ProcessRecord.ts"

/** @internal */
export interface PlainOptions {
  readonly label?: string | undefined
  readonly trapExit?: boolean | undefined
  readonly mailbox?: Bound | undefined
}

type Matches = (message: unknown) => boolean

/** @internal */
export class PlainProcess extends ProcessRecord {
  private awaited: Matches | undefined = undefined

  configure(options: PlainOptions): void {
    this.label = options.label
    this.trapExit = options.trapExit ?? false
    this.bound = options.mailbox
  }

  /** Runs the body from the next task on: who spawned it has set up its relations by then. */
  run(body: Effect.Effect<unknown, unknown>): void {
    this.context = Context.add(Context.add(this.context, Self, this), Scope.Scope, this.scopeUnsafe())
    this.status = "running"
    const fiber = Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, body))
    this.fiber = fiber
    fiber.addObserver((exit) => this.bodyEnded(exit))
  }

  private bodyEnded(exit: Exit.Exit<unknown, unknown>): void {
    const signalled = this.exiting
    if (signalled === undefined) this.finish(ExitReason.fromExit(exit))
    else this.finish(exit._tag === "Failure" ? worse(signalled, exit.cause) : signalled)
  }

  protected end(reason: ExitReason.ExitReason): void {
    if (this.close(reason)) this.interrupt()
  }

  protected override wake(arrived: Envelope): void {
    if (this.awaited === undefined || this.awaited(arrived.content)) super.wake(arrived)
  }

  /** Takes the first message that matches, if there is one. */
  poll(matches: Matches): Option.Option<unknown> {
    const found = this.mailbox.take((envelope) => matches(envelope.content))
    if (found === undefined) return Option.none()
    this.settle("handled")
    this.roomMade()
    return Option.some(found.content)
  }

  /** Takes the first message that matches, waiting for it if need be. */
  receive(matches: Matches): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const found = this.poll(matches)
      if (Option.isSome(found)) return Exit.succeed(found.value)
      if (this.resume !== undefined) return Effect.die(new Error(`Two fibers receive from the inbox of ${String(this)}`))
      return Effect.flatMap(this.park(matches), () => this.receive(matches))
    })
  }

  private park(matches: Matches): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.resume = resume
      this.awaited = matches
      return Effect.sync(() => {
        if (this.resume === resume) this.resume = undefined
        this.awaited = undefined
      })
    })
  }

}
