/** Starts servers: claims the name, runs `init`, and returns when it has succeeded. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { discard } from "../../../kernel/shared/death.ts"
import { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { killAndAwait } from "../../../kernel/Shutdown.ts"
import { ownProcessUnsafe, waitForProcess } from "../../../kernel/shared/waitCycles.ts"
import { waitUntil } from "../../../kernel/shared/waitUntil.ts"
import type { Restore } from "../../shared/definition.ts"
import { serverKind } from "./serverKind.ts"
import { runInit } from "./init.ts"
import { initRunning, Server } from "./server.ts"
import type { ServerSpec } from "./serverSpec.ts"
import { currentKernel } from "../../../kernel/shared/currentKernel.ts"
import { environment, parentOf } from "../../../kernel/shared/processes.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** @internal */
export interface ServerStart {
  readonly spec: ServerSpec
  readonly init: Effect.Effect<unknown, unknown>
  readonly target: HandleTarget
  /** Undefined means the process of the starting fiber, if there is one. */
  readonly parent: ProcessRecord | undefined
  /** Claims the name and the adoption before `init` runs. Fails if it cannot. */
  readonly beforeInit: (record: ProcessRecord) => Exit.Exit<void, unknown>
  /** Whether a supervisor has it from its first step on, and will end it. */
  readonly isAdopted: boolean
}

/**
 * Starts a server and waits for its `init`. Run this in an uninterruptible region. Only the wait can be interrupted, so
 * the caller can make sure, in the same region, that the server will end.
 *
 * If `init` fails, dies or is interrupted, the process is dead, its scope closed and its name free before this returns.
 *
 * @internal
 */
export const startServer = (options: ServerStart, restore: Restore): Effect.Effect<ProcessRecord, unknown> =>
  Effect.withFiber((fiber) => {
    const parent = options.parent ?? parentOf(fiber)
    const kernel = parent?.kernel ?? currentKernel(fiber)
    const context = environment(fiber.context)
    const record = new ProcessRecord<Server>({ kind: serverKind, kernel, parent, context })
    const server = (record.data = new Server(record, options.spec, options.target))
    record.label = options.spec.id
    record.bound = options.spec.mailbox
    const prepared = options.beforeInit(record)
    if (prepared._tag === "Failure") {
      discard(record)
      return Effect.failCause(prepared.cause)
    }
    options.target.markStarting(record)
    // This comes before `run`, because the first step of the server is a part of this step. At this moment the server
    // waits for nobody.
    const starter = ownProcessUnsafe(fiber)
    if (starter !== undefined) starter.waitingFor = untilStarted(server)
    runInit(server, options.init)
    if (isUp(server)) return Exit.succeed(record)
    // The starter was interrupted. It will never know of this server, so the server must not exist. If it is up and has
    // a supervisor, the supervisor ends it in good order.
    const abandon = Effect.suspend(() => (options.isAdopted && isUp(server) ? Effect.void : killAndAwait(record)))
    return Effect.onInterrupt(restore(initResult(server)), () => abandon)
  })

/** Whether its `init` has succeeded, whatever happened since. */
const isUp = ({ init }: Server): boolean => init._tag === "done"

const untilStarted = (server: Server) =>
  waitForProcess(
    () => isUp(server) || server.record.ended,
    () => server.record
  )

const initResult = (server: Server): Effect.Effect<ProcessRecord, unknown> =>
  waitUntil<ProcessRecord, unknown>((resume, resumeNow) => {
    // The server may have come up since the last look. Then nobody will tell this fiber.
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
  // An interruption inside `init` must not look like an interruption of the starter.
  if (init._tag === "failed" && !Cause.hasInterruptsOnly(init.cause)) return Effect.failCause(init.cause)
  const why = ExitReason.format(record.reason ?? ExitReason.killed)
  return Effect.failCause(Cause.die(new Error(`${spec.id} ended before its init had succeeded: ${why}`)))
}
