/** The kernel that a fiber works in. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { ownKey } from "../../values/copies.ts"
import { printAs } from "../../values/printAs.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import { reportLeftOut } from "./warnings.ts"
import type { Development } from "./development.ts"
import { KernelState } from "./kernelState.ts"
import type { ProcessRecord } from "./processRecord.ts"

const TypeId = "~effect-otp/kernel/Kernel"

export interface Kernel {
  readonly [TypeId]: typeof TypeId
}

export class KernelImpl implements Kernel {
  readonly [TypeId] = TypeId
  readonly state: KernelState<ProcessRecord>
  constructor(telemetry: Telemetry.Table, development: Development | undefined) {
    this.state = new KernelState(telemetry, development)
  }
}

export const Kernel: Context.Reference<Kernel> = Context.Reference<Kernel>(ownKey("effect-otp/kernel/Kernel"), {
  defaultValue: () => new KernelImpl(Context.get(Context.empty(), Telemetry.Telemetry), undefined)
})

/** Logs how many reports were left out in this second, for a program that may end before the second does. */
export const tellLeftOut: Effect.Effect<void> = Effect.withFiber((fiber) =>
  Effect.sync(() => reportLeftOut(currentKernel(fiber).reports, fiber.context))
)

export const currentKernel = (fiber: Fiber.Fiber<unknown, unknown>): KernelState<ProcessRecord> =>
  stateOf(Context.get(fiber.context, Kernel))

export const stateOf = (kernel: Kernel): KernelState<ProcessRecord> => (kernel as KernelImpl).state

printAs(KernelImpl.prototype, () => "Kernel")
