/**
 * Runs effects as processes: one fiber, one mailbox, one record each.
 *
 * A process has a parent (the process that spawned it). Others can link to it, monitor it, send it messages and exit
 * signals, and kill it. However it ends, its end has one `ExitReason`.
 *
 * All functions but `send` take the client of a server in place of a pid. See {@link Target}.
 *
 * **Guarantees**
 *
 * - `spawn` returns when the links and monitors that were asked for are in place; the body has not run yet. If a
 *   process is killed before its first step, they still fire.
 * - Everything that one process sends to another (messages, exit signals, its own end) arrives in the order sent. Only
 *   a kill, an exit signal that is not trapped and the shutdown by the parent overtake queued messages.
 * - At its death, in this order: it is not alive, timers to it are dropped, its name is free, links get exit signals,
 *   monitors get `Down`.
 * - Its scope (finalizers) closes before that, except after a kill: then neighbours are told at once.
 *
 * **In Erlang/OTP**
 *
 * `spawn`, `link`, `monitor`, `exit/2` and friends of the module `erlang`, and `Process` of Elixir.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Refinement } from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { describe } from "../values/describe.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { attempt } from "../values/valueKinds.ts"
import type { Accounting } from "./Accounting.ts"
import * as ExitReason from "./ExitReason.ts"
import { poll, receive, runPlain } from "./internal/plainProcess.ts"
import * as Relations from "./internal/linksAndMonitors.ts"
import { type Bound } from "./Mailbox.ts"
import type { Pid } from "./Pid.ts"
import { checkedRecord, currentProcessUnsafe, Self, type ProcessRecord } from "./shared/processRecord.ts"
import * as Signal from "./Signal.ts"
import { kill as killUnsafe } from "./shared/death.ts"
import { post, signal, withdrawSignal } from "./shared/delivery.ts"
import { exitSignal } from "./shared/signals.ts"
import { waitUntil } from "./shared/waitUntil.ts"
import { duringWait, waitForEnd } from "./shared/waitCycles.ts"
import { MessageEnvelope } from "./shared/plainEnvelopes.ts"
import { displayName } from "./shared/displayName.ts"
import {
  selfUnsafe,
  linkStartedUnsafe,
  monitorUnsafe,
  postUnsafe,
  parentOf,
  makeIn,
  recordBehind,
  type Target
} from "./shared/processes.ts"

// ---- models -------------------------------------------------------------------------------------------------------

export type {
  /**
   * The process an effect runs in, as a requirement: only a process can link, monitor or trap exits.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Self
} from "./shared/processRecord.ts"

declare const ReceivesId: unique symbol

/**
 * A requirement: the process in which an effect runs is sent messages of type `M`. A process that accepts them meets
 * it: by the `Inbox` of a plain process, by the `info` of a server. There is nothing to provide.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Receives<out M> {
  readonly [ReceivesId]: M
}

/**
 * The requirement for a member of something that sends messages of type `M`: to be a process, and to accept them.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Member<M> = Self | ([M] extends [never] ? never : Receives<M>)

/**
 * The receiving end of a plain process. Signals of the kernel arrive among its messages.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Inbox<in out M> {
  /** The process it belongs to. */
  readonly pid: Pid<M>
  /** Takes the next message. */
  readonly take: Effect.Effect<M | Signal.Signal>
  /**
   * Takes the first message that matches and leaves the others in order. It searches the whole mailbox before it waits.
   * If it is interrupted, nothing is lost.
   */
  readonly receive: {
    <B extends M | Signal.Signal>(refinement: Refinement<M | Signal.Signal, B>): Effect.Effect<B>
    (predicate: (message: M | Signal.Signal) => boolean): Effect.Effect<M | Signal.Signal>
  }
  /** Takes the first message that matches, if there is one now. */
  readonly poll: {
    <B extends M | Signal.Signal>(refinement: Refinement<M | Signal.Signal, B>): Effect.Effect<Option.Option<B>>
    (predicate: (message: M | Signal.Signal) => boolean): Effect.Effect<Option.Option<M | Signal.Signal>>
  }
}

/**
 * Options of a plain process.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface SpawnOptions {
  /** The name of the process in crash reports and listings. */
  readonly label?: string | undefined
  /** Whether exit signals become messages. Default: false. */
  readonly trapExit?: boolean | undefined
  /** A bound for its mailbox. Default: none. */
  readonly mailbox?: Bound | undefined
}

/**
 * What is known of a live process.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Info {
  readonly pid: Pid
  /** Its name for people: its label or name, with its id or key in its supervisor: `app/Worker(tenant-42)`. */
  readonly displayName: string
  readonly name: string | undefined
  readonly label: string | undefined
  readonly status: "starting" | "running" | "exiting"
  readonly parent: Pid | undefined
  readonly trapExit: boolean
  readonly links: ReadonlyArray<Pid>
  readonly monitors: ReadonlyArray<Pid>
  readonly monitoredBy: ReadonlyArray<Pid>
  /** Waiting messages, including those that selective receive has passed over. */
  readonly mailboxLength: number
  readonly messages: Accounting
}

export type {
  /**
   * A process: the pid of one run, or the client of a server.
   *
   * A client means the run that is up. While the server is down it means the last run, which is ending or dead.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Target
} from "./shared/processes.ts"

type Body<M, A, E, R> = Effect.Effect<A, E, R> | ((inbox: Inbox<M>) => Effect.Effect<A, E, R>)
type Needs<R, M> = Exclude<R, Scope.Scope | Self | Receives<M>>

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * The process is dead, or belongs to another kernel, or no process has the name. `process` is the pid or the name.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class NoProcess extends Data.TaggedError("NoProcess")<{ readonly process: Pid | string }> {
  override get message() {
    return typeof this.process === "string"
      ? `No process has the name "${this.process}"`
      : `There is no process ${describe(this.process)}`
  }
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * Starts a process and returns its pid at once. Its body runs in a later step.
 *
 * **When to use**
 *
 * Use to run an effect as a process that others can send messages to, link to and monitor. Use a `GenServer` for a
 * process that answers questions, and a `Task` for an effect with one answer.
 *
 * **Details**
 *
 * If the body is a function, it gets an `Inbox`. Annotate its parameter to say which messages the process accepts. The
 * scope of the body is the scope of the process: its finalizers run when the process ends. Fibers that the body forks
 * as children end with it.
 *
 * The process ends with `Normal` when its body succeeds. It ends with `Crash` when the body fails or dies.
 *
 * **Interruption**
 *
 * If the fiber that started the process is interrupted, the process goes on.
 *
 * **Example** (Sending to a process)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const greeting = yield* Deferred.make<string>()
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
 *     Effect.flatMap(inbox.take, (name) => Deferred.succeed(greeting, `hello ${name}`))
 *   )
 *   yield* Process.send(pid, "Joe")
 *   return yield* Deferred.await(greeting)
 * })
 *
 * await Effect.runPromise(program) // => "hello Joe"
 * ```
 *
 * @see {@link spawnLink} and {@link spawnMonitor} for a process whose end you want to hear of
 * @see `erlang:spawn/1`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const spawn = <A, E, R, M = never>(
  body: Body<M, A, E, R>,
  options?: SpawnOptions
): Effect.Effect<Pid<M>, never, Needs<R, M>> =>
  Effect.withFiber((fiber) => Effect.succeed(spawnUnsafe(fiber, body, options) as Pid<unknown> as Pid<M>))

/**
 * Starts a process that is linked to this one: when one of the two ends abnormally, so does the other.
 *
 * **When to use**
 *
 * Use when neither process makes sense without the other. A process that traps exits gets a message instead of its own
 * end.
 *
 * **Details**
 *
 * The link is in place before the body runs, so no end is missed.
 *
 * **Example** (Hearing of the end of a linked process)
 *
 * ```ts import.meta.vitest
 * import { Effect, Logger } from "effect"
 * import { Process, Signal } from "effect-otp"
 *
 * const parent = (inbox: Process.Inbox<never>) =>
 *   Effect.gen(function*() {
 *     const child = yield* Process.spawnLink(Effect.die("broken"))
 *     const { from, reason } = yield* inbox.receive(Signal.isExit)
 *     return yield* Effect.die([from === child, reason._tag])
 *   })
 *
 * const program = Effect.flatMap(Process.spawn(parent, { trapExit: true }), Process.awaitExit)
 * const reason = await Effect.runPromise(Effect.provide(program, Logger.layer([])))
 * reason._tag === "Crash" && reason.cause.reasons.map((why) => why._tag === "Die" && why.defect) // => [[true, "Crash"]]
 * ```
 *
 * @see {@link link} to link to a process that runs already
 * @see `erlang:spawn_link/1`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const spawnLink = <A, E, R, M = never>(
  body: Body<M, A, E, R>,
  options?: SpawnOptions
): Effect.Effect<Pid<M>, never, Needs<R, M> | Self> =>
  Effect.withFiber((fiber) => {
    const record = spawnUnsafe(fiber, body, options)
    const me = selfUnsafe(fiber)
    linkStartedUnsafe(me, record)
    return Effect.succeed(record)
  })

/**
 * Starts a process that this one monitors: exactly one `Down` arrives when it ends.
 *
 * **When to use**
 *
 * Use to learn why a process ended without ending with it.
 *
 * **Details**
 *
 * Returns the pid and the reference of the monitor. The `Down` carries the same reference.
 *
 * **Example** (Learning why a process ended)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process, Signal } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const learnt = yield* Deferred.make<string>()
 *   yield* Process.spawn((inbox: Process.Inbox<never>) =>
 *     Effect.gen(function*() {
 *       const { monitor } = yield* Process.spawnMonitor(Effect.void)
 *       const down = yield* inbox.receive(Signal.isDown)
 *       yield* Deferred.succeed(learnt, `${down.monitor === monitor} ${down.reason._tag}`)
 *     })
 *   )
 *   return yield* Deferred.await(learnt)
 * })
 *
 * await Effect.runPromise(program) // => "true Normal"
 * ```
 *
 * @see {@link awaitExit} to wait for an end outside of a process
 * @see `erlang:spawn_monitor/1`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const spawnMonitor = <A, E, R, M = never>(
  body: Body<M, A, E, R>,
  options?: SpawnOptions
): Effect.Effect<{ readonly pid: Pid<M>; readonly monitor: Signal.MonitorRef }, never, Needs<R, M> | Self> =>
  Effect.withFiber((fiber) => {
    const record = spawnUnsafe(fiber, body, options)
    const monitor = monitorUnsafe(selfUnsafe(fiber), record)
    return Effect.succeed({ pid: record, monitor })
  })

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The pid of the process that this effect runs in. It compiles only inside a process.
 *
 * **Example** (Sending its own pid)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.flatMap(Process.self, (self) => Process.setLabel(`I am ${self}`)).pipe(
 *     Effect.andThen(Effect.never)
 *   ))
 *   yield* Effect.yieldNow
 *   const info = yield* Process.info(pid)
 *   return Option.getOrThrow(info).label === `I am ${pid}`
 * })
 *
 * await Effect.runPromise(program) // => true
 * ```
 *
 * @see {@link selfFor} for a pid that others can send messages to
 * @see `erlang:self/0`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const self: Effect.Effect<Pid, never, Self> = Self

/**
 * The pid of the process that this effect runs in, with the type that others need to send it messages of type `M`.
 *
 * **When to use**
 *
 * Use to give your own address to somebody else, such as a task that reports back.
 *
 * **Details**
 *
 * It compiles only where the process accepts such messages: in the body of a plain process by its `Inbox`, in a server
 * by its `info`.
 *
 * **Example** (Getting a message back)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const result = yield* Deferred.make<unknown>()
 *   yield* Process.spawn((inbox: Process.Inbox<number>) =>
 *     Effect.gen(function*() {
 *       const me = yield* Process.selfFor<number>()
 *       yield* Process.spawn(Process.send(me, 6 * 7))
 *       yield* Deferred.succeed(result, yield* inbox.take)
 *     })
 *   )
 *   return yield* Deferred.await(result)
 * })
 *
 * await Effect.runPromise(program) // => 42
 * ```
 *
 * @see {@link self} for a pid that is only compared, linked or monitored
 * @see `erlang:self/0`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const selfFor = <M>(): Effect.Effect<Pid<M>, never, Self | Receives<M>> =>
  Effect.map(self, (pid) => pid as unknown as Pid<M>)

/**
 * Sends a message to a process. It never fails: a message to a dead process is a dead letter.
 *
 * **Details**
 *
 * Messages from one process to another arrive in the order they were sent. A dead letter is counted and announced by a
 * telemetry event.
 *
 * **Interruption**
 *
 * `send` waits only if the mailbox has a bound, is full, and makes senders wait. If it is interrupted while it waits,
 * the message is taken back.
 *
 * **Example** (Sending to a live and to a dead process)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Kernel, Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   yield* Process.send(pid, "hello")
 *   yield* Process.awaitExit(pid)
 *   yield* Process.send(pid, "anybody here?")
 *   const { deadLettered, handled } = yield* Kernel.messages
 *   return { handled, deadLettered }
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Layer.fresh(Kernel.layer))) // => { handled: 1, deadLettered: 1 }
 * ```
 *
 * @see `Name.send` for a process known by its name
 * @see `erlang:send/2`, `Pid ! Message`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const send: {
  <M>(message: M): (self: Pid<M>) => Effect.Effect<void>
  <M>(self: Pid<M>, message: NoInfer<M>): Effect.Effect<void>
} = function (first: unknown, second?: unknown) {
  // Written out, because functions made with `dual` share their code, and V8 does not inline it. The implementation has one
  // signature for both forms, so the type of the two is stated here.
  return arguments.length < 2 ? (self: Pid<unknown>) => sendTo(self, first) : sendTo(first as Pid<unknown>, second)
} as never

/**
 * Sends an exit signal to a process.
 *
 * **When to use**
 *
 * Use to ask a process to end, or to tell it a reason as if a linked process had ended. To wait until it has ended, use
 * `Shutdown.shutdown`.
 *
 * **Details**
 *
 * A process that traps exits gets the signal as a message. Any other process ends with that reason: a plain process is
 * interrupted at once, a server runs `terminate` first. `Normal` does nothing, unless a process sends it to itself. A
 * plain process that ends itself runs nothing after it. A signal to a dead process is lost.
 *
 * **Example** (Ending a process with a reason)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { ExitReason, Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Process.exit(pid, ExitReason.shutdown("deploy"))
 *   return ExitReason.format(yield* Process.awaitExit(pid))
 * })
 *
 * await Effect.runPromise(program) // => "Shutdown: deploy"
 * ```
 *
 * @see {@link kill} for an end that cannot be trapped
 * @see `erlang:exit/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const exit: {
  (reason: ExitReason.ExitReason): (self: Target) => Effect.Effect<void>
  (self: Target, reason: ExitReason.ExitReason): Effect.Effect<void>
} = dual(2, (self: Target, reason: ExitReason.ExitReason) =>
  Effect.withFiber((fiber) => {
    exitSignal(recordBehind("Process.exit", fiber, self), currentProcessUnsafe(fiber), reason)
    return Effect.void
  })
)

/**
 * Kills a process. A kill cannot be trapped.
 *
 * **Details**
 *
 * Links and monitors of the process see `Killed` at once, and its name is free at once. Its finalizers always run.
 *
 * **Gotchas**
 *
 * The fiber of the process ends only when it leaves the uninterruptible region that it may be in. Everything that it
 * sends until then is discarded, exit signals included. So a finalizer that has to end another process must use `kill`.
 *
 * **Example** (Killing a process that traps exits)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never, { trapExit: true })
 *   yield* Process.kill(pid)
 *   return [yield* Process.isAlive(pid), yield* Process.awaitExit(pid)]
 * })
 *
 * await Effect.runPromise(program) // => [false, { _tag: "Killed" }]
 * ```
 *
 * @see `Shutdown.killAndAwait` to wait until it has released what it holds
 * @see `erlang:exit(Pid, kill)`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const kill = (target: Target): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    killUnsafe(recordBehind("Process.kill", fiber, target))
    return Effect.void
  })

/**
 * Links this process to another: when one of them ends abnormally, the other gets its exit signal.
 *
 * **Details**
 *
 * Linking twice is the same as linking once. Linking to itself does nothing.
 *
 * **Errors**
 *
 * - `NoProcess` if the other process is dead. A process that traps exits gets an `Exit` with the reason `NoProcess`
 *   instead.
 *
 * **Example** (Ending together)
 *
 * ```ts import.meta.vitest
 * import { Effect, Logger } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const fragile = yield* Process.spawn((inbox: Process.Inbox<"break">) =>
 *     Effect.andThen(inbox.take, Effect.die("broken"))
 *   )
 *   const linked = yield* Process.spawn(Effect.andThen(Process.link(fragile), Effect.never))
 *   yield* Effect.yieldNow
 *   yield* Process.send(fragile, "break")
 *   const reason = yield* Process.awaitExit(linked)
 *   return reason._tag
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Logger.layer([]))) // => "Crash"
 * ```
 *
 * @see {@link unlink} to remove a link, {@link monitor} to hear of an end without ending
 * @see `erlang:link/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const link = (target: Target): Effect.Effect<void, NoProcess, Self> =>
  Effect.withFiber((fiber) => {
    const me = selfUnsafe(fiber)
    const other = recordBehind("Process.link", fiber, target)
    // A dead process makes no relations, because nothing would end them.
    if (!me.isAlive) return me.wasKilled ? Effect.void : Effect.fail(new NoProcess({ process: me }))
    if (other.isAlive) {
      Relations.link<ProcessRecord>(me, other)
      return Effect.void
    }
    if (!me.trapExit) return Effect.fail(new NoProcess({ process: other }))
    signal(me, new Signal.Exit(other, ExitReason.noProcess))
    return Effect.void
  })

/**
 * Removes a link. No exit signal of it arrives afterwards.
 *
 * **Details**
 *
 * An exit signal of the link that waits in the mailbox already is taken out. Removing a link that is not there does
 * nothing.
 *
 * **Example** (Living on)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const other = yield* Process.spawn(Effect.never)
 *   const pid = yield* Process.spawn(
 *     Effect.gen(function*() {
 *       yield* Process.link(other)
 *       yield* Process.unlink(other)
 *       yield* Process.kill(other)
 *       yield* Effect.yieldNow
 *     })
 *   )
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Normal" }
 * ```
 *
 * @see `erlang:unlink/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const unlink = (target: Target): Effect.Effect<void, never, Self> =>
  Effect.withFiber((fiber) => {
    const me = selfUnsafe(fiber)
    const other = recordBehind("Process.unlink", fiber, target)
    if (!Relations.unlink<ProcessRecord>(me, other) && !other.isAlive) {
      // A signal that the other process sent by `exit` while it lived stays.
      const ends = [other.reason, ExitReason.noProcess]
      withdrawSignal(me, (sent) => sent._tag === "Exit" && sent.from === other && ends.includes(sent.reason))
    }
    return Effect.void
  })

/**
 * Watches a process: exactly one `Down` arrives in this process when the other ends.
 *
 * **When to use**
 *
 * Use when this process must react to the end of another one. Outside of a process use {@link awaitExit}.
 *
 * **Details**
 *
 * The `Down` carries the pid, the reason and the reference that `monitor` gives. If the process is dead already, a
 * `Down` with the reason `NoProcess` arrives at once. Several monitors of one process each give a `Down`.
 *
 * **Example** (Watching a process)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process, Signal } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const seen = yield* Deferred.make<unknown>()
 *   const watched = yield* Process.spawn(Effect.never)
 *   yield* Process.spawn((inbox: Process.Inbox<never>) =>
 *     Effect.gen(function*() {
 *       yield* Process.monitor(watched)
 *       yield* Process.kill(watched)
 *       yield* Deferred.succeed(seen, (yield* inbox.receive(Signal.isDown)).reason)
 *     })
 *   )
 *   return yield* Deferred.await(seen)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Killed" }
 * ```
 *
 * @see {@link demonitor} to stop watching, {@link spawnMonitor} to start and watch in one step
 * @see `erlang:monitor/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const monitor = (target: Target): Effect.Effect<Signal.MonitorRef, never, Self> =>
  Effect.withFiber((fiber) =>
    Effect.succeed(monitorUnsafe(selfUnsafe(fiber), recordBehind("Process.monitor", fiber, target)))
  )

/**
 * Stops watching. A `Down` of this monitor that has come already is taken out of the mailbox.
 *
 * **Details**
 *
 * Gives true if the process was still watched, and false if its `Down` had been sent.
 *
 * **Example** (Taking a Down back)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect, Option } from "effect"
 * import { Process, Signal } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const result = yield* Deferred.make<unknown>()
 *   const dead = yield* Process.spawn(Effect.void)
 *   yield* Process.awaitExit(dead)
 *   yield* Process.spawn((inbox: Process.Inbox<never>) =>
 *     Effect.gen(function*() {
 *       const monitor = yield* Process.monitor(dead)
 *       const watched = yield* Process.demonitor(monitor)
 *       yield* Deferred.succeed(result, [watched, yield* inbox.poll(Signal.isDown)])
 *     })
 *   )
 *   return yield* Deferred.await(result)
 * })
 *
 * await Effect.runPromise(program) // => [false, Option.none()]
 * ```
 *
 * @see {@link monitor}
 * @see `erlang:demonitor/2` with `[flush, info]`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const demonitor = (ref: Signal.MonitorRef): Effect.Effect<boolean, never, Self> =>
  Effect.withFiber((fiber) => {
    const me = selfUnsafe(fiber)
    const monitor = monitorOf(ref)
    if (monitor.watcher !== me) return Effect.succeed(true)
    const watched = Relations.demonitor(monitor)
    withdrawSignal(me, (sent) => sent._tag === "Down" && sent.monitor === ref)
    return Effect.succeed(watched)
  })

/**
 * Says whether exit signals to this process become messages. Gives what it was before.
 *
 * **When to use**
 *
 * Use in a process that outlives the processes it is linked to, and wants to know why they ended.
 *
 * **Details**
 *
 * While a process traps exits, each exit signal arrives as a `Signal.Exit` in its mailbox. A kill cannot be trapped.
 *
 * **Example** (Surviving the end of a linked process)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect, Logger } from "effect"
 * import { Process, Signal } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const result = yield* Deferred.make<unknown>()
 *   yield* Process.spawn((inbox: Process.Inbox<never>) =>
 *     Effect.gen(function*() {
 *       const before = yield* Process.trapExit(true)
 *       yield* Process.spawnLink(Effect.die("broken"))
 *       const { reason } = yield* inbox.receive(Signal.isExit)
 *       yield* Deferred.succeed(result, [before, reason._tag])
 *     })
 *   )
 *   return yield* Deferred.await(result)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Logger.layer([]))) // => [false, "Crash"]
 * ```
 *
 * @see `process_flag(trap_exit, true)`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const trapExit = (trap: boolean): Effect.Effect<boolean, never, Self> =>
  Effect.withFiber((fiber) => {
    const me = selfUnsafe(fiber)
    const before = me.trapExit
    me.trapExit = trap
    return Effect.succeed(before)
  })

/**
 * Waits until a process is dead, and gives the reason. It works inside and outside of processes.
 *
 * **Details**
 *
 * If the process is dead already, it gives the reason at once. It does not wait for the finalizers of a killed process:
 * `Shutdown.awaitEnd` does.
 *
 * **Interruption**
 *
 * Interrupting it stops the waiting. The process is not touched.
 *
 * **Example** (Waiting for an end)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.void)
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Normal" }
 * ```
 *
 * @see {@link monitor} to get the end as a message
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const awaitExit = (target: Target): Effect.Effect<ExitReason.ExitReason> =>
  Effect.withFiber((fiber) => {
    const record = recordBehind("Process.awaitExit", fiber, target)
    if (record.reason !== undefined) return Exit.succeed(record.reason)
    const exit = waitUntil<ExitReason.ExitReason>((resume) => {
      const observer = { dead: (reason: ExitReason.ExitReason) => resume(Exit.succeed(reason)) }
      record.observe(observer)
      return () => record.unobserve(observer)
    })
    return duringWait(waitForEnd(record), exit)
  })

/**
 * Tells whether a process is alive. It is false from the moment at which links and monitors see the process as dead.
 *
 * **Example** (Looking before and after a kill)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   const before = yield* Process.isAlive(pid)
 *   yield* Process.kill(pid)
 *   return [before, yield* Process.isAlive(pid)]
 * })
 *
 * await Effect.runPromise(program) // => [true, false]
 * ```
 *
 * @see `erlang:is_process_alive/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const isAlive = (target: Target): Effect.Effect<boolean> =>
  Effect.withFiber((fiber) => Effect.succeed(recordBehind("Process.isAlive", fiber, target).isAlive))

/**
 * Gives this process a label, which crash reports and listings show.
 *
 * **Example** (Labelling a process)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.andThen(Process.setLabel("cook"), Effect.never))
 *   yield* Effect.yieldNow
 *   const info = yield* Process.info(pid)
 *   yield* Process.kill(pid)
 *   return Option.map(info, ({ displayName }) => displayName)
 * })
 *
 * await Effect.runPromise(program) // => Option.some("cook")
 * ```
 *
 * @see {@link spawn}, which takes a `label` from the start
 * @see `proc_lib:set_label/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const setLabel = (label: string): Effect.Effect<void, never, Self> =>
  Effect.withFiber((fiber) => {
    selfUnsafe(fiber).label = label
    return Effect.void
  })

/**
 * Lists the processes above this one, its parent first.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const ancestors: Effect.Effect<ReadonlyArray<Pid>, never, Self> = Effect.withFiber((fiber) => {
  const found: Array<Pid> = []
  for (let parent = selfUnsafe(fiber).parent; parent !== undefined; parent = parent.parent) found.push(parent)
  return Effect.succeed(found)
})

export {
  /**
   * The processes for which this effect runs, nearest first: the process that spawned this one, and the callers of that
   * process.
   *
   * @stability experimental
   * @category services
   * @since 0.1.0
   */
  Callers
} from "./shared/processes.ts"

/**
 * Tells what is known of a process. It gives `None` if the process is dead.
 *
 * **When to use**
 *
 * Use for listings, dashboards and tests. Do not decide with it what to send: all of it may have changed a step later.
 *
 * **Example** (Counting waiting messages)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((_: Process.Inbox<string>) => Effect.never, { label: "deaf" })
 *   yield* Process.send(pid, "hello")
 *   const { displayName, mailboxLength } = Option.getOrThrow(yield* Process.info(pid))
 *   yield* Process.kill(pid)
 *   return [displayName, mailboxLength]
 * })
 *
 * await Effect.runPromise(program) // => ["deaf", 1]
 * ```
 *
 * @see `Sys.getStatus` for the state of a server
 * @see `erlang:process_info/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const info = (target: Target): Effect.Effect<Option.Option<Info>> =>
  Effect.withFiber((fiber) => Effect.succeed(infoUnsafe(recordBehind("Process.info", fiber, target))))

// ---- internals ----------------------------------------------------------------------------------------------------

const sendToBounded = (
  fiber: Fiber.Fiber<unknown, unknown>,
  record: ProcessRecord,
  message: unknown
): Effect.Effect<void> => postUnsafe(fiber, record, () => new MessageEnvelope(message, currentProcessUnsafe(fiber)))

const sendTo = (pid: Pid<unknown>, message: unknown): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const record = checkedRecord("Process.send", pid)
    if (record.bound !== undefined) return sendToBounded(fiber, record, message)
    post(record, new MessageEnvelope(message, currentProcessUnsafe(fiber)))
    return Effect.void
  })

/** The monitor behind a reference that {@link monitor} gave. */
const monitorOf = (ref: Signal.MonitorRef): Relations.Monitor<ProcessRecord> => {
  if (attempt(() => checkedRecord("", ref.pid)) !== undefined) return ref as Relations.Monitor<ProcessRecord>
  return refuseArgument(
    { to: "Process.demonitor", what: "a monitor, as Process.monitor gives it", isForeign: false },
    ref
  )
}

const spawnUnsafe = <M, A, E, R>(
  fiber: Fiber.Fiber<unknown, unknown>,
  body: Body<M, A, E, R>,
  options: SpawnOptions = {}
): ProcessRecord => {
  const record = makeIn(fiber, parentOf(fiber), options)
  const made = Effect.isEffect(body) ? body : Effect.suspend(() => body(inboxOf(record)))
  runPlain(record, made as Effect.Effect<A, E>)
  return record
}

const inboxOf = <M>(record: ProcessRecord): Inbox<M> =>
  ({
    pid: record,
    take: receive(record, () => true),
    receive: (matches: (message: unknown) => boolean) => receive(record, matches),
    poll: (matches: (message: unknown) => boolean) => Effect.sync(() => poll(record, matches))
  }) as unknown as Inbox<M>

const infoUnsafe = (record: ProcessRecord): Option.Option<Info> => {
  if (record.phase === "dead") return Option.none()
  const relations = record.relations
  return Option.some({
    pid: record,
    displayName: displayName(record),
    name: record.name,
    label: record.label,
    status: record.phase,
    parent: record.parent,
    trapExit: record.trapExit,
    links: [...(relations?.links ?? [])],
    monitors: Array.from(relations?.watching ?? [], (monitor) => monitor.pid),
    monitoredBy: Array.from(relations?.watchers ?? [], (monitor) => monitor.watcher),
    mailboxLength: record.mailbox.size,
    messages: record.accounting
  })
}
