/** A timer that does not keep the program alive. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

interface Host {
  readonly process?: {
    readonly once?: (event: "beforeExit", listener: () => void) => void
    readonly off?: (event: "beforeExit", listener: () => void) => void
  }
}

const { process } = globalThis as Host

/** The clock of the host, used if nobody has provided another one. */
const hostClock = Context.get(Context.empty(), Clock.Clock)

/**
 * Calls `step` after this many milliseconds, or when the program ends because it has nothing else to do. With a clock
 * other than the host's it waits as any effect does. @internal
 */
export const runAfter = (millis: number, step: () => void, context: Context.Context<never>): void => {
  if (Context.get(context, Clock.Clock) !== hostClock) {
    Effect.runForkWith(context)(Effect.andThen(Effect.sleep(millis), Effect.sync(step)))
    return
  }
  const run = () => {
    clearTimeout(timer)
    process?.off?.("beforeExit", run)
    step()
  }
  const timer = setTimeout(run, millis)
  unref(timer)
  process?.once?.("beforeExit", run)
}

/** In a browser a timer is a number, and does not keep the program alive. */
const unref = (timer: unknown): void => (timer as { readonly unref?: () => void }).unref?.()
