/**
 * The telemetry events of the kernel.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Telemetry from "../telemetry/Telemetry.ts"
import type { CrashReport } from "./CrashReport.ts"
import type { ExitReason } from "./ExitReason.ts"
import type { Pid } from "./Pid.ts"

/**
 * A process is dead. Measurements: the messages that it was sent and that it handled.
 *
 * @category models
 * @since 0.1.0
 */
export const processExit = Telemetry.event<
  { readonly accepted: number; readonly handled: number },
  {
    readonly pid: Pid
    readonly displayName: string
    readonly name: string | undefined
    readonly label: string | undefined
    readonly reason: ExitReason
  }
>("otp.process.exit")

/**
 * A process crashed. The event has its report, with the decision of its supervisor, if it has one. It is sent for each
 * crash, even if the log leaves the report out.
 *
 * @category models
 * @since 0.1.0
 */
export const processCrash = Telemetry.event<{ readonly count: number }, { readonly report: CrashReport }>(
  "otp.process.crash"
)

/**
 * No process took a message: its receiver is dead or full.
 *
 * @category models
 * @since 0.1.0
 */
export const deadLetter = Telemetry.event<
  { readonly count: number },
  {
    readonly to: Pid
    readonly displayName: string
    readonly name: string | undefined
    readonly label: string | undefined
    readonly from: Pid | undefined
    readonly content: unknown
    readonly why: { readonly _tag: "Closed"; readonly reason: ExitReason } | { readonly _tag: "Full" }
  }
>("otp.message.dead_letter")

/**
 * An answer came when its caller had stopped waiting.
 *
 * @category models
 * @since 0.1.0
 */
export const lateReply = Telemetry.event<
  { readonly count: number },
  { readonly pid: Pid; readonly displayName: string; readonly request: string }
>("otp.message.late_reply")

/**
 * The event loop was blocked. The measurement says by how much a timer was late. Sent only if `EventLoop.layer` is
 * provided.
 *
 * @category models
 * @since 0.1.0
 */
export const loopBlocked = Telemetry.event<{ readonly lateMillis: number }, { readonly thresholdMillis: number }>(
  "otp.loop.blocked"
)
