/**
 * Steps that go on if one part of them throws.
 *
 * A step of the kernel tells several listeners of one event, a death for example. Some of them run code of a user. If
 * one throws, the others must be told all the same.
 */

import { isPromise } from "effect/Predicate"

/** Gets the errors that a guarded step has thrown. */
export interface Guard {
  threw(error: unknown): void
}

/** Runs `step` for each item. If it throws for one, it still runs for the others. */
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

/** Calls `f` with `value`, and goes on if it throws. It makes no closure, for calls that are frequent. */
export const callGuarded = <A>(f: (value: A) => void, value: A, guard: Guard): void => {
  try {
    f(value)
  } catch (error) {
    guard.threw(error)
  }
}

/**
 * The result of a user's function, if it is not a promise. Throws for a promise. It also ignores how the promise ends:
 * nobody waits for it, and if it is rejected, the host would end the program.
 */
export const synchronous = <A>(value: A): A => {
  if (!isPromise(value)) return value
  value.then(undefined, () => {})
  throw new TypeError("The function returned a promise, and nobody waits for it")
}
