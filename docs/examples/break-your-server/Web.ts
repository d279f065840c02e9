/**
 * The HTTP server. It starts last and stops first.
 *
 * When it stops, health checks have half a second to see that. Then it answers what has come, for at most 800 milliseconds.
 */
import * as HttpRouter from "effect/http/HttpRouter"
import * as NodeHttpListener from "effect-otp/node/NodeHttpListener"
import * as Supervisor from "effect-otp/supervision/Supervisor"
import { listen, nodeServer } from "./Listener.ts"
import { routes } from "./Routes.ts"

const listener = NodeHttpListener.layer(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }), {
  createServer: nodeServer,
  listen,
  drainDelay: "500 millis"
})

export const web = Supervisor.child(listener, { id: "web", shutdown: "1300 millis" })
