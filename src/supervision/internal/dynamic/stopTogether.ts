/** How a dynamic supervisor stops the children that are up. */
import * as Effect from "effect/Effect"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { DynamicChild } from "./dynamicChild.ts"
import { shutdownAllTelling } from "../../../kernel/shared/shutdown.ts"

/** Asks all of them at once. Children with the same limit share one wait. @internal */
export const stopTogether = (
  children: ReadonlyArray<DynamicChild>,
  stopped: (child: DynamicChild) => void,
  overran: (child: DynamicChild, record: ProcessRecord) => void
): Effect.Effect<void> =>
  Effect.forEach(
    Map.groupBy(children, ({ policy }) => policy.limit),
    ([limit, group]) =>
      Effect.andThen(
        shutdownAllTelling(
          group.map((child) => child.record!),
          { limit, overran: told(group, overran) }
        ),
        Effect.sync(() => group.forEach(stopped))
      ),
    { concurrency: "unbounded", discard: true }
  )

/** Finds the child of a record. The map is made only if a child overran. */
const told = (
  children: ReadonlyArray<DynamicChild>,
  overran: (child: DynamicChild, record: ProcessRecord) => void
): ((record: ProcessRecord) => void) => {
  let known: Map<ProcessRecord, DynamicChild> | undefined = undefined
  return (record) => {
    known ??= new Map(children.map((child) => [child.record!, child]))
    const child = known.get(record)
    if (child !== undefined) overran(child, record)
  }
}
