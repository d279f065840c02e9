/** The phase of an application, and the hooks that run before its tree stops. */
import * as Effect from "effect/Effect"
import { renderCause } from "../../values/render.ts"

/** @internal */
export type StopStep = "stopAccepting" | "drain"

interface Hook {
  readonly step: StopStep
  readonly effect: Effect.Effect<void>
}

/** @internal */
export class ApplicationState {
  phase: "starting" | "ready" | "draining" = "starting"
  private readonly hooks: Array<Hook> = []

  /** Adds a hook. The returned function removes it. */
  add(hook: Hook): () => void {
    this.hooks.push(hook)
    return () => {
      const at = this.hooks.indexOf(hook)
      if (at >= 0) this.hooks.splice(at, 1)
    }
  }

  /** Runs the hooks of a step, the latest first. If one dies, that is logged, and the others run all the same. */
  runAll(step: StopStep): Effect.Effect<void> {
    const due = this.hooks.filter((hook) => hook.step === step).toReversed()
    return Effect.forEach(
      due,
      (hook) =>
        Effect.catchCause(hook.effect, (cause) =>
          Effect.logError(`An effect of Application.beforeStop("${step}") failed`, renderCause(cause))
        ),
      {
        discard: true
      }
    )
  }
}
