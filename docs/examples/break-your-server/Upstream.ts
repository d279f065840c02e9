/**
 * The outside world: a weather service that stalls or fails when it is told to.
 *
 * It is not part of the chat's tree, so the chat cannot restart it.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { createServer } from "node:http"

interface Outage {
  readonly how: "stall" | "fail"
  /** How many more requests fail. */
  readonly requests: number
}

export class Upstream extends Context.Service<
  Upstream,
  { readonly url: string; readonly breakDown: (outage: Outage) => Effect.Effect<void> }
>()("demo/Upstream") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const outage = yield* Ref.make<Outage>({ how: "fail", requests: 0 })
      const server = yield* NodeHttpServer.make(createServer, { port: 0, host: "127.0.0.1" })
      const suffer = ({ how, requests }: Outage) =>
        [
          { how, requests },
          { how, requests: Math.max(0, requests - 1) }
        ] as const
      yield* server.serve(Effect.flatMap(Ref.modify(outage, suffer), answer))
      return { url: HttpServer.formatAddress(server.address), breakDown: (next) => Ref.set(outage, next) }
    })
  )
}

const answer = ({ how, requests }: Outage) => {
  if (requests === 0) return report
  // A handler of Effect's server is uninterruptible by default. It would outlive its client and the server.
  return how === "stall"
    ? Effect.interruptible(Effect.never)
    : Effect.succeed(HttpServerResponse.empty({ status: 500 }))
}

const report = HttpServerRequest.HttpServerRequest.useSync(({ url }) => {
  const city = url.slice(1)
  return HttpServerResponse.jsonUnsafe({ city, celsius: city.length * 2 })
})
