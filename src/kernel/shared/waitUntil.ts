/**
 * How an effect waits for something that happens in a step of the kernel, and how such a step resumes or interrupts a
 * fiber. Each does so in a task of its own, so that no code of a user runs in the step.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

type Resume<A, E> = (effect: Effect.Effect<A, E>) => void

/**
 * Waits until `resume` is called. The waiting fiber goes on in a task of its own, so none of its code runs in the step
 * of the caller. `begin` runs in the step in which the wait begins. It may return a function that calls the wait off.
 * If the result is known in that same step, use `resumeNow`: it costs no task.
 *
 * @internal
 */
export const waitUntil = <A, E = never>(
  begin: (resume: Resume<A, E>, resumeNow: Resume<A, E>) => (() => void) | void
): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) =>
    Effect.callback<A, E>((resume) => {
      const callOff = begin((effect) => resumeLater(fiber, resume, effect), resume)
      return callOff === undefined ? undefined : Effect.sync(callOff)
    })
  )

/** Resumes an effect of a fiber in a task of its own. @internal */
export const resumeLater = <A, E>(
  fiber: Fiber.Fiber<unknown, unknown>,
  resume: Resume<A, E>,
  effect: Effect.Effect<A, E>
): void => fiber.currentDispatcher.scheduleTask(() => resume(effect), 0)

/** Interrupts a fiber in a task of its own. @internal */
export const interruptLater = (fiber: Fiber.Fiber<unknown, unknown>): void =>
  fiber.currentDispatcher.scheduleTask(() => fiber.interruptUnsafe(), 0)
