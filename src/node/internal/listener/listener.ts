/**
 * The process of a listener: it starts a network server in its `init`, crashes if that server breaks, and drains it when
 * its parent tells it to end.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Check from "../../../values/check.ts"
import { ownKey } from "../../../values/copies.ts"
import * as GenServer from "../../../behaviour/GenServer.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { Pid } from "../../../kernel/Pid.ts"
import * as Process from "../../../kernel/Process.ts"
import { selfUnsafe } from "../../../kernel/shared/processes.ts"
import type * as Signal from "../../../kernel/Signal.ts"
import { defaultDrainDelay } from "../defaults.ts"

/** The network server has broken, although nobody has asked it to stop. */
interface Broken {
  readonly _tag: "Broken"
  readonly error: unknown
}

/** A network server that is up. @internal */
export interface Listening {
  /** Stops to accept, finishes what has begun, and closes all connections. */
  readonly drain: Effect.Effect<void>
}

/** What a network server can say about itself while it runs. @internal */
export interface Reporter {
  /** It accepts no more connections, and work that may last for ever should end. */
  readonly draining: () => void
  /** It has broken. */
  readonly broken: (error: unknown) => void
}

/** Waits until the listener around an effect drains. @internal */
const CurrentDraining: Context.Reference<Effect.Effect<void>> = Context.Reference<Effect.Effect<void>>(
  ownKey("effect-otp/node/CurrentDraining"),
  { defaultValue: () => Effect.never }
)

/** Waits until the listener around this effect drains. @internal */
export const draining: Effect.Effect<void> = Effect.withFiber((fiber) => Context.get(fiber.context, CurrentDraining))

/** @internal */
export interface ListenerOptions<E, R> {
  readonly drainDelay: Duration.Input | undefined
  /** Starts the network server in the scope of the process. */
  readonly start: (report: Reporter) => Effect.Effect<Listening, E, R | Scope.Scope>
}

/** Makes the Layers of one kind of listener. `id` is their name in reports. @internal */
export const listenerLayer = (
  id: string
): (<E, R>(options: ListenerOptions<E, R>) => Layer.Layer<never, E, Exclude<R, Scope.Scope>>) => {
  const definition = GenServer.Service<{ readonly _: typeof id }>()(id, []).define({
    init: (init: Effect.Effect<Listening, unknown>) => init,
    info: (message: Broken | Signal.Signal, listening: Listening) =>
      message._tag === "Broken" ? Effect.die(message.error) : GenServer.noReply(listening),
    // A listener that is broken cannot be waited for: its successor needs the port.
    terminate: (reason, { drain }) => (ExitReason.isExpected(reason) ? drain : Effect.void),
    handlers: {}
  })
  return <E, R>(options: ListenerOptions<E, R>) => {
    const delay = Check.duration("drainDelay", Check.or<Duration.Input>(options.drainDelay, defaultDrainDelay))
    const layer = definition.layer(init(options, delay) as Effect.Effect<Listening>)
    // Nobody calls a listener, so its client is not given out.
    return Layer.provide(Layer.empty, layer) as Layer.Layer<never, E, Exclude<R, Scope.Scope>>
  }
}

const init = <E, R>(options: ListenerOptions<E, R>, delay: Duration.Duration) =>
  Effect.withFiber<Listening, E, R | Scope.Scope | Process.Self>((fiber) => {
    const self = selfUnsafe(fiber) as Pid<unknown> as Pid<Broken>
    const isDraining = Deferred.makeUnsafe<void>()
    const report: Reporter = {
      draining: () => Deferred.doneUnsafe(isDraining, Exit.void),
      broken: (error) => {
        Effect.runFork(Process.send(self, { _tag: "Broken", error }))
      }
    }
    return options.start(report).pipe(
      Effect.map(({ drain }) => ({ drain: Effect.andThen(Effect.sleep(delay), drain) })),
      Effect.provideService(CurrentDraining, Deferred.await(isDraining))
    )
  })
