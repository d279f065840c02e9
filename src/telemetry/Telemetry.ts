/**
 * Tells listeners what happens inside a system: named events with measurements and metadata, and spans.
 *
 * The layers of this library and applications declare their events as values and execute them. An application attaches
 * handlers. A handler runs synchronously in the step that executes the event. While nobody listens, an event costs one
 * check.
 *
 * A name is one dotted string, `"otp.process.exit"`, and not a list of words. So a text search finds it, it can be a
 * key without conversion, and metrics and traces use the same form. Listing by prefix still compares whole words.
 *
 * **Guarantees**
 *
 * - Isolation: a handler that throws is detached from all its events. The others still run, and the code that executes
 *   the event is not affected.
 * - Exactness: a handler gets the events that it named, never those with a longer or shorter name.
 * - Removal: once `detach` has returned, the handler is not called again.
 *
 * **Not here**
 *
 * The handlers of one event have no order. A handler cannot run effects: offer to a queue, or use `stream`.
 *
 * **In Erlang/OTP**
 *
 * The `telemetry` library of the BEAM. A handler has no config argument, because a closure can hold it. The stop event
 * of a span also carries the metadata of its start.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import { ownKey } from "../values/copies.ts"
import * as Check from "../values/check.ts"
import { defaultCapacity } from "./internal/defaults.ts"
import * as HandlerTable from "./internal/handlerTable.ts"

const TypeId: typeof HandlerTable.TypeId = HandlerTable.TypeId

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * An event: a name, and the types of its measurements and its metadata.
 *
 * @stability experimental
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
 * Types that are taken from an event.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export declare namespace Event {
  /**
   * An event of unknown types.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  interface Any {
    readonly [TypeId]: object
    readonly name: string
  }

  /**
   * The measurements of an event. For a union of events, a union.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  type Measurements<E> = E extends Event<infer M, infer _> ? M : never

  /**
   * The metadata of an event. For a union of events, a union.
   *
   * @stability experimental
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
 * It runs inside the step that executes the event, so it must be short. Nobody waits for an `async` function; its
 * rejection counts as a failure.
 *
 * @stability experimental
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
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Emission<E extends Event.Any> =
  E extends Event<infer M, infer D> ? { readonly event: E; readonly measurements: M; readonly metadata: D } : never

/**
 * The attached handlers: those of the whole program by default, or those of the part that has its own `layer`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Table {
  readonly [TypeId]: "Table"
}

/**
 * The three events of a span, named `<name>.start`, `<name>.stop` and `<name>.exception`.
 *
 * `monotonicMillis` and `durationMillis` come from the monotonic clock; `systemMillis` is Unix time. All events of one
 * span have the same number as `spanContext`, and no other span has it. In the exception event `reason` is the failure,
 * the defect or the interruption, and `cause` is the whole cause with its stack traces.
 *
 * @stability experimental
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
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class AlreadyAttached extends Data.TaggedError("AlreadyAttached")<{ readonly id: string }> {
  override get message() {
    return `A telemetry handler with the id "${this.id}" is already attached`
  }
}

/**
 * No handler with this id is attached.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class NotAttached extends Data.TaggedError("NotAttached")<{ readonly id: string }> {
  override get message() {
    return `No telemetry handler has the id "${this.id}"`
  }
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Declares an event. Write its types here; everything that uses the event infers them.
 *
 * **Details**
 *
 * The name consists of words with dots between them. A word begins with a letter and has letters, digits and `_`. Put
 * the unit of a number into its key (`durationMillis`). If you declare a name again, you get the same event.
 *
 * **Errors**
 *
 * Throws a `RangeError` for a name that breaks this rule.
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
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const event = <Measurements extends object, Metadata extends object>(
  name: string
): Event<Measurements, Metadata> => HandlerTable.declare(name) as Event<Measurements, Metadata>

/**
 * Declares the three events of a span.
 *
 * **When to use**
 *
 * Use with {@link span}, or with {@link spanWith} if the stop event has more fields.
 *
 * **Example** (The names of a span)
 *
 * ```ts import.meta.vitest
 * import { Telemetry } from "effect-otp"
 *
 * const query = Telemetry.spanEvents<{ table: string }>("app.query")
 * const names = [query.start, query.stop, query.exception].map(({ name }) => name)
 * names // => ["app.query.start", "app.query.stop", "app.query.exception"]
 * ```
 *
 * @see `telemetry:span/3`
 *
 * @stability experimental
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
 * **When to use**
 *
 * You rarely need it: {@link layer} gives a part of a program a table of its own.
 *
 * **Example** (A table of one's own)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const program = Effect.provideService(Telemetry.list(), Telemetry.Telemetry, Telemetry.makeUnsafe())
 *
 * await Effect.runPromise(program) // => []
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (): Table => {
  const table: Handlers = { [TypeId]: "Table", handlers: [], attachments: new Map() }
  return table
}

/**
 * A handler failed on `eventName` and was detached from all of `eventNames`. `kind` is `"reject"` for an `async` handler.
 *
 * **In Erlang/OTP**
 *
 * `[telemetry, handler, failure]`.
 *
 * @stability experimental
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
 * **When to use**
 *
 * Use at the start of a program, for handlers that stay. In a scope use {@link attachScoped}.
 *
 * **Details**
 *
 * The handler runs synchronously, in the step that executes the event. A handler that throws is detached from all its
 * events.
 *
 * **Errors**
 *
 * - `AlreadyAttached` if the id is in use.
 *
 * **Example** (Counting crashes)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{ cents: number }, {}>("example.attach.sold")
 *
 * const program = Effect.gen(function*() {
 *   let total = 0
 *   yield* Telemetry.attach("total", sold, ({ cents }) => { total += cents })
 *   yield* Telemetry.execute(sold, { cents: 250 }, {})
 *   return total
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.fresh(Telemetry.layer))) // => 250
 * ```
 *
 * @see {@link attachMany} for several events, {@link detach}
 * @see `telemetry:attach/4`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const attach = <E extends Event.Any>(
  id: string,
  event: E,
  handler: Handler<E>
): Effect.Effect<void, AlreadyAttached> => attachMany(id, [event], handler)

/**
 * Attaches a handler to several events under one id. They are detached together.
 *
 * **Errors**
 *
 * - `AlreadyAttached` if the id is in use.
 *
 * **Example** (One handler for two events)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const opened = Telemetry.event<{}, {}>("example.many.opened")
 * const closed = Telemetry.event<{}, {}>("example.many.closed")
 *
 * const program = Effect.gen(function*() {
 *   const names: Array<string> = []
 *   yield* Telemetry.attachMany("door", [opened, closed], (_, __, { name }) => { names.push(name) })
 *   yield* Telemetry.execute(opened, {}, {})
 *   yield* Telemetry.execute(closed, {}, {})
 *   return names
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.fresh(Telemetry.layer)))
 * // => ["example.many.opened", "example.many.closed"]
 * ```
 *
 * @see {@link attach}
 * @see `telemetry:attach_many/4`
 *
 * @stability experimental
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
 * **When to use**
 *
 * Use in a Layer, so that the handler goes when the Layer goes.
 *
 * **Errors**
 *
 * - `AlreadyAttached` if the id is in use.
 *
 * **Example** (Gone with the scope)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{}, {}>("example.scoped.sold")
 *
 * const program = Effect.gen(function*() {
 *   const inside = yield* Effect.scoped(
 *     Effect.andThen(Telemetry.attachScoped("seller", sold, () => {}), Telemetry.list("example.scoped"))
 *   )
 *   return [inside.length, (yield* Telemetry.list("example.scoped")).length]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.fresh(Telemetry.layer))) // => [1, 0]
 * ```
 *
 * @see {@link attach}
 *
 * @stability experimental
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
      // Removes this attachment only. If it has failed, another handler may have its id by now.
      Effect.sync(() => HandlerTable.remove(made))
    )
  )

/**
 * Detaches a handler from all its events.
 *
 * **Errors**
 *
 * - `NotAttached` if no handler has the id.
 *
 * **Example** (Detaching twice)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{}, {}>("example.detach.sold")
 *
 * const program = Effect.gen(function*() {
 *   yield* Telemetry.attach("seller", sold, () => {})
 *   yield* Telemetry.detach("seller")
 *   return yield* Effect.flip(Telemetry.detach("seller"))
 * })
 *
 * const error = await Effect.runPromise(Effect.provide(program, Layer.fresh(Telemetry.layer)))
 * error._tag // => "NotAttached"
 * ```
 *
 * @see {@link attach}
 * @see `telemetry:detach/1`
 *
 * @stability experimental
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
 * Lists the handlers of the events whose name begins with the words of `prefix`, or of all events.
 *
 * **Example** (Finding handlers)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{}, {}>("example.list.sold")
 *
 * const program = Effect.gen(function*() {
 *   yield* Telemetry.attach("seller", sold, () => {})
 *   return (yield* Telemetry.list("example.list")).map(({ event, id }) => [id, event.name])
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.fresh(Telemetry.layer))) // => [["seller", "example.list.sold"]]
 * ```
 *
 * @see `telemetry:list_handlers/1`
 *
 * @stability experimental
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
 * Lists the events that were declared so far in all loaded modules, sorted by name.
 *
 * **When to use**
 *
 * Use to find out which events you can listen to.
 *
 * **Example** (The events of supervisors)
 *
 * ```ts import.meta.vitest
 * import { Telemetry } from "effect-otp"
 *
 * const names = Telemetry.declared("otp.supervisor").map(({ name }) => name)
 * names.length > 0 && names.every((name) => name.startsWith("otp.supervisor.")) // => true
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const declared = (prefix?: string): ReadonlyArray<Event.Any> => HandlerTable.declared(prefix)

/**
 * Executes an event: calls each of its handlers, now.
 *
 * **Details**
 *
 * It never fails. While nobody listens, it costs one check.
 *
 * **Example** (Executing an event)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{ cents: number }, { shop: string }>("example.execute.sold")
 *
 * const program = Effect.gen(function*() {
 *   const emitted = yield* Telemetry.collect(sold)
 *   yield* Telemetry.execute(sold, { cents: 250 }, { shop: "corner" })
 *   return (yield* emitted).map(({ measurements, metadata }) => [measurements.cents, metadata.shop])
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [[250, "corner"]]
 * ```
 *
 * @see {@link executeUnsafe} on hot paths
 * @see `telemetry:execute/3`
 *
 * @stability experimental
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
 * Executes an event synchronously on a given table. It never throws.
 *
 * **When to use**
 *
 * Use on a hot path, behind {@link isActiveUnsafe}, so that nothing is built while nobody listens.
 *
 * **Example** (On a hot path)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{ cents: number }, {}>("example.execute_unsafe.sold")
 *
 * const program = Effect.gen(function*() {
 *   const emitted = yield* Telemetry.collect(sold)
 *   const table = yield* Telemetry.Telemetry
 *   if (Telemetry.isActiveUnsafe(table, sold)) Telemetry.executeUnsafe(table, sold, { cents: 250 }, {})
 *   return (yield* emitted).length
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 1
 * ```
 *
 * @see {@link execute}
 *
 * @stability experimental
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
  const attached = handlersOf(table, event)
  if (attached !== undefined) HandlerTable.call(attached, { event: event as never, measurements, metadata })
}

/**
 * Tells whether anybody listens to an event. It reads one array.
 *
 * **Example** (Asking first)
 *
 * ```ts import.meta.vitest
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{}, {}>("example.active.sold")
 *
 * Telemetry.isActiveUnsafe(Telemetry.makeUnsafe(), sold) // => false
 * ```
 *
 * @see {@link executeUnsafe}
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const isActiveUnsafe = (table: Table, event: Event.Any): boolean => handlersOf(table, event) !== undefined

/**
 * Runs an effect between a start event and a stop or exception event, and gives its exit unchanged.
 *
 * **Details**
 *
 * A failure, a defect and an interruption each execute the exception event. If none of the three events has a handler
 * when the effect begins, the effect runs as it is.
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
 *   yield* Effect.succeed(3).pipe(Telemetry.span(query, { table: "items" }))
 *   yield* Effect.exit(Telemetry.span(Effect.fail("locked"), query, { table: "items" }))
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
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const span: {
  <D extends object>(
    events: SpanEvents<D>,
    metadata: NoInfer<D>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R, D extends object>(
    self: Effect.Effect<A, E, R>,
    events: SpanEvents<D>,
    metadata: NoInfer<D>
  ): Effect.Effect<A, E, R>
} = dual(3, <A, E, R, D extends object>(self: Effect.Effect<A, E, R>, events: SpanEvents<D>, metadata: D) =>
  spanned(self, events, { metadata, stop: () => ({ measurements: {}, metadata: {} }) })
)

/**
 * Runs an effect as {@link span} does. `stop` adds measurements and metadata to the stop event.
 *
 * **Example** (Counting rows)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const query = Telemetry.spanEvents<{ table: string }, { rows: number }>("example.query")
 *
 * const program = Effect.gen(function*() {
 *   const stops = yield* Telemetry.collect(query.stop)
 *   yield* Effect.succeed(["a", "b"]).pipe(Telemetry.spanWith(query, {
 *     metadata: { table: "items" },
 *     stop: (rows) => ({ measurements: { rows: rows.length }, metadata: {} })
 *   }))
 *   return (yield* stops).map(({ measurements }) => measurements.rows)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [2]
 * ```
 *
 * @see `telemetry:span/3`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const spanWith: {
  <A, D extends object, SM extends object, SD extends object>(
    events: SpanEvents<D, SM, SD>,
    options: {
      readonly metadata: NoInfer<D>
      readonly stop: (value: A) => { readonly measurements: NoInfer<SM>; readonly metadata: NoInfer<SD> }
    }
  ): <E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R, D extends object, SM extends object, SD extends object>(
    self: Effect.Effect<A, E, R>,
    events: SpanEvents<D, SM, SD>,
    options: {
      readonly metadata: NoInfer<D>
      readonly stop: (value: A) => { readonly measurements: NoInfer<SM>; readonly metadata: NoInfer<SD> }
    }
  ): Effect.Effect<A, E, R>
} = dual(3, spanned)

/**
 * Collects the executions of one event or several until the scope closes. It gives an effect that reads the executions
 * so far.
 *
 * **When to use**
 *
 * Use in tests, to compare what happened with what should have happened.
 *
 * **Details**
 *
 * It keeps the newest `capacity` executions (1,024 by default) and forgets the oldest.
 *
 * **Example** (Collecting restarts)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect, Logger } from "effect"
 * import { Events, Supervisor, Telemetry } from "effect-otp"
 *
 * let runs = 0
 * const up = Deferred.makeUnsafe<void>()
 * const work = Effect.suspend(() => ++runs < 2 ? Effect.die("broken") : Effect.andThen(Deferred.succeed(up, undefined), Effect.never))
 * class App extends Supervisor.Service<App>()("app/App", {
 *   strategy: "oneForOne",
 *   children: [Supervisor.worker("door", work)]
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   const restarts = yield* Telemetry.collect(Events.childRestart)
 *   yield* Effect.provide(Deferred.await(up), App.layer)
 *   return (yield* restarts).length
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([])))) // => 1
 * ```
 *
 * @see {@link stream} to react to each
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const collect = <E extends Event.Any>(
  events: E | ReadonlyArray<E>,
  options?: { readonly capacity?: number | undefined }
): Effect.Effect<Effect.Effect<ReadonlyArray<Emission<E>>>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const kept: Array<Emission<E>> = []
    const capacity = checkedCapacity(options)
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
 * Streams the executions of one event or several, from when the stream begins to run until it ends.
 *
 * **Details**
 *
 * Nobody waits for a slow reader: the stream holds the newest `capacity` executions (1,024 by default) and forgets the
 * oldest.
 *
 * **Example** (Reading events)
 *
 * ```ts import.meta.vitest
 * import { Effect, Fiber, Stream } from "effect"
 * import { Telemetry } from "effect-otp"
 *
 * const sold = Telemetry.event<{ cents: number }, {}>("example.stream.sold")
 *
 * const program = Effect.gen(function*() {
 *   const first = yield* Effect.forkChild(Stream.runCollect(Stream.take(Telemetry.stream(sold), 1)), {
 *     startImmediately: true
 *   })
 *   yield* Telemetry.execute(sold, { cents: 250 }, {})
 *   return (yield* Fiber.join(first)).map(({ measurements }) => measurements.cents)
 * })
 *
 * await Effect.runPromise(program) // => [250]
 * ```
 *
 * @see {@link collect} in tests
 *
 * @stability experimental
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
    { bufferSize: checkedCapacity(options), strategy: "sliding" }
  )

// -----------------------------------------------------------------------------
// services
// -----------------------------------------------------------------------------

/**
 * The table in use: by default one for the whole program.
 *
 * @stability experimental
 * @category services
 * @since 0.1.0
 */
export const Telemetry: Context.Reference<Table> = Context.Reference<Table>(ownKey("effect-otp/telemetry/Telemetry"), {
  defaultValue: makeUnsafe
})

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Gives a part of the program a table of its own, without handlers.
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.effect(Telemetry)(Effect.sync(makeUnsafe))

// -----------------------------------------------------------------------------
// internals
// -----------------------------------------------------------------------------

function spanned<A, E, R, D extends object, SM extends object, SD extends object>(
  effect: Effect.Effect<A, E, R>,
  events: SpanEvents<D, SM, SD>,
  options: {
    readonly metadata: D
    readonly stop: (value: A) => { readonly measurements: SM; readonly metadata: SD }
  }
): Effect.Effect<A, E, R> {
  return Effect.withFiber((fiber) => {
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
}

interface SpanException {
  readonly kind: "fail" | "die" | "interrupt"
  readonly reason: unknown
  readonly cause: Cause.Cause<unknown>
}

const checkedCapacity = (options: { readonly capacity?: number | undefined } | undefined): number =>
  Check.wholeNumber("The capacity of a stream of events", Check.or(options?.capacity, defaultCapacity), 1)

let spanContexts = 0
let receivers = 0

const withTable = <A, E>(f: (table: Handlers) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) => f(fiber.getRef(Telemetry) as Handlers))

/** What the public types hide: a table holds the handlers by the index of their event. */
type Handlers = HandlerTable.HandlerTable & Table

const handlersOf = (table: Table, event: Event.Any): ReadonlyArray<HandlerTable.Attachment> | undefined =>
  (table as Handlers).handlers[(event as HandlerTable.Event).index]

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
      events: Array.from(new Set(events as ReadonlyArray<never>)),
      handler: handler as never,
      attached: true
    }
    HandlerTable.add(made)
    return Effect.succeed(made)
  })

/** Attaches a function that gets the whole execution, under a unique id. */
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
