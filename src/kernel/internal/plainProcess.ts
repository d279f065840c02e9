/** A process whose body is any effect: it takes messages only if it wants to, and is interrupted to end it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { describe } from "../../values/describe.ts"
import * as ExitReason from "../ExitReason.ts"
import type { Bound } from "../Mailbox.ts"
import { ProcessRecord, Self } from "../shared/processRecord.ts"
import { worse } from "../shared/exits.ts"

/** @internal */
export interface PlainOptions {
  readonly label?: string | undefined
  readonly trapExit?: boolean | undefined
  readonly mailbox?: Bound | undefined
}

type Matches = (message: unknown) => boolean

/** @internal */
export class PlainProcess extends ProcessRecord {
  configure(options: PlainOptions): void {
    this.label = options.label
    this.trapExit = options.trapExit ?? false
    this.bound = options.mailbox
  }

  /** Runs the body from the next task on: who spawned it has set up its relations by then. */
  run(body: Effect.Effect<unknown, unknown>): void {
    this.context = Context.add(Context.add(this.context, Self, this), Scope.Scope, this.scopeUnsafe())
    this.status = "running"
    const fiber = Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, () => this.begin(body)))
    this.fiber = fiber
    fiber.addObserver((exit) => this.bodyEnded(exit))
  }

  /** A signal may have come before the first step, and its interruption be on its way. */
  private begin(body: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    return this.exiting === undefined ? body : Effect.interrupt
  }

  private bodyEnded(exit: Exit.Exit<unknown, unknown>): void {
    const signalled = this.exiting
    if (signalled === undefined) this.finish(ExitReason.fromExit(exit))
    else this.finish(exit._tag === "Failure" ? worse(signalled, exit.cause) : signalled)
  }

  protected end(reason: ExitReason.ExitReason): void {
    if (this.close(reason)) this.interrupt()
  }

  /** Whoever waits for a message now waits for ever: it ends as if by interruption. */
  protected override close(reason: ExitReason.ExitReason): boolean {
    const closed = super.close(reason)
    const resume = this.resume
    if (closed && resume !== undefined) {
      this.resume = undefined
      this.fiber!.currentDispatcher.scheduleTask(() => resume(Effect.interrupt), 0)
    }
    return closed
  }

  /** Takes the first message that matches, from a position on, if there is one. */
  poll(matches: Matches, from?: number): Option.Option<unknown> {
    const found = this.mailbox.take((envelope) => matches(envelope.content), from)
    if (found === undefined) return Option.none()
    this.settle("handled")
    this.roomMade()
    return Option.some(found.content)
  }

  /** Takes the first message that matches, waiting for it if need be. */
  receive(matches: Matches): Effect.Effect<unknown> {
    return Effect.suspend(() => this.look(matches, 0))
  }

  /** Messages before `from` were looked at already. */
  private look(matches: Matches, from: number): Effect.Effect<unknown> {
    const found = this.poll(matches, from)
    if (Option.isSome(found)) return Exit.succeed(found.value)
    const seen = this.mailbox.end
    return Effect.flatMap(this.park(seen), () => this.look(matches, seen))
  }

  private park(seen: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      // This fiber may have lost its turn between the look and here: what came meanwhile woke nobody.
      if (this.mailbox.end > seen) return resume(Exit.void)
      if (this.exiting !== undefined) return resume(Effect.interrupt)
      if (this.resume !== undefined) return resume(Effect.die(new Error(twoReceivers(this))))
      this.resume = resume
      return Effect.sync(() => {
        if (this.resume === resume) this.resume = undefined
      })
    })
  }
}

const twoReceivers = (process: PlainProcess) => `Two fibers receive from the inbox of ${describe(process)}`
