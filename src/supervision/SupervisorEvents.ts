/**
 * The telemetry events of supervisors.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type { ExitReason } from "../kernel/ExitReason.ts"
import type { Pid } from "../kernel/Pid.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import type { StartFailed } from "./RestartPolicy.ts"

interface Child {
  readonly supervisor: string
  readonly child: string
  readonly incarnation: number
  /** Undefined for a resource. */
  readonly pid: Pid | undefined
}

/**
 * A child is up. Measurement: how long its start took, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export const childStart = Telemetry.event<{ readonly durationMillis: number }, Child>("otp.supervisor.child.start")

/**
 * A child ended by itself, or did not start. Measurement: how long it was up, in milliseconds; 0 if it did not start.
 *
 * @category models
 * @since 0.1.0
 */
export const childExit = Telemetry.event<
  { readonly uptimeMillis: number },
  Child & { readonly reason: ExitReason | StartFailed<unknown> }
>("otp.supervisor.child.exit")

/**
 * A child will be started again because it ended or did not start. Siblings that restart with it have no event of their
 * own. Measurement: the delay before the restart, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export const childRestart = Telemetry.event<{ readonly delayMillis: number }, Child>("otp.supervisor.child.restart")

/**
 * A child did not end within its limit, nor in the same time again after the kill. It is left behind. Measurement: 1.
 *
 * @category models
 * @since 0.1.0
 */
export const childZombie = Telemetry.event<{ readonly count: number }, Child>("otp.supervisor.child.zombie")

/**
 * A supervisor gave up. Measurement: how many failures were counted, including the last one.
 *
 * @category models
 * @since 0.1.0
 */
export const limit = Telemetry.event<
  { readonly attempts: number },
  { readonly supervisor: string; readonly child: string; readonly policy: "intensity" | "schedule" }
>("otp.supervisor.limit")
