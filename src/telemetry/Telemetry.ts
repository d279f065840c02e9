/**
 * Tells whoever listens what happens inside a system: named events with measurements and metadata, and spans.
 *
 * The layers below and above declare their events as values and execute them; an application attaches handlers. A
 * handler runs synchronously in the step of who executes the event, so that an event costs one check while nobody
 * listens.
 *
 * A name is one dotted string, `"otp.process.exit"`, and not a list of words: it is found by a text search, it is a key
 * without a conversion, and it is the form that metrics and traces use. Listing by prefix still compares whole words.
 *
 * **Guarantees**
 *
 * - Isolation: a handler that throws is detached from all its events, the others still run, who executes the event
 *   notices nothing.
 * - Exactness: a handler gets the events it named, never those of a longer or shorter name.
 * - Removal: once `detach` has returned, the handler is not called again.
 *
 * **Not here**
 *
 * Order among the handlers of one event; effects in a handler (offer to a queue, or use `stream`).
 *
 * **In Erlang/OTP**
 *
 * The `telemetry` library of BEAM. A handler has no config argument: a closure holds it. The stop event of a span
 * carries the metadata of its start too.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import * as HandlerTable from "./internal/handlerTable.ts"

const TypeId: typeof HandlerTable.TypeId = HandlerTable.TypeId

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * A kind of thing that happens: a name, and the types of what is measured and of what is told beside.
 *
 * @category models
 * @since 0.1.0
 */
export interface Event<in out Measurements extends object, in out Metadata extends object> extends Event.Any {
  readonly [TypeId]: {
    readonly measurements: Types.Invariant<Measurements>
    readonly metadata: Types.Invariant<Metadata>
  }
}

/**
 * Types that are read off an event.
 *
 * @category models
 * @since 0.1.0
 */
export declare namespace Event {
  /**
   * An event of unknown types.
   *
   * @category models
   * @since 0.1.0
   */
  interface Any {
    readonly [TypeId]: object
    readonly name: string
    /** @internal */
    readonly index: number
  }

  /**
   * The measurements of an event; a union for a union of events.
   *
   * @category models
   * @since 0.1.0
   */
  type Measurements<E> = E extends Event<infer M, infer _> ? M : never

  /**
   * The metadata of an event; a union for a union of events.
   *
   * @category models
   * @since 0.1.0
   */
  type Metadata<E> = E extends Event<infer _, infer D> ? D : never
}

/**
 * A synchronous function that is called with each execution of the events it is attached to.
 *
 * **Gotchas**
 *
 * It runs inside the step of who executes the event: it must be short. An `async` function is not waited for; its
 * rejection counts as a failure.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<E extends Event.Any> = (
  measurements: Event.Measurements<E>,
  metadata: Event.Metadata<E>,
  event: E
) => void

/**
 * One execution of an event, as a value.
 *
 * @category models
 * @since 0.1.0
 */
export type Emission<E extends Event.Any> =
  E extends Event<infer M, infer D> ? { readonly event: E; readonly measurements: M; readonly metadata: D } : never

/**
 * The attached handlers: those of the whole program by default, or of the part that `layer` was provided to.
 *
 * @category models
 * @since 0.1.0
 */
export interface Table {
  readonly [TypeId]: "Table"
  /** @internal */
  readonly handlers: HandlerTable.HandlerTable["handlers"]
  /** @internal */
  readonly attachments: HandlerTable.HandlerTable["attachments"]
}

/**
 * The three events of a span, named `<name>.start`, `<name>.stop` and `<name>.exception`.
 *
 * `monotonicMillis` and `durationMillis` come from the monotonic clock, `systemMillis` is Unix time; `spanContext` is the
 * same number in the events of one span and in no other. In the exception event `reason` is the failure, the defect or the
 * interruption, and `cause` has all of it with its stack traces.
 *
 * @category models
 * @since 0.1.0
 */
export interface SpanEvents<
  in out Metadata extends object,
  in out StopMeasurements extends object = {},
  in out StopMetadata extends object = {}
> {
  readonly start: Event<
    { readonly monotonicMillis: number; readonly systemMillis: number },
    Metadata & { readonly spanContext: number }
  >
  readonly stop: Event<
    { readonly durationMillis: number; readonly monotonicMillis: number } & StopMeasurements,
    Metadata & { readonly spanContext: number } & StopMetadata
  >
  readonly exception: Event<
    { readonly durationMillis: number; readonly monotonicMillis: number },
    Metadata & { readonly spanContext: number } & SpanException
  >
}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/**
 * A handler with this id is attached already.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlreadyAttached extends Schema.TaggedError<AlreadyAttached>("effect-otp/telemetry/AlreadyAttached")(
  "AlreadyAttached",
  { id: Schema.String }
) {
  override get message() {
    return `A telemetry handler "${this.id}" is attached already`
  }
}

/**
 * No handler with this id is attached.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotAttached extends Schema.TaggedError<NotAttached>("effect-otp/telemetry/NotAttached")("NotAttached", {
  id: Schema.String
}) {
  override get message() {
    return `No telemetry handler "${this.id}" is attached`
  }
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Declares an event. Types come first, and everything that uses the event infers them.
 *
 * **Details**
 *
 * The name is made of words with a dot between them; a word begins with a letter and has letters, digits and `_`. A
 * number carries its unit in its key (`durationMillis`). Declaring a name again gives the same event.
 *
 * **Errors**
 *
 * A name that breaks the rule is a `RangeError`.
 *
 * **Example** (Declaring, listening and executing)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{ amountCents: number }, { shop: string }>("shop.item.sold")
 *
 * const program = Effect.gen(function*() {
 *   const lines: Array<string> = []
 *   yield* Telemetry.attach("print", sold, ({ amountCents }, { shop }) => {
 *     lines.push(`${shop}: ${amountCents}`)
 *   })
 *   yield* Telemetry.execute(sold, { amountCents: 250 }, { shop: "corner" })
 *   yield* Telemetry.detach("print")
 *   yield* Telemetry.execute(sold, { amountCents: 400 }, { shop: "corner" })
 *   return lines
 * })
 *
 * await Effect.runPromise(program) // => ["corner: 250"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const event = <Measurements extends object, Metadata extends object>(
  name: string
): Event<Measurements, Metadata> => HandlerTable.declare(name) as Event<Measurements, Metadata>

/**
 * Declares the three events of a span: use it with {@link span}, or {@link spanWith} where the stop says more.
 *
 * @category constructors
 * @since 0.1.0
 */
export const spanEvents = <
  Metadata extends object,
  StopMeasurements extends object = {},
  StopMetadata extends object = {}
>(
  name: string
): SpanEvents<Metadata, StopMeasurements, StopMetadata> => ({
  start: event(`${name}.start`),
  stop: event(`${name}.stop`),
  exception: event(`${name}.exception`)
})

/**
 * Makes a table without handlers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (): Table => ({ [TypeId]: "Table", handlers: [], attachments: new Map() })

/**
 * A handler failed on `eventName` and was detached from all of `eventNames`. `kind` is `"reject"` for an `async` handler.
 *
 * **In Erlang/OTP**
 *
 * `[telemetry, handler, failure]`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const handlerFailure = event<
  { readonly count: number },
  {
    readonly handlerId: string
    readonly eventName: string
    readonly eventNames: ReadonlyArray<string>
    readonly kind: "throw" | "reject"
    readonly reason: unknown
    readonly stacktrace: string | undefined
  }
>("telemetry.handler.failure")

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/**
 * Attaches a handler to one event.
 *
 * **Errors**
 *
 * - `AlreadyAttached` when the id is in use.
 *
 * **In Erlang/OTP**
 *
 * `telemetry:attach/4`.
 *
 * @category operations
 * @since 0.1.0
 */
export const attach = <E extends Event.Any>(
  id: string,
  event: E,
  handler: Handler<E>
): Effect.Effect<void, AlreadyAttached> => attachMany(id, [event], handler)

/**
 * Attaches a handler to several events under one id: they are detached together.
 *
 * **Errors**
 *
 * - `AlreadyAttached` when the id is in use.
 *
 * **In Erlang/OTP**
 *
 * `telemetry:attach_many/4`.
 *
 * @category operations
 * @since 0.1.0
 */
export const attachMany = <E extends Event.Any>(
  id: string,
  events: ReadonlyArray<E>,
  handler: Handler<E>
): Effect.Effect<void, AlreadyAttached> => Effect.asVoid(attachment(id, events, handler))

/**
 * Attaches a handler to one event or several until the scope closes.
 *
 * **Errors**
 *
 * - `AlreadyAttached` when the id is in use.
 *
 * @category operations
 * @since 0.1.0
 */
export const attachScoped = <E extends Event.Any>(
  id: string,
  events: E | ReadonlyArray<E>,
  handler: Handler<E>
): Effect.Effect<void, AlreadyAttached, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(attachment(id, listOf(events), handler), (made) =>
      // This very attachment: one that failed may have given its id to another.
      Effect.sync(() => HandlerTable.remove(made))
    )
  )

/**
 * Detaches a handler from all its events.
 *
 * **Errors**
 *
 * - `NotAttached` when no handler has the id.
 *
 * **In Erlang/OTP**
 *
 * `telemetry:detach/1`.
 *
 * @category operations
 * @since 0.1.0
 */
export const detach = (id: string): Effect.Effect<void, NotAttached> =>
  withTable((table) => {
    const found = table.attachments.get(id)
    if (found === undefined) return Effect.fail(new NotAttached({ id }))
    HandlerTable.remove(found)
    return Effect.void
  })

/**
 * Lists what is attached to the events whose name begins with the words of `prefix`; to all events without it.
 *
 * **In Erlang/OTP**
 *
 * `telemetry:list_handlers/1`.
 *
 * @category operations
 * @since 0.1.0
 */
export const list = (
  prefix?: string
): Effect.Effect<ReadonlyArray<{ readonly id: string; readonly event: Event.Any }>> =>
  withTable((table) =>
    Effect.succeed(
      Array.from(table.attachments.values()).flatMap(({ events, id }) =>
        events.filter((event) => HandlerTable.hasPrefix(event.name, prefix)).map((event) => ({ id, event }))
      )
    )
  )

/**
 * Lists the events declared so far, by name: of all modules that are loaded.
 *
 * @category operations
 * @since 0.1.0
 */
export const declared = (prefix?: string): ReadonlyArray<Event.Any> => HandlerTable.declared(prefix)

/**
 * Executes an event: calls each of its handlers, now.
 *
 * @category operations
 * @since 0.1.0
 */
export const execute = <M extends object, D extends object>(
  event: Event<M, D>,
  measurements: NoInfer<M>,
  metadata: NoInfer<D>
): Effect.Effect<void> =>
  withTable((table) => {
    executeUnsafe(table, event, measurements, metadata)
    return Effect.void
  })

/**
 * Executes an event synchronously on a table at hand. It never throws.
 *
 * **When to use**
 *
 * Use on a hot path, behind {@link isActiveUnsafe}, so that nothing is built for nobody.
 *
 * @category operations
 * @since 0.1.0
 */
// oxlint-disable-next-line max-params -- an object for the parameters would be allocated for each event
export const executeUnsafe = <M extends object, D extends object>(
  table: Table,
  event: Event<M, D>,
  measurements: NoInfer<M>,
  metadata: NoInfer<D>
): void => {
  const attached = table.handlers[event.index]
  if (attached !== undefined) HandlerTable.call(attached, { event, measurements, metadata })
}

/**
 * Says whether anybody listens to an event: one array read.
 *
 * @category operations
 * @since 0.1.0
 */
export const isActiveUnsafe = (table: Table, event: Event.Any): boolean => table.handlers[event.index] !== undefined

/**
 * Runs an effect between a start event and a stop or exception event, and gives its exit unchanged.
 *
 * **Details**
 *
 * A failure, a defect and an interruption each execute the exception event. Without a handler for any of the three when
 * the effect begins, the effect is run as it is.
 *
 * **Example** (Measuring a query)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const query = Telemetry.spanEvents<{ table: string }>("shop.query")
 *
 * const program = Effect.gen(function*() {
 *   const emitted = yield* Telemetry.collect([query.start, query.stop, query.exception])
 *   yield* Telemetry.span(query, Effect.succeed(3), { table: "items" })
 *   yield* Effect.exit(Telemetry.span(query, Effect.fail("locked"), { table: "items" }))
 *   return (yield* emitted).map(({ event }) => event.name.slice("shop.query.".length))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["start", "stop", "start", "exception"]
 * ```
 *
 * **In Erlang/OTP**
 *
 * `telemetry:span/3`.
 *
 * @category operations
 * @since 0.1.0
 */
export const span = <A, E, R, D extends object>(
  events: SpanEvents<D>,
  effect: Effect.Effect<A, E, R>,
  metadata: NoInfer<D>
): Effect.Effect<A, E, R> => spanWith(events, effect, { metadata, stop: () => ({ measurements: {}, metadata: {} }) })

/**
 * Runs an effect as {@link span} does; `stop` adds measurements and metadata to the stop event.
 *
 * @category operations
 * @since 0.1.0
 */
export const spanWith = <A, E, R, D extends object, SM extends object, SD extends object>(
  events: SpanEvents<D, SM, SD>,
  effect: Effect.Effect<A, E, R>,
  options: {
    readonly metadata: NoInfer<D>
    readonly stop: (value: A) => { readonly measurements: NoInfer<SM>; readonly metadata: NoInfer<SD> }
  }
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const table = fiber.getRef(Telemetry)
    if (
      !isActiveUnsafe(table, events.start) &&
      !isActiveUnsafe(table, events.stop) &&
      !isActiveUnsafe(table, events.exception)
    ) {
      return effect
    }
    const clock = fiber.getRef(Clock.Clock)
    const systemMillis = clock.currentTimeMillisUnsafe()
    const startNanos = clock.monotonicTimeNanosUnsafe()
    const metadata = { ...options.metadata, spanContext: ++spanContexts }
    executeUnsafe(table, events.start, { monotonicMillis: toMillis(startNanos), systemMillis }, metadata)
    return Effect.onExit(effect, (exit) =>
      Effect.sync(() => {
        const endNanos = clock.monotonicTimeNanosUnsafe()
        const times = { durationMillis: toMillis(endNanos - startNanos), monotonicMillis: toMillis(endNanos) }
        if (Exit.isFailure(exit)) {
          executeUnsafe(table, events.exception, times, { ...metadata, ...exception(exit.cause) })
          return
        }
        const more = options.stop(exit.value)
        executeUnsafe(table, events.stop, { ...times, ...more.measurements }, { ...metadata, ...more.metadata })
      })
    )
  })

/**
 * Collects the executions of one event or several until the scope closes: the effect it gives reads what came so far.
 *
 * **Details**
 *
 * Keeps the newest `capacity` executions (default 1,024) and forgets the oldest: a sliding buffer.
 *
 * @category operations
 * @since 0.1.0
 */
export const collect = <E extends Event.Any>(
  events: E | ReadonlyArray<E>,
  options?: { readonly capacity?: number | undefined }
): Effect.Effect<Effect.Effect<ReadonlyArray<Emission<E>>>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const kept: Array<Emission<E>> = []
    const capacity = options?.capacity ?? defaultCapacity
    const attached = receive(events, (emission) => {
      kept.push(emission)
      if (kept.length > capacity) kept.shift()
    })
    return Effect.as(
      attached,
      Effect.sync(() => kept.slice())
    )
  })

/**
 * Streams the executions of one event or several, from when the stream is run until it ends.
 *
 * **Details**
 *
 * Who executes the event never waits for a slow reader: the stream holds the newest `capacity` executions (default
 * 1,024) and forgets the oldest, a sliding buffer.
 *
 * @category operations
 * @since 0.1.0
 */
export const stream = <E extends Event.Any>(
  events: E | ReadonlyArray<E>,
  options?: { readonly capacity?: number | undefined }
): Stream.Stream<Emission<E>> =>
  Stream.callback<Emission<E>>(
    (queue) =>
      receive(events, (emission) => {
        Queue.offerUnsafe(queue, emission)
      }),
    { bufferSize: options?.capacity ?? defaultCapacity, strategy: "sliding" }
  )

// -----------------------------------------------------------------------------
// services
// -----------------------------------------------------------------------------

/**
 * The table in use: by default one for the whole program.
 *
 * @category services
 * @since 0.1.0
 */
export const Telemetry: Context.Reference<Table> = Context.Reference<Table>("effect-otp/telemetry/Telemetry", {
  defaultValue: makeUnsafe
})

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Gives a part of the program a table of its own, without handlers.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effect(Telemetry)(Effect.sync(makeUnsafe))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

interface SpanException {
  readonly kind: "fail" | "die" | "interrupt"
  readonly reason: unknown
  readonly cause: Cause.Cause<unknown>
}

const defaultCapacity = 1024
let spanContexts = 0
let receivers = 0

const withTable = <A, E>(f: (table: Table) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) => f(fiber.getRef(Telemetry)))

const toMillis = (nanos: bigint): number => Number(nanos) / 1_000_000

const listOf = <E extends Event.Any>(events: E | ReadonlyArray<E>): ReadonlyArray<E> =>
  Array.isArray(events) ? events : [events as E]

const attachment = <E extends Event.Any>(
  id: string,
  events: ReadonlyArray<E>,
  handler: Handler<E>
): Effect.Effect<HandlerTable.Attachment, AlreadyAttached> =>
  withTable((table) => {
    if (table.attachments.has(id)) return Effect.fail(new AlreadyAttached({ id }))
    const made: HandlerTable.Attachment = {
      id,
      table,
      events: Array.from(new Set(events)),
      handler: handler as HandlerTable.Attachment["handler"],
      attached: true
    }
    HandlerTable.add(made)
    return Effect.succeed(made)
  })

/** Attaches a function of the whole execution under an id nobody else uses. */
const receive = <E extends Event.Any>(events: E | ReadonlyArray<E>, f: (emission: Emission<E>) => void) =>
  Effect.suspend(() =>
    attachScoped<E>(`telemetry.receiver.${++receivers}`, events, (measurements, metadata, event) =>
      f({ event, measurements, metadata } as unknown as Emission<E>)
    )
  ).pipe(Effect.orDie)

const exception = (cause: Cause.Cause<unknown>): SpanException => ({
  kind: Cause.hasDies(cause) ? "die" : Cause.hasFails(cause) ? "fail" : "interrupt",
  reason: Cause.squash(cause),
  cause
})
