/**
 * Runs a supervision tree as one thing that starts, is ready, and stops in order.
 *
 * `run` keeps a tree up until it ends or is interrupted; `provide` gives a tree to a program and fails the program if the
 * tree gives up.
 *
 * **Guarantees**
 *
 * - A tree that gives up is never silent: `run` and `provide` fail with `TreeFailed` and the reason.
 * - Stop in order, within a budget (default 30 seconds): not ready any more, stop accepting, drain, then the tree in
 *   reverse. Past the budget it fails with `StopTimeout`, which names who hung.
 *
 * **Not here**
 *
 * Signals and exit codes of an operating system: see `NodeApplication` in `effect-otp/node`.
 *
 * **In Erlang/OTP**
 *
 * `application`: `prep_stop` is what runs while draining, `kernel`'s `shutdown_timeout` the budget. A permanent
 * application is one run by `run`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as ExitReason from "../kernel/ExitReason.ts"
import * as Kernel from "../kernel/Kernel.ts"
import { TreeWatch, type TreeEnd } from "../supervision/TreeWatch.ts"
import { ApplicationState, type Phase } from "./internal/state.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * How far an application is: `"starting"` until all its layers are built, `"ready"` until it begins to stop,
 * `"draining"` until it has stopped.
 *
 * @category models
 * @since 0.1.0
 */
export type Readiness = "starting" | "ready" | "draining"

/**
 * Options of an application.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long stopping may take in all. Default 30 seconds. */
  readonly stopWithin?: Duration.Input | undefined
}

/**
 * An application that is up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Running<in ROut> {
  /** What its layers provide. */
  readonly context: Context.Context<ROut>
  /** Waits until its tree ends by itself. */
  readonly ended: Effect.Effect<TreeEnd>
  /** Stops it in order. A second call waits for the first. */
  readonly stop: Effect.Effect<void, StopTimeout>
}

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * The tree gave up, or was killed.
 *
 * @category errors
 * @since 0.1.0
 */
export class TreeFailed extends Data.TaggedError("TreeFailed")<{
  readonly supervisor: string
  readonly reason: ExitReason.ExitReason
}> {
  override get message() {
    return `The supervision tree ${this.supervisor} has ended: ${ExitReason.format(this.reason)}`
  }
}

/**
 * The application did not stop within its budget; `hung` names the processes that were still there.
 *
 * @category errors
 * @since 0.1.0
 */
export class StopTimeout extends Data.TaggedError("StopTimeout")<{
  readonly within: Duration.Duration
  readonly hung: ReadonlyArray<string>
}> {
  override get message() {
    const who = this.hung.length === 0 ? "a finalizer outside of all processes" : this.hung.join(", ")
    return `Not stopped within ${Duration.format(this.within)}: ${who}`
  }
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Starts an application and returns it while it runs. Whoever starts it has to stop it; `run` and `provide` do.
 *
 * **Interruption**
 *
 * While it starts: what was started is stopped, in reverse.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = <ROut, E, RIn>(
  layer: Layer.Layer<ROut, E, RIn>,
  options?: Options
): Effect.Effect<Running<ROut>, E, RIn> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const state = new ApplicationState()
      const end = Deferred.makeUnsafe<TreeEnd>()
      // Called in the step in which the tree dies: nobody may go on inside of it.
      const watch = (ended: TreeEnd) =>
        fiber.currentDispatcher.scheduleTask(() => Deferred.doneUnsafe(end, Exit.succeed(ended)), 0)
      const scope = Scope.makeUnsafe()
      const built = Layer.buildWithScope(layer, scope).pipe(
        Effect.provideService(TreeWatch, watch),
        Effect.provideService(CurrentApplication, state)
      )
      return Effect.map(
        Effect.onExit(restore(built), (exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void)),
        (context) => {
          state.phase = "ready"
          return { context, ended: Deferred.await(end), stop: stopOnce(state, scope, options) }
        }
      )
    })
  )

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Runs an application until its tree ends.
 *
 * **Errors**
 *
 * - What starting the layers fails with.
 * - `TreeFailed` when the tree gives up. A tree that ends on purpose (`autoShutdown`) ends the application well.
 * - `StopTimeout` when stopping takes longer than the budget.
 *
 * **Interruption**
 *
 * Stops the application in order.
 *
 * **Example** (Running until the work is done)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Application, Supervisor } from "effect-otp"
 *
 * class Job extends Supervisor.Service<Job>()("app/Job", {
 *   strategy: "oneForOne",
 *   autoShutdown: "anySignificant",
 *   children: [
 *     Supervisor.worker("work", Effect.void, { restart: "transient", significant: true })
 *   ]
 * }) {}
 *
 * await Effect.runPromise(Application.run(Job.layer)) // => undefined
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const run = <ROut, E, RIn>(
  layer: Layer.Layer<ROut, E, RIn>,
  options?: Options
): Effect.Effect<void, E | TreeFailed | StopTimeout, RIn> =>
  use(layer, ({ ended }) => Effect.flatMap(ended, failIfFailed), options)

/**
 * Gives a tree to a program: the program fails with `TreeFailed` if the tree gives up while it runs.
 *
 * The application is stopped in order when the program ends.
 *
 * @category operations
 * @since 0.1.0
 */
export const provide =
  <ROut, E2, RIn>(layer: Layer.Layer<ROut, E2, RIn>, options?: Options) =>
  <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | E2 | TreeFailed | StopTimeout, RIn | Exclude<R, ROut>> =>
    use(
      layer,
      ({ context, ended }) => {
        const failed = Effect.flatMap(ended, (end) => Effect.andThen(failIfFailed(end), Effect.never))
        return Effect.raceFirst(Effect.provideContext(effect, context), failed)
      },
      options
    )

/**
 * How far the application is that this effect runs in. Outside of an application: `"ready"`.
 *
 * @category operations
 * @since 0.1.0
 */
export const readiness: Effect.Effect<Readiness> = Effect.withFiber((fiber) =>
  Effect.succeed(Context.get(fiber.context, CurrentApplication)?.phase ?? "ready")
)

/**
 * Asks for something to be done when the application begins to stop, while the tree is still up.
 *
 * `"stopAccepting"` comes first: close what lets work in. `"drain"` comes when all of that is done: wait for the work that
 * is in. Within a step, what was asked for last is done first. Asked for outside of an application it is never done. It
 * is forgotten when the scope closes.
 *
 * @category operations
 * @since 0.1.0
 */
export const beforeStop = <R>(
  step: "stopAccepting" | "drain",
  effect: Effect.Effect<void, never, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const state = Context.get(fiber.context, CurrentApplication)
    if (state === undefined) return Effect.void
    const context = fiber.context as Context.Context<R>
    const forget = state.add({ step, effect: Effect.provideContext(effect, context) })
    return Effect.addFinalizer(() => Effect.sync(forget))
  })

// ---- services -----------------------------------------------------------------------------------------------------

const CurrentApplication: Context.Reference<ApplicationState | undefined> = Context.Reference<
  ApplicationState | undefined
>("effect-otp/application/CurrentApplication", { defaultValue: () => undefined })

// ---- internals ----------------------------------------------------------------------------------------------------

const failIfFailed = ({ supervisor, reason, failed }: TreeEnd): Effect.Effect<void, TreeFailed> =>
  failed ? Effect.fail(new TreeFailed({ supervisor, reason })) : Effect.void

const use = <ROut, E, RIn, A, E2, R2>(
  layer: Layer.Layer<ROut, E, RIn>,
  f: (running: Running<ROut>) => Effect.Effect<A, E2, R2>,
  options: Options | undefined
): Effect.Effect<A, E | E2 | StopTimeout, RIn | R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(start(layer, options)), (running) => Effect.onExit(restore(f(running)), () => running.stop))
  )

const stopOnce = (state: ApplicationState, scope: Scope.Closeable, options: Options | undefined) => {
  const within = Duration.fromInputUnsafe(options?.stopWithin ?? Duration.seconds(30))
  const result = Deferred.makeUnsafe<void, StopTimeout>()
  let begun = false
  return Effect.suspend(() => {
    if (begun) return Deferred.await(result)
    begun = true
    return Effect.onExit(stopWithin(state, scope, within), (exit) => Effect.asVoid(Deferred.done(result, exit)))
  })
}

/** The budget bounds the wait, not the stopping: what hangs is left behind. */
const stopWithin = (
  state: ApplicationState,
  scope: Scope.Closeable,
  within: Duration.Duration
): Effect.Effect<void, StopTimeout> =>
  Effect.withFiber((fiber) => {
    state.phase = "draining"
    const steps: ReadonlyArray<Phase> = ["stopAccepting", "drain"]
    const all = Effect.andThen(
      Effect.forEach(steps, (step) => state.runAll(step), { discard: true }),
      Scope.close(scope, Exit.void)
    )
    const kernel = Kernel.currentUnsafe(fiber)
    return Effect.flatMap(Effect.forkDetach(all, { uninterruptible: true }), (stopping) =>
      Effect.flatMap(Effect.timeoutOption(Fiber.await(stopping), within), (exit) =>
        Option.match(exit, {
          onNone: () => Effect.fail(new StopTimeout({ within, hung: Kernel.survivors(kernel) })),
          onSome: (exit) => exit
        })
      )
    )
  })
