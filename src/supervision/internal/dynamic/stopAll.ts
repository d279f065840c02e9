/** How a dynamic supervisor ends all its children. */
import * as Effect from "effect/Effect"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { DynamicChild } from "./dynamicChild.ts"
import { shutdownAllTelling } from "../../../kernel/shared/shutdown.ts"

/** What ends one child, or hears of its end. @internal */
export interface ChildStopper {
  /** Marks them as ending for good. The caller ends them. */
  readonly markAllStopping: (children: Iterable<DynamicChild>) => void
  /** Stops a child and waits until it is forgotten. */
  readonly stop: (child: DynamicChild) => Effect.Effect<void>
  /** It has ended, or is past its limit. */
  readonly reportStopped: (child: DynamicChild) => void
  /** It was killed at its limit. */
  readonly childOverran: (child: DynamicChild, record: ProcessRecord) => void
}

/** Stops all of them side by side, in good order. @internal */
export const stopAll = (children: Iterable<DynamicChild>, stopper: ChildStopper): Effect.Effect<void> => {
  const all = [...children]
  const together = all.filter(isProcessUp)
  const others = all.filter((child) => !isProcessUp(child))
  stopper.markAllStopping(together)
  const stops = Effect.forEach(others, (child) => stopper.stop(child), { concurrency: "unbounded", discard: true })
  return Effect.all([stopTogether(together, stopper), stops], { concurrency: 2, discard: true })
}

const isProcessUp = ({ core, layers }: DynamicChild): boolean => core.state._tag === "Up" && layers === undefined

/** Kills all of them, and waits for each within its limit. @internal */
export const killAll = (children: Iterable<DynamicChild>, stopper: ChildStopper): Effect.Effect<void> => {
  const all = [...children]
  stopper.markAllStopping(all)
  const stopped = (child: DynamicChild) => Effect.sync(() => stopper.reportStopped(child))
  const killOne = (child: DynamicChild) => Effect.suspend(() => Effect.andThen(child.kill(), stopped(child)))
  return Effect.forEach(all, killOne, { concurrency: "unbounded", discard: true })
}

/** Asks all of them at once. Children with the same limit share one wait. */
const stopTogether = (children: ReadonlyArray<DynamicChild>, stopper: ChildStopper): Effect.Effect<void> =>
  Effect.forEach(
    Map.groupBy(children, ({ limit }) => limit),
    ([limit, group]) =>
      Effect.andThen(
        shutdownAllTelling(
          group.map((child) => child.record!),
          { limit, overran: told(group, stopper) }
        ),
        Effect.sync(() => group.forEach((child) => stopper.reportStopped(child)))
      ),
    { concurrency: "unbounded", discard: true }
  )

/** Finds the child of a record. The map is made only if a child overran. */
const told = (children: ReadonlyArray<DynamicChild>, stopper: ChildStopper): ((record: ProcessRecord) => void) => {
  let known: Map<ProcessRecord, DynamicChild> | undefined = undefined
  return (record) => {
    known ??= new Map(children.map((child) => [child.record!, child]))
    const child = known.get(record)
    if (child !== undefined) stopper.childOverran(child, record)
  }
}
