/**
 * Publishes typed messages to all subscribers: processes and streams.
 *
 * A topic is a value, made once in a module; `family` makes one for each key. Subscriptions belong to a kernel. A
 * process gets the messages in its mailbox, a stream in a buffer of its own.
 *
 * **Guarantees**
 *
 * - Publishing never waits. A slow subscriber loses messages as its own bound says, and delays nobody. Nothing grows
 *   without limit, except a mailbox without a bound.
 * - The messages that one process publishes arrive at each subscriber in the order published.
 * - Gone at death: a subscription ends in the step in which its process dies.
 * - Each message that a stream drops is counted, and announced by {@link dropped}.
 *
 * **Not here**
 *
 * A subscriber does not get messages that were published before it subscribed. To give work to one of many processes,
 * use `ProcessGroup.send`.
 *
 * **In Erlang/OTP**
 *
 * `Phoenix.PubSub`, and a `Registry` with duplicate keys. There a process that subscribes twice gets each message twice.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { brief, isInstance, read } from "../values/describe.ts"
import { refuseArgument } from "../values/wrongArgument.ts"
import { has } from "../values/valueKinds.ts"
import { printAs } from "../values/printAs.ts"
import * as Kernel from "../kernel/Kernel.ts"
import { isPid, type Pid } from "../kernel/Pid.ts"
import type * as Process from "../kernel/Process.ts"
import { checkedRecord, currentProcessUnsafe, ProcessRecord } from "../kernel/shared/processRecord.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import { enterProcess, withProcess } from "./internal/enterProcess.ts"
import { openIn, streamIn, streamOf, type Opened } from "./internal/feed.ts"
import { checkedBound, type MessageFeed } from "./internal/messageFeed.ts"
import { PerKernel } from "./internal/perKernel.ts"
import { TopicState, type Drop } from "./internal/topicState.ts"
import { topicDropped } from "./shared/events.ts"
import { deepFreeze } from "../kernel/shared/deepFreeze.ts"
import { currentKernel, stateOf } from "../kernel/shared/currentKernel.ts"
import { checkedName } from "./shared/names.ts"

const TypeId = "~effect-otp/naming/Topic"

// ---- models -------------------------------------------------------------------------------------------------------

/**
 * A topic of messages of type `M`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Topic<in out M> extends Pipeable {
  readonly [TypeId]: (message: M) => M
  readonly name: string
}

/**
 * What happens to a message that finds the buffer of a stream full.
 *
 * - `dropping`: it is dropped.
 * - `sliding`: the oldest waiting message is dropped to make room.
 * - `fail`: it is dropped, and the stream fails with `Overflow` after the waiting messages.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Strategy = "dropping" | "sliding" | "fail"

/**
 * How many messages may wait for a stream, and what happens to the next.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Bound<out P extends Strategy = Strategy> {
  readonly capacity: number
  readonly strategy: P
}

/**
 * The subscribers of a topic, and the number of messages that its streams have dropped.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly processes: number
  readonly streams: number
  /** The number for all topics of a family together. */
  readonly dropped: number
}

/**
 * The process that does not get a message.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export interface PublishOptions {
  /** Usually the publisher itself: `Process.self`. */
  readonly except?: Pid | undefined
}

type Failure<P extends Strategy> = P extends "fail" ? Overflow : never

/** In the data-last form a message cannot be a topic, because with a topic first it is the data-first form. */
type NoTopic<M> = M extends { readonly [TypeId]: unknown } ? never : unknown

/** A topic that sends no other messages than these. */
interface Sends<out M> {
  readonly [TypeId]: (message: never) => M
}

/** A topic that takes such messages. */
interface Takes<in M> {
  readonly [TypeId]: (message: M) => unknown
}

// ---- errors -------------------------------------------------------------------------------------------------------

/**
 * A stream was too slow for its bound, and its strategy is `fail`.
 *
 * @stability experimental
 * @category errors
 * @since 0.1.0
 */
export class Overflow extends Data.TaggedError("Overflow")<{ readonly topic: string; readonly capacity: number }> {
  override get message() {
    return `A stream of ${this.topic} was too slow: more than ${this.capacity} messages waited for it`
  }
}

// ---- constructors -------------------------------------------------------------------------------------------------

/**
 * A topic. Write out the type of its messages.
 *
 * **Details**
 *
 * Throws a `RangeError` if the name is not a string or empty. The name is for people: two topics with the same name are
 * not connected.
 *
 * **Example** (Publishing to a stream)
 *
 * ```ts import.meta.vitest
 * import { Effect, Stream } from "effect"
 * import { Topic } from "effect-otp"
 *
 * const Prices = Topic.make<number>("shop/prices")
 *
 * const program = Effect.gen(function*() {
 *   const prices = yield* Topic.subscription(Prices, { capacity: 2, strategy: "sliding" })
 *   for (const price of [1, 2, 3]) yield* Topic.publish(Prices, price)
 *   const latest = yield* Stream.runCollect(Stream.take(prices, 2))
 *   return [latest, (yield* Topic.counts(Prices)).dropped]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => [[2, 3], 1]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const make = <M>(name: string): Topic<M> => topicOf(new Topics(name, undefined), undefined)

/**
 * A topic for each key. Keys are compared by Effect's `Equal`. A topic costs nothing until somebody subscribes.
 *
 * **Example** (A topic for each room)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Topic } from "effect-otp"
 *
 * const Room = Topic.family<string, string>("chat/room")
 *
 * const program = Effect.gen(function*() {
 *   const guest = yield* Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   yield* Topic.subscribe(Room("attic"), guest)
 *   yield* Topic.publish(Room("cellar"), "anybody here?")
 *   const unheard = yield* Process.isAlive(guest)
 *   yield* Topic.publish(Room("attic"), "hello")
 *   return [unheard, yield* Process.awaitExit(guest)]
 * })
 *
 * await Effect.runPromise(program) // => [true, { _tag: "Normal" }]
 * ```
 *
 * @stability experimental
 * @category constructors
 * @since 0.1.0
 */
export const family = <K, M>(name: string): ((key: K) => Topic<M>) => {
  const topics = new Topics(name, (key) => brief(key))
  return (key) => topicOf(topics, key)
}

// ---- guards -------------------------------------------------------------------------------------------------------

/**
 * Tells whether a value is a topic.
 *
 * **Example** (Checking a value)
 *
 * ```ts import.meta.vitest
 * import { Topic } from "effect-otp"
 *
 * const values = [Topic.make<string>("shop/news"), "shop/news"]
 * values.map(Topic.isTopic) // => [true, false]
 * ```
 *
 * @stability experimental
 * @category guards
 * @since 0.1.0
 */
export const isTopic = (u: unknown): u is Topic<never> => has(u, TypeId)

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Publishes a message to all subscribers of a topic, except the one named by `except`.
 *
 * **Details**
 *
 * It takes one step and never waits. A process whose mailbox is full loses the message, as its bound says. If the bound
 * makes senders wait, the message is a dead letter: it is counted and announced. A stream that is full loses a message,
 * as its own bound says.
 *
 * **Example** (Publishing to everybody but oneself)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Topic } from "effect-otp"
 *
 * const News = Topic.make<string>("shop/publish")
 *
 * const program = Effect.gen(function*() {
 *   const reader = Process.spawn((inbox: Process.Inbox<string>) => inbox.take)
 *   const [ann, bob] = [yield* reader, yield* reader]
 *   yield* Topic.subscribe(News, ann)
 *   yield* Topic.subscribe(News, bob)
 *   yield* Topic.publish(News, "sale", { except: ann })
 *   yield* Process.awaitExit(bob)
 *   const alive = yield* Process.isAlive(ann)
 *   yield* Process.kill(ann)
 *   return alive
 * })
 *
 * await Effect.runPromise(program) // => true
 * ```
 *
 * @see {@link publishUnsafe} in a handler that is not an effect, `ProcessGroup.send` for one of many
 * @see `Phoenix.PubSub.broadcast/3`, `broadcast_from/4`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const publish: {
  <M>(message: M & NoTopic<M>, options?: PublishOptions): (self: Takes<M>) => Effect.Effect<void>
  <M>(self: Topic<M>, message: NoInfer<M>, options?: PublishOptions): Effect.Effect<void>
} = function (first: unknown, second?: unknown, third?: PublishOptions) {
  // The implementation has one signature for both forms, so the type of the two is stated here.
  return messageFirst(first, second, arguments.length)
    ? (self: Topic<unknown>) => publishTo(self, first, second as PublishOptions)
    : publishTo(first as Topic<unknown>, second, third)
} as never

/**
 * Publishes like {@link publish}, in a function that is not an effect.
 *
 * **When to use**
 *
 * Use in a handler that answers with a plain value.
 *
 * **Example** (Publishing from a plain handler)
 *
 * ```ts import.meta.vitest
 * import { Effect, Stream } from "effect"
 * import { GenServer, Topic } from "effect-otp"
 *
 * const Orders = Topic.make<string>("shop/publish-unsafe")
 *
 * class Till extends GenServer.Service<Till>()("shop/Till", [GenServer.cast("sell")]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.succeed(0),
 *     handlers: {
 *       sell: (_, sold) => {
 *         Topic.publishUnsafe(Orders, `order ${sold + 1}`)
 *         return GenServer.noReply(sold + 1)
 *       }
 *     }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const till = yield* Till
 *   const orders = yield* Topic.subscription(Orders, { capacity: 10, strategy: "sliding" })
 *   yield* till.sell()
 *   return yield* Stream.runCollect(Stream.take(orders, 1))
 * })
 *
 * await Effect.runPromise(Effect.scoped(Effect.provide(program, Till.layer))) // => ["order 1"]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const publishUnsafe: {
  <M>(message: M & NoTopic<M>, options?: PublishOptions): (self: Takes<M>) => void
  <M>(self: Topic<M>, message: NoInfer<M>, options?: PublishOptions): void
} = dual(
  ({ 0: first, 1: second, length }) => !messageFirst(first, second, length),
  <M>(self: Topic<M>, message: M, options?: PublishOptions): void =>
    publishIn(self, message, { fiber: Fiber.getCurrent(), except: options?.except })
)

/**
 * Subscribes this process, or another one, to a topic. Each message is then sent to it.
 *
 * **Details**
 *
 * Subscribing twice is the same as subscribing once. A server gets the messages in its `info`. This process must accept
 * the messages: the type asks for `Process.Receives`. If a killed process subscribes, nothing happens.
 *
 * **Errors**
 *
 * - `NoProcess` if the other process is dead, or belongs to another kernel.
 *
 * **Example** (A server that subscribes)
 *
 * ```ts import.meta.vitest
 * import { Effect, Schema } from "effect"
 * import { GenServer, type Signal, Topic } from "effect-otp"
 * import { Rpc } from "effect/rpc"
 *
 * const Prices = Topic.make<number>("shop/subscribe")
 *
 * class Sign extends GenServer.Service<Sign>()("shop/Sign", [Rpc.make("price", { success: Schema.Finite })]) {
 *   static readonly layer = this.define({
 *     init: () => Effect.as(Topic.subscribe(Prices), 0),
 *     info: (message: number | Signal.Signal, price) =>
 *       GenServer.noReply(typeof message === "number" ? message : price),
 *     handlers: { price: (_, price) => GenServer.reply(price, price) }
 *   }).layer()
 * }
 *
 * const program = Effect.gen(function*() {
 *   const sign = yield* Sign
 *   yield* Topic.publish(Prices, 250)
 *   return yield* sign.price()
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Sign.layer)) // => 250
 * ```
 *
 * @see {@link stream} and {@link subscription} to read a topic as a stream
 * @see `Phoenix.PubSub.subscribe/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const subscribe: {
  <M>(pid: Pid<M>): (self: Sends<M>) => Effect.Effect<void, Process.NoProcess>
  <M>(self: Topic<M>): Effect.Effect<void, never, Process.Member<M>>
  <M>(self: Topic<M>, pid: Pid<NoInfer<M>>): Effect.Effect<void, Process.NoProcess>
} = dual(topicFirst, <M>(self: Topic<M>, pid?: Pid) =>
  enterProcess("Topic.subscribe", pid, (record) => {
    const { key, topics } = implOf(self)
    topics.stateIn(record.kernel).add(key, record)
    return Exit.void
  })
)

/**
 * Ends the subscription of this process, or of another one. It gives false if there was none.
 *
 * **Details**
 *
 * Messages that wait in the mailbox stay there.
 *
 * **Example** (Unsubscribing)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Topic } from "effect-otp"
 *
 * const News = Topic.make<string>("shop/unsubscribe")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((_: Process.Inbox<string>) => Effect.never)
 *   yield* Topic.subscribe(News, pid)
 *   const had = yield* Topic.unsubscribe(News, pid)
 *   const again = yield* Topic.unsubscribe(News, pid)
 *   yield* Process.kill(pid)
 *   return [had, again]
 * })
 *
 * await Effect.runPromise(program) // => [true, false]
 * ```
 *
 * @see {@link subscribe}; a subscription ends when its process dies
 * @see `Phoenix.PubSub.unsubscribe/2`
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const unsubscribe: {
  (pid: Pid): <M>(self: Topic<M>) => Effect.Effect<boolean>
  <M>(self: Topic<M>): Effect.Effect<boolean, never, Process.Self>
  <M>(self: Topic<M>, pid: Pid): Effect.Effect<boolean>
} = dual(topicFirst, <M>(self: Topic<M>, pid?: Pid) =>
  withProcess("Topic.unsubscribe", pid, (record) => {
    const { key, topics } = implOf(self)
    return Exit.succeed(topics.stateIn(record.kernel).remove(key, record))
  })
)

/**
 * Reads a topic as a stream, from when the stream begins to run until it ends.
 *
 * **When to use**
 *
 * Use outside of processes, for example to push messages to a browser. Use {@link subscription} if you must not miss a
 * message between two of your own steps.
 *
 * **Errors**
 *
 * - `Overflow` if the reader is too slow and the bound says that the stream fails then.
 * - Throws a `RangeError` unless `capacity` is a whole number of at least 1.
 *
 * **Example** (Reading a topic)
 *
 * ```ts import.meta.vitest
 * import { Effect, Fiber, Stream } from "effect"
 * import { Topic } from "effect-otp"
 *
 * const News = Topic.make<string>("shop/stream")
 *
 * const program = Effect.gen(function*() {
 *   const news = Topic.stream(News, { capacity: 10, strategy: "sliding" })
 *   const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(news, 2)), { startImmediately: true })
 *   yield* Topic.publish(News, "sale")
 *   yield* Topic.publish(News, "sold out")
 *   return yield* Fiber.join(reader)
 * })
 *
 * await Effect.runPromise(program) // => ["sale", "sold out"]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const stream: {
  <P extends Strategy>(bound: Bound<P>): <M>(self: Topic<M>) => Stream.Stream<M, Failure<P>>
  <M, P extends Strategy>(self: Topic<M>, bound: Bound<P>): Stream.Stream<M, Failure<P>>
} = dual(2, <M, P extends Strategy>(self: Topic<M>, bound: Bound<P>) => streamIn(opening(self, bound)))

/**
 * Subscribes at once, until the scope closes, and gives the stream to read. Read it once.
 *
 * **When to use**
 *
 * Use instead of {@link stream} if a message that is published before the first pull must not be missed.
 *
 * **Errors**
 *
 * - As for {@link stream}.
 *
 * **Example** (Missing nothing)
 *
 * ```ts import.meta.vitest
 * import { Effect, Stream } from "effect"
 * import { Topic } from "effect-otp"
 *
 * const News = Topic.make<string>("shop/subscription")
 *
 * const program = Effect.gen(function*() {
 *   const news = yield* Topic.subscription(News, { capacity: 10, strategy: "fail" })
 *   yield* Topic.publish(News, "sale")
 *   return yield* Stream.runCollect(Stream.take(news, 1))
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => ["sale"]
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const subscription: {
  <P extends Strategy>(
    bound: Bound<P>
  ): <M>(self: Topic<M>) => Effect.Effect<Stream.Stream<M, Failure<P>>, never, Scope.Scope>
  <M, P extends Strategy>(
    self: Topic<M>,
    bound: Bound<P>
  ): Effect.Effect<Stream.Stream<M, Failure<P>>, never, Scope.Scope>
} = dual(2, <M, P extends Strategy>(self: Topic<M>, bound: Bound<P>) =>
  Effect.map(openIn(opening(self, bound)), streamOf)
)

/**
 * Lists the processes that have subscribed.
 *
 * **Example** (Listing subscribers)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Process, Topic } from "effect-otp"
 *
 * const News = Topic.make<string>("shop/subscribers")
 *
 * const program = Effect.gen(function*() {
 *   const pid = yield* Process.spawn((_: Process.Inbox<string>) => Effect.never)
 *   yield* Topic.subscribe(News, pid)
 *   const found = yield* Topic.subscribers(News)
 *   yield* Process.kill(pid)
 *   return [found.length, (yield* Topic.subscribers(News)).length]
 * })
 *
 * await Effect.runPromise(program) // => [1, 0]
 * ```
 *
 * @see {@link counts}, which counts streams as well
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const subscribers = <M>(topic: Topic<M>): Effect.Effect<ReadonlyArray<Pid<M>>> =>
  withState(topic, (state, key) => state.at(key).filter((subscriber) => subscriber instanceof ProcessRecord))

/**
 * Counts the subscribers of a topic, and the messages that its streams have dropped.
 *
 * **Example** (Counting)
 *
 * ```ts import.meta.vitest
 * import { Effect } from "effect"
 * import { Topic } from "effect-otp"
 *
 * const News = Topic.make<string>("shop/counts")
 *
 * const program = Effect.gen(function*() {
 *   yield* Topic.subscription(News, { capacity: 1, strategy: "sliding" })
 *   yield* Topic.publish(News, "sale")
 *   yield* Topic.publish(News, "sold out")
 *   return yield* Topic.counts(News)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => { processes: 0, streams: 1, dropped: 1 }
 * ```
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const counts = <M>(topic: Topic<M>): Effect.Effect<Counts> =>
  withState(topic, (state, key) => {
    const all = state.at(key)
    const processes = all.filter((subscriber) => subscriber instanceof ProcessRecord).length
    return { processes, streams: all.length - processes, dropped: state.dropped }
  })

// ---- internals ----------------------------------------------------------------------------------------------------

/** The topic comes first, unless the only argument is a pid. */
function topicFirst({ 0: first, length }: IArguments): boolean {
  return length > 1 || !isPid(first)
}

/**
 * With two arguments the first is the message if it is not a topic and the second can be options. Then the topic comes
 * later.
 */
const messageFirst = (first: unknown, second: unknown, length: number): boolean =>
  length < 2 || (length === 2 && !isTopic(first) && (second === undefined || typeof second === "object"))

type KernelState = ProcessRecord["kernel"]

/** All topics of a family, or a single topic. */
class Topics {
  readonly name: string
  readonly formatKey: ((key: unknown) => string) | undefined
  readonly stateIn: (kernel: KernelState) => TopicState

  constructor(name: string, formatKey: ((key: unknown) => string) | undefined) {
    this.name = checkedName(name)
    this.formatKey = formatKey
    this.stateIn = new PerKernel(() => new TopicState()).in
  }
}

class TopicImpl {
  readonly [TypeId] = TypeId
  readonly topics: Topics
  readonly key: unknown

  constructor(topics: Topics, key: unknown) {
    this.topics = topics
    this.key = key
  }

  get name(): string {
    const { formatKey, name } = this.topics
    return formatKey === undefined ? name : `${name}(${formatKey(this.key)})`
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}

printAs(TopicImpl.prototype, ({ name }) => `Topic(${name})`)

const topicOf = <M>(topics: Topics, key: unknown): Topic<M> => new TopicImpl(topics, key) as unknown as Topic<M>

const implOf = <M>(topic: Topic<M>): TopicImpl => {
  if (isInstance(topic, TopicImpl)) return topic
  return refuseArgument({ to: "Topic", what: "a topic", isForeign: read(topic, TypeId) !== undefined }, topic)
}

const withState = <M, A>(topic: Topic<M>, f: (state: TopicState, key: unknown) => A): Effect.Effect<A> =>
  Effect.withFiber((fiber) => {
    const impl = implOf(topic)
    return Exit.succeed(f(impl.topics.stateIn(currentKernel(fiber)), impl.key))
  })

const opening = <M, P extends Strategy>(topic: Topic<M>, bound: Bound<P>) => {
  const impl = implOf(topic)
  const checked = checkedBound(bound)
  return (kernel: KernelState): Opened<MessageFeed<M, Failure<P>>> =>
    impl.topics.stateIn(kernel).open(impl.key, {
      bound: checked,
      overflow: () => new Overflow({ topic: impl.name, capacity: checked.capacity }) as Failure<P>
    })
}

const publishTo = <M>(topic: Topic<M>, message: M, options: PublishOptions | undefined): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    publishIn(topic, message, { fiber, except: options?.except })
    return Exit.void
  })

const publishIn = <M>(
  topic: Topic<M>,
  message: M,
  { except, fiber }: { readonly fiber: Fiber.Fiber<unknown, unknown> | undefined; readonly except: Pid | undefined }
): void => {
  const impl = implOf(topic)
  const kernel = stateOf(Context.get(fiber?.context ?? Context.empty(), Kernel.Kernel))
  // All subscribers share it. Streams have no mailbox that would freeze it.
  if (kernel.freezes) deepFreeze(message)
  impl.topics.stateIn(kernel).publish(impl.key, {
    message,
    from: fiber === undefined ? undefined : currentProcessUnsafe(fiber),
    except: except === undefined ? undefined : checkedRecord("Topic.publish: except", except),
    onDrop: (drop) => reportDropped(kernel, impl, drop)
  })
}

/** If a listener publishes to a full stream, that is not announced. */
const reportDropped = (kernel: KernelState, topic: TopicImpl, { capacity, strategy }: Drop): void => {
  if (kernel.isReportingLostMessage || !Telemetry.isActiveUnsafe(kernel.telemetry, topicDropped)) return
  kernel.isReportingLostMessage = true
  Telemetry.executeUnsafe(kernel.telemetry, topicDropped, { count: 1 }, { topic: topic.name, capacity, strategy })
  kernel.isReportingLostMessage = false
}
