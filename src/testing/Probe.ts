/**
 * A process for tests, with expectations about the messages it gets, the processes it watches, and the messages that
 * must not come.
 *
 * A probe takes the place of another process: give its pid to the code under test, or let it monitor and link. It keeps
 * all messages it is sent. An expectation takes the first message that matches and leaves the others in order.
 *
 * **Guarantees**
 *
 * - An expectation that is met takes no time. It works with virtual time, with real time and under a `SeededScheduler`.
 * - An expectation that is not met fails after a limit of real time, and says what it waited for and what has come.
 * - `expectNothing` waits until nothing more can happen without the passing of time.
 * - Exit signals to a probe become messages, so it outlives the processes that it is linked to.
 *
 * **In Erlang/OTP**
 *
 * The test process itself with `assert_receive` and `refute_receive` of ExUnit, `flush()` of the shell.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import { format } from "effect/Formatter"
import * as Option from "effect/Option"
import type { Refinement } from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Check from "../values/check.ts"
import { read } from "../values/describe.ts"
import * as ExitReason from "../kernel/ExitReason.ts"
import { type Handle } from "../kernel/Handle.ts"
import { isPid, type Pid } from "../kernel/Pid.ts"
import * as Process from "../kernel/Process.ts"
import { checkedRecord, Self, type ProcessRecord } from "../kernel/shared/processRecord.ts"
import { waitUntil } from "../kernel/shared/waitUntil.ts"
import { shutdown } from "../kernel/Shutdown.ts"
import * as Signal from "../kernel/Signal.ts"
import { callSite, pointTo } from "./internal/callSite.ts"
import { defaultPatience } from "./internal/defaults.ts"
import { withLive } from "./internal/liveClock.ts"
import { untilQuiet } from "./internal/quiet.ts"
import * as SeededScheduler from "./SeededScheduler.ts"
import { displayName } from "../kernel/shared/displayName.ts"
import { monitorUnsafe, recordBehind, recordOf } from "../kernel/shared/processes.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A process for a test, which accepts messages of type `M`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Probe<in out M> {
  /** The address for messages, to be given to other processes. */
  readonly pid: Pid<M>
  /**
   * Takes the first message that matches: a type guard, a predicate, or a value that it equals. Waits for it if
   * necessary. Signals of the kernel do not count as messages here.
   */
  readonly expect: {
    <B extends M>(refinement: Refinement<M, B>): Effect.Effect<B, ExpectationFailed>
    (predicate: (message: M) => boolean): Effect.Effect<M, ExpectationFailed>
    <const B extends M>(value: B): Effect.Effect<B, ExpectationFailed>
  }
  /** Fails if any message or signal is left that no expectation has taken, once nothing more happens. */
  readonly expectNothing: Effect.Effect<void, ExpectationFailed>
  /**
   * Waits for the death of a process and gives its reason. If this probe monitors the process, it takes the `Down`. If
   * not, it asks for the end of the process itself, which may be dead already.
   */
  readonly expectDown: (of: Pid | Signal.MonitorRef) => Effect.Effect<ExitReason.ExitReason, ExpectationFailed>
  /** Waits for an exit signal from a process that this probe is linked to, and gives its reason. */
  readonly expectExit: (from: Pid) => Effect.Effect<ExitReason.ExitReason, ExpectationFailed>
  /** Watches a process, or the run that a handle points to now. Exactly one `Down` comes, which `expectDown` takes. */
  readonly monitor: <T>(target: Pid | Handle<T>) => Effect.Effect<Signal.MonitorRef>
  /** Runs an effect as this process: `probe.run(Process.link(pid))`. */
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, Exclude<R, Process.Self | Process.Receives<M>>>
  /** All messages and signals so far, taken or not, in the order they came. */
  readonly received: Effect.Effect<ReadonlyArray<M | Signal.Signal>>
}

/**
 * Options of a probe.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long an expectation waits before it fails, in real time. Default: 1 second. */
  readonly within?: Duration.Input | undefined
}

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * An expected message has not come, or a message came that was not expected.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class ExpectationFailed extends Data.TaggedError("ExpectationFailed")<{
  /** What was expected, in words. */
  readonly expected: string
  /** How long it waited, in real time. Undefined if nothing was expected. */
  readonly within: Duration.Duration | undefined
  /** The messages that no other expectation has taken. */
  readonly mailbox: ReadonlyArray<unknown>
}> {
  override get message() {
    const within = this.within === undefined ? "" : ` within ${Duration.format(this.within)} of real time`
    const mailbox =
      this.mailbox.length === 0
        ? "The mailbox is empty."
        : ["The mailbox holds:", ...this.mailbox.map(describe)].join("\n  - ")
    return `Expected ${this.expected}${within}. ${mailbox}`
  }
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Starts a probe, which ends with the scope. Say which messages it accepts: `Probe.make<string>()`.
 *
 * **Example** (Testing what a process sends)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { type Pid, Process } from "effect-otp"
 * import { Probe, TestKernel } from "effect-otp/testing"
 *
 * const greet = (whom: Pid.Pid<string>) => Process.spawn(Process.send(whom, "hello"))
 *
 * const test = Effect.gen(function*() {
 *   const probe = yield* Probe.make<string>()
 *   const greeter = yield* greet(probe.pid)
 *   yield* probe.expect("hello")
 *   yield* probe.expectNothing
 *   return yield* probe.expectDown(greeter)
 * })
 *
 * await Effect.runPromise(Effect.provide(test, TestKernel.layer)) // => { _tag: "Normal" }
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const make = <M = unknown>(options?: Options): Effect.Effect<Probe<M>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const arrivals = new Arrivals(
      Check.duration("The patience of a probe", Check.or<Duration.Input>(options?.within, defaultPatience))
    )
    // The message is added in the step in which it is taken, so it is always either in the mailbox or here.
    const take = (message: unknown) => {
      arrivals.add(message)
      return true
    }
    const body = (inbox: Process.Inbox<unknown>) => Effect.forever(inbox.receive(take), { disableYield: true })
    const spawned = Effect.acquireRelease(Process.spawn(body, { label: "probe", trapExit: true }), (pid) =>
      shutdown(pid)
    )
    return Effect.map(spawned, (pid) => makeProbe(checkedRecord("Probe.make", pid), arrivals) as unknown as Probe<M>)
  })

// ---- internals ----------------------------------------------------------------------------------------------------

type Matches = (message: unknown) => boolean

const makeProbe = (record: ProcessRecord, arrivals: Arrivals): Probe<unknown> => {
  const quietly = <A, E>(look: () => Effect.Effect<A, E>) =>
    Effect.andThen(
      Effect.suspend(() => untilQuiet(record.kernel)),
      Effect.suspend(look)
    )
  const expect = (expected: unknown) => arrivals.take({ ...message(expected), frames: callSite(expect) })
  const expectDown: Probe<unknown>["expectDown"] = (of) => {
    checkedRecord("expectDown of a probe", isPid(of) ? of : (read(of, "pid") as Pid))
    const expected = { ...down(of), frames: callSite(expectDown) }
    return isPid(of) ? deathOf(of, expected, { record, arrivals }) : reasonIn(arrivals.take(expected))
  }
  const expectExit: Probe<unknown>["expectExit"] = (from) => {
    checkedRecord("expectExit of a probe", from)
    return reasonIn(arrivals.take({ ...exit(from), frames: callSite(expectExit) }))
  }
  const expectNothing = quietly(() =>
    arrivals.left.length === 0 ? Effect.void : arrivals.failed({ words: () => "nothing", frames: () => "" }, undefined)
  )
  return {
    pid: record,
    expect,
    expectNothing,
    expectDown,
    expectExit,
    monitor: (target) =>
      Effect.withFiber((fiber) =>
        Effect.succeed(monitorUnsafe(record, recordBehind("monitor of a probe", fiber, target)))
      ),
    run: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.provideService(effect, Self, record) as Effect.Effect<A, E, Exclude<R, Self | Process.Receives<unknown>>>,
    received: quietly(() => Effect.succeed([...arrivals.all]))
  }
}

/** What an expectation looks for, in words, and where in the test it stands. */
interface Expected<A> {
  readonly matches: Matches
  readonly words: () => string
  readonly frames: () => string
  /** Never set. It carries the type of a match. */
  readonly _A?: A
}

type Looked<A> = Omit<Expected<A>, "frames">

const message = (expected: unknown): Looked<never> => {
  const [matches, words] =
    typeof expected === "function"
      ? [expected as Matches, () => `a message for which ${wordsOf(expected as Matches)}`]
      : [Equal.equals(expected), () => format(expected)]
  return { matches: (message) => !Signal.isSignal(message) && matches(message), words }
}

const exit = (from: Pid): Looked<Signal.Exit> => ({
  matches: (message) => Signal.isExit(message) && message.from === from,
  words: () => `an exit signal of ${nameOf(from)}`
})

const down = (of: Pid | Signal.MonitorRef): Looked<Signal.Down> => ({
  matches: (message) => Signal.isDown(message) && (isPid(of) ? message.pid : message.monitor) === of,
  words: () => `the Down of ${nameOf(isPid(of) ? of : of.pid)}`
})

const reasonIn = <E>(signal: Effect.Effect<Signal.Signal, E>): Effect.Effect<ExitReason.ExitReason, E> =>
  Effect.map(signal, ({ reason }) => reason)

/** When a process is dead, its `Down` is already in the mailbox of the process that monitors it. */
const deathOf = (
  pid: Pid,
  expected: Expected<Signal.Down>,
  { record, arrivals }: { readonly record: ProcessRecord; readonly arrivals: Arrivals }
): Effect.Effect<ExitReason.ExitReason, ExpectationFailed> => {
  const taken = Effect.repeat(SeededScheduler.settle, { until: () => record.mailbox.size === 0 })
  return Effect.flatMap(Effect.tap(arrivals.within(Process.awaitExit(pid), expected), taken), (reason) =>
    Effect.sync(() => Option.match(arrivals.takeNow(expected), { onNone: () => reason, onSome: (down) => down.reason }))
  )
}

/** The messages that have come to a probe, and the expectations that wait for more. */
class Arrivals {
  readonly all: Array<unknown> = []
  /** The messages that no expectation has taken. */
  left: Array<unknown> = []
  private readonly limit: Duration.Duration
  private readonly waiting = new Set<() => void>()

  constructor(limit: Duration.Duration) {
    this.limit = limit
  }

  add(message: unknown): void {
    this.all.push(message)
    this.left.push(message)
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const wake of waiting) wake()
  }

  takeNow<A>({ matches }: Expected<A>): Option.Option<A> {
    const at = this.left.findIndex(matches)
    return at < 0 ? Option.none() : Option.some(this.left.splice(at, 1)[0] as A)
  }

  take<A>(expected: Expected<A>): Effect.Effect<A, ExpectationFailed> {
    const attempt: Effect.Effect<A> = Effect.suspend(() => {
      const seen = this.all.length
      const found = this.takeNow(expected)
      return Option.isSome(found) ? Effect.succeed(found.value) : Effect.flatMap(this.more(seen), () => attempt)
    })
    return Effect.suspend(() => (this.left.some(expected.matches) ? attempt : this.within(attempt, expected)))
  }

  /** Waits until more messages have come than this. */
  private more(seen: number): Effect.Effect<void> {
    return waitUntil<void>((resume, resumeNow) => {
      if (this.all.length > seen) return resumeNow(Effect.void)
      const wake = () => resume(Effect.void)
      this.waiting.add(wake)
      return () => {
        this.waiting.delete(wake)
      }
    })
  }

  within<A>(effect: Effect.Effect<A>, expected: Where): Effect.Effect<A, ExpectationFailed> {
    const orElse = () => this.failed(expected, this.limit)
    return withLive(Effect.timeoutOrElse(effect, { duration: this.limit, orElse }))
  }

  failed({ frames, words }: Where, within: Duration.Duration | undefined): Effect.Effect<never, ExpectationFailed> {
    return Effect.suspend(() => {
      const error = new ExpectationFailed({ expected: words(), within, mailbox: [...this.left] })
      return Effect.fail(pointTo(error, frames()))
    })
  }
}

type Where = Pick<Expected<unknown>, "frames" | "words">

const nameOf = (pid: Pid): string => {
  const name = displayName(recordOf(pid))
  return name === String(pid) ? name : `${name} ${String(pid)}`
}

/** The name of a function, or the beginning of its source. */
const wordsOf = (f: (...args: never) => unknown): string => {
  if (f.name !== "") return `${f.name} holds`
  const source = String(f).replaceAll(/\s+/g, " ")
  return `this holds: ${source.length > 100 ? `${source.slice(0, 100)}…` : source}`
}

const describe = (message: unknown): string => {
  if (Signal.isDown(message)) return `Down of ${nameOf(message.pid)}: ${ExitReason.format(message.reason)}`
  if (!Signal.isExit(message)) return format(message)
  return `Exit of ${message.from === undefined ? "nobody" : nameOf(message.from)}: ${ExitReason.format(message.reason)}`
}
