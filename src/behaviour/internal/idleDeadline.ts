/** How long a server may go without a message before its `idle` handler runs. */
import * as Timer from "../../kernel/Timer.ts"

/** @internal */
export class IdleDeadline extends Timer.Deadline {
  isDue = false
  private readonly onExpire: () => void
  constructor(onExpire: () => void) {
    super()
    this.onExpire = onExpire
  }
  expire(): void {
    this.isDue = true
    this.onExpire()
  }
}
