/** Exit reasons as they are shown to people. */
import { describe, read } from "../../values/describe.ts"
import type { Mode } from "../../values/valueKinds.ts"
import { render, renderCause, type Settings } from "../../values/render.ts"
import { type ExitReason, shutdown, crash } from "../ExitReason.ts"

/** A reason without the details of a crash, for text that strangers may read. */
export const outline = (reason: ExitReason): string => {
  if (reason._tag !== "Shutdown" || reason.detail === undefined) return reason._tag
  const { detail } = reason
  return `Shutdown: ${typeof detail === "string" ? describe(detail) : describe(read(detail, "_tag") ?? typeof detail)}`
}

/**
 * A reason that can be shown: within limits and without secrets. If it has nothing to hide, it is the reason itself.
 */
export const shownOf = (reason: ExitReason, settings: Settings, mode: Mode = "same"): ExitReason => {
  if (reason._tag === "Crash") {
    const shown = renderCause(reason.cause, mode, settings)
    return shown === reason.cause ? reason : crash(shown)
  }
  if (reason._tag !== "Shutdown" || reason.detail === undefined) return reason
  const detail = render(reason.detail, mode, settings)
  return detail === reason.detail ? reason : shutdown(detail)
}
