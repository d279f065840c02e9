/** Durations and limits that somebody gives, checked: a `RangeError` says what cannot be. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { describe } from "../../values/describe.ts"
import type { Limit } from "../../kernel/Shutdown.ts"

/** @internal */
export const durationOf = (what: string, input: Duration.Input | "infinity"): Duration.Duration => {
  const found = input === "infinity" ? Duration.infinity : Option.getOrUndefined(Duration.fromInput(input))
  // Not a number is zero for `Duration`.
  if (found !== undefined && !Number.isNaN(input) && !Duration.isNegative(found)) return found
  throw new RangeError(`${what} must be a duration of 0 or more, not ${inspect(input)}`)
}

/** @internal */
export const limitOf = (what: string, input: Limit | undefined): Limit | undefined =>
  input === undefined || input === "brutalKill" ? input : durationOf(what, input)

/** What a user of JavaScript may have written. @internal */
export const inspect = (input: unknown): string =>
  typeof input === "number" ? describe(input) : (JSON.stringify(input) ?? "nothing")
