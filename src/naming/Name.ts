/**
 * Finds a process by a name that it alone has.
 *
 * A name is a value, made once beside what it names, and knows the messages of the process behind it. Names belong to a
 * kernel; nothing has a name unless it asked for one.
 *
 * **Guarantees**
 *
 * - At most one process has a name, and a process has at most one name.
 * - A name is free when anybody learns of the death of its process: before `Exit` and `Down` are sent.
 * - A name is looked up when it is used. A monitor made by name stays with the process it found.
 *
 * **In Erlang/OTP**
 *
 * `register/2`, `whereis/1` and friends. What fails with `badarg` there fails with an error of its own here.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import * as Schema from "effect/Schema"
import { printAs } from "../values/printed.ts"
import * as Check from "../values/check.ts"
import { describe } from "../values/describe.ts"
import { TypeId as HandleTypeId, targetOf, type Handle } from "../kernel/Handle.ts"
import * as Kernel from "../kernel/Kernel.ts"
import { isPid, type Pid } from "../kernel/Pid.ts"
import * as Process from "../kernel/Process.ts"
import { currentUnsafe, type ProcessRecord } from "../kernel/shared/processRecord.ts"
import type { MonitorRef } from "../kernel/Signal.ts"
import type { Address } from "../kernel/Timer.ts"
import { MessageEnvelope } from "../kernel/shared/plainEnvelopes.ts"

const TypeId = "~effect-otp/naming/Name"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A name for a process that accepts messages of type `M`. Timers take it as their address.
 *
 * @category models
 * @since 0.1.0
 */
export interface Name<in M = never> extends Address<M> {
  readonly [TypeId]: (message: M) => void
  readonly name: string
}

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * Another process has the name: `pid`.
 *
 * @category errors
 * @since 0.1.0
 */
export class NameTaken extends Data.TaggedError("NameTaken")<{ readonly processName: string; readonly pid: Pid }> {
  override get message() {
    return `The name "${this.processName}" is taken by ${describe(this.pid)}`
  }
}

/**
 * The process has a name already: `processName`.
 *
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

/**
 * A server was to start under a name that is taken: `pid` runs already.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlreadyStarted extends Data.TaggedError("AlreadyStarted")<{
  readonly processName: string
  readonly pid: Pid
}> {
  override get message() {
    return `"${this.processName}" is the name of ${describe(this.pid)} already`
  }
}

/**
 * No process has the name.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotRegistered extends Schema.TaggedError<NotRegistered>("effect-otp/naming/NotRegistered")(
  "NotRegistered",
  { processName: Schema.String }
) {
  override get message() {
    return `No process has the name "${this.processName}"`
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
 * @category constructors
 * @since 0.1.0
 */
export const make = <M = never>(name: string): Name<M> => {
  const checked = checkedName(name)
  const resolve = (kernel: Kernel.Kernel) => Kernel.stateOf(kernel).names.get(checked) as Pid<M> | undefined
  return printAs({ [TypeId]: accepts, name: checked, resolve }, ({ name }) => `Name(${name})`)
}

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a value is a name.
 *
 * @category guards
 * @since 0.1.0
 */
export const isName = (u: unknown): u is Name => hasProperty(u, TypeId)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Gives a process a name.
 *
 * **Errors**
 *
 * - `NoProcess` when the process is dead, or belongs to another kernel.
 * - `NameTaken` when a process has the name already.
 * - `AlreadyNamed` when the process has a name already.
 *
 * @category operations
 * @since 0.1.0
 */
export const register = <M>(
  name: Name<M>,
  pid: Pid<NoInfer<M>>
): Effect.Effect<void, NameTaken | AlreadyNamed | Process.NoProcess> =>
  withKernel((kernel): Exit.Exit<void, NameTaken | AlreadyNamed | Process.NoProcess> => {
    const record = Process.recordOf(pid)
    if (!record.isAlive || record.kernel !== kernel) return Exit.fail(new Process.NoProcess({ pid: record }))
    const holder = kernel.names.get(name.name)
    if (holder !== undefined) return Exit.fail(new NameTaken({ processName: name.name, pid: holder }))
    if (record.name !== undefined) return Exit.fail(new AlreadyNamed({ processName: record.name, pid: record }))
    give(kernel, name.name, record)
    return Exit.void
  })

/**
 * Takes a name from the process that has it.
 *
 * **Errors**
 *
 * - `NotRegistered` when no process has it.
 *
 * @category operations
 * @since 0.1.0
 */
export const unregister = <M>(name: Name<M>): Effect.Effect<void, NotRegistered> =>
  withKernel((kernel) => {
    const holder = kernel.names.get(name.name)
    if (holder === undefined) return Effect.fail(new NotRegistered({ processName: name.name }))
    kernel.releaseName(holder)
    holder.name = undefined
    return Effect.void
  })

/**
 * The process that has a name.
 *
 * @category operations
 * @since 0.1.0
 */
export const whereis = <M>(name: Name<M>): Effect.Effect<Option.Option<Pid<M>>> =>
  withKernel((kernel) => {
    const pid: Pid<M> | undefined = kernel.names.get(name.name)
    return Exit.succeed(Option.fromUndefinedOr(pid))
  })

/**
 * The names in use.
 *
 * @category operations
 * @since 0.1.0
 */
export const registered: Effect.Effect<ReadonlyArray<string>> = Effect.suspend(() =>
  withKernel((kernel) => Effect.succeed(Array.from(kernel.names.keys())))
)

/**
 * Sends a message to the process that has a name, as `Process.send` does.
 *
 * **Errors**
 *
 * - `NotRegistered` when no process has it. Use {@link cast} where that does not matter.
 *
 * @category operations
 * @since 0.1.0
 */
export const send = <M>(name: Name<M>, message: NoInfer<M>): Effect.Effect<void, NotRegistered> =>
  Effect.flatMap(whereis(name), (found) =>
    Option.isSome(found)
      ? Process.send(found.value, message)
      : Effect.fail(new NotRegistered({ processName: name.name }))
  )

/**
 * Sends a message to the process that has a name; it is a dead letter, and counted as one, if there is none.
 *
 * @category operations
 * @since 0.1.0
 */
export const cast = <M>(name: Name<M>, message: NoInfer<M>): Effect.Effect<void> =>
  Effect.catchTag(send(name, message), "NotRegistered", () =>
    Effect.withFiber((fiber) => {
      Process.nobodyUnsafe(Kernel.currentUnsafe(fiber), name.name).post(
        new MessageEnvelope(message, currentUnsafe(fiber))
      )
      return Effect.void
    })
  )

/**
 * Watches the process that has a name now. Its one `Down` carries the name; with the reason `NoProcess` and a pid
 * nobody ever had if there is no such process.
 *
 * @category operations
 * @since 0.1.0
 */
export const monitor = <M>(name: Name<M>): Effect.Effect<MonitorRef, never, Process.Self> =>
  Effect.withFiber((fiber) => {
    const kernel = Kernel.currentUnsafe(fiber)
    const found = kernel.names.get(name.name) ?? Process.nobodyUnsafe(kernel, name.name)
    return Effect.succeed(Process.monitorUnsafe(Process.selfUnsafe(fiber), found, name.name))
  })

/**
 * The live process behind a pid, a name or the handle of a server.
 *
 * @category operations
 * @since 0.1.0
 */
export const resolve: {
  <M>(reference: Pid<M> | Name<M>): Effect.Effect<Option.Option<Pid<M>>>
  <M>(reference: Handle<M>): Effect.Effect<Option.Option<Pid>>
} = (reference: Reference) =>
  withKernel((kernel) => Effect.succeed(Option.fromUndefinedOr(resolveUnsafe(kernel, reference))))

// ---- internals ----------------------------------------------------------------------------------------------------

type KernelState = ProcessRecord["kernel"]
type Reference = Pid<never> | Name<never> | Handle<unknown>

/** The record of the live process behind a pid, a name or a handle. @internal */
export const resolveUnsafe = (kernel: KernelState, reference: Reference): ProcessRecord | undefined => {
  const record = isPid(reference)
    ? Process.recordOf(reference)
    : isHandle(reference)
      ? targetOf(reference).current
      : kernel.names.get(reference.name)
  return record?.isAlive === true ? record : undefined
}

/** Claims a name for a process that is about to start, in this step. @internal */
export const claimUnsafe = (
  kernel: KernelState,
  name: string,
  record: ProcessRecord
): Exit.Exit<void, AlreadyStarted> => {
  const holder = kernel.names.get(name)
  if (holder !== undefined) return Exit.fail(new AlreadyStarted({ processName: name, pid: holder }))
  give(kernel, name, record)
  return Exit.void
}

const give = (kernel: KernelState, name: string, record: ProcessRecord): void => {
  kernel.names.set(name, record)
  record.name = name
}

/** A name from outside. @internal */
export const checkedName = (name: unknown): string => {
  if (typeof name === "string" && name !== "") return name
  return Check.refuse("A name", "a string that is not empty", name)
}

const isHandle = (u: Name<never> | Handle<unknown>): u is Handle<unknown> => hasProperty(u, HandleTypeId)

/** Never called: it carries the type of the messages. */
const accepts = (): void => {}

const withKernel = <A, E>(f: (kernel: KernelState) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) => f(Kernel.currentUnsafe(fiber)))
