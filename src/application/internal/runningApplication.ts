/**
 * One run of an application, from the first step of its start to the last of its stop.
 *
 * The layers are built on one fiber, and the application is stopped on another. So a stop is the same whether the
 * application is starting or ready: it has its budget in both cases, and goes on if its caller leaves.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { describe } from "../../values/describe.ts"
import { ownKey } from "../../values/copies.ts"
import { CurrentGroupLeader, GroupLeader } from "../../kernel/shared/groupLeader.ts"
import { awaitEnd, shutdownAll } from "../../kernel/Shutdown.ts"
import { TreeFailed, CurrentTreeEndListener, type TreeEnd } from "../../kernel/shared/treeEnd.ts"
import { ApplicationState } from "./applicationState.ts"
import { displayName } from "../../kernel/shared/displayName.ts"
import { tellLeftOut } from "../../kernel/shared/currentKernel.ts"

/** The application in which an effect runs. @internal */
export const CurrentApplication: Context.Reference<ApplicationState | undefined> = Context.Reference<
  ApplicationState | undefined
>(ownKey("effect-otp/application/CurrentApplication"), { defaultValue: () => undefined })

/** The budget of a stop is over. `hung` names the processes that had not ended. @internal */
export interface BudgetExceeded {
  readonly hung: ReadonlyArray<string>
}

/** @internal */
export class RunningApplication<ROut, E> {
  private readonly state = new ApplicationState()
  private readonly leader: GroupLeader
  private readonly scope = Scope.makeUnsafe()
  private readonly built = Deferred.makeUnsafe<Context.Context<ROut>, E>()
  private readonly treeEnded = Deferred.makeUnsafe<TreeEnd>()
  private readonly stopped = Deferred.makeUnsafe<void, BudgetExceeded>()
  /** The result of its start, once it is known. */
  private start: Exit.Exit<Context.Context<ROut>, E> | undefined = undefined
  /** The first end of its tree. */
  private treeEnd: TreeEnd | undefined = undefined
  private stopping = false
  private readonly context: Context.Context<never>
  private readonly building: Fiber.Fiber<never, E>

  constructor(layer: Layer.Layer<ROut, E>, context: Context.Context<never>) {
    this.context = context
    this.leader = new GroupLeader(Context.get(context, CurrentGroupLeader))
    const inside = context.pipe(
      Context.add(CurrentTreeEndListener, (end) => this.treeEndedBy(end)),
      Context.add(CurrentApplication, this.state),
      Context.add(CurrentGroupLeader, this.leader)
    )
    // This fiber lives on after the layers are built, because fibers that they forked as children live as long as it.
    const build = Effect.flatMap(Layer.buildWithScope(layer, this.scope), (context) => {
      this.buildEnded(Exit.succeed(context))
      return Effect.never
    })
    this.building = Effect.runForkWith(inside)(Effect.andThen(Effect.yieldNow, build))
    this.building.addObserver((exit) => this.buildEnded(exit))
  }

  // ---- the start --------------------------------------------------------------------------------------------------

  private buildEnded(exit: Exit.Exit<Context.Context<ROut>, E>): void {
    if (this.start !== undefined) return
    this.start = exit
    if (exit._tag === "Success" && this.state.phase === "starting") this.state.phase = "ready"
    Deferred.doneUnsafe(this.built, exit)
  }

  /** Waits until the layers are built. Fails at once if the tree gives up meanwhile. */
  get ready(): Effect.Effect<Context.Context<ROut>, E | TreeFailed> {
    const failed = Effect.flatMap(this.ended, (end) => Effect.andThen(failIfFailed(end), Effect.never))
    return Effect.catchCause(Effect.raceFirst(Deferred.await(this.built), failed), (cause) => {
      // The failure of a layer that was built after the tree had failed may only be a consequence.
      if (this.treeEnd?.failed === true) return Effect.fail(new TreeFailed(this.treeEnd))
      const { start } = this
      const fromInside = start?._tag === "Failure" && Cause.hasInterruptsOnly(start.cause) && !this.stopping
      return fromInside ? Effect.die(new Error(interruptedInside)) : Effect.failCause(cause)
    })
  }

  // ---- the tree ---------------------------------------------------------------------------------------------------

  /** Waits until the tree ends by itself. */
  get ended(): Effect.Effect<TreeEnd> {
    return Deferred.await(this.treeEnded)
  }

  /** Runs in the step in which the tree dies, so no waiting fiber may go on inside it. */
  private treeEndedBy(end: TreeEnd): void {
    if (this.stopping) {
      // Nobody waits for this any more. If the stop was overdue, its error has named the tree.
      if (end.failed && !Deferred.isDoneUnsafe(this.stopped))
        Effect.runForkWith(this.context)(Effect.logError(new TreeFailed(end).message))
      return
    }
    this.treeEnd ??= end
    this.building.currentDispatcher.scheduleTask(() => Deferred.doneUnsafe(this.treeEnded, Exit.succeed(end)), 0)
  }

  // ---- the stop ---------------------------------------------------------------------------------------------------

  /** Begins to stop, unless it has begun already, and waits. The budget counts from the first call. */
  stop(within: Duration.Duration): Effect.Effect<void, BudgetExceeded> {
    return Effect.suspend(() => {
      if (!this.stopping) this.beginStop(within)
      return Deferred.await(this.stopped)
    })
  }

  private beginStop(within: Duration.Duration): void {
    this.stopping = true
    this.state.phase = "draining"
    const run = Effect.runForkWith(this.context)
    const over = Effect.andThen(tellLeftOut, this.overdue)
    const budget = Duration.isFinite(within) ? run(Effect.andThen(Effect.sleep(within), over)) : undefined
    run(Effect.ensuring(Effect.andThen(Effect.yieldNow, this.stopAll), tellLeftOut), {
      uninterruptible: true
    }).addObserver((exit) => {
      budget?.interruptUnsafe()
      Deferred.doneUnsafe(this.stopped, exit)
    })
  }

  /**
   * The budget is over. The processes that are left must not go on serving, nor keep a name that another start needs.
   */
  private readonly overdue: Effect.Effect<void> = Effect.suspend(() => {
    Deferred.doneUnsafe(this.stopped, Exit.fail({ hung: this.hung }))
    return shutdownAll(this.leader.members, { limit: "brutalKill" })
  })

  /** The hooks run on a fiber of their own, because past the budget nobody waits for them. */
  private readonly runHooks: Effect.Effect<void> = Effect.suspend(() => {
    const hooks = Effect.andThen(this.state.runAll("stopAccepting"), this.state.runAll("drain"))
    const fiber = Effect.runForkWith(this.context)(hooks)
    const isOver = Effect.andThen(
      Effect.exit(Deferred.await(this.stopped)),
      Effect.sync(() => fiber.interruptUnsafe())
    )
    return Effect.raceFirst(Effect.asVoid(Fiber.await(fiber)), isOver)
  })

  private readonly stopAll: Effect.Effect<void> = Effect.suspend(() => {
    // This comes after the hooks, because an interrupted build releases the layers that are up.
    const unbuilt = Effect.suspend(() => {
      if (this.start !== undefined) return Effect.void
      this.building.interruptUnsafe()
      return Fiber.await(this.building)
    })
    const closed = Effect.suspend(() =>
      Scope.close(this.scope, this.start?._tag === "Failure" ? this.start : Exit.void)
    )
    const steps = [this.runHooks, unbuilt, closed, Fiber.interrupt(this.building), this.endStrays]
    return Effect.forEach(steps, (step) => step, { discard: true })
  })

  /** Ends the processes that were started outside of the tree. They may start others while they end. */
  private readonly endStrays: Effect.Effect<void> = Effect.suspend(() => {
    // A zombie of the tree has had its time and is not waited for again.
    const strays = this.leader.members.filter(({ isAlive }) => isAlive)
    if (strays.length > 0) {
      const ended = Effect.forEach(strays, awaitEnd, { discard: true })
      return Effect.andThen(Effect.andThen(shutdownAll(strays), ended), this.endStrays)
    }
    this.leader.hasEnded = true
    return Effect.void
  })

  private get hung(): ReadonlyArray<string> {
    return this.leader.members.map((record) => `${displayName(record)} ${describe(record)}`)
  }
}

/** @internal */
export const failIfFailed = (end: TreeEnd): Effect.Effect<void, TreeFailed> =>
  end.failed ? Effect.fail(new TreeFailed(end)) : Effect.void

const interruptedInside = "Something inside the application interrupted its start, although nobody asked it to stop"
