/**
 * How a process ends, from the step in which its mailbox closes to the one in which it holds nothing any more.
 *
 * `close → finish → die → ended`, or `kill`, which closes and dies in one step. Each step tells others. If one of them
 * throws, the rest are told all the same.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { callGuarded, forEachGuarded, guarded, type Guard } from "../../values/guard.ts"
import * as ExitReason from "../ExitReason.ts"
import { crashOf, reportCrash, type CrashDetails } from "./crashReports.ts"
import { reportDeath } from "./exitEvent.ts"
import { logThrown } from "./warnings.ts"
import { scopeExit, addDefects } from "./scopeExit.ts"
import * as Relations from "../internal/linksAndMonitors.ts"
import { Down } from "../Signal.ts"
import { refuseAll, signal } from "./delivery.ts"
import { isOpen, isDead, type EndedBy, type Over } from "./life.ts"
import { become, type Observer, type ProcessRecord } from "./processRecord.ts"
import { interrupt, linkedExit } from "./signals.ts"

// ---- steps --------------------------------------------------------------------------------------------------------

/** Closes the mailbox: from now on messages are refused with this reason. False if it was closed already. @internal */
export const close = (record: ProcessRecord, reason: ExitReason.ExitReason, by: EndedBy = "itself"): boolean => {
  if (!isOpen(record.life)) return false
  become(record, { _tag: "exiting", exiting: reason, by, mailboxLength: record.mailbox.size })
  // The process no longer waits: the fiber still has to run `terminate` and finalizers.
  record.waitingFor = undefined
  askKind(record, "onClose", reason)
  refuseAll(record, reason)
  if (record.observers !== undefined) tell(record, (observer) => observer.exiting?.(reason))
  return true
}

/** `terminate` has failed, and that makes the end a crash. @internal */
export const changeExitReason = (record: ProcessRecord, reason: ExitReason.ExitReason): void => {
  const { life } = record
  if (life._tag !== "exiting") return
  become(record, { _tag: "exiting", exiting: reason, by: "itself", mailboxLength: life.mailboxLength })
}

/** The fiber has ended. Only finalizers are left to run. @internal */
export const finish = (record: ProcessRecord, reason: ExitReason.ExitReason, by?: EndedBy): void => {
  close(record, reason, by)
  const { context, scope } = record
  if (scope === undefined || scope.state._tag !== "Open") return ended(record, reason)
  const closing = Effect.runForkWith(context)(Scope.close(scope, scopeExit(reason)), { uninterruptible: true })
  closing.addObserver((closed) => ended(record, closed._tag === "Failure" ? addDefects(reason, closed.cause) : reason))
}

/**
 * Ends it at once: neighbours see the reason now, and its name is free now. Its fiber is interrupted and may still run
 * for some time (an uninterruptible region, finalizers). Messages that it still sends are discarded.
 *
 * @internal
 */
export const kill = (record: ProcessRecord, reason: ExitReason.ExitReason = ExitReason.killed): void => {
  if (isDead(record.life)) return
  close(record, reason)
  askKind(record, "onKill", reason)
  die(record, reason, true)
  record.kernel.zombies.add(record)
  interrupt(record)
}

/**
 * In this order: not alive; timers dropped; name free; exits to links; downs to monitors; observers such as
 * supervisors; telemetry; the crash report.
 */
const die = (record: ProcessRecord, reason: ExitReason.ExitReason, wasKilled: boolean): void => {
  const { belongings, kernel, life } = record
  if (life._tag !== "exiting") return
  kernel.retire(record)
  // Whoever sent a signal reports the crash that it carries. Only a crash during the end itself is reported here.
  const isReported = reason._tag === "Crash" && (life.by === "itself" || reason !== life.exiting)
  const { by, exiting, mailboxLength } = life
  become(record, { _tag: "dead", exiting, by, mailboxLength, reason, wasKilled, isReported })
  record.resume = undefined
  record.belongings = undefined
  if (belongings !== undefined) forEachGuarded(belongings, (belonging) => belonging.drop(), record)
  kernel.remove(record)
  kernel.releaseName(record)
  const details = isReported ? detailsOf(record, reason) : undefined
  if (record.relations !== undefined) {
    forEachGuarded(Relations.exited<ProcessRecord>(record), (delivery) => deliver(record, reason, delivery), record)
  }
  if (record.observers !== undefined) tell(record, (observer) => observer.dead?.(reason))
  callGuarded(reportDeath, record, record)
  if (details !== undefined) guarded(() => report(record, details), record)
}

const deliver = (
  record: ProcessRecord,
  reason: ExitReason.ExitReason,
  delivery: Relations.Delivery<ProcessRecord>
): void => {
  if (delivery._tag === "Exit") linkedExit(delivery.to, record, reason)
  else signal(delivery.to, new Down(delivery.monitor, record, reason))
}

/** The fiber and the scope have ended. */
const ended = (record: ProcessRecord, reason: ExitReason.ExitReason): void => {
  const { context, scope } = record
  if (scope?.state._tag === "Empty") scope.state = { _tag: "Closed", exit: scopeExit(reason) }
  die(record, reason, false)
  const { life } = record
  if (life._tag !== "dead") return
  // A finalizer has died after the death.
  if (reason._tag === "Crash" && reason !== life.reason && Cause.hasDies(reason.cause)) {
    guarded(() => report(record, detailsOf(record, reason)), record)
  }
  letGo(record, life)
  record.kernel.zombies.delete(record)
  if (record.observers !== undefined) {
    tell(record, (observer) => observer.ended?.(), { threw: (error) => logThrown(record, error, context) })
  }
  release(record)
}

/** Removes a record whose process never ran and that nobody has seen. @internal */
export const discard = (record: ProcessRecord, reason: ExitReason.ExitReason = ExitReason.normal): void => {
  const death = { reason, wasKilled: false, isReported: false }
  letGo(record, { _tag: "ended", exiting: reason, by: "itself", mailboxLength: 0, ...death })
  record.kernel.remove(record)
  release(record)
}

/** The process has ended: it no longer has a fiber, a scope or an environment. */
const letGo = (record: ProcessRecord, life: Over): void => {
  const { by, exiting, isReported, mailboxLength, reason, wasKilled } = life
  become(record, { _tag: "ended", exiting, by, mailboxLength, reason, wasKilled, isReported })
  record.context = Context.empty()
  record.fiber = record.scope = undefined
}

/** Drops what must not be kept alive by a pid that somebody keeps. */
const release = (record: ProcessRecord): void => {
  record.observers = undefined
  record.reporter = record.leader = record.turn = undefined
  while (record.parent?.ended === true) record.parent = record.parent.parent
  record.kind.onEnd?.(record)
}

// ---- parts --------------------------------------------------------------------------------------------------------

// Many processes live for a moment only. So these steps make no object and no closure for what a process does not have.

/** Calls a function of its kind, and goes on if it throws. */
const askKind = (record: ProcessRecord, asked: "onClose" | "onKill", reason: ExitReason.ExitReason): void => {
  try {
    record.kind[asked]?.(record, reason)
  } catch (error) {
    record.threw(error)
  }
}

/** Uses a copy of the list, because observers may come and go meanwhile. */
const tell = (record: ProcessRecord, told: (observer: Observer) => void, guard: Guard = record): void => {
  forEachGuarded(record.observers?.slice(), told, guard)
}

const report = (record: ProcessRecord, details: CrashDetails): void => {
  const { life, reporter } = record
  const crash = crashOf(record, life._tag === "dead" ? life.mailboxLength : 0, details)
  if (reporter === undefined) reportCrash(record, crash)
  else reporter(crash)
}

/**
 * What its kind says about the work in hand. From now on the user's `formatStatus` decides what is shown of this
 * reason.
 */
const detailsOf = (record: ProcessRecord, reason: ExitReason.ExitReason): CrashDetails =>
  record.kind.crashDetails?.(record, reason) ?? {
    make: () => ({ message: undefined, state: undefined, reason }),
    forget: () => {}
  }
