/**
 * Checks of options: durations, numbers, words.
 *
 * The types check most of it already, but not for JavaScript code and for options that are read from somewhere. Each
 * check returns the value, or throws a `RangeError` that names the option and shows the value.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { describe } from "./describe.ts"
import { attempt } from "./valueKinds.ts"

/** A duration of 0 or more, which may be infinite. */
export const duration = (what: string, input: Duration.Input): Duration.Duration => {
  const found = parsed(input)
  if (found !== undefined && !Duration.isNegative(found)) return found
  return refuse(what, "a duration of 0 or more", input)
}

/** The same in milliseconds. */
export const millis = (what: string, input: Duration.Input): number => Duration.toMillis(duration(what, input))

/** A duration longer than 0, which may be infinite. */
export const positiveDuration = (what: string, input: Duration.Input): Duration.Duration => {
  const found = parsed(input)
  if (found !== undefined && Duration.isPositive(found)) return found
  return refuse(what, "a duration longer than 0", input)
}

/** A whole number from `least` to `most`. */
// oxlint-disable-next-line max-params -- a name, a value and a range belong together
export const wholeNumber = (what: string, input: number, least: number, most = Infinity): number => {
  if (Number.isSafeInteger(input) && input >= least && input <= most) return input
  const range = most === Infinity ? `, ${least} or more` : ` from ${least} to ${most}`
  return refuse(what, `a whole number${range}`, input)
}

/** One of these words. */
export const oneOf = <A extends string>(what: string, input: A, words: ReadonlyArray<A>): A => {
  if (words.includes(input)) return input
  return refuse(what, `one of ${words.join(", ")}`, input)
}

/**
 * The value of an option or, if it was left out, its default. Only `undefined` leaves it out: `null` is checked like
 * any other value.
 */
export const or = <A>(given: A | undefined, otherwise: A): A => (given === undefined ? otherwise : given)

/** A record of further options. It is copied here, because a user's getter may throw. */
export const record = <A extends object>(what: string, input: A): A =>
  attempt(() => (typeof input === "object" ? { ...input } : undefined)) ?? refuse(what, "a record of options", input)

/** Throws for an option that makes no sense. */
export const refuse = (what: string, wanted: string, input: unknown): never => {
  throw new RangeError(`${what} must be ${wanted}, not ${shown(input)}`)
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** The duration, or undefined. `Duration` would take an unknown object, and NaN, for 0. */
const parsed = (input: Duration.Input): Duration.Duration | undefined => {
  try {
    if (Number.isNaN(input)) return undefined
    if (typeof input === "object" && !Duration.isDuration(input) && !isParts(input)) return undefined
    return Option.getOrUndefined(Duration.fromInput(input))
  } catch {
    return undefined
  }
}

const units = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]

const isParts = (input: object): boolean => {
  if (Array.isArray(input)) return input.every(isNumber)
  const parts = Object.entries(input).filter(([, part]) => part !== undefined)
  return parts.length > 0 && parts.every(([unit, part]) => units.includes(unit) && isNumber(part))
}

const isNumber = (part: unknown): boolean => typeof part === "number" && !Number.isNaN(part)

const shown = (input: unknown): string => {
  if (typeof input === "string") return JSON.stringify(describe(input, 100))
  const found = typeof input === "object" ? parsed(input as Duration.Duration) : undefined
  return found === undefined ? describe(input, 100) : Duration.format(found)
}
