/**
 * `terminateChild`, `restartChild` and parking: requests to a running supervisor. None of them counts as a failure or
 * makes the supervisor shut down by itself.
 *
 * A request for a child that is stopping waits until it has stopped and is then handled, as it would wait in the
 * mailbox of OTP's supervisor. There are no requests for a resource: later siblings would be left with a dead one.
 *
 * All this also holds during the boot. A child whose turn has not come can be told to stop, and the boot then passes
 * over it. A request for its start undoes that.
 */
import * as ChildState from "../core/childState.ts"
import {
  answerUpRequests,
  awaitStop,
  awaitUp,
  childAt,
  type Draft,
  emit,
  refuseStart,
  reply,
  setChildState,
  setParked,
  start,
  stop
} from "./draft.ts"
import { isTemporary, type ChildRequest } from "./member.ts"
import { isRestarting, joinRestart, leaveRestart, resourceRestart, strategyRestart } from "./openRestarts.ts"

export const handleRequest = <X>(draft: Draft<X>, request: ChildRequest): void => {
  if (draft.phase._tag !== "Running" && draft.phase._tag !== "Booting")
    return reply(draft, request.request, { _tag: "SupervisorStopping" })
  const index = draft.children.findIndex(
    ({ state, member }) => member.id === request.id && member.kind === "child" && state._tag !== "Dropped"
  )
  if (index === -1) return reply(draft, request.request, { _tag: "ChildNotFound" })
  if (request._tag !== "TerminateRequested") setParked(draft, index, request._tag === "ParkRequested")
  if (request._tag === "UpRequested") return bringUp(draft, index, request)
  return request._tag === "RestartRequested" ? restart(draft, index, request) : terminate(draft, index, request)
}

const terminate = <X>(draft: Draft<X>, index: number, request: ChildRequest): void => {
  answerUpRequests(draft, index, { _tag: "StartInterrupted" })
  leaveRestart(draft, index)
  forgetEarlyExit(draft, index)
  if (isBeforeItsBoot(draft, index)) return passOver(draft, index, request)
  switch (childAt(draft, index).state._tag) {
    case "Starting":
    case "Up":
      refuseStart(draft, index, { _tag: "StartInterrupted" })
      stop(draft, index)
      return awaitStop(draft, index, request)
    case "Stopping":
      return awaitStop(draft, index, request)
    case "Zombie":
    case "Down":
    case "Dropped":
      return reply(draft, request.request, { _tag: "Done" })
  }
}

/** Whether the boot has not started this child yet. */
const isBeforeItsBoot = <X>({ children, phase }: Draft<X>, index: number): boolean =>
  phase._tag === "Booting" && children[index]!.incarnation === 0

const forgetEarlyExit = <X>(draft: Draft<X>, index: number): void => {
  const { phase } = draft
  if (phase._tag === "Booting") {
    draft.phase = { ...phase, exits: phase.exits.filter(({ child }) => child !== index) }
  }
}

/** The boot must not start this child. */
const passOver = <X>(draft: Draft<X>, index: number, { request }: ChildRequest): void => {
  setSkipped(draft, index, true)
  if (isTemporary(childAt(draft, index))) childStopped(draft, index, ChildState.dropped)
  reply(draft, request, { _tag: "Done" })
}

const setSkipped = <X>(draft: Draft<X>, index: number, isSkipped: boolean): void => {
  const { phase } = draft
  if (phase._tag !== "Booting") return
  const others = phase.skipped.filter((child) => child !== index)
  draft.phase = { ...phase, skipped: isSkipped ? [...others, index] : others }
}

const restart = <X>(draft: Draft<X>, index: number, request: ChildRequest): void => {
  if (isRestarting(draft, index)) return reply(draft, request.request, { _tag: "ChildRestarting" })
  if (isBeforeItsBoot(draft, index)) {
    // The boot will start it.
    setSkipped(draft, index, false)
    return reply(draft, request.request, { _tag: "ChildRestarting" })
  }
  const { state } = childAt(draft, index)
  switch (state._tag) {
    case "Starting":
      return reply(draft, request.request, { _tag: "ChildRestarting" })
    case "Up":
      return reply(draft, request.request, { _tag: "ChildRunning" })
    case "Stopping":
      return awaitStop(draft, index, request)
    case "Zombie":
      return reply(draft, request.request, { _tag: "StartFailed", exit: state.exit })
    case "Dropped":
      return reply(draft, request.request, { _tag: "ChildNotFound" })
    case "Down": {
      const around = resourceRestart(draft, index) ?? strategyRestart(draft, index)
      if (around === undefined) return start(draft, index, request.request)
      joinRestart(draft, index, around)
      return reply(draft, request.request, { _tag: "ChildRestarting" })
    }
  }
}

const bringUp = <X>(draft: Draft<X>, index: number, request: ChildRequest): void => {
  const { state } = childAt(draft, index)
  if (isBeforeItsBoot(draft, index)) {
    setSkipped(draft, index, false)
  } else if (!isRestarting(draft, index)) {
    switch (state._tag) {
      case "Up":
        return reply(draft, request.request, { _tag: "Done" })
      case "Stopping":
        return awaitStop(draft, index, request)
      case "Zombie":
        setParked(draft, index, true)
        return reply(draft, request.request, { _tag: "StartFailed", exit: state.exit })
      case "Down":
        bringBack(draft, index)
        break
      case "Starting":
      case "Dropped":
    }
  }
  awaitUp(draft, index, request.request)
}

const bringBack = <X>(draft: Draft<X>, index: number): void => {
  const around = resourceRestart(draft, index) ?? strategyRestart(draft, index)
  if (around === undefined) start(draft, index)
  else joinRestart(draft, index, around)
}

/**
 * A start of a child has failed. If requests wait until the child is up, they get the failure, and the child is parked.
 */
export const parkIfAwaited = <X>(draft: Draft<X>, index: number, exit: X): boolean => {
  if (!answerUpRequests(draft, index, { _tag: "StartFailed", exit })) return false
  setParked(draft, index, true)
  leaveRestart(draft, index)
  forgetEarlyExit(draft, index)
  return true
}

/**
 * A child has stopped, or is no longer waited for. It stands at `resting` from now on, and the requests that waited for
 * this are handled.
 */
export const childStopped = <X>(draft: Draft<X>, index: number, resting: ChildState.ChildState<X>): void => {
  const requests = childAt(draft, index).afterStop ?? []
  setChildState(draft, index, resting)
  if (resting._tag === "Dropped") {
    leaveRestart(draft, index)
    emit(draft, { _tag: "Forget", child: index })
  }
  // Requests to stop the child are answered. The first request to start it, and all after that one, are handled.
  const asked = requests.findIndex(({ _tag }) => _tag === "RestartRequested" || _tag === "UpRequested")
  const ended = asked === -1 ? requests.length : asked
  for (const { request } of requests.slice(0, ended)) reply(draft, request, { _tag: "Done" })
  for (const request of requests.slice(ended)) handleRequest(draft, request)
}
