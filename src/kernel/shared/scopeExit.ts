/** The exit that a scope is closed with for a reason, and the reason after the scope has closed. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as ExitReason from "../ExitReason.ts"

/** @internal */
export const scopeExit = (reason: ExitReason.ExitReason): Exit.Exit<unknown, unknown> => {
  switch (reason._tag) {
    case "Normal":
      return Exit.void
    case "Crash":
      return Exit.failCause(reason.cause)
    default:
      return Exit.interrupt()
  }
}

/** @internal */
export const addDefects = (reason: ExitReason.ExitReason, cause: Cause.Cause<unknown>): ExitReason.ExitReason => {
  if (!Cause.hasDies(cause)) return reason
  if (reason._tag !== "Crash") return ExitReason.crash(cause)
  // `Cause.combine` compares errors by their own equality, which is code of a user.
  return ExitReason.crash(Cause.fromReasons([...reason.cause.reasons, ...cause.reasons]))
}
