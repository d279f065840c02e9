/** The methods of a client: how a call or a cast gets from a fiber into the mailbox of its server. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { printAs } from "../../../values/printAs.ts"
import * as Check from "../../../values/check.ts"
import { TypeId as HandleTypeId, type Handle } from "../../../kernel/Handle.ts"
import { post } from "../../../kernel/shared/delivery.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { findCycleUnsafe } from "../../../kernel/shared/waitCycles.ts"
import { keepShape } from "../../../kernel/shared/keepShape.ts"
import type { Message } from "./messages.ts"
import { callTimeoutMillis } from "../defaults.ts"
import { failWithCycle, downReason, callErrorOf, type Ask, type Call } from "./call.ts"
import type { CallOptions } from "./callOptions.ts"
import { CallEnvelope, CastEnvelope, type SystemRequest } from "./envelopes.ts"
import { askWhenUp } from "./waitUntilUp.ts"
import { senderOf } from "./sender.ts"
import { captureMessageContext, type MessageContext } from "./messageContext.ts"
import { currentKernel } from "../../../kernel/shared/currentKernel.ts"
import { nobodyUnsafe, postUnsafe } from "../../../kernel/shared/processes.ts"
import { targetOf, type HandleTarget } from "../../../kernel/shared/handleTarget.ts"

const MessagesKey = Symbol("effect-otp/behaviour/messages")

interface Client extends Handle<unknown> {
  readonly [MessagesKey]: ReadonlyMap<string, Message>
}

/** The cast with this tag. Undefined if the client has none, or is a double. @internal */
export const castOf = (client: Handle<unknown>, tag: string): Message | undefined => {
  const message = (client as Client)[MessagesKey]?.get(tag)
  return message?.isCast === true ? message : undefined
}

/** Makes the constructor for the clients of one protocol. All of them share one prototype. @internal */
export const clientMaker = (messages: ReadonlyArray<Message>): ((target: HandleTarget) => Handle<unknown>) => {
  const proto: object = { [MessagesKey]: new Map(messages.map((message) => [message.tag, message])) }
  for (const message of messages) Object.defineProperty(proto, message.tag, methodOf(message))
  // A message of the protocol may have one of these names. Then its method stays.
  printAs(proto, (self) => `Client(${(self as Client)[HandleTypeId].key})`)
  // A constructor function: its objects are a third of the size of those that `Object.create` makes.
  const ClientOf = function (this: Record<string, unknown>, target: HandleTarget) {
    this[HandleTypeId] = target
  } as unknown as new (target: HandleTarget) => Client
  ClientOf.prototype = proto
  return (target) => new ClientOf(target)
}

/** A getter whose method needs no `this`, so that a client can be destructured like any service. */
const methodOf = (message: Message): PropertyDescriptor => {
  const method = message.isCast ? castMethod : callMethod
  return {
    configurable: true,
    enumerable: true,
    get(this: Client) {
      return method(message, this[HandleTypeId] as unknown as HandleTarget)
    }
  }
}

// ---- the effects --------------------------------------------------------------------------------------------------

// A cast and a call are effects that are one small object; a closure in an effect would be three. Each has a prototype
// of its own, so that a fiber that runs it comes to its function directly.

/** @internal */
export const castMethod =
  (message: Message, target: HandleTarget) =>
  (payload: unknown): Effect.Effect<void> =>
    new CastEffect(message, target, payload)

interface CastEffect extends Effect.Effect<void> {
  message: Message
  target: HandleTarget
  payload: unknown
}

const CastEffect = function (this: CastEffect, message: Message, target: HandleTarget, payload: unknown) {
  this.message = message
  this.target = target
  this.payload = payload
} as unknown as new (message: Message, target: HandleTarget, payload: unknown) => CastEffect

CastEffect.prototype = Effectable.Prototype<CastEffect>({
  label: "effect-otp/Cast",
  evaluate(fiber) {
    const { message, target } = this
    const payload = message.construct(this.payload, target, fiber)
    const record = receiver(target, fiber)
    if (record.bound !== undefined) return castToBounded(fiber, record, message.tag, payload)
    post(record, envelopeOf(fiber, message.tag, payload))
    return Exit.void
  }
})

const castToBounded = (
  fiber: Fiber.Fiber<unknown, unknown>,
  record: ProcessRecord,
  tag: string,
  payload: unknown
): Effect.Effect<void> => postUnsafe(fiber, record, () => envelopeOf(fiber, tag, payload))

/** @internal */
export const envelopeOf = (fiber: Fiber.Fiber<unknown, unknown>, tag: string, payload: unknown): CastEnvelope =>
  new CastEnvelope(tag, payload, senderOf(fiber).process, captureMessageContext(fiber))

/**
 * The run that a cast goes to. While none is up, the cast is a dead letter of the last run, or of a process that never
 * existed. @internal
 */
export const receiver = (target: HandleTarget, fiber: Fiber.Fiber<unknown, unknown>): ProcessRecord =>
  target.current ?? target.last ?? nobodyUnsafe(currentKernel(fiber), target.displayName)

/** The server of a handler that casts in its own step. @internal */
export interface Caster {
  readonly record: ProcessRecord
  /** What goes with a message that it sends now. */
  readonly messageContext: MessageContext | undefined
}

/** Casts in the step of a handler. @internal */
export const castUnsafe = (caster: Caster, to: Handle<unknown>, tag: string, payload: unknown): void => {
  const target = targetOf("context.cast", to)
  const message = castOf(to, tag)
  if (message === undefined) throw new RangeError(`${target.displayName} has no cast "${tag}"`)
  const from = caster.record
  const record = target.current ?? target.last ?? nobodyUnsafe(from.kernel, target.displayName)
  const made = message.construct(payload, target, from)
  post(record, new CastEnvelope(tag, made, from.actsAs, caster.messageContext))
}

/** @internal */
export const callMethod =
  (message: Message, target: HandleTarget) =>
  (payload: unknown, options?: CallOptions): Effect.Effect<unknown, unknown> => {
    const call = new CallEffect(message, target, payload)
    call.options = options
    return call
  }

interface CallEffect extends Effect.Effect<unknown, unknown> {
  message: Message
  target: HandleTarget
  payload: unknown
  options: CallOptions | undefined
}

const CallEffect = function (this: CallEffect, message: Message, target: HandleTarget, payload: unknown) {
  this.message = message
  this.target = target
  this.payload = payload
  this.options = undefined
} as unknown as new (message: Message, target: HandleTarget, payload: unknown) => CallEffect

CallEffect.prototype = Effectable.Prototype<CallEffect>({
  label: "effect-otp/Call",
  evaluate(fiber) {
    const { message, options, target } = this
    const { calls, process } = senderOf(fiber)
    const call: Call = {
      fiber,
      target,
      tag: message.tag,
      payload: message.construct(this.payload, target, fiber),
      from: process,
      millis: timeoutMillis(Check.or(options?.timeout, calls.timeout), process)
    }
    return waitsWhenDown(options, calls) ? askWhenUp(call, ask) : askNow(call, ask)
  }
})

const askNow = (call: Call, ask: Ask): Effect.Effect<unknown, unknown> => {
  const { current } = call.target
  return current === undefined ? Effect.fail(callErrorOf(call, downReason(call.target))) : ask(call, current)
}

const ask: Ask = (call, server) => askWith(call, server, undefined)

/** Sends a request to the process of a server, and not to its handlers. @internal */
export const askSystem = <Server>(
  target: HandleTarget,
  tag: string,
  request: (server: Server) => Exit.Exit<unknown, unknown>,
  options: CallOptions | undefined
): Effect.Effect<unknown, unknown> =>
  Effect.withFiber((fiber) => {
    const { calls, process } = senderOf(fiber)
    const millis = timeoutMillis(Check.or(options?.timeout, calls.timeout), process)
    const call: Call = { fiber, target, tag, payload: undefined, from: process, millis }
    const ask: Ask = (call, server) => askWith(call, server, request)
    return waitsWhenDown(options, calls) ? askWhenUp(call, ask) : askNow(call, ask)
  })

/** Whether a call waits while the server is down. */
const waitsWhenDown = (options: CallOptions | undefined, defaults: CallOptions): boolean => {
  const whenDown = Check.or(options?.whenDown, defaults.whenDown)
  return whenDown !== undefined && Check.oneOf("whenDown of a call", whenDown, waysWhenDown) === "wait"
}

const waysWhenDown = ["fail", "wait"] as const

const askWith = (
  call: Call,
  server: ProcessRecord,
  systemRequest: SystemRequest | undefined
): Effect.Effect<unknown, unknown> => {
  const { fiber } = call
  return Effect.callback<unknown, unknown>((resume) => {
    // The process may have ended while its fiber waited to send.
    const from = call.from?.actsAs
    const own = from !== undefined && from.isOwn(fiber)
    // This is one step with the note that the caller waits. So if calls cross, the last one here sees all the others.
    if (own && (server === from || server.waitingFor !== undefined)) {
      const cycle = findCycleUnsafe(from, [server])
      if (cycle !== undefined) return resume(failWithCycle(call, cycle))
    }
    const { tag, payload } = call
    const messageContext = captureMessageContext(fiber)
    const envelope = new CallEnvelope({
      tag,
      payload,
      from,
      messageContext,
      server,
      caller: fiber,
      resume,
      systemRequest
    })
    if (own) from.waitingFor = envelope
    if (call.millis !== Infinity) {
      server.kernel.deadlines.arm(envelope, senderOf(fiber).clock, call.millis, fiber.context)
    }
    // A system request does not wait for room: if a suspended server is full, nothing makes room.
    post(server, envelope, systemRequest === undefined ? admitted : undefined)
    return envelope
  })
}

/** Nothing to do: a call that waits for room waits for its answer anyway. */
const admitted = () => {}

/** The limit of a call: its own, or what is left of the call that its caller handles. @internal */
export const timeoutMillis = (
  timeout: Duration.Input | "inherit" | undefined,
  caller: ProcessRecord | undefined
): number => {
  if (timeout === undefined) return callTimeoutMillis
  if (timeout !== "inherit") return Check.millis("The timeout of a call", timeout)
  return caller?.kind.timeLeft?.(caller) ?? callTimeoutMillis
}

keepShape(new CastEffect(undefined!, undefined!, undefined), new CallEffect(undefined!, undefined!, undefined))
