/** Timers that send a message, and how deadlines are armed. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import { printAs } from "../../values/printAs.ts"
import * as Check from "../../values/check.ts"
import { refuseArgument } from "../../values/wrongArgument.ts"
import { isInstance, read as read_ } from "../../values/describe.ts"
import { disarm, millisLeft, type Deadline } from "./deadlines.ts"
import type { KernelState } from "./kernelState.ts"
import type { Pid } from "../Pid.ts"
import { post } from "./delivery.ts"
import {
  checkedRecord,
  currentProcessUnsafe,
  type Belonging,
  type Envelope,
  type ProcessRecord
} from "./processRecord.ts"
import { MessageEnvelope } from "./plainEnvelopes.ts"
import { currentKernel, Kernel } from "./currentKernel.ts"

export const TypeId = "~effect-otp/kernel/Timer"

/** Arms a deadline by the clock of a fiber. */
export const armUnsafe = (deadline: Deadline, fiber: Fiber.Fiber<unknown, unknown>, millis: number): void => {
  const kernel = currentProcessUnsafe(fiber)?.kernel ?? currentKernel(fiber)
  kernel.deadlines.arm(deadline, Context.get(fiber.context, Clock.Clock), millis, fiber.context)
}

/** Something that stands for a process. It is looked up when the timer fires. */
interface Address<in M> {
  readonly resolve: (kernel: Kernel) => Pid<M> | undefined
}

interface Options<M> {
  /** The function that was called. */
  readonly name: string
  readonly to: Pid<M> | Address<M>
  readonly message: M
  readonly delay: Duration.Input
  readonly every: boolean
}

/** Sets a timer in the step of this fiber. */
export const startUnsafe = <M>(fiber: Fiber.Fiber<unknown, unknown>, options: Options<M>): MessageTimer => {
  const { name, to, message, delay, every } = options
  const make = (): Envelope => new MessageEnvelope(message, undefined)
  if (!isAddress(to)) return startEnvelopeUnsafe(fiber, { to: checkedRecord(name, to), make, delay, every })
  const kernel = Context.get(fiber.context, Kernel)
  const resolve = () => {
    const found = to.resolve(kernel)
    return found === undefined ? undefined : checkedRecord(name, found)
  }
  return new MessageTimer(fiber, { resolve, make, delay, every })
}

/** Sets a timer for a behaviour's own kind of message. */
export const startEnvelopeUnsafe = (
  fiber: Fiber.Fiber<unknown, unknown>,
  options: {
    readonly to: ProcessRecord
    readonly make: () => Envelope
    readonly delay: Duration.Input
    readonly every: boolean
  }
): MessageTimer => {
  const { to } = options
  return new MessageTimer(fiber, { ...options, owner: to, resolve: () => to })
}

/** Anything that is not an address must be a pid. */
const isAddress = <M>(to: Pid<M> | Address<M>): to is Address<M> => typeof read_(to, "resolve") === "function"

export const timerOf = (to: string, timer: unknown): MessageTimer => {
  if (isInstance(timer, MessageTimer)) return timer
  return refuseArgument({ to, what: "a timer", isForeign: read_(timer, TypeId) === TypeId }, timer)
}

export const leftOf = (timer: MessageTimer): Option.Option<Duration.Duration> => {
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

export class MessageTimer implements Deadline, Belonging {
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
    this.kernel = owner?.kernel ?? currentKernel(fiber)
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
