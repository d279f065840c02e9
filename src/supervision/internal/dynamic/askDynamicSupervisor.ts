/** The requests of dynamic and task supervisors about their children. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { duringWait, waitForProcess } from "../../../kernel/shared/waitCycles.ts"
import { waitUntil } from "../../../kernel/shared/waitUntil.ts"
import { SupervisorDown } from "../core/errors.ts"
import type { DynamicChild, FirstStart } from "./dynamicChild.ts"
import type { RunningDynamicSupervisor } from "./runningDynamicSupervisor.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

export const currentOf = (target: HandleTarget): RunningDynamicSupervisor | undefined =>
  target.current?.data as RunningDynamicSupervisor | undefined

/** The children in the order of their first start, without those that are dead for good. */
export function* listed(target: HandleTarget): IterableIterator<DynamicChild> {
  yield* currentOf(target)?.view ?? []
}

export const withSupervisor = <A, E>(
  target: HandleTarget,
  f: (supervisor: RunningDynamicSupervisor) => Effect.Effect<A, E>
): Effect.Effect<A, E | SupervisorDown> =>
  Effect.suspend((): Effect.Effect<A, E | SupervisorDown> => {
    const supervisor = currentOf(target)
    return supervisor === undefined ? Effect.fail(new SupervisorDown({ supervisor: target.key })) : f(supervisor)
  })

/** Stops a child. Fails with `SupervisorDown` if the supervisor is killed meanwhile. */
export const terminate = (
  supervisor: RunningDynamicSupervisor,
  child: DynamicChild
): Effect.Effect<void, SupervisorDown> =>
  Effect.flatMap(supervisor.stop(child), () =>
    supervisor.hasAbandoned ? Effect.fail(new SupervisorDown({ supervisor: supervisor.spec.id })) : Effect.void
  )

/** Waits until the result of a child's first start is known. */
export const awaitFirstStart = (child: DynamicChild): Effect.Effect<FirstStart> =>
  Effect.suspend(() => {
    if (child.firstStart !== undefined) return Effect.succeed(child.firstStart)
    const wait = waitForProcess(
      () => child.firstStart !== undefined,
      () => child.record
    )
    const started = waitUntil<FirstStart>((resume, resumeNow) => {
      // The result may have come after the look and before this step.
      if (child.firstStart !== undefined) return resumeNow(Exit.succeed(child.firstStart))
      const tell = () => resume(Exit.succeed(child.firstStart!))
      const waiting = (child.onFirstStart ??= new Set())
      waiting.add(tell)
      return () => {
        waiting.delete(tell)
      }
    })
    return duringWait(wait, started)
  })
