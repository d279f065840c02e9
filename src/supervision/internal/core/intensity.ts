/**
 * Counts failures in a sliding window: OTP's restart intensity.
 *
 * Pure: the time is an argument, in milliseconds of a monotonic clock. One entry stands for one failure event: a group
 * restart is one, each start that fails is another. `max` entries in a window are allowed; the next one exceeds the
 * limit.
 *
 * On average a count takes the same time, however many failures there are: a dynamic supervisor may have as many
 * failures as children.
 *
 * **In Erlang/OTP**
 *
 * `supervisor:add_restart/1`, which truncates its times to whole seconds. Here the window is exact. It is closed in
 * both: an entry that is exactly `withinMillis` old still counts.
 */
import * as Check from "../../../values/check.ts"

/** How many failures a window of this length may hold. */
export interface IntensityLimit {
  /** A whole number, 0 or more. With 0 the first failure exceeds the limit. */
  readonly max: number
  /** Above 0. With infinity, failures count for ever. */
  readonly withinMillis: number
}

/** A limit, with the failures that are inside the window. */
export interface FailureWindow {
  readonly limit: IntensityLimit
  /** How many failures are inside. */
  readonly count: number
  /** The times of the older ones, oldest first. Those before `first` have left the window. */
  readonly older: ReadonlyArray<number>
  readonly first: number
  /** The times of the later ones, latest first. */
  readonly latest: Entry | undefined
}

interface Entry {
  readonly atMillis: number
  readonly before: Entry | undefined
}

/**
 * An empty window.
 *
 * Throws a `RangeError` that names the value if the limit makes no sense.
 */
export const make = (limit: IntensityLimit): FailureWindow => {
  Check.wholeNumber("intensity: max", limit.max, 0)
  if (!(limit.withinMillis > 0)) {
    throw new RangeError(`intensity: within must be longer than 0 milliseconds, not ${limit.withinMillis}`)
  }
  return { limit, count: 0, older: [], first: 0, latest: undefined }
}

/** Counts one failure. The flag says whether the window now holds more than its limit allows. */
export const countFailure = (
  window: FailureWindow,
  nowMillis: number
): readonly [window: FailureWindow, exceeded: boolean] => {
  const { limit } = window
  let { count, first, older } = window
  let latest: Entry | undefined = { atMillis: nowMillis, before: window.latest }
  count++
  for (;;) {
    if (first === older.length) {
      older = oldestFirst(latest)
      first = 0
      latest = undefined
    }
    // This ends, because the failure that is counted here is inside.
    if (nowMillis - older[first]! <= limit.withinMillis) break
    first++
    count--
  }
  return [{ limit, count, older, first, latest }, count > limit.max]
}

const oldestFirst = (latest: Entry | undefined): ReadonlyArray<number> => {
  const times: Array<number> = []
  for (let entry = latest; entry !== undefined; entry = entry.before) times.push(entry.atMillis)
  return times.toReversed()
}
