/**
 * How many messages a server takes in one step before others get their turn: those that waited when the step began, at
 * least `FEW` and at most `MANY`. So a server keeps up with its senders, and a server that sends to itself does not
 * hold up others. It goes on past that number, up to `MANY`, while no other fiber waits. On Effect's own scheduler it
 * cannot know whether others wait, and takes at least `FEW_OUTSIDE`, unless the round of macrotasks is over.
 */
import { isHeldUp, isRoundOver } from "../../../kernel/shared/hostRound.ts"
import { isAlone, isInSlice, isSliceOver } from "../../../kernel/shared/runQueue.ts"

const FEW = 16
/**
 * The least outside of a slice, where each step costs a macrotask. With 16, a quarter of the calls a second are lost.
 */
const FEW_OUTSIDE = 128
/** How many messages a fiber can send in its own step: Effect gives it 2048 operations, and each message takes two. */
const MANY = 1024

/**
 * After how many messages it looks at the clock for the first time. The number doubles for each further look, by at
 * most `LONGEST`.
 */
const FIRST = 8
const LONGEST = 256

/**
 * How much longer than its slice a step may last, to handle messages that were there when it began. With less, a sender
 * that never waits would fill the mailbox of a server that keeps up with it.
 */
const GRACE_MILLIS = 8

/** How many messages it takes before it first asks whether it may go on. @internal */
export const first = FIRST

/** How many messages it takes if so many wait at the beginning. @internal */
export const share = (waiting: number): number => (waiting <= FEW ? FEW : waiting < MANY ? waiting : MANY)

/** The number of messages up to which it may go on before it asks again. If this is `taken`, it must stop. @internal */
export const goOn = (taken: number, share: number): number => {
  if (!isInSlice()) return goOnOutside(taken, Math.max(share, FEW_OUTSIDE))
  if (taken >= share) return taken < MANY && isAlone() ? taken + FEW : taken
  return isSliceOver(GRACE_MILLIS) ? taken : Math.min(share, taken + Math.min(taken, LONGEST))
}

const goOnOutside = (taken: number, share: number): number => {
  if (isFarBehind(share)) return MANY
  return taken >= share || isRoundOver() ? taken : Math.min(share, taken + Math.min(taken, LONGEST))
}

/**
 * Tells whether so many messages wait that the server takes its whole share in each round. A server that waits in line
 * would not keep up with a sender that never waits. @internal
 */
export const isFarBehind = (waiting: number): boolean => waiting >= MANY

/** Tells whether the server has to wait for the next round before it begins its step. @internal */
export const hasToWait = (waiting: number): boolean => isHeldUp() && !isFarBehind(waiting)
