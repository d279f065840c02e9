/**
 * How a message gets into a mailbox, and what happens to one that does not.
 *
 * Every posted message has exactly one fate. It is counted once when it comes and once when its fate is known.
 */
import * as Exit from "effect/Exit"
import { forEachGuarded, guarded } from "../../values/guard.ts"
import { type Fate } from "../Accounting.ts"
import * as ExitReason from "../ExitReason.ts"
import { reportDeadLetter } from "./deadLetters.ts"
import { whenFull } from "./fullMailbox.ts"
import { SignalEnvelope } from "./plainEnvelopes.ts"
import { WaitingSenders } from "../internal/waitingSenders.ts"
import type { Signal } from "../Signal.ts"
import { isOpen, isDead } from "./life.ts"
import { resumeLater } from "./waitUntil.ts"
import type { Envelope, ProcessRecord, Refusal } from "./processRecord.ts"
import { emptyTally } from "./tally.ts"

// ---- in -----------------------------------------------------------------------------------------------------------

/**
 * Adds a message, or counts it as refused or dropped. Returns false if its sender has to wait for room: then `admit` is
 * called once there is room or the message has another fate. A sender that waits must post in the step in which it
 * begins to wait, because `admit` may be called before its next step.
 *
 * @internal
 */
export const post = (record: ProcessRecord, envelope: Envelope, admit?: () => void): boolean => {
  const { development } = record.kernel
  record.accepted++
  if (development !== undefined) development.posted(record, envelope)
  if (!isOpen(record.life)) return postClosed(record, envelope)
  if (envelope.from?.wasKilled === true) return lose(record, envelope)
  const { bound, mailbox } = record
  if (bound !== undefined && mailbox.size >= bound.capacity) return overflow(record, envelope, admit)
  mailbox.push(envelope, record)
  if (record.resume !== undefined) wake(record)
  return true
}

/** Adds a signal of the kernel, whatever the bound of the mailbox. @internal */
export const signal = (record: ProcessRecord, signal: Signal): void => {
  const envelope = new SignalEnvelope(signal)
  record.accepted++
  record.kernel.development?.posted(record, envelope)
  if (isOpen(record.life)) push(record, envelope)
  else postClosed(record, envelope)
}

const postClosed = (record: ProcessRecord, envelope: Envelope): true => {
  const { life } = record
  // The counts of a dead process have been added to the kernel's already.
  if (isDead(life)) record.kernel.retired.accepted++
  if (envelope.from?.wasKilled === true) return lose(record, envelope)
  return refuse(record, envelope, { _tag: "Closed", reason: isOpen(life) ? ExitReason.noProcess : life.exiting })
}

/** The mailbox is full. */
const overflow = (record: ProcessRecord, envelope: Envelope, admit: (() => void) | undefined): boolean => {
  const canWait = admit !== undefined && envelope.from !== record
  switch (whenFull(record.bound!.strategy, envelope.isControl === true, canWait)) {
    case "wait":
      ;(record.waiting ??= new WaitingSenders()).add(envelope, admit!)
      return false
    case "add":
      return push(record, envelope)
    case "drop":
      return drop(record, envelope)
    case "dropOldest": {
      const oldest = record.mailbox.take((held) => held.isControl !== true)
      if (oldest === undefined) return drop(record, envelope)
      drop(record, oldest)
      return push(record, envelope)
    }
    case "refuse":
      return refuse(record, envelope, { _tag: "Full" })
  }
}

const push = (record: ProcessRecord, envelope: Envelope): true => {
  record.mailbox.push(envelope, record)
  if (record.resume !== undefined) wake(record)
  return true
}

/** Wakes the fiber of the process if it waits for a message. @internal */
export const wake = (record: ProcessRecord): void => {
  const { fiber, kind, resume } = record
  if (resume === undefined || fiber === undefined) return
  record.resume = undefined
  resumeLater(fiber, resume, kind.whenWoken ?? Exit.void)
}

// ---- room ---------------------------------------------------------------------------------------------------------

/** Admits the next senders that wait for room. @internal */
export const roomMade = (record: ProcessRecord): void => {
  const { mailbox, waiting } = record
  if (waiting === undefined) return
  while (waiting.length > 0 && mailbox.size < record.bound!.capacity) {
    const { admit, envelope } = waiting.shift()!
    if (envelope.from?.wasKilled === true) lose(record, envelope)
    else push(record, envelope)
    admit()
  }
  if (waiting.length === 0) record.waiting = undefined
}

/** Admits requests to the process itself that wait for room behind other messages. @internal */
export const admitControls = (record: ProcessRecord): void => {
  for (const { admit, envelope } of record.waiting?.takeControls() ?? []) {
    push(record, envelope)
    admit()
  }
}

// ---- out ----------------------------------------------------------------------------------------------------------

/** Takes a message that has not begun out of the mailbox again. False if it has begun or is not here. @internal */
export const withdraw = (record: ProcessRecord, envelope: Envelope): boolean => {
  if (!record.mailbox.remove(envelope) && record.waiting?.remove(envelope) !== true) return false
  countFate(record, envelope, "returned")
  roomMade(record)
  return true
}

/** Takes a signal out of the mailbox before it was received. @internal */
export const withdrawSignal = (record: ProcessRecord, matches: (signal: Signal) => boolean): boolean => {
  const found = record.mailbox.take((envelope) => envelope instanceof SignalEnvelope && matches(envelope.signal))
  if (found === undefined) return false
  countFate(record, found, "returned")
  roomMade(record)
  return true
}

/** Refuses all waiting messages, because the process has closed. @internal */
export const refuseAll = (record: ProcessRecord, reason: ExitReason.ExitReason): void => {
  const { waiting } = record
  const left = record.mailbox.clear()
  if (left.length === 0 && waiting === undefined) return
  const why: Refusal = { _tag: "Closed", reason }
  record.waiting = undefined
  forEachGuarded(left, (envelope) => refuse(record, envelope, why), record)
  for (let next = waiting?.shift(); next !== undefined; next = waiting?.shift()) {
    const { admit, envelope } = next
    guarded(() => refuse(record, envelope, why), record)
    guarded(admit, record)
  }
}

/** Discards a message of a process that was killed. */
const lose = (record: ProcessRecord, envelope: Envelope): true => {
  envelope.refuse({ _tag: "Closed", reason: ExitReason.killed })
  countFate(record, envelope, "dropped")
  return true
}

const refuse = (record: ProcessRecord, envelope: Envelope, why: Refusal): true => {
  const fate = envelope.refuse(why)
  countFate(record, envelope, fate)
  if (fate === "deadLettered") reportDeadLetter(record, envelope, why)
  return true
}

const drop = (record: ProcessRecord, envelope: Envelope): true => {
  const fate = envelope.refuse({ _tag: "Full" })
  countFate(record, envelope, fate === "returned" ? "returned" : "dropped")
  return true
}

// ---- fates --------------------------------------------------------------------------------------------------------

/** Counts the fate of a message. @internal */
export const countFate = (record: ProcessRecord, envelope: Envelope, fate: Fate): void => {
  const { development } = record.kernel
  if (development !== undefined) development.gotFate(record, envelope, fate)
  addFate(record, fate)
}

/** Counts another fate for a message that was counted as handled and then put aside. @internal */
export const recountFate = (record: ProcessRecord, fate: Fate): void => {
  record.handled--
  addFate(record, fate)
}

const addFate = (record: ProcessRecord, fate: Fate): void => {
  if (fate === "handled") record.handled++
  else (record.fates ??= emptyTally())[fate]++
  // The counts of a dead process have been added to the kernel's already.
  if (isDead(record.life)) record.kernel.retired[fate]++
}
