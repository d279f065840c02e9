/** Starts servers: claims the name, runs `init`, and answers when it is through. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { HandleTarget } from "../../../kernel/Handle.ts"
import * as Kernel from "../../../kernel/Kernel.ts"
import { environment, parentOf } from "../../../kernel/Process.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { killAndAwait } from "../../../kernel/Shutdown.ts"
import { ownerUnsafe, until } from "../../../kernel/shared/waiting.ts"
import { ServerProcess } from "./serverLoop.ts"
import type { ServerSpec } from "./serverSpec.ts"

/** @internal */
export interface StartOptions {
  readonly spec: ServerSpec
  readonly init: Effect.Effect<unknown, unknown>
  readonly target: HandleTarget
  /** Undefined: the process of the starting fiber, if there is one. */
  readonly parent: ProcessRecord | undefined
  /** Puts the process where it belongs before its `init` runs; an effect if it cannot. */
  readonly place: (record: ServerProcess) => Exit.Exit<void, unknown>
  /** Whether a supervisor has it from its first step on, and sees to its end. */
  readonly isAdopted: boolean
}

/** Lets a part of an uninterruptible effect be interrupted. @internal */
export type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * Starts a server and waits for its `init`. To be run in an uninterruptible region: only the wait can be interrupted, so
 * that whoever gets the server can make sure, in the same region, that it ends.
 *
 * If `init` fails, dies or is interrupted, the process is dead, its scope closed and its name free before this returns.
 *
 * @internal
 */
export const startServer = (options: StartOptions, restore: Restore): Effect.Effect<ServerProcess, unknown> =>
  Effect.withFiber((fiber) => {
    const parent = options.parent ?? parentOf(fiber)
    const kernel = parent?.kernel ?? Kernel.currentUnsafe(fiber)
    const context = environment(fiber.context)
    const record = new ServerProcess({ spec: options.spec, target: options.target, kernel, parent, context })
    const placed = options.place(record)
    if (placed._tag === "Failure") {
      record.discard()
      return Effect.failCause(placed.cause)
    }
    options.target.starting(record)
    // Before it runs: its first step is in this one. It waits for nobody yet.
    const starter = ownerUnsafe(fiber)
    if (starter !== undefined) starter.waitingFor = untilStarted(record)
    record.run(options.init)
    if (record.started) return Exit.succeed(record)
    // Interrupted: nobody will know of this server, so it must not be there. One that is up ends in good order if there is
    // a supervisor to see to it.
    const abandon = Effect.suspend(() => (options.isAdopted && record.started ? Effect.void : killAndAwait(record)))
    return Effect.onInterrupt(restore(initResult(record, fiber)), () => abandon)
  })

const untilStarted = (record: ServerProcess) =>
  until(
    () => record.started || record.ended,
    () => record
  )

const initResult = (
  record: ServerProcess,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<ServerProcess, unknown> =>
  Effect.callback((resume) => {
    // This fiber may have lost its turn since: nobody tells it any more.
    if (record.started) return resume(Exit.succeed(record))
    const answer = (result: () => Effect.Effect<ServerProcess, unknown>) =>
      fiber.currentDispatcher.scheduleTask(() => resume(Effect.suspend(result)), 0)
    const observer = { ended: () => answer(() => failure(record)) }
    record.observe(observer)
    record.onStarted = () => {
      record.unobserve(observer)
      answer(() => Exit.succeed(record))
    }
    return Effect.sync(() => {
      record.unobserve(observer)
      record.onStarted = undefined
    })
  })

const failure = (record: ServerProcess): Effect.Effect<never, unknown> => {
  // An interruption inside `init` must not look like one of who starts it.
  const { initFailure } = record
  if (initFailure !== undefined && !Cause.hasInterruptsOnly(initFailure)) return Effect.failCause(initFailure)
  const why = ExitReason.format(record.reason ?? ExitReason.killed)
  return Effect.failCause(Cause.die(new Error(`${record.spec.id} ended before its init was through: ${why}`)))
}
