/**
 * Says why a process ended.
 *
 * A reason belongs to the record of a process and is written once, at its death. It is never guessed from the shape of
 * a `Cause`: an interruption that no signal of the kernel caused is a `Crash`.
 *
 * **Guarantees**
 *
 * - `Normal` and `Shutdown` are *expected*: no crash report, no restart of a transient child. `isExpected` is the
 *   one place that decides.
 *
 * **In Erlang/OTP**
 *
 * Exit reasons of the emulator. `normal`, `shutdown` and `{shutdown, T}`, `killed`, `noproc` and `noconnection`
 * have their own cases, every other term is a `Crash` with its cause.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { describe, describeCause, read } from "../values/describe.ts"
import { render, renderCause } from "../values/render.ts"
import { settingsOf } from "./shared/displaySettings.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Why a process ended.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type ExitReason = Normal | Shutdown | Killed | NoProcess | NoConnection | Crash

/**
 * The process finished its work.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Normal {
  readonly _tag: "Normal"
}

/**
 * The process was asked to end, or ended on purpose. `detail` may say more.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Shutdown {
  readonly _tag: "Shutdown"
  readonly detail?: unknown
}

/**
 * The process was killed. It could neither trap nor delay that.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Killed {
  readonly _tag: "Killed"
}

/**
 * There was no such process. A monitor or link of a dead process gives this reason.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface NoProcess {
  readonly _tag: "NoProcess"
}

/**
 * The connection to the node of the process broke.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface NoConnection {
  readonly _tag: "NoConnection"
}

/**
 * The process failed, died of a defect, or was interrupted by something other than a signal of the kernel.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Crash {
  readonly _tag: "Crash"
  readonly cause: Cause.Cause<unknown>
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * The reason `Normal`.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const normal: ExitReason = { _tag: "Normal" }

/**
 * The reason `Killed`.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const killed: ExitReason = { _tag: "Killed" }

/**
 * The reason `NoProcess`.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const noProcess: ExitReason = { _tag: "NoProcess" }

/**
 * The reason `NoConnection`.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const noConnection: ExitReason = { _tag: "NoConnection" }

const plainShutdown: ExitReason = { _tag: "Shutdown" }

/**
 * Makes the reason `Shutdown`, with a detail if there is one.
 *
 * **When to use**
 *
 * Use to end a process on purpose. `Shutdown` is expected: it causes no crash report, and a `"transient"` child is not
 * restarted.
 *
 * **Example** (Ending with a detail)
 *
 * ```ts import.meta.vitest
 * import { ExitReason } from "effect-otp"
 *
 * ExitReason.format(ExitReason.shutdown()) // => "Shutdown"
 * ExitReason.format(ExitReason.shutdown("deploy")) // => "Shutdown: deploy"
 * ```
 *
 * @see `shutdown`, `{shutdown, Term}`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const shutdown = (detail?: unknown): ExitReason =>
  detail === undefined ? plainShutdown : { _tag: "Shutdown", detail }

/**
 * Makes the reason `Crash` from a cause.
 *
 * **Details**
 *
 * As JSON it is a crash without its cause, because remote callers must not see the inside of a program.
 *
 * **Example** (Reading the cause of a crash)
 *
 * ```ts import.meta.vitest
 * import { Cause } from "effect"
 * import { ExitReason } from "effect-otp"
 *
 * const reason = ExitReason.crash(Cause.fail("out of paper"))
 * reason._tag === "Crash" && Cause.squash(reason.cause) // => "out of paper"
 * JSON.stringify(reason) // => '{"_tag":"Crash"}'
 * ```
 *
 * @see {@link defect} for a reason from one value
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const crash = (cause: Cause.Cause<unknown>): ExitReason =>
  Object.assign(Object.create(CrashProto) as object, { _tag: "Crash" as const, cause })

/** JSON may leave the program, so the cause stays out of it. */
const CrashProto = {
  toJSON: () => ({ _tag: "Crash" })
}

/**
 * Makes the reason `Crash` from one defect.
 *
 * **Example** (Crashing another process)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { ExitReason, Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Process.exit(pid, ExitReason.defect("out of paper"))
 *   return (yield* Process.awaitExit(pid))._tag
 * })
 *
 * await Effect.runPromise(program) // => "Crash"
 * ```
 *
 * @see {@link crash} for a reason from a whole cause
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const defect = (defect: unknown): ExitReason => crash(Cause.die(defect))

/**
 * Gives the reason of a process whose body ended with this exit and got no signal to end.
 *
 * **Example** (From an exit to a reason)
 *
 * ```ts import.meta.vitest
 * import { Exit } from "effect"
 * import { ExitReason } from "effect-otp"
 *
 * const exits = [Exit.succeed(1), Exit.fail("no"), Exit.die("broken")]
 * exits.map((exit) => ExitReason.fromExit(exit)._tag) // => ["Normal", "Crash", "Crash"]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const fromExit = (exit: Exit.Exit<unknown, unknown>): ExitReason =>
  exit._tag === "Success" ? normal : crash(exit.cause)

// ---- schemas ------------------------------------------------------------------------------------------------------

/** A reason as plain JSON. */
const Encoded = Schema.Union([
  Schema.Struct({ _tag: Schema.Literals(["Normal", "Killed", "NoProcess", "NoConnection"]) }),
  Schema.Struct({ _tag: Schema.Literal("Shutdown"), detail: Schema.optionalKey(Schema.Defect()) }),
  Schema.Struct({
    _tag: Schema.Literal("Crash"),
    cause: Schema.toCodecJson(Schema.Cause(Schema.Defect(), Schema.Defect()))
  })
])

const tags: ReadonlySet<unknown> = new Set(["Normal", "Shutdown", "Killed", "NoProcess", "NoConnection"])

const isExitReason = (u: unknown): u is ExitReason => {
  const tag = read(u, "_tag")
  return tag === "Crash" ? Cause.isCause(read(u, "cause")) : tags.has(tag)
}

/** A reason as others may see it. */
const encodable = (reason: ExitReason): Effect.Effect<typeof Encoded.Type> =>
  Effect.withFiber(({ context }) => Effect.succeed(shownIn(context, reason)))

const shownIn = (context: Context.Context<never>, reason: ExitReason): typeof Encoded.Type => {
  if (reason._tag === "Crash") {
    return { _tag: "Crash", cause: renderCause(reason.cause, "plain", settingsOf(context)) }
  }
  if (reason._tag !== "Shutdown" || reason.detail === undefined) return { _tag: reason._tag }
  return { _tag: "Shutdown", detail: render(reason.detail, "plain", settingsOf(context)) }
}

const decoded = (reason: typeof Encoded.Type): ExitReason => {
  if (reason._tag === "Crash") return crash(reason.cause)
  return reason._tag === "Shutdown" ? shutdown(reason.detail) : { _tag: reason._tag }
}

/**
 * The Schema of exit reasons.
 *
 * **When to use**
 *
 * Use in a payload, an answer or an error that leaves the program.
 *
 * **Details**
 *
 * The cause of a crash and the detail of a `Shutdown` are encoded as `Display` shows them: within its limits, without
 * secrets, and as the `formatStatus` of the server says. An error keeps its name, its message and its own cause, and
 * loses its stack and its class. Any other value becomes plain data. What is decoded is never the same object.
 *
 * **Example** (Sending the reason of a crash)
 *
 * ```ts import.meta.vitest
 * import { Cause, Schema } from "effect"
 * import { ExitReason } from "effect-otp"
 *
 * const json = Schema.encodeSync(ExitReason.ExitReason)(ExitReason.defect(new Error("out of paper")))
 * const received = Schema.decodeUnknownSync(ExitReason.ExitReason)(JSON.parse(JSON.stringify(json)))
 *
 * received._tag === "Crash" && Cause.squash(received.cause) // => new Error("out of paper")
 * ```
 *
 * @stability experimental
 * @category schemas
 * @since 0.1.0
 */
export const ExitReason: Schema.decodeTo<Schema.declare<ExitReason>, typeof Encoded> = Encoded.pipe(
  Schema.decodeTo(
    Schema.declare(isExitReason, { expected: "an exit reason" }),
    SchemaTransformation.transformEffect<ExitReason, typeof Encoded.Type>({
      decode: (reason) => Effect.succeed(decoded(reason)),
      encode: encodable
    })
  )
)

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a reason is expected: `Normal` or `Shutdown`.
 *
 * **Example** (Telling a crash from an orderly end)
 *
 * ```ts import.meta.vitest
 * import { ExitReason } from "effect-otp"
 *
 * ExitReason.isExpected(ExitReason.shutdown("deploy")) // => true
 * ExitReason.isExpected(ExitReason.killed) // => false
 * ```
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isExpected = (reason: ExitReason): boolean => reason._tag === "Normal" || reason._tag === "Shutdown"

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Renders a reason for people: one line, followed by the cause of a crash.
 *
 * **Details**
 *
 * It never throws, even if an error cannot be shown. It cuts a cause of more than 10,000 characters and a detail of
 * more than 1,000, and shows no credentials. If the server has a `formatStatus`, that decides what is shown of the
 * cause.
 *
 * **Example** (Printing reasons)
 *
 * ```ts import.meta.vitest
 * import { ExitReason } from "effect-otp"
 *
 * ExitReason.format(ExitReason.killed) // => "Killed"
 * ExitReason.format(ExitReason.shutdown({ by: "admin" })).startsWith("Shutdown: ") // => true
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const format = (reason: ExitReason): string => {
  switch (reason._tag) {
    case "Crash":
      return `Crash: ${describeCause(reason.cause)}`
    case "Shutdown":
      return reason.detail === undefined ? "Shutdown" : `Shutdown: ${describe(reason.detail)}`
    default:
      return reason._tag
  }
}

// ---- internals ----------------------------------------------------------------------------------------------------
