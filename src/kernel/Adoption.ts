/**
 * How a process that is started by a Layer finds the supervisor that starts it.
 *
 * While a supervisor starts a child it leaves a *place* in the environment of the child's Layer. The one process that
 * Layer starts takes the place: it gets the supervisor as its parent and the stable handle of the child. For authors of
 * behaviours.
 *
 * **Guarantees**
 *
 * - A place is taken once for each start. Taken twice, or not at all, it is a defect that names the Layer and the cure.
 * - A Layer that an earlier sibling supervises already gives the supervised handle, never a second process.
 * - A Layer with a place to take is built anew, whatever the memo map holds: a restart never gets the dead instance.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { HandleTarget } from "./Handle.ts"
import * as Kernel from "./Kernel.ts"
import type { ProcessRecord } from "./ProcessRecord.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The place a supervisor keeps for the process of a child it is starting.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  readonly parent: ProcessRecord
  readonly targets: Targets
  /** Takes the place for a Layer; false if it is taken. */
  readonly take: (layer: object) => boolean
  /** Tells the supervisor which process took it. */
  readonly adopt: (record: ProcessRecord) => void
}

/**
 * The handle targets of one child, by service key, and those of the children below it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Targets {
  readonly own: Map<string, HandleTarget>
  readonly inner: Map<string, Targets>
}

/**
 * A Layer that a supervisor has started as a child: what it gives, and in which place.
 *
 * @category models
 * @since 0.1.0
 */
export interface Supervised {
  readonly targets: Targets
  readonly context: Context.Context<never>
}

/**
 * Finds what a Layer gives that is supervised already.
 *
 * @category models
 * @since 0.1.0
 */
export interface SupervisedLayers {
  readonly find: (layer: object, kernel: ProcessRecord["kernel"]) => Supervised | undefined
}

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * The place that is free for the next process started by a Layer. Default: none.
 *
 * @category services
 * @since 0.1.0
 */
export const CurrentAdoption: Context.Reference<Place | undefined> = Context.Reference<Place | undefined>(
  "effect-otp/kernel/CurrentAdoption",
  { defaultValue: () => undefined }
)

/**
 * The Layers that are supervised already in the tree above. Default: none.
 *
 * It is asked each time a Layer is built, and belongs to one kernel: what a tree supervises is no longer found once the
 * tree has ended, nor where another kernel was provided.
 *
 * @category services
 * @since 0.1.0
 */
export const SupervisedLayers: Context.Reference<SupervisedLayers | undefined> = Context.Reference<
  SupervisedLayers | undefined
>("effect-otp/kernel/SupervisedLayers", { defaultValue: () => undefined })

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Targets that nothing points to yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTargets = (): Targets => ({ own: new Map(), inner: new Map() })

/**
 * A Layer that starts one process, or none if the process is supervised already.
 *
 * `build` gets the place to take, if there is one. Without a place the process belongs to the scope of the Layer, and
 * `build` sees to that.
 *
 * @category constructors
 * @since 0.1.0
 */
export const processLayer = <I, E, R>(
  build: (place: Place | undefined) => Effect.Effect<Context.Context<I>, E, R>
): Layer.Layer<I, E, Exclude<R, Scope.Scope>> => {
  const layer: Layer.Layer<I, E, R> = Layer.fromBuild((memoMap, scope) =>
    Effect.withFiber((fiber) => {
      const place = Context.get(fiber.context, CurrentAdoption)
      const supervised = Context.get(fiber.context, SupervisedLayers)?.find(layer, Kernel.currentUnsafe(fiber))
      if (supervised !== undefined && supervised.targets !== place?.targets) {
        return Exit.succeed(supervised.context as unknown as Context.Context<I>)
      }
      const inScope = (place: Place | undefined, scope: Scope.Scope) =>
        Effect.provideService(build(place), Scope.Scope, scope) as Effect.Effect<Context.Context<I>, E, R>
      if (place === undefined) return memoMap.getOrElseMemoize(layer, scope, (_, scope) => inScope(undefined, scope))
      if (place.take(layer)) return inScope(place, scope)
      return Effect.die(new Error(takenTwice))
    })
  )
  return layer as Layer.Layer<I, E, Exclude<R, Scope.Scope>>
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The target of a service key in a place, made when first asked for.
 *
 * @category operations
 * @since 0.1.0
 */
export const targetIn = (targets: Targets | undefined, key: string): HandleTarget => {
  let target = targets?.own.get(key)
  if (target === undefined) {
    target = new HandleTarget(key, targets !== undefined)
    targets?.own.set(key, target)
  }
  return target
}

/**
 * The targets of a child below a place, made when first asked for.
 *
 * @category operations
 * @since 0.1.0
 */
export const innerTargets = (targets: Targets, childId: string): Targets => {
  let inner = targets.inner.get(childId)
  if (inner === undefined) targets.inner.set(childId, (inner = makeTargets()))
  return inner
}

/**
 * Calls a function for each handle target of a place and below.
 *
 * @category operations
 * @since 0.1.0
 */
export const eachTarget = (targets: Targets, f: (target: HandleTarget) => void): void => {
  for (const target of targets.own.values()) f(target)
  for (const inner of targets.inner.values()) eachTarget(inner, f)
}

// ---- internals ----------------------------------------------------------------------------------------------------

const takenTwice =
  "The Layer of one supervised child started a second process. Make each server a child of its own: " +
  "Supervisor.child(A.layer), Supervisor.child(B.layer) instead of Supervisor.child(Layer.merge(A.layer, B.layer))"
