/** What a server keeps beside the record of its process. */
import * as Context from "effect/Context"
import type * as Cause from "effect/Cause"
import type * as Fiber from "effect/Fiber"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import type { Deadline } from "../../../kernel/shared/deadlines.ts"
import type { Handle, HandleTarget } from "../../../kernel/Handle.ts"
import { Self, type Envelope, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { CallEnvelope } from "../call/envelopes.ts"
import type { Continuation } from "./next.ts"
import type { HandlerContext, ServerSpec } from "./serverSpec.ts"
import type { ShownCrash } from "./status.ts"
import { freezing, type Watch } from "./watch.ts"

/** How far its `init` is. @internal */
export type Init =
  /** `told` hears when it is through. It must not run a user's code. */
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
  /** Whether it waits in the mailbox behind what came before. If not, it comes after the turn. */
  readonly isInLine: boolean
}

/** What a server has only from when it begins to end. @internal */
export interface Ending {
  /** What it was at, for the crash report. */
  message: unknown
  details: ShownCrash | undefined
  /** The answer to give when `terminate` is through. */
  reply: { readonly call: CallEnvelope; readonly value: unknown } | undefined
}

/** @internal */
export class Server {
  readonly record: ProcessRecord<Server>
  readonly target: HandleTarget
  spec: ServerSpec
  /** What the last good turn left. */
  state: unknown = undefined
  init: Init = initRunning
  stop: Stop | undefined = undefined
  ending: Ending | undefined = undefined

  /** The message whose turn it is. */
  inHand: Envelope | undefined = undefined
  /** What the turn is about that has no message. */
  ownTurn: "continue" | "idle" = "continue"
  /** What to do before the next message. */
  continuation: Continuation | undefined = undefined
  /** Set while a turn takes more than one step, and may not take for ever. */
  turnLimit: Deadline | undefined = undefined
  /** Calls whose handler has left the answer for later. */
  owed: Set<CallEnvelope> | undefined = undefined
  /** What handlers of messages without an answer share. */
  quietContext: HandlerContext | undefined = undefined

  /** How long it waits for a message before it has idled, as the last turn has asked. */
  idleMillis: number | undefined = undefined
  /** Set while it waits for that. */
  idle: (Deadline & { readonly isDue: boolean }) | undefined = undefined
  /** Whether it leaves its messages alone, but for stops and system requests. */
  suspended = false
  /** Who looks on, or freezes what the turns leave; for most servers nobody. */
  watch: Watch | undefined

  constructor(record: ProcessRecord<Server>, spec: ServerSpec, target: HandleTarget) {
    this.record = record
    this.spec = spec
    this.target = target
    this.watch = record.kernel.freezes ? freezing : undefined
  }
}

/** The server whose own fiber this is, or one of its turn. @internal */
export const serverOf = (fiber: Fiber.Fiber<unknown, unknown>): Server =>
  (Context.getUnsafe(fiber.context, Self) as unknown as ProcessRecord<Server>).data

/** The handle of a server. It holds nothing but its target, so each is as good as another. @internal */
export const clientOf = ({ spec, target }: Server): Handle<unknown> => spec.makeClient(target)

/** The state as its user knows it. @internal */
export const userState = ({ spec: { lens }, state }: Server): unknown => (lens === undefined ? state : lens.get(state))

/** How many messages its state has put aside. They count as handled, though they are to come again. @internal */
export const heldCount = ({ spec: { lens }, state }: Server): number =>
  lens === undefined || state === undefined ? 0 : lens.held(state)

/** What its turn is about, as its user knows it. @internal */
export const subjectOf = ({ spec: { lens }, state }: Server, content: unknown): unknown =>
  lens === undefined || state === undefined ? content : lens.subject(state, content)

/** From here on it is ending. @internal */
export const endingOf = (server: Server): Ending =>
  (server.ending ??= { message: undefined, details: undefined, reply: undefined })
