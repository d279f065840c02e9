/**
 * `terminateChild`, `restartChild` and parking: what people ask of a running supervisor. Nothing here counts as a failure or
 * makes the supervisor shut down by itself.
 *
 * A request for a child that is just stopping waits for the end of it and is then looked at, as it would wait in the
 * mailbox of OTP's supervisor. A resource cannot be asked for: later siblings would be left with a dead one.
 *
 * All of it holds during the boot, too. A child that the boot has not come to can be told to stop, and is then passed over;
 * asking for its start undoes that.
 */
import { isTemporary, type Request, type Status } from "./child.ts"
import { isRestarting, joinRound, leaveRound, resourceRound, strategyRound } from "./rounds.ts"
import {
  answerWaiting,
  awaitUp,
  childAt,
  emit,
  refuseStart,
  reply,
  setParked,
  setStatus,
  start,
  stop,
  type Turn
} from "./turn.ts"

export const handleRequest = <X>(turn: Turn<X>, request: Request): void => {
  if (turn.phase._tag !== "Running" && turn.phase._tag !== "Booting")
    return reply(turn, request.request, { _tag: "SupervisorStopping" })
  const index = turn.children.findIndex(
    ({ member, status }) => member.id === request.id && member.kind === "child" && status._tag !== "Dropped"
  )
  if (index === -1) return reply(turn, request.request, { _tag: "ChildNotFound" })
  if (request._tag !== "TerminateRequested") setParked(turn, index, request._tag === "ParkRequested")
  if (request._tag === "UpRequested") return bringUp(turn, index, request)
  return request._tag === "RestartRequested" ? restart(turn, index, request) : terminate(turn, index, request)
}

const terminate = <X>(turn: Turn<X>, index: number, request: Request): void => {
  answerWaiting(turn, index, { _tag: "StartInterrupted" })
  leaveRound(turn, index)
  forgetEarlyExit(turn, index)
  if (isBefore(turn, index)) return passOver(turn, index, request)
  const { status } = childAt(turn, index)
  switch (status._tag) {
    case "Starting":
      refuseStart(turn, index, { _tag: "StartInterrupted" })
      return stop(turn, index, [request])
    case "Up":
      return stop(turn, index, [request])
    case "Stopping":
      return setStatus(turn, index, { _tag: "Stopping", requests: [...status.requests, request] })
    case "Zombie":
    case "Down":
    case "Dropped":
      return reply(turn, request.request, { _tag: "Done" })
  }
}

/** Whether the boot has not come to this child. */
const isBefore = <X>({ children, phase }: Turn<X>, index: number): boolean =>
  phase._tag === "Booting" && children[index]!.incarnation === 0

const forgetEarlyExit = <X>(turn: Turn<X>, index: number): void => {
  const { phase } = turn
  if (phase._tag === "Booting") {
    turn.phase = { ...phase, exits: phase.exits.filter(({ child }) => child !== index) }
  }
}

/** The boot is not to start this child. */
const passOver = <X>(turn: Turn<X>, index: number, { request }: Request): void => {
  setSkipped(turn, index, true)
  if (isTemporary(childAt(turn, index))) rest(turn, index, { _tag: "Dropped" })
  reply(turn, request, { _tag: "Done" })
}

const setSkipped = <X>(turn: Turn<X>, index: number, isSkipped: boolean): void => {
  const { phase } = turn
  if (phase._tag !== "Booting") return
  const others = phase.skipped.filter((child) => child !== index)
  turn.phase = { ...phase, skipped: isSkipped ? [...others, index] : others }
}

const restart = <X>(turn: Turn<X>, index: number, request: Request): void => {
  if (isRestarting(turn, index)) return reply(turn, request.request, { _tag: "ChildRestarting" })
  if (isBefore(turn, index)) {
    // Its turn comes.
    setSkipped(turn, index, false)
    return reply(turn, request.request, { _tag: "ChildRestarting" })
  }
  const { status } = childAt(turn, index)
  switch (status._tag) {
    case "Starting":
      return reply(turn, request.request, { _tag: "ChildRestarting" })
    case "Up":
      return reply(turn, request.request, { _tag: "ChildRunning" })
    case "Stopping":
      return setStatus(turn, index, { _tag: "Stopping", requests: [...status.requests, request] })
    case "Zombie":
      return reply(turn, request.request, { _tag: "StartFailed", exit: status.exit })
    case "Dropped":
      return reply(turn, request.request, { _tag: "ChildNotFound" })
    case "Down": {
      const round = resourceRound(turn, index) ?? strategyRound(turn, index)
      if (round === undefined) return start(turn, index, request.request)
      joinRound(turn, index, round)
      return reply(turn, request.request, { _tag: "ChildRestarting" })
    }
  }
}

const bringUp = <X>(turn: Turn<X>, index: number, request: Request): void => {
  const { status } = childAt(turn, index)
  if (isBefore(turn, index)) setSkipped(turn, index, false)
  else if (status._tag === "Up" && !isRestarting(turn, index)) return reply(turn, request.request, { _tag: "Done" })
  else if (status._tag === "Stopping" && !isRestarting(turn, index)) {
    return setStatus(turn, index, { _tag: "Stopping", requests: [...status.requests, request] })
  } else if (status._tag === "Down" && !isRestarting(turn, index)) {
    const round = resourceRound(turn, index) ?? strategyRound(turn, index)
    if (round === undefined) start(turn, index)
    else joinRound(turn, index, round)
  } else if (status._tag === "Zombie" && !isRestarting(turn, index)) {
    setParked(turn, index, true)
    return reply(turn, request.request, { _tag: "StartFailed", exit: status.exit })
  }
  awaitUp(turn, index, request.request)
}

/** A start of a child has failed: if somebody waits for the child, that is theirs to deal with, and the child is parked. */
export const isWaitersAffair = <X>(turn: Turn<X>, index: number, exit: X): boolean => {
  if (!answerWaiting(turn, index, { _tag: "StartFailed", exit })) return false
  setParked(turn, index, true)
  leaveRound(turn, index)
  forgetEarlyExit(turn, index)
  return true
}

/** A child has stopped, or is past waiting for: it rests as it is told, and whoever waited for that is served. */
export const rest = <X>(turn: Turn<X>, index: number, resting: Status<X>): void => {
  const { status } = childAt(turn, index)
  const requests = status._tag === "Stopping" ? status.requests : []
  setStatus(turn, index, resting)
  if (resting._tag === "Dropped") {
    leaveRound(turn, index)
    emit(turn, { _tag: "Forget", child: index })
  }
  // Those asking for the end have it, even if a group takes the child up again; the others are served in turn.
  const asked = requests.findIndex(({ _tag }) => _tag === "RestartRequested" || _tag === "UpRequested")
  const ended = asked === -1 ? requests.length : asked
  for (const { request } of requests.slice(0, ended)) reply(turn, request, { _tag: "Done" })
  for (const request of requests.slice(ended)) handleRequest(turn, request)
}
