/**
 * What a supervisor left running when it ended. It is past its limit, and may still hold something that its successor
 * needs.
 *
 * It is kept by the place of the child, which is the same for every run of the supervisor. Each start of a child waits
 * for the leftovers of its place and of all places below it.
 */
import * as Effect from "effect/Effect"
import type { Targets } from "../../../kernel/shared/adoption.ts"
import { parse, type Limit } from "../../../kernel/Shutdown.ts"
import { ReleaseTimeout } from "../core/ending.ts"

/** Something that has not ended within its limit. @internal */
export interface Leftover {
  readonly isOver: () => boolean
  readonly over: Effect.Effect<void>
}

const known = new WeakMap<Targets, ReadonlyArray<Leftover>>()

/** Leaves something behind in this place. @internal */
export const addLeftover = (place: Targets, leftover: Leftover): void => {
  known.set(place, [...left(place), leftover])
}

const left = (place: Targets): ReadonlyArray<Leftover> => (known.get(place) ?? []).filter(({ isOver }) => !isOver())

/** The leftovers of this place and of the places below it. */
const leftoversOf = (place: Targets): ReadonlyArray<Leftover> => [
  ...left(place),
  ...[...place.inner.values()].flatMap(leftoversOf)
]

/** Waits, within the limit of a child, until all leftovers of its place have ended. Dies if they have not. @internal */
export const precedingEnded = (
  place: Targets,
  of: { readonly child: string; readonly limit: () => Limit }
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = leftoversOf(place)
    if (left.length === 0) return Effect.void
    const all = Effect.forEach(left, ({ over }) => over, { discard: true })
    const orElse = () => Effect.die(new ReleaseTimeout({ child: of.child }))
    return Effect.timeoutOrElse(all, { duration: parse(of.limit()).release, orElse })
  })
