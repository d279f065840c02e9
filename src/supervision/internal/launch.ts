/** Starts a supervisor and waits until its children are up. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { makeTargets, processLayer, targetIn, type Place } from "../../kernel/Adoption.ts"
import * as ExitReason from "../../kernel/ExitReason.ts"
import type { HandleTarget } from "../../kernel/Handle.ts"
import * as Kernel from "../../kernel/Kernel.ts"
import { environment } from "../../kernel/Process.ts"
import { currentUnsafe } from "../../kernel/ProcessRecord.ts"
import { shutdown } from "../../kernel/Shutdown.ts"
import { DynamicProcess, type DynamicSpec } from "./dynamicProcess.ts"
import { SupervisorProcess, type SupervisorSpec } from "./supervisorProcess.ts"

/** The Layer of a supervisor: gives its own handle and those of its children. @internal */
export const supervisorLayer = (
  spec: () => SupervisorSpec,
  handle: (target: HandleTarget) => Context.Context<never>
): Layer.Layer<never, unknown> =>
  processLayer((place) =>
    Effect.map(started(spec(), place), (record) => Context.merge(record.exports, handle(record.target)))
  )

const started = (spec: SupervisorSpec, place: Place | undefined) =>
  place !== undefined
    ? launch(spec, place)
    : Effect.uninterruptibleMask((restore) =>
        Effect.tap(restore(launch(spec, undefined)), (record) =>
          Effect.addFinalizer(() => shutdown(record, { limit: "infinity" }))
        )
      )

const launch = (spec: SupervisorSpec, place: Place | undefined): Effect.Effect<SupervisorProcess, unknown> =>
  Effect.withFiber((fiber) => {
    const parent = place?.parent ?? currentUnsafe(fiber)
    const kernel = parent?.kernel ?? Kernel.currentUnsafe(fiber)
    const targets = place?.targets ?? makeTargets()
    // Flattened once: each child's environment is built on it.
    const context = Context.makeUnsafe<never>(environment(fiber.context).mapUnsafe)
    const target = targetIn(targets, spec.id)
    const record = new SupervisorProcess(spec, { place, target, targets, kernel, parent, context })
    place?.adopt(record)
    record.run()
    return Effect.callback<SupervisorProcess, unknown>((resume) => {
      const answer = (exit: () => Exit.Exit<SupervisorProcess, unknown>) =>
        fiber.currentDispatcher.scheduleTask(() => resume(exit()), 0)
      const observer = { ended: () => answer(() => failure(record)) }
      record.observe(observer)
      record.onBooted = () => {
        record.unobserve(observer)
        answer(() => Exit.succeed(record))
      }
      return Effect.suspend(() => {
        record.unobserve(observer)
        return shutdown(record, { limit: "infinity" })
      })
    })
  })

/** The Layer of a dynamic supervisor, which is up at once. @internal */
export const dynamicLayer = (
  spec: DynamicSpec,
  handle: (target: HandleTarget) => Context.Context<never>
): Layer.Layer<never> =>
  processLayer((place) =>
    Effect.withFiber<Context.Context<never>, never, Scope.Scope>((fiber) => {
      const parent = place?.parent ?? currentUnsafe(fiber)
      const kernel = parent?.kernel ?? Kernel.currentUnsafe(fiber)
      const targets = place?.targets ?? makeTargets()
      const context = Context.makeUnsafe<never>(environment(fiber.context).mapUnsafe)
      const target = targetIn(targets, spec.id)
      const record = new DynamicProcess(spec, { place, target, targets, kernel, parent, context })
      place?.adopt(record)
      record.run()
      if (place !== undefined) return Effect.succeed(handle(target))
      return Effect.as(Effect.addFinalizer(() => shutdown(record, { limit: "infinity" })), handle(target))
    })
  )

const failure = (record: SupervisorProcess): Exit.Exit<never, unknown> => {
  if (record.bootFailure !== undefined) return Exit.failCause(record.bootFailure)
  const why = ExitReason.format(record.reason ?? ExitReason.killed)
  return Exit.failCause(Cause.die(new Error(`${record.spec.id} ended before all its children were up: ${why}`)))
}
