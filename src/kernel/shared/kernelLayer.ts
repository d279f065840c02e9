/** Makes the layers of kernels. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { awaitEnd } from "../Shutdown.ts"
import { Kernel, KernelImpl, stateOf, tellLeftOut } from "./currentKernel.ts"
import { kill } from "./death.ts"
import type { Development } from "./development.ts"
import type { KernelState } from "./kernelState.ts"
import type { ProcessRecord } from "./processRecord.ts"

/**
 * The layer of a kernel of its own. When it closes, it kills what still lives in the kernel, and dies if an invariant is
 * broken.
 */
export const kernelLayer = (development: Development | undefined): Layer.Layer<never> =>
  Layer.effect(
    Kernel,
    Effect.acquireRelease(
      Effect.map(Telemetry.Telemetry, (table): Kernel => new KernelImpl(table, development)),
      (kernel) =>
        killAll(stateOf(kernel)).pipe(
          Effect.andThen(Effect.provideService(tellLeftOut, Kernel, kernel)),
          Effect.andThen(development?.check ?? Effect.void)
        )
    )
  )

const killAll = (kernel: KernelState<ProcessRecord>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = [...kernel.table.values(), ...kernel.zombies]
    kernel.deadlines.close()
    if (left.length === 0) return Effect.void
    for (const record of left) kill(record)
    // Finalizers may have started other processes meanwhile.
    return Effect.andThen(Effect.forEach(left, awaitEnd, { discard: true }), killAll(kernel))
  })
