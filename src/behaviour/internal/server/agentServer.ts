/** An agent as a server: its messages are functions over its state. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { isInstance } from "../../../values/describe.ts"
import { CurrentAdoption } from "../../../kernel/shared/adoption.ts"
import { awaitExit } from "../../../kernel/Process.ts"
import { Self, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { CallError } from "../call/callError.ts"
import type { Message } from "../call/messages.ts"
import type { CallOptions } from "../call/callOptions.ts"
import { askSystem, callMethod, castMethod } from "../call/client.ts"
import { addReader, removeListener } from "./inspection.ts"
import type { Next } from "./handlerAnswer.ts"
import type { Handler } from "./serverSpec.ts"
import { userState, type Server } from "./server.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

/** The result of such a function: an answer, and the next state. */
type Made = readonly [answer: unknown, state: unknown]

// ---- handlers -----------------------------------------------------------------------------------------------------

const reply = ([value, state]: Made): Next => ({ _tag: "Reply", value, state, options: undefined })
const noReply = (state: unknown): Next => ({ _tag: "NoReply", state, options: undefined })

const pure: Handler = (f, state) => reply((f as (state: unknown) => Made)(state))
const effectful: Handler = (f, state) =>
  Effect.map((f as (state: unknown) => Effect.Effect<Made, unknown>)(state), reply)

/** @internal */
export const handlers: Readonly<Record<string, Handler>> = {
  get: pure,
  set: pure,
  getAndSet: pure,
  update: pure,
  updateAndGet: pure,
  getAndUpdate: pure,
  modify: pure,
  updateEffect: effectful,
  updateAndGetEffect: effectful,
  getAndUpdateEffect: effectful,
  modifyEffect: effectful,
  cast: (f, state) => noReply((f as (state: unknown) => unknown)(state)),
  castEffect: (f, state) => Effect.map((f as (state: unknown) => Effect.Effect<unknown>)(state), noReply)
}

/** Made once. A request names one of them. */
const messages = new Map<string, Message>(
  Object.keys(handlers).map((tag) => [tag, { tag, isCast: tag.startsWith("cast"), construct: (f) => f }])
)

// ---- requests -----------------------------------------------------------------------------------------------------

/** @internal */
export const ask = (tag: string, target: HandleTarget, f: unknown, options: CallOptions | undefined) =>
  callMethod(messages.get(tag)!, target)(f, options)

/** @internal */
export const tell = (tag: string, target: HandleTarget, f: unknown): Effect.Effect<void> =>
  castMethod(messages.get(tag)!, target)(f)

/** Runs an effect in the agent with the services of the caller. `Self` and `Scope` stay the agent's. @internal */
export const withServicesOf =
  <R0>(asker: Context.Context<R0>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E> =>
    Effect.updateContext(effect, (own: Context.Context<never>) => {
      const kept = Context.pick(Self, Scope.Scope)(own as Context.Context<Self | Scope.Scope>)
      const merged = Context.add(Context.merge(asker, kept), CurrentAdoption, undefined)
      return merged as Context.Context<R>
    })

/** Offers the states of one run after another to a queue, and ends the queue when there will be no more. @internal */
export const follow = <S>(
  target: HandleTarget,
  queue: Queue.Queue<S, Cause.Done>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    let followed: Server | undefined = undefined
    let last: unknown = undefined
    const give = (state: unknown) => {
      last = state
      Queue.offerUnsafe(queue, state as S)
    }
    // A turn that only reads the state does not change it.
    const reader = (state: unknown) => {
      if (!Object.is(state, last)) give(state)
    }
    // This runs before the asking fiber is interrupted. Its request may still be answered afterwards.
    let closed = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
        if (followed !== undefined) removeListener(followed, reader)
      })
    )
    const begin = (server: Server) => {
      if (closed) return Exit.succeed(server.record)
      followed = server
      give(userState(server))
      addReader(server, reader)
      return Exit.succeed(server.record)
    }
    const untilItsEnd = Effect.flatMap(askSystem(target, "changes", begin, whenUp), (record) =>
      awaitExit(record as ProcessRecord)
    )
    yield* Effect.catch(Effect.forever(untilItsEnd), (error) => (isCycle(error) ? Effect.die(error) : Queue.end(queue)))
  })

const whenUp: CallOptions = { timeout: Duration.infinity, whenDown: "wait" }

/** True if an agent waits in its own turn for its next state. Any other failure here means that the agent is gone. */
const isCycle = (error: unknown): boolean => isInstance(error, CallError) && error.reason._tag === "CallCycle"
