/** The messages of a protocol, as clients make them from its `Rpc`s. */
import type * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import type * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcSchema from "effect/rpc/RpcSchema"
import { refusalOf } from "../../../values/schemaRefusal.ts"
import { settingsOf } from "../../../kernel/shared/displaySettings.ts"

const NoAnswer = "effect-otp/behaviour/Protocol/NoAnswer"

/**
 * The answer of a cast, which marks it. What Effect makes from an `Rpc` keeps it: a group with a prefix, or with
 * middleware.
 */
export const noAnswer: Schema.Void = Schema.Void.annotate({ [NoAnswer]: true })

export interface Message {
  readonly tag: string
  readonly isCast: boolean
  /**
   * Makes the payload through its Schema, in the environment of the sender. For a bad one it throws a `RangeError` that
   * names server, message and field.
   */
  readonly construct: (payload: unknown, server: Named, sender: Sender) => unknown
}

/** Read only if the payload is refused. */
interface Sender {
  readonly context: Context.Context<never>
}

interface Named {
  readonly displayName: string
}

type Group = RpcGroup.RpcGroup<Rpc.AnyWithProps>

/** The protocol of a server: its messages, and the same as a group of Effect. */
export interface MessagesOf {
  readonly messages: ReadonlyArray<Message>
  readonly protocol: Group
}

/** Reads a protocol. Throws a `RangeError` for one that no server can have. */
export const messagesOf = (id: string, given: ReadonlyArray<Rpc.Any> | RpcGroup.Any): MessagesOf => {
  // A group has no mark by which it could be told from other values.
  const isList = Array.isArray as (u: unknown) => u is ReadonlyArray<Rpc.AnyWithProps>
  if (!isList(given))
    return { messages: eachMessage(id, [...(given as Group).requests.values()]), protocol: given as Group }
  return { messages: eachMessage(id, given), protocol: RpcGroup.make(...given) }
}

const eachMessage = (id: string, rpcs: ReadonlyArray<Rpc.AnyWithProps>): ReadonlyArray<Message> => {
  const seen = new Set<string>()
  return rpcs.map((rpc) => {
    if (seen.has(rpc._tag)) throw new RangeError(`${id}: the protocol has two messages with the tag "${rpc._tag}"`)
    // A client with such a method would look like a promise, or would have another prototype.
    if (rpc._tag === "then" || rpc._tag === "__proto__") {
      throw new RangeError(`${id}: a message cannot have the tag "${rpc._tag}"`)
    }
    if (RpcSchema.isStreamSchema(rpc.successSchema))
      throw new RangeError(`${id}: the message "${rpc._tag}" answers with a stream, which a server cannot do`)
    seen.add(rpc._tag)
    return {
      tag: rpc._tag,
      isCast: rpc.successSchema.ast.annotations?.[NoAnswer] === true,
      construct: constructor(rpc._tag, rpc.payloadSchema)
    }
  })
}

const constructor = (tag: string, schema: Schema.Top): Message["construct"] => {
  if (schema === Schema.Void) return () => undefined
  return (payload, server, sender) => {
    try {
      return schema.make(payload)
    } catch (error) {
      const refusal = refusalOf(error, { name: "payload", value: payload, settings: settingsOf(sender.context) })
      throw new RangeError(`${server.displayName}: ${tag}: ${refusal}`)
    }
  }
}
