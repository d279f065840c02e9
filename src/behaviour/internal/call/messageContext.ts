/**
 * The part of a sender's environment that goes with a message: its span, its log annotations, and References that
 * travel.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { senderOf } from "./sender.ts"

/** @internal */
export type MessageContext = ReadonlyArray<readonly [key: Context.Key<never, unknown>, value: unknown]>

/**
 * The References that users have made to travel. They are declared once, at the top of a module, like all References.
 */
const traveling: Array<Context.Reference<unknown>> = []

/** @internal */
export const addTravelingReference = <A>(reference: Context.Reference<A>): void => {
  const known = reference as unknown as Context.Reference<unknown>
  if (!traveling.includes(known)) traveling.push(known)
}

/** What travels from this fiber. Usually nothing does: then undefined. @internal */
export const captureMessageContext = (fiber: Fiber.Fiber<unknown, unknown>): MessageContext | undefined => {
  const { annotations } = senderOf(fiber)
  if (fiber.cache.span === undefined && annotations === undefined && traveling.length === 0) return undefined
  const messageContext: Array<readonly [Context.Key<never, unknown>, unknown]> = []
  const add = <I, A>(key: Context.Key<I, A>, value: A | undefined) => {
    if (value !== undefined) messageContext.push([key as unknown as Context.Key<never, unknown>, value])
  }
  add(Tracer.ParentSpan, fiber.cache.span)
  add(References.CurrentLogAnnotations, annotations)
  for (const reference of traveling) add(reference, Context.getOrUndefined(fiber.context, reference))
  return messageContext
}

/** @internal */
export const withMessageContext = (
  context: Context.Context<never>,
  messageContext: MessageContext
): Context.Context<never> => {
  let found = context
  for (const [key, value] of messageContext) found = Context.add(found, key, value)
  return found
}
