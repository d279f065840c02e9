/**
 * Finds a process by a name that it alone has.
 *
 * A name is a value. Make it once, next to the code of the process that it names; it has the type of that process's
 * messages. Names belong to a kernel. A process has a name only if you give it one.
 *
 * **Guarantees**
 *
 * - At most one process has a name, and a process has at most one name.
 * - A name is free before anybody learns of the death of its process: before `Exit` and `Down` are sent.
 * - A name is looked up when it is used. A monitor made by name stays with the process it found.
 *
 * **In Erlang/OTP**
 *
 * `register/2`, `whereis/1` and similar functions. They fail with `badarg`; here each failure has its own error.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { type Pipeable, Prototype } from "effect/Pipeable"
import { printAs } from "../values/printAs.ts"
import { describe } from "../values/describe.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { has } from "../values/valueKinds.ts"
import { type Handle } from "../kernel/Handle.ts"
import type * as Kernel from "../kernel/Kernel.ts"
import type { Pid } from "../kernel/Pid.ts"
import * as Process from "../kernel/Process.ts"
import { post } from "../kernel/shared/delivery.ts"
import { checkedRecord, currentProcessUnsafe, type ProcessRecord } from "../kernel/shared/processRecord.ts"
import { MessageEnvelope } from "../kernel/shared/plainEnvelopes.ts"
import type { MonitorRef } from "../kernel/Signal.ts"
import type { Address } from "../kernel/Timer.ts"
import { currentKernel, stateOf } from "../kernel/shared/currentKernel.ts"
import { nobodyUnsafe, selfUnsafe, monitorUnsafe } from "../kernel/shared/processes.ts"
import { TypeId, AlreadyStarted, type Reference, resolveName, give, checkedName } from "./shared/names.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A name for a process that accepts messages of type `M`. Timers take it as their address.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Name<in M = never> extends Address<M>, Pipeable {
  readonly [TypeId]: (message: M) => void
  readonly name: string
}

// ---- errors -------------------------------------------------------------------------------------------------------

export {
  /**
   * The name, the key of a registry, or the key of a dynamic child is taken.
   *
   * **Details**
   *
   * `processName` is the name as listings show it: `shop/till`, `shop/tills("front")`, or `shop/Basket(ann)` for a child.
   * `pid` is the process that has the name. It is undefined for a dynamic child that has no process at the moment, because
   * it is about to start or waits for its restart.
   *
   * @see `Registry.AlreadyRegistered` for a process that registers itself
   * @see `{error, {already_started, Pid}}`
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  AlreadyStarted
} from "./shared/names.ts"

/**
 * The process has a name already: `processName`.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class AlreadyNamed extends Data.TaggedError("AlreadyNamed")<{
  readonly processName: string
  readonly pid: Pid
}> {
  override get message() {
    return `${describe(this.pid)} has the name "${this.processName}" already`
  }
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * A name. Write out which messages the process behind it accepts.
 *
 * **Details**
 *
 * Throws a `RangeError` if the name is not a string or empty. Two values of the same string are the same name: begin it
 * with what it belongs to, `"shop/orders"`.
 *
 * **Example** (Naming a process)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Name, Process } from "effect-otp"
 *
 * const Greeter = Name.make<string>("example/greeter")
 *
 * const program = Effect.gen(function*() {
 *   const greeting = yield* Deferred.make<string>()
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
 *     Effect.flatMap(inbox.take, (name) => Deferred.succeed(greeting, `hello ${name}`))
 *   )
 *   yield* Name.register(Greeter, pid)
 *   yield* Name.send(Greeter, "Joe")
 *   return yield* Deferred.await(greeting)
 * })
 *
 * await Effect.runPromise(program) // => "hello Joe"
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const make = <M = never>(name: string): Name<M> => {
  const checked = checkedName(name)
  const resolve = (kernel: Kernel.Kernel) => stateOf(kernel).names.get(checked) as Pid<M> | undefined
  const made = Object.assign(Object.create(Prototype) as Pipeable, { [TypeId]: accepts, name: checked, resolve })
  return printAs(made, ({ name }) => `Name(${name})`)
}

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a value is a name.
 *
 * **Example** (Checking a value)
 *
 * ```ts import.meta.vitest
 * import { Name } from "effect-otp"
 *
 * const values = [Name.make("shop/till"), "shop/till"]
 * values.map(Name.isName) // => [true, false]
 * ```
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isName = (u: unknown): u is Name => has(u, TypeId)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Gives a process a name.
 *
 * **When to use**
 *
 * Use for a plain process that others find by a well-known name. A server needs none: its service is its name. A server
 * that still wants one takes the `name` option, which claims the name before `init` runs.
 *
 * **Errors**
 *
 * - `AlreadyStarted` if a process has the name.
 * - `AlreadyNamed` if the process has a name.
 * - `NoProcess` if the process is dead, or belongs to another kernel.
 *
 * **Example** (Giving a name once)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Name, Process } from "effect-otp"
 *
 * const Printer = Name.make("example/register")
 *
 * const program = Effect.gen(function*() {
 *   const [one, two] = [yield* Process.spawn(Effect.never), yield* Process.spawn(Effect.never)]
 *   yield* Name.register(Printer, one)
 *   const refused = yield* Effect.flip(Name.register(Printer, two))
 *   yield* Process.kill(one)
 *   yield* Name.register(Printer, two)
 *   yield* Process.kill(two)
 *   return refused._tag
 * })
 *
 * await Effect.runPromise(program) // => "AlreadyStarted"
 * ```
 *
 * @see {@link unregister}, {@link whereis}
 * @see `erlang:register/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const register: {
  <M>(pid: Pid<M>): (self: Name<M>) => Effect.Effect<void, AlreadyStarted | AlreadyNamed | Process.NoProcess>
  <M>(self: Name<M>, pid: Pid<NoInfer<M>>): Effect.Effect<void, AlreadyStarted | AlreadyNamed | Process.NoProcess>
} = dual(2, <M>(self: Name<M>, pid: Pid<M>) =>
  withKernel((kernel): Exit.Exit<void, AlreadyStarted | AlreadyNamed | Process.NoProcess> => {
    const text = textOf("Name.register", self)
    const record = checkedRecord("Name.register", pid)
    if (!record.isAlive || record.kernel !== kernel) return Exit.fail(new Process.NoProcess({ process: record }))
    const holder = kernel.names.get(text)
    if (holder !== undefined) return Exit.fail(new AlreadyStarted({ processName: text, pid: holder }))
    if (record.name !== undefined) return Exit.fail(new AlreadyNamed({ processName: record.name, pid: record }))
    give(kernel, text, record)
    return Exit.void
  })
)

/**
 * Takes a name from the process that has it.
 *
 * **Errors**
 *
 * - `NoProcess` if no process has the name.
 *
 * **Example** (Taking a name away)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Name, Process } from "effect-otp"
 *
 * const Printer = Name.make("example/unregister")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Name.register(Printer, pid)
 *   yield* Name.unregister(Printer)
 *   const found = yield* Name.whereis(Printer)
 *   yield* Process.kill(pid)
 *   return found
 * })
 *
 * await Effect.runPromise(program) // => Option.none()
 * ```
 *
 * @see {@link register}
 * @see `erlang:unregister/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const unregister = <M>(name: Name<M>): Effect.Effect<void, Process.NoProcess> =>
  withKernel((kernel) => {
    const text = textOf("Name.unregister", name)
    const holder = kernel.names.get(text)
    if (holder === undefined) return Effect.fail(new Process.NoProcess({ process: text }))
    kernel.releaseName(holder)
    holder.name = undefined
    return Effect.void
  })

/**
 * Finds the process that has a name. It gives `None` if there is none.
 *
 * **Gotchas**
 *
 * The process may end right after it was found. Use {@link send} and {@link monitor} with the name where you can: they
 * look it up in the step in which they use it.
 *
 * **Example** (Finding a process)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Name, Process } from "effect-otp"
 *
 * const Printer = Name.make("example/whereis")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Name.register(Printer, pid)
 *   const found = yield* Name.whereis(Printer)
 *   yield* Process.kill(pid)
 *   return [Option.getOrThrow(found) === pid, yield* Name.whereis(Printer)]
 * })
 *
 * await Effect.runPromise(program) // => [true, Option.none()]
 * ```
 *
 * @see `erlang:whereis/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const whereis = <M>(name: Name<M>): Effect.Effect<Option.Option<Pid<M>>> => whereisFor("Name.whereis", name)

/**
 * Lists the names in use.
 *
 * @see `erlang:registered/0`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const registered: Effect.Effect<ReadonlyArray<string>> = Effect.suspend(() =>
  withKernel((kernel) => Effect.succeed(Array.from(kernel.names.keys())))
)

/**
 * Sends a message to the process that has a name.
 *
 * **When to use**
 *
 * Use when it matters whether anybody has the name. Otherwise use {@link cast}.
 *
 * **Errors**
 *
 * - `NoProcess` if no process has the name.
 *
 * **Interruption**
 *
 * As for `Process.send`: it waits only for room in a full mailbox, and takes the message back.
 *
 * **Example** (Nobody there)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Name } from "effect-otp"
 *
 * const Printer = Name.make<string>("example/send")
 *
 * const error = await Effect.runPromise(Effect.flip(Name.send(Printer, "page 1")))
 * error._tag // => "NoProcess"
 * ```
 *
 * @see {@link cast}, which cannot fail
 * @see `Name ! Message`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const send: {
  <M>(message: M): (self: Name<M>) => Effect.Effect<void, Process.NoProcess>
  <M>(self: Name<M>, message: NoInfer<M>): Effect.Effect<void, Process.NoProcess>
} = dual(2, <M>(self: Name<M>, message: NoInfer<M>) =>
  Effect.flatMap(whereisFor("Name.send", self), (found) =>
    Option.isSome(found)
      ? Process.send(found.value, message)
      : Effect.fail(new Process.NoProcess({ process: self.name }))
  )
)

/**
 * Sends a message to the process that has a name. If there is none, the message is a dead letter.
 *
 * **When to use**
 *
 * Use when it does not matter whether anybody has the name.
 *
 * **Example** (A dead letter)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Kernel, Name } from "effect-otp"
 *
 * const Printer = Name.make<string>("example/cast")
 *
 * const program = Effect.andThen(Name.cast(Printer, "page 1"), Kernel.messages)
 * const { deadLettered } = await Effect.runPromise(Effect.provide(program, Layer.fresh(Kernel.layer)))
 * deadLettered // => 1
 * ```
 *
 * @see {@link send}, which fails instead
 * @see `gen_server:cast/2` with a name
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const cast: {
  <M>(message: M): (self: Name<M>) => Effect.Effect<void>
  <M>(self: Name<M>, message: NoInfer<M>): Effect.Effect<void>
} = dual(2, <M>(self: Name<M>, message: NoInfer<M>) =>
  Effect.flatMap(whereisFor("Name.cast", self), (found) => {
    if (Option.isSome(found)) return Process.send(found.value, message)
    return Effect.withFiber((fiber) => {
      const nobody = nobodyUnsafe(currentKernel(fiber), self.name)
      post(nobody, new MessageEnvelope(message, currentProcessUnsafe(fiber)))
      return Effect.void
    })
  })
)

/**
 * Watches the process that has a name now. Exactly one `Down` arrives when it ends.
 *
 * **Details**
 *
 * The `Down` carries the name. The monitor stays with the process that it found, also if another process takes the name
 * later. If nobody has the name, a `Down` with the reason `NoProcess` arrives at once.
 *
 * **Example** (Watching by name)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Name, Process, Signal } from "effect-otp"
 *
 * const Printer = Name.make("example/monitor")
 *
 * const program = Effect.gen(function*() {
 *   const seen = yield* Deferred.make<unknown>()
 *   yield* Process.spawn((inbox: Process.Inbox<never>) =>
 *     Effect.gen(function*() {
 *       yield* Name.monitor(Printer)
 *       const { name, reason } = yield* inbox.receive(Signal.isDown)
 *       yield* Deferred.succeed(seen, [name, reason._tag])
 *     })
 *   )
 *   return yield* Deferred.await(seen)
 * })
 *
 * await Effect.runPromise(program) // => ["example/monitor", "NoProcess"]
 * ```
 *
 * @see `Process.monitor`
 * @see `erlang:monitor(process, Name)`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const monitor = <M>(name: Name<M>): Effect.Effect<MonitorRef, never, Process.Self> =>
  Effect.withFiber((fiber) => {
    const kernel = currentKernel(fiber)
    const text = textOf("Name.monitor", name)
    const found = kernel.names.get(text) ?? nobodyUnsafe(kernel, text)
    return Effect.succeed(monitorUnsafe(selfUnsafe(fiber), found, text))
  })

/**
 * Finds the live process behind a pid, a name or the handle of a server. It gives `None` if there is none.
 *
 * **When to use**
 *
 * Use in code that takes any of the three.
 *
 * **Example** (Resolving a client)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Agent, Name } from "effect-otp"
 *
 * const program = Effect.gen(function*() {
 *   const agent = yield* Agent.start(Effect.succeed(0))
 *   return Option.isSome(yield* Name.resolve(agent))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => true
 * ```
 *
 * @see `GenServer.whereis/1` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const resolve: {
  <M>(reference: Pid<M> | Name<M>): Effect.Effect<Option.Option<Pid<M>>>
  <M>(reference: Handle<M>): Effect.Effect<Option.Option<Pid>>
} = (reference: Reference) =>
  withKernel((kernel) => Effect.succeed(Option.fromUndefinedOr(resolveName("Name.resolve", kernel, reference))))

// ---- internals ----------------------------------------------------------------------------------------------------

type KernelState = ProcessRecord["kernel"]
/** The text of a name. A name means the same in each copy of the library. */
const textOf = (to: string, name: Name<never>): string =>
  isName(name) ? name.name : refuseArgument({ to, what: "a name", isForeign: false }, name)

const whereisFor = <M>(to: string, name: Name<M>): Effect.Effect<Option.Option<Pid<M>>> =>
  withKernel((kernel) => {
    const pid: Pid<M> | undefined = kernel.names.get(textOf(to, name))
    return Exit.succeed(Option.fromUndefinedOr(pid))
  })

/** Never called. It carries the type of the messages. */
const accepts = (): void => {}

const withKernel = <A, E>(f: (kernel: KernelState) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) => f(currentKernel(fiber)))
