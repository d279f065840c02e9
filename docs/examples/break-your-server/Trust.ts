/**
 * Refuses requests of other web pages. A browser sends what any page tells it to send, even to a server that only this
 * machine can reach. But it sends the origin of the page, too, and a page cannot post JSON to another origin without
 * permission.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import { isIP } from "node:net"
import { Settings } from "./Settings.ts"

/** The request is for another host, whose name was made to point here. */
export class WrongHost extends Data.TaggedError("WrongHost")<{ readonly message: string }> {}
/** A page from another origin has sent this. */
export class ForeignOrigin extends Data.TaggedError("ForeignOrigin")<{ readonly message: string }> {}
/** The body is not JSON. */
export class NotJson extends Data.TaggedError("NotJson")<{ readonly message: string }> {}

export const trusted = Effect.gen(function* () {
  const { method, headers } = yield* HttpServerRequest.HttpServerRequest
  const { host: ours } = yield* Settings
  const { host = "", origin, "content-type": type } = headers
  if (!isOurs(host, ours)) {
    return yield* new WrongHost({ message: `the Host must be localhost, an address, or ${ours}` })
  }
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    return yield* new ForeignOrigin({ message: "a page of another origin may not use this server" })
  }
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0
  if (method !== "GET" && (hasBody || type !== undefined) && !/^application\/json *(;|$)/i.test(type ?? "")) {
    return yield* new NotJson({ message: "the content-type must be application/json" })
  }
})

const isOurs = (host: string, ours: string) => {
  const name = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d+)?$/i.exec(host)
  const server = (name?.[1] ?? name?.[2] ?? "").toLowerCase()
  return server === "localhost" || server === ours.toLowerCase() || isIP(server) !== 0
}
