/** Values of users as texts, without secrets and within limits. */
import * as Cause from "effect/Cause"
import * as Formatter from "effect/Formatter"
import { render, renderCause, renderText, type Settings } from "../../values/render.ts"

/** @internal */
export const shownText = (value: unknown, settings: Settings): string => {
  const shown = render(value, "plain", settings)
  return typeof shown === "string" ? shown : Formatter.format(shown, { space: 2 })
}

/** @internal */
export const shownCause = (cause: Cause.Cause<unknown>, settings: Settings): string =>
  renderText(Cause.pretty(renderCause(cause, "plain", settings)), settings, settings.limits.size)
