/** A server whose messages carry what their handler does, so that each test writes its turn next to the message. */
import { assert } from "@effect/vitest"
import { Effect, Exit, Option, Schema } from "effect"
import type { Cause, Duration, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Rpc } from "effect/rpc"
import { GenServer, type Protocol as Messages } from "effect-otp/behaviour"
import {
  type Accounting,
  type CrashReport,
  ExitReason,
  Kernel,
  type Mailbox,
  type Pid,
  type Process,
  type Signal
} from "effect-otp/kernel"
import type { Name } from "effect-otp/naming"
import { Telemetry } from "effect-otp/telemetry"
import { Events } from "effect-otp/supervision"
import { settle } from "../fixtures/kernel.ts"
import { fieldsOf, type ReasonFields } from "../fixtures/callReason.ts"

/** The result of a turn. The state is a number, the token of a continue a string. */
export type Answer =
  | GenServer.Reply<unknown, number, string>
  | GenServer.NoReply<number, string>
  | GenServer.Stop<number>
  | GenServer.StopReply<unknown, number>

export type Client = GenServer.Client<Protocol>

export type Context =
  | GenServer.HandlerContext<Protocol, typeof call, string>
  | GenServer.HandlerContext<Protocol, Messages.Cast, string>

export type Step = (
  state: number,
  context: Context
) => Answer | Effect.Effect<Answer, Refused, Scope.Scope | Process.Self>

/** The failure that calls declare. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

const step = Schema.declare((u: unknown): u is Step => typeof u === "function")
const call = Rpc.make("call", { payload: step, success: Schema.Unknown, error: Refused })
const cast = GenServer.cast("cast", { payload: step })
export type Protocol = typeof call | typeof cast

export class Puppet extends GenServer.Service<Puppet>()("test/Puppet", [call, cast]) {}

type Quiet = GenServer.NoReply<number, string> | GenServer.Stop<number>
type Turn = Quiet | Effect.Effect<Quiet, never, Scope.Scope | Process.Self>

export interface Options {
  readonly init?: Effect.Effect<number | GenServer.Initial<number, string>, string, Scope.Scope | Process.Self>
  readonly info?: (message: string | Signal.Signal, state: number, context: Context) => Turn
  readonly continue?: (token: string, state: number, context: Context) => Turn
  readonly idle?: (state: number) => Turn
  readonly terminate?: (
    reason: ExitReason.ExitReason,
    state: number
  ) => Effect.Effect<void, never, Scope.Scope | Process.Self>
  readonly formatStatus?: (status: GenServer.Status<number>) => GenServer.Shown
  readonly mailbox?: Mailbox.Bound
  readonly drain?: boolean
  readonly idleTimeout?: Duration.Input
  readonly turnTimeout?: Duration.Input
  readonly name?: string | (() => string)
}

const define = ({ init = Effect.succeed(0), ...options }: Options) =>
  Puppet.define({
    ...options,
    init: () => init,
    handlers: {
      call: (step, state, context) => step(state, context),
      cast: (step, state, context) => step(state, context) as Turn
    }
  })

/** Starts a puppet that ends with the scope. */
export const start = (options: Options = {}): Effect.Effect<Client, string | Name.AlreadyStarted, Scope.Scope> =>
  define(options).start()

export const layer = (options: Options = {}): Layer.Layer<Puppet, string | Name.AlreadyStarted> =>
  define(options).layer()

// ---- steps --------------------------------------------------------------------------------------------------------

/** Answers with the state, and goes on with it. */
export const get: Step = (state) => GenServer.reply(state, state)

export const set =
  (value: number): Step =>
  (_, { from }) =>
    from === undefined ? GenServer.noReply(value) : GenServer.reply(undefined, value)

export const crash =
  (defect: unknown): Step =>
  () =>
    Effect.die(defect)

/** A turn that runs an effect. A call gets the result. */
export const turn =
  <A>(effect: Effect.Effect<A, Refused, Scope.Scope | Process.Self>): Step =>
  (state, { from }) =>
    Effect.map(effect, (value) => (from === undefined ? GenServer.noReply(state) : GenServer.reply(value, state)))

export const stopping =
  (reason: ExitReason.ExitReason = ExitReason.normal): Step =>
  (state) =>
    GenServer.stop(reason, state)

// ---- facts --------------------------------------------------------------------------------------------------------

export const pidOf = (client: Client): Effect.Effect<Pid.Pid> => Effect.map(GenServer.pid(client), Option.getOrThrow)

/** Waits until nothing more happens, moves the clock, and waits again. */
export const later = (duration: number): Effect.Effect<void> =>
  Effect.andThen(settle, Effect.andThen(TestClock.adjust(duration), settle))

/** Starts an effect beside the test and lets it run as far as it can. */
export const beside = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.tap(Effect.forkChild(effect), settle)

/** The exit of a fiber that must have ended. */
export const ended = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.map(settle, () => fiber.pollUnsafe() ?? assert.fail("the fiber still runs"))

export const running = (fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.map(settle, () => assert.isUndefined(fiber.pollUnsafe(), "the fiber has ended"))

/** The failure of a call, without its texts. */
export interface Failed {
  readonly reason: ReasonFields
  readonly started: GenServer.CallStarted
}

const failedOf = (cause: Cause.Cause<unknown>): Failed => {
  const [reason] = cause.reasons
  if (cause.reasons.length === 1 && reason?._tag === "Fail" && reason.error instanceof GenServer.CallError) {
    return { reason: fieldsOf(reason.error.reason), started: reason.error.started }
  }
  return assert.fail(`no CallError: ${String(cause)}`)
}

/** The `CallError` of a call that fails. */
export const failure = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<Failed, never, R> =>
  Effect.map(Effect.exit(call), failureOf)

export const failureOf = (exit: Exit.Exit<unknown, unknown>): Failed =>
  Exit.isFailure(exit) ? failedOf(exit.cause) : assert.fail("it succeeded")

export const noProcess: Failed = { reason: { _tag: "NoProcess" }, started: "no" }
export const timedOut = (started: GenServer.CallStarted): Failed => ({ reason: { _tag: "Timeout" }, started })
export const down = (reason: ExitReason.ExitReason, started: GenServer.CallStarted): Failed => ({
  reason: { _tag: "ServerDown", reason },
  started
})

/** Collects the crash reports from now on. */
export const crashReports: Effect.Effect<ReadonlyArray<CrashReport.CrashReport>, never, Scope.Scope> = Effect.suspend(
  () => {
    const reports: Array<CrashReport.CrashReport> = []
    return Effect.as(
      Effect.orDie(
        Telemetry.attachScoped("test/crashes", Events.processCrash, (_, { report }) => void reports.push(report))
      ),
      reports
    )
  }
)

/** The counts of the messages so far, without zeros. */
export const fates: Effect.Effect<Partial<Accounting.Accounting>> = Effect.map(
  Kernel.messages,
  (messages) =>
    Object.fromEntries(Object.entries(messages).filter(([, count]) => count > 0)) as Partial<Accounting.Accounting>
)
