/** Turns the options of a supervisor into what its process needs, once and checked. */
import * as Duration from "effect/Duration"
import type { Untyped } from "../ChildSpec.ts"
import type { Options as SupervisorOptions } from "../Supervisor.ts"
import type { Member } from "./child.ts"
import { policyOf, RestartSteps } from "./restartSchedule.ts"
import * as Strategy from "./strategy.ts"
import type { SupervisorSpec } from "./supervisorProcess.ts"

const defaultIntensity = { max: 3, within: Duration.seconds(5) }

/** @internal */
export const specOf = (id: string, options: SupervisorOptions<ReadonlyArray<Untyped>>): (() => SupervisorSpec) => {
  const { children, schedule } = options
  const { max, within } = options.intensity ?? defaultIntensity
  const window = Duration.fromInputUnsafe(within)
  const policies = children.map((child) => policyOf(child.options.schedule) ?? schedule)
  const checked = Strategy.validate({
    strategy: options.strategy,
    autoShutdown: options.autoShutdown ?? "never",
    intensity: { max, withinMillis: Duration.toMillis(window) },
    members: children.map((child, index) =>
      memberOf(child, index, options.intensity !== undefined || policies[index] === undefined)
    )
  })
  return () => ({
    id,
    options: checked,
    children,
    schedule: (index) => {
      const policy = policies[index]
      const resetAfter = children[index]!.options.resetAfter
      if (policy === undefined) return undefined
      return new RestartSteps(policy, resetAfter === undefined ? window : Duration.fromInputUnsafe(resetAfter))
    }
  })
}

const memberOf = (child: Untyped, index: number, counted: boolean): Member => {
  const { id = `child ${index + 1}`, restart = "permanent", significant = false } = child.options
  return child.kind === "resource" ? { kind: "resource", id, counted } : { kind: "child", id, restart, significant, counted }
}
