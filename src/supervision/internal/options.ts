/** Checks the options of a supervisor once, and turns them into what its process needs. */
import * as Duration from "effect/Duration"
import { type Limit } from "../../kernel/Shutdown.ts"
import type { RestartSchedule } from "../ChildSpec.ts"
import type { UntypedSpec } from "./child/untypedSpec.ts"
import type { Restart } from "../RestartPolicy.ts"
import type { Member } from "./group/member.ts"
import type { ChildStarter } from "./dynamic/dynamicChild.ts"
import type { DynamicSpec } from "./dynamic/dynamicSpec.ts"
import * as Intensity from "./core/intensity.ts"
import {
  defaultAutoShutdown,
  defaultIntensity,
  defaultMaxChildren,
  defaultPartitions,
  defaultPartitionStrategy,
  defaultRestart
} from "./defaults.ts"
import * as Check from "../../values/check.ts"
import { policyOf, RestartSteps } from "./child/restartSchedule.ts"
import * as Strategy from "./group/group.ts"
import type { SupervisorSpec } from "./static/children.ts"
import { checkedRestart } from "./core/restartType.ts"
import { viewAs } from "../../kernel/shared/processView.ts"
import { checkedLimit } from "../../kernel/shared/shutdown.ts"

interface Policies {
  readonly schedule?: RestartSchedule<unknown, never> | undefined
  readonly intensity?: { readonly max: number; readonly within: Duration.Input } | undefined
}

interface StaticOptions extends Policies {
  readonly strategy: Strategy.Options["strategy"]
  readonly autoShutdown?: Strategy.Options["autoShutdown"] | undefined
  readonly children: ReadonlyArray<UntypedSpec>
  readonly behaviour?: "PartitionSupervisor"
}

interface DynamicOptions extends Policies {
  readonly behaviour?: "TaskSupervisor"
  readonly restart?: Restart | undefined
  readonly resetAfter?: Duration.Input | undefined
  readonly shutdown?: Limit | undefined
  readonly maxChildren?: number | undefined
}

interface PartitionOptions extends Policies {
  readonly partitions?: number | undefined
  readonly strategy?: Strategy.Options["strategy"] | undefined
  readonly resetAfter?: Duration.Input | undefined
  readonly shutdown?: Limit | undefined
}

/** @internal */
export const specOf = (id: string, options: StaticOptions): (() => SupervisorSpec) => {
  const { children, schedule } = options
  const { max, within } = intensityOf(id, options)
  const window = Check.duration(`${id}: intensity: within`, within)
  const policies = children.map((child) => policyOf(child.options.schedule ?? schedule))
  const counted = (index: number) => options.intensity !== undefined || policies[index] === undefined
  const checked = Strategy.checkOptions({
    strategy: options.strategy,
    autoShutdown: Check.or(options.autoShutdown, defaultAutoShutdown),
    intensity: { max, withinMillis: Duration.toMillis(window) },
    members: children.map((child, index) => memberOf(child, index, counted(index)))
  })
  const quiet = children.map(({ options: { resetAfter, shutdown } }, index) => {
    const child = `${id}: child "${checked.members[index]!.id}"`
    if (shutdown !== undefined) checkedLimit(`${child}: shutdown`, shutdown)
    return resetAfter === undefined ? window : Check.duration(`${child}: resetAfter`, resetAfter)
  })
  const listedAs = viewAs(options.behaviour ?? "Supervisor")
  return () => ({
    id,
    listedAs,
    options: checked,
    children,
    schedule: (index) => {
      const policy = policies[index]
      return policy === undefined ? undefined : new RestartSteps(policy, quiet[index]!)
    }
  })
}

/** The options of a supervisor of this many partitions. Partitions are always restarted. @internal */
export const partitionSpecOf = (
  id: string,
  layer: (partition: number) => UntypedSpec["layer"],
  options: PartitionOptions
): (() => SupervisorSpec) => {
  const { partitions = defaultPartitions, resetAfter, shutdown, strategy = defaultPartitionStrategy } = options
  Check.wholeNumber(`${id}: partitions`, partitions, 1)
  const children = Array.from({ length: partitions }, (_, partition): UntypedSpec => {
    const child = { id: `${partition}`, resetAfter, shutdown }
    return { kind: "child", layer: layer(partition), options: child, key: undefined }
  })
  const { intensity, schedule } = options
  return specOf(id, { behaviour: "PartitionSupervisor", strategy, schedule, intensity, children })
}

/** @internal */
export const dynamicSpecOf = (id: string, starter: ChildStarter, options: DynamicOptions): DynamicSpec => {
  const policy = policyOf(options.schedule)
  const { max, within } = intensityOf(id, options)
  const window = Check.duration(`${id}: intensity: within`, within)
  const counted = options.intensity !== undefined || policy === undefined
  const intensity = { max, withinMillis: Duration.toMillis(window) }
  const resetAfter = options.resetAfter === undefined ? window : Check.duration(`${id}: resetAfter`, options.resetAfter)
  const { maxChildren = defaultMaxChildren } = options
  if (maxChildren !== Infinity) Check.wholeNumber(`${id}: maxChildren`, maxChildren, 0)
  // Checks the numbers.
  Intensity.make(intensity)
  const restart = checkedRestart(Check.or(options.restart, defaultRestart))
  return {
    id,
    listedAs: viewAs(options.behaviour ?? "DynamicSupervisor"),
    starter,
    restart,
    intensity: counted ? intensity : undefined,
    steps: () => (policy === undefined ? undefined : new RestartSteps(policy, resetAfter)),
    limit: options.shutdown === undefined ? undefined : checkedLimit(`${id}: shutdown`, options.shutdown),
    maxChildren
  }
}

const intensityOf = (id: string, { intensity }: Policies) =>
  Check.record(`${id}: intensity`, Check.or(intensity, defaultIntensity))

const memberOf = (child: UntypedSpec, index: number, counted: boolean): Member => {
  const { id = `child ${index + 1}`, restart = defaultRestart, significant = false } = child.options
  return child.kind === "resource"
    ? { kind: "resource", id, counted, rebuild: rebuildOf(child) }
    : { kind: "child", id, restart, significant, counted }
}

/** A resource with a watch says itself when it is broken. For any other resource, a failing holder is the only sign. */
const rebuildOf = ({ options }: UntypedSpec): "withHolder" | "onWatch" => {
  const rebuild = Check.or(options.rebuild, options.watch === undefined ? "withHolder" : "onWatch")
  return Check.oneOf("rebuild of a resource", rebuild, ["withHolder", "onWatch"])
}
