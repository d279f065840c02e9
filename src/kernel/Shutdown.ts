/**
 * Ends a process in good order, within a limit.
 *
 * The process is asked to end; at the limit it is killed. Its end is complete when its fiber and its scope have ended,
 * too. If that takes another limit, it is left behind as a zombie. With `"Infinity"` the orderly end has no limit, but
 * a process that is killed meanwhile has 5 seconds.
 *
 * **In Erlang/OTP**
 *
 * The shutdown protocol of a supervisor: `exit(Pid, shutdown)`, wait, `exit(Pid, kill)`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Check from "../values/check.ts"
import * as ExitReason from "./ExitReason.ts"
import { defaultLimit } from "./internal/defaults.ts"
import type { Pid } from "./Pid.ts"
import { kill as killUnsafe } from "./shared/death.ts"
import { displayName } from "./shared/displayName.ts"
import { warn } from "./shared/warnings.ts"
import { checkedRecord, type ProcessRecord } from "./shared/processRecord.ts"
import { shutdown as askToEnd } from "./shared/signals.ts"
import { waitUntil } from "./shared/waitUntil.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * How long an orderly end may take: a duration, `"brutalKill"` to kill at once, or `"Infinity"` to wait for ever. A
 * dead process has the same time again for its release: 5 seconds with `"brutalKill"` and `"Infinity"`.
 *
 * @category models
 * @since 0.1.0
 */
export type Limit = Duration.Input | "brutalKill"

/**
 * How a process ended that was asked to end.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ended {
  readonly reason: ExitReason.ExitReason
  /** Whether its fiber or its scope has still not ended. */
  readonly zombie: boolean
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Ends a process in good order and waits for it. At the limit it is killed.
 *
 * **When to use**
 *
 * Use to end a process that you started yourself, where no supervisor and no scope does it.
 *
 * **Details**
 *
 * The process is asked to end with `Shutdown`, or with the `reason` you give. `limit` is 5 seconds by default. The
 * result says how it ended, and whether it is a zombie: dead, but with a fiber or a finalizer that has not ended a
 * second limit later.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The process has been asked to end, but will not be killed.
 *
 * **Example** (Ending a process that cleans up)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.andThen(Effect.addFinalizer(() => Effect.yieldNow), Effect.never))
 *   yield* Effect.yieldNow
 *   const { reason, zombie } = yield* Shutdown.shutdown(pid, { limit: "2 seconds" })
 *   return [reason._tag, zombie]
 * })
 *
 * await Effect.runPromise(program) // => ["Shutdown", false]
 * ```
 *
 * @see {@link shutdownAll} for many processes at once
 * @see `supervisor`'s shutdown of a child
 *
 * @category operations
 * @since 0.1.0
 */
export const shutdown = (
  pid: Pid,
  options?: { readonly limit?: Limit | undefined; readonly reason?: ExitReason.ExitReason | undefined }
): Effect.Effect<Ended> =>
  shutdownTelling(checkedRecord("Shutdown.shutdown", pid), { ...options, overran: tellOverrun })

/**
 * Waits until the fiber and the scope of a process have ended.
 *
 * **When to use**
 *
 * Use to know that a killed process has released what it holds: a port, a file, a lock. `Process.awaitExit` returns
 * earlier, when the process is dead for others.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The process is not touched.
 *
 * **Example** (Waiting for finalizers)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * let released = false
 * const program = Effect.gen(function*() {
 *   const release = Effect.andThen(Effect.yieldNow, Effect.sync(() => { released = true }))
 *   const pid = yield* Process.spawn(Effect.andThen(Effect.addFinalizer(() => release), Effect.never))
 *   yield* Effect.yieldNow
 *   yield* Process.kill(pid)
 *   const atDeath = released
 *   yield* Shutdown.awaitEnd(pid)
 *   return [atDeath, released]
 * })
 *
 * await Effect.runPromise(program) // => [false, true]
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const awaitEnd = (pid: Pid): Effect.Effect<void> =>
  Effect.suspend(() => {
    const record = checkedRecord("Shutdown.awaitEnd", pid)
    if (record.ended) return Exit.void
    return waitUntil<void>((resume) => {
      const observer = { ended: () => resume(Exit.void) }
      record.observe(observer)
      return () => record.unobserve(observer)
    })
  })

/**
 * Kills a process and waits until its fiber and its scope have ended. There is no limit to the waiting.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The process is dead all the same.
 *
 * **Example** (Killing and waiting)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Shutdown.killAndAwait(pid)
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Killed" }
 * ```
 *
 * @see {@link shutdown} for an orderly end
 *
 * @category operations
 * @since 0.1.0
 */
export const killAndAwait = (pid: Pid): Effect.Effect<void> =>
  Effect.suspend(() => {
    killUnsafe(checkedRecord("Shutdown.killAndAwait", pid))
    return awaitEnd(pid)
  })

/**
 * Ends many processes at once and waits for all of them, within one limit.
 *
 * **Details**
 *
 * All are asked at the same moment. Those that have not ended at the limit (5 seconds by default) are killed.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The processes have been asked to end, but will not be killed.
 *
 * **Example** (Ending several processes)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Shutdown } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pids = yield* Effect.all([Process.spawn(Effect.never), Process.spawn(Effect.never)])
 *   yield* Shutdown.shutdownAll(pids, { limit: "1 second" })
 *   return yield* Effect.forEach(pids, Process.isAlive)
 * })
 *
 * await Effect.runPromise(program) // => [false, false]
 * ```
 *
 * @see {@link shutdown} for one process
 *
 * @category operations
 * @since 0.1.0
 */
export const shutdownAll = (
  pids: ReadonlyArray<Pid>,
  options?: { readonly limit?: Limit | undefined }
): Effect.Effect<void> =>
  shutdownAllTelling(
    pids.map((pid) => checkedRecord("Shutdown.shutdownAll", pid)),
    { ...options, overran: tellOverrun }
  )

/** Like `shutdownAll`, with a callback for each process that is killed at its limit. @internal */
export const shutdownAllTelling = (
  records: ReadonlyArray<ProcessRecord>,
  options: { readonly limit?: Limit | undefined; readonly overran: Overran }
): Effect.Effect<void> => {
  const limit = parse(checkedLimit("The limit of a shutdown", Check.or<Limit>(options.limit, defaultLimit)))
  const ask = Effect.suspend(() => {
    if (limit.orderly === undefined) return Effect.void
    for (const record of records) askToEnd(record, ExitReason.shutdown())
    return Duration.isFinite(limit.orderly) ? within(awaitAll(records), limit.orderly) : awaitAllDeaths(records)
  })
  const kill = Effect.suspend(() => {
    for (const record of records) {
      if (record.isAlive && limit.orderly !== undefined) options.overran(record)
      if (!record.ended) killUnsafe(record)
    }
    return within(awaitAll(records), limit.release)
  })
  return Effect.andThen(ask, kill)
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** Called for a process that is alive at its limit and is killed in this step. */
type Overran = (record: ProcessRecord) => void

/** Like `shutdown`, with a callback if the process is killed at its limit. @internal */
export const shutdownTelling = (
  record: ProcessRecord,
  options: {
    readonly limit?: Limit | undefined
    readonly reason?: ExitReason.ExitReason | undefined
    readonly overran: Overran
  }
): Effect.Effect<Ended> => {
  const limit = parse(checkedLimit("The limit of a shutdown", Check.or<Limit>(options.limit, defaultLimit)))
  return Effect.suspend(() => {
    const asked = limit.orderly === undefined ? Effect.void : orderly(record, limit.orderly, options.reason)
    const overran = limit.orderly === undefined ? undefined : options.overran
    return Effect.flatMap(Effect.andThen(asked, killWithin(record, limit.release, overran)), () =>
      Effect.sync(() => endOf(record))
    )
  })
}

/** @internal */
export const tellOverrun: Overran = (record) => {
  warn(record, record.label ?? displayName(record), () => ({ text: `${displayName(record)} ${OVERRAN}` }))
}

/** The words for a process that did not end in time. @internal */
export const OVERRAN = "did not end within its shutdown limit and was killed"

interface Parsed {
  /** How long an orderly end may take. Undefined if none is asked for. */
  readonly orderly: Duration.Duration | undefined
  /** How long an end that the process began itself may take. */
  readonly own: Duration.Duration
  /** How long the release of a dead process may take. This always has a limit. */
  readonly release: Duration.Duration
}

/** Returns a limit, or throws a `RangeError` that says what it must be. @internal */
export const checkedLimit = (what: string, limit: Limit): Limit =>
  limit === "brutalKill" ? limit : Check.duration(what, limit)

/** The parts of a limit that was checked. @internal */
export const parse = (limit: Limit): Parsed => {
  if (limit === "brutalKill") return { orderly: undefined, own: defaultLimit, release: defaultLimit }
  const orderly = Duration.fromInputUnsafe(limit)
  return { orderly, own: orderly, release: Duration.isFinite(orderly) ? orderly : defaultLimit }
}

const orderly = (
  record: ProcessRecord,
  limit: Duration.Duration,
  reason: ExitReason.ExitReason = ExitReason.shutdown()
): Effect.Effect<void> =>
  Effect.suspend(() => {
    askToEnd(record, reason)
    return Duration.isFinite(limit) ? endWithin(record, limit) : awaitDeath(record)
  })

const killWithin = (
  record: ProcessRecord,
  limit: Duration.Duration,
  overran: Overran | undefined
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (record.ended) return Effect.void
    if (record.isAlive) overran?.(record)
    killUnsafe(record)
    return endWithin(record, limit)
  })

/** @internal */
export const endWithin = (record: ProcessRecord, limit: Duration.Duration): Effect.Effect<void> =>
  Effect.suspend(() => (record.ended ? Effect.void : within(awaitEnd(record), limit)))

/**
 * Waits until a process is dead, from where its release has a limit. A process that limits its own end is waited for
 * until it has ended. @internal
 */
export const awaitDeath = (record: ProcessRecord): Effect.Effect<void> => awaitAllDeaths([record])

const within = (effect: Effect.Effect<void>, limit: Duration.Duration): Effect.Effect<void> =>
  Duration.isFinite(limit) ? Effect.asVoid(Effect.timeoutOption(effect, limit)) : effect

/** Waits for the ends of all of them with one callback. */
const awaitAll = (records: ReadonlyArray<ProcessRecord>): Effect.Effect<void> =>
  Effect.suspend(() =>
    awaitEach(
      records.filter((record) => !record.ended),
      () => "ended"
    )
  )

/** Whether it limits its own end. A supervisor does: it gives each of its children a limit. */
const limitsItself = ({ kind }: ProcessRecord): boolean => kind.limitsItself === true

const awaitAllDeaths = (records: ReadonlyArray<ProcessRecord>): Effect.Effect<void> => {
  const when = (record: ProcessRecord) => (limitsItself(record) ? "ended" : "dead")
  return Effect.suspend(() =>
    awaitEach(
      records.filter((record) => !record.ended && (record.isAlive || limitsItself(record))),
      when
    )
  )
}

const awaitEach = (
  left: ReadonlyArray<ProcessRecord>,
  when: (record: ProcessRecord) => "dead" | "ended"
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (left.length === 0) return Exit.void
    return waitUntil<void>((resume) => {
      let waiting = left.length
      const seen = () => {
        if (--waiting === 0) resume(Exit.void)
      }
      const observers = left.map((record) => ({ record, observer: { [when(record)]: seen } }))
      for (const { observer, record } of observers) record.observe(observer)
      return () => {
        for (const { observer, record } of observers) record.unobserve(observer)
      }
    })
  })

const endOf = (record: ProcessRecord): Ended => ({ reason: record.reason ?? ExitReason.killed, zombie: !record.ended })
