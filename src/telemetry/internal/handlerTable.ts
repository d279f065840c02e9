/**
 * The table of attached handlers, without the types of their input. It declares events, attaches, detaches and calls.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import { refuse } from "../../values/check.ts"
import { stackOf } from "../../values/describe.ts"
import { renderCause } from "../../values/render.ts"

export const TypeId = "~effect-otp/telemetry/Telemetry"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

export interface Event {
  readonly [TypeId]: object
  readonly name: string
  /** Its index in each table, so that the check for a listener is one array read. */
  readonly index: number
}

export interface Attachment {
  readonly id: string
  readonly table: HandlerTable
  readonly events: ReadonlyArray<Event>
  readonly handler: (measurements: unknown, metadata: unknown, event: Event) => unknown
  attached: boolean
}

export interface HandlerTable {
  /**
   * By the index of the event. A list is replaced, never changed, so a running execution keeps the list it began with.
   */
  readonly handlers: Array<ReadonlyArray<Attachment> | undefined>
  /** By id. */
  readonly attachments: Map<string, Attachment>
}

export interface Execution {
  readonly event: Event
  readonly measurements: unknown
  readonly metadata: unknown
}

interface Failure {
  readonly execution: Execution
  readonly context: Context.Context<never>
  readonly kind: "throw" | "reject"
  readonly reason: unknown
}

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

const declaredByName = new Map<string, Event>()

export const declare = (name: string): Event => {
  const known = declaredByName.get(name)
  if (known !== undefined) return known
  if (typeof name !== "string" || !/^[a-zA-Z]\w*(\.[a-zA-Z]\w*)*$/.test(name)) {
    refuse("The name of a telemetry event", "words separated by dots", name)
  }
  const made = Object.freeze({ [TypeId]: {}, name, index: declaredByName.size })
  declaredByName.set(name, made)
  return made
}

export const declared = (prefix: string | undefined): ReadonlyArray<Event> =>
  Array.from(declaredByName.values())
    .filter(({ name }) => hasPrefix(name, prefix))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))

/** Compares whole words: "otp.process" is not a prefix of "otp.processes". */
export const hasPrefix = (name: string, prefix: string | undefined): boolean =>
  prefix === undefined || prefix === "" || name === prefix || name.startsWith(`${prefix}.`)

export const add = (attachment: Attachment): void => {
  const { attachments, handlers } = attachment.table
  attachments.set(attachment.id, attachment)
  for (const { index } of attachment.events) handlers[index] = [...(handlers[index] ?? []), attachment]
}

export const remove = (gone: Attachment): void => {
  if (!gone.attached) return
  gone.attached = false
  const { attachments, handlers } = gone.table
  attachments.delete(gone.id)
  for (const { index } of gone.events) {
    const rest = handlers[index]?.filter((other) => other !== gone)
    handlers[index] = rest === undefined || rest.length === 0 ? undefined : rest
  }
}

/**
 * `listeners` are the handlers of the failure event, fixed when the first handler fails. If one of them fails, too, and
 * even attaches itself again, the others are told once, and it is never told itself.
 */
export const call = (
  attached: ReadonlyArray<Attachment>,
  execution: Execution,
  listeners?: ReadonlyArray<Attachment>
): void => {
  for (const one of attached) {
    if (!one.attached) continue
    try {
      const result = one.handler(execution.measurements, execution.metadata, execution.event)
      if (Predicate.isPromise(result)) {
        const context = currentContext()
        result.then(undefined, (reason: unknown) =>
          failed(one, { execution, context, kind: "reject", reason }, listeners)
        )
      }
    } catch (reason) {
      failed(one, { execution, context: currentContext(), kind: "throw", reason }, listeners)
    }
  }
}

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

export const handlerFailure = declare("telemetry.handler.failure")

/** The context of the fiber that executes the event: it has the loggers of its part of the program. */
const currentContext = (): Context.Context<never> => Fiber.getCurrent()?.context ?? Context.empty()

const failed = (
  attachment: Attachment,
  { context, execution, kind, reason }: Failure,
  known: ReadonlyArray<Attachment> | undefined
): void => {
  // An async handler may reject more than once, and after it was detached.
  if (!attachment.attached) return
  remove(attachment)
  const { events, id, table } = attachment
  const eventName = execution.event.name
  Effect.runForkWith(context)(
    Effect.logError(
      `Telemetry handler "${id}" failed on "${eventName}" and was detached`,
      renderCause(Cause.die(reason))
    )
  )
  const listeners = known ?? table.handlers[handlerFailure.index] ?? []
  const metadata = {
    handlerId: id,
    eventName,
    eventNames: events.map(({ name }) => name),
    kind,
    reason,
    stacktrace: stackOf(reason)
  }
  call(listeners, { event: handlerFailure, measurements: { count: 1 }, metadata }, listeners)
}
