/** What the kernel tells people and telemetry: deaths, crashes, messages nobody took. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { describe } from "../../values/describe.ts"
import * as CrashReport from "../CrashReport.ts"
import * as Events from "../Events.ts"
import type { ExitReason } from "../ExitReason.ts"
import type { Pid } from "../Pid.ts"

interface Known {
  readonly name: string | undefined
  readonly label: string | undefined
  toString(): string
}

interface Process extends Known, Pid<unknown> {
  readonly kernel: {
    readonly telemetry: Telemetry.Table
    readonly crashes: CrashReport.CrashLimiter
    announcing: boolean
  }
  readonly accepted: number
  readonly handled: number
}

interface Descendant extends Known {
  readonly parent: Descendant | undefined
}

interface Letter {
  readonly from: Pid<unknown> | undefined
  readonly content: unknown
}

type Why = { readonly _tag: "Closed"; readonly reason: ExitReason } | { readonly _tag: "Full" }

/** How people know a process: by label, name or pid. @internal */
export const displayName = (record: Known): string => record.label ?? record.name ?? record.toString()

/** From the parent upwards. @internal */
export const ancestors = (record: Descendant): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (let { parent } = record; parent !== undefined; parent = parent.parent) names.push(displayName(parent))
  return names
}

/** @internal */
export const death = (record: Process, reason: ExitReason): void => {
  const { accepted, handled, label, name } = record
  const { telemetry } = record.kernel
  if (!Telemetry.isActiveUnsafe(telemetry, Events.processExit)) return
  Telemetry.executeUnsafe(telemetry, Events.processExit, { accepted, handled }, { pid: record, name, label, reason })
}

/** A listener that sends to a dead process causes no further announcement. @internal */
export const deadLetter = (to: Process, { content, from }: Letter, why: Why): void => {
  const { kernel, label, name } = to
  if (kernel.announcing || !Telemetry.isActiveUnsafe(kernel.telemetry, Events.deadLetter)) return
  kernel.announcing = true
  try {
    Telemetry.executeUnsafe(kernel.telemetry, Events.deadLetter, { count: 1 }, { to, name, label, from, content, why })
  } finally {
    kernel.announcing = false
  }
}

/** Logs what a listener to a death has thrown, an observer for example. @internal */
export const logThrown = (record: Known, error: unknown, context: Context.Context<never>): void => {
  const line = `${displayName(record)} has ended, and something that was told of it threw: ${describe(error)}`
  try {
    Effect.runForkWith(context)(Effect.logError(line))
  } catch {
    // The environment itself cannot run an effect. There is nothing left to say it with.
  }
}

/** Sends a crash report to telemetry, and to the log unless there were too many. @internal */
export const reportCrash = (
  { crashes, telemetry }: Process["kernel"],
  report: CrashReport.CrashReport,
  context: Context.Context<never>
): void => {
  if (Telemetry.isActiveUnsafe(telemetry, Events.processCrash)) {
    Telemetry.executeUnsafe(telemetry, Events.processCrash, { count: 1 }, { report })
  }
  const nowMillis = Number(Context.get(context, Clock.Clock).monotonicTimeNanosUnsafe()) / 1_000_000
  const suppressed = crashes.admit(CrashReport.kind(report), nowMillis)
  if (suppressed !== undefined) CrashReport.write(report, suppressed, context)
}
