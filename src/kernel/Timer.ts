/**
 * Sends messages later.
 *
 * A timer to a pid belongs to the process it sends to: it is dropped with it, and whoever set it may be gone. A timer to
 * a name looks the name up when it fires.
 *
 * **Guarantees**
 *
 * - Messages of timers with different due times arrive in due order. Nothing is promised for the same due time.
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
import * as Option from "effect/Option"
import { printAs } from "../values/printed.ts"
import * as Check from "../values/check.ts"
import { Deadline } from "./shared/deadlines.ts"
import type { KernelState } from "./shared/kernelState.ts"
import * as Kernel from "./Kernel.ts"
import { isPid, type Pid } from "./Pid.ts"
import { currentUnsafe, type Belonging, type Envelope, type ProcessRecord } from "./shared/processRecord.ts"
import { MessageEnvelope } from "./shared/plainEnvelopes.ts"

const TypeId = "~effect-otp/kernel/Timer"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A message that is still to be sent, once or again and again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Timer {
  readonly [TypeId]: typeof TypeId
}

/**
 * Something that stands for a process and is looked up, in the kernel of who uses it, when it is used.
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
 * **Details**
 *
 * A delay of zero still goes through the queue. To an address nobody answers to when the timer fires, nothing is sent.
 * With a negative delay the effect dies with a `RangeError`.
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
 * @category constructors
 * @since 0.1.0
 */
export const sendAfter = <M>(
  to: Pid<M> | Address<M>,
  message: NoInfer<M>,
  delay: Duration.Input
): Effect.Effect<Timer> =>
  Effect.withFiber((fiber) => Effect.succeed(startUnsafe(fiber, { to, message, delay, every: false })))

/**
 * Sends a message to a process again and again, first after one interval.
 *
 * **Details**
 *
 * The next interval begins when the message is sent. An interval must be longer than zero, or the effect dies with a
 * `RangeError`. A timer to an address goes on while nobody answers to it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sendEvery = <M>(
  to: Pid<M> | Address<M>,
  message: NoInfer<M>,
  interval: Duration.Input
): Effect.Effect<Timer> =>
  Effect.withFiber((fiber) => Effect.succeed(startUnsafe(fiber, { to, message, delay: interval, every: true })))

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Cancels a timer and says how much time was left; `None` if it has fired, was cancelled or dropped. Then its message
 * may be in the mailbox already.
 *
 * @category operations
 * @since 0.1.0
 */
export const cancel = (timer: Timer): Effect.Effect<Option.Option<Duration.Duration>> =>
  Effect.sync(() => {
    const left = leftOf(timer)
    ;(timer as MessageTimer).drop()
    return left
  })

/**
 * How much time is left; `None` if it has fired, was cancelled or dropped.
 *
 * @category operations
 * @since 0.1.0
 */
export const read = (timer: Timer): Effect.Effect<Option.Option<Duration.Duration>> => Effect.sync(() => leftOf(timer))

// ---- internals ----------------------------------------------------------------------------------------------------

/** Arms a deadline by the clock of a fiber. @internal */
export const armUnsafe = (deadline: Deadline, fiber: Fiber.Fiber<unknown, unknown>, millis: number): void => {
  const kernel = currentUnsafe(fiber)?.kernel ?? Kernel.currentUnsafe(fiber)
  kernel.deadlines.arm(deadline, Context.get(fiber.context, Clock.Clock), millis, fiber.context)
}

interface Options<M> {
  readonly to: Pid<M> | Address<M>
  readonly message: M
  readonly delay: Duration.Input
  readonly every: boolean
}

/** Sets a timer in the step of this fiber. @internal */
export const startUnsafe = <M>(fiber: Fiber.Fiber<unknown, unknown>, options: Options<M>): Timer => {
  const { to, message, delay, every } = options
  const make = (): Envelope => new MessageEnvelope(message, undefined)
  if (isPid(to)) return startEnvelopeUnsafe(fiber, { to: to as unknown as ProcessRecord, make, delay, every })
  const kernel = Context.get(fiber.context, Kernel.Kernel)
  const resolve = () => to.resolve(kernel) as ProcessRecord | undefined
  return new MessageTimer(fiber, { resolve, make, delay, every })
}

/** Sets a timer for a message of a behaviour's own kind. @internal */
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

const leftOf = (timer: Timer): Option.Option<Duration.Duration> => {
  const left = (timer as MessageTimer).left
  return left === undefined ? Option.none() : Option.some(Duration.millis(left))
}

interface MessageTimerOptions {
  readonly owner?: ProcessRecord | undefined
  readonly resolve: () => ProcessRecord | undefined
  readonly make: () => Envelope
  readonly delay: Duration.Input
  readonly every: boolean
}

class MessageTimer extends Deadline implements Timer, Belonging {
  readonly [TypeId] = TypeId
  private readonly kernel: KernelState<ProcessRecord>
  private readonly options: MessageTimerOptions
  private readonly clock: Clock.Clock
  private readonly millis: number

  constructor(fiber: Fiber.Fiber<unknown, unknown>, options: MessageTimerOptions) {
    super()
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

  expire(): void {
    // Who rings it is awake: no environment is needed to wake it.
    if (this.options.every) this.arm(Context.empty())
    else this.end()
    this.options.resolve()?.post(this.options.make())
  }

  override kernelClosed(): void {
    this.drop()
  }

  drop(): void {
    if (this.list === undefined) return
    this.disarm()
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
