/**
 * The protocol of a server: `Rpc`s of Effect, and casts, in a list or in an `RpcGroup`.
 *
 * Effect's own `RpcServer` can serve the same `Rpc`s over a network: see `GenServer.toRpcHandlers`.
 *
 * **Not here**
 *
 * An `Rpc` that answers with a stream does not compile as a message of a server.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type { CallError } from "./internal/call/callError.ts"
import { noAnswer } from "./internal/call/messages.ts"

declare const CastTypeId: unique symbol

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Any message of a protocol.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Any = Rpc.Any

/**
 * What can be given as a protocol: a list of messages, or an `RpcGroup` of them.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Source = ReadonlyArray<Any> | RpcGroup.Any

/**
 * The messages of a protocol.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type MessagesOf<P extends Source> =
  P extends ReadonlyArray<infer M extends Any> ? M : P extends RpcGroup.RpcGroup<infer M> ? M : never

/**
 * The Schema of what a cast answers: nothing. It marks a message as a cast.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface NoAnswer extends Schema.Void {
  readonly [CastTypeId]: true
}

/**
 * A message without an answer.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Cast {
  readonly successSchema: NoAnswer
}

/**
 * The payload as a handler gets it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Payload<R> = Rpc.Payload<R>

/**
 * The payload as a caller passes it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Input<R> = Rpc.PayloadConstructor<R>

/**
 * The answer of a call.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Success<R> = Rpc.Success<R>

/**
 * The error that a call declares, and with which its handler may fail.
 *
 * `CallError` is not part of it, even if the message declares it for `RpcServer`: it says that there was no answer. A
 * handler that gets one from another server turns it into an error of its own. The errors of middleware are not part of it,
 * either: middleware belongs to `RpcServer`, and a call inside the program does not run it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Error<R> =
  R extends Rpc.Rpc<infer _Tag, infer _Payload, infer _Success, infer E, infer _Middleware, infer _Requires>
    ? Exclude<E["Type"], CallError>
    : never

/**
 * The message of a protocol that has this tag.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type ByTag<M extends Any, Tag extends string> = Rpc.ExtractTag<M, Tag>

/**
 * The tags of the casts of a protocol.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type CastTags<M extends Any> = M extends Cast ? M["_tag"] : never

/**
 * `unknown` if no message answers with a stream, otherwise a type that no value has.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type NoStreams<P extends Source> =
  P extends ReadonlyArray<Any>
    ? { readonly [K in keyof P]: NoStream<P[K]> }
    : [Streams<MessagesOf<P>>] extends [never]
      ? unknown
      : "a message of a server cannot answer with a stream"

type NoStream<R> = [Streams<R>] extends [never] ? unknown : "a message of a server cannot answer with a stream"
type Streams<R> = R extends Any ? Rpc.IsStream<R, R["_tag"]> : never

/**
 * A message as clients of an `RpcServer` see it: it may fail with `CallError`, too. A cast is answered when the server
 * has it in its mailbox.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Served<R> =
  R extends Rpc.Rpc<infer Tag, infer Payload, infer Success, infer E, infer Middleware, infer Requires>
    ? Rpc.Rpc<Tag, Payload, Success, Schema.Union<readonly [E, typeof CallError]>, Middleware, Requires>
    : never

/**
 * The arguments of a method that sends a message. A message without a payload needs none.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Arguments<R, Options extends ReadonlyArray<unknown>> =
  Types.EqualsWith<Input<R>, void, true, false> extends true
    ? [payload?: undefined, ...options: Options]
    : [payload: Input<R>, ...options: Options]

// ---- constructors -------------------------------------------------------------------------------------------------

type CastRpc<Tag extends string, P> = Rpc.Rpc<
  Tag,
  P extends Schema.Struct.Fields ? Schema.Struct<P> : P extends Schema.Top ? P : never,
  NoAnswer,
  typeof Schema.Never
>

/**
 * Declares a message without an answer.
 *
 * **When to use**
 *
 * Use in the protocol of a server: it is `GenServer.cast` and `StateMachine.cast`. A message with an answer is an `Rpc`
 * of `effect/rpc`.
 *
 * **Details**
 *
 * A sender does not wait and does not learn whether the server handled the message. While the server is down, a cast is
 * a dead letter.
 *
 * **Example** (A message with a payload, and one without)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer, Protocol, Sys } from "effect-otp"
 *
 * class Counter extends GenServer.Service<Counter>()("app/Counter", [
 *   Protocol.cast("add", { payload: { by: Schema.Finite } }),
 *   Protocol.cast("reset")
 * ]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed(1),
 *     handlers: {
 *       add: ({ by }, count) => GenServer.noReply(count + by),
 *       reset: () => GenServer.noReply(0)
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter
 *   yield* counter.reset()
 *   yield* counter.add({ by: 5 })
 *   return yield* Sys.getState(counter, { schema: Schema.Finite })
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Counter.layer)) // => 5
 * ```
 *
 * @see `gen_server:cast/2`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const cast = <const Tag extends string, const P extends Schema.Top | Schema.Struct.Fields = typeof Schema.Void>(
  tag: Tag,
  options?: { readonly payload?: P }
): CastRpc<Tag, P> => {
  const payload = options?.payload
  const rpc: Rpc.Any =
    payload === undefined ? Rpc.make(tag) : Rpc.make<Tag, Schema.Top | Schema.Struct.Fields>(tag, { payload })
  return (rpc as Rpc.Rpc<Tag>).setSuccess(noAnswer) as unknown as CastRpc<Tag, P>
}
