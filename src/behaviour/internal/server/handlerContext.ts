/** What a handler can use besides its message and its state. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { printAs } from "../../../values/printAs.ts"
import type { Handle } from "../../../kernel/Handle.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { MessageEnvelope } from "../../../kernel/shared/plainEnvelopes.ts"
import { keepShape } from "../../../kernel/shared/keepShape.ts"
import type * as Timer from "../../../kernel/Timer.ts"
import { castUnsafe } from "../call/client.ts"
import type { CallEnvelope } from "../call/envelopes.ts"
import { answerLater, currentMessageContext } from "./answers.ts"
import { clientOf, type Server } from "./server.ts"
import type { HandlerContext } from "./serverSpec.ts"
import type { MessageContext } from "../call/messageContext.ts"
import { startEnvelopeUnsafe } from "../../../kernel/shared/timers.ts"

/** @internal */
export class ServerHandlerContext implements HandlerContext {
  private readonly server: Server
  private readonly call: CallEnvelope | undefined

  constructor(server: Server, call: CallEnvelope | undefined) {
    this.server = server
    this.call = call
  }

  get self(): unknown {
    return clientOf(this.server)
  }

  get from(): ReplyTo | undefined {
    return this.call === undefined ? undefined : new ReplyTo(this.server, this.call)
  }

  get record(): ProcessRecord {
    return this.server.record
  }

  get messageContext(): MessageContext | undefined {
    return currentMessageContext(this.server)
  }

  // These getters return functions that need no `this`, so that a handler can destructure its context. They are made on
  // first use.

  get sendAfter(): (delay: Duration.Input, info: unknown) => Effect.Effect<Timer.Timer> {
    return (delay, info) => this.send(info, delay, false)
  }

  get sendEvery(): (interval: Duration.Input, info: unknown) => Effect.Effect<Timer.Timer> {
    return (interval, info) => this.send(info, interval, true)
  }

  get cast(): (to: Handle<unknown>, tag: string, payload: unknown) => void {
    return (to, tag, payload) => castUnsafe(this, to, tag, payload)
  }

  private send(info: unknown, delay: Duration.Input, every: boolean): Effect.Effect<Timer.Timer> {
    return Effect.withFiber((fiber) => {
      const to = this.server.record
      const make = () => new MessageEnvelope(info, undefined)
      return Effect.succeed(startEnvelopeUnsafe(fiber, { to, make, delay, every }))
    })
  }
}

/** An answer that can be given once, later and from anywhere. @internal */
export class ReplyTo {
  private readonly server: Server
  readonly call: CallEnvelope

  constructor(server: Server, call: CallEnvelope) {
    this.server = server
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

  /** For use in the step of a handler. */
  giveUnsafe(exit: Exit.Exit<unknown, unknown>): void {
    answerLater(this.server, this.call, exit)
  }
}

printAs(ReplyTo.prototype, ({ call }) => `ReplyTo(${call.tag})`)
printAs(ServerHandlerContext.prototype, () => "HandlerContext")
keepShape(new ServerHandlerContext(undefined!, undefined))
