/** The specification of a child as supervisors read it. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Any, ChildOptions } from "../../ChildSpec.ts"

/** A specification without its types. */
export interface UntypedSpec {
  readonly kind: "child" | "resource"
  readonly layer: Layer.Layer<never, unknown>
  readonly options: ChildOptions<unknown> & {
    readonly watch?: ((service: unknown) => Effect.Effect<unknown, unknown>) | undefined
    readonly rebuild?: "withHolder" | "onWatch" | undefined
  }
  /** The service a resource provides. */
  readonly key: Context.Key<unknown, unknown> | undefined
}

export const untypedSpecs = (specs: ReadonlyArray<Any>): ReadonlyArray<UntypedSpec> =>
  specs as unknown as ReadonlyArray<UntypedSpec>
