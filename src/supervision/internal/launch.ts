/** Starts a supervisor and waits until its children are up. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { makeTargets, processLayer, targetIn, type Place } from "../../kernel/shared/adoption.ts"
import * as ExitReason from "../../kernel/ExitReason.ts"
import type { HandleTarget } from "../../kernel/Handle.ts"
import * as Kernel from "../../kernel/Kernel.ts"
import { environment, parentOf } from "../../kernel/Process.ts"
import { currentUnsafe, type ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { exitSignal } from "../../kernel/shared/signals.ts"
import { shutdown } from "../../kernel/Shutdown.ts"
import { TreeFailed, TreeWatch } from "../../kernel/shared/treeWatch.ts"
import { during, until } from "../../kernel/shared/waiting.ts"
import { RunningDynamic } from "./dynamic/runningDynamic.ts"
import type { DynamicSpec } from "./dynamic/dynamicSpec.ts"
import { launcherOf } from "./tree/launcher.ts"
import type { SupervisorSpec } from "./static/children.ts"
import { RunningSupervisor } from "./static/runningSupervisor.ts"
import type { Running, TreeOptions, Watch } from "./tree/tree.ts"

/** The Layer of a supervisor. It gives the supervisor's handle and those of its children. @internal */
export const supervisorLayer = (
  id: string,
  spec: () => SupervisorSpec,
  handle: (target: HandleTarget) => Context.Context<never>
): Layer.Layer<never, unknown> =>
  treeLayer(
    id,
    (where) => new RunningSupervisor(spec(), where),
    ({ exports, tree }) => Context.merge(exports, handle(tree.target))
  )

/** The Layer of any static supervisor. `given` says what it provides once its children are up. @internal */
export const treeLayer = <P extends RunningSupervisor>(
  id: string,
  make: (where: Omit<TreeOptions, "id">) => P,
  given: (supervisor: P) => Context.Context<never>
): Layer.Layer<never, unknown> =>
  processLayer((place, asker) => Effect.map(started({ id, make }, { place, asker }), given))

interface Tree<P> {
  readonly id: string
  readonly make: (where: Omit<TreeOptions, "id">) => P
}

/** Where a tree is started: in a place, and for which fiber. */
interface Starter {
  readonly place: Place | undefined
  readonly asker: Fiber.Fiber<unknown, unknown>
}

const started = <P extends RunningSupervisor>(tree: Tree<P>, { asker, place }: Starter) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(launch(tree, { asker, place }), (supervisor) => {
      // It runs now, so an interruption of the wait has to end it.
      const booted = Effect.onInterrupt(restore(boot(supervisor)), () => stop(supervisor))
      return place !== undefined ? booted : Effect.tap(booted, () => Effect.addFinalizer(() => stop(supervisor)))
    })
  )

const stop = ({ tree }: Running): Effect.Effect<void> =>
  Effect.andThen(shutdown(tree.record, { limit: Duration.infinity }), tree.endLaunch)

const launch = <P extends RunningSupervisor>({ id, make }: Tree<P>, starter: Starter): Effect.Effect<P> =>
  Effect.withFiber((fiber) => {
    const supervisor = make(whereabouts(fiber, id, starter))
    starter.place?.adopt(supervisor.record)
    supervisor.run()
    return Effect.succeed(supervisor)
  })

const whereabouts = (fiber: Fiber.Fiber<unknown, unknown>, id: string, { asker, place }: Starter) => {
  const targets = place?.targets ?? makeTargets()
  const kernel = place?.parent.kernel ?? Kernel.currentUnsafe(fiber)
  const current = currentUnsafe(fiber)
  const parent = place?.parent ?? parentOf(fiber)
  // Flattened once, because the environment of each child is built on it.
  const context = Context.makeUnsafe<never>(environment(fiber.context).mapUnsafe)
  const watch = place === undefined ? watchOf(fiber, current) : undefined
  const launcher = place === undefined && watch === undefined ? launcherOf(asker) : undefined
  return { place, target: targetIn(targets, id), targets, kernel, parent, context, watch, launcher }
}

/** A process that starts a tree for itself ends with it. */
const watchOf = (fiber: Fiber.Fiber<unknown, unknown>, owner: ProcessRecord | undefined): Watch | undefined => {
  const watch = Context.get(fiber.context, TreeWatch)
  if (watch !== undefined || owner === undefined) return watch
  const { context } = fiber
  return (end) => {
    const failure = new TreeFailed(end)
    if (!end.failed) Effect.runForkWith(context)(Effect.logInfo(failure.message))
    else exitSignal(owner, undefined, ExitReason.defect(failure))
  }
}

/** Waits until all children are up. */
const boot = <P extends RunningSupervisor>(supervisor: P): Effect.Effect<P, unknown> =>
  Effect.withFiber((fiber) => {
    const { record } = supervisor
    const wait = until(
      () => supervisor.booted || record.ended,
      () => record
    )
    const booted = Effect.callback<P, unknown>((resume) => {
      const answer = (exit: () => Exit.Exit<P, unknown>) =>
        fiber.currentDispatcher.scheduleTask(() => resume(exit()), 0)
      if (supervisor.booted) return resume(Exit.succeed(supervisor))
      const observer = { ended: () => answer(() => failure(supervisor)) }
      record.observe(observer)
      supervisor.onBooted = () => {
        record.unobserve(observer)
        answer(() => Exit.succeed(supervisor))
      }
      return Effect.sync(() => {
        record.unobserve(observer)
        supervisor.onBooted = undefined
      })
    })
    return during(wait, booted)
  })

/** The Layer of a dynamic supervisor. It is up at once. @internal */
export const dynamicLayer = (
  spec: DynamicSpec,
  handle: (target: HandleTarget) => Context.Context<never>
): Layer.Layer<never> =>
  processLayer((place, asker) =>
    Effect.withFiber<Context.Context<never>, never, Scope.Scope>((fiber) => {
      const supervisor = new RunningDynamic(spec, whereabouts(fiber, spec.id, { asker, place }))
      const given = handle(supervisor.tree.target)
      place?.adopt(supervisor.record)
      supervisor.run()
      return place !== undefined
        ? Effect.succeed(given)
        : Effect.as(
            Effect.addFinalizer(() => stop(supervisor)),
            given
          )
    }).pipe(Effect.uninterruptible)
  )

const failure = ({ bootFailure, record, spec }: RunningSupervisor): Exit.Exit<never, unknown> => {
  const { reason } = record
  if (bootFailure === undefined) {
    const why = ExitReason.format(reason ?? ExitReason.killed)
    return Exit.die(new Error(`${spec.id} ended before all its children were up: ${why}`))
  }
  // Nobody interrupted the starter, so the failure must not look like an interruption.
  if (Cause.hasInterruptsOnly(bootFailure)) return Exit.die(new Error(`${spec.id}: ${notByItself}`))
  return Exit.failCause(bootFailure)
}

const notByItself = "something other than the supervisor interrupted the start of a child"
