/**
 * How long servers may run on Effect's own scheduler before timers and I/O get their turn.
 *
 * Effect's own scheduler makes each step of each fiber a macrotask. Node runs all waiting macrotasks, a round, before it
 * looks at timers and I/O. Servers look at the clock as they go on. Once a round has taken `ROUND_MILLIS`, a server that
 * wants to go on waits here, in line with the others, for the next round. Other schedulers do not need this: a test
 * decides the order, and the run queue has slices of its own.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { hostMacrotask, isDefault, isInSlice } from "./runQueue.ts"

const ROUND_MILLIS = 16
/** A server that begins a step looks at the clock in one of this many steps. */
const stepsPerClockRead = 256

type Resume = (effect: Effect.Effect<void>) => void

let steps = 0
/** When a server first looked at the clock in this round. */
let begun: number | undefined = undefined
let isOver = false
/** `waiting`: for the next round. `released`: from `head` on, those that waited for this round and go on in it. */
let waiting: Array<Resume> = []
let released: Array<Resume> = []
let head = 0
let isRequested = false
const macrotask = hostMacrotask(globalThis)

const isOutside = (): boolean => !isInSlice() && isDefault(Fiber.getCurrent()!.cache.scheduler)

/** Tells whether a server that wants to begin a step has to wait for the next round. */
export const isHeldUp = (): boolean => {
  if (isInSlice()) return false
  if (++steps >= stepsPerClockRead) {
    steps = 0
    return isRoundOver()
  }
  return isOver && isOutside()
}

/** Tells whether the present round has had its time. False on any other scheduler. */
export const isRoundOver = (): boolean => {
  if (!isOutside()) return false
  if (begun === undefined) {
    begun = performance.now()
    request()
  } else if (!isOver) isOver = performance.now() - begun >= ROUND_MILLIS
  return isOver
}

/** Lets others have their turn, and once the round has had its time also timers and I/O. */
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
