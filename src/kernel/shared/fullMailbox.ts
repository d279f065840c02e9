/** Decides what becomes of a message that finds a mailbox full. Pure. */
import type { Strategy } from "../Mailbox.ts"

/**
 * - `wait`: its sender waits for room.
 * - `add`: it is added all the same.
 * - `drop`: it is dropped.
 * - `dropOldest`: the oldest message that may be dropped makes room for it. If there is none, it is dropped itself.
 * - `refuse`: it is refused. A call fails, anything else is a dead letter.
 *
 * @internal
 */
export type WhenFull = "wait" | "add" | "drop" | "dropOldest" | "refuse"

/** `isControl` says whether it is a request to the process itself, `canWait` whether its sender can wait. @internal */
export const whenFull = (strategy: Strategy, isControl: boolean, canWait: boolean): WhenFull => {
  if (strategy === "suspend" && canWait) return "wait"
  // No bound refuses a request to the process itself.
  if (isControl) return "add"
  switch (strategy) {
    case "dropping":
      return "drop"
    case "sliding":
      return "dropOldest"
    case "suspend":
    case "fail":
      return "refuse"
  }
}
