/** A main program for the tests of NodeApplication. The first argument says what it does once it is ready. */
import { NodeRuntime } from "@effect/platform-node"
import { Data, Effect, Layer } from "effect"
import { Application, GenServer, Supervisor } from "effect-otp"
import { NodeApplication } from "effect-otp/node"
import process from "node:process"

const mode = process.argv[2]

const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const untilReady = Effect.repeat(Effect.andThen(Effect.yieldNow, Application.readiness), {
  until: (readiness) => readiness === "ready"
})

const act = Effect.suspend(() => {
  switch (mode) {
    case "give-up":
      return Effect.die(new Error("no more"))
    case "uncaught":
      setTimeout(() => {
        throw new Error("thrown in a raw callback")
      }, 0)
      return Effect.never
    case "rejection":
      void Promise.reject(new Error("rejected by nobody"))
      return Effect.never
    case "hang":
      return Effect.uninterruptible(Effect.never)
    case "done":
      return Effect.void
    default:
      return Effect.never
  }
})

class Main extends Supervisor.Service<Main>()("test/Main", {
  strategy: "oneForOne",
  intensity: { max: 0, within: "1 second" },
  autoShutdown: "anySignificant",
  children: [
    Supervisor.worker(
      "main",
      Effect.gen(function* () {
        yield* Application.beforeStop("drain", say("draining"))
        yield* Effect.addFinalizer(() => say("released"))
        yield* untilReady
        yield* say("ready")
        return yield* act
      }),
      { restart: "transient", significant: true, shutdown: "1 hour" }
    )
  ]
}) {}

class PortTaken extends Data.TaggedError("PortTaken")<{ readonly message: string; readonly cause: Error }> {}

class Early extends Supervisor.Service<Early>()("test/Early", {
  strategy: "oneForOne",
  intensity: { max: 0, within: "1 second" },
  children: [Supervisor.worker("main", Effect.die(new Error("no more")))]
}) {}

class Hanging extends GenServer.Service<Hanging>()("test/main", []) {
  static readonly layer = this.define({
    init: () => Effect.uninterruptible(Effect.andThen(say("starting"), Effect.never)),
    handlers: {}
  }).layer()
}

class HangingTree extends Supervisor.Service<HangingTree>()("test/HangingTree", {
  strategy: "oneForOne",
  children: [Supervisor.child(Hanging.layer, { shutdown: "1 hour" })]
}) {}

const layerOf = (): Layer.Layer<never, PortTaken> => {
  switch (mode) {
    case "bad-start": {
      const cause = new Error("listen EADDRINUSE: address already in use 127.0.0.1:4000")
      return Layer.effectDiscard(Effect.fail(new PortTaken({ message: "the port is taken", cause })))
    }
    case "interrupted-start":
      return Layer.effectDiscard(Effect.interrupt)
    case "slow-start":
      return Layer.effectDiscard(Effect.andThen(say("starting"), Effect.never))
    case "give-up-early":
      return Layer.effectDiscard(Effect.never).pipe(Layer.provide(Early.layer))
    case "hanging-start":
      return Layer.effectDiscard(Effect.void).pipe(Layer.provide(HangingTree.layer))
    default:
      return Layer.effectDiscard(Effect.void).pipe(Layer.provide(Main.layer))
  }
}

/** Gives up a moment after it is up. */
class Launched extends Supervisor.Service<Launched>()("test/Launched", {
  strategy: "oneForOne",
  intensity: { max: 0, within: "1 second" },
  children: [Supervisor.worker("main", Effect.andThen(Effect.sleep("50 millis"), Effect.die(new Error("no more"))))]
}) {}

if (mode === "launch") NodeRuntime.runMain(Layer.launch(Launched.layer))
else NodeApplication.runMain(layerOf(), { stopWithin: mode?.startsWith("hang") === true ? "200 millis" : "10 seconds" })
