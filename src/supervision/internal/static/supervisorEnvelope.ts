/** The messages in the mailbox of a supervisor. */
import type { Fate } from "../../../kernel/Accounting.ts"
import type { Envelope } from "../../../kernel/shared/processRecord.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import type { Event } from "../group/group.ts"

/** An event for the core, or a request of a user. @internal */
export class SupervisorEnvelope implements Envelope {
  readonly from = undefined
  readonly content: unknown
  readonly event: Event<ChildEnd>
  private readonly onRefuse: (() => void) | undefined
  constructor(event: Event<ChildEnd>, onRefuse?: () => void) {
    this.event = event
    this.content = event
    this.onRefuse = onRefuse
  }
  refuse(): Fate {
    this.onRefuse?.()
    return "returned"
  }
}
