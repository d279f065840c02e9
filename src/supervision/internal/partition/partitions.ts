/** What a partition supervisor adds to a supervisor: to how many of its children keys are routed. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { SupervisedLayers } from "../../../kernel/shared/adoption.ts"
import type { UntypedSpec } from "../child/untypedSpec.ts"
import type { RunningSupervisor } from "../static/runningSupervisor.ts"

/** @internal */
export class Partitions {
  readonly supervisor: RunningSupervisor
  /** Keys go to the partitions below this number. */
  size: number
  /** The number that will be in use once the partitions that are starting are up. */
  growingTo: number | undefined = undefined
  /** Only one change of the size runs at a time. */
  readonly resizing = Semaphore.makeUnsafe(1)

  constructor(supervisor: RunningSupervisor) {
    this.supervisor = supervisor
    this.size = supervisor.spec.children.length
  }
}

const known = new WeakMap<RunningSupervisor, Partitions>()

/** The partitions of one run of a partition supervisor. @internal */
export const partitionsOf = (supervisor: RunningSupervisor): Partitions => {
  let partitions = known.get(supervisor)
  if (partitions === undefined) known.set(supervisor, (partitions = new Partitions(supervisor)))
  return partitions
}

/**
 * The Layer of one partition, under a key of its own. Siblings, and users of the service outside, must not get a
 * partition when they ask for that service. And a partition must not get their server, even if it comes from the same
 * Layer.
 *
 * @internal
 */
export const partitionLayer = (layer: UntypedSpec["layer"], service: string, key: string): UntypedSpec["layer"] =>
  Layer.fromBuild((memoMap, scope) =>
    Effect.withFiber((fiber) => {
      const above = Context.get(fiber.context, SupervisedLayers)
      const others: SupervisedLayers = {
        find: (layer, kernel) => {
          const found = above?.find(layer, kernel)
          return found?.context.mapUnsafe.has(service) === true ? undefined : found
        }
      }
      const built = Effect.provideService(Layer.buildWithMemoMap(layer, memoMap, scope), SupervisedLayers, others)
      return Effect.map(built, ({ mapUnsafe }) => Context.makeUnsafe<never>(new Map([[key, mapUnsafe.get(service)]])))
    })
  )
