/**
 * Groups of processes by key: reach all of them, one of them, or see who they are.
 *
 * A scope of groups is a value, made once. Each key in it is a group: it exists as long as it has a member. Memberships
 * belong to a kernel and to a process, and go with it.
 *
 * **Guarantees**
 *
 * - A process may join a group any number of times. It is listed as often, and leaves once for each.
 * - Left at death: a process has left all its groups in the step in which it dies, before `Exit` and `Down` are sent.
 * - A stream of changes begins with all members there are, and misses nothing after that.
 * - A broadcast does not wait: a full mailbox costs that member the message and nobody else anything.
 *
 * **In Erlang/OTP**
 *
 * `pg`. A scope there is a process of its own and forgets its members when it crashes; here it is none and cannot.
 *
 * @stability experimental
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import type * as Stream from "effect/Stream"
import { printAs } from "../values/printed.ts"
import * as Kernel from "../kernel/Kernel.ts"
import type { Pid } from "../kernel/Pid.ts"
import * as Process from "../kernel/Process.ts"
import { currentUnsafe, type ProcessRecord } from "../kernel/shared/processRecord.ts"
import { checkedCapacity } from "./internal/changeFeed.ts"
import { entering, withProcess } from "./internal/entering.ts"
import { streamIn } from "./internal/feed.ts"
import { MembershipState } from "./internal/membershipState.ts"
import { PerKernel } from "./internal/perKernel.ts"
import { checkedName } from "./Name.ts"
import { MessageEnvelope } from "../kernel/shared/plainEnvelopes.ts"

const TypeId = "~effect-otp/naming/ProcessGroup"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A scope of groups of processes that accept messages of type `M`, by keys of type `G`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessGroup<in out G, in out M = never> {
  readonly [TypeId]: { readonly group: (group: G) => G; readonly message: (message: M) => M }
  readonly name: string
}

/**
 * One membership.
 *
 * @category models
 * @since 0.1.0
 */
export interface Membership<out G, in M = never> {
  readonly group: G
  readonly pid: Pid<M>
}

/**
 * What a stream of changes gives: all memberships, then each that begins or ends.
 *
 * @category models
 * @since 0.1.0
 */
export type Change<G, M = never> =
  | { readonly _tag: "Snapshot"; readonly members: ReadonlyArray<Membership<G, M>> }
  | ({ readonly _tag: "Joined" | "Left" } & Membership<G, M>)

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * A scope of groups. Write out its types: those of group keys, and of the messages its members accept.
 *
 * **Details**
 *
 * Throws a `RangeError` if the name is not a string or empty. The name is for people: two scopes of one name have nothing
 * to do with each other. Keys are compared by Effect's `Equal`.
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
 * @category constructors
 * @since 0.1.0
 */
export const make = <G, M = never>(name: string): ProcessGroup<G, M> =>
  // The type of its mark carries what it takes; the mark itself is a string.
  new ScopeImpl(checkedName(name)) as never

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a value is a scope of groups.
 *
 * @category guards
 * @since 0.1.0
 */
export const isProcessGroup = (u: unknown): u is ProcessGroup<never> => hasProperty(u, TypeId)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Adds a membership: of this process, or of another.
 *
 * **Details**
 *
 * This process must accept the messages of the scope: `Process.Receives` says so in the type. Of a process that was
 * killed nothing is added any more.
 *
 * **Errors**
 *
 * - `NoProcess` when the other process is dead, or belongs to another kernel.
 *
 * @category operations
 * @since 0.1.0
 */
export const join: {
  <G, M>(scope: ProcessGroup<G, M>, group: NoInfer<G>): Effect.Effect<void, never, Process.Member<M>>
  <G, M>(scope: ProcessGroup<G, M>, group: NoInfer<G>, pid: Pid<NoInfer<M>>): Effect.Effect<void, Process.NoProcess>
} = <G, M>(scope: ProcessGroup<G, M>, group: G, pid?: Pid) =>
  entering(pid, (record) => {
    stateIn(scope, record.kernel).join(group, record)
    return Exit.void
  })

/**
 * Takes away one membership of this process, or of another. False if it has none.
 *
 * @category operations
 * @since 0.1.0
 */
export const leave: {
  <G, M>(scope: ProcessGroup<G, M>, group: NoInfer<G>): Effect.Effect<boolean, never, Process.Self>
  <G, M>(scope: ProcessGroup<G, M>, group: NoInfer<G>, pid: Pid): Effect.Effect<boolean>
} = <G, M>(scope: ProcessGroup<G, M>, group: G, pid?: Pid) =>
  withProcess(pid, (record) => Exit.succeed(stateIn(scope, record.kernel).leave(group, record)))

/**
 * The members of a group, each as often as it has joined.
 *
 * @category operations
 * @since 0.1.0
 */
export const members = <G, M>(scope: ProcessGroup<G, M>, group: NoInfer<G>): Effect.Effect<ReadonlyArray<Pid<M>>> =>
  withState(scope, (state) => Array.from(state.membership.group(group)?.all() ?? []))

/**
 * The groups that have members.
 *
 * @category operations
 * @since 0.1.0
 */
export const groups = <G, M>(scope: ProcessGroup<G, M>): Effect.Effect<ReadonlyArray<G>> =>
  withState(scope, (state) => Array.from(state.membership.groups(), ({ key }) => key))

/**
 * Sends a message to every member of a group, once for each membership.
 *
 * **Details**
 *
 * It never waits. A member whose mailbox is full loses the message by its policy; under `suspend`, where a single sender
 * would wait, the message is a dead letter, counted and announced.
 *
 * @category operations
 * @since 0.1.0
 */
export const broadcast = <G, M>(
  scope: ProcessGroup<G, M>,
  group: NoInfer<G>,
  message: NoInfer<M>
): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const found = stateIn(scope, Kernel.currentUnsafe(fiber)).membership.group(group)
    if (found === undefined) return Exit.void
    const envelope = new MessageEnvelope(message, currentUnsafe(fiber))
    for (const record of found.all()) record.post(envelope)
    return Exit.void
  })

/**
 * Sends a message to one member of a group, each in its turn, and says to whom; `None` if there is nobody.
 *
 * **Interruption**
 *
 * Waits only if the mailbox of that member is full under the policy `suspend`; interrupted, the message is taken back.
 *
 * @category operations
 * @since 0.1.0
 */
export const send = <G, M>(
  scope: ProcessGroup<G, M>,
  group: NoInfer<G>,
  message: NoInfer<M>
): Effect.Effect<Option.Option<Pid<M>>> =>
  Effect.withFiber((fiber) => {
    const pid: Pid<M> | undefined = stateIn(scope, Kernel.currentUnsafe(fiber)).membership.group(group)?.next()
    return pid === undefined ? Exit.succeed(Option.none()) : Effect.as(Process.send(pid, message), Option.some(pid))
  })

/**
 * Runs an effect of the members of a group, if there are any.
 *
 * @category operations
 * @since 0.1.0
 */
export const dispatch = <G, M, X, E, R>(
  scope: ProcessGroup<G, M>,
  group: NoInfer<G>,
  f: (members: Arr.NonEmptyReadonlyArray<Pid<M>>) => Effect.Effect<X, E, R>
): Effect.Effect<void, E, R> =>
  Effect.flatMap(members(scope, group), ([first, ...rest]) =>
    first === undefined ? Effect.void : Effect.asVoid(f([first, ...rest]))
  )

/**
 * Who is a member of what, then each membership that begins or ends, deaths included.
 *
 * **Details**
 *
 * Begins with a `Snapshot`. At most `capacity` changes wait (default 256). A reader that falls behind by more is never
 * told half of it: what waits is let go, and a new `Snapshot` follows. Whoever joins does not wait and notices nothing.
 *
 * Throws a `RangeError` unless `capacity` is a whole number of at least 1.
 *
 * **In Erlang/OTP**
 *
 * `pg:monitor_scope/1`.
 *
 * @category operations
 * @since 0.1.0
 */
export const changes = <G, M>(
  scope: ProcessGroup<G, M>,
  options?: { readonly capacity?: number | undefined }
): Stream.Stream<Change<G, M>> => {
  const capacity = checkedCapacity(options?.capacity)
  return streamIn((kernel) => stateIn(scope, kernel).read(capacity))
}

/**
 * As {@link changes}, of one group.
 *
 * **In Erlang/OTP**
 *
 * `pg:monitor/1`.
 *
 * @category operations
 * @since 0.1.0
 */
export const changesOf = <G, M>(
  scope: ProcessGroup<G, M>,
  group: NoInfer<G>,
  options?: { readonly capacity?: number | undefined }
): Stream.Stream<Change<G, M>> => {
  const capacity = checkedCapacity(options?.capacity)
  return streamIn((kernel) => stateIn(scope, kernel).readOf(group, capacity))
}

// ---- internals ----------------------------------------------------------------------------------------------------

type KernelState = ProcessRecord["kernel"]

class ScopeImpl<G> {
  readonly [TypeId] = TypeId
  readonly name: string
  readonly stateIn: (kernel: KernelState) => MembershipState<G>

  constructor(name: string) {
    this.name = name
    this.stateIn = new PerKernel(() => new MembershipState<G>()).in
  }
}

const stateIn = <G, M>(scope: ProcessGroup<G, M>, kernel: KernelState): MembershipState<G> =>
  (scope as unknown as ScopeImpl<G>).stateIn(kernel)

const withState = <G, M, A>(scope: ProcessGroup<G, M>, f: (state: MembershipState<G>) => A): Effect.Effect<A> =>
  Effect.withFiber((fiber) => Exit.succeed(f(stateIn(scope, Kernel.currentUnsafe(fiber)))))

printAs(ScopeImpl.prototype, ({ name }) => `ProcessGroup(${name})`)
