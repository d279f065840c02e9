/**
 * Holds the messages a process has received and not yet handled.
 *
 * A mailbox belongs to one process. Anybody may add to it; only its owner takes from it.
 *
 * **Guarantees**
 *
 * - Order: messages are taken in the order they were added. Selective receive takes the first one that matches and
 *   keeps the others in order.
 * - Capacity: unbounded unless a bound is given. A bound says what happens when it is reached.
 *
 * **In Erlang/OTP**
 *
 * The message queue of a process, which has no bound in Erlang.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Check from "../values/check.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * What happens to a message that finds the mailbox full.
 *
 * The words are those of Effect's `Queue`; `fail` is ours.
 *
 * - `suspend`: its sender waits until there is room. A process that sends to itself is refused at once instead.
 * - `fail`: a call fails with `MailboxFull`, anything else becomes a dead letter.
 * - `dropping`: the new message is dropped; a dropped call fails with `MailboxFull`.
 * - `sliding`: the oldest waiting message is dropped to make room; a dropped call fails with `MailboxFull`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Strategy = "suspend" | "fail" | "dropping" | "sliding"

/**
 * A bound of a mailbox: how many messages may wait in it, and what happens to the next.
 *
 * Signals of the kernel (`Exit`, `Down`) are never refused.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Bound {
  readonly capacity: number
  readonly strategy: Strategy
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Checks a bound of a mailbox.
 *
 * **When to use**
 *
 * You rarely need it: the `mailbox` option of a process or a server checks its bound itself. Use it to check a bound
 * that you read from a configuration.
 *
 * **Errors**
 *
 * - Throws a `RangeError` unless `capacity` is a whole number of at least 1 and the word for what happens next is one
 *   of the four.
 *
 * **Example** (Refusing a bound)
 *
 * ```ts import.meta.vitest
 * import { Result } from "effect"
 * import { Mailbox } from "effect-otp"
 *
 * const tooSmall = Result.try(() => Mailbox.bound({ capacity: 0, strategy: "fail" }))
 * Result.isFailure(tooSmall) // => true
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const bound = (options: Bound): Bound => {
  const { capacity, strategy } = Check.record("The bound of a mailbox", options)
  return {
    capacity: Check.wholeNumber("The capacity of a mailbox", capacity, 1),
    strategy: Check.oneOf("The strategy of a mailbox", strategy, strategies)
  }
}

const strategies: ReadonlyArray<Strategy> = ["suspend", "fail", "dropping", "sliding"]

// ---- internals ----------------------------------------------------------------------------------------------------
