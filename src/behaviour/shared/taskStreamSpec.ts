/** The checked options of a stream of tasks. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Check from "../../values/check.ts"
import { type Limit } from "../../kernel/Shutdown.ts"
import { taskTimeout } from "../internal/defaults.ts"
import type { TaskRun } from "./taskRun.ts"
import { checkedLimit } from "../../kernel/shared/shutdown.ts"

type AnyEffect = Effect.Effect<unknown, unknown>

/** Starts the process of an item, or refuses it. @internal */
export type StartItem = (
  fiber: Fiber.Fiber<unknown, unknown>,
  run: TaskRun,
  options: { readonly effect: AnyEffect; readonly label?: string | undefined }
) => void

/** @internal */
export interface StreamSpec {
  readonly concurrency: number
  readonly ordered?: boolean | undefined
  readonly timeout?: Duration.Input | undefined
  readonly onTimeout?: "exit" | "kill" | undefined
  readonly zipInput?: boolean | undefined
  readonly shutdown?: Limit | undefined
  readonly label?: string | undefined
  readonly begin: StartItem
  /** Whether the first failure ends the stream. */
  readonly linked: boolean
}

/** @internal */
export interface CheckedSpec extends StreamSpec {
  readonly timeout: Duration.Duration
}

/** Throws a `RangeError` for options that make no sense. @internal */
export const checked = (spec: StreamSpec): CheckedSpec => {
  const { concurrency, onTimeout = "exit", shutdown } = spec
  Check.wholeNumber(what("concurrency"), concurrency, 1)
  Check.oneOf(what("onTimeout"), onTimeout, ["exit", "kill"])
  const timeout = spec.timeout === undefined ? taskTimeout : Check.duration(what("timeout"), spec.timeout)
  return { ...spec, timeout, shutdown: shutdown === undefined ? undefined : checkedLimit(what("shutdown"), shutdown) }
}

const what = (name: string): string => `The ${name} of a stream of tasks`
