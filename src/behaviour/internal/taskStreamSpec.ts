/** What a stream of tasks is made of, checked. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Limit } from "../../kernel/Shutdown.ts"
import type { TaskRun } from "./taskRun.ts"

type AnyEffect = Effect.Effect<unknown, unknown>

/** Starts the process of an item, or refuses the run. @internal */
export type Begin = (
  fiber: Fiber.Fiber<unknown, unknown>,
  run: TaskRun,
  options: { readonly effect: AnyEffect; readonly label?: string | undefined }
) => void

/** @internal */
export interface StreamSpec {
  readonly concurrency: number
  readonly ordered?: boolean | undefined
  readonly timeout?: Duration.Input | "infinity" | undefined
  readonly onTimeout?: "exit" | "kill" | undefined
  readonly zipInput?: boolean | undefined
  readonly shutdown?: Limit | undefined
  readonly label?: string | undefined
  readonly begin: Begin
  /** Whether the first failure ends the stream. */
  readonly linked: boolean
}

/** @internal */
export interface CheckedSpec extends StreamSpec {
  readonly timeout: Duration.Duration
}

/** Throws a `RangeError` for what cannot be. @internal */
export const checked = (spec: StreamSpec): CheckedSpec => {
  const { concurrency, onTimeout = "exit", shutdown } = spec
  if (!(Number.isInteger(concurrency) && concurrency > 0)) {
    throw new RangeError(`${what("concurrency")} must be a whole number, 1 or more, not ${inspect(concurrency)}`)
  }
  if (onTimeout !== "exit" && onTimeout !== "kill") {
    throw new RangeError(`${what("onTimeout")} must be "exit" or "kill", not ${inspect(onTimeout)}`)
  }
  if (shutdown !== undefined && shutdown !== "brutalKill") durationOf("shutdown", shutdown)
  return { ...spec, timeout: spec.timeout === undefined ? defaultTimeout : durationOf("timeout", spec.timeout) }
}

const defaultTimeout = Duration.seconds(5)

const durationOf = (name: string, input: Duration.Input | "infinity"): Duration.Duration => {
  const found = input === "infinity" ? Duration.infinity : Option.getOrUndefined(Duration.fromInput(input))
  // Not a number is zero for `Duration`.
  if (found !== undefined && !Number.isNaN(input) && !Duration.isNegative(found)) return found
  throw new RangeError(`${what(name)} must be a duration of 0 or more, not ${inspect(input)}`)
}

const what = (name: string): string => `The ${name} of a stream of tasks`

/** What a user of JavaScript may have written. */
const inspect = (input: unknown): string =>
  typeof input === "number" ? String(input) : (JSON.stringify(input) ?? "nothing")
