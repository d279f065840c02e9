/** One law: a body that runs in a world of its own, in the default order and in the orders of some seeds. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { messageOf } from "../../values/describe.ts"
import * as SeededScheduler from "../SeededScheduler.ts"
import * as TestKernel from "../TestKernel.ts"
import { isTestClock } from "./liveClock.ts"
import { defaultLawSeeds } from "./defaults.ts"

/** A law does not hold. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: string
  /** The seed of the order in which it was broken. Undefined for the default order. */
  readonly seed: number | undefined
  readonly cause: unknown
}> {
  override get message() {
    const order = this.seed === undefined ? "" : ` (in the order of seed ${this.seed})`
    return `${this.law}${order}: ${messageOf(this.cause)}`
  }
}

/** @internal */
export interface Law {
  readonly name: string
  readonly run: Effect.Effect<void, LawBroken>
}

/** @internal */
export interface LawOptions {
  readonly seeds?: number | Iterable<number> | undefined
}

/** A statement of a law is not true. */
export class Untrue extends Data.TaggedError("Untrue")<{ readonly what: string }> {
  override get message() {
    return this.what
  }
}

/** @internal */
export const holds = (condition: boolean, what: string): Effect.Effect<void, Untrue> =>
  condition ? Effect.void : Effect.fail(new Untrue({ what }))

/** Makes laws that all run in the same orders. @internal */
export const lawMaker =
  ({ seeds = defaultLawSeeds }: LawOptions) =>
  (name: string, body: Effect.Effect<void, unknown, Scope.Scope>): Law => {
    const broken = (seed: number | undefined) => (cause: Cause.Cause<unknown>) =>
      new LawBroken({ law: name, seed, cause: Cause.squash(cause) })
    const world = inWorld(body)
    const inOrder = Effect.catchCause(withTestClock(world), (cause) => Effect.fail(broken(undefined)(cause)))
    const inAnyOrder = Effect.mapError(SeededScheduler.explore(world, { seeds }), ({ failure, seed }) =>
      broken(seed)(failure)
    )
    return { name, run: Effect.andThen(inOrder, Effect.asVoid(inAnyOrder)) }
  }

/** A kernel that must be empty afterwards. Its log is off, because the crashes in a law are intended. */
const inWorld = (body: Effect.Effect<void, unknown, Scope.Scope>): Effect.Effect<void, unknown> =>
  Effect.provide(body, Layer.merge(TestKernel.layer, Logger.layer([])))

const withTestClock = <E>(effect: Effect.Effect<void, E>): Effect.Effect<void, E> =>
  Effect.flatMap(Effect.service(Clock.Clock), (clock) =>
    isTestClock(clock) ? effect : Effect.provide(effect, TestClock.layer())
  )
