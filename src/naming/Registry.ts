/**
 * Finds processes by a key of any type, and keeps a value with each.
 *
 * A registry is a value, made once in a module. A unique key has one owner. A duplicate key has any number of
 * processes. An entry belongs to a kernel and to a process, and is gone when that process dies.
 *
 * **Guarantees**
 *
 * - A unique key has at most one owner. A server that starts under a key claims it before its `init` runs.
 * - Freed at death: the entries of a process are gone in the step in which it dies, before `Exit` and `Down` are sent.
 *   A process that sees the death can register at once, and no lookup gives a dead process.
 * - The death of a process takes time in proportion to its own entries, however many others have.
 * - Keys are compared by Effect's `Equal`: data classes and plain objects by their contents.
 *
 * **Not here**
 *
 * For locks use a `Semaphore` of Effect, one for each key in an `RcMap`. For single well-known names use `Name`. To
 * send to many processes use `ProcessGroup` and `Topic`.
 *
 * **In Erlang/OTP**
 *
 * `Registry` of Elixir. There a lookup may find a dead process for a moment, and a registry that crashes ends its
 * processes. Here a registry is not a process, and cannot crash.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type * as Stream from "effect/Stream"
import { printAs, printFields } from "../values/printAs.ts"
import * as Check from "../values/check.ts"
import { brief, describe, isInstance, read } from "../values/describe.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { has } from "../values/valueKinds.ts"
import { isPid, type Pid } from "../kernel/Pid.ts"
import type * as Process from "../kernel/Process.ts"
import { checkedRecord, type ProcessRecord } from "../kernel/shared/processRecord.ts"
import type { Address } from "../kernel/Timer.ts"
import { checkedCapacity } from "./internal/changeFeed.ts"
import { enterProcess, withProcess } from "./internal/enterProcess.ts"
import { streamIn } from "./internal/feed.ts"
import { PerKernel } from "./internal/perKernel.ts"
import { registration, RegistryState } from "./internal/registryState.ts"
import { RegistryVia, type ViaTypeId } from "./shared/registryVia.ts"
import { currentKernel } from "../kernel/shared/currentKernel.ts"
import { checkedName } from "./shared/names.ts"

const TypeId = "~effect-otp/naming/Registry"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * Whether a key has one owner or any number.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Keys = "unique" | "duplicate"

/**
 * A registry of processes that accept messages of type `M`, by keys of type `K`, with a value of type `V` for each.
 * `Meta` is the type of the settings of the registry itself.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Registry<
  in out K,
  in out V = void,
  in out M = never,
  out U extends Keys = Keys,
  out Meta extends object = object
> extends Pipeable {
  readonly [TypeId]: {
    readonly key: (key: K) => K
    readonly value: (value: V) => V
    readonly message: (message: M) => M
    readonly meta: () => Meta
  }
  readonly name: string
  readonly keys: U
}

/**
 * The options of a registry.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Options<U extends Keys, Meta extends object> = {
  /** Whether a key has one owner or any number. */
  readonly keys: U
} & (object extends Meta ? { readonly meta?: undefined } : { readonly meta: Meta })

/**
 * One process under one key.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Registration<out K, out V, in M = never> {
  readonly key: K
  readonly pid: Pid<M>
  readonly value: V
}

/**
 * An element of a stream of changes: first all entries, then each change.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Change<K, V, M = never> =
  | { readonly _tag: "Snapshot"; readonly entries: ReadonlyArray<Registration<K, V, M>> }
  | ({ readonly _tag: "Registered" | "Updated" | "Unregistered" } & Registration<K, V, M>)

/**
 * A key that stands for the process that has it. Timers take it as an address, `Service.via` as the place of a server.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Via<in M = never> extends Address<M> {
  readonly [ViaTypeId]: "find" | "claim"
  /** The name for people: the registry and the key. */
  readonly name: string
}

/**
 * A key, and the value to register under it. A server takes it as its name.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Claim<in M = never> extends Via<M> {
  readonly [ViaTypeId]: "claim"
}

/**
 * The requirement of a server with this name, or with a function that gives this name: it must accept the messages of
 * the registry.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type ClaimNeeds<N> = N extends (...args: never) => infer C
  ? ClaimNeeds<C>
  : N extends Claim<infer M>
    ? Exclude<Process.Member<M>, Process.Self>
    : never

type ValueArgs<V> = void extends V ? [value?: V] : [value: V]
/** A registry with such keys. */
interface Has<in K> {
  readonly [TypeId]: { readonly key: (key: K) => unknown }
}

/** A registry whose processes are sent no other messages than these. */
interface Sends<out M> {
  readonly [TypeId]: { readonly message: (message: never) => M }
}

/** A registry with such values. */
interface Holds<in V> {
  readonly [TypeId]: { readonly value: (value: V) => unknown }
}

/** In the data-last form a key cannot be a registry, because with a registry first it is the data-first form. */
type NoRegistry<A> = A extends { readonly [TypeId]: unknown } ? never : unknown
type Refused<U extends Keys> = U extends "unique" ? AlreadyRegistered : never

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * A process has the key already: `pid`. It may be the process that asked.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class AlreadyRegistered extends Data.TaggedError("AlreadyRegistered")<{
  readonly registry: string
  readonly key: unknown
  readonly pid: Pid
}> {
  override get message() {
    return `${this.registry}(${brief(this.key)}) is already registered by ${describe(this.pid)}`
  }
}

printFields(AlreadyRegistered.prototype)

/**
 * The process has nothing registered under the key.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class NotOwner extends Data.TaggedError("NotOwner")<{ readonly registry: string; readonly key: unknown }> {
  override get message() {
    return `${this.registry}(${brief(this.key)}) is not registered by this process`
  }
}

printFields(NotOwner.prototype)

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * A registry. Write out its types: keys, values, and the messages that its processes accept.
 *
 * **Details**
 *
 * Throws a `RangeError` if the name is not a string or empty, or `keys` is neither of the two. The name is for people:
 * two registries with the same name are not connected. `meta` is the initial `meta` in each kernel.
 *
 * **Example** (Finding a process by a key)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number, { readonly city: string }>("bank/desks", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Desks, pid, 7, { city: "Bergen" })
 *   const cities = (yield* Registry.lookup(Desks, 7)).map(({ value }) => value.city)
 *   yield* Process.kill(pid)
 *   return [cities, yield* Registry.whereis(Desks, 7)]
 * })
 *
 * await Effect.runPromise(program) // => [["Bergen"], Option.none()]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const make: {
  <K, V = void, M = never, Meta extends object = object>(
    name: string,
    options: Options<"unique", Meta>
  ): Registry<K, V, M, "unique", Meta>
  <K, V = void, M = never, Meta extends object = object>(
    name: string,
    options: Options<"duplicate", Meta>
  ): Registry<K, V, M, "duplicate", Meta>
} = (name: string, options: Options<Keys, object>) =>
  // The type of its mark carries the type parameters; the mark itself is a string.
  new RegistryImpl(name, options) as never

/**
 * Makes a key of a unique registry the name of a process.
 *
 * **When to use**
 *
 * Use as the `name` of a server, which then claims the key before its `init` runs. Use it with `via` of a service to
 * call the process that has the key. Use it as the address of a timer.
 *
 * **Details**
 *
 * If the registry has values, give the value that is registered with the key. Without a value, the key can be looked up
 * but not claimed.
 *
 * **Example** (A server for each key)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Registry } from "effect-otp"
 *
 * const Carts = Registry.make<string>("shop/carts", { keys: "unique" })
 *
 * class Cart extends Agent.Service<Cart, ReadonlyArray<string>>()("shop/Cart") {
 *   static readonly definition = this.define({
 *     name: (customer: string) => Registry.via(Carts, customer),
 *     init: (_customer: string) => Effect.succeed([])
 *   })
 * }
 *
 * const program = Effect.gen(function*() {
 *   yield* Cart.definition.start("ann")
 *   const cart = Cart.via(Registry.via(Carts, "ann"))
 *   yield* Agent.update(cart, (items) => [...items, "tea"])
 *   return yield* Agent.get(cart)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["tea"]
 * ```
 *
 * @see `{via, Registry, {Registry, Key}}`
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const via: {
  <A>(key: A): <K, V, M>(self: Registry<K, V, M, "unique"> & Has<A>) => void extends V ? Claim<M> : Via<M>
  <A, B>(key: A & NoRegistry<A>, value: B): <K, V, M>(self: Registry<K, V, M, "unique"> & Has<A> & Holds<B>) => Claim<M>
  <K, M>(self: Registry<K, void, M, "unique">, key: NoInfer<K>): Claim<M>
  <K, V, M>(self: Registry<K, V, M, "unique">, key: NoInfer<K>, value: NoInfer<V>): Claim<M>
  <K, V, M>(self: Registry<K, V, M, "unique">, key: NoInfer<K>): Via<M>
} = dual(
  registryFirst,
  <K, V, M>(self: Registry<K, V, M, "unique">, key: K, value?: V) => new RegistryVia(implOf(self), key, value)
)

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a value is a registry.
 *
 * **Example** (Checking a value)
 *
 * ```ts import.meta.vitest
 * import { Registry } from "effect-otp"
 *
 * const values = [Registry.make("app/any", { keys: "unique" }), "app/any"]
 * values.map(Registry.isRegistry) // => [true, false]
 * ```
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isRegistry = (u: unknown): u is Registry<never, never> => has(u, TypeId)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Registers this process under a key, with a value if the registry has values.
 *
 * **When to use**
 *
 * Use inside the process itself, for example in `init`. For another process use {@link registerFor}.
 *
 * **Details**
 *
 * Under a duplicate key a process may register several times. If the registry sends messages, this process must accept
 * them: the type asks for `Process.Receives`. If a killed process registers, nothing happens.
 *
 * **Errors**
 *
 * - `AlreadyRegistered` if a unique key has an owner, also if this process is the owner.
 *
 * **Example** (Registering in init)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Agent, Registry } from "effect-otp"
 *
 * const Online = Registry.make<string>("chat/register", { keys: "duplicate" })
 *
 * const program = Effect.gen(function*() {
 *   yield* Agent.start(Registry.register(Online, "ann"))
 *   yield* Agent.start(Registry.register(Online, "ann"))
 *   return (yield* Registry.lookup(Online, "ann")).length
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 2
 * ```
 *
 * @see {@link unregister}; what is registered is gone with its process
 * @see `Registry.register/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const register: {
  <A>(
    key: A
  ): <K, M, U extends Keys>(
    self: Registry<K, void, M, U> & Has<A>
  ) => Effect.Effect<void, Refused<U>, Process.Member<M>>
  <A, B>(
    key: A & NoRegistry<A>,
    value: B
  ): <K, V, M, U extends Keys>(
    self: Registry<K, V, M, U> & Has<A> & Holds<B>
  ) => Effect.Effect<void, Refused<U>, Process.Member<M>>
  <K, V, M, U extends Keys>(
    self: Registry<K, V, M, U>,
    key: NoInfer<K>,
    ...value: ValueArgs<NoInfer<V>>
  ): Effect.Effect<void, Refused<U>, Process.Member<M>>
} = dual(registryFirst, <K, V, M, U extends Keys>(self: Registry<K, V, M, U>, key: K, value: V) =>
  enterProcess("Registry.register", undefined, (record) => enter(self, record, [key, value]))
)

/**
 * Registers another process under a key, with a value if the registry has values.
 *
 * **Errors**
 *
 * - `AlreadyRegistered` if a unique key has an owner.
 * - `NoProcess` if the process is dead, or belongs to another kernel.
 *
 * **Example** (One owner for a unique key)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number>("bank/register-for", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const clerk = Process.spawn(Effect.never)
 *   const [anna, bert] = [yield* clerk, yield* clerk]
 *   yield* Registry.registerFor(Desks, anna, 7)
 *   const refused = yield* Effect.flip(Registry.registerFor(Desks, bert, 7))
 *   yield* Effect.forEach([anna, bert], Process.kill)
 *   return refused._tag
 * })
 *
 * await Effect.runPromise(program) // => "AlreadyRegistered"
 * ```
 *
 * @see {@link register} inside the process itself
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const registerFor: {
  <A, M>(
    pid: Pid<M>,
    key: A
  ): <K, All, U extends Keys>(
    self: Registry<K, void, All, U> & Has<A> & Sends<M>
  ) => Effect.Effect<void, Refused<U> | Process.NoProcess>
  <A, B, M>(
    pid: Pid<M>,
    ...[key, value]: [key: A, value: B]
  ): <K, V, All, U extends Keys>(
    self: Registry<K, V, All, U> & Has<A> & Holds<B> & Sends<M>
  ) => Effect.Effect<void, Refused<U> | Process.NoProcess>
  <K, V, M, U extends Keys>(
    self: Registry<K, V, M, U>,
    pid: Pid<NoInfer<M>>,
    ...[key, value]: [key: NoInfer<K>, ...value: ValueArgs<NoInfer<V>>]
  ): Effect.Effect<void, Refused<U> | Process.NoProcess>
} = dual(
  ({ 0: first, length }) => length > 3 || (length === 3 && !isPid(first)),
  <K, V, M, U extends Keys>(self: Registry<K, V, M, U>, pid: Pid, ...[key, value]: [key: K, value: V]) =>
    Effect.suspend(() =>
      enterProcess("Registry.registerFor", checkedRecord("Registry.registerFor", pid), (record) =>
        enter(self, record, [key, value])
      )
    )
)

/**
 * Removes the entries of this process under a key: all of them, or those that match.
 *
 * **Details**
 *
 * It does nothing if there are none.
 *
 * **Example** (Giving up a key)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number>("bank/unregister", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const counts = yield* Deferred.make<ReadonlyArray<number>>()
 *   yield* Process.spawn(
 *     Effect.gen(function*() {
 *       yield* Registry.register(Desks, 7)
 *       const before = yield* Registry.count(Desks)
 *       yield* Registry.unregister(Desks, 7)
 *       yield* Deferred.succeed(counts, [before, yield* Registry.count(Desks)])
 *     })
 *   )
 *   return yield* Deferred.await(counts)
 * })
 *
 * await Effect.runPromise(program) // => [1, 0]
 * ```
 *
 * @see `Registry.unregister/2` and `unregister_match/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const unregister: {
  <A>(key: A): <K, V, M>(self: Registry<K, V, M> & Has<A>) => Effect.Effect<void, never, Process.Self>
  <K, V, M>(
    key: NoInfer<K>,
    matches: (value: V) => boolean
  ): (self: Registry<K, V, M>) => Effect.Effect<void, never, Process.Self>
  <K, V, M>(
    self: Registry<K, V, M>,
    key: NoInfer<K>,
    matches?: (value: V) => boolean
  ): Effect.Effect<void, never, Process.Self>
} = dual(
  ({ 0: first, 1: second, length }) =>
    length > 2 || (length === 2 && (isRegistry(first) || typeof second !== "function")),
  <K, V, M>(self: Registry<K, V, M>, key: K, matches?: (value: V) => boolean) =>
    withProcess("Registry.unregister", undefined, (owner) => {
      const state = stateIn(self, owner.kernel)
      for (const entry of state.table.own(owner, key)) {
        if (matches === undefined || matches(entry.value)) state.remove(entry)
      }
      return Exit.void
    })
)

/**
 * Removes all entries of another process under a key.
 *
 * **Example** (Removing somebody else)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number>("bank/unregister-for", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Desks, pid, 7)
 *   yield* Registry.unregisterFor(Desks, pid, 7)
 *   const count = yield* Registry.count(Desks)
 *   yield* Process.kill(pid)
 *   return count
 * })
 *
 * await Effect.runPromise(program) // => 0
 * ```
 *
 * @see {@link unregister} inside the process itself
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const unregisterFor: {
  <A>(pid: Pid, key: A): <K, V, M>(self: Registry<K, V, M> & Has<A>) => Effect.Effect<void>
  <K, V, M>(self: Registry<K, V, M>, pid: Pid, key: NoInfer<K>): Effect.Effect<void>
} = dual(3, <K, V, M>(self: Registry<K, V, M>, pid: Pid, key: K) =>
  withState(self, (state) => {
    for (const entry of state.table.own(checkedRecord("Registry.unregisterFor", pid), key)) state.remove(entry)
  })
)

/**
 * Changes the value that this process has under a unique key. It gives the new value and the previous one.
 *
 * **Errors**
 *
 * - `NotOwner` if the key is free, or another process has it.
 *
 * **Example** (Changing a value)
 *
 * ```ts import.meta.vitest
 * import { Deferred, Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number, string>("bank/update", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const result = yield* Deferred.make<unknown>()
 *   yield* Process.spawn(
 *     Effect.gen(function*() {
 *       yield* Registry.register(Desks, 7, "open")
 *       yield* Deferred.succeed(result, yield* Registry.update(Desks, 7, (state) => `${state} till 5`))
 *     })
 *   )
 *   return yield* Deferred.await(result)
 * })
 *
 * await Effect.runPromise(program) // => { value: "open till 5", previous: "open" }
 * ```
 *
 * @see `Registry.update_value/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const update: {
  <K, V, M>(
    key: NoInfer<K>,
    f: (value: V) => V
  ): (
    self: Registry<K, V, M, "unique">
  ) => Effect.Effect<{ readonly value: V; readonly previous: V }, NotOwner, Process.Self>
  <K, V, M>(
    self: Registry<K, V, M, "unique">,
    key: NoInfer<K>,
    f: (value: V) => V
  ): Effect.Effect<{ readonly value: V; readonly previous: V }, NotOwner, Process.Self>
} = dual(3, <K, V, M>(self: Registry<K, V, M, "unique">, key: K, f: (value: V) => V) =>
  withProcess("Registry.update", undefined, (owner) => {
    const state = stateIn(self, owner.kernel)
    const entry = state.table.holder(key)
    if (entry?.pid !== owner) return Exit.fail(new NotOwner({ registry: self.name, key }))
    const previous = entry.value
    const value = f(previous)
    state.update(entry, value)
    return Exit.succeed({ value, previous })
  })
)

/**
 * Finds all entries of a key, in the order they were made.
 *
 * **Details**
 *
 * A dead process is never found.
 *
 * **Example** (Looking up a duplicate key)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Shifts = Registry.make<string, string>("shop/lookup", { keys: "duplicate" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Shifts, pid, "monday", "early")
 *   yield* Registry.registerFor(Shifts, pid, "monday", "late")
 *   const found = yield* Registry.lookup(Shifts, "monday")
 *   yield* Process.kill(pid)
 *   return found.map(({ value }) => value)
 * })
 *
 * await Effect.runPromise(program) // => ["early", "late"]
 * ```
 *
 * @see {@link whereis} for the owner of a unique key, {@link match} for values that match
 * @see `Registry.lookup/2` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const lookup: {
  <A>(key: A): <K, V, M>(self: Registry<K, V, M> & Has<A>) => Effect.Effect<ReadonlyArray<Registration<K, V, M>>>
  <K, V, M>(self: Registry<K, V, M>, key: NoInfer<K>): Effect.Effect<ReadonlyArray<Registration<K, V, M>>>
} = dual(2, <K, V, M>(self: Registry<K, V, M>, key: K): Effect.Effect<ReadonlyArray<Registration<K, V, M>>> =>
  withState(self, (state) => state.lookup(key))
)

/**
 * Finds the process that has a unique key. It gives `None` if the key is free.
 *
 * **Example** (Finding an owner)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number>("bank/whereis", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Desks, pid, 7)
 *   const found = yield* Registry.whereis(Desks, 7)
 *   yield* Process.kill(pid)
 *   return [Option.isSome(found), yield* Registry.whereis(Desks, 7)]
 * })
 *
 * await Effect.runPromise(program) // => [true, Option.none()]
 * ```
 *
 * @see `Registry.whereis_name/1` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const whereis: {
  <A>(key: A): <K, V, M>(self: Registry<K, V, M, "unique"> & Has<A>) => Effect.Effect<Option.Option<Pid<M>>>
  <K, V, M>(self: Registry<K, V, M, "unique">, key: NoInfer<K>): Effect.Effect<Option.Option<Pid<M>>>
} = dual(2, <K, V, M>(self: Registry<K, V, M, "unique">, key: K) =>
  withState(self, (state): Option.Option<Pid<M>> => {
    const entry = state.table.holder(key)
    return entry === undefined ? Option.none() : Option.some(entry.pid)
  })
)

/**
 * Lists the keys that a process is registered under, in the order it registered.
 *
 * **Details**
 *
 * A duplicate key is listed once for each entry of the process.
 *
 * **Example** (Listing the keys of a process)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number>("bank/keys", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Desks, pid, 7)
 *   yield* Registry.registerFor(Desks, pid, 3)
 *   const keys = yield* Registry.keys(Desks, pid)
 *   yield* Process.kill(pid)
 *   return keys
 * })
 *
 * await Effect.runPromise(program) // => [7, 3]
 * ```
 *
 * @see `Registry.keys/2` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const keys: {
  (pid: Pid): <K, V, M>(self: Registry<K, V, M>) => Effect.Effect<ReadonlyArray<K>>
  <K, V, M>(self: Registry<K, V, M>, pid: Pid): Effect.Effect<ReadonlyArray<K>>
} = dual(2, <K, V, M>(self: Registry<K, V, M>, pid: Pid) =>
  withState(self, (state) => {
    const owner = state.table.of(checkedRecord("Registry.keys", pid))
    return Array.from(owner?.entries() ?? [], ({ key }) => key)
  })
)

/**
 * Lists the values that a process has under a key.
 *
 * **Example** (Listing the values of a process)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Shifts = Registry.make<string, string>("shop/values", { keys: "duplicate" })
 *
 * const program = Effect.gen(function*() {
 *   const [ann, bob] = [yield* Process.spawn(Effect.never), yield* Process.spawn(Effect.never)]
 *   yield* Registry.registerFor(Shifts, ann, "monday", "early")
 *   yield* Registry.registerFor(Shifts, bob, "monday", "late")
 *   const values = yield* Registry.values(Shifts, "monday", bob)
 *   yield* Effect.forEach([ann, bob], Process.kill)
 *   return values
 * })
 *
 * await Effect.runPromise(program) // => ["late"]
 * ```
 *
 * @see `Registry.values/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const values: {
  <A>(key: A, pid: Pid): <K, V, M>(self: Registry<K, V, M> & Has<A>) => Effect.Effect<ReadonlyArray<V>>
  <K, V, M>(self: Registry<K, V, M>, key: NoInfer<K>, pid: Pid): Effect.Effect<ReadonlyArray<V>>
} = dual(3, <K, V, M>(self: Registry<K, V, M>, key: K, pid: Pid) =>
  withState(self, (state) => state.table.own(checkedRecord("Registry.values", pid), key).map(({ value }) => value))
)

/**
 * Finds the entries of a key whose values match.
 *
 * **Example** (Finding free desks)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<string, { readonly free: boolean }>("bank/match", { keys: "duplicate" })
 *
 * const program = Effect.gen(function*() {
 *   const [one, two] = [yield* Process.spawn(Effect.never), yield* Process.spawn(Effect.never)]
 *   yield* Registry.registerFor(Desks, one, "Bergen", { free: false })
 *   yield* Registry.registerFor(Desks, two, "Bergen", { free: true })
 *   const found = yield* Registry.match(Desks, "Bergen", ({ free }) => free)
 *   yield* Effect.forEach([one, two], Process.kill)
 *   return found.map(({ pid }) => pid === two)
 * })
 *
 * await Effect.runPromise(program) // => [true]
 * ```
 *
 * @see {@link select} to look at all keys
 * @see `Registry.match/4` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const match: {
  <K, V, M>(
    key: NoInfer<K>,
    matches: (value: V) => boolean
  ): (self: Registry<K, V, M>) => Effect.Effect<ReadonlyArray<Registration<K, V, M>>>
  <K, V, M>(
    self: Registry<K, V, M>,
    key: NoInfer<K>,
    matches: (value: V) => boolean
  ): Effect.Effect<ReadonlyArray<Registration<K, V, M>>>
} = dual(3, <K, V, M>(self: Registry<K, V, M>, key: NoInfer<K>, matches: (value: V) => boolean) =>
  Effect.map(lookup(self, key), (found) => found.filter(({ value }) => matches(value)))
)

/**
 * Lists all entries, or those that match.
 *
 * **Details**
 *
 * It reads all entries, so it takes time in proportion to their number.
 *
 * **Example** (Listing keys and values)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number, string>("bank/select", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Desks, pid, 7, "Bergen")
 *   yield* Registry.registerFor(Desks, pid, 8, "Oslo")
 *   const found = yield* Registry.select(Desks, ({ key }) => key > 7)
 *   yield* Process.kill(pid)
 *   return found.map(({ key, value }) => [key, value])
 * })
 *
 * await Effect.runPromise(program) // => [[8, "Oslo"]]
 * ```
 *
 * @see {@link lookup} for one key
 * @see `Registry.select/2` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const select = <K, V, M>(
  self: Registry<K, V, M>,
  matches?: (registration: Registration<K, V, M>) => boolean
): Effect.Effect<ReadonlyArray<Registration<K, V, M>>> =>
  withState(self, (state) => {
    const all = Array.from(state.table.all(), registration)
    return matches === undefined ? all : all.filter(matches)
  })

/**
 * Counts all entries.
 *
 * **Example** (Counting)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number>("bank/count", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Desks, pid, 7)
 *   const before = yield* Registry.count(Desks)
 *   yield* Process.kill(pid)
 *   return [before, yield* Registry.count(Desks)]
 * })
 *
 * await Effect.runPromise(program) // => [1, 0]
 * ```
 *
 * @see `Registry.count/1` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const count = <K, V, M>(self: Registry<K, V, M>): Effect.Effect<number> =>
  withState(self, (state) => state.table.size)

/**
 * Runs an effect with the entries of a key, if there are any.
 *
 * **When to use**
 *
 * Use to do something with all processes of a key. To send them a message, `Topic` and `ProcessGroup` are shorter.
 *
 * **Example** (Telling all processes of a key)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Rooms = Registry.make<string, void, string>("chat/dispatch", { keys: "duplicate" })
 *
 * const program = Effect.gen(function*() {
 *   const guest = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   yield* Registry.registerFor(Rooms, guest, "attic")
 *   yield* Registry.dispatch(Rooms, "attic", (entries) =>
 *     Effect.forEach(entries, ({ pid }) => Process.send(pid, "hello"))
 *   )
 *   return yield* Process.awaitExit(guest)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Normal" }
 * ```
 *
 * @see `Registry.dispatch/4` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const dispatch: {
  <K, V, M, X, E, R>(
    key: NoInfer<K>,
    f: (entries: Arr.NonEmptyReadonlyArray<Registration<K, V, M>>) => Effect.Effect<X, E, R>
  ): (self: Registry<K, V, M>) => Effect.Effect<void, E, R>
  <K, V, M, X, E, R>(
    self: Registry<K, V, M>,
    key: NoInfer<K>,
    f: (entries: Arr.NonEmptyReadonlyArray<Registration<K, V, M>>) => Effect.Effect<X, E, R>
  ): Effect.Effect<void, E, R>
} = dual(
  3,
  <K, V, M, X, E, R>(
    self: Registry<K, V, M>,
    key: NoInfer<K>,
    f: (entries: Arr.NonEmptyReadonlyArray<Registration<K, V, M>>) => Effect.Effect<X, E, R>
  ): Effect.Effect<void, E, R> =>
    Effect.flatMap(lookup(self, key), ([first, ...rest]) =>
      first === undefined ? Effect.void : Effect.asVoid(f([first, ...rest]))
    )
)

/**
 * Reads one field of the registry's `meta`.
 *
 * **Example** (Reading a setting)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Registry } from "effect-otp"
 *
 * const Rooms = Registry.make<string, void, never, { readonly limit: number }>("chat/meta", {
 *   keys: "unique",
 *   meta: { limit: 10 }
 * })
 *
 * await Effect.runPromise(Registry.meta(Rooms, "limit")) // => 10
 * ```
 *
 * @see {@link putMeta} to change it
 * @see `Registry.meta/2` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const meta: {
  <N extends string>(
    name: N
  ): <K, V, M, Meta extends { readonly [P in N]: unknown }>(
    self: Registry<K, V, M, Keys, Meta>
  ) => Effect.Effect<Meta[N]>
  <K, V, M, Meta extends object, N extends keyof Meta & string>(
    self: Registry<K, V, M, Keys, Meta>,
    name: N
  ): Effect.Effect<Meta[N]>
} = dual(
  2,
  <K, V, M, Meta extends object, N extends keyof Meta & string>(self: Registry<K, V, M, Keys, Meta>, name: N) =>
    withState(self, (state) => state.meta.get(name) as Meta[N])
)

/**
 * Changes one field of the registry's `meta`.
 *
 * **Details**
 *
 * The change holds in the kernel of the effect. Another kernel begins with the `meta` that was given to `make`.
 *
 * **Example** (Changing a setting)
 *
 * ```ts import.meta.vitest
 * import { Effect, Layer } from "effect"
 * import { Kernel, Registry } from "effect-otp"
 *
 * const Rooms = Registry.make<string, void, never, { readonly limit: number }>("chat/put-meta", {
 *   keys: "unique",
 *   meta: { limit: 10 }
 * })
 *
 * const program = Effect.andThen(Registry.putMeta(Rooms, "limit", 20), Registry.meta(Rooms, "limit"))
 *
 * await Effect.runPromise(Effect.provide(program, Layer.fresh(Kernel.layer))) // => 20
 * await Effect.runPromise(Registry.meta(Rooms, "limit")) // => 10
 * ```
 *
 * @see `Registry.put_meta/3` of Elixir
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const putMeta: {
  <N extends string, A>(
    name: N,
    value: A
  ): <K, V, M, Meta extends { readonly [P in N]: unknown }>(
    self: Registry<K, V, M, Keys, Meta> & ([A] extends [Meta[N]] ? unknown : never)
  ) => Effect.Effect<void>
  <K, V, M, Meta extends object, N extends keyof Meta & string>(
    self: Registry<K, V, M, Keys, Meta>,
    name: N,
    value: Meta[N]
  ): Effect.Effect<void>
} = dual(
  3,
  <K, V, M, Meta extends object, N extends keyof Meta & string>(
    self: Registry<K, V, M, Keys, Meta>,
    name: N,
    value: Meta[N]
  ) =>
    withState(self, (state) => {
      state.meta.set(name, value)
    })
)

/**
 * Streams all entries, then each change. Deaths are changes, too.
 *
 * **Details**
 *
 * The stream begins with a `Snapshot` of everything. At most `capacity` changes wait for the reader (256 by default).
 * If the reader falls further behind, the waiting changes are dropped, and a new `Snapshot` follows. So a reader never
 * sees only a part of the changes. A process that registers does not wait for readers.
 *
 * **Errors**
 *
 * - Throws a `RangeError` unless `capacity` is a whole number of at least 1.
 *
 * **Example** (Watching a registry)
 *
 * ```ts import.meta.vitest
 * import { Effect, Stream } from "effect"
 * import { Process, Registry } from "effect-otp"
 *
 * const Desks = Registry.make<number>("bank/changes", { keys: "unique" })
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* Registry.registerFor(Desks, pid, 7)
 *   return yield* Registry.changes(Desks).pipe(
 *     Stream.tap(({ _tag }) => _tag === "Snapshot" ? Process.kill(pid) : Effect.void),
 *     Stream.map(({ _tag }) => _tag),
 *     Stream.take(2),
 *     Stream.runCollect
 *   )
 * })
 *
 * await Effect.runPromise(program) // => ["Snapshot", "Unregistered"]
 * ```
 *
 * @see the `listeners` of Elixir's `Registry`, which are not told of deaths
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const changes = <K, V, M>(
  self: Registry<K, V, M>,
  options?: { readonly capacity?: number | undefined }
): Stream.Stream<Change<K, V, M>> => {
  const capacity = checkedCapacity(options?.capacity)
  return streamIn((kernel) => stateIn(self, kernel).read(capacity))
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** With two arguments the first is the key if it is not a registry. Then the registry comes later. */
function registryFirst({ 0: first, length }: IArguments): boolean {
  return length > 2 || (length === 2 && isRegistry(first))
}

type KernelState = ProcessRecord["kernel"]
type Untyped = RegistryImpl<unknown, unknown>

class RegistryImpl<K, V> {
  readonly [TypeId] = TypeId
  readonly name: string
  readonly keys: Keys
  readonly stateIn: (kernel: KernelState) => RegistryState<K, V>

  constructor(name: string, { keys, meta }: Options<Keys, object>) {
    this.name = checkedName(name)
    this.keys = Check.oneOf("keys of a registry", keys, ["unique", "duplicate"])
    this.stateIn = new PerKernel(() => new RegistryState<K, V>(keys === "unique", meta ?? {})).in
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

const implOf = <K, V, M>(registry: Registry<K, V, M>): Untyped => {
  if (isInstance(registry, RegistryImpl)) return registry
  return refuseArgument(
    { to: "Registry", what: "a registry", isForeign: read(registry, TypeId) !== undefined },
    registry
  )
}

const stateIn = <K, V, M>(registry: Registry<K, V, M>, kernel: KernelState): RegistryState<K, V> =>
  (implOf(registry) as RegistryImpl<K, V>).stateIn(kernel)

const withState = <K, V, M, A>(registry: Registry<K, V, M>, f: (state: RegistryState<K, V>) => A): Effect.Effect<A> =>
  Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>) => Exit.succeed(f(stateIn(registry, currentKernel(fiber)))))

const enter = <K, V, M, U extends Keys>(
  registry: Registry<K, V, M, U>,
  record: ProcessRecord,
  [key, value]: readonly [K, V]
): Exit.Exit<void, Refused<U>> => {
  const state = stateIn(registry, record.kernel)
  // A duplicate key has no holder.
  const holder = state.table.holder(key)
  if (holder !== undefined) {
    const taken = new AlreadyRegistered({ registry: registry.name, key, pid: holder.pid })
    return Exit.fail(taken as Refused<U>)
  }
  state.add(key, record, value)
  return Exit.void
}

printAs(RegistryImpl.prototype, ({ name }) => `Registry(${name})`)
