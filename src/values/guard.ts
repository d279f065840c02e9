/**
 * Steps that go on whatever one part of them throws.
 *
 * A kernel step tells many of one thing, a death for example. Some of those it tells run code of a user. If one throws,
 * the others must hear of it all the same.
 */

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

/** Ignores what a promise is rejected with. Nobody waits for it, and the host would end the program. */
export const ignoreRejection = (promise: PromiseLike<unknown>): void => {
  promise.then(undefined, () => {})
}
