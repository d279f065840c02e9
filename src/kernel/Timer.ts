/**
 * Sends messages later.
 *
 * A timer to a pid belongs to the process that gets the message. It is gone when that process dies, and goes on when
 * the process that set it dies. A timer to a name looks the name up when it fires.
 *
 * **Guarantees**
 *
 * - Messages of timers with different due times arrive in that order. For equal due times no order is promised.
 * - Time is Effect's `Clock`, measured by its monotonic time: exact under `TestClock`.
 *
 * **In Erlang/OTP**
 *
 * `erlang:send_after/3`, `cancel_timer/1`, `read_timer/1`, `timer:send_interval/3`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import { type Pipeable } from "effect/Pipeable"
import type * as Kernel from "./Kernel.ts"
import type { Pid } from "./Pid.ts"
import { type TypeId, startUnsafe, timerOf, leftOf } from "./shared/timers.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A message that will be sent later, once or repeatedly.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Timer extends Pipeable {
  readonly [TypeId]: typeof TypeId
}

/**
 * Something that stands for a process. It is looked up at each use, in the kernel of its user.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Address<in M> {
  readonly resolve: (kernel: Kernel.Kernel) => Pid<M> | undefined
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Sends a message to a process after a delay.
 *
 * **When to use**
 *
 * Use in a plain process, or for a message to another process. A server sends itself messages with `context.sendAfter`.
 *
 * **Details**
 *
 * The timer belongs to the process that gets the message: if that process dies, the timer is gone. A timer to a name or
 * a key looks it up when it fires, and sends nothing if nobody has it. A delay of zero still goes through the queue.
 *
 * **Errors**
 *
 * - A negative delay is a defect, a `RangeError`.
 *
 * **Example** (Sending a message later)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Timer } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   yield* Timer.sendAfter(pid, "wake up", "10 millis")
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Normal" }
 * ```
 *
 * @see {@link sendEvery} for a message again and again, {@link cancel} to stop a timer
 * @see `erlang:send_after/3`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const sendAfter: {
  <M>(message: M, delay: Duration.Input): (self: Pid<M> | Address<M>) => Effect.Effect<Timer>
  <M>(self: Pid<M> | Address<M>, message: NoInfer<M>, delay: Duration.Input): Effect.Effect<Timer>
} = dual(3, <M>(self: Pid<M> | Address<M>, message: M, delay: Duration.Input) =>
  Effect.withFiber((fiber) =>
    Effect.succeed(startUnsafe(fiber, { name: "Timer.sendAfter", to: self, message, delay, every: false }))
  )
)

/**
 * Sends a message to a process again and again, for the first time after one interval.
 *
 * **Details**
 *
 * The next interval begins when a message is sent. The timer belongs to the process that gets the messages. A timer to
 * a name or a key goes on while nobody has it.
 *
 * **Errors**
 *
 * - An interval that is not longer than zero is a defect, a `RangeError`.
 *
 * **Example** (Ticking)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Timer } from "effect-otp"
 * import { Probe, TestKernel } from "effect-otp/testing"
 * import { TestClock } from "effect/testing"
 *
 * const test = Effect.gen(function*() {
 *   const probe = yield* Probe.make<string>()
 *   const timer = yield* Timer.sendEvery(probe.pid, "tick", "1 second")
 *   yield* TestKernel.adjust("3 seconds")
 *   yield* Timer.cancel(timer)
 *   return yield* probe.received
 * })
 *
 * await Effect.runPromise(test.pipe(Effect.provide(TestKernel.layer), Effect.provide(TestClock.layer())))
 * // => ["tick", "tick", "tick"]
 * ```
 *
 * @see {@link sendAfter} for one message
 * @see `timer:send_interval/3`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const sendEvery: {
  <M>(message: M, interval: Duration.Input): (self: Pid<M> | Address<M>) => Effect.Effect<Timer>
  <M>(self: Pid<M> | Address<M>, message: NoInfer<M>, interval: Duration.Input): Effect.Effect<Timer>
} = dual(3, <M>(self: Pid<M> | Address<M>, message: M, interval: Duration.Input) =>
  Effect.withFiber((fiber) =>
    Effect.succeed(startUnsafe(fiber, { name: "Timer.sendEvery", to: self, message, delay: interval, every: true }))
  )
)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Cancels a timer and says how much time was left.
 *
 * **Details**
 *
 * Gives `None` if the timer has fired, was cancelled before, or is gone with its process. If it has fired, its message
 * may be in the mailbox already.
 *
 * **Example** (Cancelling in time)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process, Timer } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   const timer = yield* Timer.sendAfter(pid, "wake up", "1 hour")
 *   const left = yield* Timer.cancel(timer)
 *   const again = yield* Timer.cancel(timer)
 *   yield* Process.kill(pid)
 *   return [Option.isSome(left), Option.isSome(again)]
 * })
 *
 * await Effect.runPromise(program) // => [true, false]
 * ```
 *
 * @see `erlang:cancel_timer/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const cancel = (timer: Timer): Effect.Effect<Option.Option<Duration.Duration>> =>
  Effect.sync(() => {
    const given = timerOf("Timer.cancel", timer)
    const left = leftOf(given)
    given.drop()
    return left
  })

/**
 * Tells how much time is left until a timer fires.
 *
 * **Details**
 *
 * Gives `None` if the timer has fired, was cancelled, or is gone with its process.
 *
 * **Example** (Reading a timer)
 *
 * ```ts import.meta.vitest
 * import { Duration, Effect, Layer, Option } from "effect"
 * import { Process, Timer } from "effect-otp"
 * import { TestKernel } from "effect-otp/testing"
 * import { TestClock } from "effect/testing"
 *
 * const test = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   const timer = yield* Timer.sendAfter(pid, "wake up", "1 hour")
 *   yield* TestKernel.adjust("15 minutes")
 *   const left = yield* Timer.read(timer)
 *   yield* Process.kill(pid)
 *   return Option.map(left, Duration.toMinutes)
 * })
 *
 * await Effect.runPromise(Effect.provide(test, TestKernel.layer.pipe(Layer.provideMerge(TestClock.layer()))))
 * // => Option.some(45)
 * ```
 *
 * @see `erlang:read_timer/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const read = (timer: Timer): Effect.Effect<Option.Option<Duration.Duration>> =>
  Effect.sync(() => leftOf(timerOf("Timer.read", timer)))

// ---- internals ----------------------------------------------------------------------------------------------------
