/**
 * Servers: processes with a typed protocol and a state, which handle one message at a time.
 *
 * A server is declared as a service class with its protocol, then defined by `init` and a handler for each message. Its
 * Layer gives the one server of that name, which goes under a supervisor; `start` gives one of many.
 *
 * **Guarantees**
 *
 * - Three outcomes of a handler. Success: the next state. A typed failure that the message declares: the caller gets it,
 *   the state stays, the server lives. A defect: the server crashes, callers learn it at once, its supervisor decides.
 * - A call fails with its declared error or with `CallError`, which says whether the server may have begun it.
 * - A caller never interrupts a handler. (A caller of Effect's `RpcServer` does.)
 * - The state is replaced only when a handler has succeeded. A restart begins from `init`.
 * - A client names the server, not one run of it, and stays valid across restarts.
 *
 * **In Erlang/OTP**
 *
 * `gen_server`. `handle_call` and `handle_cast` are the handlers, `handle_info` is `info`, `handle_continue` is
 * `continue`. Differences: `terminate` runs on an exit signal whether it is trapped or not. An idle timeout goes to
 * `idle`, and system messages do not affect it.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Pipeable } from "effect/Pipeable"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import type * as Scope from "effect/Scope"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as Check from "../values/check.ts"
import { read } from "../values/describe.ts"
import * as ExitReason from "../kernel/ExitReason.ts"
import type * as Handle from "../kernel/Handle.ts"
import type { Bound } from "../kernel/Mailbox.ts"
import type { Pid } from "../kernel/Pid.ts"
import type { Receives, Self } from "../kernel/Process.ts"
import type { Signal } from "../kernel/Signal.ts"
import type { Timer } from "../kernel/Timer.ts"
import type { AlreadyStarted } from "../naming/Name.ts"
import type * as Registry from "../naming/Registry.ts"
import type { CallError } from "./internal/call/callError.ts"
import { CallDefaults as CallDefaultsReference } from "./internal/call/callOptions.ts"
import { clientMaker } from "./internal/call/client.ts"
import { define, type DefineOptions } from "./internal/server/define.ts"
import { InitResult as InitialResult } from "./internal/server/handlerAnswer.ts"
import { stopServer } from "./internal/server/stop.ts"
import { addTravelingReference } from "./internal/call/messageContext.ts"
import { viaTarget } from "./internal/server/viaTarget.ts"
import { messagesOf } from "./internal/call/messages.ts"
import { protocolOf, servedGroup, servedHandlers } from "./internal/call/served.ts"
import * as Protocol from "./Protocol.ts"
import { type DefinitionTypeId, makeDefinition } from "./shared/definition.ts"
import { isHandle, targetOf } from "../kernel/shared/handleTarget.ts"

export {
  /**
   * @stability experimental
   * @category type IDs
   * @since 0.1.0
   */
  DefinitionTypeId
} from "./shared/definition.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * How a call waits.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface CallOptions {
  /**
   * How long to wait for the answer. Default: 5 seconds. `"inherit"` means the time that is left to the call in hand.
   */
  readonly timeout?: Duration.Input | "inherit" | undefined
  /** What to do while the server is down: fail at once (default), or wait for its restart within the timeout. */
  readonly whenDown?: "fail" | "wait" | undefined
}

type Method<R> = R extends Protocol.Cast
  ? (...args: Protocol.Arguments<R, []>) => Effect.Effect<void>
  : (
      ...args: Protocol.Arguments<R, [options?: CallOptions]>
    ) => Effect.Effect<Protocol.Success<R>, Protocol.Error<R> | CallError>

/**
 * The client of a server: a method for each message.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Client<M extends Protocol.Any> = Handle.Handle<M> & {
  readonly [T in M["_tag"]]: Method<Protocol.ByTag<M, T>>
}

/**
 * What happens after a turn.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface NextOptions<out C = never> {
  /** The server runs its `continue` handler with this value before anything that waits in the mailbox. */
  readonly continue?: C
  /**
   * The server runs `idle` if no message comes for this long. This replaces `idleTimeout` until the next turn that
   * succeeds. Without an `idle` handler the server stops then.
   */
  readonly idle?: Duration.Input | undefined
}

/**
 * Answers the call and goes on with a new state.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Reply<out A, out S, out C = never> {
  readonly _tag: "Reply"
  readonly value: A
  readonly state: S
  readonly options: NextOptions<C> | undefined
}

/**
 * Goes on with a new state. A call is answered later, through `context.from`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface NoReply<out S, out C = never> {
  readonly _tag: "NoReply"
  readonly state: S
  readonly options: NextOptions<C> | undefined
}

/**
 * Ends the server. A call gets no answer.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Stop<out S> {
  readonly _tag: "Stop"
  readonly reason: ExitReason.ExitReason
  readonly state: S
}

/**
 * Ends the server and answers the call after `terminate`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface StopReply<out A, out S> {
  readonly _tag: "StopReply"
  readonly reason: ExitReason.ExitReason
  readonly value: A
  readonly state: S
}

/**
 * The result of `init` if it gives more than the state.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Initial<out S, out C = never> {
  readonly state: S
  readonly options: NextOptions<C>
}

type InfoNext<S, C> = NoReply<S, C> | Stop<S>
type Next<R, S, C> = R extends Protocol.Cast
  ? InfoNext<S, C>
  : Reply<Protocol.Success<R>, S, C> | StopReply<Protocol.Success<R>, S> | InfoNext<S, C>

/**
 * An answer that can be given once, later and from anywhere. A second one is dropped.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ReplyTo<in A, in E> {
  readonly succeed: (value: A) => Effect.Effect<void>
  readonly fail: (error: E) => Effect.Effect<void>
}

/**
 * What a handler can use besides its message and its state.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface HandlerContext<M extends Protocol.Any, R, I> {
  /** The client of this server. A call to it in a turn is a `CallCycle`; a cast is allowed. */
  readonly self: Client<M>
  /** Where the answer goes. Undefined for a message without an answer. */
  readonly from: R extends Protocol.Cast ? undefined : ReplyTo<Protocol.Success<R>, Protocol.Error<R>>
  /** Sends an info message to this run of the server after a delay. */
  readonly sendAfter: (delay: Duration.Input, info: I) => Effect.Effect<Timer>
  /** Sends an info message to this run of the server again and again. */
  readonly sendEvery: (interval: Duration.Input, info: I) => Effect.Effect<Timer>
  /**
   * Casts to a server at once, from a handler that is not an effect. If it would have to wait for room in a mailbox,
   * the message is a dead letter. Throws for a payload that its Schema refuses.
   */
  readonly cast: <T extends Protocol.Any, Tag extends Protocol.CastTags<T>>(
    to: Handle.Handle<T>,
    tag: Tag,
    ...payload: Protocol.Arguments<Protocol.ByTag<T, Tag>, []>
  ) => void
}

type Handler<M extends Protocol.Any, R, S, I, C> = (
  payload: Protocol.Payload<R>,
  state: S,
  context: HandlerContext<M, R, I>
) => Next<R, S, C> | Effect.Effect<Next<R, S, C>, R extends Protocol.Cast ? never : Protocol.Error<R>, unknown>

/**
 * A handler for each message of a protocol.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Handlers<M extends Protocol.Any, S, I, C> = {
  readonly [T in M["_tag"]]: Handler<M, Protocol.ByTag<M, T>, S, I, C>
}

type ServicesOf<H> = {
  [K in keyof H]: H[K] extends (...args: never) => infer X
    ? X extends Effect.Effect<infer _A, infer _E, infer R>
      ? R
      : never
    : never
}[keyof H]

/**
 * What can be shown of a server. Its `formatStatus` gets this.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Status<out S> {
  /** Undefined if `init` has crashed. */
  readonly state: S
  /** The message in hand. */
  readonly message: unknown
  /** Why it crashed. Undefined for `Sys.getStatus`. Its errors may contain what you hide in state and message. */
  readonly reason: ExitReason.ExitReason | undefined
}

/**
 * What a server shows of itself in a crash report and by `Sys.getStatus`. Its `formatStatus` returns this.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Shown {
  readonly state: unknown
  readonly message: unknown
  /** If it is undefined or left out, the real reason is shown. */
  readonly reason?: ExitReason.ExitReason | undefined
}

/**
 * The options of a server.
 *
 * `init` may fail: then the start fails with its error. Handlers run one at a time. The scope of `init` ends with the
 * run, the scope of a handler with its message. Fibers that a handler forks as children end with the message.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<
  M extends Protocol.Any,
  A extends ReadonlyArray<unknown>,
  S,
  E,
  H,
  I,
  C,
  CI,
  N,
  RI,
  RN,
  RC,
  RD,
  RT
> {
  readonly init: (...args: A) => Effect.Effect<S | Initial<S, CI>, E, RI>
  readonly handlers: H & Handlers<M, S, NoInfer<I>, NoInfer<C>> & { readonly [K in Exclude<keyof H, M["_tag"]>]: never }
  /**
   * Handles timers, trapped exits and downs. Without it they are logged as warnings. Annotate the type of its message,
   * and write it before `handlers`: the compiler uses it to check the messages that they send.
   */
  readonly info?:
    | ((
        message: I | Signal,
        state: S,
        context: HandlerContext<M, Protocol.Cast, I>
      ) => InfoNext<S, NoInfer<C>> | Effect.Effect<InfoNext<S, NoInfer<C>>, never, RN>)
    | undefined
  /** Runs before the next message if a turn has asked for it. Annotate the type of its token. */
  readonly continue?:
    | ((
        token: C,
        state: S,
        context: HandlerContext<M, Protocol.Cast, I>
      ) => InfoNext<S, NoInfer<C>> | Effect.Effect<InfoNext<S, NoInfer<C>>, never, RC>)
    | undefined
  /** Runs if no message comes for `idleTimeout`, or for the time that the last turn has set. */
  readonly idle?:
    | ((
        state: S,
        context: HandlerContext<M, Protocol.Cast, I>
      ) => InfoNext<S, NoInfer<C>> | Effect.Effect<InfoNext<S, NoInfer<C>>, never, RD>)
    | undefined
  /** Runs when the server ends, with its last good state. It does not run after a kill or a failed `init`. */
  readonly terminate?: ((reason: ExitReason.ExitReason, state: S) => Effect.Effect<void, never, RT>) | undefined
  /** A unique name, or a key of a registry by `Registry.via`. It is claimed before `init` runs. */
  readonly name?: N | undefined
  /** A bound for the mailbox. Default: none. */
  readonly mailbox?: Bound | undefined
  /** Whether an orderly shutdown waits for all messages that came before it. Default: false. */
  readonly drain?: boolean | undefined
  /**
   * How long the server may wait for a message before `idle` runs, unless the last turn has set another time. After a
   * typed failure it counts anew. Without an `idle` handler the server stops with `Normal`. Default: for ever.
   */
  readonly idleTimeout?: Duration.Input | undefined
  /**
   * How long a turn may take. After that the server crashes with `TurnTimeout`: callers learn it at once, the turn is
   * interrupted, and `terminate` runs. A turn that cannot be interrupted has the same time again; then the server ends
   * as after a kill. Code that blocks the thread cannot be stopped. Default: no limit.
   */
  readonly turnTimeout?: Duration.Input | undefined
  /** What crash reports and `Sys.getStatus` show in place of state, message and reason, for example without secrets. */
  readonly formatStatus?: ((status: Status<S>) => Shown) | undefined
}

/**
 * How to start a server: as the one service of that name, or as one of many.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Definition<
  in out Self,
  M extends Protocol.Any,
  in A extends ReadonlyArray<unknown>,
  out E,
  out R
> extends Pipeable {
  readonly [DefinitionTypeId]: { readonly id: string }
  /** The Layer of the one server of that name. */
  readonly layer: (...args: A) => Layer.Layer<Self, E, R>
  /** Starts one of many. It ends in good order when the scope closes. */
  readonly start: (...args: A) => Effect.Effect<Client<M>, E, R | Scope.Scope>
}

/** A server whose `init` asks for a `continue` needs a handler for it. */
type Continued<CI, C, S> = [CI] extends [C]
  ? unknown
  : { readonly continue: (token: CI, state: S, ...context: ReadonlyArray<never>) => unknown }

type Name<A extends ReadonlyArray<unknown>> = string | Registry.Claim | ((...args: A) => string | Registry.Claim)
type NameError<N> = [N] extends [undefined] ? never : AlreadyStarted
type Without<R, I> = Exclude<R, Scope.Scope | Self | Receives<I>>

/**
 * The service class of a server: its key in the environment, and `define`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, M extends Protocol.Any> extends Context.ServiceClass<
  Self,
  Id,
  Client<M>
> {
  /** Says how the server starts and what it does with each message. */
  define<
    A extends ReadonlyArray<unknown>,
    S,
    E,
    RI,
    H extends Handlers<M, S, I, C>,
    I = never,
    C = never,
    CI = never,
    const N extends Name<A> | undefined = undefined,
    RN = never,
    RC = never,
    RD = never,
    RT = never
  >(
    options: Options<M, A, S, E, H, I, C, CI, N, RI, RN, RC, RD, RT> & Continued<NoInfer<CI>, NoInfer<C>, NoInfer<S>>
  ): Definition<
    Self,
    M,
    A,
    E | NameError<N>,
    Without<RI | ServicesOf<H> | RN | RC | RD | RT | Registry.ClaimNeeds<N>, I>
  >
  /** The messages, as a group of Effect. For `RpcServer` use {@link toRpcGroup} and {@link toRpcHandlers}. */
  readonly protocol: RpcGroup.RpcGroup<M>
  /**
   * The client of the server behind a key of a registry. The server is looked up at each use of the client. While no
   * process has the key, a call fails with `NoProcess`, or waits with `whenDown: "wait"`. If the process is not a
   * server of this service, a call is a defect.
   */
  via(key: Registry.Via): Client<M>
}

// ---- errors -------------------------------------------------------------------------------------------------------

export type {
  /**
   * `"no"`: the server never began this call, so a retry is safe. `"unknown"`: it may have begun.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  CallStarted
} from "./internal/call/callError.ts"
export {
  /**
   * What happened to a call, and the Schema of it.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  CallReason,
  /**
   * There was no answer within the timeout of the call.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  Timeout,
  /**
   * The server is down at the moment, or gone.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  NoProcess,
  /**
   * The server ended before it answered. Its `reason` is the exit reason of the server, with the cause of a crash.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  ServerDown,
  /**
   * The mailbox of the server refused the call.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  MailboxFull,
  /**
   * The server waits, directly or through others, for the process that calls. `path` names all of them.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  CallCycle
} from "./internal/call/callReason.ts"
export {
  /**
   * A call got no answer.
   *
   * **Details**
   *
   * The `reason` says what happened. `started` says whether the server may have begun the call: after `started: "no"` a
   * retry is safe. To handle one reason, use `Effect.catchReason("CallError", "Timeout", …)`.
   *
   * `isRetryable` is true if a retry is safe and may succeed: the call did not begin, and its reason may pass. For a
   * request that may run twice, `reason.isRetryable` says whether a retry may succeed.
   *
   * It is a Schema, so it can be one of the errors of an `Rpc` or of an `HttpApiEndpoint`. Its status is 503. What a
   * server crashed with is encoded as `ExitReason` says. For clients that must not see that, and for the status 504 of a
   * `Timeout`, use {@link HttpCallError}. An HTTP handler whose endpoint does not declare it answers with 504 for
   * a `Timeout` and otherwise with 503, without a body.
   *
   * **Example** (Retrying while it is safe)
   *
   * ```ts import.meta.vitest
   * import { Effect } from "effect"
   * import { GenServer } from "effect-otp"
   *
   * const noProcess = new GenServer.CallError({
   *   server: "shop/Till",
   *   request: "pay",
   *   reason: new GenServer.NoProcess(),
   *   started: "no"
   * })
   * let calls = 0
   * const pay = Effect.suspend(() => (++calls < 3 ? Effect.fail(noProcess) : Effect.succeed(5)))
   *
   * const paid = pay.pipe(
   *   Effect.retry({ while: ({ isRetryable }) => isRetryable, times: 3 }),
   *   Effect.catchReason("CallError", "Timeout", () => Effect.succeed(0))
   * )
   *
   * await Effect.runPromise(paid) // => 5
   * ```
   *
   * @see the exits of `gen_server:call`: `timeout`, `noproc`, `calling_self`, or the reason for which the server died
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  CallError,
  /**
   * The errors of an `HttpApiEndpoint` for {@link CallError}: status 504 for a `Timeout`, 503 for every other reason.
   *
   * **When to use**
   *
   * Use in the `error` of an endpoint whose handler calls a server and lets the `CallError` through.
   *
   * **Details**
   *
   * The client gets a `CallError` without what is known of the end of the server: a crash has no cause, and a `Shutdown`
   * has no detail.
   *
   * **Example** (Letting a CallError through)
   *
   * ```ts import.meta.vitest
   * import { Schema } from "effect"
   * import { GenServer } from "effect-otp"
   * import { HttpApiEndpoint } from "effect/http-api"
   *
   * class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", {}, { httpApiStatus: 409 }) {}
   *
   * const take = HttpApiEndpoint.post("take", "/take", {
   *   success: Schema.Finite,
   *   error: [OutOfStock, ...GenServer.HttpCallError]
   * })
   *
   * take.error.size // => 3
   * ```
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  HttpCallError
} from "./internal/call/callError.ts"
export {
  /**
   * A turn was not over within the `turnTimeout` of its server.
   *
   * **Details**
   *
   * It is the defect in the cause of the crash: the server ends with `Crash`, and its supervisor decides. Callers get it
   * in the `ServerDown` of their `CallError`. `request` is the tag of the message whose turn it was. For a turn without a
   * message of the protocol it is `"info"`, `"continue"` or `"idle"`. For an event of a state machine it is the event's
   * `_tag`, if it has one, and `"start"` for the first turn.
   *
   * There is nothing like it in OTP. A stuck `gen_server` stays stuck until somebody kills it.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  TurnTimeout
} from "./internal/server/turnTimeout.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Declares a server: its service, its name in the environment, and its protocol.
 *
 * Throws a `RangeError` for a protocol with two messages of the same tag.
 *
 * **Example** (Counting)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { GenServer } from "effect-otp"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", [
 *   Rpc.make("get", { success: Schema.Number }),
 *   GenServer.cast("add", { payload: { by: Schema.Number } })
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed(0),
 *     handlers: {
 *       get: (_, count) => GenServer.reply(count, count),
 *       add: ({ by }, count) => GenServer.noReply(count + by)
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   yield* counter.add({ by: 2 })
 *   return yield* counter.get()
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Counter.layer))) // => 2
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const Service =
  <Self>() =>
  <const Id extends string, const P extends Protocol.Source>(
    id: Id,
    protocol: P & Protocol.NoStreams<P>
  ): ServiceClass<Self, Id, Protocol.MessagesOf<P>> => {
    const key = Context.Service<Self, Client<Protocol.MessagesOf<P>>>()(id)
    const { messages, protocol: group } = messagesOf(id, protocol)
    const makeClient = clientMaker(messages)
    const untyped = (options: DefineOptions) => makeDefinition(define({ id, key, makeClient }, options), {})
    const via = (at: Registry.Via) => makeClient(viaTarget(at, { id, key, makeClient }))
    return Object.assign(key, { define: untyped, via, protocol: group }) as unknown as ServiceClass<
      Self,
      Id,
      Protocol.MessagesOf<P>
    >
  }

/**
 * Declares a message without an answer.
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const cast = Protocol.cast

/**
 * Answers the call and gives the next state.
 *
 * **When to use**
 *
 * Use as the answer of a handler, alone or as the result of an effect.
 *
 * **Details**
 *
 * The state is replaced when the handler has succeeded. With `continue` in the options, the server runs its `continue`
 * handler before the next message. With `idle`, it runs `idle` if no message comes for that long.
 *
 * **Example** (Answering with the state)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", [Rpc.make("next", { success: Schema.Finite })]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed(1),
 *     handlers: { next: (_, count) => GenServer.reply(count, count + 1) }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   return [yield* counter.next(), yield* counter.next()]
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Counter.layer)) // => [1, 2]
 * ```
 *
 * @see {@link noReply} for an answer that is given later, {@link stopReply} to answer and end
 * @see `{reply, Reply, NewState}` of `gen_server`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const reply = <A, S, const C = never>(value: A, state: S, options?: NextOptions<C>): Reply<A, S, C> => ({
  _tag: "Reply",
  value,
  state,
  options
})

/**
 * Gives the next state, and no answer.
 *
 * **When to use**
 *
 * Use in the handlers of casts, in `info`, `continue` and `idle`. In the handler of a call, use it to answer later:
 * keep `context.from`, and call its `succeed` or `fail` when the answer is known.
 *
 * **Details**
 *
 * A call that is never answered fails with `Timeout`.
 *
 * **Example** (Answering later)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * class Bell extends GenServer.Service<Bell>()("app/Bell", [
 *   Rpc.make("wait", { success: Schema.String }),
 *   GenServer.cast("ring")
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed<ReadonlyArray<GenServer.ReplyTo<string, never>>>([]),
 *     handlers: {
 *       wait: (_, waiting, { from }) => GenServer.noReply([...waiting, from]),
 *       ring: (_, waiting) =>
 *         Effect.as(Effect.forEach(waiting, (from) => from.succeed("ding")), GenServer.noReply([]))
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const bell = yield* Bell
 *   const [answer] = yield* Effect.all([bell.wait(), bell.ring()], { concurrency: 2 })
 *   return answer
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Bell.layer)) // => "ding"
 * ```
 *
 * @see {@link reply}
 * @see `{noreply, NewState}` of `gen_server`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const noReply = <S, const C = never>(state: S, options?: NextOptions<C>): NoReply<S, C> => ({
  _tag: "NoReply",
  state,
  options
})

/**
 * Ends the server. If the handler was for a call, the call fails with `ServerDown`.
 *
 * **Details**
 *
 * `terminate` runs with this state. The supervisor restarts a `"permanent"` server whatever the reason is, and a
 * `"transient"` one only after a reason that is not expected.
 *
 * **Example** (Ending on request)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { ExitReason, GenServer, Process } from "effect-otp"
 *
 * class Session extends GenServer.Service<Session>()("app/Session", [GenServer.cast("close")]) {
 *   static readonly definition = this.define({
 *     init: () => Effect.succeed("open"),
 *     handlers: { close: () => GenServer.stop(ExitReason.normal, "closed") }
 *   })
 * }
 *
 * const program = Effect.gen(function*() {
 *   const session = yield* Session.definition.start()
 *   const pid = Option.getOrThrow(yield* GenServer.pid(session))
 *   yield* session.close()
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => { _tag: "Normal" }
 * ```
 *
 * @see {@link stopReply} to answer the call as well, {@link terminate} to end a server from outside
 * @see `{stop, Reason, NewState}` of `gen_server`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const stop = <S>(reason: ExitReason.ExitReason, state: S): Stop<S> => ({ _tag: "Stop", reason, state })

/**
 * Ends the server, and answers the call after `terminate` has run.
 *
 * **Example** (A last answer)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { ExitReason, GenServer } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * class Session extends GenServer.Service<Session>()("app/Session", [Rpc.make("close", { success: Schema.String })]) {
 *   static readonly definition = this.define({
 *     init: () => Effect.succeed("open"),
 *     handlers: { close: (_, state) => GenServer.stopReply(ExitReason.normal, `it was ${state}`, "closed") }
 *   })
 * }
 *
 * const program = Effect.flatMap(Session.definition.start(), (session) => session.close())
 *
 * await Effect.runPromise(Effect.scoped(program)) // => "it was open"
 * ```
 *
 * @see {@link stop}
 * @see `{stop, Reason, Reply, NewState}` of `gen_server`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const stopReply = <A, S>(reason: ExitReason.ExitReason, value: A, state: S): StopReply<A, S> => ({
  _tag: "StopReply",
  reason,
  value,
  state
})

/**
 * Says in which state a server starts, and what it does first.
 *
 * **When to use**
 *
 * Use as the result of `init` if the server has more to do before its first message, and its starter need not wait for
 * that. The starter goes on as soon as `init` has succeeded.
 *
 * **Example** (Loading after the start)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * class Menu extends GenServer.Service<Menu>()("shop/Menu", [Rpc.make("dishes", { success: Schema.Array(Schema.String) })]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed(GenServer.initial<ReadonlyArray<string>, "load">([], { continue: "load" })),
 *     continue: (_: "load", dishes) => Effect.succeed(GenServer.noReply([...dishes, "soup"])),
 *     handlers: { dishes: (_, dishes) => GenServer.reply(dishes, dishes) }
 *   }).layer()
 * }
 *
 * const program = Effect.flatMap(Menu, (menu) => menu.dishes())
 *
 * await Effect.runPromise(Effect.provide(program, Menu.layer)) // => ["soup"]
 * ```
 *
 * @see `{ok, State, {continue, Token}}` of `gen_server`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const initial = <S, const C = never>(state: S, options: NextOptions<C>): Initial<S, C> =>
  new InitialResult(state, options) as unknown as Initial<S, C>

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Gives the pid of the run that a client points to now, or `None` while the server is down.
 *
 * **When to use**
 *
 * Use for functions that need a pid: monitors, `Process.info`. Do not keep the pid: after a restart it names a dead
 * run, while the client stays valid.
 *
 * **Example** (Monitoring a server)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { GenServer, Process } from "effect-otp"
 *
 * class Session extends GenServer.Service<Session>()("app/Session", []) {
 *   static readonly definition = this.define({ init: () => Effect.void, handlers: {} })
 * }
 *
 * const program = Effect.gen(function*() {
 *   const session = yield* Session.definition.start()
 *   const pid = Option.getOrThrow(yield* GenServer.pid(session))
 *   yield* GenServer.terminate(session)
 *   return [yield* Process.awaitExit(pid), yield* GenServer.pid(session)]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [{ _tag: "Normal" }, Option.none()]
 * ```
 *
 * @see `GenServer.whereis/1` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const pid: <M extends Protocol.Any>(client: Client<M>) => Effect.Effect<Option.Option<Pid>> = (client) =>
  Effect.sync(() => Option.fromUndefinedOr(targetOf("GenServer.pid", client).current))

/**
 * Stops a server in good order and waits until it has ended.
 *
 * **When to use**
 *
 * Use for a server that you started yourself. A supervisor restarts a `"permanent"` child that is stopped this way: use
 * `terminateChild` of the supervisor for it.
 *
 * **Details**
 *
 * The server handles what was sent to it before, runs `terminate`, and ends with `reason` (`Normal` by default). The
 * wait has no limit unless you give a `timeout`. If the timeout passes, the request stays: the server still stops.
 *
 * **Errors**
 *
 * `CallError`, with one of these reasons:
 *
 * - `NoProcess` if the server is down.
 * - `ServerDown` if it ended for another reason than the one you gave.
 * - `Timeout` if it has not ended in time.
 * - `CallCycle` if a server stops itself in its own turn. Let the handler answer {@link stop} instead.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The server still stops.
 *
 * **Example** (Stopping a server)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { GenServer } from "effect-otp"
 *
 * const log: Array<string> = []
 * class Session extends GenServer.Service<Session>()("app/Session", [GenServer.cast("say")]) {
 *   static readonly definition = this.define({
 *     init: () => Effect.succeed(0),
 *     handlers: { say: (_, said) => GenServer.noReply(said + 1) },
 *     terminate: (reason, said) => Effect.sync(() => log.push(`${reason._tag} after ${said}`))
 *   })
 * }
 *
 * const program = Effect.gen(function*() {
 *   const session = yield* Session.definition.start()
 *   yield* session.say()
 *   yield* GenServer.terminate(session)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * log // => ["Normal after 1"]
 * ```
 *
 * @see {@link stop}, with which a server ends itself
 * @see `gen_server:stop/3`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const terminate = <M extends Protocol.Any>(
  client: Client<M>,
  options?: {
    readonly reason?: ExitReason.ExitReason | undefined
    readonly timeout?: Duration.Input | undefined
  }
): Effect.Effect<void, CallError> =>
  stopServer(targetOf("GenServer.terminate", client), {
    reason: options?.reason ?? ExitReason.normal,
    timeout: Check.duration("The timeout of GenServer.terminate", Check.or(options?.timeout, Duration.infinity))
  })

/**
 * Makes the value of a `Context.Reference` travel with each message, from the sender to the handler.
 *
 * **When to use**
 *
 * Use for values that belong to a request, such as a tenant or a locale. Call it once, where the reference is declared.
 * Spans and log annotations travel without it.
 *
 * **Example** (A tenant that travels)
 *
 * ```ts import.meta.vitest
 * import { Context, Effect, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * const Tenant = GenServer.traveling(Context.Reference<string>("app/Tenant", { defaultValue: () => "nobody" }))
 *
 * class Greeter extends GenServer.Service<Greeter>()("app/Greeter", [Rpc.make("greet", { success: Schema.String })]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.void,
 *     handlers: {
 *       greet: (_, state) => Effect.map(Tenant, (tenant) => GenServer.reply(`hello ${tenant}`, state))
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.flatMap(Greeter, (greeter) => Effect.provideService(greeter.greet(), Tenant, "acme"))
 *
 * await Effect.runPromise(Effect.provide(program, Greeter.layer)) // => "hello acme"
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const traveling = <A>(reference: Context.Reference<A>): Context.Reference<A> => {
  addTravelingReference(reference)
  return reference
}

// ---- over a network -----------------------------------------------------------------------------------------------

/**
 * The service of a server that can be served over a network: a `GenServer` or a `StateMachine`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Servable<Self, M extends Protocol.Any> extends Context.Key<Self, Client<M>> {
  readonly protocol: RpcGroup.RpcGroup<M>
}

/**
 * The protocol of a server as an `RpcGroup` for clients in other programs.
 *
 * **When to use**
 *
 * Use for `RpcServer.layer` and `RpcClient.make`, with {@link toRpcHandlers}. Client and server must use the same group.
 *
 * **Details**
 *
 * Each message may fail with {@link CallError}, too, because the server may be down, crash or take too long. A cast is
 * answered as soon as it is in the mailbox of the server. It fails with `CallError` if it does not get there.
 *
 * For two servers with the same tags, give one of them a prefix: `GenServer.toRpcGroup(Stock).prefix("stock.")`, and
 * the same one to {@link toRpcHandlers}.
 *
 * **Example** (The errors of a served message)
 *
 * ```ts import.meta.vitest
 * import { Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * class Stock extends GenServer.Service<Stock>()("shop/Stock", [
 *   Rpc.make("left", { success: Schema.Finite }),
 *   GenServer.cast("deliver", { payload: { count: Schema.Finite } })
 * ]) {}
 *
 * class StockRpcs extends GenServer.toRpcGroup(Stock) {}
 *
 * Array.from(StockRpcs.requests.keys()) // => ["left", "deliver"]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const toRpcGroup = <Self, M extends Protocol.Any>(
  service: Servable<Self, M>
): RpcGroup.RpcGroup<Protocol.Served<M>> =>
  servedGroup(protocolOf("GenServer.toRpcGroup", service)) as unknown as RpcGroup.RpcGroup<Protocol.Served<M>>

/**
 * The handlers with which Effect's `RpcServer` serves a running server.
 *
 * **When to use**
 *
 * Use to call a server from another program, with the group of {@link toRpcGroup}.
 *
 * **Details**
 *
 * Each request is a call or a cast of the client of the server, so it waits for its turn as any other message does.
 * `timeout` and `whenDown` are the options of these calls. A cast waits for room in a full mailbox within `timeout`, and
 * fails at once while the server is down. The span of the remote caller travels to the handler.
 *
 * **Errors**
 *
 * The remote client gets the errors that the call declares, and `CallError`: `NoProcess` while the server is down,
 * `ServerDown` if it crashes under the call, `Timeout`, `MailboxFull`. With a group that does not declare `CallError`,
 * the remote client gets a defect in its place. If the payload cannot be decoded, it gets a defect, too, and the server
 * never sees the message.
 *
 * **Interruption**
 *
 * If the remote client is interrupted or its connection breaks, the call is taken back if it has not begun. A call that
 * has begun runs to its end. A handler that is written for `RpcServer` by hand is interrupted instead.
 *
 * **Example** (A client of another program)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Rpc, RpcTest } from "effect/rpc"
 *
 * class Stock extends GenServer.Service<Stock>()("shop/Stock", [
 *   Rpc.make("left", { success: Schema.Finite }),
 *   GenServer.cast("deliver", { payload: { count: Schema.Finite } })
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed(0),
 *     handlers: {
 *       left: (_, left) => GenServer.reply(left, left),
 *       deliver: ({ count }, left) => GenServer.noReply(left + count)
 *     }
 *   }).layer()
 * }
 *
 * class StockRpcs extends GenServer.toRpcGroup(Stock) {}
 * const Handlers = GenServer.toRpcHandlers(Stock, { timeout: "2 seconds" }).pipe(Layer.provide(Stock.layer))
 * // In a real program: RpcServer.layerHttp({ group: StockRpcs, path: "/rpc" }).pipe(Layer.provide(Handlers))
 *
 * const program = Effect.gen(function*() {
 *   const stock = yield* RpcTest.makeClient(StockRpcs)
 *   yield* stock.deliver({ count: 3 })
 *   return yield* stock.left()
 * })
 *
 * await Effect.runPromise(Effect.scoped(Effect.provide(program, Handlers))) // => 3
 * ```
 *
 * @stability experimental
 * @category layers
 * @since 0.1.0
 */
export const toRpcHandlers = <Self, M extends Protocol.Any, const Prefix extends string = "">(
  service: Servable<Self, M>,
  options: CallOptions & { readonly prefix?: Prefix } = {}
): Layer.Layer<Rpc.ToHandler<Rpc.Prefixed<M, Prefix>>, never, Self> => {
  const { prefix = "", ...calls } = options
  const protocol = protocolOf("GenServer.toRpcHandlers", service)
  return servedHandlers({ protocol, key: service }, prefix, calls)
}

/**
 * The Schema of the clients of a server, for protocols that stay in one program.
 *
 * **When to use**
 *
 * Use in a payload or an answer of a server that hands out clients of others: a directory, a pool.
 *
 * **Details**
 *
 * It accepts every client that has the messages of the protocol, a double of a test included. It cannot tell two services
 * with the same messages apart.
 *
 * **Errors**
 *
 * A client cannot be encoded: it stands for a server of this program. Send the key with which the other side finds the
 * server, or serve the server itself with {@link toRpcHandlers}.
 *
 * **Example** (A directory of servers)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * class Room extends GenServer.Service<Room>()("app/Room", [Rpc.make("topic", { success: Schema.String })]) {
 *   static readonly definition = this.define({
 *     init: (topic: string) => Effect.succeed(topic),
 *     handlers: { topic: (_, topic) => GenServer.reply(topic, topic) }
 *   })
 * }
 *
 * class Rooms extends GenServer.Service<Rooms>()("app/Rooms", [
 *   Rpc.make("find", { success: GenServer.clientSchema(Room) })
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Room.definition.start("weather"),
 *     handlers: { find: (_, room) => GenServer.reply(room, room) }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const rooms = yield* Rooms
 *   const room = yield* rooms.find()
 *   return yield* room.topic()
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Rooms.layer)) // => "weather"
 * ```
 *
 * @stability experimental
 * @category schemas
 * @since 0.1.0
 */
export const clientSchema = <Self, M extends Protocol.Any>(service: Servable<Self, M>): Schema.declare<Client<M>> => {
  const tags = [...protocolOf("GenServer.clientSchema", service).requests.keys()]
  const isClient = (u: unknown): u is Client<M> =>
    isHandle(u) && tags.every((tag) => typeof read(u, tag) === "function")
  const refuse = SchemaGetter.forbidden<never, unknown>(
    () => `a client of ${service.key} means nothing outside its program: send a key of the server`
  )
  return Schema.declare(isClient, {
    expected: `a client of ${service.key}`,
    toCodec: () => Schema.link<Client<M>>()(Schema.String, { decode: refuse, encode: refuse })
  })
}

// ---- services -----------------------------------------------------------------------------------------------------

/**
 * The options of calls that do not give their own. Default: 5 seconds, and fail at once while the server is down.
 *
 * @stability experimental
 * @category services
 * @since 0.1.0
 */
export const CallDefaults: Context.Reference<CallOptions> = CallDefaultsReference
