/**
 * Knows which process waits for which other, and whether a process would wait for itself.
 *
 * A process waits when its own fiber does: a server in its turn, in `init` and in `terminate`, a plain process in its body.
 * Its record holds the wait. Authors of behaviours use this module.
 *
 * **Guarantees**
 *
 * - A wait is evaluated when somebody asks. So it is over in the step in which its event happens, even if the waiting
 *   fiber has not gone on yet.
 *
 * **Not here**
 *
 * Fibers that a process has forked. Other fibers of the process can act while these wait, so their waits are not waits
 * of the process.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { currentProcessUnsafe, type ProcessRecord, type Wait } from "./processRecord.ts"
import { displayName } from "./displayName.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * A wait for the processes that a function returns each time it is asked.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeWait = (blockers: () => Iterable<ProcessRecord>): Wait => ({
  get blockers() {
    return blockers()
  }
})

/**
 * Waits for one process until `isOver`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const waitForProcess = (isOver: () => boolean, process: () => ProcessRecord | undefined): Wait =>
  makeWait(() => {
    const record = isOver() ? undefined : process()
    return record === undefined ? [] : [record]
  })

/**
 * Waits for the end of a process, and so for all processes that have to end before it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const waitForEnd = (process: ProcessRecord): Wait =>
  makeWait(() => (process.ended ? [] : [process, ...(process.kind.below?.(process) ?? [])]))

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The process whose own fiber this is. Undefined if the fiber is not a process's own.
 *
 * @category operations
 * @since 0.1.0
 */
export const ownProcessUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): ProcessRecord | undefined => {
  const process = currentProcessUnsafe(fiber)
  return process?.isOwn(fiber) === true ? process : undefined
}

/**
 * Runs an effect that waits. If the fiber is the process's own, its record says meanwhile what it waits for.
 *
 * If the process would wait for itself, one of the calls in the cycle fails with `CallCycle`. If there is no call in
 * the cycle, the process waits all the same.
 *
 * @category operations
 * @since 0.1.0
 */
export const duringWait = <A, E, R>(wait: Wait, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const process = ownProcessUnsafe(fiber)
    if (process === undefined) return effect
    process.waitingFor = wait
    const cycle = findCycleUnsafe(process, wait.blockers)
    if (cycle !== undefined) breakCycleUnsafe(cycle)
    const over = Effect.sync(() => {
      if (process.waitingFor === wait) process.waitingFor = undefined
    })
    return Effect.ensuring(effect, over)
  })

/**
 * Looks for cycles among the processes that wait for a server to be up, because what they wait for has changed.
 *
 * @category operations
 * @since 0.1.0
 */
export const recheckCyclesUnsafe = (kernel: ProcessRecord["kernel"]): void => {
  for (const process of kernel.waitingUntilUp) {
    const cycle = findCycleUnsafe(process, blockersOf(process))
    if (cycle !== undefined) breakCycleUnsafe(cycle)
  }
}

/**
 * The processes of the cycle, in order, if `from` would wait for itself by waiting for `blockers`. Else undefined.
 *
 * @category operations
 * @since 0.1.0
 */
export const findCycleUnsafe = (
  from: ProcessRecord,
  blockers: Iterable<ProcessRecord>
): ReadonlyArray<ProcessRecord> | undefined => {
  /** Each process that is waited for, with one that waits for it. */
  const waiters = new Map<ProcessRecord, ProcessRecord>()
  const open: Array<ProcessRecord> = []
  const visit = (records: Iterable<ProcessRecord>, waiter: ProcessRecord) => {
    for (const record of records) {
      if (waiters.has(record)) continue
      waiters.set(record, waiter)
      open.push(record)
    }
  }
  visit(blockers, from)
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === from) return cycleOf(from, waiters)
    visit(blockersOf(at), at)
  }
  return undefined
}

/**
 * The names of the processes of a cycle, for people.
 *
 * @category accessors
 * @since 0.1.0
 */
export const cycleNames = (cycle: ReadonlyArray<ProcessRecord>): ReadonlyArray<string> => cycle.map(displayName)

// ---- internals ----------------------------------------------------------------------------------------------------

const blockersOf = (process: ProcessRecord): Iterable<ProcessRecord> =>
  process.kind.blockers?.(process) ?? process.waitingFor?.blockers ?? []

const cycleOf = (from: ProcessRecord, waiters: ReadonlyMap<ProcessRecord, ProcessRecord>) => {
  const cycle = [from]
  for (let at = waiters.get(from)!; at !== from; at = waiters.get(at)!) cycle.push(at)
  return [...cycle, from].toReversed()
}

/** Fails the first call of a cycle that can fail. */
const breakCycleUnsafe = (cycle: ReadonlyArray<ProcessRecord>): void => {
  const members = cycle.slice(1)
  for (const [at, { waitingFor }] of members.entries()) {
    const itsCycle = [...members.slice(at), ...members.slice(0, at + 1)]
    if (waitingFor?.fail?.(itsCycle) === true) return
  }
}
