/**
 * Runs the items of a stream as tasks and gives their outcomes.
 *
 * Each pull begins as many tasks as there is room for. A fiber of its own pulls the input, and only while there is room
 * and nothing else to begin. So a slow input does not delay the outcomes of finished tasks.
 */
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { waitUntil } from "../../kernel/shared/waitUntil.ts"
import { kill } from "../../kernel/shared/death.ts"
import { shutdownAll } from "../../kernel/Shutdown.ts"
import { TaskTimeout } from "../internal/task/taskError.ts"
import { TaskRun, toResult, type TaskRunOwner } from "./taskRun.ts"
import { checked, type CheckedSpec, type StreamSpec } from "./taskStreamSpec.ts"
import { UnreadItems, type UnreadItem } from "../internal/task/unreadItems.ts"
import { disarm, type Deadline } from "../../kernel/shared/deadlines.ts"
import { armUnsafe } from "../../kernel/shared/timers.ts"

type AnyEffect = Effect.Effect<unknown, unknown>
type AnyFiber = Fiber.Fiber<unknown, unknown>
type Outcome = Exit.Exit<unknown, unknown>
type AnyPull = Pull.Pull<readonly [unknown, ...Array<unknown>], unknown>

/** @internal */
export const streamOf = (
  input: Stream.Stream<unknown, unknown>,
  f: (input: unknown) => AnyEffect,
  spec: StreamSpec
): Stream.Stream<unknown, unknown> => {
  const options = checked(spec)
  return Stream.fromChannel(
    Channel.fromTransform((_upstream: unknown, scope) =>
      Effect.suspend(() => {
        // The input has a scope of its own, so that everything it acquires, even when it is pulled, is released after
        // the tasks have ended.
        const inputScope = Scope.makeUnsafe()
        let close: Effect.Effect<void> = Effect.void
        const release = (exit: Outcome) =>
          Effect.ensuring(
            Effect.suspend(() => close),
            Scope.close(inputScope, exit)
          )
        const begin = (upstream: AnyPull): AnyPull => {
          const flow = new TaskFlow({ ...options, f, upstream })
          close = flow.close
          return flow.pull
        }
        const pulling = Effect.map(Channel.toPullScoped(Stream.toChannel(input), inputScope), begin)
        return Effect.andThen(Scope.addFinalizerExit(scope, release), pulling)
      })
    )
  )
}

interface FlowOptions extends CheckedSpec {
  readonly f: (input: unknown) => AnyEffect
  readonly upstream: AnyPull
}

/** One item: its task and its time limit. */
class Item implements UnreadItem, TaskRunOwner, Deadline {
  list: Deadline["list"] = undefined
  due = 0
  previous: Deadline["previous"] = undefined
  next: Deadline["next"] = undefined
  finished = false
  late = false
  readonly input: unknown
  readonly run = new TaskRun(this)
  private readonly flow: TaskFlow

  constructor(flow: TaskFlow, input: unknown) {
    this.flow = flow
    this.input = input
  }

  spawned(record: ProcessRecord): void {
    this.flow.live.add(record)
    this.flow.startKnown(this)
  }

  get isUnwanted(): boolean {
    return this.run.outcome !== undefined || this.flow.closed
  }

  /** Its time is up. */
  expire(): void {
    const { record } = this.run
    if (this.run.outcome !== undefined) return
    this.late = true
    if (record === undefined) this.run.complete(Exit.fail(this.flow.timedOut))
    else kill(record)
  }

  refused(): void {
    this.flow.startKnown(this)
  }

  completed(outcome: Outcome): void {
    disarm(this)
    this.flow.itemCompleted(this, outcome)
  }

  ended(): void {
    this.flow.live.delete(this.run.record!)
  }

  /** Whether its time was up before it had an answer. */
  get isLate(): boolean {
    return this.late && !this.run.hasAnswer
  }
}

/** One run of a stream of tasks. */
class TaskFlow {
  /** Processes whose fibers and scopes have not ended yet. */
  readonly live = new Set<ProcessRecord>()
  readonly timedOut: TaskTimeout
  /** Items that have begun, and may or may not have started a task. */
  private readonly starting = new Set<Item>()
  private readonly startsKnown = Latch.makeUnsafe()
  private readonly options: FlowOptions
  private readonly millis: number
  private readonly unread: UnreadItems<Item>
  /** Input that was pulled and has not begun yet. */
  private inputs: ReadonlyArray<unknown> = []
  private nextInput = 0
  private inputEnd: Cause.Cause<unknown> | undefined = undefined
  /** Why the stream fails. It fails even if there is more to read. */
  private failure: Cause.Cause<unknown> | undefined = undefined
  closed = false
  /** Whether the fiber that pulls the input was started. */
  private pulling = false
  private source: Fiber.Fiber<void> | undefined = undefined
  /** Set while a pull waits for more input. */
  private asked = false
  /** Resumes the input fiber, which waits to be asked. */
  private demand: (() => void) | undefined = undefined
  /** Resumes the waiting pull. */
  private waiter: (() => void) | undefined = undefined

  constructor(options: FlowOptions) {
    this.options = options
    this.timedOut = new TaskTimeout({ timeout: options.timeout })
    this.millis = Duration.toMillis(options.timeout)
    this.unread = new UnreadItems(options.concurrency, options.ordered ?? true)
  }

  // ---- reading ----------------------------------------------------------------------------------------------------

  readonly pull: AnyPull = Effect.withFiber((fiber) => {
    this.refill(fiber)
    return this.next()
  })

  private next(): AnyPull {
    if (this.failure !== undefined) return Exit.failCause(this.failure) as AnyPull
    const item = this.unread.read()
    if (item !== undefined) return Exit.succeed([this.element(item)] as const)
    if (this.isDone) return Exit.failCause(this.inputEnd!) as AnyPull
    return Effect.flatMap(this.wait, () => this.next())
  }

  private get isDone(): boolean {
    return this.inputEnd !== undefined && this.unread.count === 0
  }

  private readonly wait = waitUntil<void>((resume, resumeNow) => {
    // Something to read may have come after the look and before this step.
    if (this.failure !== undefined || this.unread.isReady || this.isDone) return resumeNow(Exit.void)
    this.waiter = () => resume(Exit.void)
    return () => {
      this.waiter = undefined
    }
  })

  private wake(): void {
    const { waiter } = this
    this.waiter = undefined
    waiter?.()
  }

  private element(item: Item): unknown {
    const outcome = item.isLate ? Exit.fail(this.timedOut) : item.run.outcome!
    const shown = this.options.linked && outcome._tag === "Success" ? outcome.value : toResult(outcome)
    return this.options.zipInput === true ? [item.input, shown] : shown
  }

  // ---- beginning --------------------------------------------------------------------------------------------------

  /** Begins as many tasks as there is room for, and asks for more input if there is still room. */
  private refill(fiber: AnyFiber): void {
    const { inputs, unread } = this
    while (this.isOpen && unread.hasRoom && this.nextInput < inputs.length) this.begin(fiber, inputs[this.nextInput++])
    if (this.isOpen && unread.hasRoom && this.inputEnd === undefined) this.ask(fiber)
  }

  private get isOpen(): boolean {
    return !this.closed && this.failure === undefined
  }

  private begin(fiber: AnyFiber, input: unknown): void {
    const { begin, f, label } = this.options
    const item = new Item(this, input)
    this.unread.begin(item)
    const effect = Effect.suspend(() => f(input))
    const { run } = item
    begin(fiber, run, { effect, label })
    if (run.record === undefined && run.outcome === undefined) this.starting.add(item)
    if (this.millis !== Infinity && run.outcome === undefined) armUnsafe(item, fiber, this.millis)
  }

  private ask(fiber: AnyFiber): void {
    const { demand } = this
    this.asked = true
    this.demand = undefined
    demand?.()
    if (this.pulling) return
    // Set this first: the input fiber may pull and ask for more before the fork returns.
    this.pulling = true
    this.source = Effect.runForkWith(fiber.context)(this.pullInput)
  }

  private readonly pullInput: Effect.Effect<void> = Effect.suspend(() =>
    Effect.matchCauseEffect(this.options.upstream, {
      onSuccess: (inputs) => this.arrived(inputs),
      onFailure: (cause) => Effect.sync(() => this.inputEnded(cause))
    })
  )

  private arrived(inputs: ReadonlyArray<unknown>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      this.inputs = inputs
      this.nextInput = 0
      this.asked = false
      this.refill(fiber)
      return Effect.andThen(this.untilAsked, this.pullInput)
    })
  }

  private readonly untilAsked = waitUntil<void>((resume, resumeNow) => {
    if (this.asked) return resumeNow(Exit.void)
    this.demand = () => resume(Exit.void)
  })

  private inputEnded(cause: Cause.Cause<unknown>): void {
    this.inputEnd = cause
    if (!Pull.isDoneCause(cause)) this.failure ??= cause
    this.wake()
  }

  // ---- ending -----------------------------------------------------------------------------------------------------

  /** An item has its outcome. This runs in the step of its death. */
  itemCompleted(item: Item, outcome: Outcome): void {
    if (this.closed) return
    if (item.run.refused) this.fail(outcome)
    else if (item.isLate && this.options.onTimeout !== "kill") this.fail(Exit.fail(this.timedOut))
    else if (this.options.linked && outcome._tag === "Failure") this.fail(outcome)
    else this.unread.finish(item)
    if (this.failure !== undefined || this.unread.isReady) this.wake()
  }

  private fail(exit: Outcome): void {
    if (exit._tag === "Failure") this.failure ??= exit.cause
  }

  startKnown(item: Item): void {
    this.starting.delete(item)
    if (this.closed && this.starting.size === 0) this.startsKnown.openUnsafe()
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.closed = true
    const { source } = this
    source?.interruptUnsafe()
    const stopped = Effect.andThen(this.stopLive, this.starting.size === 0 ? Effect.void : this.stopLate)
    return source === undefined ? stopped : Effect.andThen(stopped, Fiber.await(source))
  })

  private readonly stopLive: Effect.Effect<void> = Effect.suspend(() =>
    shutdownAll([...this.live], { limit: this.options.shutdown })
  )

  private readonly stopLate: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(this.startsKnown.await, this.stopLive)
  )
}
