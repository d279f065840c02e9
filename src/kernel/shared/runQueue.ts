/**
 * A scheduler with one run queue for all fibers.
 *
 * Effect's own scheduler gives each fiber a dispatcher of its own, and each dispatcher takes a trip through the
 * macrotask queue. Node runs all macrotasks that wait before it looks at timers and I/O, so 50,000 busy fibers block
 * both for as long as 50,000 steps take. Here all fibers share one queue, and a macrotask runs tasks from it for a
 * slice of time. A wake-up costs a function call, and timers and I/O get their turn after each slice. In return, a
 * promise that settles during a slice continues only when the slice ends.
 *
 * Code that runs inside a task can ask whether the slice is over (`isSliceOver`), and should then yield. The fiber loop
 * and the loop of a server do so.
 *
 * **Guarantees**
 *
 * - Order: tasks run in rounds. A round has all tasks that were scheduled before it began, lower priority numbers
 *   first, equal ones in the order they were scheduled. With one priority that is first in, first out. With several it
 *   is the order of Effect's dispatcher, and no priority can starve another.
 * - If a task throws, no other task is lost. Its error leaves the macrotask (or `flush`) as it does from Effect's
 *   dispatcher. That dispatcher forgets the rest of its round; here the rest runs in a new macrotask.
 * - `flush` runs all tasks of all fibers, and the tasks they schedule. It does not return while tasks schedule tasks
 *   for ever.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { slice } from "../internal/defaults.ts"

type Task = () => void

type Prioritized = readonly [priority: number, task: Task]

export interface RunQueueOptions {
  /** How long one macrotask may run tasks before the host gets its turn. Default: 2 milliseconds. */
  readonly sliceMillis?: number | undefined
  /** How many tasks one macrotask may run, whatever the clock says. Default: 16,384. */
  readonly sliceTasks?: number | undefined
  /** Runs a function in a macrotask. Default: the fastest way the host has. */
  readonly macrotask?: ((task: Task) => void) | undefined
}

export const makeRunQueue = (options?: RunQueueOptions): Scheduler.Scheduler => schedulerOf(new RunQueue(options))

const schedulerOf = (queue: RunQueue): Scheduler.Scheduler => {
  const scheduler: Scheduler.Scheduler = { executionMode: "async", shouldYield, makeDispatcher: () => queue }
  runQueues.add(scheduler)
  return scheduler
}

const runQueues = new WeakSet<Scheduler.Scheduler>()

const shouldYield = ({ cache, currentOpCount }: Fiber.Fiber<unknown, unknown>): boolean =>
  currentOpCount >= cache.maxOpsBeforeYield || (currentOpCount >= opsPerClockRead && isLong(currentOpCount))

/** Effect skips numbers when it counts, so a multiple may never be seen. */
const isLong = (count: number): boolean => {
  const stretch = Math.trunc(count / opsPerClockRead)
  if (stretch === lastStretch) return false
  lastStretch = stretch
  return isSliceOver()
}

/** The one queue of the program, and the two schedulers that use it. */
let program: RunQueue | undefined = undefined
let programQueue: Scheduler.Scheduler | undefined = undefined
let programSlices: Scheduler.Scheduler | undefined = undefined

const queueOfProgram = (): RunQueue => (program ??= new RunQueue(undefined))

/** The run queue that replaces a scheduler. Effect's default is replaced by the program's one queue. */
export const runQueueOver = (scheduler: Scheduler.Scheduler): Scheduler.Scheduler => {
  if (isDefault(scheduler) || scheduler === programSlices) return (programQueue ??= schedulerOf(queueOfProgram()))
  if (runQueues.has(scheduler)) return scheduler
  const dispatcher = scheduler.makeDispatcher()
  return makeRunQueue({ sliceMillis: Infinity, macrotask: (task) => dispatcher.scheduleTask(task, 0) })
}

/**
 * Effect's own scheduler, with the run queue of the program in place of the host's macrotasks. It has the same class as
 * Effect's default: the fiber loop is some percent slower once it has met schedulers of two classes.
 */
export const slices = (): Scheduler.Scheduler =>
  (programSlices ??= new Scheduler.MixedScheduler("async", (task) => {
    queueOfProgram().scheduleTask(task, 0)
    return nothingToCancel
  }))

/** An environment with these slices in place of Effect's default scheduler. Any other scheduler is kept. */
export const inSlices = <R>(context: Context.Context<R>): Context.Context<R> =>
  isDefault(Context.get(context, Scheduler.Scheduler)) ? Context.add(context, Scheduler.Scheduler, slices()) : context

/** Cancelling does nothing: when a dispatcher was flushed before its task, the task finds nothing to do. */
const nothingToCancel = (): void => {}

/** Any other scheduler was chosen by somebody, a test for example. */
export const isDefault = (scheduler: Scheduler.Scheduler): boolean => scheduler === effectsDefault

const effectsDefault = Context.get(Context.empty(), Scheduler.Scheduler)

/**
 * Whether the slice of the current macrotask is over, or has been over for `graceMillis`. Always false outside of a
 * slice: on another scheduler nothing depends on the time of the host.
 */
export const isSliceOver = (graceMillis = 0): boolean => {
  if (running === undefined || performance.now() < sliceEnd + graceMillis) return false
  isCutShort = true
  return true
}

/** Whether the caller runs in a slice. On another scheduler it is not known whether others wait. */
export const isInSlice = (): boolean => running !== undefined

/** Whether a task that goes on delays no other: it runs in a slice that is not over, and no other task waits. */
export const isAlone = (): boolean => running !== undefined && !running.hasTask() && !isSliceOver()

/** The ways in which a host runs a function in a macrotask. The first that exists is used. */
export interface Host {
  readonly setImmediate?: ((task: Task) => unknown) | undefined
  readonly MessageChannel?: typeof MessageChannel | undefined
  readonly setTimeout: (task: Task, millis: number) => unknown
}

export const hostMacrotask = (host: Host): ((task: Task) => void) => {
  if (host.setImmediate !== undefined) return (task) => host.setImmediate!(task)
  if (host.MessageChannel !== undefined) {
    // Browsers delay nested timers by four milliseconds, but not messages.
    const waiting: Array<Task> = []
    const { port1, port2 } = new host.MessageChannel()
    port1.addEventListener("message", () => waiting.shift()?.())
    port1.start()
    return (task) => {
      waiting.push(task)
      port2.postMessage(undefined)
    }
  }
  return (task) => host.setTimeout(task, 0)
}

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

// Reading the clock costs about as much as a small task. So it is not read after each task, unless tasks are long.
const mostTasksPerClockRead = 16
// It is not read before each operation of a fiber, either.
const opsPerClockRead = 256
let lastStretch = 0
// A round that grew larger than this drops its array.
const keptCapacity = 8_192

/** The queue whose slice runs now, and when that slice ends. */
let running: RunQueue | undefined = undefined
let sliceEnd = 0
/** A task has seen that the slice is over, so no other task begins in it. */
let isCutShort = false

const enter = (queue: RunQueue | undefined, end: number, cutShort: boolean): void => {
  running = queue
  sliceEnd = end
  isCutShort = cutShort
}

class RunQueue implements Scheduler.SchedulerDispatcher {
  /** The current round, from `head` to `size`. Two arrays are used in turns, so nothing is moved and nothing grows. */
  private round: Array<Task | undefined> = []
  private head = 0
  private size = 0
  private next: Array<Task | undefined> = []
  private nextSize = 0
  /** Tasks of the next round whose priority is not 0. There are almost never any. */
  private prioritized: Array<Prioritized> | undefined
  /** A macrotask has been scheduled or runs. */
  private scheduled = false
  private tasksPerClockRead = 1
  private readonly sliceMillis: number
  private readonly sliceTasks: number
  private readonly macrotask: (task: Task) => void

  constructor(options: RunQueueOptions | undefined) {
    this.sliceMillis = options?.sliceMillis ?? slice.millis
    this.sliceTasks = options?.sliceTasks ?? slice.tasks
    this.macrotask = options?.macrotask ?? hostMacrotask(globalThis)
  }

  scheduleTask(task: Task, priority: number): void {
    if (priority === 0) this.next[this.nextSize++] = task
    else (this.prioritized ??= []).push([priority, task])
    if (!this.scheduled) {
      this.scheduled = true
      this.macrotask(this.runSlice)
    }
  }

  flush(): void {
    while (this.hasTask()) this.runTask()
  }

  private readonly runSlice = (): void => {
    // A slice may run inside a task of another queue: a test's scheduler may have asked for it.
    const outer = running
    const outerEnd = sliceEnd
    const wasCutShort = isCutShort
    let now = performance.now()
    enter(this, now + this.sliceMillis, false)
    let left = this.sliceTasks
    let untilRead = this.tasksPerClockRead
    try {
      while (this.hasTask()) {
        this.runTask()
        if (--left === 0 || isCutShort) break
        if (--untilRead > 0 || !this.hasTask()) continue
        const before = now
        now = performance.now()
        untilRead = this.adapt(now - before)
        if (now >= sliceEnd) break
      }
    } finally {
      enter(outer, outerEnd, wasCutShort)
      this.scheduled = this.hasTask()
      if (this.scheduled) this.macrotask(this.runSlice)
    }
  }

  /** Reads the clock after fewer tasks if they took long, and after more if they did not. */
  private adapt(taken: number): number {
    const tasks = this.tasksPerClockRead
    if (taken * 4 > this.sliceMillis) return (this.tasksPerClockRead = 1)
    return tasks === mostTasksPerClockRead ? tasks : (this.tasksPerClockRead = tasks * 2)
  }

  hasTask(): boolean {
    return this.head < this.size || this.nextSize > 0 || this.prioritized !== undefined
  }

  private runTask(): void {
    if (this.head === this.size) this.beginRound()
    const task = this.round[this.head]!
    this.round[this.head++] = undefined
    task()
  }

  private beginRound(): void {
    const done = this.size > keptCapacity ? [] : this.round
    this.round = this.next
    this.size = this.nextSize
    this.head = 0
    this.next = done
    this.nextSize = 0
    if (this.prioritized !== undefined) this.mergePrioritized(this.prioritized)
  }

  private mergePrioritized(prioritized: Array<Prioritized>): void {
    this.prioritized = undefined
    prioritized.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    const before = prioritized.filter(([priority]) => priority < 0).map(([, task]) => task)
    const after = prioritized.filter(([priority]) => priority > 0).map(([, task]) => task)
    this.round = [...before, ...this.round.slice(0, this.size), ...after]
    this.size = this.round.length
  }
}
