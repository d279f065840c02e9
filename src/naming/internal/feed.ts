/**
 * Items that wait for one reader. A feed is bounded, and never delays its writer.
 *
 * No code of the reader runs in the writer's step: a task on the reader's own dispatcher wakes it.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { waitUntil } from "../../kernel/shared/waitUntil.ts"
import { currentKernel } from "../../kernel/shared/currentKernel.ts"

/** The source that one reader takes from. @internal */
export interface Feed<out A, out E = never> {
  /**
   * Waits until there is something, and takes all of it. If a reader is interrupted while it waits, it has taken
   * nothing.
   */
  readonly take: Effect.Effect<Arr.NonEmptyReadonlyArray<A>, E>
}

/** What a feed is made from. @internal */
export interface Source<A, E> {
  /** Wakes the reader while it waits. */
  wakeReader: (() => void) | undefined
  readonly isReady: boolean
  /** Takes out what there is. Undefined if there is nothing. */
  collect(): Exit.Exit<Arr.NonEmptyReadonlyArray<A>, E> | undefined
}

/** Wakes the reader, because there is something to take. @internal */
export const wake = (source: Pick<Source<unknown, unknown>, "wakeReader">): void => {
  const { wakeReader } = source
  source.wakeReader = undefined
  wakeReader?.()
}

/** @internal */
export const takeFrom = <A, E>(source: Source<A, E>): Feed<A, E>["take"] => {
  const wait = waitUntil<void>((resume) => {
    source.wakeReader = () => resume(Exit.void)
    // Something may have come since the reader looked.
    if (source.isReady) wake(source)
    return () => {
      source.wakeReader = undefined
    }
  })
  const take: Feed<A, E>["take"] = Effect.suspend(() => source.collect() ?? Effect.flatMap(wait, () => take))
  return take
}

/** A feed, and the function that closes it. @internal */
export interface Opened<F> {
  readonly feed: F
  readonly close: () => void
}

/** Opens a feed in the kernel in use, in one step. It closes with the scope. @internal */
export const openIn = <F>(open: (kernel: ProcessRecord["kernel"]) => Opened<F>): Effect.Effect<F, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>) => Exit.succeed(open(currentKernel(fiber)))),
      ({ close }) => Effect.sync(close)
    ),
    ({ feed }) => feed
  )

/** @internal */
export const streamOf = <A, E>(feed: Feed<A, E>): Stream.Stream<A, E> => Stream.fromPull(Effect.succeed(feed.take))

/** Opens a feed when the stream begins, and closes it when the stream ends. @internal */
export const streamIn = <A, E>(open: (kernel: ProcessRecord["kernel"]) => Opened<Feed<A, E>>): Stream.Stream<A, E> =>
  Stream.unwrap(Effect.map(openIn(open), streamOf))

/** Adds a feed to a set that exists only while it holds something. @internal */
export const opened = <F>(kept: { feeds: Set<F> | undefined }, feed: F): Opened<F> => {
  ;(kept.feeds ??= new Set()).add(feed)
  const close = () => {
    if (kept.feeds?.delete(feed) === true && kept.feeds.size === 0) kept.feeds = undefined
  }
  return { feed, close }
}
