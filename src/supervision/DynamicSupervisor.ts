/**
 * Supervisors of many children of one kind, which are started by key while the system runs.
 *
 * A dynamic supervisor is declared for one definition of a server, or for a function that makes a Layer: then each child
 * is what its Layer starts, such as a supervisor with children of its own. `startChild` starts a child under a key. Its
 * client stays valid and its key stays the same while the supervisor restarts it.
 *
 * **Guarantees**
 *
 * - The `init`s of different children run side by side, and the supervisor answers meanwhile.
 * - A key has at most one child. Two starts of one key at the same moment start one process.
 * - The services that handlers need are captured once, with the supervisor, not with each child.
 * - At the end all children are stopped side by side, each within its own limit.
 *
 * **In Erlang/OTP**
 *
 * `DynamicSupervisor` of Elixir, `simple_one_for_one`. There a child is known by its pid, which a restart changes.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Client, Definition } from "../behaviour/GenServer.ts"
import type * as Protocol from "../behaviour/Protocol.ts"
import { starterOf } from "../behaviour/shared/definition.ts"
import { type Handle, TypeId as HandleTypeId } from "../kernel/Handle.ts"
import type { Pid } from "../kernel/Pid.ts"
import { AlreadyStarted } from "../naming/Name.ts"
import type { Limit } from "../kernel/Shutdown.ts"
import type { RestartSchedule, Stable } from "./ChildSpec.ts"
import { type Counts, countsOf } from "./internal/child/childCounts.ts"
import { printHandle } from "./internal/child/exportedHandles.ts"
import { ChildNotFound, MaxChildren, SupervisorDown } from "./internal/core/errors.ts"
import {
  currentOf,
  awaitFirstStart,
  listed,
  terminate,
  withSupervisor
} from "./internal/dynamic/askDynamicSupervisor.ts"
import { policyOf, type ChildPolicy } from "./internal/dynamic/childPolicy.ts"
import type { ChildStarter, DynamicChild } from "./internal/dynamic/dynamicChild.ts"
import type { DynamicSpec } from "./internal/dynamic/dynamicSpec.ts"
import { layerStarter, type MakeLayer } from "./internal/dynamic/layerStarter.ts"
import type { RunningDynamicSupervisor } from "./internal/dynamic/runningDynamicSupervisor.ts"
import { dynamicLayer } from "./internal/startSupervisor.ts"
import { dynamicSpecOf } from "./internal/options.ts"
import type { Restart } from "./RestartPolicy.ts"
import type { HandleTarget } from "../kernel/shared/handleTarget.ts"
import * as Check from "../values/check.ts"
import { has } from "../values/valueKinds.ts"

export {
  /**
   * There is no child with this key.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  ChildNotFound,
  /**
   * The supervisor is down, or ended before it answered.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  SupervisorDown
} from "./internal/core/errors.ts"
export type {
  /**
   * How many children there are, how many run, and how many are being started or restarted.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Counts
} from "./internal/child/childCounts.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * How a dynamic supervisor treats its children. `E` is the failure of a child's start.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface DynamicOptions<E, RS> {
  /** Which endings a restart follows. Default: `"permanent"`. */
  readonly restart?: Restart | undefined
  /** The delay of restarts, and when to give up, for each child. Default: restart at once. */
  readonly schedule?: RestartSchedule<E, RS> | undefined
  /** The schedule of a child begins anew once the child has been up this long. Default: the window of the intensity. */
  readonly resetAfter?: Duration.Input | undefined
  /** One counter for all children. Default: 3 in 5 seconds. Off if a schedule is given without it. */
  readonly intensity?: { readonly max: number; readonly within: Duration.Input } | undefined
  /** How long the orderly end of a child may take before the kill. Default: 5 seconds; no limit for a supervisor. */
  readonly shutdown?: Limit | undefined
  /** How many children there may be, including those that are being restarted. Default: no limit. */
  readonly maxChildren?: number | undefined
}

/**
 * The options of a dynamic supervisor for servers.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<M extends Protocol.Any, A extends ReadonlyArray<unknown>, E, R, D, RS> extends DynamicOptions<
  E,
  RS
> {
  /** The definition of its children. */
  readonly child: Definition<D, M, A, E, R>
}

/**
 * The options of a dynamic supervisor for anything with a Layer, such as supervisors.
 *
 * **When to use**
 *
 * Use when one key needs several processes, or a process with resources of its own.
 *
 * **Example** (A tree for each room)
 *
 * ```ts import.meta.vitest
 * import { Context, Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { DynamicSupervisor, GenServer, Supervisor } from "effect-otp"
 *
 * class Clock extends GenServer.Service<Clock>()("app/Clock", [Rpc.make("now", { success: Schema.Int })]) {
 *   static readonly definition = this.define({
 *     init: () => Effect.succeed(0),
 *     handlers: { now: (_, n) => GenServer.reply(n, n + 1) }
 *   })
 * }
 * class Log extends GenServer.Service<Log>()("app/Log", [Rpc.make("note", { success: Schema.String })]) {
 *   static readonly definition = this.define({
 *     init: (room: string) => Effect.map(Clock, (clock) => ({ clock, room })),
 *     handlers: {
 *       note: (_, log) =>
 *         Effect.map(Effect.orDie(log.clock.now()), (now) => GenServer.reply(`${log.room} at ${now}`, log))
 *     }
 *   })
 * }
 *
 * class Room extends Supervisor.Service<Room>()("app/Room", {
 *   strategy: "restForOne",
 *   children: (name: string) => [
 *     Supervisor.child(Clock.definition.layer()),
 *     Supervisor.child(Log.definition.layer(name))
 *   ]
 * }) {}
 * class Rooms extends DynamicSupervisor.Service<Rooms>()("app/Rooms", { child: Room.layer }) {}
 *
 * const program = Effect.gen(function*() {
 *   const rooms = yield* Rooms
 *   const lobby = yield* rooms.startOrGet("lobby", "lobby")
 *   yield* Context.get(lobby, Clock).now()
 *   return yield* Context.get(lobby, Log).note()
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Rooms.layer))) // => "lobby at 1"
 * ```
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface LayerOptions<A extends ReadonlyArray<unknown>, ROut, E, R, RS> extends DynamicOptions<E, RS> {
  /**
   * Makes the Layer of a child from the arguments of its start, for each start anew. As for `Supervisor.child`, the
   * Layer starts one process: a server or a supervisor. It may provide plain services, too, but a start gives only the
   * handles.
   */
  readonly child: (...args: A) => Layer.Layer<ROut, E, R>
}

/**
 * What is known of a child.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ChildInfo {
  readonly key: string
  readonly state: "starting" | "running" | "restarting" | "stopping"
  /** Its process, if it runs. */
  readonly pid: Pid | undefined
  /** How many times it was started again. */
  readonly restarts: number
}

/**
 * The options of one child.
 *
 * **When to use**
 *
 * Use in place of the key in `startChild` and `startOrGet`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ChildOptions {
  /** Its key. Default: one of its own, such as `child 1`. */
  readonly key?: string | undefined
  /** Which endings a restart follows. Default: as the supervisor says. */
  readonly restart?: Restart | undefined
  /** How long its orderly end may take before the kill. Default: as the supervisor says. */
  readonly shutdown?: Limit | undefined
}

/**
 * The service of a dynamic supervisor. `C` is what a child gives: the client of its server, or a `Context` with all the
 * handles that its Layer provides. They stay valid while the child is restarted.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface DynamicSupervisorHandle<out C, in A extends ReadonlyArray<unknown>, out E> extends Handle<never> {
  /**
   * Starts a child under a key and waits for its `init`. {@link ChildOptions} in place of the key also set options of
   * this child alone. Without a key (`undefined`), the child gets a key of its own, which `whichChildren` shows. If the
   * caller is interrupted, the child is started all the same. If a child with this key is dead for good and has not
   * ended yet, this waits for its end first. If it is interrupted then, no child is started.
   *
   * Fails with the failure of `init`; with `AlreadyStarted` or `MaxChildren` if nothing was started; with
   * `ChildNotFound` if the child is terminated meanwhile; and with `SupervisorDown`. If `init` dies, that is a defect
   * here.
   */
  readonly startChild: (
    child?: string | ChildOptions | undefined,
    ...args: A
  ) => Effect.Effect<C, E | AlreadyStarted | MaxChildren | ChildNotFound | SupervisorDown>
  /**
   * Gives the client of the child with this key, and starts the child if there is none. One `init` runs, however many
   * callers ask at once: all of them wait for it, and all get its client or its failure. The arguments are those of the
   * caller that starts it. A child that is being restarted is there: this gives its client at once. If the child is
   * ending for good, this waits for its end and starts another.
   *
   * Fails as `startChild` does. `AlreadyStarted` means here that another process has the name of its server.
   */
  readonly startOrGet: (
    child: string | (ChildOptions & { readonly key: string }),
    ...args: A
  ) => Effect.Effect<C, E | AlreadyStarted | MaxChildren | ChildNotFound | SupervisorDown>
  /** The client of a child that was up once and is not dead for good. It stays valid while the child is restarted. */
  readonly get: (key: string) => Effect.Effect<Option.Option<C>>
  /**
   * Stops a child, or cancels its start or restart, and waits until it has ended. If the caller is interrupted, the
   * stop goes on. The key is free when this returns.
   */
  readonly terminateChild: (key: string) => Effect.Effect<void, ChildNotFound | SupervisorDown>
  /**
   * The children in the order of their first start. Empty while the supervisor is down. Never older than what the
   * caller has seen: a child that has answered is `"running"`, and a child that is dead for good is not on the list.
   */
  readonly whichChildren: Effect.Effect<ReadonlyArray<ChildInfo>>
  /**
   * How many children there are, how many run, and how many are being started or restarted. As up to date as
   * `whichChildren`.
   */
  readonly countChildren: Effect.Effect<Counts>
}

/**
 * The service class of a dynamic supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<
  Self,
  Id extends string,
  C,
  A extends ReadonlyArray<unknown>,
  E,
  R
> extends Context.ServiceClass<Self, Id, DynamicSupervisorHandle<C, A, E>> {
  readonly layer: Layer.Layer<Self, never, R>
}

// ---- errors -------------------------------------------------------------------------------------------------------

export {
  /**
   * The key has a child already: it runs, starts, or is being restarted. Or its name is taken.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  AlreadyStarted
} from "../naming/Name.ts"

export {
  /**
   * The supervisor has as many children as it may have.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  MaxChildren
} from "./internal/core/errors.ts"

// ---- constructors -------------------------------------------------------------------------------------------------

interface Declare<Self> {
  <const Id extends string, A extends ReadonlyArray<unknown>, ROut, E, R, RS = never>(
    id: Id,
    options: LayerOptions<A, ROut, E, R, RS>
  ): ServiceClass<Self, Id, Context.Context<Extract<ROut, Stable>>, A, E, R | NoInfer<RS>>
  <const Id extends string, M extends Protocol.Any, A extends ReadonlyArray<unknown>, E, R, D, RS = never>(
    id: Id,
    options: Options<M, A, E, R, D, RS>
  ): ServiceClass<Self, Id, Client<M>, A, E, R | NoInfer<RS>>
}

/**
 * Declares a dynamic supervisor: its service, its name in the environment, and what its children are.
 *
 * **Details**
 *
 * `child` is the definition of a server. Then a start takes the arguments of `init` and gives the client.
 *
 * Or `child` is a function from arguments to a Layer that starts one process: a supervisor with its children, or a server
 * with what only it needs. Then a start takes these arguments and gives a `Context` with the handles that the Layer
 * provides: use `Context.get` for one of them, or `Effect.provide` for all. Plain services that the Layer provides are
 * not in it, because a restart would leave them stale. A restart builds the Layer anew, and the handles point to the new
 * processes. If the Layer's supervisor gives up, that is one failure of the child. What the Layers need, the Layer of the
 * dynamic supervisor needs.
 *
 * Throws a `RangeError` for a `maxChildren` or an intensity that is not a number.
 *
 * **Example** (Starting rooms)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { DynamicSupervisor, GenServer } from "effect-otp"
 *
 * class Room extends GenServer.Service<Room>()("app/Room", [
 *   Rpc.make("say", { payload: { text: Schema.String }, success: Schema.Number })
 * ]) {
 *   static readonly definition = this.define({
 *     init: (greeting: string) => Effect.succeed([greeting]),
 *     handlers: {
 *       say: ({ text }, lines) => GenServer.reply(lines.length + 1, [...lines, text])
 *     }
 *   })
 * }
 * class Rooms extends DynamicSupervisor.Service<Rooms>()("app/Rooms", { child: Room.definition }) {}
 *
 * const program = Effect.gen(function*() {
 *   const rooms = yield* Rooms
 *   const lobby = yield* rooms.startChild("lobby", "welcome")
 *   return yield* lobby.say({ text: "hello" })
 * })
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Rooms.layer))) // => 2
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>(): Declare<Self> => {
  const declare = (id: string, options: AnyOptions): unknown => {
    const key = Context.Service<Self, DynamicSupervisorHandle<unknown, ReadonlyArray<unknown>, unknown>>()(id)
    const spec = dynamicSpecOf(id, childStarterOf(id, options.child), options)
    const handle = (target: HandleTarget) => Context.makeUnsafe<never>(new Map([[id, makeHandle(target)]]))
    return Object.assign(key, { layer: dynamicLayer(spec, handle) })
  }
  return declare as Declare<Self>
}

// ---- internals ----------------------------------------------------------------------------------------------------

/** The options without their types. */
interface AnyOptions extends DynamicOptions<unknown, never> {
  readonly child: Definition<unknown, Protocol.Any, ReadonlyArray<unknown>, unknown, never> | MakeLayer
}

const childStarterOf = (id: string, child: AnyOptions["child"]): ChildStarter =>
  isMakeLayer(child) ? layerStarter(id, child) : starterOf(`${id}: child`, child, childIs)

/** The class of a service is a function, too. */
const isMakeLayer = (child: AnyOptions["child"]): child is MakeLayer =>
  typeof child === "function" && !has(child, "key")

const childIs = "a definition of a server, as define gives it, or a function that makes a Layer"

const makeHandle = (target: HandleTarget) =>
  printHandle({
    [HandleTypeId]: target,
    startChild: (child: string | ChildOptions = {}, ...args: ReadonlyArray<unknown>) =>
      withSupervisor(target, (supervisor) => {
        const options = optionsOf(supervisor.spec, child)
        const key = options.key ?? supervisor.freeKey()
        return startChild(supervisor, { key, args, policy: policyOf(supervisor.spec, options) })
      }),
    startOrGet: (child: string | ChildOptions, ...args: ReadonlyArray<unknown>) =>
      withSupervisor(target, (supervisor) => {
        const options = optionsOf(supervisor.spec, child)
        const key = options.key ?? Check.refuse(`${supervisor.spec.id}: key`, "a string", undefined)
        return startOrGet(supervisor, { key, args, policy: policyOf(supervisor.spec, options) })
      }),
    get: (key: string) =>
      Effect.sync(() => {
        const child = currentOf(target)?.children.get(key)
        return child !== undefined && child.hasClient && !child.isGone ? Option.some(child.client) : Option.none()
      }),
    terminateChild: (key: string) =>
      withSupervisor(target, (supervisor): Effect.Effect<void, ChildNotFound | SupervisorDown> => {
        const child = supervisor.children.get(key)
        return child === undefined ? Effect.fail(new ChildNotFound({ id: key })) : terminate(supervisor, child)
      }),
    whichChildren: Effect.sync(() => Array.from(listed(target), infoOf)),
    countChildren: Effect.sync(() => countsOf(listed(target)))
  })

const infoOf = ({ key, pid, restarts, state }: DynamicChild): ChildInfo => ({
  key,
  state,
  pid,
  restarts
})

/** The key and the options that a caller gave. */
interface WantedChild {
  readonly key: string
  readonly args: ReadonlyArray<unknown>
  readonly policy: ChildPolicy
}

/** The options that a caller gave in place of a key, or with its key, checked. */
const optionsOf = ({ id }: DynamicSpec, child: string | ChildOptions): ChildOptions => {
  if (typeof child === "string") return { key: child }
  if (child === null || typeof child !== "object")
    return Check.refuse(`${id}: a child`, "a key or a record of options", child)
  const options = Check.record(`${id}: a child`, child)
  if (options.key !== undefined && typeof options.key !== "string") Check.refuse(`${id}: key`, "a string", options.key)
  return options
}

const startChild = (supervisor: RunningDynamicSupervisor, wanted: WantedChild): Effect.Effect<unknown, unknown> => {
  if (supervisor.isStopping) return downOf(supervisor)
  const before = supervisor.children.get(wanted.key)
  // The caller may know already that it is dead for good.
  if (before?.isDeadForGood === true) {
    const again = Effect.suspend(() => startChild(supervisor, wanted))
    return Effect.andThen(untilFree(supervisor, before), again)
  }
  return add(supervisor, wanted)
}

const startOrGet = (supervisor: RunningDynamicSupervisor, wanted: WantedChild): Effect.Effect<unknown, unknown> => {
  if (supervisor.isStopping) return downOf(supervisor)
  const child = supervisor.children.get(wanted.key)
  if (child === undefined) return add(supervisor, wanted)
  if (child.isDeadForGood || child.isEnding) {
    const again = Effect.suspend(() => startOrGet(supervisor, wanted))
    return Effect.andThen(untilFree(supervisor, child), again)
  }
  return whenStarted(supervisor, child)
}

/** Waits until a child that is ending for good has ended with its fiber and its scope. Then its key is free. */
const untilFree = (supervisor: RunningDynamicSupervisor, child: DynamicChild): Effect.Effect<unknown> => {
  const { layers, startFiber, state } = child
  if (state !== "starting") return supervisor.stop(child)
  // The caller that started it has yet to learn how its start ends.
  if (layers !== undefined) return awaitFirstStart(child)
  return startFiber === undefined ? supervisor.stop(child) : Fiber.await(startFiber)
}

const add = (
  supervisor: RunningDynamicSupervisor,
  { key, args, policy }: WantedChild
): Effect.Effect<unknown, unknown> => {
  const child = supervisor.add(key, args, policy)
  switch (child) {
    case "AlreadyStarted":
      return Effect.fail(taken(supervisor.children.get(key)!))
    case "MaxChildren":
      return Effect.fail(new MaxChildren({ maxChildren: supervisor.spec.maxChildren }))
    case "Stopping":
      return downOf(supervisor)
  }
  return whenStarted(supervisor, child)
}

/** The client of a child, once its first start has succeeded. */
const whenStarted = (supervisor: RunningDynamicSupervisor, child: DynamicChild): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(awaitFirstStart(child), (first) => {
    if (first === "stopped") {
      return supervisor.isStopping ? downOf(supervisor) : Exit.fail(new ChildNotFound({ id: child.key }))
    }
    return first._tag === "Success" ? Exit.succeed(child.client) : Exit.failCause(first.cause)
  })

const downOf = ({ spec }: RunningDynamicSupervisor) => Exit.fail(new SupervisorDown({ supervisor: spec.id }))

const taken = ({ displayName, record }: DynamicChild): AlreadyStarted =>
  new AlreadyStarted({ processName: displayName, pid: record?.isAlive === true ? record : undefined })
