/**
 * Counts what becomes of every message, so that no loss goes unseen.
 *
 * At every quiet point, for each process and for the whole kernel:
 * `accepted = handled + failed + returned + abandoned + dropped + deadLettered + pending`.
 *
 * **In Erlang/OTP**
 *
 * There is nothing like it: a message to a dead process is gone.
 *
 * @stability experimental
 * @since 0.1.0
 */

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * How a message can end.
 *
 * - `handled`: its turn ended well or with a typed failure, or the process received it.
 * - `failed`: it was in hand when the process crashed or was killed.
 * - `returned`: a call that never began. Its caller was told so, or withdrew it.
 * - `abandoned`: a call whose caller had left when its turn ended.
 * - `dropped`: a full mailbox dropped it by its strategy, or a killed process sent it.
 * - `deadLettered`: no process took it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Fate = "handled" | "failed" | "returned" | "abandoned" | "dropped" | "deadLettered"

/**
 * The messages sent to a process, or to all processes of a kernel, by what became of them.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Accounting extends Readonly<Record<Fate, number>> {
  /** All messages that were sent to it. */
  readonly accepted: number
  /** Messages that still wait in a mailbox, are in hand, or were put aside by a state machine. */
  readonly pending: number
}

// ---- constructors -------------------------------------------------------------------------------------------------

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Counts the messages that are unaccounted for. It is zero at every quiet point.
 *
 * **When to use**
 *
 * Use in tests, to check that no message is lost unseen. `TestKernel.layer` does this at the end of each test.
 *
 * **Example** (Finding every message again)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Accounting, Kernel, Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   yield* Process.send(pid, "one")
 *   yield* Process.send(pid, "two")
 *   yield* Process.awaitExit(pid)
 *   const messages = yield* Kernel.messages
 *   return [messages.accepted, Accounting.missing(messages)]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.fresh(Kernel.layer))) // => [2, 0]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const missing = (self: Accounting): number =>
  self.accepted -
  (self.handled + self.failed + self.returned + self.abandoned + self.dropped + self.deadLettered + self.pending)
