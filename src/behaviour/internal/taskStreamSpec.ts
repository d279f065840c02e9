/** What a stream of tasks is made of, checked. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Limit } from "../../kernel/Shutdown.ts"
import { durationOf, inspect, limitOf } from "./taskDurations.ts"
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
  const timeout = spec.timeout === undefined ? defaultTimeout : durationOf(what("timeout"), spec.timeout)
  return { ...spec, timeout, shutdown: limitOf(what("shutdown"), shutdown) }
}

const defaultTimeout = Duration.seconds(5)

const what = (name: string): string => `The ${name} of a stream of tasks`
