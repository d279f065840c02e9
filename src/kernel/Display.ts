/**
 * How much of a value is shown to people, and which values are hidden.
 *
 * Crash reports, log lines, `Sys.getStatus`, `Sys.trace` and the metadata of telemetry events show values of a program:
 * states, messages, errors. All of them use the settings of this module.
 *
 * **Guarantees**
 *
 * - Secrets: a value under a name such as `password`, `accessToken`, `x-api-key` or `Cookie` is shown as `<redacted>`.
 *   So are the credentials in an address (`postgres://user:secret@host`) and after a name in a text
 *   (`password=secret`), and every `Redacted` of Effect.
 * - Size: the levels, items, values and characters that are shown have limits, and nothing beyond a limit is read.
 * - Safety: no code of a user runs: no getter, no `toJSON`, no `toString`.
 *
 * **Not here**
 *
 * A secret that nothing marks as one is shown. Use `formatStatus` of the server for those, or put them into `Redacted`.
 *
 * **In Erlang/OTP**
 *
 * `error_logger_format_depth` and `format_status`. OTP hides nothing by itself.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import { defaultLimits, type Limits } from "../values/render.ts"
import { defaultNames } from "../values/secrets.ts"

// ---- models -------------------------------------------------------------------------------------------------------

export type {
  /**
   * How much of a value is shown.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Limits
} from "../values/render.ts"

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * How much of a value is shown here. The state, the message and the cause of one report each have these limits.
 *
 * **Details**
 *
 * A process has the settings of the place where it was started. NaN, and a number less than 1, count as 1.
 *
 * **Gotchas**
 *
 * JavaScript lists the keys of an object all at once. A record with very many keys costs time for each of them (some 50
 * milliseconds for 100,000); an array, a `Map` or a `HashMap` does not.
 *
 * @stability experimental
 * @category services
 * @since 0.1.0
 */
export const CurrentLimits: Context.Reference<Limits> = Context.Reference<Limits>(
  "effect-otp/kernel/Display/CurrentLimits",
  {
    defaultValue: () => defaultLimits
  }
)

/**
 * The names under which a value is a secret. Your own list replaces the default one.
 *
 * **Details**
 *
 * Names are compared word by word, whatever their spelling and case: `"api key"` finds `apiKey`, `API_KEY` and
 * `x-stripe-api-key`. A pattern is tested against the whole name. The default list has words for passwords, tokens, keys,
 * cookies and sessions: see {@link defaultRedactedNames}. Flags, and numbers under a name that goes on after the word
 * (`tokenCount`), are shown.
 *
 * @stability experimental
 * @category services
 * @since 0.1.0
 */
export const CurrentRedactedNames: Context.Reference<ReadonlyArray<string | RegExp>> = Context.Reference<
  ReadonlyArray<string | RegExp>
>("effect-otp/kernel/Display/CurrentRedactedNames", { defaultValue: () => defaultNames })

/**
 * The default of {@link CurrentRedactedNames}. Add your own names to it.
 *
 * @stability experimental
 * @category services
 * @since 0.1.0
 */
export const defaultRedactedNames: ReadonlyArray<string | RegExp> = defaultNames

// ---- internals ----------------------------------------------------------------------------------------------------
