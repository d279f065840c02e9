/**
 * Names one run of one process.
 *
 * A pid is unique in its kernel for ever: no later process gets it. You can keep it, compare it, print it and send to
 * it. It does not keep the state of a dead process alive. `M` is the type of the messages that the process accepts.
 *
 * **In Erlang/OTP**
 *
 * A pid, with a type: a process whose messages are unknown is a `Pid<never>`, and nothing can be sent to it.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Equal from "effect/Equal"
import type { Pipeable } from "effect/Pipeable"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { has, showBy } from "../values/valueKinds.ts"

/**
 * @stability experimental
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId = "~effect-otp/kernel/Pid"

/**
 * Names one run of one process that accepts messages of type `M`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Pid<in M = never> extends Equal.Equal, Pipeable {
  readonly [TypeId]: (message: M) => void
  /** Unique in the kernel, counted up from 1. */
  readonly id: number
  /** The pid as people read it, for example `<0.12>`. */
  toString(): string
}

/**
 * Tells whether a value is a pid.
 *
 * **Example** (Checking a value)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Pid, Process } from "effect-otp"
 *
 * const pid = await Effect.runPromise(Process.spawn(Effect.void))
 * const values = [pid, String(pid)]
 * values.map(Pid.isPid) // => [true, false]
 * ```
 *
 * @see `is_pid/1`
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isPid = (u: unknown): u is Pid => has(u, TypeId)

/**
 * The Schema of pids, for protocols that stay in one kernel.
 *
 * **When to use**
 *
 * Use in a payload or an answer of a server. `M` is the type of the messages that the process accepts. It is not checked,
 * because a pid does not carry it.
 *
 * **Errors**
 *
 * A pid cannot be encoded. Outside its kernel it means nothing, and a later program gives the same number to another
 * process. Send a name or a key instead, with which the other side finds the process.
 *
 * **Example** (A message with a pid)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer, Pid, Process } from "effect-otp"
 *
 * class Desk extends GenServer.Service<Desk>()("app/Desk", [
 *   GenServer.cast("greet", { payload: { guest: Pid.schema<string>() } })
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.void,
 *     handlers: { greet: ({ guest }, state) => Effect.as(Process.send(guest, "welcome"), GenServer.noReply(state)) }
 *   }).layer()
 * }
 *
 * const pid = Effect.runSync(Process.spawn(Effect.void))
 * Schema.encodeUnknownExit(Schema.toCodecJson(Pid.schema()))(pid)._tag // => "Failure"
 * ```
 *
 * @stability experimental
 * @category schemas
 * @since 0.1.0
 */
export const schema = <M = never>(): Schema.declare<Pid<M>> =>
  declared as Schema.declare<unknown> as Schema.declare<Pid<M>>

// ---- internals ----------------------------------------------------------------------------------------------------

const refuse = SchemaGetter.forbidden<never, unknown>(
  () => "a pid means nothing outside its kernel: send a name or a key of the process"
)

const declared = Schema.declare(isPid, {
  expected: "a pid",
  toCodec: () => Schema.link<Pid>()(Schema.String, { decode: refuse, encode: refuse })
})

showBy<Pid>(TypeId, (_, pid) => pid.toString())
