/** The process of a partition supervisor: a supervisor that knows how many of its children keys are routed to. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { CurrentAdoption, SupervisedLayers } from "../../kernel/Adoption.ts"
import type { Untyped } from "../ChildSpec.ts"
import type { SupervisorSpec } from "./slots.ts"
import { SupervisorProcess } from "./supervisorProcess.ts"
import type { TreeOptions } from "./treeProcess.ts"

/** @internal */
export class PartitionProcess extends SupervisorProcess {
  /** Keys go to the partitions below this one. */
  size: number
  /** One change of the size at a time. */
  readonly resizing = Semaphore.makeUnsafe(1)

  constructor(spec: SupervisorSpec, options: Omit<TreeOptions, "id">) {
    super(spec, options)
    this.size = spec.children.length
  }
}

/**
 * The Layer of one partition, under a key of its own: partitions are each other's siblings, and none is what another, or
 * a user of the service outside, means by that service. The Layer of one is not that of another, be it the same object.
 *
 * @internal
 */
export const partitionLayer = (layer: Untyped["layer"], service: string, key: string): Untyped["layer"] =>
  Layer.fromBuild((memoMap, scope) =>
    Effect.withFiber((fiber) => {
      const place = Context.get(fiber.context, CurrentAdoption)
      const built = Layer.buildWithMemoMap(layer, memoMap, scope)
      const above = place === undefined ? new Map() : Context.get(place.parent.context, SupervisedLayers)
      return Effect.map(Effect.provideService(built, SupervisedLayers, above), (context) =>
        Context.makeUnsafe<never>(new Map([[key, context.mapUnsafe.get(service)]]))
      )
    })
  )
