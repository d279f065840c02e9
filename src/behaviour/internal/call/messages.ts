/** The messages of a protocol, as clients make them from its `Rpc`s. */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import type * as Rpc from "effect/rpc/Rpc"
import * as RpcSchema from "effect/rpc/RpcSchema"
import { refusalOf } from "../../../values/schemaRefusal.ts"
import { settingsOf } from "../../../kernel/shared/displaySettings.ts"

/** Marks an `Rpc` as a cast. */
export const IsCast: Context.Reference<boolean> = Context.Reference<boolean>("effect-otp/behaviour/Protocol/IsCast", {
  defaultValue: () => false
})

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

/** The messages of a protocol. Throws a `RangeError` for a protocol that no server can have. */
export const messagesOf = (id: string, rpcs: ReadonlyArray<Rpc.Any>): ReadonlyArray<Message> => {
  const seen = new Set<string>()
  return (rpcs as ReadonlyArray<Rpc.AnyWithProps>).map((rpc) => {
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
      isCast: Context.get(rpc.annotations, IsCast),
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
