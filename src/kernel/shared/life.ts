/**
 * The life of a process: its phases, and what a process has only in one phase.
 *
 * `starting → running → exiting → dead → ended`. An exiting process has closed its mailbox and runs `terminate` and
 * finalizers. For its neighbours a dead process has ended. An ended process holds nothing any more. A kill leads to
 * `dead` in one step.
 */
import type * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { ExitReason } from "../ExitReason.ts"

/** What a process runs in until it has ended. @internal */
export interface Runs {
  /** The environment of its fibers. It holds `Self`. */
  readonly context: Context.Context<never>
  /** Undefined before its first step. */
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Made on first use. */
  readonly scope: Scope.Closeable | undefined
}

/**
 * What ended a process: the process itself, an exit signal or its parent, the end of a linked process, or a failure
 * that its starter handles. @internal
 */
export type EndedBy = "itself" | "signal" | "link" | "starter"

/** It accepts messages. Both phases have one class, so that delivery meets at most four classes. @internal */
export class Open implements Runs {
  _tag: "starting" | "running" = "starting"
  context: Context.Context<never>
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  scope: Scope.Closeable | undefined = undefined

  constructor(context: Context.Context<never>) {
    this.context = context
  }
}

/** Its mailbox is closed. It is still alive, and runs `terminate` and finalizers. @internal */
export class Exiting implements Runs {
  readonly _tag = "exiting"
  context: Context.Context<never>
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  scope: Scope.Closeable | undefined
  /** Why it ends. */
  readonly exiting: ExitReason
  readonly by: EndedBy
  /** How many messages waited when it closed. */
  readonly mailboxLength: number

  constructor({ context, fiber, scope }: Runs, exiting: ExitReason, by: EndedBy, mailboxLength: number) {
    this.context = context
    this.fiber = fiber
    this.scope = scope
    this.exiting = exiting
    this.by = by
    this.mailboxLength = mailboxLength
  }
}

/** How a process ended. @internal */
export interface Death {
  /** Why it ended. A finalizer that died may have made it worse than the reason for which it was ending. */
  readonly reason: ExitReason
  /** Whether a kill ended it. If so, messages that it still sends are discarded. */
  readonly wasKilled: boolean
  /** Whether its end has a crash report of its own. If a signal ended it, its sender reports the reason. */
  readonly isReported: boolean
}

/** It is dead for its neighbours. Its fiber may not have ended yet. @internal */
export class Dead implements Runs, Death {
  readonly _tag = "dead"
  context: Context.Context<never>
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  scope: Scope.Closeable | undefined
  readonly exiting: ExitReason
  readonly by: EndedBy
  readonly mailboxLength: number
  readonly reason: ExitReason
  readonly wasKilled: boolean
  readonly isReported: boolean

  constructor({ by, context, exiting, fiber, mailboxLength, scope }: Exiting, death: Death) {
    this.context = context
    this.fiber = fiber
    this.scope = scope
    this.exiting = exiting
    this.by = by
    this.mailboxLength = mailboxLength
    this.reason = death.reason
    this.wasKilled = death.wasKilled
    this.isReported = death.isReported
  }
}

/** Its fiber and its scope have ended, too. @internal */
export class Ended implements Death {
  readonly _tag = "ended"
  readonly exiting: ExitReason
  readonly by: EndedBy
  readonly reason: ExitReason
  readonly wasKilled: boolean
  readonly isReported: boolean

  constructor({ by, exiting, isReported, reason, wasKilled }: Omit<Ended, "_tag">) {
    this.exiting = exiting
    this.by = by
    this.reason = reason
    this.wasKilled = wasKilled
    this.isReported = isReported
  }
}

/** @internal */
export type Life = Open | Exiting | Dead | Ended

/** Whether it still accepts messages. @internal */
export const isOpen = (life: Life): life is Open => life._tag === "running" || life._tag === "starting"

/** Whether it is dead for its neighbours. @internal */
export const isOver = (life: Life): life is Dead | Ended => life._tag === "dead" || life._tag === "ended"
