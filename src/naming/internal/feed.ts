/**
 * What waits for one reader: it never holds up who writes, and is bounded.
 *
 * Who writes runs no code of the reader in its step: a reader that waits is woken by a task on its own dispatcher.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Kernel from "../../kernel/Kernel.ts"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"

/** @internal */
export abstract class Feed<A, E = never> {
  private wakeReader: (() => void) | undefined = undefined

  /** Takes out what there is; undefined if there is nothing. */
  protected abstract collect(): Exit.Exit<Arr.NonEmptyReadonlyArray<A>, E> | undefined

  /** There is something to take. */
  protected wake(): void {
    const wakeReader = this.wakeReader
    this.wakeReader = undefined
    wakeReader?.()
  }

  /** Waits until there is something, and takes it all. A reader interrupted while it waits has taken nothing. */
  readonly take: Effect.Effect<Arr.NonEmptyReadonlyArray<A>, E> = Effect.suspend(() => this.collect() ?? this.wait)

  private readonly wait: Effect.Effect<Arr.NonEmptyReadonlyArray<A>, E> = Effect.flatMap(
    Effect.withFiber<void>((fiber) =>
      Effect.callback<void>((resume) => {
        this.wakeReader = () => fiber.currentDispatcher.scheduleTask(() => resume(Exit.void), 0)
        // This fiber may have lost its turn since it looked.
        if (this.isReady) this.wake()
        return Effect.sync(() => {
          this.wakeReader = undefined
        })
      })
    ),
    () => this.take
  )

  protected abstract get isReady(): boolean
}

/** What somebody reads from, and how to stop. @internal */
export interface Opened<F> {
  readonly feed: F
  readonly close: () => void
}

/** Opens in the kernel in use, in one step, and closes with the scope. @internal */
export const openIn = <F>(open: (kernel: ProcessRecord["kernel"]) => Opened<F>): Effect.Effect<F, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>) => Exit.succeed(open(Kernel.currentUnsafe(fiber)))),
      ({ close }) => Effect.sync(close)
    ),
    ({ feed }) => feed
  )

/** @internal */
export const streamOf = <A, E>(feed: Feed<A, E>): Stream.Stream<A, E> => Stream.fromPull(Effect.succeed(feed.take))

/** Opens when the stream begins and closes when it ends. @internal */
export const streamIn = <A, E>(open: (kernel: ProcessRecord["kernel"]) => Opened<Feed<A, E>>): Stream.Stream<A, E> =>
  Stream.unwrap(Effect.map(openIn(open), streamOf))

/** Adds to a set that is there only while it holds something. @internal */
export const opened = <F>(kept: { feeds: Set<F> | undefined }, feed: F): Opened<F> => {
  ;(kept.feeds ??= new Set()).add(feed)
  const close = () => {
    if (kept.feeds?.delete(feed) === true && kept.feeds.size === 0) kept.feeds = undefined
  }
  return { feed, close }
}
