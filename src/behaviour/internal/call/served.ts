/** How Effect's `RpcServer` serves a server of this library. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { attempt } from "../../../values/valueKinds.ts"
import { refuseArgument } from "../../../values/wrongArgument.ts"
import type { Handle } from "../../../kernel/Handle.ts"
import { targetOf, type HandleTarget } from "../../../kernel/shared/handleTarget.ts"
import { currentProcessUnsafe, type Refusal } from "../../../kernel/shared/processRecord.ts"
import { postUnsafe } from "../../../kernel/shared/processes.ts"
import { downReason } from "./call.ts"
import { CallError } from "./callError.ts"
import type { CallReason } from "./callReason.ts"
import type { CallOptions } from "./callOptions.ts"
import { castOf, envelopeOf, receiver, timeoutMillis } from "./client.ts"
import { refusalReason } from "./envelopes.ts"
import { makeCallError, timeout } from "./makeCallError.ts"
import type { Message } from "./messages.ts"

type Group = RpcGroup.RpcGroup<Rpc.AnyWithProps>

/**
 * The protocol of a service. Anything else is refused with a `RangeError`. `to` names the function that was given it.
 *
 * @internal
 */
export const protocolOf = (to: string, service: { readonly protocol: unknown }): Group => {
  const protocol = attempt(() => service.protocol as Group)
  if (attempt(() => protocol?.requests instanceof Map) === true) return protocol!
  return refuseArgument({ to, what: "a service of a server", isForeign: false }, service)
}

/** What is served, without its types. @internal */
export interface Served {
  readonly key: Context.Key<unknown, unknown>
  readonly protocol: Group
}

/** The group that a remote client uses. Each message may fail with `CallError`, too. @internal */
export const servedGroup = (protocol: Group): Group =>
  RpcGroup.make(...[...protocol.requests.values()].map(withCallError)).annotateMerge(protocol.annotations)

const withCallError = (rpc: Rpc.AnyWithProps): Rpc.AnyWithProps =>
  (rpc as Rpc.Rpc<string>).setError(Schema.Union([rpc.errorSchema, CallError])) as Rpc.AnyWithProps

type Method = (payload: unknown, options?: CallOptions) => Effect.Effect<unknown, unknown>

/**
 * The handlers of a service. They are made from the tags of its protocol, so only the caller can say which types the Layer
 * gives and needs. @internal
 */
export const servedHandlers = <A, R>(
  { key, protocol }: Served,
  prefix: string,
  options: CallOptions
): Layer.Layer<A, never, R> => {
  const handlers = Effect.map(Effect.service(key), (service) => {
    const client = service as Handle<unknown>
    const methods = client as unknown as Readonly<Record<string, Method>>
    const handlerOf = (tag: string): Method => {
      const cast = castOf(client, tag)
      if (cast === undefined) return (payload) => methods[tag]!(payload, options)
      const target = targetOf("GenServer.toRpcHandlers", client)
      return (payload) => castAccepted({ cast, target, options }, payload)
    }
    const entries = [...protocol.requests.keys()].map((tag) => [`${prefix}${tag}`, handlerOf(tag)] as const)
    return Object.fromEntries(entries)
  })
  return protocol.prefix(prefix).toLayer(handlers as never) as unknown as Layer.Layer<A, never, R>
}

interface ServedCast {
  readonly cast: Message
  readonly target: HandleTarget
  readonly options: CallOptions
}

/**
 * Casts, and fails if the message did not get into the mailbox. Then it is a dead letter or dropped, as for any cast. It
 * waits for room in a full mailbox within the timeout of a call, or the casts of remote clients would pile up.
 */
const castAccepted = ({ cast, options, target }: ServedCast, given: unknown): Effect.Effect<void, CallError> =>
  Effect.withFiber((fiber) => {
    const payload = cast.construct(given, target, fiber)
    const record = receiver(target, fiber)
    const down = target.current === undefined ? downReason(target) : undefined
    let refused: CallReason | undefined = undefined
    const posted = postUnsafe(fiber, record, () => {
      const envelope = envelopeOf(fiber, cast.tag, payload)
      envelope.refuse = (why?: Refusal) => {
        refused = down ?? refusalReason(record, why!)
        return "deadLettered"
      }
      return envelope
    })
    const failed = (reason: CallReason) =>
      Effect.fail(makeCallError({ server: target.displayName, request: cast.tag, reason, started: "no" }))
    const inMailbox = Effect.flatMap(posted, () => (refused === undefined ? Effect.void : failed(refused)))
    return Effect.timeoutOrElse(inMailbox, {
      duration: timeoutMillis(options.timeout, currentProcessUnsafe(fiber)),
      orElse: () => failed(timeout)
    })
  })
