/** Starts a supervisor and waits until its children are up. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { makeTargets, processLayer, targetIn, type Adoption } from "../../kernel/shared/adoption.ts"
import * as ExitReason from "../../kernel/ExitReason.ts"
import { currentProcessUnsafe, type ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { exitSignal } from "../../kernel/shared/signals.ts"
import { shutdown } from "../../kernel/Shutdown.ts"
import { CurrentTreeEndListener, TreeFailed, type TreeEndListener } from "../../kernel/shared/treeEnd.ts"
import { duringWait, waitForProcess } from "../../kernel/shared/waitCycles.ts"
import { waitUntil } from "../../kernel/shared/waitUntil.ts"
import { RunningDynamicSupervisor } from "./dynamic/runningDynamicSupervisor.ts"
import type { DynamicSpec } from "./dynamic/dynamicSpec.ts"
import { launchFiberOf } from "./tree/layerLaunch.ts"
import type { SupervisorSpec } from "./static/children.ts"
import { RunningSupervisor } from "./static/runningSupervisor.ts"
import type { SupervisorRun, SupervisorProcessOptions } from "./tree/supervisorProcess.ts"
import type { LayerSource } from "../../kernel/shared/providedTwice.ts"
import { currentKernel } from "../../kernel/shared/currentKernel.ts"
import { environment, parentOf } from "../../kernel/shared/processes.ts"
import type { HandleTarget } from "../../kernel/shared/handleTarget.ts"

/** The Layer of a supervisor. It gives the supervisor's handle and those of its children. @internal */
export const supervisorLayer = (
  source: LayerSource,
  spec: () => SupervisorSpec,
  handle: (target: HandleTarget) => Context.Context<never>
): Layer.Layer<never, unknown> =>
  treeLayer(
    source,
    (options) => new RunningSupervisor(spec(), options),
    ({ exports, process }) => Context.merge(exports, handle(process.target))
  )

/** The Layer of any static supervisor. `services` says what it provides once its children are up. @internal */
export const treeLayer = <P extends RunningSupervisor>(
  source: LayerSource,
  make: (options: Omit<SupervisorProcessOptions, "id">) => P,
  services: (supervisor: P) => Context.Context<never>
): Layer.Layer<never, unknown> =>
  processLayer(
    (adoption, asker, isFresh) =>
      Effect.map(startTree({ id: source.key, make }, { adoption, asker, isFresh }), services),
    source
  )

interface TreeSpec<P> {
  readonly id: string
  readonly make: (options: Omit<SupervisorProcessOptions, "id">) => P
}

/** Where a tree is started: with which adoption, if there is one, for which fiber, and whether in a `Layer.fresh`. */
interface Starter {
  readonly adoption: Adoption | undefined
  readonly asker: Fiber.Fiber<unknown, unknown>
  readonly isFresh: boolean
}

const startTree = <P extends RunningSupervisor>(tree: TreeSpec<P>, starter: Starter) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(spawnSupervisor(tree, starter), (supervisor) => {
      // It runs now, so an interruption of the wait has to end it.
      const booted = Effect.onInterrupt(restore(awaitBoot(supervisor)), () => stop(supervisor))
      return starter.adoption !== undefined
        ? booted
        : Effect.tap(booted, () => Effect.addFinalizer(() => stop(supervisor)))
    })
  )

const stop = ({ process }: SupervisorRun): Effect.Effect<void> =>
  Effect.andThen(shutdown(process.record, { limit: Duration.infinity }), process.endLaunch)

const spawnSupervisor = <P extends RunningSupervisor>({ id, make }: TreeSpec<P>, starter: Starter): Effect.Effect<P> =>
  Effect.withFiber((fiber) => {
    const supervisor = make(processOptions(fiber, id, starter))
    starter.adoption?.adopt(supervisor.record)
    supervisor.run()
    return Effect.succeed(supervisor)
  })

const processOptions = (fiber: Fiber.Fiber<unknown, unknown>, id: string, { asker, adoption, isFresh }: Starter) => {
  const targets = adoption?.targets ?? makeTargets()
  const kernel = adoption?.parent.kernel ?? currentKernel(fiber)
  const current = currentProcessUnsafe(fiber)
  const parent = adoption?.parent ?? parentOf(fiber)
  // Flattened once, because the environment of each child is built on it.
  const context = Context.makeUnsafe<never>(environment(fiber.context).mapUnsafe)
  const onTreeEnd = adoption === undefined ? treeEndListenerOf(fiber, current) : undefined
  const launchFiber = adoption === undefined && onTreeEnd === undefined ? launchFiberOf(asker) : undefined
  return { adoption, target: targetIn(targets, id), targets, kernel, parent, context, onTreeEnd, isFresh, launchFiber }
}

/** A process that starts a tree for itself ends with it. */
const treeEndListenerOf = (
  fiber: Fiber.Fiber<unknown, unknown>,
  owner: ProcessRecord | undefined
): TreeEndListener | undefined => {
  const listener = Context.get(fiber.context, CurrentTreeEndListener)
  if (listener !== undefined || owner === undefined) return listener
  const { context } = fiber
  return (end) => {
    const failure = new TreeFailed(end)
    if (!end.failed) Effect.runForkWith(context)(Effect.logInfo(failure.message))
    else exitSignal(owner, undefined, ExitReason.defect(failure))
  }
}

/** Waits until all children are up. */
const awaitBoot = <P extends RunningSupervisor>(supervisor: P): Effect.Effect<P, unknown> => {
  const { record } = supervisor
  const wait = waitForProcess(
    () => supervisor.booted || record.ended,
    () => record
  )
  const booted = waitUntil<P, unknown>((resume, resumeNow) => {
    if (supervisor.booted) return resumeNow(Exit.succeed(supervisor))
    const observer = { ended: () => resume(Effect.suspend(() => bootFailureOf(supervisor))) }
    record.observe(observer)
    supervisor.onBooted = () => {
      record.unobserve(observer)
      resume(Exit.succeed(supervisor))
    }
    return () => {
      record.unobserve(observer)
      supervisor.onBooted = undefined
    }
  })
  return duringWait(wait, booted)
}

/** The Layer of a dynamic supervisor. It is up at once. @internal */
export const dynamicLayer = (
  spec: DynamicSpec,
  handle: (target: HandleTarget) => Context.Context<never>
): Layer.Layer<never> =>
  processLayer(
    (adoption, asker, isFresh) =>
      Effect.withFiber<Context.Context<never>, never, Scope.Scope>((fiber) => {
        const supervisor = new RunningDynamicSupervisor(
          spec,
          processOptions(fiber, spec.id, { asker, adoption, isFresh })
        )
        const services = handle(supervisor.process.target)
        adoption?.adopt(supervisor.record)
        supervisor.run()
        return adoption !== undefined
          ? Effect.succeed(services)
          : Effect.as(
              Effect.addFinalizer(() => stop(supervisor)),
              services
            )
      }).pipe(Effect.uninterruptible),
    { key: spec.id }
  )

const bootFailureOf = ({ bootFailure, record, spec }: RunningSupervisor): Exit.Exit<never, unknown> => {
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
