/**
 * How a process that is started by a Layer finds the supervisor that starts it.
 *
 * While a supervisor starts a child it leaves a *place* in the environment of the child's Layer. The one process that
 * Layer starts takes the place: it gets the supervisor as its parent and the stable handle of the child. For authors of
 * behaviours.
 *
 * **Guarantees**
 *
 * - A place is taken by one Layer at a time. Taken by two, or by none, it is a defect that names the Layer and the cure. A
 *   Layer whose process did not come up leaves the place to another, as in `Layer.catchCause`.
 * - The place is there for the Layers the child's Layer is made of, while it is being built. What an effect of it provides
 *   for itself, and what fibers it has forked provide, finds no place.
 * - A Layer that is supervised already gives the supervised handle, never a second process.
 * - A Layer with a place to take is built anew for each start, whatever is memoised outside: a restart never gets the dead
 *   instance. Used twice inside one child it is built once.
 * - The process ends before what it needs is released, whatever ends the build of the Layer.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { ownKey } from "../../values/copies.ts"
import { HandleTarget } from "../Handle.ts"
import { childId } from "./displayName.ts"
import * as Kernel from "../Kernel.ts"
import type { ProcessRecord, Wait } from "./processRecord.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Where the process of a child belongs: under which supervisor, with which handles.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place {
  readonly parent: ProcessRecord
  readonly targets: Targets
  /** Tells the supervisor which process takes it, before the process runs. */
  readonly adopt: (record: ProcessRecord) => void
}

/**
 * What a supervisor does about the process that a child's Layer starts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Adopter extends Place {
  /** The process is up, and this is what its Layer gives. */
  readonly up: (layer: object, gives: Context.Context<never>) => void
  /** Ends the process in good order, within its limit, and waits until it has ended. */
  readonly end: Effect.Effect<void>
}

/**
 * The handle targets of one child, by service key, and those of the children below it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Targets {
  /** The id the child was given, if it was given one. */
  readonly child: string | undefined
  readonly own: Map<string, HandleTarget>
  readonly inner: Map<string, Targets>
  /** What has to happen before the supervisor starts the child again; undefined: nobody is going to. */
  restart: Wait | undefined
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

/**
 * The place a supervisor keeps while it builds the Layer of one child.
 *
 * @category models
 * @since 0.1.0
 */
export class LayerPlace implements Place {
  readonly parent: ProcessRecord
  readonly targets: Targets
  readonly adopt: (record: ProcessRecord) => void
  /** Whether the Layer is being built. */
  isOpen = true
  /** Whether a second process has come for it. */
  isContested = false
  private readonly adopter: Adopter
  private readonly memoMap: Layer.MemoMap
  /** What was built in this place, by the memo map it was built with: a fresh one has one of its own. */
  private readonly memos = new WeakMap<Layer.MemoMap, Layer.MemoMap>()
  private layer: object | undefined = undefined

  /** The place in the build with this memo map. */
  constructor(adopter: Adopter, memoMap: Layer.MemoMap) {
    this.parent = adopter.parent
    this.targets = adopter.targets
    this.adopt = adopter.adopt
    this.adopter = adopter
    this.memoMap = memoMap
  }

  /** The Layer is built, or will not be. */
  close(): void {
    this.isOpen = false
  }

  /** Whether a Layer is built as a part of the child's Layer, and not by an effect that provides it for itself. */
  isFor(memoMap: Layer.MemoMap, context: Context.Context<never>): boolean {
    // `Layer.fresh` changes the one, a Layer that gives the context of another build changes the other.
    return memoMap === this.memoMap || Context.getOrUndefined(context, Layer.CurrentMemoMap) === this.memoMap
  }

  /** Builds a Layer that starts the process, once for all who need it inside the child. */
  build<A, E, R>(
    layer: Layer.Layer<A, E, R>,
    at: { readonly memoMap: Layer.MemoMap; readonly scope: Scope.Scope },
    build: (scope: Scope.Scope) => Effect.Effect<Context.Context<A>, E, R>
  ): Effect.Effect<Context.Context<A>, E, R> {
    const { memoMap, scope } = at
    let memo = this.memos.get(memoMap)
    if (memo === undefined) this.memos.set(memoMap, (memo = Layer.makeMemoMapUnsafe()))
    return memo.getOrElseMemoize(layer, scope, (_, scope) => this.take(layer, scope, build(scope)))
  }

  private take<A, E, R>(
    layer: object,
    scope: Scope.Scope,
    build: Effect.Effect<Context.Context<A>, E, R>
  ): Effect.Effect<Context.Context<A>, E, R> {
    if (this.layer !== undefined) {
      this.isContested = true
      return Effect.die(new Error(takenTwice))
    }
    this.layer = layer
    // What the process needs was built before and is released after it, however far the child's Layer comes.
    return Effect.onExit(Effect.andThen(Scope.addFinalizer(scope, this.adopter.end), build), (exit) => {
      if (Exit.isSuccess(exit)) this.adopter.up(layer, exit.value)
      else this.layer = undefined
      return Effect.void
    })
  }
}

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * The place for the process of the Layer that is being built. Default: none.
 *
 * Fibers that the Layer forks inherit it, and may outlive the build: whoever wants to take it asks {@link openPlace}.
 *
 * @category services
 * @since 0.1.0
 */
export const CurrentAdoption: Context.Reference<LayerPlace | undefined> = Context.Reference<LayerPlace | undefined>(
  ownKey("effect-otp/kernel/CurrentAdoption"),
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
>(ownKey("effect-otp/kernel/SupervisedLayers"), { defaultValue: () => undefined })

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Targets that nothing points to yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTargets = (child?: string): Targets => ({
  child,
  own: new Map(),
  inner: new Map(),
  restart: undefined
})

/**
 * A Layer that starts one process, or none if the process is supervised already.
 *
 * `build` gets the place to take, if there is one. Without a place the process belongs to the scope of the Layer, and
 * `build` sees to that. It also gets the fiber that asked for the Layer: `Layer.mergeAll` builds each on a fiber of its own,
 * which ends when the Layer is built.
 *
 * @category constructors
 * @since 0.1.0
 */
export const processLayer = <I, E, R>(
  build: (place: Place | undefined, asker: Fiber.Fiber<unknown, unknown>) => Effect.Effect<Context.Context<I>, E, R>
): Layer.Layer<I, E, Exclude<R, Scope.Scope>> => {
  const layer: Layer.Layer<I, E, R> = Layer.fromBuild((memoMap, scope) => {
    const caller = Fiber.getCurrent()
    return Effect.withFiber((fiber) => {
      // Whoever only made this effect, and has it run elsewhere, is none of its business.
      const asker = caller?.context === fiber.context ? caller : fiber
      const place = openPlace(fiber.context, memoMap)
      const supervised = Context.get(fiber.context, SupervisedLayers)?.find(layer, Kernel.currentUnsafe(fiber))
      if (supervised !== undefined && supervised.targets !== place?.targets) {
        return Exit.succeed(supervised.context as unknown as Context.Context<I>)
      }
      const inScope = (scope: Scope.Scope) =>
        Effect.provideService(build(place, asker), Scope.Scope, scope) as Effect.Effect<Context.Context<I>, E, R>
      return place === undefined
        ? memoMap.getOrElseMemoize(layer, scope, (_, scope) => inScope(scope))
        : place.build(layer, { memoMap, scope }, inScope)
    })
  })
  return layer as Layer.Layer<I, E, Exclude<R, Scope.Scope>>
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The place that a Layer may take which is built in this environment with this memo map.
 *
 * There is none once the child's Layer is built, in an effect of it that provides a Layer for itself, and in the fibers it
 * has forked.
 *
 * @category operations
 * @since 0.1.0
 */
export const openPlace = (context: Context.Context<never>, memoMap: Layer.MemoMap): LayerPlace | undefined => {
  const place = Context.get(context, CurrentAdoption)
  return place?.isOpen === true && place.isFor(memoMap, context) ? place : undefined
}

/**
 * The target of a service key in a place, made when first asked for.
 *
 * @category operations
 * @since 0.1.0
 */
export const targetIn = (targets: Targets | undefined, key: string): HandleTarget => {
  let target = targets?.own.get(key)
  if (target === undefined) {
    const child = targets?.child === undefined ? undefined : childId(key, targets.child)
    target = new HandleTarget(key, targets !== undefined, child)
    target.home = targets
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
export const innerTargets = (targets: Targets, childId: string, given?: string): Targets => {
  let inner = targets.inner.get(childId)
  if (inner === undefined) targets.inner.set(childId, (inner = makeTargets(given)))
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
