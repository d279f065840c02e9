/** How an application is started. Runners of main programs use it, too. */
import type * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Check from "../../values/check.ts"
import type { TreeEnd, TreeFailed } from "../../kernel/shared/treeEnd.ts"
import { defaultStopWithin } from "../internal/defaults.ts"
import { failIfFailed, RunningApplication } from "../internal/runningApplication.ts"
import { inSlices } from "../../kernel/shared/runQueue.ts"

interface Options {
  readonly stopWithin?: Duration.Input | undefined
  readonly runQueue?: boolean | undefined
}

export class StopTimeout extends Data.TaggedError("StopTimeout")<{
  readonly within: Duration.Duration
  readonly hung: ReadonlyArray<string>
}> {
  override get message() {
    const who = this.hung.length === 0 ? "a finalizer outside of all processes" : this.hung.join(", ")
    return `The application did not stop within ${Duration.format(this.within)}. Still there: ${who}`
  }
}

/**
 * A running application, from the first step of its start.
 */
export interface Launching<in out ROut, out E> {
  /** Waits until its layers are built. */
  readonly ready: Effect.Effect<Context.Context<ROut>, E | TreeFailed>
  /** Waits until its tree ends, or its start fails. */
  readonly over: Effect.Effect<void, E | TreeFailed>
  readonly ended: Effect.Effect<TreeEnd>
  readonly stop: Effect.Effect<void, StopTimeout>
}

/**
 * Begins to start an application. It does not wait, so no interruption can come between the start and the code that
 * stops it.
 */
export const launch = <ROut, E, RIn>(
  layer: Layer.Layer<ROut, E, RIn>,
  options: Options | undefined
): Effect.Effect<Launching<ROut, E>, never, RIn> =>
  Effect.withFiber((fiber) => {
    const within = Check.duration("stopWithin", Check.or<Duration.Input>(options?.stopWithin, defaultStopWithin))
    const launched = new RunningApplication(layer as Layer.Layer<ROut, E>, scheduled(fiber.context, options))
    const { ended, ready } = launched
    const over = Effect.raceFirst(Effect.andThen(ready, Effect.never), Effect.flatMap(ended, failIfFailed))
    const stop = Effect.mapError(launched.stop(within), ({ hung }) => new StopTimeout({ within, hung }))
    return Effect.succeed({ ready, over, ended, stop })
  })

export const scheduled = <R>(context: Context.Context<R>, options: Options | undefined): Context.Context<R> =>
  options?.runQueue === true ? inSlices(context) : context
