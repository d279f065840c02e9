/** The first step of a server: its `init`. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { isInstance } from "../../../values/describe.ts"
import { running } from "../../../kernel/shared/life.ts"
import { become, scopeUnsafe, Self } from "../../../kernel/shared/processRecord.ts"
import { fiberEnded } from "./terminate.ts"
import { idleAsDefined } from "./timeLimits.ts"
import { serve } from "./loop.ts"
import { InitResult } from "./handlerAnswer.ts"
import { initDone, type Server } from "./server.ts"
import { applyOptions } from "./turn.ts"

/** Runs `init` in the caller's step, and then the loop. @internal */
export const runInit = (server: Server, init: Effect.Effect<unknown, unknown>): void => {
  const { record } = server
  if (!record.isOpen) return
  record.context = Context.add(record.context, Self, record)
  const context = Context.add(record.context, Scope.Scope, scopeUnsafe(record))
  // Bound and no closure: it takes less memory, and does not hold the `init` for as long as the server lives.
  Effect.runForkWith(context)(main(server, init)).addObserver(fiberEnded.bind(undefined, server))
}

const main = (server: Server, init: Effect.Effect<unknown, unknown>): Effect.Effect<void, unknown> =>
  Effect.withFiber((fiber) => {
    const { record } = server
    if (!record.ended) record.fiber = fiber
    return Effect.matchCauseEffect(init, {
      onFailure: (cause) => failed(server, cause),
      onSuccess: (state) => initialized(server, fiber, state)
    })
  })

const initialized = (server: Server, fiber: Fiber.Fiber<unknown, unknown>, result: unknown): Effect.Effect<void> => {
  const { init, record } = server
  if (!record.isOpen) return Effect.void
  idleAsDefined(server)
  if (isInstance(result, InitResult)) {
    server.state = result.state
    applyOptions(server, result.options, false)
  } else server.state = result
  server.watch?.began(server.state)
  become(record, running)
  server.init = initDone
  server.target.markUp(record)
  if (init._tag === "running") init.told?.()
  // Only `init` and `terminate` run in the scope of the server.
  fiber.setContext(record.context)
  // The starter goes on before a `continue` of `init` runs.
  return server.continuation === undefined ? serve : Effect.andThen(Effect.yieldNow, serve)
}

const failed = (server: Server, cause: Cause.Cause<unknown>): Effect.Effect<never, unknown> => {
  server.init = { _tag: "failed", cause }
  return Effect.failCause(cause)
}
