/** How processes are ended in good order, and killed at their limit. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Check from "../../values/check.ts"
import * as ExitReason from "../ExitReason.ts"
import { defaultLimit } from "../internal/defaults.ts"
import { kill as killUnsafe } from "./death.ts"
import { displayName } from "./displayName.ts"
import { warn } from "./warnings.ts"
import { type ProcessRecord } from "./processRecord.ts"
import { shutdown as askToEnd } from "./signals.ts"
import { waitUntil } from "./waitUntil.ts"

export type Limit = Duration.Input | "brutalKill"

export interface Ended {
  readonly reason: ExitReason.ExitReason
  /** Whether its fiber or its scope has still not ended. */
  readonly zombie: boolean
}

export const awaitEnded = (record: ProcessRecord): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (record.ended) return Exit.void
    return waitUntil<void>((resume) => {
      const observer = { ended: () => resume(Exit.void) }
      record.observe(observer)
      return () => record.unobserve(observer)
    })
  })

/** Like `shutdownAll`, with a callback for each process that is killed at its limit. */
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

/** Called for a process that is alive at its limit and is killed in this step. */
type Overran = (record: ProcessRecord) => void

/** Like `shutdown`, with a callback if the process is killed at its limit. */
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

export const tellOverrun: Overran = (record) => {
  warn(record, record.label ?? displayName(record), () => ({ text: `${displayName(record)} ${OVERRAN}` }))
}

/** The words for a process that did not end in time. */
export const OVERRAN = "did not end within its shutdown limit and was killed"

interface Parsed {
  /** How long an orderly end may take. Undefined if none is asked for. */
  readonly orderly: Duration.Duration | undefined
  /** How long an end that the process began itself may take. */
  readonly own: Duration.Duration
  /** How long the release of a dead process may take. This always has a limit. */
  readonly release: Duration.Duration
}

/** Returns a limit, or throws a `RangeError` that says what it must be. */
export const checkedLimit = (what: string, limit: Limit): Limit =>
  limit === "brutalKill" ? limit : Check.duration(what, limit)

/** The parts of a limit that was checked. */
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

/**
 * Runs an effect two tasks from now, unless it is not needed any more by then. Most processes end in one step and are
 * released in the next, so they need no timer.
 */
export const unlessSoon = (isOver: () => boolean, effect: Effect.Effect<void>): Effect.Effect<void> => {
  const wanted = Effect.suspend(() => (isOver() ? Effect.void : effect))
  return Effect.andThen(Effect.andThen(Effect.yieldNow, Effect.yieldNow), wanted)
}

export const endWithin = (record: ProcessRecord, limit: Duration.Duration): Effect.Effect<void> =>
  Effect.suspend(() => (record.ended ? Effect.void : within(awaitEnded(record), limit)))

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
