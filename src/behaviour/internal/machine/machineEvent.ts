/** An event that a state machine handles: a message of its protocol, an event of its own, or a message to its pid. */
import { isInstance } from "../../../values/describe.ts"

/** @internal */
export class MachineEvent {
  readonly _tag: "Message" | "Own" | "Info"
  readonly tag: string
  /** The payload of a message, or the event itself if it is the machine's own. */
  readonly content: unknown
  /** Where to send the answer, if somebody asked. */
  readonly from: unknown
  /** What came with it. Undefined for an event that did not come from outside. */
  readonly origin: object | undefined

  constructor(options: {
    readonly _tag: MachineEvent["_tag"]
    readonly tag: string
    readonly content: unknown
    readonly from?: unknown
    readonly origin?: object | undefined
  }) {
    this._tag = options._tag
    this.tag = options.tag
    this.content = options.content
    this.from = options.from
    this.origin = options.origin
  }

  toJSON(): unknown {
    return this._tag === "Message" ? { _tag: this.tag, payload: this.content } : this.content
  }
}

/** @internal */
export type Event = MachineEvent

/** Makes an event from what a user writes. @internal */
export const eventOf = (event: unknown): Event =>
  isInstance(event, MachineEvent)
    ? event
    : new MachineEvent({ _tag: "Own", tag: (event as { readonly _tag: string })._tag, content: event })

/** An event as its user wrote it. @internal */
export const shown = (event: Event): unknown => (event._tag === "Own" ? event.content : event)
