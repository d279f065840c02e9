/**
 * Says why a process ended.
 *
 * A reason belongs to the record of a process and is written once, at its death. It is never guessed from the
 * shape of a `Cause`: an interruption that no signal of the kernel caused is a `Crash`.
 *
 * **Guarantees**
 *
 * - `Normal` and `Shutdown` are *expected*: no crash report, no restart of a transient child. `isExpected` is the
 *   one place that decides.
 *
 * **In Erlang/OTP**
 *
 * Exit reasons of the emulator. `normal`, `shutdown` and `{shutdown, T}`, `killed`, `noproc` and `noconnection`
 * have their own cases, every other term is a `Crash` with its cause.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import { describe, describeCause } from "../values/describe.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Why a process ended.
 *
 * @category models
 * @since 0.1.0
 */
export type ExitReason = Normal | Shutdown | Killed | NoProcess | NoConnection | Crash

/**
 * The process did what it had to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Normal {
  readonly _tag: "Normal"
}

/**
 * The process was asked to end, or ended on purpose; `detail` says more where there is more to say.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shutdown {
  readonly _tag: "Shutdown"
  readonly detail?: unknown
}

/**
 * The process was killed, which it could neither trap nor delay.
 *
 * @category models
 * @since 0.1.0
 */
export interface Killed {
  readonly _tag: "Killed"
}

/**
 * There was no such process: the reason a monitor or link of a dead process yields.
 *
 * @category models
 * @since 0.1.0
 */
export interface NoProcess {
  readonly _tag: "NoProcess"
}

/**
 * The connection to the node of the process broke.
 *
 * @category models
 * @since 0.1.0
 */
export interface NoConnection {
  readonly _tag: "NoConnection"
}

/**
 * The process failed, died of a defect, or was interrupted by nobody the kernel knows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Crash {
  readonly _tag: "Crash"
  readonly cause: Cause.Cause<unknown>
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * The reason `Normal`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const normal: ExitReason = { _tag: "Normal" }

/**
 * The reason `Killed`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const killed: ExitReason = { _tag: "Killed" }

/**
 * The reason `NoProcess`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noProcess: ExitReason = { _tag: "NoProcess" }

/**
 * The reason `NoConnection`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noConnection: ExitReason = { _tag: "NoConnection" }

const plainShutdown: ExitReason = { _tag: "Shutdown" }

/**
 * The reason `Shutdown`, with a detail if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const shutdown = (detail?: unknown): ExitReason =>
  detail === undefined ? plainShutdown : { _tag: "Shutdown", detail }

/**
 * The reason `Crash` with its cause.
 *
 * @category constructors
 * @since 0.1.0
 */
export const crash = (cause: Cause.Cause<unknown>): ExitReason => ({ _tag: "Crash", cause })

/**
 * The reason `Crash` for one defect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const defect = (defect: unknown): ExitReason => crash(Cause.die(defect))

/**
 * The reason a process has whose body ended with this exit and that got no signal to end.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromExit = (exit: Exit.Exit<unknown, unknown>): ExitReason =>
  exit._tag === "Success" ? normal : crash(exit.cause)

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a reason is expected: `Normal` or `Shutdown`.
 *
 * **Example** (Telling a crash from an orderly end)
 *
 * ```ts import.meta.vitest
 * import { ExitReason } from "effect-otp"
 *
 * ExitReason.isExpected(ExitReason.shutdown("deploy")) // => true
 * ExitReason.isExpected(ExitReason.killed) // => false
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isExpected = (reason: ExitReason): boolean => reason._tag === "Normal" || reason._tag === "Shutdown"

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Renders a reason for people: one line, and the cause of a crash behind it.
 *
 * It never throws, even if an error cannot be shown. It cuts a cause after 10,000 characters and a detail after 1,000.
 *
 * @category operations
 * @since 0.1.0
 */
export const format = (reason: ExitReason): string => {
  switch (reason._tag) {
    case "Crash":
      return `Crash: ${describeCause(reason.cause)}`
    case "Shutdown":
      return reason.detail === undefined ? "Shutdown" : `Shutdown: ${describe(reason.detail)}`
    default:
      return reason._tag
  }
}
