/**
 * Deadlines. The deadlines of one clock and one duration are an intrusive list, ordered by due time. The lists of one
 * clock are in a heap by their first due time, with one sleeping fiber for all. To arm and disarm costs a few pointer
 * writes, where `Effect.timeout` would cost a fiber and a timer each.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scheduler from "effect/Scheduler"
import { renderCause } from "../../values/render.ts"
import { keepShape } from "./keepShape.ts"
import { monotonicMillis } from "./monotonic.ts"
import { DueHeap, type Entry } from "../internal/dueHeap.ts"

/**
 * Something that happens when its time is up. It is itself the list node, so a call with a deadline, for example, needs
 * no second object. @internal
 */
export interface Deadline {
  /** Undefined if it is not armed. */
  list: DeadlineList | undefined
  due: number
  previous: Deadline | undefined
  next: Deadline | undefined
  /** Runs when the time is up, unless it was disarmed before. */
  expire(): void
  /** The kernel it was armed in has closed. Without this method it stays armed, because somebody may wait for it. */
  kernelClosed?(): void
}

/** @internal */
export const disarm = (deadline: Deadline): void => {
  deadline.list?.remove(deadline)
}

/** Milliseconds that are left, or undefined if it is not armed. @internal */
export const millisLeft = ({ due, list }: Deadline): number | undefined =>
  list === undefined ? undefined : Math.max(0, due - list.queue.now())

/** @internal */
export class Deadlines {
  private readonly queues = new Map<Clock.Clock, DeadlineQueue>()
  private last: DeadlineList | undefined = undefined

  arm(deadline: Deadline, clock: Clock.Clock, millis: number, context: Context.Context<never>): void {
    const last = this.last
    const list =
      last !== undefined && last.queue.clock === clock && last.millis === millis ? last : this.listOf(clock, millis)
    list.add(deadline, context)
  }

  close(): void {
    for (const queue of this.queues.values()) for (const list of queue.lists.values()) list.close()
  }

  /** How many lists there are. A list without deadlines is soon removed. */
  get size(): number {
    let size = 0
    for (const queue of this.queues.values()) size += queue.lists.size
    return size
  }

  private listOf(clock: Clock.Clock, millis: number): DeadlineList {
    let queue = this.queues.get(clock)
    if (queue === undefined) this.queues.set(clock, (queue = new DeadlineQueue(this, clock)))
    return (this.last = queue.listOf(millis))
  }

  forgetList(list: DeadlineList): void {
    if (this.last === list) this.last = undefined
  }

  forget(queue: DeadlineQueue): void {
    this.queues.delete(queue.clock)
  }
}

/** The deadlines of one duration. `due` is never later than the due time of its first deadline. @internal */
export class DeadlineList implements Entry {
  readonly queue: DeadlineQueue
  readonly millis: number
  due = 0
  index = -1
  head: Deadline | undefined = undefined
  private tail: Deadline | undefined = undefined
  retiring = false

  constructor(queue: DeadlineQueue, millis: number) {
    this.queue = queue
    this.millis = millis
  }

  add(deadline: Deadline, context: Context.Context<never>): void {
    deadline.list = this
    deadline.due = this.queue.now() + this.millis
    const tail = this.tail
    if (tail === undefined) this.head = deadline
    else {
      tail.next = deadline
      deadline.previous = tail
    }
    this.tail = deadline
    if (this.index < 0) this.queue.add(this, context)
  }

  remove(deadline: Deadline): void {
    const { previous, next } = deadline
    if (previous === undefined) this.head = next
    else previous.next = next
    if (next === undefined) this.tail = previous
    else next.previous = previous
    deadline.list = deadline.previous = deadline.next = undefined
    if (this.head === undefined && !this.retiring) this.queue.retire(this)
  }

  close(): void {
    for (let deadline = this.head; deadline !== undefined;) {
      const { next } = deadline
      deadline.kernelClosed?.()
      deadline = next
    }
  }
}

/** How many deadlines expire before other fibers get a turn. */
const BATCH = 1024

/** @internal */
export class DeadlineQueue {
  private readonly owner: Deadlines
  readonly clock: Clock.Clock
  readonly lists = new Map<number, DeadlineList>()
  private readonly heap = new DueHeap<DeadlineList>()
  private sleeper: Fiber.Fiber<void> | undefined = undefined
  /**
   * Until when the sleeper sleeps. While it is awake this is -Infinity: it looks at the heap again before it sleeps.
   */
  private until = -Infinity

  constructor(owner: Deadlines, clock: Clock.Clock) {
    this.owner = owner
    this.clock = clock
  }

  now(): number {
    return monotonicMillis(this.clock)
  }

  listOf(millis: number): DeadlineList {
    let list = this.lists.get(millis)
    if (list === undefined) this.lists.set(millis, (list = new DeadlineList(this, millis)))
    return list
  }

  add(list: DeadlineList, context: Context.Context<never>): void {
    list.due = list.head!.due
    this.heap.add(list)
    if (this.sleeper === undefined) this.sleeper = this.start(environment(context))
    else if (list.due < this.until) {
      const { sleeper } = this
      this.sleeper = this.start(sleeper.context)
      sleeper.interruptUnsafe()
    }
  }

  /** It begins in a task of its own, so nothing expires in the step that arms it. */
  private start(context: Context.Context<never>): Fiber.Fiber<void> {
    this.until = -Infinity
    return Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, this.watch))
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() => {
    this.until = -Infinity
    const now = this.now()
    const failures = this.expire(now)
    if (failures.length > 0) return Effect.andThen(report(failures), this.watch)
    const first = this.heap.first
    if (first === undefined) {
      this.rest()
      return Effect.void
    }
    if (first.due <= now) return Effect.andThen(Effect.yieldNow, this.watch)
    this.until = first.due
    // A timer of the host may fire a fraction of a millisecond early.
    return Effect.flatMap(this.clock.sleep(Duration.millis(Math.ceil(first.due - now))), () => this.watch)
  })

  /** Expires deadlines of all lists in the order they fall due. Returns what was thrown. */
  private expire(now: number): Array<unknown> {
    const failures: Array<unknown> = []
    for (let i = 0; i < BATCH; i++) {
      const list = this.heap.first
      if (list === undefined || list.due > now) break
      const { head } = list
      if (head === undefined) this.drop(list)
      else if (head.due > list.due) {
        list.due = head.due
        this.heap.delayed(list)
      } else {
        list.remove(head)
        try {
          head.expire()
        } catch (failure) {
          failures.push(failure)
        }
      }
    }
    return failures
  }

  private rest(): void {
    this.sleeper = undefined
    this.owner.forget(this)
  }

  private drop(list: DeadlineList): void {
    this.heap.remove(list)
    this.lists.delete(list.millis)
    this.owner.forgetList(list)
  }

  /**
   * An empty list must not hold a timer, because that would keep Node alive. But a list that is empty for a moment must
   * not pay for ending and starting its sleeper. So look again after the current run of tasks.
   */
  retire(list: DeadlineList): void {
    list.retiring = true
    this.sleeper!.currentDispatcher.scheduleTask(() => {
      list.retiring = false
      if (list.head !== undefined || list.index < 0) return
      this.drop(list)
      const { sleeper } = this
      if (this.heap.first !== undefined || sleeper === undefined) return
      this.rest()
      sleeper.interruptUnsafe()
    }, 0)
  }
}

/**
 * The part of the first armer's environment that the sleeper needs. The rest would be held for as long as it sleeps.
 */
const environment = (context: Context.Context<never>): Context.Context<never> =>
  Context.add(
    Context.make(Scheduler.Scheduler, Context.get(context, Scheduler.Scheduler)),
    Logger.CurrentLoggers,
    Context.get(context, Logger.CurrentLoggers)
  )

const report = (failures: ReadonlyArray<unknown>): Effect.Effect<void> =>
  Effect.forEach(failures, (failure) => Effect.logError("A timer failed", renderCause(Cause.die(failure))), {
    discard: true
  })

const exampleOfQueue = new DeadlineQueue(undefined!, undefined!)
const exampleOfList = new DeadlineList(exampleOfQueue, 0.5)
exampleOfList.due = 0.5
keepShape(exampleOfQueue, exampleOfList)
