/**
 * Looks into running servers from outside, and suspends them.
 *
 * Every server answers: `GenServer`, `Agent`, and everything else that is built on the same loop. You need not prepare
 * anything, and a server without observers pays nothing. A target is a client or the pid of one run.
 *
 * **Guarantees**
 *
 * - Order: a request keeps its place among the other messages of its sender. Handlers never see it, and it does not
 *   affect an idle time.
 * - Suspension: a suspended server keeps its messages in order and handles system requests and stops. Its parent's
 *   shutdown, exit signals and a kill still end it.
 * - Safety: if a function given to `replaceState` throws, the caller gets the failure, the state stays, and the server
 *   lives.
 * - Traces: a slow reader loses events as its strategy says, and delays nobody.
 *
 * **Not here**
 *
 * Supervisors and plain processes answer no system requests. For a supervisor use `whichChildren`.
 *
 * **In Erlang/OTP**
 *
 * `sys`. Code cannot be changed at run time; `replaceState` changes a state.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { printFields } from "../values/printAs.ts"
import * as Check from "../values/check.ts"
import { refusalOf } from "../values/schemaRefusal.ts"
import { defaultSettings, type Settings } from "../values/render.ts"
import type { Accounting } from "../kernel/Accounting.ts"
import type * as Handle from "../kernel/Handle.ts"
import * as Pid from "../kernel/Pid.ts"
import * as Process from "../kernel/Process.ts"
import { displayName } from "../kernel/shared/displayName.ts"
import { checkedRecord } from "../kernel/shared/processRecord.ts"
import type { CallError, CallOptions } from "./GenServer.ts"
import { askSystem } from "./internal/call/client.ts"
import { traceCapacity } from "./internal/defaults.ts"
import { shownTrace } from "./internal/server/shownTrace.ts"
import { isServer } from "./internal/server/serverKind.ts"
import * as Inspection from "./internal/server/inspection.ts"
import { userState, type Server } from "./internal/server/server.ts"
import type * as TurnListeners from "./internal/server/turnListeners.ts"
import type * as Protocol from "./Protocol.ts"
import type { MachineStatus } from "./StateMachine.ts"
import { settingsOf } from "../kernel/shared/displaySettings.ts"
import { isHandle, HandleTarget, targetOf as handleTargetOf } from "../kernel/shared/handleTarget.ts"

/**
 * @stability experimental
 * @category type IDs
 * @since 0.1.0
 */
export const StateTypeId = "~effect-otp/behaviour/Sys/State"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The target of a request: the client of a server, or the pid of one run of it. With a pid nobody waits for the next
 * run.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Target = Process.Target

/**
 * A protocol that carries the type of its servers' state, like that of an agent.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Stateful<out S> {
  readonly [StateTypeId]: S
}

type ProtocolOf<T> = T extends Handle.Handle<infer M> ? M : never

/**
 * The type of a target's state. It is `unknown` unless the protocol says it; then give a Schema.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type StateOf<T> = [ProtocolOf<T>] extends [never]
  ? unknown
  : [ProtocolOf<T>] extends [Stateful<infer S>]
    ? S
    : unknown

/**
 * How a request to a target fails. A client always stands for a server; a pid may not.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Failure<T> = [ProtocolOf<T>] extends [never] ? CallError | NotAServer : CallError

/**
 * A Schema that checks the state and gives its type.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Checked<S> extends CallOptions {
  /** Checks the state as it is in memory. It decodes nothing. */
  readonly schema: Schema.Schema<S>
}

/**
 * What a server shows of itself.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Status {
  readonly pid: Pid.Pid
  /** The name of the server for people: its label, with its id or key in its supervisor: `app/Worker(tenant-42)`. */
  readonly displayName: string
  readonly name: string | undefined
  readonly label: string | undefined
  readonly parent: Pid.Pid | undefined
  readonly status: "running" | "suspended"
  /** The state as `formatStatus` gives it, without secrets and within the limits of `Display`. */
  readonly state: unknown
  /** The events and timers of a state machine, shown like the state. Undefined for other servers. */
  readonly machine: MachineStatus | undefined
  /** How many messages wait. */
  readonly mailboxLength: number
  /** The counts of the messages of this run. */
  readonly messages: Accounting
}

/**
 * How many messages a server has taken, and how many answers it has given, since the counting began.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Statistics {
  readonly elapsed: Duration.Duration
  readonly messagesIn: number
  readonly messagesOut: number
}

type Untyped<M> = [M] extends [Protocol.Any] ? ([M["_tag"]] extends [never] ? true : false) : true

type Sent<M> = M extends Protocol.Any
  ? {
      readonly _tag: M extends Protocol.Cast ? "Cast" : "Call"
      readonly tag: M["_tag"]
      readonly payload: Protocol.Payload<M>
    }
  : never

type AnySent = { readonly _tag: "Call" | "Cast"; readonly tag: string; readonly payload: unknown }

/**
 * The input of a handler.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Message<M> =
  | (Untyped<M> extends true ? AnySent : Sent<M>)
  | { readonly _tag: "Info"; readonly content: unknown }
  | { readonly _tag: "Continue"; readonly token: unknown }
  | { readonly _tag: "Idle" }

type Answer<M> = M extends Protocol.Cast
  ? never
  : M extends Protocol.Any
    ? { readonly tag: M["_tag"]; readonly exit: Exit.Exit<Protocol.Success<M>, Protocol.Error<M>> }
    : never

type AnyAnswer = { readonly tag: string; readonly exit: Exit.Exit<unknown, unknown> }

/**
 * An event of a trace: the input of a handler, an answer, or the state after a turn.
 *
 * `index` counts the events from 0: a gap shows how many events a slow reader has missed. A handler that crashes gives
 * neither an answer nor a state.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type TraceEvent<M, S> =
  | {
      readonly _tag: "Received"
      readonly index: number
      readonly from: Pid.Pid | undefined
      readonly message: Message<M>
    }
  | ({ readonly _tag: "Answered"; readonly index: number } & (Untyped<M> extends true ? AnyAnswer : Answer<M>))
  | { readonly _tag: "State"; readonly index: number; readonly state: S }

/**
 * How a trace treats a slow reader.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface TraceOptions extends CallOptions {
  /** How many events may wait for the reader. Default: 1,024. */
  readonly capacity?: number | undefined
  /** Which event is dropped when there is no room: the oldest, or the new one. Default: `"sliding"`. */
  readonly strategy?: "sliding" | "dropping" | undefined
}

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * The process is not a server: it is a supervisor, or was started by `Process.spawn`.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class NotAServer extends Data.TaggedError("NotAServer")<{ readonly process: string }> {
  override get message() {
    return `${this.process} is not a server, so it does not answer requests of Sys`
  }
}

/**
 * The Schema refuses the state of a server. The message names the server and the field, and shows the value without
 * secrets and within limits.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class WrongState extends Data.TaggedError("WrongState")<{
  readonly server: string
  /** The first wrong fields, what was expected, and the values. */
  readonly refusal: string
}> {
  override get message() {
    return `${this.server}: ${this.refusal}`
  }
}

/**
 * The function given to `replaceState` has failed. The state is as it was.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class ReplaceFailed extends Data.TaggedError("ReplaceFailed")<{ readonly failure: Cause.Cause<unknown> }> {
  override get message() {
    return "The state was not replaced, because the given function threw"
  }
}

printFields(ReplaceFailed.prototype)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The state of a server, when the request's turn comes.
 *
 * **Details**
 *
 * The target gives the type of the state if its protocol has it, like that of an agent. Otherwise `schema` gives it;
 * without both it is `unknown`. It waits at most `timeout` (5 seconds by default). A suspended server answers, too.
 *
 * **Errors**
 *
 * - `CallError` as for a call.
 * - `WrongState` if `schema` refuses the state.
 * - `NotAServer` for the pid of another process.
 *
 * **Example** (Looking into a server)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer, Sys } from "effect-otp"
 *
 * class Stock extends GenServer.Service<Stock>()("app/Stock", [GenServer.cast("deliver")]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed({ left: 0 }),
 *     handlers: { deliver: (_, { left }) => GenServer.noReply({ left: left + 1 }) }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const stock = yield* Stock
 *   yield* stock.deliver()
 *   const { left } = yield* Sys.getState(stock, { schema: Schema.Struct({ left: Schema.Finite }) })
 *   return left
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Stock.layer)) // => 1
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const getState: {
  <T extends Target, S>(target: T, options: Checked<S>): Effect.Effect<S, Failure<T> | WrongState>
  <T extends Target>(target: T, options?: CallOptions): Effect.Effect<StateOf<T>, Failure<T>>
} = (target: Target, options?: CallOptions & { readonly schema?: Schema.Schema<unknown> }) =>
  ask(target, { tag: "getState", options }, (server) =>
    checked(options?.schema, server, userState(server))
  ) as Effect.Effect<never>

/**
 * Gives a server another state, made from the present one, and returns it.
 *
 * **When to use**
 *
 * Use in an emergency, or in tests. In a program, use a message to change the state.
 *
 * **Details**
 *
 * The function runs in the server, between two turns. If the target does not give the type of its state, pass a
 * `schema`: it checks both states. This works on a suspended server, too.
 *
 * **Errors**
 *
 * - `ReplaceFailed` if the function throws. The state stays as it was.
 * - `WrongState`, `CallError` and `NotAServer` as for {@link getState}.
 *
 * **Example** (Repairing a counter)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Sys } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(-1))
 *   yield* Sys.replaceState(counter, (n) => Math.max(n, 0))
 *   return yield* Agent.get(counter)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 0
 * ```
 *
 * @see {@link getState}
 * @see `sys:replace_state/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const replaceState: {
  <M extends Stateful<unknown>>(
    target: Handle.Handle<M>,
    f: (state: M[typeof StateTypeId]) => M[typeof StateTypeId],
    options?: CallOptions
  ): Effect.Effect<M[typeof StateTypeId], CallError | ReplaceFailed>
  <T extends Target, S>(
    target: T,
    f: (state: NoInfer<S>) => NoInfer<S>,
    options: Checked<S>
  ): Effect.Effect<S, Failure<T> | ReplaceFailed | WrongState>
} = (
  target: Target,
  f: (state: never) => unknown,
  options?: CallOptions & { readonly schema?: Schema.Schema<unknown> }
) =>
  ask(target, { tag: "replaceState", options }, (server) =>
    replaced(server, f as (state: unknown) => unknown, options?.schema)
  ) as Effect.Effect<never>

/**
 * Stops a server from handling messages until {@link resume}.
 *
 * **Details**
 *
 * Messages that are sent to it meanwhile wait in order, calls within their timeout. It still answers requests of `Sys`,
 * and it can be stopped, shut down and killed. Suspending twice is the same as suspending once.
 *
 * **Errors**
 *
 * - `CallError` as for a call, `NotAServer` for the pid of another process.
 *
 * **Example** (Holding a server)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Sys } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   yield* Sys.suspend(counter)
 *   yield* Agent.cast(counter, (n) => n + 1)
 *   const held = yield* Sys.getState(counter)
 *   yield* Sys.resume(counter)
 *   return [held, yield* Agent.get(counter)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [1, 2]
 * ```
 *
 * @see `sys:suspend/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const suspend = <T extends Target>(target: T, options?: CallOptions): Effect.Effect<void, Failure<T>> =>
  setSuspended(target, true, options)

/**
 * Lets a suspended server handle messages again.
 *
 * **Errors**
 *
 * - `CallError` as for a call, `NotAServer` for the pid of another process.
 *
 * **Example** (Suspended and back)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Sys } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   yield* Sys.suspend(counter)
 *   yield* Sys.resume(counter)
 *   return (yield* Sys.getStatus(counter)).status
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "running"
 * ```
 *
 * @see {@link suspend}
 * @see `sys:resume/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const resume = <T extends Target>(target: T, options?: CallOptions): Effect.Effect<void, Failure<T>> =>
  setSuspended(target, false, options)

/**
 * Shows a server: its state, its mailbox, its names, and whether it is suspended. The result is safe to print.
 *
 * **Details**
 *
 * The state is shown without secrets and within the limits of `Display`, or as the server's `formatStatus` says. For a
 * state machine `machine` shows the events that wait in it and its timers, in the same way.
 *
 * **Errors**
 *
 * - `CallError` as for a call, `NotAServer` for the pid of another process.
 *
 * **Example** (Showing a server without its secret)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Sys } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const account = yield* Agent.start(Effect.succeed({ user: "ann", password: "s3cret" }), { label: "account" })
 *   const { displayName, state, status } = yield* Sys.getStatus(account)
 *   return [displayName, state, status]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * // => ["account", { user: "ann", password: "<redacted>" }, "running"]
 * ```
 *
 * @see {@link getState} for the state as it is
 * @see `sys:get_status/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const getStatus = <T extends Target>(target: T, options?: CallOptions): Effect.Effect<Status, Failure<T>> =>
  ask(target, { tag: "getStatus", options }, (server) => Exit.succeed(statusOf(server)))

/**
 * Begins to count the messages and answers of a server from zero, or stops counting.
 *
 * **Errors**
 *
 * - `CallError` as for a call, `NotAServer` for the pid of another process.
 *
 * **Example** (Counting for a while)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Agent, Sys } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   yield* Sys.setStatistics(counter, true)
 *   yield* Agent.update(counter, (n) => n + 1)
 *   const counted = yield* Sys.statistics(counter)
 *   yield* Sys.setStatistics(counter, false)
 *   return [Option.map(counted, ({ messagesIn }) => messagesIn), yield* Sys.statistics(counter)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [Option.some(1), Option.none()]
 * ```
 *
 * @see {@link statistics}
 * @see `sys:statistics/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const setStatistics = <T extends Target>(
  target: T,
  enabled: boolean,
  options?: CallOptions
): Effect.Effect<void, Failure<T>> =>
  ask(target, { tag: "setStatistics", options }, (server) => Exit.succeed(Inspection.countMessages(server, enabled)))

/**
 * Tells how many messages a server has taken and answered since {@link setStatistics}. It gives `None` if counting is
 * off.
 *
 * **Details**
 *
 * Requests of `Sys` are not counted.
 *
 * **Errors**
 *
 * - `CallError` as for a call, `NotAServer` for the pid of another process.
 *
 * **Example** (Reading the counts)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Agent, Sys } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   yield* Sys.setStatistics(counter, true)
 *   yield* Agent.update(counter, (n) => n + 1)
 *   const { messagesIn, messagesOut } = Option.getOrThrow(yield* Sys.statistics(counter))
 *   return [messagesIn, messagesOut]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [1, 1]
 * ```
 *
 * @see `sys:statistics/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const statistics = <T extends Target>(
  target: T,
  options?: CallOptions
): Effect.Effect<Option.Option<Statistics>, Failure<T>> =>
  ask(target, { tag: "statistics", options }, (server) => Exit.succeed(statisticsOf(server)))

/**
 * Streams what a server does: the input of each handler, each answer, and the state after each turn.
 *
 * **Details**
 *
 * The stream begins when the request's turn comes, and ends with that run of the server. It holds at most `capacity`
 * events (1,024 by default). If the reader is too slow, the oldest event is dropped, or the newest if the options say
 * so. The server never waits for a reader. Payloads, answers and states are shown without secrets and within the limits
 * of `Display`.
 *
 * **Errors**
 *
 * - `CallError` or `NotAServer` if it cannot begin.
 * - Throws a `RangeError` unless `capacity` is a whole number of at least 1.
 *
 * **Interruption**
 *
 * Closing the stream leaves the server as it was.
 *
 * **Example** (Watching one call)
 *
 * ```ts import.meta.vitest
 * import { Effect, Fiber, Stream } from "effect"
 * import { Agent, Sys } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Agent.start(Effect.succeed(1))
 *   const events = yield* Effect.forkChild(Stream.runCollect(Stream.take(Sys.trace(counter), 3)), {
 *     startImmediately: true
 *   })
 *   yield* Agent.update(counter, (n) => n + 1)
 *   return (yield* Fiber.join(events)).map(({ _tag }) => _tag)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["Received", "Answered", "State"]
 * ```
 *
 * @see `sys:trace/2`, `sys:install/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const trace = <T extends Target>(
  target: T,
  options: TraceOptions = {}
): Stream.Stream<TraceEvent<ProtocolOf<T>, StateOf<T>>, Failure<T>> => {
  const { capacity = traceCapacity, strategy = "sliding" } = options
  Check.wholeNumber("The capacity of Sys.trace", capacity, 1)
  Check.oneOf("The strategy of Sys.trace", strategy, ["sliding", "dropping"])
  return Stream.callback<AnyEvent, Failure<T>>((queue) => feed(target, queue, options), {
    bufferSize: capacity,
    strategy
  }) as Stream.Stream<never, Failure<T>>
}

// ---- internals ----------------------------------------------------------------------------------------------------

type AnyEvent = TurnListeners.TraceEvent & { readonly index: number }

type Request<A> = (server: Server) => Exit.Exit<A, unknown>

interface Question {
  readonly tag: string
  readonly options: CallOptions | undefined
}

/** The types of the callers have the failures of a request besides those of the call. */
const ask = <T extends Target, A>(
  target: T,
  { options, tag }: Question,
  request: Request<A>
): Effect.Effect<A, Failure<T>> =>
  Effect.suspend(() => {
    const found = targetOf(`Sys.${tag}`, target)
    const process = found.current ?? found.last
    if (process !== undefined && !isServer(process)) {
      return Effect.fail(new NotAServer({ process: displayName(process) }))
    }
    // A pid names one run, so there is no next run to wait for.
    const how = Pid.isPid(target) ? { ...options, whenDown: "fail" as const } : options
    return askSystem(found, `Sys.${tag}`, request, how)
  }) as Effect.Effect<A, Failure<T>>

const targetOf = (to: string, target: Target): HandleTarget => {
  if (!Pid.isPid(target) && isHandle(target)) return handleTargetOf(to, target)
  const record = checkedRecord(to, target, "a client or a pid")
  const found = new HandleTarget(displayName(record))
  if (record.isAlive) found.markUp(record)
  else found.markGone(record.reason!)
  return found
}

const setSuspended = <T extends Target>(target: T, suspended: boolean, options: CallOptions | undefined) =>
  ask<T, void>(target, { tag: suspended ? "suspend" : "resume", options }, (server) => {
    server.suspended = suspended
    return Exit.void
  })

const checked = (
  schema: Schema.Schema<unknown> | undefined,
  server: Server,
  state: unknown
): Exit.Exit<unknown, unknown> => {
  if (schema === undefined) return Exit.succeed(state)
  const exit = Schema.decodeUnknownExit(Schema.toType(schema))(state)
  if (exit._tag === "Success" || !Cause.hasFails(exit.cause)) return exit
  const refused = { name: "state", value: state, settings: settingsOf(server.record.context) }
  const refusal = refusalOf(Cause.squash(exit.cause), refused)
  return Exit.fail(new WrongState({ server: displayName(server.record), refusal }))
}

const replaced = (
  server: Server,
  f: (state: unknown) => unknown,
  schema: Schema.Schema<unknown> | undefined
): Exit.Exit<unknown, unknown> => {
  const before = checked(schema, server, userState(server))
  if (before._tag === "Failure") return before
  const made = Effect.runSyncExit(Effect.sync(() => f(before.value)))
  if (made._tag === "Failure") return Exit.fail(new ReplaceFailed({ failure: made.cause }))
  const after = checked(schema, server, made.value)
  if (after._tag === "Success") Inspection.replaceState(server, after.value)
  return after
}

const statusOf = (server: Server): Status => {
  const { record } = server
  return {
    pid: record,
    displayName: displayName(record),
    name: record.name,
    label: record.label,
    parent: record.parent,
    status: server.suspended ? "suspended" : "running",
    ...Inspection.shownStatus(server),
    mailboxLength: record.mailbox.size,
    messages: record.accounting
  }
}

const statisticsOf = (server: Server): Option.Option<Statistics> =>
  Option.map(Option.fromUndefinedOr(Inspection.messageCount(server)), ({ messagesIn, messagesOut, sinceNanos }) => ({
    elapsed: Duration.millis(Number(Inspection.nowNanos(server) - sinceNanos) / 1_000_000),
    messagesIn,
    messagesOut
  }))

const feed = Effect.fnUntraced(function* <T extends Target>(
  target: T,
  queue: Queue.Enqueue<AnyEvent, Failure<T> | Cause.Done>,
  options: CallOptions
) {
  let index = 0
  let traced: Server | undefined = undefined
  let settings: Settings = defaultSettings
  const tracer: TurnListeners.Tracer = (seen) => {
    Queue.offerUnsafe(queue, { ...shownTrace(seen, settings), index: index++ })
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => traced !== undefined && Inspection.removeListener(traced, tracer)))
  const begin: Request<Pid.Pid> = (server) => {
    traced = server
    settings = settingsOf(server.record.context)
    Inspection.addTracer(server, tracer)
    return Exit.succeed(server.record)
  }
  yield* Process.awaitExit(yield* ask(target, { tag: "trace", options }, begin))
  yield* Queue.end(queue)
})
