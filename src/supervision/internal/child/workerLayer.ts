/** The Layer of an effect that runs as a process. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { processLayer } from "../../../kernel/shared/adoption.ts"
import { type Self } from "../../../kernel/Process.ts"
import { shutdown } from "../../../kernel/Shutdown.ts"
import { spawnIn } from "../../../kernel/shared/processes.ts"

/** @internal */
export const workerLayer = <A, E, R>(
  label: string,
  run: Effect.Effect<A, E, R>
): Layer.Layer<never, never, Exclude<R, Scope.Scope | Self>> =>
  processLayer((adoption) =>
    Effect.withFiber<Context.Context<never>, never, Exclude<R, Self>>((fiber) => {
      const record = spawnIn(fiber, run as Effect.Effect<A, E>, {
        label,
        kind: "Worker",
        parent: adoption?.parent,
        adopt: (record) => adoption?.adopt(record)
      })
      if (adoption !== undefined) return Effect.succeed(Context.empty())
      return Effect.as(
        Effect.addFinalizer(() => shutdown(record)),
        Context.empty()
      ) as Effect.Effect<Context.Context<never>, never, never>
    })
  ) as Layer.Layer<never, never, Exclude<R, Scope.Scope | Self>>
