/** A key of a registry as the name of a process. It is claimed before the process starts, and looked up at each use. */
import * as Exit from "effect/Exit"
import { brief, isInstance } from "../../values/describe.ts"
import { has } from "../../values/valueKinds.ts"
import { refuseArgument } from "../../values/wrongArgument.ts"
import type * as Kernel from "../../kernel/Kernel.ts"
import type { Pid } from "../../kernel/Pid.ts"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { AlreadyStarted } from "./names.ts"
import type { RegistryState } from "../internal/registryState.ts"
import { stateOf } from "../../kernel/shared/currentKernel.ts"

type KernelState = ProcessRecord["kernel"]

/** Is told that the key has an owner. It must not run a user's code. */
type Waiter = () => void

interface Keyed {
  readonly name: string
  readonly stateIn: (kernel: KernelState) => RegistryState<unknown, unknown>
}

export const ViaTypeId = "~effect-otp/naming/Registry/Via"

export class RegistryVia {
  readonly [ViaTypeId] = "claim"
  readonly registry: Keyed
  readonly key: unknown
  private readonly value: unknown

  constructor(registry: Keyed, key: unknown, value: unknown) {
    this.registry = registry
    this.key = key
    this.value = value
  }

  /** The name for people. */
  get name(): string {
    return `${this.registry.name}(${brief(this.key)})`
  }

  readonly resolve = (kernel: Kernel.Kernel): Pid<unknown> | undefined => this.holder(stateOf(kernel))

  holder(kernel: KernelState): ProcessRecord | undefined {
    return this.registry.stateIn(kernel).table.holder(this.key)?.pid
  }

  /** Takes the key for a process that is about to start, in this step. */
  claim(record: ProcessRecord): Exit.Exit<void, AlreadyStarted> {
    const state = this.registry.stateIn(record.kernel)
    const taken = state.table.holder(this.key)
    if (taken !== undefined) return Exit.fail(new AlreadyStarted({ processName: this.name, pid: taken.pid }))
    state.add(this.key, record, this.value)
    return Exit.void
  }

  /** Calls `waiter` when the key is taken. The returned function calls that off. */
  wait(kernel: KernelState, waiter: Waiter): () => void {
    const state = this.registry.stateIn(kernel)
    state.wait(this.key, waiter)
    return () => state.forget(this.key, waiter)
  }
}

/** Tells whether a value is a key of a registry. */
export const isVia = (u: unknown): u is { readonly [ViaTypeId]: "find" | "claim" } => has(u, ViaTypeId)

/** The key behind what a user gave. */
export const viaOf = (via: unknown): RegistryVia => {
  if (isInstance(via, RegistryVia)) return via
  const what = "a key of a registry, as Registry.via gives it"
  return refuseArgument({ to: "A server behind a key", what, isForeign: isVia(via) }, via)
}
