/** One observer of a kernel: it looks while somebody reads, and notes crashes and restarts as they happen. */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { Births } from "../../kernel/shared/births.ts"
import type { KernelState } from "../../kernel/shared/kernelState.ts"
import { monotonicMillis } from "../../kernel/shared/monotonic.ts"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import type * as Snapshot from "../Snapshot.ts"
import { heapUsed } from "./heap.ts"
import { Known, type Seen } from "./known.ts"
import { inSlices } from "./inSlices.ts"
import { look } from "./look.ts"
import { LoopDelay } from "./loopDelay.ts"

type Kernel = KernelState<ProcessRecord>

/** @internal */
export class Observation {
  readonly kernel: Kernel
  readonly known = new Known()
  readonly delay = new LoopDelay()
  private readonly looking = Semaphore.makeUnsafe(1)
  /** Done when the next look is over. */
  private next = Deferred.makeUnsafe<void>()

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  /** Looks at all processes once. */
  readonly look: Effect.Effect<void> = this.looking.withPermits(1)(
    Effect.clockWith((clock) =>
      Effect.andThen(
        Effect.suspend(() => {
          const at = clock.currentTimeMillisUnsafe()
          const measured = { at, eventLoopDelay: this.delay.take(), heapUsed: heapUsed() }
          return inSlices(look(this.kernel, this.known, measured))
        }),
        Effect.sync(() => this.looked())
      )
    )
  )

  private looked(): void {
    const { next } = this
    this.next = Deferred.makeUnsafe()
    Deferred.doneUnsafe(next, Effect.void)
  }

  /** Looks, and gives all that is there. */
  readonly snapshot: Effect.Effect<Snapshot.Snapshot> = Effect.andThen(
    this.look,
    Effect.map(this.read(undefined), ([change]) => change as Snapshot.Snapshot)
  )

  /** Looks again and again. */
  poll(every: Duration.Duration): Effect.Effect<never> {
    return Effect.forever(Effect.andThen(Effect.sleep(every), this.look), { disableYield: true })
  }

  /** The next change for a reader. It waits until a look has seen more than the reader knows. */
  change(seen: Seen | undefined): Effect.Effect<readonly [Snapshot.Change, Seen]> {
    return Effect.suspend(() =>
      this.known.look > (seen?.look ?? 0)
        ? this.read(seen)
        : Effect.flatMap(Deferred.await(this.next), () => this.change(seen))
    )
  }

  /** All that is there after the look that the reader has seen. It waits for that look. */
  picture(seen: Seen | undefined): Effect.Effect<readonly [Snapshot.Snapshot, Seen]> {
    return Effect.suspend(() =>
      this.known.look > (seen?.look ?? 0)
        ? Effect.map(this.read(undefined), ([change, now]) => [change as Snapshot.Snapshot, now] as const)
        : Effect.flatMap(Deferred.await(this.next), () => this.picture(seen))
    )
  }

  /** No look may begin before it is over. */
  private read(seen: Seen | undefined): Effect.Effect<readonly [Snapshot.Change, Seen]> {
    return this.looking.withPermits(1)(Effect.suspend(() => inSlices(this.known.read(seen))))
  }
}

/** Samples how late timers are, as long as it runs. */
const sampleDelay = ({ delay }: Observation): Effect.Effect<never> =>
  Effect.clockWith((clock) => {
    const sample = Effect.suspend(() => {
      const before = monotonicMillis(clock)
      return Effect.map(Effect.sleep(SAMPLE_MILLIS), () => delay.add(monotonicMillis(clock) - before - SAMPLE_MILLIS))
    })
    return Effect.forever(sample, { disableYield: true })
  })

const SAMPLE_MILLIS = 20

/** What one reader reads, one after the other. All readers share the looks. @internal */
export const reading = <A>(
  looks: RcRef.RcRef<void>,
  next: (seen: Seen | undefined) => Effect.Effect<readonly [A, Seen]>
): Stream.Stream<A> =>
  Stream.unwrap(Effect.as(RcRef.get(looks), Stream.unfold<Seen | undefined, A, never, never>(undefined, next)))

/** Looks are taken while this has users. @internal */
export const makeLooks = (
  observation: Observation,
  every: Duration.Duration
): Effect.Effect<RcRef.RcRef<void>, never, Scope.Scope> =>
  RcRef.make({
    acquire: Effect.andThen(
      // The first reader must not get what an earlier look has seen.
      observation.look,
      Effect.asVoid(
        Effect.forkScoped(
          Effect.all([observation.poll(every), sampleDelay(observation)], { concurrency: 2, discard: true })
        )
      )
    )
  })

/** Notes when processes start, as long as the scope is open. @internal */
export const watchBirths = (kernel: Kernel): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const births = (kernel.births ??= new Births())
        births.users++
        return births
      }),
      (births) =>
        Effect.sync(() => {
          if (--births.users === 0) kernel.births = undefined
        })
    )
  )
