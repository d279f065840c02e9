/** Messages whose senders do not wait for an answer. */
import type { Fate } from "../Accounting.ts"
import type { Signal } from "../Signal.ts"

/** A signal of the kernel. @internal */
export class SignalEnvelope {
  readonly from = undefined
  readonly signal: Signal
  constructor(signal: Signal) {
    this.signal = signal
  }
  get content(): unknown {
    return this.signal
  }
  get isControl(): boolean {
    return true
  }
  refuse(): Fate {
    return "deadLettered"
  }
}

/** A message of a user to a plain process. @internal */
export class MessageEnvelope<Sender> {
  readonly content: unknown
  readonly from: Sender
  constructor(content: unknown, from: Sender) {
    this.content = content
    this.from = from
  }
  get shared(): unknown {
    return this.content
  }
  refuse(): Fate {
    return "deadLettered"
  }
}
