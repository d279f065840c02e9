/** What a sender's environment says about its messages: looked up once for all that is sent from it in a row. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import { currentUnsafe, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
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
 * An environment never changes: what was found in it last holds as long as it is the same one and its process lives. A
 * fiber that has outlived its process is somebody else's.
 */
let last: Sender | undefined = undefined

/** @internal */
export const senderOf = (fiber: Fiber.Fiber<unknown, unknown>): Sender =>
  last !== undefined && last.context === fiber.context && last.process?.status !== "dead" ? last : (last = look(fiber))

/** Whenever a server has nothing to do: no environment is held for long by the last who sent from it. @internal */
export const forgetSender = (): void => {
  last = undefined
}

const look = (fiber: Fiber.Fiber<unknown, unknown>): Sender => {
  const { context } = fiber
  return {
    context,
    process: currentUnsafe(fiber),
    annotations: Context.getOrUndefined(context, References.CurrentLogAnnotations),
    calls: Context.get(context, CallDefaults),
    clock: Context.get(context, Clock.Clock)
  }
}
