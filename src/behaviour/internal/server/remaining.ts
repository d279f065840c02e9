/** What is left to do of something that a server has begun. */
import type * as Effect from "effect/Effect"

/**
 * An effect to wait for, if there is more to do. Undefined: it is done already, in the step in which it began. So what
 * needs no effect costs none. @internal
 */
export type Remaining = Effect.Effect<void> | undefined
