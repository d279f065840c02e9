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
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import { printAs } from "../values/printAs.ts"
import * as Check from "../values/check.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { isInstance, read as read_ } from "../values/describe.ts"
import { disarm, millisLeft, type Deadline } from "./shared/deadlines.ts"
import type { KernelState } from "./shared/kernelState.ts"
import * as Kernel from "./Kernel.ts"
import type { Pid } from "./Pid.ts"
import { post } from "./shared/delivery.ts"
import {
  checkedRecord,
  currentProcessUnsafe,
  type Belonging,
  type Envelope,
  type ProcessRecord
} from "./shared/processRecord.ts"
import { MessageEnvelope } from "./shared/plainEnvelopes.ts"

const TypeId = "~effect-otp/kernel/Timer"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A message that will be sent later, once or repeatedly.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timer extends Pipeable {
  readonly [TypeId]: typeof TypeId
}

/**
 * Something that stands for a process. It is looked up at each use, in the kernel of its user.
 *
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
 * @category operations
 * @since 0.1.0
 */
export const read = (timer: Timer): Effect.Effect<Option.Option<Duration.Duration>> =>
  Effect.sync(() => leftOf(timerOf("Timer.read", timer)))

// ---- internals ----------------------------------------------------------------------------------------------------

/** Arms a deadline by the clock of a fiber. @internal */
export const armUnsafe = (deadline: Deadline, fiber: Fiber.Fiber<unknown, unknown>, millis: number): void => {
  const kernel = currentProcessUnsafe(fiber)?.kernel ?? Kernel.currentUnsafe(fiber)
  kernel.deadlines.arm(deadline, Context.get(fiber.context, Clock.Clock), millis, fiber.context)
}

interface Options<M> {
  /** The function that was called. */
  readonly name: string
  readonly to: Pid<M> | Address<M>
  readonly message: M
  readonly delay: Duration.Input
  readonly every: boolean
}

/** Sets a timer in the step of this fiber. @internal */
export const startUnsafe = <M>(fiber: Fiber.Fiber<unknown, unknown>, options: Options<M>): Timer => {
  const { name, to, message, delay, every } = options
  const make = (): Envelope => new MessageEnvelope(message, undefined)
  if (!isAddress(to)) return startEnvelopeUnsafe(fiber, { to: checkedRecord(name, to), make, delay, every })
  const kernel = Context.get(fiber.context, Kernel.Kernel)
  const resolve = () => {
    const found = to.resolve(kernel)
    return found === undefined ? undefined : checkedRecord(name, found)
  }
  return new MessageTimer(fiber, { resolve, make, delay, every })
}

/** Sets a timer for a behaviour's own kind of message. @internal */
export const startEnvelopeUnsafe = (
  fiber: Fiber.Fiber<unknown, unknown>,
  options: {
    readonly to: ProcessRecord
    readonly make: () => Envelope
    readonly delay: Duration.Input
    readonly every: boolean
  }
): Timer => {
  const { to } = options
  return new MessageTimer(fiber, { ...options, owner: to, resolve: () => to })
}

/** Anything that is not an address must be a pid. */
const isAddress = <M>(to: Pid<M> | Address<M>): to is Address<M> => typeof read_(to, "resolve") === "function"

const timerOf = (to: string, timer: Timer): MessageTimer => {
  if (isInstance(timer, MessageTimer)) return timer
  return refuseArgument({ to, what: "a timer", isForeign: read_(timer, TypeId) === TypeId }, timer)
}

const leftOf = (timer: MessageTimer): Option.Option<Duration.Duration> => {
  const left = millisLeft(timer)
  return left === undefined ? Option.none() : Option.some(Duration.millis(left))
}

interface MessageTimerOptions {
  readonly owner?: ProcessRecord | undefined
  readonly resolve: () => ProcessRecord | undefined
  readonly make: () => Envelope
  readonly delay: Duration.Input
  readonly every: boolean
}

class MessageTimer implements Deadline, Timer, Belonging {
  list: Deadline["list"] = undefined
  due = 0
  previous: Deadline["previous"] = undefined
  next: Deadline["next"] = undefined
  readonly [TypeId] = TypeId
  private readonly kernel: KernelState<ProcessRecord>
  private readonly options: MessageTimerOptions
  private readonly clock: Clock.Clock
  private readonly millis: number

  constructor(fiber: Fiber.Fiber<unknown, unknown>, options: MessageTimerOptions) {
    const { owner } = options
    this.millis = millisOf(options.delay, options.every)
    this.kernel = owner?.kernel ?? Kernel.currentUnsafe(fiber)
    this.options = options
    this.clock = Context.get(fiber.context, Clock.Clock)
    if (owner !== undefined && !owner.isAlive) return
    owner?.own(this)
    this.kernel.timers++
    this.arm(fiber.context)
  }

  private arm(context: Context.Context<never>): void {
    this.kernel.deadlines.arm(this, this.clock, this.millis, context)
  }

  pipe() {
    return pipeArguments(this, arguments)
  }

  expire(): void {
    // The fiber of the timers is awake here, so no environment is needed to wake it.
    if (this.options.every) this.arm(Context.empty())
    else this.end()
    const to = this.options.resolve()
    if (to !== undefined) post(to, this.options.make())
  }

  kernelClosed(): void {
    this.drop()
  }

  drop(): void {
    if (this.list === undefined) return
    disarm(this)
    this.end()
  }

  private end(): void {
    this.kernel.timers--
    this.options.owner?.disown(this)
  }
}

const millisOf = (delay: Duration.Input, every: boolean): number => {
  if (!every) return Check.millis("The delay of a timer", delay)
  return Duration.toMillis(Check.positiveDuration("The interval of a timer", delay))
}

printAs(MessageTimer.prototype, () => "Timer")
