/** What dynamic and task supervisors are asked about their children. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { HandleTarget } from "../../../kernel/Handle.ts"
import { during, until } from "../../../kernel/shared/waiting.ts"
import { SupervisorDown } from "../core/errors.ts"
import type { DynamicChild, FirstStart } from "./dynamicChild.ts"
import type { RunningDynamic } from "./runningDynamic.ts"

export const currentOf = (target: HandleTarget): RunningDynamic | undefined =>
  target.current?.data as RunningDynamic | undefined

/** Its children in the order of their first start, without those that are dead for good. */
export function* listed(target: HandleTarget): IterableIterator<DynamicChild> {
  for (const child of currentOf(target)?.children.values() ?? []) if (!child.isGone) yield child
}

export const withSupervisor = <A, E>(
  target: HandleTarget,
  f: (supervisor: RunningDynamic) => Effect.Effect<A, E>
): Effect.Effect<A, E | SupervisorDown> =>
  Effect.suspend((): Effect.Effect<A, E | SupervisorDown> => {
    const supervisor = currentOf(target)
    return supervisor === undefined ? Effect.fail(new SupervisorDown({ supervisor: target.key })) : f(supervisor)
  })

/** Stops a child. If the supervisor is killed meanwhile, that is the answer. */
export const terminate = (supervisor: RunningDynamic, child: DynamicChild): Effect.Effect<void, SupervisorDown> =>
  Effect.flatMap(supervisor.stop(child), () =>
    supervisor.hasAbandoned ? Effect.fail(new SupervisorDown({ supervisor: supervisor.spec.id })) : Effect.void
  )

/** Waits until it is known how the first start of a child has ended. */
export const firstStart = (child: DynamicChild): Effect.Effect<FirstStart> =>
  Effect.withFiber((fiber) => {
    if (child.first !== undefined) return Effect.succeed(child.first)
    const wait = until(
      () => child.first !== undefined,
      () => child.record
    )
    const started = Effect.callback<FirstStart>((resume) => {
      // This fiber may have lost its turn between the look and here.
      if (child.first !== undefined) return resume(Exit.succeed(child.first))
      child.onFirst = () => fiber.currentDispatcher.scheduleTask(() => resume(Exit.succeed(child.first!)), 0)
      return Effect.sync(() => {
        child.onFirst = undefined
      })
    })
    return during(wait, started)
  })
