/**
 * Ends a process in good order, within a limit.
 *
 * The process is asked to end; at the limit it is killed. Its end is complete when its fiber and its scope have ended,
 * too. What has not ended a second limit later is left behind as a zombie.
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
import * as ExitReason from "./ExitReason.ts"
import type { Pid } from "./Pid.ts"
import { displayName, warn, type ProcessRecord } from "./ProcessRecord.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * How long an orderly end may take: a duration, `"brutalKill"` to kill at once, or `"infinity"` to wait for ever.
 *
 * @category models
 * @since 0.1.0
 */
export type Limit = Duration.Input | "brutalKill" | "infinity"

/**
 * How a process ended that was asked to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ended {
  readonly reason: ExitReason.ExitReason
  /** Whether its fiber or its scope has still not ended. */
  readonly zombie: boolean
}

/** How long a killed process may take to leave its last uninterruptible region where nothing else says so. */
const defaultLimit = Duration.seconds(5)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Ends a process and waits for it. Default limit: 5 seconds.
 *
 * **Interruption**
 *
 * Stops waiting. The process ends all the same, but is not killed.
 *
 * @category operations
 * @since 0.1.0
 */
export const shutdown = (
  pid: Pid,
  options?: { readonly limit?: Limit | undefined; readonly reason?: ExitReason.ExitReason | undefined }
): Effect.Effect<Ended> => shutdownTelling(pid as unknown as ProcessRecord, { ...options, overran: tellOverrun })

/**
 * Waits until the fiber and the scope of a process have ended.
 *
 * @category operations
 * @since 0.1.0
 */
export const awaitEnd = (pid: Pid): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const record = pid as unknown as ProcessRecord
    if (record.ended) return Exit.void
    return Effect.callback<void>((resume) => {
      const observer = { ended: () => fiber.currentDispatcher.scheduleTask(() => resume(Exit.void), 0) }
      record.observe(observer)
      return Effect.sync(() => record.unobserve(observer))
    })
  })

/**
 * Kills a process and waits until its fiber and its scope have ended, without a limit.
 *
 * @category operations
 * @since 0.1.0
 */
export const killAndAwait = (pid: Pid): Effect.Effect<void> =>
  Effect.suspend(() => {
    ;(pid as unknown as ProcessRecord).kill()
    return awaitEnd(pid)
  })

/**
 * Ends many processes at once and waits for them together, within one limit.
 *
 * @category operations
 * @since 0.1.0
 */
export const shutdownAll = (
  pids: ReadonlyArray<Pid>,
  options?: { readonly limit?: Limit | undefined }
): Effect.Effect<void> =>
  shutdownAllTelling(pids as unknown as ReadonlyArray<ProcessRecord>, { ...options, overran: tellOverrun })

/** As `shutdownAll`, where somebody else tells of a process that is killed at its limit. @internal */
export const shutdownAllTelling = (
  records: ReadonlyArray<ProcessRecord>,
  options: { readonly limit?: Limit | undefined; readonly overran: Overran }
): Effect.Effect<void> => {
  const limit = parse(options.limit ?? defaultLimit)
  const ask = Effect.suspend(() => {
    if (limit.orderly === undefined) return Effect.void
    for (const record of records) record.shutdown(ExitReason.shutdown())
    return within(awaitAll(records), limit.orderly)
  })
  const kill = Effect.suspend(() => {
    for (const record of records) {
      if (record.isAlive && limit.orderly !== undefined) options.overran(record)
      if (!record.ended) record.kill()
    }
    return within(awaitAll(records), limit.release)
  })
  return Effect.andThen(ask, kill)
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** Told of a process that is alive at its limit and is killed in this step. */
type Overran = (record: ProcessRecord) => void

/** As `shutdown`, where somebody else tells of a process that is killed at its limit. @internal */
export const shutdownTelling = (
  record: ProcessRecord,
  options: {
    readonly limit?: Limit | undefined
    readonly reason?: ExitReason.ExitReason | undefined
    readonly overran: Overran
  }
): Effect.Effect<Ended> => {
  const limit = parse(options.limit ?? defaultLimit)
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

/** What is said of a process that did not end in time. @internal */
export const OVERRAN = "did not end within its shutdown limit and was killed"

interface Parsed {
  /** Undefined: no orderly end. */
  readonly orderly: Duration.Duration | undefined
  /** How long a kill may take. */
  readonly release: Duration.Duration
}

/** @internal */
export const parse = (limit: Limit): Parsed => {
  if (limit === "brutalKill") return { orderly: undefined, release: defaultLimit }
  const orderly = limit === "infinity" ? Duration.infinity : Duration.fromInputUnsafe(limit)
  return { orderly, release: orderly }
}

const orderly = (
  record: ProcessRecord,
  limit: Duration.Duration,
  reason: ExitReason.ExitReason = ExitReason.shutdown()
): Effect.Effect<void> =>
  Effect.suspend(() => {
    record.shutdown(reason)
    return endWithin(record, limit)
  })

const killWithin = (
  record: ProcessRecord,
  limit: Duration.Duration,
  overran: Overran | undefined
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (record.ended) return Effect.void
    if (record.isAlive) overran?.(record)
    record.kill()
    return endWithin(record, limit)
  })

/** @internal */
export const endWithin = (record: ProcessRecord, limit: Duration.Duration): Effect.Effect<void> =>
  Effect.suspend(() => (record.ended ? Effect.void : within(awaitEnd(record), limit)))

const within = (effect: Effect.Effect<void>, limit: Duration.Duration): Effect.Effect<void> =>
  Duration.isFinite(limit) ? Effect.asVoid(Effect.timeoutOption(effect, limit)) : effect

/** Waits for all of them with one callback. */
const awaitAll = (records: ReadonlyArray<ProcessRecord>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const left = records.filter((record) => !record.ended)
    if (left.length === 0) return Exit.void
    return Effect.callback<void>((resume) => {
      let waiting = left.length
      const observer = {
        ended: () => {
          if (--waiting === 0) fiber.currentDispatcher.scheduleTask(() => resume(Exit.void), 0)
        }
      }
      for (const record of left) record.observe(observer)
      return Effect.sync(() => {
        for (const record of left) record.unobserve(observer)
      })
    })
  })

const endOf = (record: ProcessRecord): Ended => ({ reason: record.reason ?? ExitReason.killed, zombie: !record.ended })
