/** Something of which each kernel has its own. It is made on first use, and goes with the kernel. */
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"

type KernelState = ProcessRecord["kernel"]

/** @internal */
export class PerKernel<S> {
  private readonly states = new WeakMap<KernelState, S>()
  private readonly make: () => S

  constructor(make: () => S) {
    this.make = make
  }

  readonly in = (kernel: KernelState): S => {
    let state = this.states.get(kernel)
    if (state === undefined) this.states.set(kernel, (state = this.make()))
    return state
  }
}
