/** What a server keeps besides the record of its process. */
import * as Context from "effect/Context"
import type * as Cause from "effect/Cause"
import type * as Fiber from "effect/Fiber"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import type { Deadline } from "../../../kernel/shared/deadlines.ts"
import type { Handle } from "../../../kernel/Handle.ts"
import { Self, type Envelope, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { CallEnvelope } from "../call/envelopes.ts"
import type { Continuation } from "./handlerAnswer.ts"
import type { HandlerContext, ServerSpec } from "./serverSpec.ts"
import type { ShownCrash } from "./formattedStatus.ts"
import { freezing, type TurnListener } from "./turnListeners.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** How far its `init` is. @internal */
export type Init =
  /** `told` is called when `init` has succeeded. It must not run a user's code. */
  | { readonly _tag: "running"; readonly told: (() => void) | undefined }
  | { readonly _tag: "done" }
  | { readonly _tag: "failed"; readonly cause: Cause.Cause<unknown> }

/** @internal */
export const initRunning: Init = { _tag: "running", told: undefined }
/** @internal */
export const initDone: Init = { _tag: "done" }

/** An orderly end that was asked for. @internal */
export interface Stop {
  readonly reason: ExitReason
  /** Whether it waits in the mailbox behind earlier messages. If not, the server stops after the turn. */
  readonly isInLine: boolean
}

/** What a server has only once it was asked to stop, or ends. @internal */
export interface LastDuties {
  /** The orderly end that was asked for. */
  stop: Stop | undefined
  /** What the turn was about, for the crash report. */
  message: unknown
  details: ShownCrash | undefined
  /** The answer to give after `terminate`. */
  reply: { readonly call: CallEnvelope; readonly value: unknown } | undefined
}

/** The idle timer of a server. It runs while the server waits for a message. @internal */
export interface Idle extends Deadline {
  readonly millis: number
  /** Whether the time is up, and no turn has seen it yet. */
  isDue: boolean
}

/** @internal */
export class Server {
  readonly record: ProcessRecord<Server>
  spec: ServerSpec
  /** The state after the last turn that succeeded. */
  state: unknown = undefined
  /** The message whose turn it is. */
  inHand: Envelope | undefined = undefined
  /** What to do before the next message. */
  continuation: Continuation | undefined = undefined
  lastDuties: LastDuties | undefined = undefined
  /** The idle timer, with the idle time that the last turn has set. Undefined: no idle time. */
  idle: Idle | undefined = undefined
  /** Observers, or what freezes states in development. Most servers have neither. */
  watch: TurnListener | undefined
  /** The context that handlers of messages without an answer share. */
  castContext: HandlerContext | undefined = undefined

  readonly target: HandleTarget
  init: Init = initRunning
  /** What a turn without a message is about. */
  ownTurn: "continue" | "idle" = "continue"
  /** Set while a turn with a limit takes more than one step. */
  turnLimit: Deadline | undefined = undefined
  /** Calls whose answers were left for later. */
  unanswered: Set<CallEnvelope> | undefined = undefined
  /** Whether it handles only stops and system requests. */
  suspended = false

  constructor(record: ProcessRecord<Server>, spec: ServerSpec, target: HandleTarget) {
    this.record = record
    this.spec = spec
    this.target = target
    this.watch = record.kernel.freezes ? freezing : undefined
  }
}

/** The server to which this fiber, or the fiber of a turn, belongs. @internal */
export const serverOf = (fiber: Fiber.Fiber<unknown, unknown>): Server =>
  (Context.getUnsafe(fiber.context, Self) as unknown as ProcessRecord<Server>).data

/** A handle of the server. It holds only the target, so all handles are equal. @internal */
export const clientOf = ({ spec, target }: Server): Handle<unknown> => spec.makeClient(target)

/** The state as its user sees it. @internal */
export const userState = ({ spec: { lens }, state }: Server): unknown => (lens === undefined ? state : lens.get(state))

/** How many messages its state has put aside. They count as handled, though they will come again. @internal */
export const heldCount = ({ spec: { lens }, state }: Server): number =>
  lens === undefined || state === undefined ? 0 : lens.held(state)

/** What the turn is about, as its user sees it. @internal */
export const subjectOf = ({ spec: { lens }, state }: Server, content: unknown): unknown =>
  lens === undefined || state === undefined ? content : lens.subject(state, content)

/** What the server has while it ends, made on first use. @internal */
export const lastDutiesOf = (server: Server): LastDuties =>
  (server.lastDuties ??= { stop: undefined, message: undefined, details: undefined, reply: undefined })
