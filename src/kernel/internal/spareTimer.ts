/** A timer that keeps no program alive. */
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

/** The clock of the host, where nobody has provided another one. */
const hostClock = Context.get(Context.empty(), Clock.Clock)

/**
 * Calls `step` when so many milliseconds are over, or before that if the program has nothing else to do and ends. By another
 * clock than that of the host it waits as everything does. @internal
 */
export const afterwards = (millis: number, step: () => void, context: Context.Context<never>): void => {
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

/** A timer of a browser is a number, and keeps nothing alive. */
const unref = (timer: unknown): void => (timer as { readonly unref?: () => void }).unref?.()
