/**
 * Builds restart schedules: when a child is started again, and when to stop trying.
 *
 * A restart policy is an ordinary `Schedule` over the endings of one child. Each ending is one step: the schedule
 * answers with the delay before the next start, or is done, and then the supervisor gives up. This module has the three
 * policies that restarts need and retries do not. The rest (`exponential`, `jittered`, `max`, `min`, `while`) is in
 * `Schedule`.
 *
 * **Guarantees**
 *
 * - Time: no policy reads a clock. A supervisor steps a schedule with the time of the `Clock` as `now`, in milliseconds
 *   since 1970. The windows of `intensity` and `decaying` are measured on the monotonic clock there, so a wall clock
 *   that is set back or forward does not change them. If you step them by hand, they use the `now` that you give.
 * - State belongs to the step (`Schedule.toStep`), so two children with the same policy do not share a count.
 *
 * **In Erlang/OTP**
 *
 * `intensity` and `period` of a supervisor, here one policy among others. OTP has no delay between restarts.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as Check from "../values/check.ts"
import type { ExitReason } from "../kernel/ExitReason.ts"
import * as Intensity from "./internal/core/intensity.ts"
import type { StartFailed } from "./internal/core/errors.ts"
import { MonotonicNow } from "./internal/child/monotonicNow.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Which endings of a child a restart follows.
 *
 * **Details**
 *
 * - `permanent`: all of them.
 * - `transient`: only unexpected ones: all except `Normal` and `Shutdown`.
 * - `temporary`: none. The child is removed from the list.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Restart = "permanent" | "transient" | "temporary"

/**
 * The ending of a child, or of its attempt to start, as a restart schedule sees it.
 *
 * **Details**
 *
 * `E` is the typed failure of the child's own start.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ChildExit<out E> {
  readonly id: string
  readonly reason: ExitReason | StartFailed<E>
  /** How many incarnations came before. */
  readonly incarnation: number
  /** How long it was up. Zero if its start failed. */
  readonly uptime: Duration.Duration
}

/**
 * The part of a child's ending that `resetAfter` reads.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Uptime = Pick<ChildExit<unknown>, "uptime">

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Makes a policy that restarts at once, at most `max` times in any window of length `within`.
 *
 * **When to use**
 *
 * Use to bound the restarts of one child. The supervisor's own `intensity` counts all its children together.
 *
 * **Details**
 *
 * The window is exact and closed: a restart exactly `within` ago still counts. The output is the number of restarts in
 * the window. Throws a `RangeError` if `max` is not a whole number of at least 0 or `within` is not longer than zero.
 *
 * **Example** (Backing off, and giving up in a storm)
 *
 * ```ts import.meta.vitest
 * import { Duration, Effect, Schedule } from "effect"
 * import { RestartPolicy } from "effect-otp"
 *
 * const policy = Schedule.max([
 *   Schedule.exponential("100 millis"),
 *   RestartPolicy.intensity({ max: 2, within: "5 seconds" })
 * ])
 *
 * const program = Effect.gen(function*() {
 *   const step = yield* Schedule.toStep(policy)
 *   const [, first] = yield* step(0, undefined)
 *   const [, second] = yield* step(1000, undefined)
 *   const third = yield* Effect.isFailure(step(2000, undefined))
 *   return [Duration.toMillis(first), Duration.toMillis(second), third]
 * })
 *
 * await Effect.runPromise(program) // => [100, 200, true]
 * ```
 *
 * **In Erlang/OTP**
 *
 * `supervisor:add_restart/1`, whose window is truncated to whole seconds.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const intensity = (options: {
  readonly max: number
  readonly within: Duration.Input
}): Schedule.Schedule<number> => {
  const empty = Intensity.make({ max: options.max, withinMillis: Check.millis("intensity: within", options.within) })
  return Schedule.fromStep(
    Effect.sync(() => {
      let window = empty
      return (now: number, _input: unknown) =>
        measured(now, (now) => {
          const [next, exceeded] = Intensity.countFailure(window, now)
          window = next
          return answer(next.count, exceeded)
        })
    })
  )
}

/**
 * Makes a policy that restarts at once, until failures come faster than their score decays.
 *
 * **When to use**
 *
 * Use if the edge of a window is too sharp: failures now and then never add up, but a burst does.
 *
 * **Details**
 *
 * Each failure adds 1 to a score, and the score halves in every `halfLife`. The policy gives up when a failure lifts it
 * above `threshold`. The output is the score. Failures one half-life apart approach a score of 2 and never reach it.
 * Throws a `RangeError` if `threshold` is negative or not a number, or `halfLife` is zero or infinite.
 *
 * **Example** (Giving up on a burst)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schedule } from "effect"
 * import { RestartPolicy } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const step = yield* Schedule.toStep(RestartPolicy.decaying({ threshold: 2, halfLife: "30 seconds" }))
 *   const [first] = yield* step(0, undefined)
 *   const [second] = yield* step(30_000, undefined)
 *   const burst = yield* Effect.isFailure(step(30_000, undefined))
 *   return [first, second, burst]
 * })
 *
 * await Effect.runPromise(program) // => [1, 1.5, true]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const decaying = (options: {
  readonly threshold: number
  readonly halfLife: Duration.Input
}): Schedule.Schedule<number> => {
  const { threshold } = options
  const halfLife = Duration.toMillis(Check.positiveDuration("decaying: halfLife", options.halfLife))
  if (halfLife === Infinity) Check.refuse("decaying: halfLife", "a finite duration", options.halfLife)
  if (!(typeof threshold === "number" && threshold >= 0)) {
    Check.refuse("decaying: threshold", "a number, 0 or more", threshold)
  }
  return Schedule.fromStep(
    Effect.sync(() => {
      let score = 0
      let last = 0
      return (now: number, _input: unknown) =>
        measured(now, (now) => {
          // If the clock is set back, the score must not grow by itself.
          score = score * 0.5 ** (Math.max(0, now - last) / halfLife) + 1
          last = now
          return answer(score, score > threshold)
        })
    })
  )
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Makes a policy begin anew after a child has been up for a while.
 *
 * **When to use**
 *
 * Use around a growing delay, so that a child that recovered is restarted quickly the next time.
 *
 * **Details**
 *
 * The `uptime` of the ended incarnation must be at least `quiet`. Delays and slow starts do not count: if a child fails
 * again right after a delay of a minute, the policy goes on where it was.
 *
 * **Example** (Forgetting old failures)
 *
 * ```ts import.meta.vitest
 * import { Duration, Effect, Schedule } from "effect"
 * import { RestartPolicy } from "effect-otp"
 *
 * const policy = Schedule.exponential("1 second").pipe(RestartPolicy.resetAfter("1 minute"))
 *
 * const program = Effect.gen(function*() {
 *   const step = yield* Schedule.toStep(policy)
 *   const delayAfter = (uptime: Duration.Input) =>
 *     Effect.map(step(0, { uptime: Duration.fromInputUnsafe(uptime) }), ([, delay]) => Duration.toSeconds(delay))
 *   return [yield* delayAfter("1 second"), yield* delayAfter("1 second"), yield* delayAfter("1 minute")]
 * })
 *
 * await Effect.runPromise(program) // => [1, 2, 1]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const resetAfter: {
  (quiet: Duration.Input): <O, I, E, R>(self: Schedule.Schedule<O, I, E, R>) => Schedule.Schedule<O, I & Uptime, E, R>
  <O, I, E, R>(self: Schedule.Schedule<O, I, E, R>, quiet: Duration.Input): Schedule.Schedule<O, I & Uptime, E, R>
} = dual(
  2,
  <O, I, E, R>(self: Schedule.Schedule<O, I, E, R>, quiet: Duration.Input): Schedule.Schedule<O, I & Uptime, E, R> => {
    const limit = Check.duration("resetAfter", quiet)
    return Schedule.fromStep(
      Effect.map(Schedule.toStep(self), (first) => {
        let step = first
        return (now: number, input: I & Uptime) =>
          Duration.isLessThan(input.uptime, limit)
            ? step(now, input)
            : Effect.flatMap(Schedule.toStep(self), (anew) => {
                step = anew
                return step(now, input)
              })
      })
    )
  }
)

// ---- internals ----------------------------------------------------------------------------------------------------

/** Steps by the monotonic clock under a supervisor, else by the `now` of the step. */
const measured = <A>(now: number, step: (now: number) => Pull.Pull<A, never, number>): Pull.Pull<A, never, number> =>
  Effect.flatMap(MonotonicNow, (monotonic) => step(monotonic ?? now))

/** Goes on without delay, or is done. */
const answer = (output: number, done: boolean): Pull.Pull<[number, Duration.Duration], never, number> =>
  done ? Cause.done(output) : Effect.succeed([output, Duration.zero])
