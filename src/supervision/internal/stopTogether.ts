/** How a dynamic supervisor stops the children that are up. */
import * as Effect from "effect/Effect"
import { shutdownAll } from "../../kernel/Shutdown.ts"
import type { DynamicChild } from "./dynamicChild.ts"

/** All are asked at once, and those with one limit are waited for together: it serves them all. @internal */
export const stopTogether = (
  children: ReadonlyArray<DynamicChild>,
  stopped: (child: DynamicChild) => void
): Effect.Effect<void> =>
  Effect.forEach(
    Map.groupBy(children, ({ policy }) => policy.limit),
    ([limit, group]) =>
      Effect.andThen(
        shutdownAll(
          group.map((child) => child.record!),
          { limit }
        ),
        Effect.sync(() => group.forEach(stopped))
      ),
    { concurrency: "unbounded", discard: true }
  )
