/**
 * Rounds: what one failure makes stop, wait and start again.
 *
 * A round moves through these steps, each only when the one before is done: its members that run are stopped in
 * reverse order and released; the schedule has spoken; the delay passes; the members start in order, one at a time. A
 * member that is up again leaves its round, so "member of a round" and "will be restarted" are the same thing:
 *
 * - a member that is `Up` is still to be stopped, and if it ends by itself before, that counts for nothing;
 * - a member that is `Starting` was started by its round;
 * - no child is a member of two rounds.
 *
 * A *group* round (a group strategy, or a resource failed) looks at everything from its first member on: while any of
 * it still stops, it starts nothing. A single round minds only its own child.
 */
import { isTemporary, restartOf, shouldRestart } from "./child.ts"
import { end } from "./ending.ts"
import { record } from "./intensity.ts"
import {
  childAt,
  emit,
  lastIndex,
  refuseStart,
  type Round,
  start,
  type State,
  stop,
  type Turn,
  type Wait
} from "./turn.ts"

// ---- accessors ----------------------------------------------------------------------------------------------------

/** What can be asked of a turn and of a state alike. */
type View<X> = Pick<State<X>, "children" | "phase">

const roundsOf = <X>({ phase }: View<X>): ReadonlyArray<Round<X>> => (phase._tag === "Running" ? phase.rounds : [])

const setRounds = <X>(turn: Turn<X>, rounds: ReadonlyArray<Round<X>>): void => {
  if (turn.phase._tag === "Running") turn.phase = { _tag: "Running", rounds }
}

export const findRound = <X>(turn: Turn<X>, number: number): Round<X> | undefined =>
  roundsOf(turn).find(({ round }) => round === number)

/** The round that is going to deal with this child. */
export const findRoundOf = <X>(view: View<X>, index: number): Round<X> | undefined =>
  roundsOf(view).find(({ members }) => members.includes(index))

export const setWait = <X>(turn: Turn<X>, number: number, wait: Wait): void =>
  setRounds(
    turn,
    roundsOf(turn).map((round) => (round.round === number ? { ...round, wait } : round))
  )

/** Whether a round is going to deal with this child, be it only to stop it. */
export const isMember = (view: View<unknown>, index: number): boolean => findRoundOf(view, index) !== undefined

/** Whether a round is going to start this child again, or will once the boot is over. */
export const isRestarting = (view: View<unknown>, index: number): boolean =>
  (isMember(view, index) && !isTemporary(view.children[index]!)) || hasEndedEarly(view, index)

/** Whether it has ended during the boot in a way that is followed by a restart. */
const hasEndedEarly = ({ children, phase }: View<unknown>, index: number): boolean =>
  phase._tag === "Booting" &&
  phase.exits.some(
    ({ child, expected }) => child === index && shouldRestart(restartOf(children[index]!.member), expected)
  )

/** The round that brings back an earlier resource, which this child must not be started without. */
export const resourceRound = <X>(turn: Turn<X>, index: number): Round<X> | undefined =>
  roundsOf(turn).find(({ members }) => members.some((member) => member < index && isResource(turn, member)))

/** The round under a group strategy that this child belongs to, member or not. */
export const strategyRound = <X>(turn: Turn<X>, index: number): Round<X> | undefined =>
  turn.options.strategy === "oneForOne" ? undefined : roundsOf(turn).find(({ from }) => from <= index)

const isResource = <X>(turn: Turn<X>, index: number): boolean => childAt(turn, index).member.kind === "resource"

// ---- operations ---------------------------------------------------------------------------------------------------

interface Failure<X> {
  readonly child: number
  readonly exit: X
  /** Whether a resource it holds may be the cause. */
  readonly isSuspicious: boolean
}

/** A child has failed by itself: counts it, and begins a round, or the end. */
export const failed = <X>(turn: Turn<X>, { child: index, exit, isSuspicious }: Failure<X>): void => {
  if (turn.phase._tag !== "Running") return
  if (turn.window !== undefined && childAt(turn, index).member.counted !== false) {
    const [window, exceeded] = record(turn.window, turn.nowMillis)
    turn.window = window
    const attempts = window.entries.length
    if (exceeded) return end(turn, { _tag: "RestartLimit", child: index, exit, attempts, policy: "intensity" })
  }
  const from = Math.min(firstNamed(turn, index), isSuspicious ? firstHeld(turn, index) : Infinity)
  const members = gather(turn, index, from)
  const group = from !== Infinity || members.length > 1
  for (const member of members) leaveRound(turn, member)
  for (const member of members.toReversed()) {
    if (childAt(turn, member).status._tag !== "Starting") continue
    refuseStart(turn, member, { _tag: "ChildRestarting" })
    stop(turn, member)
  }
  const round = ++turn.lastRound
  const opened: Round<X> = {
    round,
    child: index,
    exit,
    group,
    from: Math.min(from, members[0]!),
    members,
    wait: { _tag: "Asked" }
  }
  setRounds(turn, [...roundsOf(turn), opened])
  emit(turn, { _tag: "AskSchedule", round, child: index, incarnation: childAt(turn, index).incarnation, exit })
}

/** The first child that is to restart because this one failed; infinity if it is this one alone. */
const firstNamed = <X>(turn: Turn<X>, index: number): number => {
  const { strategy } = turn.options
  if (strategy === "oneForAll") return 0
  return strategy === "restForOne" || isResource(turn, index) ? index : Infinity
}

/** The first resource this child holds that is to be rebuilt with its holders; infinity if there is none. */
const firstHeld = <X>(turn: Turn<X>, index: number): number => {
  const held = turn.children.findIndex(
    ({ member }, at) => at < index && member.kind === "resource" && member.rebuild === "withHolder"
  )
  return held === -1 ? Infinity : held
}

/**
 * The members of a new round: the failed child, the named ones, and those of every round it meets. Under a group
 * strategy a child that is down comes back with its group, unless it is parked; after the end of a resource it stays as it was. A child that
 * fails while it waits for a resource takes that whole round along.
 */
const gather = <X>(turn: Turn<X>, index: number, from: number): ReadonlyArray<number> => {
  const awaited = resourceRound(turn, index)
  const met = roundsOf(turn).filter((round) => round === awaited || round.members.some((member) => member >= from))
  const joins = new Set([index, ...met.flatMap(({ members }) => members)])
  return turn.children.flatMap(({ parked, status }, other) => {
    if (status._tag === "Dropped") return []
    const active = status._tag === "Up" || status._tag === "Starting"
    const named = other >= from && (active || (turn.options.strategy !== "oneForOne" && parked !== true))
    return named || joins.has(other) ? [other] : []
  })
}

/** Takes a child out of the round it is in, if any; the last to leave ends the round. */
export const leaveRound = <X>(turn: Turn<X>, index: number): void => {
  const left = findRoundOf(turn, index)
  if (left === undefined) return
  const members = left.members.filter((member) => member !== index)
  if (members.length === 0 && left.wait._tag === "Sleeping") emit(turn, { _tag: "CancelSleep", round: left.round })
  setRounds(
    turn,
    roundsOf(turn).flatMap((round) => (round !== left ? [round] : members.length > 0 ? [{ ...round, members }] : []))
  )
}

/** Lets a child come back with a round that is at work around it. */
export const joinRound = <X>(turn: Turn<X>, index: number, joined: Round<X>): void => {
  const members = [...joined.members, index].toSorted((a, b) => a - b)
  setRounds(
    turn,
    roundsOf(turn).map((round) => (round === joined ? { ...round, members } : round))
  )
}

/** Takes whatever step each round is ready for. */
export const advanceRounds = <X>(turn: Turn<X>): void => {
  for (const round of roundsOf(turn)) advance(turn, round)
}

const advance = <X>(turn: Turn<X>, round: Round<X>): void => {
  const last = lastInTheWay(turn, round)
  const blocker = last === -1 ? undefined : childAt(turn, last).status
  if (blocker?._tag === "Up") return stop(turn, last)
  if (blocker !== undefined && blocker._tag !== "Zombie") return
  if (!delayPassed(turn, round)) return
  if (blocker !== undefined) return stop(turn, last)
  return start(turn, round.members[0]!)
}

/** The last child that keeps this round from starting its next member. */
const lastInTheWay = <X>(turn: Turn<X>, { group, members }: Round<X>): number =>
  lastIndex(turn, ({ status }, index) =>
    members.includes(index) ? status._tag !== "Down" : group && index > members[0]! && status._tag === "Stopping"
  )

const delayPassed = <X>(turn: Turn<X>, { round, wait }: Round<X>): boolean => {
  if (wait._tag !== "Granted") return wait._tag === "Over"
  const over = !(wait.millis > 0)
  setWait(turn, round, { _tag: over ? "Over" : "Sleeping" })
  if (!over) emit(turn, { _tag: "Sleep", round, millis: wait.millis })
  return over
}
