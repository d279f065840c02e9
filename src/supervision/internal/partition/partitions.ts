/** What a partition supervisor adds to a supervisor: how many of its children keys are routed to. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { SupervisedLayers } from "../../../kernel/shared/adoption.ts"
import type { Untyped } from "../../ChildSpec.ts"
import type { RunningSupervisor } from "../static/runningSupervisor.ts"

/** @internal */
export class Partitions {
  readonly supervisor: RunningSupervisor
  /** Keys go to the partitions below this one. */
  size: number
  /** How many are to be in use once those that are being started are up. */
  growingTo: number | undefined = undefined
  /** One change of the size at a time. */
  readonly resizing = Semaphore.makeUnsafe(1)

  constructor(supervisor: RunningSupervisor) {
    this.supervisor = supervisor
    this.size = supervisor.spec.children.length
  }
}

const known = new WeakMap<RunningSupervisor, Partitions>()

/** Of one run of a partition supervisor. @internal */
export const partitionsOf = (supervisor: RunningSupervisor): Partitions => {
  let partitions = known.get(supervisor)
  if (partitions === undefined) known.set(supervisor, (partitions = new Partitions(supervisor)))
  return partitions
}

/**
 * The Layer of one partition, under a key of its own: a partition is not what its siblings, or users of the service
 * outside, mean by that service. Nor is theirs what a partition is, be it of the same Layer.
 *
 * @internal
 */
export const partitionLayer = (layer: Untyped["layer"], service: string, key: string): Untyped["layer"] =>
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
