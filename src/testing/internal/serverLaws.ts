/** The laws of every server, whatever it does. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { describe } from "../../values/describe.ts"
import { isExpected } from "../../kernel/ExitReason.ts"
import * as Handle from "../../kernel/Handle.ts"
import type { Pid } from "../../kernel/Pid.ts"
import * as Process from "../../kernel/Process.ts"
import { shutdown } from "../../kernel/Shutdown.ts"
import * as Probe from "../Probe.ts"
import * as TestKernel from "../TestKernel.ts"
import { holds, lawMaker, type Law, type LawOptions, type Untrue } from "./law.ts"

/** Any handle. Handles are invariant in their protocol, so this type leaves the protocol out. @internal */
export type AnyHandle = { readonly [K in keyof Handle.Handle<never>]: { readonly key: string } }

/** @internal */
export interface Dealings<C> {
  readonly ask: (client: C) => Effect.Effect<unknown, unknown>
  readonly crash: (client: C) => Effect.Effect<unknown, unknown>
}

/** @internal */
export interface ServerSubject<C> extends Dealings<C>, LawOptions {
  readonly start: Effect.Effect<C, unknown, Scope.Scope>
}

/** The process behind a handle. @internal */
export const pidOf = (handle: AnyHandle): Effect.Effect<Option.Option<Pid>> => Handle.pid(handle)

/** @internal */
export const runningPid = (handle: AnyHandle): Effect.Effect<Pid, Untrue> =>
  Effect.flatMap(pidOf(handle), (pid) =>
    Option.isSome(pid)
      ? Effect.succeed(pid.value)
      : Effect.andThen(holds(false, "its handle points to no process that runs"), Effect.never)
  )

/** The exit of an effect that must end without the passing of time. @internal */
export const exitAtOnce = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>, Untrue> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestKernel.quiet
    const exit = fiber.pollUnsafe()
    yield* Fiber.interrupt(fiber)
    if (exit === undefined) return yield* Effect.andThen(holds(false, `${what} has not ended`), Effect.never)
    return exit
  })

/** @internal */
export const answers = <C>(subject: Dealings<C>, client: C, when: string): Effect.Effect<void, Untrue> =>
  Effect.flatMap(exitAtOnce(`a call ${when}`, subject.ask(client)), (exit) =>
    holds(Exit.isSuccess(exit), `a call ${when} has failed: ${describe(exit)}`)
  )

/** @internal */
export const refuses = <C>(subject: Dealings<C>, client: C, when: string): Effect.Effect<void, Untrue> =>
  Effect.flatMap(exitAtOnce(`a call ${when}`, subject.ask(client)), (exit) =>
    holds(Exit.isFailure(exit), `a call ${when} was answered`)
  )

/** Makes the server crash. The result of the crashing call does not matter. @internal */
export const bringDown = <C>(subject: Dealings<C>, client: C) =>
  Effect.andThen(Effect.forkChild(Effect.exit(subject.crash(client))), TestKernel.quiet)

/** @internal */
export const serverLaws = <C extends AnyHandle>(subject: ServerSubject<C>): ReadonlyArray<Law> => {
  const law = lawMaker(subject)
  return [...lifeLaws(subject, law), ...endLaws(subject, law)]
}

/** It is up and answers everybody until its scope closes. */
const lifeLaws = <C extends AnyHandle>(
  subject: ServerSubject<C>,
  law: ReturnType<typeof lawMaker>
): ReadonlyArray<Law> => [
  law(
    "a server is up when its start returns",
    Effect.gen(function* () {
      const client = yield* subject.start
      yield* runningPid(client)
      yield* answers(subject, client, "to a server that was just started")
    })
  ),
  law(
    "a server has ended when the scope in which it was started has closed",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(subject.start, scope)
      const pid = yield* runningPid(client)
      yield* Scope.close(scope, Exit.void)
      yield* holds(!(yield* Process.isAlive(pid)), "its process is alive")
      yield* refuses(subject, client, "to a server that has ended")
    })
  ),
  law(
    "a server answers every caller",
    Effect.gen(function* () {
      const callers = yield* many(subject, yield* subject.start)
      yield* TestKernel.quiet
      const answered = callers.filter((caller) => {
        const exit = caller.pollUnsafe()
        return exit?._tag === "Success" && Exit.isSuccess(exit.value)
      })
      yield* holds(answered.length === callers.length, `${answered.length} of ${callers.length} callers were answered`)
    })
  ),
  law(
    "a server goes on when a caller is interrupted",
    Effect.gen(function* () {
      const client = yield* subject.start
      const pid = yield* runningPid(client)
      const callers = yield* many(subject, client)
      yield* Fiber.interruptAll(callers)
      yield* answers(subject, client, "after others were interrupted")
      yield* holds(yield* Process.isAlive(pid), "its process has ended")
    })
  )
]

/** However it ends, no caller waits in vain. */
const endLaws = <C extends AnyHandle>(
  subject: ServerSubject<C>,
  law: ReturnType<typeof lawMaker>
): ReadonlyArray<Law> => [
  law(
    "a crash ends a server, and its monitors get a Down",
    Effect.gen(function* () {
      const client = yield* subject.start
      const probe = yield* Probe.make()
      const pid = yield* runningPid(client)
      yield* probe.monitor(pid)
      yield* bringDown(subject, client)
      const reason = yield* probe.expectDown(pid)
      yield* holds(reason._tag === "Crash", `its reason is ${reason._tag}, not Crash`)
      yield* refuses(subject, client, "to a server that has crashed")
    })
  ),
  law(
    "every caller learns at once that a server was killed",
    Effect.gen(function* () {
      const client = yield* subject.start
      const pid = yield* runningPid(client)
      const callers = yield* many(subject, client)
      yield* Process.kill(pid)
      yield* holds(!(yield* Process.isAlive(pid)), "its process is alive")
      yield* TestKernel.quiet
      const waiting = callers.filter((caller) => caller.pollUnsafe() === undefined)
      yield* holds(waiting.length === 0, `${waiting.length} callers still wait`)
      yield* refuses(subject, client, "to a server that was killed")
    })
  ),
  law(
    "a server that is told to shut down ends for an expected reason",
    Effect.gen(function* () {
      const client = yield* subject.start
      const { reason, zombie } = yield* shutdown(yield* runningPid(client), { limit: "Infinity" })
      yield* holds(isExpected(reason) && !zombie, `its reason is ${reason._tag}`)
      yield* refuses(subject, client, "to a server that was shut down")
    })
  )
]

const many = <C>({ ask }: Dealings<C>, client: C) =>
  Effect.forEach(Array.from({ length: 20 }), () => Effect.forkChild(Effect.exit(ask(client))))
