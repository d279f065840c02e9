/**
 * Supervisors of several processes of one kind that share the work by key.
 *
 * One server handles one message at a time. If that is too slow, or if one long turn must not delay everybody, a
 * partition supervisor runs several of the same kind. Each key belongs to one of them, so the messages of one key are
 * still handled in order.
 *
 * **Guarantees**
 *
 * - A key is routed to the same partition as long as the number of partitions in use is the same, in every version of
 *   this library and on every machine. {@link partitionOf} says how.
 * - The client of a partition stays valid while its supervisor restarts the process behind it.
 * - Partitions that `resize` has put out of use stay stopped, whatever restarts around them. All are in use again only
 *   when the supervisor itself is started again.
 *
 * **In Erlang/OTP**
 *
 * `PartitionSupervisor` of Elixir, with another hash. There a name with a key in it reaches the partition; here `client`
 * does. A partition is always restarted (`permanent`).
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Check from "../values/check.ts"
import { has } from "../values/valueKinds.ts"
import type { Client, Definition } from "../behaviour/GenServer.ts"
import type * as Protocol from "../behaviour/Protocol.ts"
import { starterOf } from "../behaviour/shared/definition.ts"
import { type Handle, TypeId as HandleTypeId } from "../kernel/Handle.ts"
import type { Limit } from "../kernel/Shutdown.ts"
import type { RestartSchedule, Stable } from "./ChildSpec.ts"
import { type Counts, countsOf } from "./internal/child/childCounts.ts"
import { printHandle } from "./internal/child/exportedHandles.ts"
import type { UntypedSpec } from "./internal/child/untypedSpec.ts"
import { type StartFailed, SupervisorDown } from "./internal/core/errors.ts"
import { treeLayer } from "./internal/startSupervisor.ts"
import { partitionSpecOf } from "./internal/options.ts"
import * as Hash from "./internal/partition/partitionHash.ts"
import { partitionLayer, partitionsOf, type Partitions } from "./internal/partition/partitions.ts"
import { askRun, startAnswer } from "./internal/static/askSupervisor.ts"
import { RunningSupervisor } from "./internal/static/runningSupervisor.ts"
import type { ChildInfo, Strategy } from "./Supervisor.ts"
import type { HandleTarget } from "../kernel/shared/handleTarget.ts"

export {
  /**
   * A partition that had to be in use again did not come up.
   *
   * @stability experimental
   * @category errors
   * @since 0.1.0
   */
  StartFailed,
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
   * How many partitions there are, how many run, and how many are being started or restarted.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  Counts
} from "./internal/child/childCounts.ts"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * The key that decides on the partition. Turn anything else into a text first.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Key = string | number | bigint

/**
 * How partitions are supervised. `E` is the failure of a partition's start.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface PartitionOptions<E, RS> {
  /**
   * How many partitions there are, 1 or more. Default: 8, on every machine. Partitions share one thread, so more of
   * them do not do more work; fewer keys wait for each other. If the number depended on the machine, so would the
   * routing.
   */
  readonly partitions?: number | undefined
  /** Which other partitions are restarted when one fails. Default: `"oneForOne"`. */
  readonly strategy?: Strategy | undefined
  /** The delay of restarts, and when to give up, for each partition. Default: restart at once. */
  readonly schedule?: RestartSchedule<E, RS> | undefined
  /** The schedule of a partition begins anew once it has been up this long. Default: the window of the intensity. */
  readonly resetAfter?: Duration.Input | undefined
  /** One counter for all partitions. Default: 3 in 5 seconds. Off if a schedule is given without it. */
  readonly intensity?: { readonly max: number; readonly within: Duration.Input } | undefined
  /** How long the orderly end of one may take before the kill. Default: 5 seconds; no limit for a supervisor. */
  readonly shutdown?: Limit | undefined
}

/**
 * The options of a partition supervisor for servers.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Options<
  M extends Protocol.Any,
  A extends ReadonlyArray<unknown>,
  E,
  R,
  D,
  RS
> extends PartitionOptions<E, RS> {
  /** The definition of its partitions. */
  readonly child: Definition<D, M, A, E, R>
  /** The arguments of `init`, made once for each partition. Default: the number of the partition. */
  readonly args: (partition: number) => [...NoInfer<A>]
}

/** `init` takes a number, or nothing. */
type Numbered<A> = [A] extends [readonly []]
  ? unknown
  : [partition: number] extends A
    ? unknown
    : { readonly args: (partition: number) => A }

/**
 * The options of a partition supervisor for anything with a Layer of its own, such as dynamic supervisors.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface LayerOptions<S, I, E, R, RS> extends PartitionOptions<E, RS> {
  /** The service of each partition, with the `layer` that starts one. */
  readonly child: { readonly key: string; readonly Service: S; readonly layer: Layer.Layer<I, E, R> }
}

/**
 * What is known of a partition. A partition out of use is `"stopped"`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface PartitionInfo extends Pick<ChildInfo, "state" | "pid" | "restarts"> {
  readonly partition: number
}

/**
 * The service of a partition supervisor. `C` is the service of one partition.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface PartitionSupervisorHandle<out C> extends Handle<never> {
  /** The client of the partition that a key belongs to. Fails with `NoPartitions` if none is in use. */
  readonly client: (key: Key) => Effect.Effect<C, NoPartitions>
  /** The clients of all partitions in use, in their order. */
  readonly clients: Effect.Effect<ReadonlyArray<C>>
  /** How many partitions are in use. */
  readonly size: Effect.Effect<number>
  /**
   * Sets how many partitions are in use, from 0 to all of them, and gives the previous number.
   *
   * To use fewer, keys are routed anew first. Then the partitions that are no longer used are stopped, side by side;
   * their state is lost. To use more, they are started one after the other, and keys are routed anew in the step in
   * which all of them are up. A partition that restarts with its group is waited for, too. If one does not come up,
   * everything stays as it was.
   *
   * One change is made at a time. If the caller is interrupted, the change goes on. A change to fewer partitions than
   * are being started ends those starts: their caller gets `StartFailed`.
   *
   * Throws a `RangeError` for any other number.
   */
  readonly resize: (size: number) => Effect.Effect<number, StartFailed | SupervisorDown>
  /** All partitions in their order, including those out of use. Empty while the supervisor is down. */
  readonly whichChildren: Effect.Effect<ReadonlyArray<PartitionInfo>>
  /**
   * How many partitions there are, including those out of use, how many run, and how many are being started or
   * restarted.
   */
  readonly countChildren: Effect.Effect<Counts>
}

/**
 * The service class of a partition supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface ServiceClass<Self, Id extends string, C, E, R> extends Context.ServiceClass<
  Self,
  Id,
  PartitionSupervisorHandle<C>
> {
  readonly layer: Layer.Layer<Self, E, R>
}

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * No partition is in use: the supervisor was resized to zero.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class NoPartitions extends Data.TaggedError("NoPartitions")<{ readonly supervisor: string }> {
  override get message() {
    return `${this.supervisor} has no partition in use`
  }
}

// ---- constructors -------------------------------------------------------------------------------------------------

interface Declare<Self> {
  <const Id extends string, M extends Protocol.Any, A extends ReadonlyArray<unknown>, E, R, D, RS = never>(
    id: Id,
    options: Options<M, A, E, R, D, RS>
  ): ServiceClass<Self, Id, Client<M>, E, R | NoInfer<RS>>
  <const Id extends string, S extends Stable["Service"], I, E, R, RS = never>(
    id: Id,
    options: LayerOptions<S, I, E, R, RS>
  ): ServiceClass<Self, Id, S, E, R | NoInfer<RS>>
  <const Id extends string, M extends Protocol.Any, A extends ReadonlyArray<unknown>, E, R, D, RS = never>(
    id: Id,
    options: Omit<Options<M, A, E, R, D, RS>, "args"> & Numbered<NoInfer<A>>
  ): ServiceClass<Self, Id, Client<M>, E, R | NoInfer<RS>>
}

/**
 * Declares a partition supervisor: its service, its name in the environment, and the definition of its partitions.
 *
 * **Details**
 *
 * `init` gets the number of its partition, from 0, or the result of `args`. Throws a `RangeError` for a number of
 * partitions, a strategy or an intensity that makes no sense.
 *
 * **Example** (Counting by key)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 * import { GenServer, PartitionSupervisor } from "effect-otp"
 *
 * class Visits extends GenServer.Service<Visits>()("app/Visits", [
 *   Rpc.make("count", { payload: { page: Schema.String }, success: Schema.String })
 * ]) {
 *   static readonly definition = this.define({
 *     init: (partition: number) => Effect.succeed({ partition, pages: new Map<string, number>() }),
 *     handlers: {
 *       count: ({ page }, { pages, partition }) => {
 *         const visits = (pages.get(page) ?? 0) + 1
 *         return GenServer.reply(`${page}: ${visits}, in partition ${partition}`, {
 *           partition,
 *           pages: new Map([...pages, [page, visits]])
 *         })
 *       }
 *     }
 *   })
 * }
 * class AllVisits extends PartitionSupervisor.Service<AllVisits>()("app/AllVisits", {
 *   child: Visits.definition,
 *   partitions: 4
 * }) {}
 *
 * const visit = (page: string) =>
 *   Effect.gen(function*() {
 *     const visits = yield* AllVisits
 *     const client = yield* visits.client(page)
 *     return yield* client.count({ page })
 *   })
 *
 * const program = Effect.all([visit("/home"), visit("/about"), visit("/home")])
 *
 * await Effect.runPromise(program.pipe(Effect.provide(AllVisits.layer)))
 * // => ["/home: 1, in partition 1", "/about: 1, in partition 3", "/home: 2, in partition 1"]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>(): Declare<Self> => {
  const declare = (id: string, options: AnyOptions): unknown => {
    const key = Context.Service<Self, PartitionSupervisorHandle<unknown>>()(id)
    const spec = partitionSpecOf(id, (partition) => layerOf(options, partition, keyOf(id, partition)), options)
    const layer = treeLayer(
      { key: id },
      // The Layer of a partition can be used by the next partition, and by everybody else.
      (where) => new RunningSupervisor({ ...spec(), sharesLayers: false }, where),
      ({ exports, spec, process: { target } }) => {
        const clients = spec.children.map((_, partition) => exports.mapUnsafe.get(keyOf(id, partition)))
        return Context.makeUnsafe<never>(new Map([[id, makeHandle(target, clients)]]))
      }
    )
    return Object.assign(key, { layer })
  }
  return declare as Declare<Self>
}

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * The partition of a key, for a number of partitions.
 *
 * **Details**
 *
 * A whole number or a `bigint` goes to `|key| mod count`. Everything else goes by its text: the 32-bit FNV-1a hash of
 * its UTF-8, modulo `count`. This will not change: you may compute it elsewhere, and store it.
 *
 * Throws a `RangeError` for a count that is not a whole number of 1 or more.
 *
 * **Example** (Finding the partition of a key)
 *
 * ```ts import.meta.vitest
 * import { PartitionSupervisor } from "effect-otp"
 *
 * const keys = [7, -7, "7", "lobby"]
 * keys.map((key) => PartitionSupervisor.partitionOf(key, 3)) // => [1, 1, 0, 1]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const partitionOf = (key: Key, count: number): number => {
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`partitionOf: count must be a whole number, 1 or more, not ${count}`)
  }
  return Hash.partitionOf(key, count)
}

// ---- internals ----------------------------------------------------------------------------------------------------

interface SupervisedService {
  readonly key: string
  readonly layer: UntypedSpec["layer"]
}

const isService = (child: AnyOptions["child"]): child is SupervisedService => has(child, "key")

/** The options without their types. */
interface AnyOptions extends PartitionOptions<unknown, never> {
  readonly child: Definition<unknown, Protocol.Any, ReadonlyArray<unknown>, unknown, never> | SupervisedService
  readonly args?: ((partition: number) => ReadonlyArray<unknown>) | undefined
}

const keyOf = (id: string, partition: number): string => `${id}#${partition}`

const layerOf = ({ args, child }: AnyOptions, partition: number, key: string): UntypedSpec["layer"] => {
  if (isService(child)) return partitionLayer(child.layer, child.key, key)
  const starter = starterOf("PartitionSupervisor: child", child)
  const layer = child.layer(...(args === undefined ? [partition] : args(partition)))
  return partitionLayer(layer, starter.id, key)
}

const currentOf = (target: HandleTarget): Partitions | undefined => {
  const supervisor = target.current?.data as RunningSupervisor | undefined
  return supervisor === undefined ? undefined : partitionsOf(supervisor)
}

const makeHandle = (target: HandleTarget, clients: ReadonlyArray<unknown>): PartitionSupervisorHandle<unknown> => {
  const all = clients.length
  const size = () => currentOf(target)?.size ?? all
  return printHandle({
    [HandleTypeId]: target,
    client: (key) =>
      Effect.suspend(() => {
        const inUse = size()
        return inUse === 0
          ? Effect.fail(new NoPartitions({ supervisor: target.key }))
          : Effect.succeed(clients[Hash.partitionOf(key, inUse)])
      }),
    clients: Effect.sync(() => clients.slice(0, size())),
    size: Effect.sync(size),
    resize: (size) => {
      Check.wholeNumber(`${target.key}: size`, size, 0, all)
      return Effect.suspend(() => {
        const supervisor = currentOf(target)
        return supervisor === undefined
          ? Effect.fail(new SupervisorDown({ supervisor: target.key }))
          : Effect.flatMap(Effect.forkDetach(resize(supervisor, size)), Fiber.join)
      })
    },
    whichChildren: Effect.sync(() => childrenOf(target)),
    countChildren: Effect.sync(() => countsOf(childrenOf(target)))
  })
}

const childrenOf = (target: HandleTarget): ReadonlyArray<PartitionInfo> =>
  (currentOf(target)?.supervisor.view ?? []).map(({ pid, restarts, state }, partition) => ({
    partition,
    state,
    pid,
    restarts
  }))

const resize = (supervisor: Partitions, size: number): Effect.Effect<number, StartFailed | SupervisorDown> =>
  Effect.andThen(
    cancelGrowth(supervisor, size),
    supervisor.resizing.withPermit(
      Effect.suspend(() => {
        const before = supervisor.size
        return Effect.as(size < before ? shrink(supervisor, size, before) : grow(supervisor, before, size), before)
      })
    )
  )

const numbers = (from: number, below: number): ReadonlyArray<number> =>
  Array.from({ length: below - from }, (_, index) => from + index)

/** A change to fewer partitions than are being started does not wait for those starts. */
const cancelGrowth = (supervisor: Partitions, size: number): Effect.Effect<void, SupervisorDown> =>
  Effect.suspend(() => {
    const { growingTo, size: inUse } = supervisor
    if (growingTo === undefined || size >= growingTo) return Effect.void
    return park(supervisor, numbers(Math.max(size, inUse), growingTo))
  })

/** Routes keys anew first, so that no caller is sent to a partition that is going to stop. */
const shrink = (supervisor: Partitions, size: number, before: number) =>
  Effect.suspend(() => {
    supervisor.size = size
    return park(supervisor, numbers(size, before))
  })

const park = (supervisor: Partitions, partitions: ReadonlyArray<number>): Effect.Effect<void, SupervisorDown> =>
  Effect.forEach(partitions, (partition) => ask(supervisor, "ParkRequested", partition), {
    concurrency: "unbounded",
    discard: true
  })

/** Routes keys anew last, so that no caller is sent to a partition that is not up yet. */
const grow = (
  supervisor: Partitions,
  before: number,
  size: number
): Effect.Effect<void, StartFailed | SupervisorDown> => {
  const added = numbers(before, size)
  const bringUp = Effect.forEach(added, (partition) => start(supervisor, partition), { discard: true })
  // An earlier one may have ended again meanwhile.
  const all: typeof bringUp = Effect.andThen(
    bringUp,
    Effect.suspend(() => {
      if (!areUp(supervisor, added)) return all
      supervisor.size = size
      return Effect.void
    })
  )
  supervisor.growingTo = size
  return Effect.ensuring(
    Effect.onError(all, () => Effect.ignore(park(supervisor, added))),
    Effect.sync(() => {
      supervisor.growingTo = undefined
    })
  )
}

/** Whether all these partitions are up now. */
const areUp = ({ supervisor: { view } }: Partitions, partitions: ReadonlyArray<number>): boolean =>
  partitions.every((partition) => view[partition]?.state === "running")

/** Waits until it is up, whatever starts it. */
const start = (supervisor: Partitions, partition: number): Effect.Effect<void, StartFailed | SupervisorDown> =>
  ask(supervisor, "UpRequested", partition).pipe(
    Effect.flatMap((answer) => startAnswer(`${partition}`, answer)),
    Effect.catchTags({
      ChildRunning: () => Effect.void,
      ChildRestarting: () => Effect.void
    })
  )

/** A partition is never dropped, so it can always be asked for. */
const ask = ({ supervisor }: Partitions, tag: "ParkRequested" | "UpRequested", partition: number) =>
  Effect.catchTag(askRun(supervisor, tag, `${partition}`), "ChildNotFound", Effect.die)
