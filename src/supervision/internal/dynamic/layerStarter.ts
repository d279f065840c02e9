/** How a dynamic supervisor starts children that are Layers. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TypeId as HandleTypeId } from "../../../kernel/Handle.ts"
import * as Check from "../../../values/check.ts"
import { thisCopy } from "../../../values/copies.ts"
import type { ChildStarter } from "./dynamicChild.ts"

/** A user's function from the arguments of a start to a Layer. @internal */
export type MakeLayer = (...args: ReadonlyArray<unknown>) => unknown

/** @internal */
export const layerStarter = (id: string, make: MakeLayer): ChildStarter => ({
  copy: thisCopy,
  id,
  client: (target) => ({ [HandleTypeId]: target }),
  start: () => Effect.die(new Error(`${id} starts its children by their Layers`)),
  layer: (args) => {
    const layer = make(...args)
    if (!Layer.isLayer(layer)) return Check.refuse(`${id}: what child returns`, "a Layer", layer)
    return layer as never
  }
})
