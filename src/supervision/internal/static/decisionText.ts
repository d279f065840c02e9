/** What a supervisor has decided about the end of a child, in the words of its reports. */
import type { ChildEnd } from "../core/childEnd.ts"
import type { EndReason, Event, State } from "../group/group.ts"

type EndOfRun = Extract<Event<ChildEnd>, { readonly _tag: "StartFailed" | "ChildExited" }>

/** What follows the end of a child. Undefined as long as that is not known. @internal */
export const decisionText = ({ phase }: State<ChildEnd>, child: number, delayMillis: number): string | undefined => {
  switch (phase._tag) {
    case "Booting":
      return undefined
    case "Running": {
      const restart = phase.restarts.find(({ members }) => members.includes(child))
      if (restart === undefined) return "no restart"
      if (restart.child !== child) return "restart with a sibling"
      if (restart.stage._tag === "Asking") return undefined
      return delayMillis > 0 ? `restart in ${delayMillis} ms` : "restart"
    }
    case "Ending":
      return decisionAtEnd(phase.reason, child)
    case "Ended":
      // The end of the supervisor reports it.
      return undefined
  }
}

/** What the end of the supervisor means for a child. @internal */
export const decisionAtEnd = (reason: EndReason<ChildEnd>, child: number): string => {
  if (reason._tag === "Requested" || reason.child !== child) return "stop"
  return reason._tag === "AutoShutdown" ? "stop all" : "give up"
}

/**
 * The child that a schedule has just granted a restart. Undefined if no restart comes of it, because another restart
 * has included it meanwhile or it was taken out by hand. @internal
 */
export const childGranted = (state: State<ChildEnd>, event: Event<ChildEnd>): number | undefined => {
  if (event._tag !== "ScheduleAnswered" || event.answer._tag !== "Delay" || state.phase._tag !== "Running")
    return undefined
  const asked = state.phase.restarts.find(({ restart }) => restart === event.restart)
  if (asked?.stage._tag !== "Asking" || !asked.members.includes(asked.child)) return undefined
  return asked.child
}

/** Whether the log has to report this end, because nobody else is told. @internal */
export const isForTheLog = (
  { children, options, phase }: State<ChildEnd>,
  { _tag, child, incarnation }: EndOfRun
): boolean => {
  const { incarnation: latest, state, starter, upRequests } = children[child]!
  if (incarnation !== latest) return false
  if (_tag === "ChildExited") return options.members[child]!.kind === "child" || phase._tag === "Running"
  // If somebody asked for this start, they get the failure. So do those who wait for the boot.
  return state._tag === "Starting" && starter === undefined && upRequests === undefined && phase._tag === "Running"
}
