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
import { ofThisCopy, thisCopy } from "../values/copies.ts"
import { read } from "../values/describe.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { printAs } from "../values/printAs.ts"
import { showBy } from "../values/valueKinds.ts"
import * as ExitReason from "./ExitReason.ts"
import { childName } from "./shared/displayName.ts"
import type { Pid } from "./Pid.ts"
import type { ProcessRecord, Wait } from "./shared/processRecord.ts"

/**
 * @category type IDs
 * @since 0.1.0
 */
export const TypeId = "~effect-otp/kernel/Handle"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Names a server whose protocol is `M`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handle<in out M> {
  readonly [TypeId]: Target<M>
}

/**
 * What a handle points to. Only behaviours read it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target<in out M> {
  readonly key: string
  readonly protocol?: (message: M) => M
}

/** Is told when a server that was down is up again, or gone. @internal */
export type Waiter = () => void

/** The supervisor's side of a handle. @internal */
export interface RestartSource {
  /** What must happen before the server is started again. */
  readonly restart: Wait | undefined
}

/** The target of a handle. As a wait, it waits for the next run to be up. @internal */
export class HandleTarget implements Target<unknown>, Wait {
  readonly key: string
  current: ProcessRecord | undefined = undefined
  /** The last run, while none is up. Messages sent meanwhile are dead letters of it. */
  last: ProcessRecord | undefined = undefined
  /** The latest run that was started, until it is up. */
  private next: ProcessRecord | undefined = undefined
  /** Why the server is gone for good. Undefined as long as it may be started again. */
  goneReason: ExitReason.ExitReason | undefined = undefined
  private waiters: Set<Waiter> | undefined = undefined
  /** Whether a supervisor may start the server again after its end. */
  private readonly isSupervised: boolean
  /** Its id or key in its supervisor, unless its key ends with it. */
  private readonly child: string | undefined
  /** Where its supervisor says what must happen before its next start. */
  restartedBy: RestartSource | undefined = undefined

  constructor(key: string, isSupervised: boolean, child?: string) {
    this.key = key
    this.isSupervised = isSupervised
    this.child = child
  }

  /** The copy of the library that made it. */
  get copy(): typeof thisCopy {
    return thisCopy
  }

  /** The name of the server for people, whether a run of it is up or not. */
  get displayName(): string {
    return childName(this.key, this.child)
  }

  /** The processes that must act before the server is up. */
  get blockers(): Iterable<ProcessRecord> {
    for (const run of [this.current, this.next, this.last]) if (run?.ended === false) return [run]
    return this.goneReason === undefined ? (this.restartedBy?.restart?.blockers ?? []) : []
  }

  /** A run is being started. */
  markStarting(record: ProcessRecord): void {
    this.next = record
  }

  markUp(record: ProcessRecord): void {
    this.current = record
    this.last = this.next = undefined
    this.goneReason = undefined
    this.tell()
  }

  /** That run has ended. Another may follow. */
  markDown(record: ProcessRecord): void {
    if (this.current !== record) return
    this.current = undefined
    this.last = record
    if (!this.isSupervised) this.markGone(ExitReason.normal)
  }

  markGone(reason: ExitReason.ExitReason): void {
    this.last = this.current ?? this.last
    this.current = undefined
    this.goneReason = reason
    this.tell()
  }

  addWaiter(waiter: Waiter): void {
    ;(this.waiters ??= new Set()).add(waiter)
  }

  removeWaiter(waiter: Waiter): void {
    this.waiters?.delete(waiter)
  }

  private tell(): void {
    const waiters = this.waiters
    this.waiters = undefined
    for (const waiter of waiters ?? []) waiter()
  }
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Gives the pid of the run that a handle points to now, or `None` while the server is down.
 *
 * **When to use**
 *
 * Use for functions that need a pid: monitors, `Process.info`, `Shutdown`. Do not keep the pid: after a restart it
 * names a dead run, while the handle stays valid.
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
 * @category operations
 * @since 0.1.0
 */
export const pid = <M>(handle: Handle<M>): Effect.Effect<Option.Option<Pid>> =>
  Effect.sync(() => Option.fromUndefinedOr(targetOf("Handle.pid", handle).current))

// ---- internals ----------------------------------------------------------------------------------------------------

/** Whether a value is a handle, of any copy of the library. @internal */
export const isHandle = (u: unknown): u is Handle<unknown> => read(u, TypeId) !== undefined

/**
 * The target of a handle. Anything that is not a handle of this copy of the library is refused with a `RangeError`.
 * `to` names the function that was given it. @internal
 */
export const targetOf = <M>(to: string, handle: Handle<M>): HandleTarget => {
  const target = ofThisCopy<HandleTarget>(handle, TypeId)
  if (target !== undefined) return target
  return refuseArgument({ to, what: "a client, as the service of a server is", isForeign: isHandle(handle) }, handle)
}

showBy(TypeId, (target) => `[${(target as HandleTarget).displayName}]`)

printAs(HandleTarget.prototype, ({ key }) => key)
