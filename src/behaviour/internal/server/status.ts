/** What a server shows of itself: what its user wants to be shown, whatever that function does. */
import * as Cause from "effect/Cause"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { tellAs } from "../../../values/causes.ts"
import { synchronous } from "../../../values/guard.ts"
import { attempt } from "../../../values/kinds.ts"
import type { ServerSpec, Shown, Status } from "./serverSpec.ts"
import type { CrashDetails } from "../../../kernel/shared/reports.ts"

/** State, message and reason as their user shows them. The state is the whole one, and may be missing. @internal */
export const shownBy = (spec: ServerSpec, status: Status): Shown =>
  // A user's functions, in a step of the kernel: whatever they throw must not get out.
  attempt(() => askUser(spec, status)) ?? { state: FAILED, message: FAILED, reason: status.reason }

const askUser = ({ formatStatus, lens }: ServerSpec, status: Status): Shown => {
  const { state } = status
  const known = { ...status, state: lens === undefined || state === undefined ? state : lens.get(state) }
  return formatStatus === undefined ? known : picked(synchronous(formatStatus(known)))
}

const FAILED = "formatStatus failed"

const picked = ({ message, reason, state }: Shown): Shown => ({ message, reason, state })

/**
 * What a crash report shows. It is made when somebody first sees the report, or an event that tells of this end, and not at
 * all if nobody does.
 *
 * @internal
 */
export class ShownCrash implements CrashDetails {
  private readonly spec: ServerSpec
  readonly reason: ExitReason.ExitReason
  /** Until it is made. */
  private status: Status | undefined
  private shown: Shown = { state: undefined, message: undefined }
  private isMaking = false

  constructor(spec: ServerSpec, status: Status & { readonly reason: ExitReason.ExitReason }) {
    const { reason } = status
    this.spec = spec
    this.reason = reason
    this.status = status
    if (spec.formatStatus === undefined || reason._tag !== "Crash") return
    // Its user decides what is told of it, wherever that is. Only the user's function sees the cause itself.
    tellAs(reason.cause, () => (this.isMaking ? reason.cause : this.cause()))
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

  /** What outlives the report is told of in other places: state and message are let go of. */
  forget(): void {
    const reason = this.status === undefined ? this.shown.reason : notShown
    this.status = undefined
    this.shown = { state: undefined, message: undefined, reason }
  }
}

/** What is told of a crash that was let go of before anybody asked. */
const notShown = ExitReason.defect("not shown")
