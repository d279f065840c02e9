/**
 * The life of a process: its phases, and what is known of a process only in its later phases.
 *
 * `starting → running → exiting → dead → ended`. An exiting process has closed its mailbox and runs `terminate` and
 * finalizers. For its neighbours a dead process has ended. An ended process holds nothing any more. A kill leads to
 * `dead` in one step.
 */
import type { ExitReason } from "../ExitReason.ts"

/**
 * What ended a process: the process itself, an exit signal or its parent, the end of a linked process, or a failure
 * that its starter handles. @internal
 */
export type EndedBy = "itself" | "signal" | "link" | "starter"

/** It accepts messages. All processes share the two objects, so they can be compared by identity. @internal */
export interface Open {
  readonly _tag: "starting" | "running"
}

/** Its mailbox is closed. It is still alive, and runs `terminate` and finalizers. @internal */
export interface Exiting {
  readonly _tag: "exiting"
  /** Why it ends. */
  readonly exiting: ExitReason
  readonly by: EndedBy
  /** How many messages waited when it closed. */
  readonly mailboxLength: number
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

/** It is dead: links and monitors have been told. If `ended`, its fiber and its scope have ended, too. @internal */
export interface Over extends Omit<Exiting, "_tag">, Death {
  readonly _tag: "dead" | "ended"
}

/** @internal */
export type Life = Open | Exiting | Over

/** @internal */
export const starting: Open = { _tag: "starting" }
/** @internal */
export const running: Open = { _tag: "running" }

/** Whether it still accepts messages. @internal */
export const isOpen = (life: Life): life is Open => life === running || life === starting

/** Whether it is dead: links and monitors have been told. @internal */
export const isDead = (life: Life): life is Over => !isOpen(life) && life._tag !== "exiting"
