/**
 * How far a restart has come: the schedule is asked, the runs in the way end and are released, the delay passes, then
 * the start is due.
 *
 * One child and a group have the same steps: only the runs in the way differ.
 */
import type { ChildState } from "./childState.ts"

export type Stage =
  /** The child has failed, and its supervisor has not yet said what follows. */
  | { readonly _tag: "Undecided" }
  /** The schedule was asked. */
  | { readonly _tag: "Asking" }
  /** The schedule has granted the restart, with this delay. */
  | { readonly _tag: "Granted"; readonly millis: number }
  | { readonly _tag: "Delaying" }
  /** The delay is over. */
  | { readonly _tag: "Due" }

/** The answer of a restart schedule. `attempts` is how many times it was asked since it last began anew. */
export type ScheduleAnswer =
  | { readonly _tag: "Delay"; readonly millis: number }
  | { readonly _tag: "Exhausted"; readonly attempts: number }

export const undecided: Stage = { _tag: "Undecided" }
export const asking: Stage = { _tag: "Asking" }
export const granted = (millis: number): Stage => (millis > 0 ? { _tag: "Granted", millis } : due)
export const delaying: Stage = { _tag: "Delaying" }
export const due: Stage = { _tag: "Due" }

/**
 * What to do next: stop the run that is in the way, wait for an answer, let the delay pass, or start.
 *
 * A zombie has had its time, so the delay does not wait for it. After the delay the supervisor stops it once more and
 * waits again.
 */
export const nextStep = (stage: Stage, inTheWay: ChildState<unknown>): "stop" | "wait" | "delay" | "start" => {
  if (inTheWay._tag === "Up") return "stop"
  if (inTheWay._tag === "Starting" || inTheWay._tag === "Stopping") return "wait"
  if (stage._tag === "Granted") return "delay"
  if (stage._tag !== "Due") return "wait"
  return inTheWay._tag === "Zombie" ? "stop" : "start"
}
