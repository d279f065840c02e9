/** One child of a dynamic supervisor: its key, its arguments, and the run it is in. */
import type * as Fiber from "effect/Fiber"
import type { CrashReport } from "../../kernel/CrashReport.ts"
import type { ExitReason } from "../../kernel/ExitReason.ts"
import { HandleTarget } from "../../kernel/Handle.ts"
import type { Observer, ProcessRecord } from "../../kernel/ProcessRecord.ts"
import type { RestartSteps } from "./restartSchedule.ts"

/** Hears of a child from its process. @internal */
export interface ChildListener {
  readonly childExiting: (child: DynamicChild) => void
  readonly childDead: (child: DynamicChild, reason: ExitReason) => void
}

/** Where a child stands. @internal */
export type ChildState = "starting" | "running" | "restarting" | "stopping"

/** @internal */
export class DynamicChild implements Observer {
  readonly key: string
  readonly target: HandleTarget
  private readonly listener: ChildListener
  /** Let go of once no other start can follow. */
  args: ReadonlyArray<unknown> | undefined
  state: ChildState = "starting"
  record: ProcessRecord | undefined = undefined
  incarnation = 1
  startedAt = 0
  steps: RestartSteps | undefined = undefined
  report: CrashReport | undefined = undefined
  /** The start or restart that is under way. */
  work: Fiber.Fiber<unknown, unknown> | undefined = undefined

  constructor(id: string, key: string, args: ReadonlyArray<unknown>, listener: ChildListener) {
    this.key = key
    this.target = new HandleTarget(id)
    this.args = args
    this.listener = listener
  }

  exiting(): void {
    this.listener.childExiting(this)
  }

  dead(reason: ExitReason): void {
    this.listener.childDead(this, reason)
  }
}
