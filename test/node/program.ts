/** A main program for the tests of NodeApplication: the first argument says what it does once it is ready. */
import { Data, Effect, Layer } from "effect"
import { Application, Supervisor } from "effect-otp"
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

class PortTaken extends Data.TaggedError("PortTaken")<{ readonly message: string }> {}
const failing = Layer.effectDiscard(Effect.fail(new PortTaken({ message: "the port is taken" })))
const starting = Layer.effectDiscard(Effect.andThen(say("starting"), Effect.never))
const layer = mode === "bad-start" ? failing : mode === "slow-start" ? starting : Main.layer

NodeApplication.runMain(layer, { stopWithin: mode === "hang" ? "200 millis" : "10 seconds" })
