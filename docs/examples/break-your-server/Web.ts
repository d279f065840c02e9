/**
 * The HTTP server. It starts last and stops first.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Application from "effect-otp/application/Application"
import * as Supervisor from "effect-otp/supervision/Supervisor"
import { listener } from "./Listener.ts"
import { routes } from "./Routes.ts"
import { closeAll } from "./Sessions.ts"

/**
 * Answers requests until it is stopped. Before that, clients have half a second to see that this server is going away.
 */
const serve = Effect.gen(function* () {
  yield* Application.beforeStop("drain", Effect.andThen(yield* closeAll, Effect.sleep("500 millis")))
  const serving = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })
  return yield* Layer.launch(serving)
})

/** If the routes fail, the port is closed, too, and both restart together. */
export class Web extends Supervisor.Service<Web>()("demo/Web", {
  strategy: "oneForAll",
  children: [Supervisor.resource(HttpServer.HttpServer, listener, { id: "listen" }), Supervisor.worker("serve", serve)]
}) {}
