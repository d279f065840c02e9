/**
 * How long servers may run on Effect's own scheduler before timers and I/O get their turn.
 *
 * Effect's own scheduler makes a macrotask of each step of each fiber, and Node runs all macrotasks that wait before it
 * looks at timers and I/O: a round. Servers look at the clock as they go. Once a round has taken `ROUND_MILLIS`, a server
 * that wants to go on waits here for the next one, in line with the others. On another scheduler none of this happens: a
 * test decides the order, and the run queue has slices of its own.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { hostMacrotask, isDefault, isInSlice } from "./runQueue.ts"

const ROUND_MILLIS = 16
/** Servers look at the clock in one of so many steps. */
const stepsPerClockRead = 256

type Resume = (effect: Effect.Effect<void>) => void

let steps = 0
/** When the first server looked at the clock in this round. */
let begun: number | undefined = undefined
let isOver = false
/** Those that wait for the next round, and those that have waited for this one, from `head` on. */
let waiting: Array<Resume> = []
let released: Array<Resume> = []
let head = 0
let isRequested = false
const macrotask = hostMacrotask(globalThis)

const isOutside = (): boolean => !isInSlice() && isDefault(Fiber.getCurrent()!.cache.scheduler)

/** Whether a server that begins a step has to wait for the next round. */
export const isHeldUp = (): boolean => {
  if (isInSlice()) return false
  if (++steps >= stepsPerClockRead) {
    steps = 0
    return isRoundOver()
  }
  return isOver && isOutside()
}

/** Whether the round that runs now is over, for a server that could go on. Never on another scheduler. */
export const isRoundOver = (): boolean => {
  if (!isOutside()) return false
  if (begun === undefined) {
    begun = performance.now()
    request()
  } else if (!isOver) isOver = performance.now() - begun >= ROUND_MILLIS
  return isOver
}

/** Lets others have their turn: timers and I/O too, once the round is over. */
export const nextTurn: Effect.Effect<void> = Effect.suspend(() => (isOutside() ? inNextRound : Effect.yieldNow))

const inNextRound: Effect.Effect<void> = Effect.callback((resume) => {
  waiting.push(resume)
  request()
})

const request = (): void => {
  if (isRequested) return
  isRequested = true
  macrotask(beginRound)
}

const beginRound = (): void => {
  isRequested = false
  isOver = false
  begun = undefined
  if (head === released.length) {
    released = waiting
    waiting = []
    head = 0
  }
  if (head === released.length) return
  const start = (begun = performance.now())
  request()
  while (head < released.length) {
    released[head++]!(Effect.void)
    if (isOver || performance.now() - start >= ROUND_MILLIS) break
  }
}
