/**
 * One structured report for each crash, written to Effect's log with no wiring.
 *
 * Only the process that crashed reports, and not those that its exit signal ends: a chain of fifty linked processes
 * dies with one report. Under a supervisor the report also says what the supervisor decided. A supervisor writes one
 * warning for every other abnormal end of a child (a kill, a shutdown past its limit, a start that fails).
 *
 * **Guarantees**
 *
 * - Rate: at most 10 reports and warnings a second are written for each label (or name; processes with neither share one
 *   limit for each parent), and at most 100 for the whole kernel. When the second is over, one line says how many were left
 *   out. The telemetry event `otp.process.crash` is sent for every crash.
 * - Size: message, state and cause are shown within the limits of `Display.CurrentLimits`, whatever is thrown.
 * - Secrets: values under the names of `Display.CurrentRedactedNames`, and the credentials in addresses, are not shown.
 * - Cost: nothing is rendered for a report that nobody sees.
 * - A line is always written: if a logger throws, the report goes to the console.
 *
 * **In Erlang/OTP**
 *
 * The crash report of `proc_lib`, the terminate log of `gen_server` and `child_terminated` of a supervisor in one.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type { Pid } from "./Pid.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * What is known of a crash.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface CrashReport {
  readonly pid: Pid
  /**
   * The name of the process for people: its label or name, with its id or key in its supervisor:
   * `app/Worker(tenant-42)`.
   */
  readonly displayName: string
  readonly name: string | undefined
  readonly label: string | undefined
  /** From the parent upwards, each by its display name. At most 32. */
  readonly ancestors: ReadonlyArray<string>
  /** The message in hand, if there was one, within the limits and without secrets. */
  readonly message: unknown
  /** The state before that message, within the limits and without secrets. */
  readonly state: unknown
  /** The cause, within the limits and without secrets. An error that has nothing to hide is the error itself. */
  readonly cause: Cause.Cause<unknown>
  /** How many messages were waiting. */
  readonly mailboxLength: number
  /** What the supervisor decided, for example `restart in 100 ms`. Undefined if the process has no supervisor. */
  readonly decision: string | undefined
}
