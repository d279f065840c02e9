/** The telemetry events of supervisors. `Events` says what each one means. */
import type { ExitReason } from "../../kernel/ExitReason.ts"
import type { Pid } from "../../kernel/Pid.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import type { StartFailed } from "./core/errors.ts"

interface Child {
  readonly supervisor: string
  readonly child: string
  readonly incarnation: number
  /** Undefined for a resource. */
  readonly pid: Pid | undefined
}

export const childStart = Telemetry.event<{ readonly durationMillis: number }, Child>("otp.supervisor.child.start")

export const childExit = Telemetry.event<
  { readonly uptimeMillis: number },
  Child & { readonly reason: ExitReason | StartFailed }
>("otp.supervisor.child.exit")

export const childRestart = Telemetry.event<{ readonly delayMillis: number }, Child>("otp.supervisor.child.restart")

export const childZombie = Telemetry.event<{ readonly count: number }, Child>("otp.supervisor.child.zombie")

export const restartLimit = Telemetry.event<
  { readonly attempts: number },
  { readonly supervisor: string; readonly child: string; readonly policy: "intensity" | "schedule" }
>("otp.supervisor.limit")
