/** Turns the options of a supervisor into what its process needs, once and checked. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Launch } from "../../behaviour/GenServer.ts"
import type { Limit } from "../../kernel/Shutdown.ts"
import type { RestartSchedule, Untyped } from "../ChildSpec.ts"
import type { Restart } from "../RestartPolicy.ts"
import type { Member } from "./child.ts"
import type { DynamicSpec } from "./dynamicSpec.ts"
import * as Intensity from "./intensity.ts"
import { describe } from "../../values/describe.ts"
import { policyOf, RestartSteps } from "./restartSchedule.ts"
import * as Strategy from "./strategy.ts"
import type { SupervisorSpec } from "./slots.ts"
import { knownRestart } from "./validate.ts"

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

interface PartitionOptions extends Policies {
  readonly partitions?: number | undefined
  readonly strategy?: Strategy.Options["strategy"] | undefined
  readonly resetAfter?: Duration.Input | undefined
  readonly shutdown?: Limit | undefined
}

/** @internal */
export const specOf = (id: string, options: StaticOptions): (() => SupervisorSpec) => {
  const { children, schedule } = options
  const { max, within } = options.intensity ?? defaultIntensity
  const window = duration(`${id}: intensity: within`, within)
  const policies = children.map((child) => policyOf(child.options.schedule ?? schedule))
  const counted = (index: number) => options.intensity !== undefined || policies[index] === undefined
  const checked = Strategy.validate({
    strategy: options.strategy,
    autoShutdown: options.autoShutdown ?? "never",
    intensity: { max, withinMillis: Duration.toMillis(window) },
    members: children.map((child, index) => memberOf(child, index, counted(index)))
  })
  const quiet = children.map(({ options: { resetAfter, shutdown } }, index) => {
    const child = `${id}: child "${checked.members[index]!.id}"`
    if (shutdown !== undefined) limit(`${child}: shutdown`, shutdown)
    return resetAfter === undefined ? window : duration(`${child}: resetAfter`, resetAfter)
  })
  return () => ({
    id,
    options: checked,
    children,
    schedule: (index) => {
      const policy = policies[index]
      return policy === undefined ? undefined : new RestartSteps(policy, quiet[index]!)
    }
  })
}

/** A supervisor of so many partitions, which are always restarted. @internal */
export const partitionSpecOf = (
  id: string,
  layer: (partition: number) => Untyped["layer"],
  options: PartitionOptions
): (() => SupervisorSpec) => {
  const { partitions = 8, resetAfter, shutdown, strategy = "oneForOne" } = options
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new RangeError(`${id}: partitions must be a whole number, 1 or more, not ${inspect(partitions)}`)
  }
  const children = Array.from({ length: partitions }, (_, partition): Untyped => {
    const child = { id: `${partition}`, resetAfter, shutdown }
    return { kind: "child", layer: layer(partition), options: child, key: undefined }
  })
  return specOf(id, { strategy, schedule: options.schedule, intensity: options.intensity, children })
}

/** @internal */
export const dynamicSpecOf = (id: string, launch: Launch, options: DynamicOptions): DynamicSpec => {
  const policy = policyOf(options.schedule)
  const { max, within } = options.intensity ?? defaultIntensity
  const window = duration(`${id}: intensity: within`, within)
  const counted = options.intensity !== undefined || policy === undefined
  const intensity = { max, withinMillis: Duration.toMillis(window) }
  const resetAfter = options.resetAfter === undefined ? window : duration(`${id}: resetAfter`, options.resetAfter)
  const { maxChildren = Infinity } = options
  if (!(maxChildren === Infinity || (Number.isInteger(maxChildren) && maxChildren >= 0))) {
    throw new RangeError(`${id}: maxChildren must be a whole number, 0 or more, not ${maxChildren}`)
  }
  // Checks the numbers.
  Intensity.make(intensity)
  knownRestart(options.restart ?? "permanent")
  return {
    id,
    launch,
    restart: options.restart ?? "permanent",
    intensity: counted ? intensity : undefined,
    steps: () => (policy === undefined ? undefined : new RestartSteps(policy, resetAfter)),
    limit: limit(`${id}: shutdown`, options.shutdown ?? Duration.seconds(5)),
    maxChildren
  }
}

/** A limit that can be one, or a `RangeError`. @internal */
export const limit = (what: string, input: Limit): Limit =>
  input === "brutalKill" || input === "infinity" ? input : duration(what, input)

const duration = (what: string, input: Duration.Input): Duration.Duration => {
  const found = Option.getOrUndefined(Duration.fromInput(input))
  // Not a number is zero for `Duration`.
  if (found !== undefined && !Number.isNaN(input) && !Duration.isNegative(found)) return found
  throw new RangeError(`${what} must be a duration of 0 or more, not ${inspect(input)}`)
}

/** What a user of JavaScript may have written. */
const inspect = (input: unknown): string =>
  typeof input === "number" ? describe(input) : (JSON.stringify(input) ?? "nothing")

const memberOf = (child: Untyped, index: number, counted: boolean): Member => {
  const { id = `child ${index + 1}`, restart = "permanent", significant = false } = child.options
  return child.kind === "resource"
    ? { kind: "resource", id, counted, rebuild: rebuildOf(child) }
    : { kind: "child", id, restart, significant, counted }
}

/** What watches itself says when it is broken; of anything else a failing holder is the only sign. */
const rebuildOf = ({ options }: Untyped): "withHolder" | "onWatch" =>
  options.rebuild ?? (options.watch === undefined ? "withHolder" : "onWatch")
