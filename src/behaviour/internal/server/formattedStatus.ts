/** What a server shows of itself. `formatStatus` decides, and may throw or return anything. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { showCauseAs } from "../../../values/causes.ts"
import { synchronous } from "../../../values/guard.ts"
import { attempt } from "../../../values/valueKinds.ts"
import type { MachineStatus, ServerSpec, Shown, Status } from "./serverSpec.ts"
import type { CrashDetails } from "../../../kernel/shared/crashReports.ts"

/**
 * State, message and reason as their user shows them. `status.state` is the whole state, and may be missing. @internal
 */
export const shownBy = (spec: ServerSpec, status: Status): Shown =>
  // This runs a user's function in a step of the kernel, so whatever it throws must be caught.
  attempt(() => askUser(spec, status)) ?? { state: FAILED, message: FAILED, reason: status.reason }

const askUser = ({ formatStatus, lens }: ServerSpec, status: Status): Shown => {
  const { state } = status
  const known = { ...status, state: lens === undefined || state === undefined ? state : lens.get(state) }
  return formatStatus === undefined ? known : picked(synchronous(formatStatus(known)))
}

const FAILED = "formatStatus failed"

const picked = ({ machine, message, reason, state }: Shown): Shown => ({
  message,
  reason,
  state,
  machine: machine === undefined ? undefined : pickedMachine(machine)
})

/** Throws if a user's function has returned something else. */
const pickedMachine = ({ postponed, queue, timers }: MachineStatus): MachineStatus => ({
  queue: [...queue],
  postponed: [...postponed],
  timers: timers.map(({ event, left, name }) => ({ name, left: Duration.fromInputUnsafe(left), event }))
})

/**
 * What a crash report shows. It is made when the report, or an event about this end, is first shown, and not at all if
 * neither is.
 *
 * @internal
 */
export class ShownCrash implements CrashDetails {
  private readonly spec: ServerSpec
  readonly reason: ExitReason.ExitReason
  /** Kept until the report is made. */
  private status: Status | undefined
  private shown: Shown = { state: undefined, message: undefined }
  private isMaking = false

  constructor(spec: ServerSpec, status: Status & { readonly reason: ExitReason.ExitReason }) {
    const { reason } = status
    this.spec = spec
    this.reason = reason
    this.status = status
    if (spec.formatStatus === undefined || reason._tag !== "Crash") return
    // Its `formatStatus` decides what is shown of this cause everywhere. Only that function sees the cause itself.
    showCauseAs(reason.cause, () => (this.isMaking ? reason.cause : this.cause()))
  }

  make(): Shown & { readonly reason: ExitReason.ExitReason } {
    const { status } = this
    if (status !== undefined) {
      this.status = undefined
      this.isMaking = true
      this.shown = shownBy(this.spec, status)
      this.isMaking = false
    }
    return { ...this.shown, reason: this.shown.reason ?? this.reason }
  }

  private cause(): Cause.Cause<unknown> {
    const { reason } = this.make()
    return reason._tag === "Crash" ? reason.cause : Cause.die(ExitReason.format(reason))
  }

  /** The reason outlives the report, because it is shown in other places. State and message are dropped. */
  forget(): void {
    const reason = this.status === undefined ? this.shown.reason : notShown
    this.status = undefined
    this.shown = { state: undefined, message: undefined, reason }
  }
}

/** What is shown of a crash whose details were dropped before anybody asked. */
const notShown = ExitReason.defect("not shown")
