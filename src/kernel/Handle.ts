/**
 * Names a server, not one run of it.
 *
 * The service of a server is a handle. It stays the same and stays valid while a supervisor restarts the server. It
 * points to the run that is up now, and knows whether the server is down for the moment or gone for good.
 *
 * **In Erlang/OTP**
 *
 * A registered name serves the same purpose. A pid in OTP names a run and is stale after a restart.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Pid } from "./Pid.ts"
import { type TypeId, targetOf } from "./shared/handleTarget.ts"

export {
  /**
   * @stability experimental
   * @category type IDs
   * @since 0.1.0
   */
  TypeId
} from "./shared/handleTarget.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Names a server whose protocol is `M`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Handle<in out M> {
  readonly [TypeId]: Target<M>
}

/**
 * What a handle points to. Only behaviours read it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Target<in out M> {
  readonly key: string
  readonly protocol?: (message: M) => M
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Gives the pid of the run that a handle points to now, or `None` while the server is down.
 *
 * **When to use**
 *
 * Use to compare runs, to print the pid, and for functions that take pids only. The functions of `Process` and `Shutdown`
 * take the handle itself. Do not keep the pid: after a restart it names a dead run, while the handle stays valid.
 *
 * **Example** (Looking behind a client)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Agent, Handle, Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const agent = yield* Agent.start(Effect.succeed(1), { label: "counter" })
 *   const pid = yield* Handle.pid(agent)
 *   const info = yield* Process.info(Option.getOrThrow(pid))
 *   return Option.map(info, ({ label }) => label)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => Option.some("counter")
 * ```
 *
 * @see `whereis/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const pid = <M>(handle: Handle<M>): Effect.Effect<Option.Option<Pid>> =>
  Effect.sync(() => Option.fromUndefinedOr(targetOf("Handle.pid", handle).current))

// ---- internals ----------------------------------------------------------------------------------------------------
