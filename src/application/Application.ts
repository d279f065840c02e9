/**
 * Runs a supervision tree that starts, is ready, and stops as one.
 *
 * `run` keeps a tree up until it ends or is interrupted; `provide` gives a tree to a program and fails the program if the
 * tree gives up.
 *
 * **Guarantees**
 *
 * - If the tree gives up, `run` and `provide` fail with `TreeFailed` and the reason.
 * - Stop in order, within a budget (default 30 seconds): not ready any more, stop accepting, drain, then the tree in
 *   reverse. Past the budget it fails with `StopTimeout`, which names the processes that are left, and kills them.
 *
 * **Not here**
 *
 * Signals and exit codes of an operating system: see `NodeApplication` in `effect-otp/node`.
 *
 * **In Erlang/OTP**
 *
 * `application`. `beforeStop` is `prep_stop`, and the budget is `kernel`'s `shutdown_timeout`. With `run` an
 * application is a permanent one.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { TreeEnd, TreeFailed } from "../kernel/shared/treeEnd.ts"
import { CurrentApplication, failIfFailed } from "./internal/runningApplication.ts"
import { type Launching, launch, scheduled, type StopTimeout } from "./shared/launch.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The phase of an application: `"starting"` until all its layers are built, `"ready"` until it begins to stop,
 * `"draining"` until it has stopped.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Readiness = "starting" | "ready" | "draining"

/**
 * Options of an application.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long the whole stop may take. Default: 30 seconds. */
  readonly stopWithin?: Duration.Input | undefined
  /**
   * Whether its layers, its processes and the program given to {@link provide} run in slices of 2 milliseconds, if
   * Effect's default scheduler is in use. Timers and I/O then get a turn after each slice, however many processes
   * always have a next message. Casts and calls cost a few percent more. Default: false.
   */
  readonly runQueue?: boolean | undefined
}

export type {
  /**
   * How the tree of an application ended: the id of the supervisor at its root, the reason, and whether it failed. It has
   * not failed if `autoShutdown` ended it on purpose.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  TreeEnd
} from "../kernel/shared/treeEnd.ts"

/**
 * An application that is up.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Running<in ROut> {
  /** The services that its layers provide. */
  readonly context: Context.Context<ROut>
  /** Waits until its tree ends by itself. */
  readonly ended: Effect.Effect<TreeEnd>
  /**
   * Stops it in order. The stop goes on if its caller is interrupted. A second call waits for the same stop; the budget
   * counts from the first call.
   */
  readonly stop: Effect.Effect<void, StopTimeout>
}

// ---- errors -------------------------------------------------------------------------------------------------------

export {
  /**
   * The application did not stop within its budget. `hung` names the processes that had not ended; they were killed.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  StopTimeout
} from "./shared/launch.ts"

export {
  /**
   * The tree gave up, or was killed.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  TreeFailed
} from "../kernel/shared/treeEnd.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Starts an application and gives it while it runs.
 *
 * **When to use**
 *
 * Use if a program outside of Effect owns the application. Otherwise use {@link run} or {@link provide}, which also
 * stop it.
 *
 * **Details**
 *
 * The caller must call its `stop`.
 *
 * **Errors**
 *
 * - The failure of a layer that does not start.
 * - `TreeFailed` if a tree gives up before the last layer is built.
 * - `StopTimeout` if the layers that were started do not stop within the budget.
 *
 * Everything that was started is stopped in order before `start` fails. If something in the layers interrupts the
 * start, that is a defect.
 *
 * **Interruption**
 *
 * If it is interrupted while it starts, everything that was started is stopped in order, within the budget.
 *
 * **Gotchas**
 *
 * If the fiber is interrupted between the end of `start` and its next step, it never gets the application that it
 * started. If that can happen, use {@link provide}.
 *
 * **Example** (Starting and stopping)
 *
 * ```ts import.meta.vitest
 * import { Context, Effect } from "effect"
 * import { Agent, Application, Supervisor } from "effect-otp"
 *
 * class Counter extends Agent.Service<Counter, number>()("app/Counter") {
 *   static readonly layer = this.define({ init: () => Effect.succeed(1) }).layer()
 * }
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.child(Counter.layer)]
 * }) {}
 *
 * const running = await Effect.runPromise(Application.start(App.layer))
 * await Effect.runPromise(Agent.get(Context.get(running.context, Counter))) // => 1
 * await Effect.runPromise(running.stop) // => undefined
 * ```
 *
 * @see `application:start/1`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const start = <ROut, E, RIn>(
  layer: Layer.Layer<ROut, E, RIn>,
  options?: Options
): Effect.Effect<Running<ROut>, E | TreeFailed | StopTimeout, RIn> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(launch(layer, options), ({ ended, ready, stop }) =>
      Effect.map(
        Effect.onExit(restore(ready), (exit) => (Exit.isFailure(exit) ? stop : Effect.void)),
        (context) => ({ context, ended, stop })
      )
    )
  )

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Runs an application until its tree ends.
 *
 * **Errors**
 *
 * - The failure of a layer that does not start.
 * - `TreeFailed` when the tree gives up. If the tree ends on purpose (`autoShutdown`), `run` succeeds.
 * - `StopTimeout` when stopping takes longer than the budget.
 *
 * **Interruption**
 *
 * An interruption stops the application in order.
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
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const run = <ROut, E, RIn>(
  layer: Layer.Layer<ROut, E, RIn>,
  options?: Options
): Effect.Effect<void, E | TreeFailed | StopTimeout, RIn> => use(layer, ({ over }) => over, options)

/**
 * Gives a tree to a program. If the tree gives up while the program runs, the program fails with `TreeFailed`.
 *
 * **When to use**
 *
 * Use in place of `Effect.provide` if the program must not go on without its tree.
 *
 * **Details**
 *
 * The tree is stopped in order when the program ends, within `stopWithin` (30 seconds by default).
 *
 * **Errors**
 *
 * - The failure of the program, or of a layer that does not start.
 * - `TreeFailed` if the tree gives up.
 * - `StopTimeout` if stopping takes longer than the budget.
 *
 * **Interruption**
 *
 * An interruption interrupts the program, then stops the tree in order.
 *
 * **Example** (A program and its tree)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Application, Supervisor } from "effect-otp"
 *
 * class Counter extends Agent.Service<Counter, number>()("app/Counter") {
 *   static readonly layer = this.define({ init: () => Effect.succeed(1) }).layer()
 * }
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.child(Counter.layer)]
 * }) {}
 *
 * const program = Effect.flatMap(Counter, (counter) => Agent.updateAndGet(counter, (n) => n + 1))
 *
 * await Effect.runPromise(program.pipe(Application.provide(App.layer))) // => 2
 * ```
 *
 * @see {@link run} for a tree without a program
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const provide: {
  <ROut, E2, RIn>(
    layer: Layer.Layer<ROut, E2, RIn>,
    options?: Options
  ): <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | E2 | TreeFailed | StopTimeout, RIn | Exclude<R, ROut>>
  <A, E, R, ROut, E2, RIn>(
    self: Effect.Effect<A, E, R>,
    layer: Layer.Layer<ROut, E2, RIn>,
    options?: Options
  ): Effect.Effect<A, E | E2 | TreeFailed | StopTimeout, RIn | Exclude<R, ROut>>
} = dual(
  (args) => Effect.isEffect(args[0]),
  <A, E, R, ROut, E2, RIn>(
    self: Effect.Effect<A, E, R>,
    layer: Layer.Layer<ROut, E2, RIn>,
    options?: Options
  ): Effect.Effect<A, E | E2 | TreeFailed | StopTimeout, RIn | Exclude<R, ROut>> =>
    use(
      layer,
      ({ ended, ready }) => {
        const failed = Effect.flatMap(ended, (end) => Effect.andThen(failIfFailed(end), Effect.never))
        const scheduledEffect = Effect.updateContext(self, (context: Context.Context<R>) => scheduled(context, options))
        return Effect.flatMap(ready, (context) =>
          Effect.raceFirst(Effect.provideContext(scheduledEffect, context), failed)
        )
      },
      options
    )
)

/**
 * Gives the phase of the application in which this effect runs. Outside of an application it is `"ready"`.
 *
 * **When to use**
 *
 * Use for the readiness probe of a platform.
 *
 * **Example** (A readiness probe)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Application } from "effect-otp"
 *
 * const probe = Application.readiness.pipe(Application.provide(Layer.empty))
 *
 * await Effect.runPromise(probe) // => "ready"
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const readiness: Effect.Effect<Readiness> = Effect.withFiber((fiber) =>
  Effect.succeed(Context.get(fiber.context, CurrentApplication)?.phase ?? "ready")
)

/**
 * Registers an effect that runs when the application begins to stop, while its tree is still up.
 *
 * **Details**
 *
 * Effects for `"stopAccepting"` run first: stop taking new work. When all of them are done, those for `"drain"` run:
 * wait for the work in progress. Within a step, the effect that was registered last runs first. Outside of an
 * application nothing runs. When the scope closes, the effect is removed.
 *
 * **Example** (Steps of a stop)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Application, Supervisor } from "effect-otp"
 *
 * const log: Array<string> = []
 * const note = (text: string) => Effect.sync(() => { log.push(text) })
 *
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [
 *     Supervisor.worker("web", Effect.gen(function*() {
 *       yield* Application.beforeStop("drain", note("drain"))
 *       yield* Application.beforeStop("stopAccepting", note("stop accepting"))
 *       yield* Effect.addFinalizer(() => note("the tree stops"))
 *       return yield* Effect.never
 *     }))
 *   ]
 * }) {}
 *
 * await Effect.runPromise(Effect.yieldNow.pipe(Application.provide(App.layer)))
 * log // => ["stop accepting", "drain", "the tree stops"]
 * ```
 *
 * @see {@link readiness}, which is `"draining"` by then
 * @see `prep_stop/1` of `application`
 *
 * @stability experimental
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

// ---- internals ----------------------------------------------------------------------------------------------------

/** This is one uninterruptible region with the code that stops it, so no interruption in between can lose the tree. */
const use = <ROut, E, RIn, A, E2, R2>(
  layer: Layer.Layer<ROut, E, RIn>,
  f: (launching: Launching<ROut, E>) => Effect.Effect<A, E2, R2>,
  options: Options | undefined
): Effect.Effect<A, E2 | StopTimeout, RIn | R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(launch(layer, options), (launching) => Effect.onExit(restore(f(launching)), () => launching.stop))
  )
