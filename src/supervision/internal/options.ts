/** Turns the options of a supervisor into what its process needs, once and checked. */
import * as Duration from "effect/Duration"
import type { Launch } from "../../behaviour/GenServer.ts"
import type { Limit } from "../../kernel/Shutdown.ts"
import type { RestartSchedule, Untyped } from "../ChildSpec.ts"
import type { Restart } from "../RestartPolicy.ts"
import type { Member } from "./child.ts"
import type { DynamicSpec } from "./dynamicProcess.ts"
import * as Intensity from "./intensity.ts"
import { policyOf, RestartSteps } from "./restartSchedule.ts"
import * as Strategy from "./strategy.ts"
import type { SupervisorSpec } from "./supervisorProcess.ts"

const defaultIntensity = { max: 3, within: Duration.seconds(5) }

interface Policies {
  readonly schedule?: RestartSchedule<unknown, never> | undefined
  readonly intensity?: { readonly max: number; readonly within: Duration.Input } | undefined
}

interface StaticOptions extends Policies {
  readonly strategy: Strategy.Options["strategy"]
  readonly autoShutdown?: Strategy.Options["autoShutdown"] | undefined
  readonly children: ReadonlyArray<Untyped>
}

interface DynamicOptions extends Policies {
  readonly restart?: Restart | undefined
  readonly resetAfter?: Duration.Input | undefined
  readonly shutdown?: Limit | undefined
  readonly maxChildren?: number | undefined
}

/** @internal */
export const specOf = (id: string, options: StaticOptions): (() => SupervisorSpec) => {
  const { children, schedule } = options
  const { max, within } = options.intensity ?? defaultIntensity
  const window = Duration.fromInputUnsafe(within)
  const policies = children.map((child) => policyOf(child.options.schedule ?? schedule))
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

/** @internal */
export const dynamicSpecOf = (
  id: string,
  launch: Launch,
  options: DynamicOptions
): DynamicSpec => {
  const policy = policyOf(options.schedule)
  const { max, within } = options.intensity ?? defaultIntensity
  const window = Duration.fromInputUnsafe(within)
  const counted = options.intensity !== undefined || policy === undefined
  const limit = { max, withinMillis: Duration.toMillis(window) }
  const resetAfter = options.resetAfter === undefined ? window : Duration.fromInputUnsafe(options.resetAfter)
  const { maxChildren = Infinity } = options
  if (!(maxChildren >= 0)) throw new RangeError(`${id}: maxChildren must be 0 or more, not ${maxChildren}`)
  // Checks the numbers.
  Intensity.make(limit)
  return {
    id,
    launch,
    restart: options.restart ?? "permanent",
    intensity: counted ? limit : undefined,
    steps: () => (policy === undefined ? undefined : new RestartSteps(policy, resetAfter)),
    limit: options.shutdown ?? Duration.seconds(5),
    maxChildren
  }
}

const memberOf = (child: Untyped, index: number, counted: boolean): Member => {
  const { id = `child ${index + 1}`, restart = "permanent", significant = false } = child.options
  return child.kind === "resource" ? { kind: "resource", id, counted } : { kind: "child", id, restart, significant, counted }
}
