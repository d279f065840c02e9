/** Reports a message that no process took, by one telemetry event. */
import type * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { render } from "../../values/render.ts"
import { type ExitReason } from "../ExitReason.ts"
import type { Pid } from "../Pid.ts"
import { displayName } from "./displayName.ts"
import * as Events from "./events.ts"
import type { Named } from "./warnings.ts"
import { settingsOf } from "./displaySettings.ts"
import { shownOf } from "./shownReason.ts"

interface Receiver extends Named, Pid<unknown> {
  readonly kernel: { readonly telemetry: Telemetry.Table; isReportingLostMessage: boolean }
  readonly context: Context.Context<never>
}

interface Letter {
  readonly from: Pid<unknown> | undefined
  readonly content: unknown
}

type Why = { readonly _tag: "Closed"; readonly reason: ExitReason } | { readonly _tag: "Full" }

/** If a listener sends to a dead process, that is not announced. @internal */
export const reportDeadLetter = (to: Receiver, { content, from }: Letter, why: Why): void => {
  const { kernel, label, name } = to
  if (kernel.isReportingLostMessage || !Telemetry.isActiveUnsafe(kernel.telemetry, Events.deadLetter)) return
  kernel.isReportingLostMessage = true
  try {
    // The context of a process that has ended is empty, and has no settings.
    const settings = settingsOf(Fiber.getCurrent()?.context ?? to.context)
    const shown = {
      content: render(content, "same", settings),
      why: why._tag === "Full" ? why : { _tag: why._tag, reason: shownOf(why.reason, settings) }
    }
    const about = { to, displayName: displayName(to), name, label, from }
    Telemetry.executeUnsafe(kernel.telemetry, Events.deadLetter, { count: 1 }, { ...about, ...shown })
  } finally {
    kernel.isReportingLostMessage = false
  }
}
