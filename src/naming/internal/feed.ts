/**
 * What waits for one reader: it never holds up who writes, and is bounded.
 *
 * Who writes runs no code of the reader in its step: a reader that waits is woken by a task on its own dispatcher.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

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

  /** Waits until there is something, and takes it all. An interrupted reader has taken nothing. */
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

/** A feed as a stream that gets one at its start and gives it back at its end. @internal */
export const streamOf = <A, E>(open: Effect.Effect<Feed<A, E>, never, Scope.Scope>): Stream.Stream<A, E> =>
  Stream.unwrap(Effect.map(open, (feed) => Stream.fromPull(Effect.succeed(feed.take))))

/** Where feeds are kept while they are read; undefined while there are none. @internal */
export interface Feeds<F> {
  feeds: Set<F> | undefined
}

/** Keeps a feed among others for as long as a scope is open. @internal */
export const keptIn = <F>(kept: Feeds<F>, feed: F): Effect.Effect<F, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      ;(kept.feeds ??= new Set()).add(feed)
      return feed
    }),
    () =>
      Effect.sync(() => {
        if (kept.feeds?.delete(feed) === true && kept.feeds.size === 0) kept.feeds = undefined
      })
  )
