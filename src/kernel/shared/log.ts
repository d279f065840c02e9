/** Writes lines to Effect's log. No line is lost, even if a logger throws. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import { describe, describeCause } from "../../values/describe.ts"

/** @internal */
export interface Line {
  readonly level: "Info" | "Warn" | "Error" | "Fatal"
  readonly text: string
  readonly cause?: Cause.Cause<unknown> | undefined
  readonly fields?: Readonly<Record<string, unknown>> | undefined
}

/** Whether anybody would see a line. @internal */
export const isVisible = (level: Line["level"], context: Context.Context<never>): boolean =>
  !LogLevel.isGreaterThan(Context.get(context, References.MinimumLogLevel), level) &&
  Context.get(context, Logger.CurrentLoggers).size > 0

/** Writes a line to the log of this environment, or to the console if a logger fails. @internal */
export const writeLine = (line: Line, context: Context.Context<never>): void => {
  const { cause, fields = {}, level, text } = line
  const log = Effect.logWithLevel(level)
  try {
    const written = Effect.annotateLogs(cause === undefined ? log(text) : log(text, cause), fields)
    // It is written in this step and not in a fiber, because the program may end before the fiber gets its turn.
    const exit = Effect.runSyncExitWith(context)(written)
    if (exit._tag === "Failure") lastResort(line, exit.cause)
  } catch (thrown) {
    lastResort(line, thrown)
  }
}

/** Only the console is left, and even that may throw. */
const lastResort = ({ cause, level, text }: Line, why: unknown): void => {
  try {
    const about = cause === undefined ? "" : `: ${describeCause(cause)}`
    console.error(`${level.toUpperCase()} ${text}${about} (a logger failed: ${describe(why, 200)})`)
  } catch {
    // There is no place left to report it.
  }
}
