/**
 * How many messages a server takes in one step before others get their turn: those that waited when it began, at least
 * `FEW`, at most `MANY`. So a server keeps up with whoever sends to it, and one that sends to itself does not hold up
 * others. It goes on past them, as far as `MANY`, while no other fiber waits. Where it cannot know who waits, as on Effect's
 * own scheduler, it takes at least `FEW_OUTSIDE`.
 */
import { isAlone, isInSlice, isSliceOver } from "../../../kernel/shared/runQueue.ts"

const FEW = 16
/** The same outside of a slice, where a step costs a macrotask: with 16 a quarter of the calls a second are lost. */
const FEW_OUTSIDE = 128
/** How many a fiber can send in its own step: Effect gives it 2048 operations, and to send a message takes two. */
const MANY = 1024

/** After so many messages it looks at the clock for the first time, then after as many again, up to `LONGEST`. */
const FIRST = 8
const LONGEST = 256

/**
 * How much longer than its slice a step may last to handle messages that were there when it began. Less, and a sender
 * that never waits would fill the mailbox of a server that keeps up with it.
 */
const GRACE_MILLIS = 8

/** How many messages it takes before it asks for the first time whether it may go on. @internal */
export const first = FIRST

/** How many there are to take, with so many waiting as it begins. @internal */
export const share = (waiting: number): number => (waiting <= FEW ? FEW : waiting < MANY ? waiting : MANY)

/** Before how many messages it has to ask again: no more than it has taken if it is to stop. @internal */
export const goOn = (taken: number, share: number): number => {
  if (!isInSlice()) return Math.max(taken, share, FEW_OUTSIDE)
  if (taken >= share) return taken < MANY && isAlone() ? taken + FEW : taken
  return isSliceOver(GRACE_MILLIS) ? taken : Math.min(share, taken + Math.min(taken, LONGEST))
}
