/**
 * The server itself: one supervision tree, run as the main program of an operating-system process.
 */
import { Console, Context, Effect, Layer, Ref, Schedule } from "effect"
import { EventLoop, Supervisor } from "effect-otp"
import { NodeApplication } from "effect-otp/node"
import { Chat } from "./Chat.ts"
import { Settings } from "./Settings.ts"
import { Above } from "./Tree.ts"
import { Upstream } from "./Upstream.ts"
import { Web } from "./Web.ts"

class App extends Supervisor.Service<App>()("demo/App", {
  strategy: "oneForOne",
  children: [
    Supervisor.child(Chat.layer, { id: "chat", schedule: Schedule.recurs(0) }),
    Supervisor.child(Web.layer, { id: "web" })
  ]
}) {}

const isUp = Effect.fnUntraced(function* (tree: Context.Context<App | Web>) {
  yield* Ref.set(yield* Above, [
    [App.key, Context.get(tree, App)],
    [Web.key, Context.get(tree, Web)]
  ])
  const { host, port } = yield* Settings
  yield* Console.log(`The chat is at http://${host}:${port}`)
})

const app = App.layer.pipe(
  Layer.tap(isUp),
  Layer.provide([Above.layer, Upstream.layer, Settings.layer, EventLoop.layer()])
)

NodeApplication.runMain(app, { stopWithin: "10 seconds" })
