/** Starts servers: claims the name, runs `init`, and answers when it is through. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { HandleTarget } from "../../../kernel/Handle.ts"
import * as Kernel from "../../../kernel/Kernel.ts"
import { environment, parentOf } from "../../../kernel/Process.ts"
import { discard } from "../../../kernel/shared/death.ts"
import { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { killAndAwait } from "../../../kernel/Shutdown.ts"
import { ownerUnsafe, until } from "../../../kernel/shared/waiting.ts"
import { waitUntil } from "../../../kernel/shared/waitUntil.ts"
import { serverKind } from "./kind.ts"
import { run } from "./run.ts"
import { initRunning, Server } from "./server.ts"
import type { ServerSpec } from "./serverSpec.ts"

/** @internal */
export interface StartOptions {
  readonly spec: ServerSpec
  readonly init: Effect.Effect<unknown, unknown>
  readonly target: HandleTarget
  /** Undefined: the process of the starting fiber, if there is one. */
  readonly parent: ProcessRecord | undefined
  /** Puts the process where it belongs before its `init` runs; an effect if it cannot. */
  readonly place: (record: ProcessRecord) => Exit.Exit<void, unknown>
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
export const startServer = (options: StartOptions, restore: Restore): Effect.Effect<ProcessRecord, unknown> =>
  Effect.withFiber((fiber) => {
    const parent = options.parent ?? parentOf(fiber)
    const kernel = parent?.kernel ?? Kernel.currentUnsafe(fiber)
    const context = environment(fiber.context)
    const record = new ProcessRecord<Server>({ kind: serverKind, kernel, parent, context })
    const server = (record.data = new Server(record, options.spec, options.target))
    record.label = options.spec.id
    record.bound = options.spec.mailbox
    const placed = options.place(record)
    if (placed._tag === "Failure") {
      discard(record)
      return Effect.failCause(placed.cause)
    }
    options.target.starting(record)
    // Before it runs: its first step is in this one. It waits for nobody yet.
    const starter = ownerUnsafe(fiber)
    if (starter !== undefined) starter.waitingFor = untilStarted(server)
    run(server, options.init)
    if (isUp(server)) return Exit.succeed(record)
    // Interrupted: nobody will know of this server, so it must not be there. One that is up ends in good order if there is
    // a supervisor to see to it.
    const abandon = Effect.suspend(() => (options.isAdopted && isUp(server) ? Effect.void : killAndAwait(record)))
    return Effect.onInterrupt(restore(initResult(server)), () => abandon)
  })

/** Whether its `init` was through, whatever has become of it since. */
const isUp = ({ init }: Server): boolean => init._tag === "done"

const untilStarted = (server: Server) =>
  until(
    () => isUp(server) || server.record.ended,
    () => server.record
  )

const initResult = (server: Server): Effect.Effect<ProcessRecord, unknown> =>
  waitUntil<ProcessRecord, unknown>((resume, resumeNow) => {
    // This fiber may have lost its turn since: nobody tells it any more.
    const { record } = server
    if (isUp(server)) return resumeNow(Exit.succeed(record))
    const observer = { ended: () => resume(Effect.suspend(() => failure(server))) }
    record.observe(observer)
    const told = () => {
      record.unobserve(observer)
      resume(Exit.succeed(record))
    }
    if (server.init._tag === "running") server.init = { _tag: "running", told }
    return () => {
      record.unobserve(observer)
      if (server.init._tag === "running") server.init = initRunning
    }
  })

const failure = ({ init, record, spec }: Server): Effect.Effect<never, unknown> => {
  // An interruption inside `init` must not look like one of who starts it.
  if (init._tag === "failed" && !Cause.hasInterruptsOnly(init.cause)) return Effect.failCause(init.cause)
  const why = ExitReason.format(record.reason ?? ExitReason.killed)
  return Effect.failCause(Cause.die(new Error(`${spec.id} ended before its init had succeeded: ${why}`)))
}
