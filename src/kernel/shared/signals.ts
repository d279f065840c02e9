/**
 * What exit signals do, and what a parent asks for.
 *
 * When a function returns, its signal has been delivered. No function runs code of a user in the sender's step. The
 * interruption of a fiber is a task of its own, so signals do not recurse.
 */
import * as Fiber from "effect/Fiber"
import type { ExitReason } from "../ExitReason.ts"
import { Exit } from "../Signal.ts"
import { signal } from "./delivery.ts"
import { isOpen, type EndedBy } from "./life.ts"
import type { ProcessRecord } from "./processRecord.ts"
import { interruptLater } from "./waitUntil.ts"

/** An exit signal from another process, from the process itself, or (undefined) from outside. @internal */
export const exitSignal = (record: ProcessRecord, from: ProcessRecord | undefined, reason: ExitReason): void => {
  record.kernel.development?.sends(from, () => `send an exit signal to ${record.toString()}`)
  // Signals of a killed process are discarded.
  if (from?.wasKilled !== true) receive(record, from, reason, "signal")
}

/** A linked process has ended. @internal */
export const linkedExit = (record: ProcessRecord, from: ProcessRecord, reason: ExitReason): void =>
  receive(record, from, reason, "link")

const receive = (record: ProcessRecord, from: ProcessRecord | undefined, reason: ExitReason, by: EndedBy): void => {
  const { kind } = record
  if (!isOpen(record.life) || kind.onExit?.(record, from, reason) === true) return
  if (record.trapExit) return signal(record, new Exit(from, reason))
  // A normal end of another process has no effect.
  if (reason._tag === "Normal" && from !== record) return
  kind.onSignal(record, reason, by)
}

/** The parent asks for an orderly end. @internal */
export const shutdown = (record: ProcessRecord, reason: ExitReason): void => {
  if (isOpen(record.life)) record.kind.onShutdown(record, reason)
}

/** Interrupts what runs for a process now: its turn if there is one, else its own fiber. @internal */
export const interrupt = (record: ProcessRecord): void => {
  const fiber = record.turn ?? record.fiber
  if (fiber === undefined || fiber.pollUnsafe() !== undefined) return
  // A process that ends itself does no more steps.
  if (fiber === Fiber.getCurrent()) return fiber.interruptUnsafe()
  interruptLater(fiber)
}
