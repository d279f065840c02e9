/** How a dynamic supervisor stops the children that are up. */
import * as Effect from "effect/Effect"
import { shutdownAllTelling } from "../../../kernel/Shutdown.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { DynamicChild } from "./dynamicChild.ts"

/** All are asked at once, and those with one limit are waited for together: it serves them all. @internal */
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

/** Whose record it is: looked up only if one overran. */
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
