/**
 * Counts failures in a sliding window: OTP's restart intensity.
 *
 * Pure: the time is given, in milliseconds of a monotonic clock. One entry stands for one failure event: a group
 * restart is one, each start that fails another. `max` entries in a window are survived, the next one is not.
 *
 * **In Erlang/OTP**
 *
 * `supervisor:add_restart/1`, which truncates its times to whole seconds. Here the window is exact, and closed as there:
 * an entry exactly `withinMillis` old still counts.
 */
import * as Check from "../../../values/check.ts"

/** How many failures a window of this length may hold. */
export interface Limit {
  /** A whole number, 0 or more. At 0 the first failure exceeds. */
  readonly max: number
  /** Above 0; infinity counts for ever. */
  readonly withinMillis: number
}

/** A limit with the failures that are still inside of it. */
export interface Window {
  readonly limit: Limit
  /** When each counted failure happened, oldest first. */
  readonly entries: ReadonlyArray<number>
}

/**
 * An empty window.
 *
 * Throws a `RangeError` that names the value if the limit makes no sense.
 */
export const make = (limit: Limit): Window => {
  Check.wholeNumber("intensity: max", limit.max, 0)
  if (!(limit.withinMillis > 0)) {
    throw new RangeError(`intensity: within must be longer than 0 milliseconds, not ${limit.withinMillis}`)
  }
  return { limit, entries: [] }
}

/** Counts one failure; the flag says whether the window now holds more than its limit allows. */
export const record = (window: Window, nowMillis: number): readonly [window: Window, exceeded: boolean] => {
  const { max, withinMillis } = window.limit
  const entries = [...window.entries.filter((at) => nowMillis - at <= withinMillis), nowMillis]
  return [{ limit: window.limit, entries }, entries.length > max]
}
