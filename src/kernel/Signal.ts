/**
 * The messages that the kernel puts into a mailbox.
 *
 * A process that traps exits gets an `Exit` for every exit signal except a kill. Each monitor yields exactly one
 * `Down`, or none if it was removed first. Both keep their place among the other messages of their sender.
 *
 * **In Erlang/OTP**
 *
 * `{'EXIT', From, Reason}` and `{'DOWN', Ref, process, Pid, Reason}`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import { hasProperty } from "effect/Predicate"
import { isInstance } from "../values/describe.ts"
import type { ExitReason } from "./ExitReason.ts"
import type { Pid } from "./Pid.ts"

const TypeId = "~effect-otp/kernel/Signal"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A message of the kernel: an exit that the process traps, or the end of a process that it monitors.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Signal = Exit | Down

/**
 * A trapped exit signal. `from` is undefined if no process sent it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export class Exit {
  readonly [TypeId] = TypeId
  readonly _tag = "Exit"
  readonly from: Pid | undefined
  readonly reason: ExitReason
  constructor(from: Pid | undefined, reason: ExitReason) {
    this.from = from
    this.reason = reason
  }
}

/**
 * The one message of a monitor: the process is dead. `monitor` is the reference that `Process.monitor` gave. `name` is
 * the name with which the monitor was made; undefined if it was made with a pid.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export class Down {
  readonly [TypeId] = TypeId
  readonly _tag = "Down"
  readonly monitor: MonitorRef
  readonly pid: Pid
  readonly name: string | undefined
  readonly reason: ExitReason
  constructor(monitor: MonitorRef, pid: Pid, reason: ExitReason) {
    this.monitor = monitor
    this.pid = pid
    this.name = monitor.name
    this.reason = reason
  }
}

/**
 * Identifies one monitor. Compare it by identity.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface MonitorRef {
  readonly pid: Pid
  /** The name with which the monitor was made, if any. */
  readonly name: string | undefined
}

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a message came from the kernel: an `Exit` or a `Down`.
 *
 * **When to use**
 *
 * Use in the body of a plain process, or in the `info` of a server, to tell signals from your own messages.
 *
 * **Example** (Telling signals from messages)
 *
 * ```ts import.meta.vitest
 * import { Signal } from "effect-otp"
 *
 * const messages = ["hello", new Signal.Exit(undefined, { _tag: "Normal" })]
 * messages.map(Signal.isSignal) // => [false, true]
 * ```
 *
 * @see {@link isExit}, {@link isDown}
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isSignal = (u: unknown): u is Signal => hasProperty(u, TypeId)

/**
 * Tells whether a message is an exit signal that was trapped.
 *
 * **Example** (Filtering trapped exits)
 *
 * ```ts import.meta.vitest
 * import { Signal } from "effect-otp"
 *
 * const messages = ["hello", new Signal.Exit(undefined, { _tag: "Killed" })]
 * messages.filter(Signal.isExit).map(({ reason }) => reason._tag) // => ["Killed"]
 * ```
 *
 * @see `Process.trapExit`
 * @see `{'EXIT', From, Reason}`
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isExit = (u: unknown): u is Exit => isInstance(u, Exit)

/**
 * Tells whether a message is the end of a monitored process.
 *
 * **When to use**
 *
 * Use with `inbox.receive` to wait for the end of a process, or in the `info` of a server.
 *
 * **Example** (Waiting for a Down)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process, Signal } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const seen = yield* Deferred.make<string>()
 *   yield* Process.spawn((inbox: Process.Inbox<never>) =>
 *     Effect.gen(function*() {
 *       yield* Process.spawnMonitor(Effect.void)
 *       yield* Deferred.succeed(seen, (yield* inbox.receive(Signal.isDown)).reason._tag)
 *     })
 *   )
 *   return yield* Deferred.await(seen)
 * })
 *
 * await Effect.runPromise(program) // => "Normal"
 * ```
 *
 * @see `Process.monitor`
 * @see `{'DOWN', Ref, process, Pid, Reason}`
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isDown = (u: unknown): u is Down => isInstance(u, Down)
