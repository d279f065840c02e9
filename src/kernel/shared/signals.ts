/**
 * What exit signals do, and what a parent asks for.
 *
 * A signal is delivered when the function returns. Nothing here runs code of a user in the sender's step: the interruption
 * of a fiber is a task of its own, so signals do not recurse.
 */
import * as Fiber from "effect/Fiber"
import type { ExitReason } from "../ExitReason.ts"
import { Exit } from "../Signal.ts"
import { signal } from "./delivery.ts"
import { isOpen, type EndedBy } from "./life.ts"
import type { ProcessRecord } from "./processRecord.ts"

/** An exit signal from another process, from itself, or (undefined) from outside. @internal */
export const exitSignal = (record: ProcessRecord, from: ProcessRecord | undefined, reason: ExitReason): void => {
  // What a killed process still sends is discarded.
  if (from?.wasKilled !== true) receive(record, from, reason, "signal")
}

/** A linked process has ended. @internal */
export const linkedExit = (record: ProcessRecord, from: ProcessRecord, reason: ExitReason): void =>
  receive(record, from, reason, "link")

const receive = (record: ProcessRecord, from: ProcessRecord | undefined, reason: ExitReason, by: EndedBy): void => {
  const { kind } = record
  if (!isOpen(record.life) || kind.onExit?.(record, from, reason) === true) return
  if (record.trapExit) return signal(record, new Exit(from, reason))
  // A normal end of another concerns nobody.
  if (reason._tag === "Normal" && from !== record) return
  kind.onSignal(record, reason, by)
}

/** An orderly end, asked for by the parent. @internal */
export const shutdown = (record: ProcessRecord, reason: ExitReason): void => {
  if (isOpen(record.life)) record.kind.onShutdown(record, reason)
}

/** Interrupts what works in the name of a process now: its turn if there is one, or else its own fiber. @internal */
export const interrupt = (record: ProcessRecord): void => {
  const fiber = record.turn ?? record.fiber
  if (fiber === undefined || fiber.pollUnsafe() !== undefined) return
  // A process that ends itself does nothing more.
  if (fiber === Fiber.getCurrent()) return fiber.interruptUnsafe()
  fiber.currentDispatcher.scheduleTask(() => fiber.interruptUnsafe(), 0)
}
