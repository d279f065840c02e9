/** Notes crashes and restarts as they happen. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CrashReport } from "../../kernel/CrashReport.ts"
import { settingsOf } from "../../kernel/shared/displaySettings.ts"
import { recordOf } from "../../kernel/shared/processes.ts"
import * as Events from "../../supervision/Events.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import type { Settings } from "../../values/render.ts"
import type * as Snapshot from "../Snapshot.ts"
import type { Observation } from "./observation.ts"
import { shownCause, shownText } from "./shownText.ts"

/** As long as the scope is open. @internal */
export const noteIncidents = ({ kernel, known }: Observation): Effect.Effect<void, never, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const { context } = fiber
    const now = () => Context.get(context, Clock.Clock).currentTimeMillisUnsafe()
    const settings = settingsOf(context)
    const id = `effect-otp/observer ${++observers}`
    const crashes = Telemetry.attachScoped(id, Events.processCrash, (_, { report }) => {
      known.crashes.add((number) => crashOf(report, { number, at: now(), settings }))
    })
    const restarts = Telemetry.attachScoped(`${id} restarts`, Events.childStart, (_, started) => {
      const { child, incarnation, pid, supervisor } = started
      if (incarnation === 1) return
      const process = pid === undefined ? {} : { process: pid.id }
      known.restarts.add((number) => ({ number, at: now(), supervisor, child, incarnation, ...process }))
    })
    // The ids are used once, so no handler can have them.
    return Effect.orDie(Effect.provideService(Effect.andThen(crashes, restarts), Telemetry.Telemetry, kernel.telemetry))
  })

let observers = 0

const crashOf = (
  report: CrashReport,
  { at, number, settings }: { readonly at: number; readonly number: number; readonly settings: Settings }
): Snapshot.Crash => {
  const { parent } = recordOf(report.pid)
  return {
    number,
    at,
    process: report.pid.id,
    ...(parent === undefined ? {} : { parent: parent.id }),
    displayName: report.displayName,
    ancestors: report.ancestors,
    cause: shownCause(report.cause, settings),
    ...(report.message === undefined ? {} : { message: shownText(report.message, settings) }),
    ...(report.state === undefined ? {} : { state: shownText(report.state, settings) }),
    mailboxLength: report.mailboxLength,
    ...(report.decision === undefined ? {} : { decision: report.decision })
  }
}
