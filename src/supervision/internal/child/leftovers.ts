/**
 * What a supervisor left running when it ended. It is past its limit, and may still hold something that its successor
 * needs.
 *
 * It is kept by the handle targets of the child, which are the same for every run of the supervisor. Each start of a
 * child waits for the leftovers of that child and of all children below it.
 */
import * as Effect from "effect/Effect"
import type { HandleTargets } from "../../../kernel/shared/adoption.ts"
import { type Limit } from "../../../kernel/Shutdown.ts"
import { ReleaseTimeout } from "../core/childEnd.ts"
import { parse } from "../../../kernel/shared/shutdown.ts"

/** Something that has not ended within its limit. @internal */
export interface Leftover {
  readonly hasEnded: () => boolean
  readonly untilEnded: Effect.Effect<void>
}

const known = new WeakMap<HandleTargets, ReadonlyArray<Leftover>>()

/** Notes that this run of a child has not ended. @internal */
export const addLeftover = (targets: HandleTargets, leftover: Leftover): void => {
  known.set(targets, [...left(targets), leftover])
}

const left = (targets: HandleTargets): ReadonlyArray<Leftover> =>
  (known.get(targets) ?? []).filter(({ hasEnded }) => !hasEnded())

/** What is left below a child is left to its supervisor, because the child is forgotten. @internal */
export const addLeftoversOf = (child: HandleTargets, supervisor: HandleTargets): void => {
  for (const leftover of leftoversOf(child)) addLeftover(supervisor, leftover)
}

/** The leftovers of a child and of all children below it. */
const leftoversOf = (targets: HandleTargets): ReadonlyArray<Leftover> => [
  ...left(targets),
  ...[...targets.inner.values()].flatMap(leftoversOf)
]

/**
 * Waits, within the limit of a child, until all its leftovers have ended. Dies if they have not. @internal
 */
export const awaitLeftovers = (
  targets: HandleTargets,
  of: { readonly child: string; readonly limit: () => Limit }
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = leftoversOf(targets)
    if (left.length === 0) return Effect.void
    const all = Effect.forEach(left, ({ untilEnded }) => untilEnded, { discard: true })
    const orElse = () => Effect.die(new ReleaseTimeout({ child: of.child }))
    return Effect.timeoutOrElse(all, { duration: parse(of.limit()).release, orElse })
  })
