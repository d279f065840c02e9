/**
 * How a process that a Layer starts finds its supervisor.
 *
 * While a supervisor starts a child, it puts an *adoption* into the environment of the child's Layer. The one process that
 * the Layer starts takes the adoption: the supervisor becomes its parent, and it gets the stable handle of the child. For
 * authors of behaviours.
 *
 * **Guarantees**
 *
 * - One Layer at a time takes an adoption. If two take it, or none, that is a defect that names the Layer and says what to
 *   do. A Layer whose process did not come up leaves the adoption to another, as in `Layer.catchCause`.
 * - Only the Layers that the child's Layer is made of can take the adoption, and only while it is being built. A Layer
 *   that one of its effects or forked fibers provides finds no adoption.
 * - If a Layer is supervised already, it gives the supervised handle and never starts a second process.
 * - A Layer that takes an adoption is built anew for each start, whatever is memoised outside, so a restart never gets the
 *   dead instance. If it is used twice inside one child, it is built once.
 * - The process ends before its dependencies are released, however the build of the Layer ends.
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
import { childId } from "./displayName.ts"
import type { ProcessRecord, Wait } from "./processRecord.ts"
import { currentKernel } from "./currentKernel.ts"
import { HandleTarget } from "./handleTarget.ts"
import { addSource, startedAlone, type LayerSource } from "./providedTwice.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * What a supervisor offers the process of a child: its parent, its handle targets, and whom to tell.
 *
 * @category models
 * @since 0.1.0
 */
export interface Adoption {
  readonly parent: ProcessRecord
  readonly targets: HandleTargets
  /** Tells the supervisor which process takes the adoption, before that process runs. */
  readonly adopt: (record: ProcessRecord) => void
}

/**
 * The Layer that started a process.
 *
 * @category models
 * @since 0.1.0
 */
export interface StartedBy {
  readonly layer: object
  /** What the Layer provides. */
  readonly gives: Context.Context<never>
  /** Whether it is inside a `Layer.fresh`. */
  readonly isFresh: boolean
}

/**
 * What a supervisor does with the process that a child's Layer starts.
 *
 * @category models
 * @since 0.1.0
 */
export interface Adopter extends Adoption {
  /** The process is up. */
  readonly up: (by: StartedBy) => void
  /** Ends the process in good order, within its limit, and waits until it has ended. */
  readonly stop: Effect.Effect<void>
}

/**
 * The handle targets of one child, by service key, and the targets of the children below it.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandleTargets {
  /** The id that the child was given, if any. */
  readonly child: string | undefined
  readonly own: Map<string, HandleTarget>
  readonly inner: Map<string, HandleTargets>
  /** What must happen before the supervisor starts the child again. Undefined if it will not be started again. */
  restart: Wait | undefined
}

/**
 * A Layer that a supervisor has started as a child: what it provides, and the handle targets of the child.
 *
 * @category models
 * @since 0.1.0
 */
export interface Supervised {
  readonly targets: HandleTargets
  readonly context: Context.Context<never>
}

/**
 * Finds what a supervised Layer provides.
 *
 * @category models
 * @since 0.1.0
 */
export interface SupervisedLayers {
  readonly find: (layer: object, kernel: ProcessRecord["kernel"]) => Supervised | undefined
}

/**
 * The adoption that a supervisor offers while it builds the Layer of one child.
 *
 * @category models
 * @since 0.1.0
 */
export class LayerAdoption implements Adoption {
  readonly parent: ProcessRecord
  readonly targets: HandleTargets
  readonly adopt: (record: ProcessRecord) => void
  /** Whether the Layer is being built. */
  isOpen = true
  /** Whether a second process has tried to take it. */
  isContested = false
  private readonly adopter: Adopter
  private readonly memoMap: Layer.MemoMap
  /** What was built with this adoption, by the memo map it was built with. `Layer.fresh` uses a memo map of its own. */
  private readonly memos = new WeakMap<Layer.MemoMap, Layer.MemoMap>()
  private layer: object | undefined = undefined

  /** The adoption in a build with this memo map. */
  constructor(adopter: Adopter, memoMap: Layer.MemoMap) {
    this.parent = adopter.parent
    this.targets = adopter.targets
    this.adopt = adopter.adopt
    this.adopter = adopter
    this.memoMap = memoMap
  }

  /** The Layer has been built, or will not be. */
  close(): void {
    this.isOpen = false
  }

  /** Whether a Layer is built as a part of the child's Layer, and not by an effect that provides it for itself. */
  isFor(memoMap: Layer.MemoMap, context: Context.Context<never>): boolean {
    // `Layer.fresh` changes the memo map; a Layer that provides the context of another build changes the context.
    return memoMap === this.memoMap || Context.getOrUndefined(context, Layer.CurrentMemoMap) === this.memoMap
  }

  /** Builds a Layer that starts the process, once for everything inside the child that needs it. */
  build<A, E, R>(
    layer: Layer.Layer<A, E, R>,
    at: { readonly memoMap: Layer.MemoMap; readonly scope: Scope.Scope },
    build: (scope: Scope.Scope) => Effect.Effect<Context.Context<A>, E, R>
  ): Effect.Effect<Context.Context<A>, E, R> {
    const { memoMap, scope } = at
    let memo = this.memos.get(memoMap)
    if (memo === undefined) this.memos.set(memoMap, (memo = Layer.makeMemoMapUnsafe()))
    const by = { layer, isFresh: memoMap !== this.memoMap }
    return memo.getOrElseMemoize(layer, scope, (_, scope) => this.take(by, scope, build(scope)))
  }

  private take<A, E, R>(
    by: Omit<StartedBy, "gives">,
    scope: Scope.Scope,
    build: Effect.Effect<Context.Context<A>, E, R>
  ): Effect.Effect<Context.Context<A>, E, R> {
    if (this.layer !== undefined) {
      this.isContested = true
      return Effect.die(new Error(takenTwice))
    }
    this.layer = by.layer
    // The dependencies of the process were built before it and are released after it, however the child's Layer ends.
    return Effect.onExit(Effect.andThen(Scope.addFinalizer(scope, this.adopter.stop), build), (exit) => {
      if (Exit.isSuccess(exit)) this.adopter.up({ ...by, gives: exit.value })
      else this.layer = undefined
      return Effect.void
    })
  }
}

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * The adoption for the process of the Layer that is being built. Default: none.
 *
 * Fibers that the Layer forks inherit it and may outlive the build. Use {@link openAdoption} to find out whether it can
 * still be taken.
 *
 * @category services
 * @since 0.1.0
 */
export const CurrentAdoption: Context.Reference<LayerAdoption | undefined> = Context.Reference<
  LayerAdoption | undefined
>(ownKey("effect-otp/kernel/CurrentAdoption"), { defaultValue: () => undefined })

/**
 * The Layers that the tree above supervises. Default: none.
 *
 * It is asked each time a Layer is built, and belongs to one kernel. It finds nothing once the tree has ended, or in
 * another kernel.
 *
 * @category services
 * @since 0.1.0
 */
export const SupervisedLayers: Context.Reference<SupervisedLayers | undefined> = Context.Reference<
  SupervisedLayers | undefined
>(ownKey("effect-otp/kernel/SupervisedLayers"), { defaultValue: () => undefined })

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Targets that do not point to a run yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeTargets = (child?: string): HandleTargets => ({
  child,
  own: new Map(),
  inner: new Map(),
  restart: undefined
})

/**
 * A Layer that starts one process, or none if the Layer is supervised already.
 *
 * `build` gets the adoption to take, if there is one. Without one, `build` has to tie the process to the scope of the
 * Layer. It also gets the fiber that asked for the Layer, and whether the Layer is inside a `Layer.fresh`.
 * `Layer.mergeAll` builds each Layer on a fiber of its own, which ends when the Layer is built.
 *
 * With a `source` the log says if the Layer is provided to a supervisor and once more beside it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const processLayer = <I, E, R>(
  build: (
    adoption: Adoption | undefined,
    asker: Fiber.Fiber<unknown, unknown>,
    isFresh: boolean
  ) => Effect.Effect<Context.Context<I>, E, R>,
  source?: LayerSource
): Layer.Layer<I, E, Exclude<R, Scope.Scope>> => {
  const layer: Layer.Layer<I, E, R> = Layer.fromBuild((memoMap, scope) => {
    const caller = Fiber.getCurrent()
    return Effect.withFiber((fiber) => {
      // A fiber that only made this effect, and lets another run it, did not ask for the Layer.
      const asker = caller?.context === fiber.context ? caller : fiber
      const adoption = openAdoption(fiber.context, memoMap)
      const supervised = Context.get(fiber.context, SupervisedLayers)?.find(layer, currentKernel(fiber))
      if (supervised !== undefined && supervised.targets !== adoption?.targets) {
        return Exit.succeed(supervised.context as unknown as Context.Context<I>)
      }
      const isInFresh = isFresh(memoMap, fiber.context)
      const inScope = (scope: Scope.Scope) =>
        Effect.provideService(build(adoption, asker, isInFresh), Scope.Scope, scope) as Effect.Effect<
          Context.Context<I>,
          E,
          R
        >
      if (adoption !== undefined) return adoption.build(layer, { memoMap, scope }, inScope)
      const isWatched = source !== undefined && !isInFresh
      const alone = (scope: Scope.Scope) =>
        isWatched
          ? Effect.tap(inScope(scope), (gives) => Effect.sync(() => startedAlone(layer, gives)))
          : inScope(scope)
      return memoMap.getOrElseMemoize(layer, scope, (_, scope) => alone(scope))
    })
  })
  if (source !== undefined) addSource(layer, source)
  return layer as Layer.Layer<I, E, Exclude<R, Scope.Scope>>
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The adoption that a Layer may take if it is built in this environment with this memo map.
 *
 * There is none once the child's Layer has been built. There is also none for a Layer that an effect or a forked fiber
 * of the child's Layer provides for itself.
 *
 * @category operations
 * @since 0.1.0
 */
export const openAdoption = (context: Context.Context<never>, memoMap: Layer.MemoMap): LayerAdoption | undefined => {
  const adoption = Context.get(context, CurrentAdoption)
  return adoption?.isOpen === true && adoption.isFor(memoMap, context) ? adoption : undefined
}

/**
 * The target of a service key among the targets of a child. It is made on first use.
 *
 * @category operations
 * @since 0.1.0
 */
export const targetIn = (targets: HandleTargets | undefined, key: string): HandleTarget => {
  let target = targets?.own.get(key)
  if (target === undefined) {
    const child = targets?.child === undefined ? undefined : childId(key, targets.child)
    target = new HandleTarget(key, targets, child)
    targets?.own.set(key, target)
  }
  return target
}

/**
 * The targets of a child below another child. They are made on first use.
 *
 * @category operations
 * @since 0.1.0
 */
export const innerTargets = (targets: HandleTargets, childId: string, given?: string): HandleTargets => {
  let inner = targets.inner.get(childId)
  if (inner === undefined) targets.inner.set(childId, (inner = makeTargets(given)))
  return inner
}

/**
 * Calls a function for each handle target of a child, and of all children below it.
 *
 * @category operations
 * @since 0.1.0
 */
export const eachTarget = (targets: HandleTargets, f: (target: HandleTarget) => void): void => {
  for (const target of targets.own.values()) f(target)
  for (const inner of targets.inner.values()) eachTarget(inner, f)
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** Whether a Layer is built inside a `Layer.fresh`, which builds with a memo map that the environment does not have. */
const isFresh = (memoMap: Layer.MemoMap, context: Context.Context<never>): boolean =>
  Context.getOrUndefined(context, Layer.CurrentMemoMap) !== memoMap

const takenTwice =
  "The Layer of one supervised child started a second process. Make each server a child of its own: " +
  "Supervisor.child(A.layer), Supervisor.child(B.layer) instead of Supervisor.child(Layer.merge(A.layer, B.layer))"
