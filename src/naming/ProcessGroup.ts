/**
 * Groups of processes by key: reach all of them, one of them, or see who they are.
 *
 * A scope of groups is a value, made once. Each key in it is a group, which exists as long as it has a member. A
 * membership belongs to a kernel and to a process, and ends with them.
 *
 * **Guarantees**
 *
 * - A process may join a group any number of times. It is listed once for each, and has to leave once for each.
 * - Left at death: a process has left all its groups in the step in which it dies, before `Exit` and `Down` are sent.
 * - A stream of changes begins with all present members, and misses nothing after that.
 * - A broadcast does not wait. A member with a full mailbox loses the message; the other members are not affected.
 *
 * **In Erlang/OTP**
 *
 * `pg`. There a scope is a process, and forgets its members when it crashes. Here it is not a process, and cannot
 * crash.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type * as Stream from "effect/Stream"
import { isInstance, read } from "../values/describe.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { has } from "../values/valueKinds.ts"
import { printAs } from "../values/printAs.ts"
import { isPid, type Pid } from "../kernel/Pid.ts"
import * as Process from "../kernel/Process.ts"
import { post } from "../kernel/shared/delivery.ts"
import { currentProcessUnsafe, type ProcessRecord } from "../kernel/shared/processRecord.ts"
import { MessageEnvelope } from "../kernel/shared/plainEnvelopes.ts"
import { checkedCapacity } from "./internal/changeFeed.ts"
import { enterProcess, withProcess } from "./internal/enterProcess.ts"
import { streamIn } from "./internal/feed.ts"
import { MembershipState } from "./internal/membershipState.ts"
import { PerKernel } from "./internal/perKernel.ts"
import { currentKernel } from "../kernel/shared/currentKernel.ts"
import { checkedName } from "./shared/names.ts"

const TypeId = "~effect-otp/naming/ProcessGroup"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A scope of groups of processes that accept messages of type `M`, by keys of type `G`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ProcessGroup<in out G, in out M = never> extends Pipeable {
  readonly [TypeId]: { readonly group: (group: G) => G; readonly message: (message: M) => M }
  readonly name: string
}

/**
 * One membership.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Membership<out G, in M = never> {
  readonly group: G
  readonly pid: Pid<M>
}

/**
 * An element of a stream of changes: first all memberships, then each one that begins or ends.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Change<G, M = never> =
  | { readonly _tag: "Snapshot"; readonly members: ReadonlyArray<Membership<G, M>> }
  | ({ readonly _tag: "Joined" | "Left" } & Membership<G, M>)

/** Groups with such a key. */
interface Has<in G> {
  readonly [TypeId]: { readonly group: (group: G) => unknown }
}

/** Groups whose members are sent no other messages than these. */
interface Sends<out M> {
  readonly [TypeId]: { readonly message: (message: never) => M }
}

/** Groups whose members accept such messages. */
interface Takes<in M> {
  readonly [TypeId]: { readonly message: (message: M) => unknown }
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * A scope of groups. Write out its types: the keys of its groups, and the messages that its members accept.
 *
 * **Details**
 *
 * Throws a `RangeError` if the name is not a string or empty. The name is for people: two scopes with the same name are
 * not connected. Keys are compared by Effect's `Equal`.
 *
 * **Example** (Telling all of a group)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu" | "us", string>("shop/workers")
 *
 * const program = Effect.gen(function*() {
 *   const worker = Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   const [anna, bert] = [yield* worker, yield* worker]
 *   yield* ProcessGroup.join(Workers, "eu", anna)
 *   yield* ProcessGroup.join(Workers, "eu", bert)
 *   const before = (yield* ProcessGroup.members(Workers, "eu")).length
 *   yield* ProcessGroup.broadcast(Workers, "eu", "stock-taking")
 *   yield* Process.awaitExit(anna)
 *   yield* Process.awaitExit(bert)
 *   return [before, yield* ProcessGroup.groups(Workers)]
 * })
 *
 * await Effect.runPromise(program) // => [2, []]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const make = <G, M = never>(name: string): ProcessGroup<G, M> =>
  // The type of its mark carries the type parameters; the mark itself is a string.
  new ScopeImpl(checkedName(name)) as never

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a value is a scope of groups.
 *
 * **Example** (Checking a value)
 *
 * ```ts import.meta.vitest
 * import { ProcessGroup } from "effect-otp"
 *
 * const values = [ProcessGroup.make<string>("shop/workers"), "shop/workers"]
 * values.map(ProcessGroup.isProcessGroup) // => [true, false]
 * ```
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isProcessGroup = (u: unknown): u is ProcessGroup<never> => has(u, TypeId)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Makes this process, or another one, a member of a group.
 *
 * **Details**
 *
 * A process may join a group several times, and is then listed as often. This process must accept the messages of the
 * scope: the type asks for `Process.Receives`. If a killed process joins, nothing happens.
 *
 * **Errors**
 *
 * - `NoProcess` if the other process is dead, or belongs to another kernel.
 *
 * **Example** (Joining from inside)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu", string>("shop/join")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) =>
 *     Effect.andThen(ProcessGroup.join(Workers, "eu"), inbox.take)
 *   )
 *   yield* Effect.yieldNow
 *   yield* ProcessGroup.broadcast(Workers, "eu", "go home")
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Normal" }
 * ```
 *
 * @see {@link leave}; a process that dies has left all its groups
 * @see `pg:join/3`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const join: {
  <A>(group: A): <G, M>(self: ProcessGroup<G, M> & Has<A>) => Effect.Effect<void, never, Process.Member<M>>
  <A, M>(
    group: A,
    pid: Pid<M>
  ): <G, All>(self: ProcessGroup<G, All> & Has<A> & Sends<M>) => Effect.Effect<void, Process.NoProcess>
  <G, M>(self: ProcessGroup<G, M>, group: NoInfer<G>): Effect.Effect<void, never, Process.Member<M>>
  <G, M>(self: ProcessGroup<G, M>, group: NoInfer<G>, pid: Pid<NoInfer<M>>): Effect.Effect<void, Process.NoProcess>
} = dual(scopeFirst, <G, M>(self: ProcessGroup<G, M>, group: G, pid?: Pid) =>
  enterProcess("ProcessGroup.join", pid, (record) => {
    stateIn(self, record.kernel).join(group, record)
    return Exit.void
  })
)

/**
 * Ends one membership of this process, or of another one. It gives false if there was none.
 *
 * **Example** (Joining twice, leaving once)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu">("shop/leave")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* ProcessGroup.join(Workers, "eu", pid)
 *   yield* ProcessGroup.join(Workers, "eu", pid)
 *   yield* ProcessGroup.leave(Workers, "eu", pid)
 *   const left = (yield* ProcessGroup.members(Workers, "eu")).length
 *   yield* Process.kill(pid)
 *   return left
 * })
 *
 * await Effect.runPromise(program) // => 1
 * ```
 *
 * @see `pg:leave/3`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const leave: {
  <A>(group: A): <G, M>(self: ProcessGroup<G, M> & Has<A>) => Effect.Effect<boolean, never, Process.Self>
  <A>(group: A, pid: Pid): <G, M>(self: ProcessGroup<G, M> & Has<A>) => Effect.Effect<boolean>
  <G, M>(self: ProcessGroup<G, M>, group: NoInfer<G>): Effect.Effect<boolean, never, Process.Self>
  <G, M>(self: ProcessGroup<G, M>, group: NoInfer<G>, pid: Pid): Effect.Effect<boolean>
} = dual(scopeFirst, <G, M>(self: ProcessGroup<G, M>, group: G, pid?: Pid) =>
  withProcess("ProcessGroup.leave", pid, (record) => Exit.succeed(stateIn(self, record.kernel).leave(group, record)))
)

/**
 * Lists the members of a group, each as often as it has joined.
 *
 * **Example** (Listing members)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu">("shop/members")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* ProcessGroup.join(Workers, "eu", pid)
 *   const members = yield* ProcessGroup.members(Workers, "eu")
 *   yield* Process.kill(pid)
 *   return [members.length, (yield* ProcessGroup.members(Workers, "eu")).length]
 * })
 *
 * await Effect.runPromise(program) // => [1, 0]
 * ```
 *
 * @see `pg:get_members/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const members: {
  <A>(group: A): <G, M>(self: ProcessGroup<G, M> & Has<A>) => Effect.Effect<ReadonlyArray<Pid<M>>>
  <G, M>(self: ProcessGroup<G, M>, group: NoInfer<G>): Effect.Effect<ReadonlyArray<Pid<M>>>
} = dual(2, <G, M>(self: ProcessGroup<G, M>, group: G): Effect.Effect<ReadonlyArray<Pid<M>>> =>
  withState(self, (state) => Array.from(state.membership.group(group)?.all() ?? []))
)

/**
 * Lists the groups that have members.
 *
 * **Example** (Listing groups)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu" | "us">("shop/groups")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* ProcessGroup.join(Workers, "us", pid)
 *   const groups = yield* ProcessGroup.groups(Workers)
 *   yield* Process.kill(pid)
 *   return groups
 * })
 *
 * await Effect.runPromise(program) // => ["us"]
 * ```
 *
 * @see `pg:which_groups/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const groups = <G, M>(self: ProcessGroup<G, M>): Effect.Effect<ReadonlyArray<G>> =>
  withState(self, (state) => Array.from(state.membership.groups(), ({ key }) => key))

/**
 * Sends a message to every member of a group, once for each membership.
 *
 * **Details**
 *
 * It never waits. A member whose mailbox is full loses the message, as its bound says. If the bound makes senders wait,
 * the message is a dead letter: it is counted and announced.
 *
 * **Example** (Telling everybody)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu", string>("shop/broadcast")
 *
 * const program = Effect.gen(function*() {
 *   const worker = Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   const pids = [yield* worker, yield* worker]
 *   yield* Effect.forEach(pids, (pid) => ProcessGroup.join(Workers, "eu", pid))
 *   yield* ProcessGroup.broadcast(Workers, "eu", "go home")
 *   return (yield* Effect.forEach(pids, Process.awaitExit)).map(({ _tag }) => _tag)
 * })
 *
 * await Effect.runPromise(program) // => ["Normal", "Normal"]
 * ```
 *
 * @see {@link send} for one member, `Topic.publish` for subscribers that may also be streams
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const broadcast: {
  <A, M>(group: A, message: M): <G, All>(self: ProcessGroup<G, All> & Has<A> & Takes<M>) => Effect.Effect<void>
  <G, M>(self: ProcessGroup<G, M>, group: NoInfer<G>, message: NoInfer<M>): Effect.Effect<void>
} = dual(3, <G, M>(self: ProcessGroup<G, M>, group: G, message: M) =>
  Effect.withFiber((fiber) => {
    const found = stateIn(self, currentKernel(fiber)).membership.group(group)
    if (found === undefined) return Exit.void
    const envelope = new MessageEnvelope(message, currentProcessUnsafe(fiber))
    for (const record of found.all()) post(record, envelope)
    return Exit.void
  })
)

/**
 * Sends a message to one member of a group and gives the pid of that member. The members take turns.
 *
 * **Details**
 *
 * It gives `None` if the group has no members.
 *
 * **Interruption**
 *
 * It waits only if the mailbox of the member is full and makes senders wait. If it is interrupted then, the message is
 * taken back.
 *
 * **Example** (Sharing work)
 *
 * ```ts import.meta.vitest
 * import { Effect, Option } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu", string>("shop/send")
 *
 * const program = Effect.gen(function*() {
 *   const worker = Process.spawn((_: Process.Inbox<string>) => Effect.never)
 *   const pids = [yield* worker, yield* worker]
 *   yield* Effect.forEach(pids, (pid) => ProcessGroup.join(Workers, "eu", pid))
 *   const first = yield* ProcessGroup.send(Workers, "eu", "wrap")
 *   const second = yield* ProcessGroup.send(Workers, "eu", "post")
 *   yield* Effect.forEach(pids, Process.kill)
 *   return [Option.getOrThrow(first) === Option.getOrThrow(second), yield* ProcessGroup.send(Workers, "eu", "rest")]
 * })
 *
 * await Effect.runPromise(program) // => [false, Option.none()]
 * ```
 *
 * @see {@link broadcast} for all members
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const send: {
  <A, M>(
    group: A,
    message: M
  ): <G, All>(self: ProcessGroup<G, All> & Has<A> & Takes<M>) => Effect.Effect<Option.Option<Pid<All>>>
  <G, M>(self: ProcessGroup<G, M>, group: NoInfer<G>, message: NoInfer<M>): Effect.Effect<Option.Option<Pid<M>>>
} = dual(3, <G, M>(self: ProcessGroup<G, M>, group: G, message: NoInfer<M>) =>
  Effect.withFiber((fiber) => {
    const pid: Pid<M> | undefined = stateIn(self, currentKernel(fiber)).membership.group(group)?.next()
    return pid === undefined ? Exit.succeed(Option.none()) : Effect.as(Process.send(pid, message), Option.some(pid))
  })
)

/**
 * Runs an effect with the members of a group, if there are any.
 *
 * **When to use**
 *
 * Use to choose a member yourself, or to do something other than send a message.
 *
 * **Example** (Choosing a member)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu", string>("shop/dispatch")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   yield* ProcessGroup.join(Workers, "eu", pid)
 *   yield* ProcessGroup.dispatch(Workers, "eu", ([first]) => Process.send(first, "wrap"))
 *   return yield* Process.awaitExit(pid)
 * })
 *
 * await Effect.runPromise(program) // => { _tag: "Normal" }
 * ```
 *
 * @see {@link send}
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const dispatch: {
  <G, M, X, E, R>(
    group: NoInfer<G>,
    f: (members: Arr.NonEmptyReadonlyArray<Pid<M>>) => Effect.Effect<X, E, R>
  ): (self: ProcessGroup<G, M>) => Effect.Effect<void, E, R>
  <G, M, X, E, R>(
    self: ProcessGroup<G, M>,
    group: NoInfer<G>,
    f: (members: Arr.NonEmptyReadonlyArray<Pid<M>>) => Effect.Effect<X, E, R>
  ): Effect.Effect<void, E, R>
} = dual(
  3,
  <G, M, X, E, R>(
    self: ProcessGroup<G, M>,
    group: NoInfer<G>,
    f: (members: Arr.NonEmptyReadonlyArray<Pid<M>>) => Effect.Effect<X, E, R>
  ): Effect.Effect<void, E, R> =>
    Effect.flatMap(members(self, group), ([first, ...rest]) =>
      first === undefined ? Effect.void : Effect.asVoid(f([first, ...rest]))
    )
)

/**
 * Streams all members, then each membership that begins or ends. Deaths are changes, too.
 *
 * **Details**
 *
 * The stream begins with a `Snapshot`. At most `capacity` changes wait for the reader (256 by default). If the reader
 * falls further behind, the waiting changes are dropped, and a new `Snapshot` follows. So a reader never sees only a
 * part of the changes. A process that joins does not wait for readers.
 *
 * **Errors**
 *
 * - Throws a `RangeError` unless `capacity` is a whole number of at least 1.
 *
 * **Example** (Watching all groups)
 *
 * ```ts import.meta.vitest
 * import { Effect, Stream } from "effect"
 * import { Process, ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu">("shop/changes")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn(Effect.never)
 *   yield* ProcessGroup.join(Workers, "eu", pid)
 *   return yield* ProcessGroup.changes(Workers).pipe(
 *     Stream.tap(({ _tag }) => _tag === "Snapshot" ? Process.kill(pid) : Effect.void),
 *     Stream.map(({ _tag }) => _tag),
 *     Stream.take(2),
 *     Stream.runCollect
 *   )
 * })
 *
 * await Effect.runPromise(program) // => ["Snapshot", "Left"]
 * ```
 *
 * @see {@link changesOf} for one group
 * @see `pg:monitor_scope/1`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const changes = <G, M>(
  self: ProcessGroup<G, M>,
  options?: { readonly capacity?: number | undefined }
): Stream.Stream<Change<G, M>> => {
  const capacity = checkedCapacity(options?.capacity)
  return streamIn((kernel) => stateIn(self, kernel).read(capacity))
}

/**
 * Streams the members of one group, then each membership that begins or ends. See {@link changes}.
 *
 * **Example** (Watching one group)
 *
 * ```ts import.meta.vitest
 * import { Effect, Stream } from "effect"
 * import { ProcessGroup } from "effect-otp"
 *
 * const Workers = ProcessGroup.make<"eu" | "us">("shop/changes-of")
 *
 * const program = ProcessGroup.changesOf(Workers, "eu").pipe(
 *   Stream.map((change) => change._tag === "Snapshot" ? change.members.length : change._tag),
 *   Stream.take(1),
 *   Stream.runCollect
 * )
 *
 * await Effect.runPromise(program) // => [0]
 * ```
 *
 * @see `pg:monitor/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const changesOf = <G, M>(
  self: ProcessGroup<G, M>,
  group: NoInfer<G>,
  options?: { readonly capacity?: number | undefined }
): Stream.Stream<Change<G, M>> => {
  const capacity = checkedCapacity(options?.capacity)
  return streamIn((kernel) => stateIn(self, kernel).readOf(group, capacity))
}

// ---- internals ----------------------------------------------------------------------------------------------------

/**
 * With two arguments, if the first is not a scope and the second is a pid, the first is the group, and the scope comes
 * later.
 */
function scopeFirst({ 0: first, 1: second, length }: IArguments): boolean {
  return length > 2 || (length === 2 && (isProcessGroup(first) || !isPid(second)))
}

type KernelState = ProcessRecord["kernel"]

class ScopeImpl<G> {
  readonly [TypeId] = TypeId
  readonly name: string
  readonly stateIn: (kernel: KernelState) => MembershipState<G>

  constructor(name: string) {
    this.name = name
    this.stateIn = new PerKernel(() => new MembershipState<G>()).in
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

const stateIn = <G, M>(scope: ProcessGroup<G, M>, kernel: KernelState): MembershipState<G> =>
  implOf<G>(scope).stateIn(kernel)

const implOf = <G>(scope: unknown): ScopeImpl<G> => {
  if (isInstance(scope, ScopeImpl)) return scope as ScopeImpl<G>
  const isForeign = read(scope, TypeId) !== undefined
  return refuseArgument({ to: "ProcessGroup", what: "a process group", isForeign }, scope)
}

const withState = <G, M, A>(scope: ProcessGroup<G, M>, f: (state: MembershipState<G>) => A): Effect.Effect<A> =>
  Effect.withFiber((fiber) => Exit.succeed(f(stateIn(scope, currentKernel(fiber)))))

printAs(ScopeImpl.prototype, ({ name }) => `ProcessGroup(${name})`)
