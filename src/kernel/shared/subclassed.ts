/** The records of supervisors, until they are a kind as all others are. */
import type * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { Fate } from "../Accounting.ts"
import type { ExitReason } from "../ExitReason.ts"
import { close, finish } from "./death.ts"
import { isOpen } from "./life.ts"
import { post, settle } from "./delivery.ts"
import { ProcessRecord, type Envelope, type Kind, type RecordOptions, type Status } from "./processRecord.ts"

const byMethods: Kind = {
  onExit: (record, from, reason) => asSubclass(record).receiveExit(from, reason),
  onSignal: (record, reason) => asSubclass(record).onShutdown(reason),
  onShutdown: (record, reason) => asSubclass(record).onShutdown(reason),
  onClose: (record, reason) => asSubclass(record).onClose(reason),
  onEnd: (record) => asSubclass(record).release(),
  blockers: (record) => asSubclass(record).blockers(),
  below: (record) => asSubclass(record).below(),
  limitsItself: true
}

const asSubclass = (record: ProcessRecord): SubclassedRecord => record as unknown as SubclassedRecord

/** @internal */
export abstract class SubclassedRecord extends ProcessRecord {
  constructor({ context, kernel, parent }: Omit<RecordOptions<unknown>, "kind">) {
    super({ kind: byMethods, kernel, parent, context })
  }

  override get status(): Status {
    return super.status
  }
  override set status(status: "running") {
    if (isOpen(this.life)) this.life._tag = status
  }

  override get context(): Context.Context<never> {
    return super.context
  }
  override set context(context: Context.Context<never>) {
    if (this.life._tag !== "ended") this.life.context = context
  }

  override get fiber(): Fiber.Fiber<unknown, unknown> | undefined {
    return super.fiber
  }
  override set fiber(fiber: Fiber.Fiber<unknown, unknown> | undefined) {
    if (this.life._tag !== "ended") this.life.fiber = fiber
  }

  /** True: nothing else is done about it. @internal */
  abstract receiveExit(from: ProcessRecord | undefined, reason: ExitReason): boolean
  /** @internal */
  abstract onShutdown(reason: ExitReason): void
  /** @internal */
  abstract blockers(): ReadonlyArray<ProcessRecord>
  /** @internal */
  abstract below(): ReadonlyArray<ProcessRecord>
  /** Its mailbox is closed. @internal */
  onClose(_reason: ExitReason): void {}
  /** It has ended. @internal */
  release(): void {}

  protected close(reason: ExitReason): boolean {
    return close(this, reason)
  }

  protected post(envelope: Envelope): void {
    post(this, envelope)
  }

  protected settle(fate: Fate): void {
    settle(this, fate)
  }

  protected finish(reason: ExitReason): void {
    finish(this, reason)
  }
}
