/** What a handler can reach beside its message and its state. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { printAs } from "../../../values/printed.ts"
import type { Handle } from "../../../kernel/Handle.ts"
import { type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import * as Timer from "../../../kernel/Timer.ts"
import { castUnsafe } from "../call/client.ts"
import type { CallEnvelope } from "../call/envelopes.ts"
import type { Travel } from "../call/travel.ts"
import { MessageEnvelope } from "../../../kernel/shared/plainEnvelopes.ts"

/** The server a handler runs in. @internal */
export interface Host extends ProcessRecord {
  readonly client: unknown
  /** What goes with a message that the running handler sends. */
  readonly travel: Travel | undefined
  replyLater(call: CallEnvelope, exit: Exit.Exit<unknown, unknown>): void
}

/** @internal */
export class HandlerContext {
  readonly host: Host
  private readonly call: CallEnvelope | undefined

  constructor(host: Host, call: CallEnvelope | undefined) {
    this.host = host
    this.call = call
  }

  get self(): unknown {
    return this.host.client
  }

  get from(): ReplyTo | undefined {
    return this.call === undefined ? undefined : new ReplyTo(this.host, this.call)
  }

  // Functions that need no `this`, so that a handler can take its context apart; made only when one is asked for.

  get sendAfter(): (delay: Duration.Input, info: unknown) => Effect.Effect<Timer.Timer> {
    return (delay, info) => this.send(info, delay, false)
  }

  get sendEvery(): (interval: Duration.Input, info: unknown) => Effect.Effect<Timer.Timer> {
    return (interval, info) => this.send(info, interval, true)
  }

  get cast(): (to: Handle<unknown>, tag: string, payload: unknown) => void {
    return (to, tag, payload) => castUnsafe(to, tag, payload, this.host)
  }

  private send(info: unknown, delay: Duration.Input, every: boolean): Effect.Effect<Timer.Timer> {
    return Effect.withFiber((fiber) => {
      const { host } = this
      const make = () => new MessageEnvelope(info, undefined)
      return Effect.succeed(Timer.startEnvelopeUnsafe(fiber, { to: host, make, delay, every }))
    })
  }
}

/** A one-shot answer that may be given later and from elsewhere. @internal */
export class ReplyTo {
  private readonly host: Host
  readonly call: CallEnvelope

  constructor(host: Host, call: CallEnvelope) {
    this.host = host
    this.call = call
  }

  get succeed(): (value: unknown) => Effect.Effect<void> {
    this.call.handOver()
    return (value) => this.give(Exit.succeed(value))
  }

  get fail(): (error: unknown) => Effect.Effect<void> {
    this.call.handOver()
    return (error) => this.give(Exit.fail(error))
  }

  private give(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.sync(() => this.giveUnsafe(exit))
  }

  /** In the step of a handler. */
  giveUnsafe(exit: Exit.Exit<unknown, unknown>): void {
    this.host.replyLater(this.call, exit)
  }
}

printAs(ReplyTo.prototype, ({ call }) => `ReplyTo(${call.tag})`)
printAs(HandlerContext.prototype, () => "HandlerContext")
