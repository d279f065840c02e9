/**
 * Supervisors: typed Layers that start processes in order, watch them, and start them again when they fail.
 *
 * A supervisor is declared as a service class with its strategy and an ordered list of children. Its Layer starts the
 * children one after the other. A child may need what an earlier sibling provides, and a wrong order does not compile.
 * The Layer provides handles, which stay valid across restarts.
 *
 * **Guarantees**
 *
 * - Children start in order and stop in reverse order. Each has its own `shutdown` time and is then killed. A failed
 *   start stops the children that run already and fails the Layer with the child's typed error.
 * - A restart begins only after the dead process and its scope have ended.
 * - The supervisor answers, and can be stopped, while a child's `init` runs or a restart delay passes.
 * - A supervisor that gives up stops its children and ends with `Shutdown(RestartLimit)`: the next supervisor up decides.
 *   At the root, an application fails with `TreeFailed`; otherwise the log has a fatal line.
 *
 * **Not here**
 *
 * You cannot add children at run time, because the type of a supervisor lists its children. Use `DynamicSupervisor`.
 *
 * **In Erlang/OTP**
 *
 * `supervisor`. Differences: restarts can have delays. A stop interrupts a running start. A stopped child is started
 * again only after it has released what it held. The restart window is exact.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import { type Handle, TypeId as HandleTypeId } from "../kernel/Handle.ts"
import type { Pid } from "../kernel/Pid.ts"
import type { Any, Exports, Fails, InOrder, Requirements } from "./ChildSpec.ts"
import { type Counts, countsOf } from "./internal/child/childCounts.ts"
import { printHandle } from "./internal/child/exportedHandles.ts"
import type {
  ChildNotFound,
  ChildRestarting,
  ChildRunning,
  StartFailed,
  SupervisorDown
} from "./internal/core/errors.ts"
import { supervisorLayer } from "./internal/startSupervisor.ts"
import { specOf } from "./internal/options.ts"
import { untypedSpecs } from "./internal/child/untypedSpec.ts"
import { ask, startAnswer, viewOf } from "./internal/static/askSupervisor.ts"
import type { ChildExit } from "./RestartPolicy.ts"
import type { HandleTarget } from "../kernel/shared/handleTarget.ts"
import type { LayerSource } from "../kernel/shared/providedTwice.ts"

export {
  /**
   * Makes a child of a Layer that starts one process. It is `ChildSpec.child`.
   *
   * @stability experimental
   * @category constructors
   * @since 0.1.0
   */
  child,
  /**
   * Makes a child of a plain service that later siblings need. It is `ChildSpec.resource`.
   *
   * @stability experimental
   * @category constructors
   * @since 0.1.0
   */
  resource,
  /**
   * Makes a child of an effect, which runs as a process. It is `ChildSpec.worker`.
   *
   * @stability experimental
   * @category constructors
   * @since 0.1.0
   */
  worker
} from "./ChildSpec.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Which siblings are restarted when a child fails: none, all, or those after it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Strategy = "oneForOne" | "oneForAll" | "restForOne"

/**
 * The options of a supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<Cs> {
  readonly strategy: Strategy
  /** The delay of restarts, and when to give up, for each child. Default: restart at once. */
  readonly schedule?: Schedule.Schedule<unknown, ChildExit<unknown>> | undefined
  /**
   * One counter for the whole supervisor: it gives up at the first failure above `max` within any such window. Default:
   * 3 in 5 seconds. Failures of children with a schedule are counted only if an intensity is given.
   */
  readonly intensity?: { readonly max: number; readonly within: Duration.Input } | undefined
  /** Whether the final end of one significant child, or of the last one, ends the supervisor. Default: `"never"`. */
  readonly autoShutdown?: "never" | "anySignificant" | "allSignificant" | undefined
  /**
   * The children in start order, or a function that makes them from arguments. With a function, `layer` is a function of
   * the same arguments.
   */
  readonly children: Cs
}

/**
 * What is known of a child.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ChildInfo {
  readonly id: string
  readonly kind: "child" | "resource"
  readonly state: "starting" | "running" | "restarting" | "stopping" | "stopped"
  /** Its process, if it runs and is not a resource. */
  readonly pid: Pid | undefined
  /** How many times it was started again. */
  readonly restarts: number
}

export type {
  /**
   * How many children there are, how many run, and how many are being started or restarted.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Counts
} from "./internal/child/childCounts.ts"

/**
 * The service of a supervisor. Its methods work while children start, stop and restart.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface SupervisorHandle extends Handle<never> {
  /**
   * The children in start order. Empty while the supervisor itself is down. Never older than what the caller has seen:
   * a child that has answered is `"running"`, and a temporary child whose `Down` has arrived is not on the list.
   */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>>
  /**
   * How many children there are, including resources and stopped ones, how many run, and how many are being started or
   * restarted.
   */
  readonly countChildren: Effect.Effect<Counts>
  /** Starts a child that is stopped, and waits until it is up. */
  readonly restartChild: (
    id: string
  ) => Effect.Effect<void, ChildNotFound | ChildRunning | ChildRestarting | StartFailed | SupervisorDown>
  /**
   * Stops a child, or cancels its restart, and waits until it has ended. It stays stopped until it is started again.
   */
  readonly terminateChild: (id: string) => Effect.Effect<void, ChildNotFound | SupervisorDown>
}

/**
 * The service class of a supervisor: its key, and the Layer of its tree.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, Cs extends ReadonlyArray<Any>> extends Context.ServiceClass<
  Self,
  Id,
  SupervisorHandle
> {
  /** Starts the tree. It provides the supervisor's handle and those of its children. */
  readonly layer: Layer.Layer<Self | Exports<Cs[number]>, Fails<Cs[number]>, Requirements<Cs>>
}

/**
 * The service class of a supervisor whose children are made from arguments.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClassWith<
  Self,
  Id extends string,
  A extends ReadonlyArray<unknown>,
  Cs extends ReadonlyArray<Any>
> extends Context.ServiceClass<Self, Id, SupervisorHandle> {
  /**
   * Starts a tree with the children for these arguments. Each call makes another Layer: give two trees that must be one
   * the same Layer.
   */
  readonly layer: (...args: A) => Layer.Layer<Self | Exports<Cs[number]>, Fails<Cs[number]>, Requirements<Cs>>
}

// ---- errors -------------------------------------------------------------------------------------------------------

export {
  /**
   * The supervisor has no child with this id, or no longer.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  ChildNotFound,
  /**
   * The child runs already.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  ChildRunning,
  /**
   * The child is being restarted already.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  ChildRestarting,
  /**
   * A child did not come up. `error` is its typed failure, or the defect of which it died. `id` is its id or key.
   *
   * A restart schedule sees a start that failed with a typed error as the same `StartFailed`.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  StartFailed,
  /**
   * The supervisor is down, or ended before it answered.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  SupervisorDown
} from "./internal/core/errors.ts"
export {
  /**
   * A child failed more often than its supervisor allows. It is the detail of the `Shutdown` with which the supervisor
   * ends. `attempts` counts the failures, including the last one. `policy` names the limit that was exceeded: the
   * `intensity` of the supervisor or the `schedule` of the child.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  RestartLimit
} from "./internal/core/restartLimit.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

type MakeChildren = (...args: ReadonlyArray<unknown>) => ReadonlyArray<Any>

/** `A` has its default, `never`, if the children are a list. */
type Declared<Self, Id extends string, Cs extends ReadonlyArray<Any>, A extends ReadonlyArray<unknown>> = [A] extends [
  never
]
  ? ServiceClass<Self, Id, Cs>
  : ServiceClassWith<Self, Id, A, Cs>

/**
 * Declares a supervisor: its service, its name in the environment, and its children in start order.
 *
 * **Details**
 *
 * A child that needs what a later sibling provides does not compile. What no sibling provides, the Layer of the supervisor
 * needs.
 *
 * If `children` is a function, `layer` takes its arguments: `Tenant.layer("acme")`. This is for trees that differ in
 * their arguments, such as those below a `DynamicSupervisor`.
 *
 * Throws a `RangeError` for options that no supervisor can work with: an id used twice, an intensity that is not a
 * number, a significant child without `autoShutdown`.
 *
 * **Example** (Restarting a worker)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Supervisor } from "effect-otp"
 *
 * let runs = 0
 * const recovered = Deferred.makeUnsafe<string>()
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [
 *     Supervisor.worker("fragile", Effect.suspend(() =>
 *       ++runs < 3 ? Effect.die("not yet") : Deferred.succeed(recovered, `up in run ${runs}`)
 *     ), { restart: "transient" })
 *   ]
 * }) {}
 *
 * await Effect.runPromise(Deferred.await(recovered).pipe(Effect.provide(App.layer))) // => "up in run 3"
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string, const Cs extends ReadonlyArray<Any>, A extends ReadonlyArray<unknown> = never>(
    id: Id,
    options: Options<(Cs & InOrder<Cs>) | ((...args: A) => Cs & InOrder<Cs>)>
  ): Declared<Self, Id, Cs, A> => {
    const key = Context.Service<Self, SupervisorHandle>()(id)
    const handle = (target: HandleTarget) =>
      Context.make(key as unknown as Context.Key<never, SupervisorHandle>, makeHandle(target))
    const layerOf = (children: ReadonlyArray<Any>, source: Omit<LayerSource, "key"> = {}) =>
      supervisorLayer({ key: id, ...source }, specOf(id, { ...options, children: untypedSpecs(children) }), handle)
    const children: ReadonlyArray<Any> | MakeChildren = options.children as ReadonlyArray<Any> | MakeChildren
    // The other options are checked here in any case.
    const layer =
      typeof children !== "function"
        ? layerOf(children)
        : (layerOf([]), (...args: ReadonlyArray<unknown>) => layerOf(children(...args), { definition: key, args }))
    return Object.assign(key, { layer }) as unknown as Declared<Self, Id, Cs, A>
  }

// ---- internals ----------------------------------------------------------------------------------------------------

const makeHandle = (target: HandleTarget): SupervisorHandle =>
  printHandle({
    [HandleTypeId]: target,
    whichChildren: Effect.sync(() => viewOf(target)),
    countChildren: Effect.sync(() => countsOf(viewOf(target))),
    restartChild: (id) => Effect.flatMap(ask(target, "RestartRequested", id), (result) => startAnswer(id, result)),
    terminateChild: (id) => Effect.asVoid(ask(target, "TerminateRequested", id))
  })
