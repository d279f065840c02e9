/** The telemetry events of the kernel. `Events` says what each one means. */
import * as Telemetry from "../../telemetry/Telemetry.ts"
import type { CrashReport } from "../CrashReport.ts"
import type { ExitReason } from "../ExitReason.ts"
import type { Pid } from "../Pid.ts"

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

export const processCrash = Telemetry.event<{ readonly count: number }, { readonly report: CrashReport }>(
  "otp.process.crash"
)

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

export const lateReply = Telemetry.event<
  { readonly count: number },
  { readonly pid: Pid; readonly displayName: string; readonly request: string }
>("otp.message.late_reply")

export const loopBlocked = Telemetry.event<{ readonly lateMillis: number }, { readonly thresholdMillis: number }>(
  "otp.loop.blocked"
)
