/**
 * What the environment of a sender says about its messages. It is read once for all messages that are sent from it in a
 * row.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import { keepShape } from "../../../kernel/shared/keepShape.ts"
import { currentProcessUnsafe, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { CallDefaults, type CallOptions } from "./callOptions.ts"

/** @internal */
export interface Sender {
  readonly context: Context.Context<never>
  readonly process: ProcessRecord | undefined
  readonly annotations: Readonly<Record<string, unknown>> | undefined
  readonly calls: CallOptions
  readonly clock: Clock.Clock
}

/**
 * The last lookup. An environment never changes, so the lookup holds while the environment is the same and the process
 * lives. A fiber that has outlived its process acts as a stranger.
 */
let last: Sender | undefined = undefined

/** @internal */
export const senderOf = (fiber: Fiber.Fiber<unknown, unknown>): Sender =>
  last !== undefined && last.context === fiber.context && last.process?.phase !== "dead" ? last : (last = look(fiber))

/**
 * Forgets the last lookup. A server that has nothing to do calls this, so that no sender's environment is held for
 * long. @internal
 */
export const forgetSender = (): void => {
  last = undefined
}

const look = (fiber: Fiber.Fiber<unknown, unknown>): Sender => {
  const { context } = fiber
  return {
    context,
    process: currentProcessUnsafe(fiber),
    annotations: Context.getOrUndefined(context, References.CurrentLogAnnotations),
    calls: Context.get(context, CallDefaults),
    clock: Context.get(context, Clock.Clock)
  }
}

keepShape({
  context: undefined,
  process: undefined,
  annotations: undefined,
  calls: undefined,
  clock: undefined
} satisfies { readonly [K in keyof Sender]: undefined })
