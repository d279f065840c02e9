/** What a handle points to: the run of a server that is up, and what becomes of callers while there is none. */
import { ofThisCopy, thisCopy } from "../../values/copies.ts"
import { read } from "../../values/describe.ts"
import { refuseArgument } from "../../values/wrongArgument.ts"
import { printAs } from "../../values/printAs.ts"
import { showBy } from "../../values/valueKinds.ts"
import * as ExitReason from "../ExitReason.ts"
import { childName } from "./displayName.ts"
import type { ProcessRecord, Wait } from "./processRecord.ts"

export const TypeId = "~effect-otp/kernel/Handle"

/** Is told when a server that was down is up again, or gone. */
export type Waiter = () => void

/** The supervisor's side of a handle. */
export interface RestartSource {
  /** What must happen before the server is started again. */
  readonly restart: Wait | undefined
}

/** The target of a handle. As a wait, it waits for the next run to be up. */
export class HandleTarget implements Wait {
  readonly key: string
  current: ProcessRecord | undefined = undefined
  /** The last run, while none is up. Messages sent meanwhile are dead letters of it. */
  last: ProcessRecord | undefined = undefined
  /** The latest run that was started, until it is up. */
  private next: ProcessRecord | undefined = undefined
  /** Why the server is gone for good. Undefined as long as it may be started again. */
  goneReason: ExitReason.ExitReason | undefined = undefined
  private waiters: Set<Waiter> | undefined = undefined
  /** Its id or key in its supervisor, unless its key ends with it. */
  private readonly child: string | undefined
  /** Where its supervisor says what must happen before its next start. Undefined: nobody starts it again. */
  readonly restartedBy: RestartSource | undefined

  constructor(key: string, restartedBy?: RestartSource, child?: string) {
    this.key = key
    this.restartedBy = restartedBy
    this.child = child
  }

  /** The copy of the library that made it. */
  get copy(): typeof thisCopy {
    return thisCopy
  }

  /** The name of the server for people, whether a run of it is up or not. */
  get displayName(): string {
    return childName(this.key, this.child)
  }

  /** The processes that must act before the server is up. */
  get blockers(): Iterable<ProcessRecord> {
    for (const run of [this.current, this.next, this.last]) if (run?.ended === false) return [run]
    return this.goneReason === undefined ? (this.restartedBy?.restart?.blockers ?? []) : []
  }

  /** A run is being started. */
  markStarting(record: ProcessRecord): void {
    const { development } = record.kernel
    if (development !== undefined) development.runs(this.displayName, [this.current, this.next, this.last])
    this.next = record
  }

  markUp(record: ProcessRecord): void {
    this.current = record
    this.last = this.next = undefined
    this.goneReason = undefined
    this.tell()
  }

  /** That run has ended. Another may follow. */
  markDown(record: ProcessRecord): void {
    if (this.current !== record) return
    this.current = undefined
    this.last = record
    if (this.restartedBy === undefined) this.markGone(ExitReason.normal)
  }

  markGone(reason: ExitReason.ExitReason): void {
    this.last = this.current ?? this.last
    this.current = undefined
    this.goneReason = reason
    this.tell()
  }

  addWaiter(waiter: Waiter): void {
    ;(this.waiters ??= new Set()).add(waiter)
  }

  removeWaiter(waiter: Waiter): void {
    this.waiters?.delete(waiter)
  }

  private tell(): void {
    const waiters = this.waiters
    this.waiters = undefined
    for (const waiter of waiters ?? []) waiter()
  }
}

interface Handled {
  readonly [TypeId]: { readonly key: string }
}

/** Whether a value is a handle, of any copy of the library. */
export const isHandle = (u: unknown): u is Handled => read(u, TypeId) !== undefined

/**
 * The target of a handle. Anything that is not a handle of this copy of the library is refused with a `RangeError`.
 * `to` names the function that was given it.
 */
export const targetOf = (to: string, handle: Handled): HandleTarget => {
  const target = ofThisCopy<HandleTarget>(handle, TypeId)
  if (target !== undefined) return target
  return refuseArgument({ to, what: "a client, as the service of a server is", isForeign: isHandle(handle) }, handle)
}

showBy(TypeId, (target) => `[${(target as HandleTarget).displayName}]`)

printAs(HandleTarget.prototype, ({ key }) => key)
