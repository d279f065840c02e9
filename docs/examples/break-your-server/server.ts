/**
 * The server itself: one supervision tree, run as the main program of an operating-system process.
 */
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as EventLoop from "effect-otp/kernel/EventLoop"
import * as NodeApplication from "effect-otp/node/NodeApplication"
import * as Supervisor from "effect-otp/supervision/Supervisor"
import { Chat } from "./Chat.ts"
import { preflight } from "./Preflight.ts"
import { CANNOT_START, Settings } from "./Settings.ts"
import { outliveTerminal, stopWithRunner, tellServing, whenWanted } from "./Surroundings.ts"
import { Above } from "./Tree.ts"
import { Upstream } from "./Upstream.ts"
import { web } from "./Web.ts"

class App extends Supervisor.Service<App>()("demo/App", {
  strategy: "oneForOne",
  children: [Supervisor.child(Chat.layer, { id: "chat", schedule: Schedule.recurs(0) }), web]
}) {}

const isUp = Effect.fnUntraced(function* (tree: Context.Context<App>) {
  yield* Ref.set(yield* Above, [[App.key, Context.get(tree, App)]])
  const { host, port } = yield* Settings
  yield* Console.log(`The chat is at http://${host}:${port}`)
  tellServing()
})

const settings = Settings.layer.pipe(
  Layer.tap((settings) => Effect.provide(preflight, settings)),
  Layer.catchTag("BadSetting", ({ message }) => Layer.effect(Settings, cannotStart(message)))
)

const cannotStart = (sentence: string) =>
  Effect.sync((): never => {
    process.stderr.write(`${sentence}\n`)
    process.exit(CANNOT_START)
  })

const app = App.layer.pipe(
  Layer.tap(isUp),
  Layer.provide([Above.layer, Upstream.layer, EventLoop.layer()]),
  Layer.provide(settings)
)

outliveTerminal()
whenWanted(() => {
  NodeApplication.runMain(app, { stopWithin: "5 seconds" })
  stopWithRunner()
})
