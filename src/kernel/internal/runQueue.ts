/**
 * A scheduler with one run-queue for all fibers.
 *
 * Effect's own scheduler gives each fiber a dispatcher of its own, and each dispatcher a trip through the macrotask queue.
 * Here all fibers share one queue, and a macrotask runs tasks from it for a time slice: a wake-up costs a function call,
 * and timers and I/O still get their turn after each slice. The price: where promises and fibers are mixed, a promise's
 * continuation waits until the slice ends.
 *
 * **Guarantees**
 *
 * - Order: tasks run in rounds. A round has all that was scheduled before it began, lower priority numbers first, equal
 *   ones in the order they were scheduled. With one priority that is plain first in, first out; with several it is what
 *   Effect's dispatcher does, and no priority can starve another.
 * - A task that throws loses no other: its error leaves the macrotask (or `flush`) as it does from Effect's dispatcher,
 *   which would forget the rest of its round; here the rest runs in a new macrotask.
 * - `flush` runs all tasks there are, and those they schedule, of all fibers: it does not return while tasks schedule
 *   tasks for ever.
 *
 * @since 0.1.0
 */
import type * as Scheduler from "effect/Scheduler"

type Task = () => void

type Prioritized = readonly [priority: number, task: Task]

export interface RunQueueOptions {
  /** How long one macrotask may run tasks before the host gets its turn. Default 2 milliseconds. */
  readonly sliceMillis?: number | undefined
  /** How many tasks one macrotask may run, whatever the clock says. Default 16,384. */
  readonly sliceTasks?: number | undefined
  /** Runs a function in a macrotask of its own. Default: the best the host has. */
  readonly macrotask?: ((task: Task) => void) | undefined
}

export const makeRunQueue = (options?: RunQueueOptions): Scheduler.Scheduler => {
  const dispatcher = new RunQueue(options)
  return {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield,
    makeDispatcher: () => dispatcher
  }
}

/** What of the host runs a function in a macrotask: the first of these that it has. */
export interface Host {
  readonly setImmediate?: ((task: Task) => unknown) | undefined
  readonly MessageChannel?: typeof MessageChannel | undefined
  readonly setTimeout: (task: Task, millis: number) => unknown
}

export const hostMacrotask = (host: Host): ((task: Task) => void) => {
  if (host.setImmediate !== undefined) return (task) => host.setImmediate!(task)
  if (host.MessageChannel !== undefined) {
    // Browsers hold nested timers back for four milliseconds, but not messages.
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

// Reading the clock costs about as much as a small task: not after each one.
const tasksPerClockRead = 16
// A round that grew larger than this gives its array back.
const keptCapacity = 8_192

class RunQueue implements Scheduler.SchedulerDispatcher {
  /** The round that runs, from `head` to `size`. Two arrays take turns, so that nothing is moved and nothing grows. */
  private round: Array<Task | undefined> = []
  private head = 0
  private size = 0
  private next: Array<Task | undefined> = []
  private nextSize = 0
  /** Tasks of the next round whose priority is not 0; almost always absent. */
  private prioritized: Array<Prioritized> | undefined
  /** A macrotask is on its way, or runs. */
  private scheduled = false
  private readonly sliceMillis: number
  private readonly sliceTasks: number
  private readonly macrotask: (task: Task) => void

  constructor(options: RunQueueOptions | undefined) {
    this.sliceMillis = options?.sliceMillis ?? 2
    this.sliceTasks = options?.sliceTasks ?? 16_384
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
    const end = performance.now() + this.sliceMillis
    let left = this.sliceTasks
    try {
      while (this.hasTask()) {
        this.runTask()
        if (--left === 0) break
        if (left % tasksPerClockRead === 0 && performance.now() >= end) break
      }
    } finally {
      this.scheduled = this.hasTask()
      if (this.scheduled) this.macrotask(this.runSlice)
    }
  }

  private hasTask(): boolean {
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
