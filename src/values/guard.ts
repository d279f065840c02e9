/**
 * Steps that go on whatever one part of them throws.
 *
 * A kernel step tells many of one thing, a death for example. Some of those it tells run code of a user. If one throws,
 * the others must hear of it all the same.
 */

import { isPromise } from "effect/Predicate"

/** Is told what a guarded step has thrown. */
export interface Guard {
  threw(error: unknown): void
}

/** Runs `step` for each item. If one throws, the next item has its turn all the same. */
export const forEachGuarded = <A>(items: Iterable<A> | undefined, step: (item: A) => void, guard: Guard): void => {
  if (items === undefined) return
  for (const item of items) {
    try {
      step(item)
    } catch (error) {
      guard.threw(error)
    }
  }
}

/** Runs `step`, and goes on if it throws. */
export const guarded = (step: () => void, guard: Guard): void => {
  try {
    step()
  } catch (error) {
    guard.threw(error)
  }
}

/** Calls `f` with `value`, and goes on if it throws. It makes no closure: for calls that come often. */
export const callGuarded = <A>(f: (value: A) => void, value: A, guard: Guard): void => {
  try {
    f(value)
  } catch (error) {
    guard.threw(error)
  }
}

/**
 * What a function of a user gave, if it is no promise. Throws for a promise, and ignores how it ends: nobody waits for it,
 * and if it is rejected, the host would end the program.
 */
export const synchronous = <A>(value: A): A => {
  if (!isPromise(value)) return value
  value.then(undefined, () => {})
  throw new TypeError("The function returned a promise, and nobody waits for it")
}
