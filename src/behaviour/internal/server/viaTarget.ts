/** The server behind a key of a registry. It is looked up at each use. */
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import { thisCopy } from "../../../values/copies.ts"
import { describe } from "../../../values/describe.ts"
import * as Kernel from "../../../kernel/Kernel.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { Via } from "../../../naming/Registry.ts"
import { viaOf } from "../../../naming/shared/registryVia.ts"
import type { ServiceParts } from "./define.ts"
import { isServer } from "./serverKind.ts"
import { stateOf } from "../../../kernel/shared/currentKernel.ts"
import type { HandleTarget, Waiter } from "../../../kernel/shared/handleTarget.ts"

type Key = ReturnType<typeof viaOf>

/**
 * The target of a handle by key. It is resolved at each use, in the kernel of the caller. It is never gone for good,
 * because another process may take the key.
 */
class ViaTarget implements Pick<HandleTarget, keyof HandleTarget> {
  readonly key: string
  private readonly via: Key
  private readonly parts: ServiceParts
  private waits: Map<Waiter, () => void> | undefined = undefined

  constructor(via: Key, parts: ServiceParts) {
    this.key = via.name
    this.via = via
    this.parts = parts
  }

  get copy(): typeof thisCopy {
    return thisCopy
  }

  get displayName(): string {
    return this.key
  }

  get current(): ProcessRecord | undefined {
    const found = this.found()
    return found?.isOpen === true ? found : undefined
  }

  /** A server keeps its key until it is dead. */
  get last(): ProcessRecord | undefined {
    const found = this.found()
    return found?.isOpen === false ? found : undefined
  }

  get restartedBy(): undefined {
    return undefined
  }

  /** A process has the key before it is up, and until it has died. */
  get blockers(): ReadonlyArray<ProcessRecord> {
    const holder = this.via.holder(kernelInUse())
    return holder === undefined ? [] : [holder]
  }

  private found(): ProcessRecord | undefined {
    const found = this.via.holder(kernelInUse())
    if (found === undefined) return undefined
    // Only a server of this service understands its messages.
    const { id, makeClient } = this.parts
    const spec = isServer(found) ? found.data.spec : undefined
    if (spec?.id === id && spec.makeClient === makeClient) return found
    throw new RangeError(`${this.key} belongs to ${describe(found)}, which is not a server of ${id}`)
  }

  get goneReason(): undefined {
    return undefined
  }

  addWaiter(waiter: Waiter): void {
    this.waits ??= new Map()
    this.waits.set(waiter, this.via.wait(kernelInUse(), waiter))
  }

  removeWaiter(waiter: Waiter): void {
    this.waits?.get(waiter)?.()
    this.waits?.delete(waiter)
  }

  /** The registry knows the process, so these do nothing. */
  markStarting(): void {}
  markUp(): void {}
  markDown(): void {}
  markGone(): void {}
}

/** @internal */
export const viaTarget = (via: Via, parts: ServiceParts): HandleTarget =>
  new ViaTarget(viaOf(via), parts) as Pick<HandleTarget, keyof HandleTarget> as HandleTarget

const kernelInUse = (): ProcessRecord["kernel"] =>
  stateOf(Context.get(Fiber.getCurrent()?.context ?? Context.empty(), Kernel.Kernel))
