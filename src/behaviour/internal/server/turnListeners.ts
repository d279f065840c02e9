/** What observes a server while it works: traces, message counts, readers of its states; and what freezes states. */
import * as Exit from "effect/Exit"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { Next } from "./handlerAnswer.ts"
import type { Handler, ServerSpec } from "./serverSpec.ts"
import { deepFreeze } from "../../../kernel/shared/deepFreeze.ts"

/** What any kind of server handles. @internal */
export type Received =
  | { readonly _tag: "Call" | "Cast"; readonly tag: string; readonly payload: unknown }
  | { readonly _tag: "Info"; readonly content: unknown }
  | { readonly _tag: "Continue"; readonly token: unknown }
  | { readonly _tag: "Idle" }

/** @internal */
export type TraceEvent =
  | { readonly _tag: "Received"; readonly from: ProcessRecord | undefined; readonly message: Received }
  | { readonly _tag: "Answered"; readonly tag: string; readonly exit: Exit.Exit<unknown, unknown> }
  | { readonly _tag: "State"; readonly state: unknown }

/** It must not throw, and must not run a user's code. @internal */
export type Tracer = (seen: TraceEvent) => void

/** @internal */
export type StateReader = (state: unknown) => void

/** @internal */
export interface MessageCounts {
  readonly sinceNanos: bigint
  messagesIn: number
  messagesOut: number
}

/** What a server reports while it works. @internal */
export interface TurnListener {
  /** `init` has succeeded. */
  began(state: unknown): void
  /**
   * A handler has returned `next`; it may be anything. `call` is the tag of the call that it handled, if it was a call.
   */
  turned(call: string | undefined, next: Next | undefined): void
  /** A call was answered by something other than its handler's result. */
  answered(call: string, exit: Exit.Exit<unknown, unknown>): void
}

/** Freezes states and answers. All servers share it in kernels that freeze. @internal */
export const freezing: TurnListener = {
  began: deepFreeze,
  turned: (_, next) => {
    if (next === undefined || !("state" in next)) return
    deepFreeze(next.state)
    if ("value" in next) deepFreeze(next.value)
  },
  answered: (_, exit) => {
    if (exit._tag === "Success") deepFreeze(exit.value)
  }
}

/** The observers of one server. @internal */
export class Inspectors implements TurnListener {
  readonly tracers = new Set<Tracer>()
  readonly readers = new Set<StateReader>()
  tally: MessageCounts | undefined = undefined
  /** The spec of the server while nobody observes its messages. */
  readonly spec: ServerSpec
  /** The spec of the server while somebody does. */
  listeningSpec: ServerSpec | undefined = undefined
  readonly below: TurnListener | undefined

  constructor(below: TurnListener | undefined, spec: ServerSpec) {
    this.below = below
    this.spec = spec
  }

  get isEmpty(): boolean {
    return !this.hearsMessages && this.readers.size === 0
  }

  get hearsMessages(): boolean {
    return this.tracers.size > 0 || this.tally !== undefined
  }

  began(state: unknown): void {
    this.below?.began(state)
  }

  received(from: ProcessRecord | undefined, message: Received): void {
    if (this.tally !== undefined) this.tally.messagesIn++
    this.trace({ _tag: "Received", from, message })
  }

  turned(call: string | undefined, next: Next | undefined): void {
    this.below?.turned(call, next)
    if (next === undefined || !("state" in next)) return
    if (next._tag === "Reply" && call !== undefined) this.tellAnswer(call, Exit.succeed(next.value))
    this.became(next.state)
  }

  answered(call: string, exit: Exit.Exit<unknown, unknown>): void {
    this.below?.answered(call, exit)
    this.tellAnswer(call, exit)
  }

  became(whole: unknown): void {
    const { lens } = this.spec
    const state = lens === undefined ? whole : lens.get(whole)
    this.trace({ _tag: "State", state })
    for (const reader of this.readers) reader(state)
  }

  private tellAnswer(tag: string, exit: Exit.Exit<unknown, unknown>): void {
    if (this.tally !== undefined) this.tally.messagesOut++
    this.trace({ _tag: "Answered", tag, exit })
  }

  private trace(seen: TraceEvent): void {
    for (const tracer of this.tracers) tracer(seen)
  }
}

/** Gets the input of a handler before the handler runs. @internal */
export interface Listener {
  readonly message: (tag: string, payload: unknown) => void
  readonly other: (received: Received) => void
}

/** The same server, with handlers that first report their input. @internal */
export const withListener = (spec: ServerSpec, hear: Listener): ServerSpec => {
  const handlers: Record<string, Handler> = Object.create(null)
  for (const [tag, handler] of Object.entries(spec.handlers)) {
    handlers[tag] = saying(handler, (payload) => hear.message(tag, payload))
  }
  const { continue: onContinue, idle, info, lens } = spec
  const subject = (state: unknown, content: unknown) => lens?.subject(state, content)
  return {
    ...spec,
    handlers,
    info:
      info &&
      saying(info, (content, state) => hear.other({ _tag: "Info", content: subject(state, content) ?? content })),
    continue:
      onContinue &&
      saying(onContinue, (token, state) => hear.other({ _tag: "Continue", token: subject(state, undefined) ?? token })),
    idle:
      idle &&
      ((state, context) => {
        hear.other({ _tag: "Idle" })
        return idle(state, context)
      })
  }
}

const saying =
  (handler: Handler, say: (payload: unknown, state: unknown) => void): Handler =>
  (payload, state, context) => {
    say(payload, state)
    return handler(payload, state, context)
  }
