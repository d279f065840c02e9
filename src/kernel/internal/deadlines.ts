/**
 * Deadlines of one clock and one duration: an intrusive list in the order they fall due, with one sleeping fiber for
 * the head. Arming and disarming are a few pointer writes, where `Effect.timeout` would cost a fiber and a timer each.
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** @internal */
export abstract class Deadline {
  list: DeadlineList | undefined = undefined
  due = 0
  previous: Deadline | undefined = undefined
  next: Deadline | undefined = undefined
  /** Runs when the time is up, unless disarmed before. Must not throw. */
  abstract expire(): void

  disarm(): void {
    this.list?.remove(this)
  }

  /** Milliseconds left, or undefined if it is not armed. */
  get left(): number | undefined {
    return this.list === undefined ? undefined : Math.max(0, this.due - this.list.now())
  }
}

/** @internal */
export class Deadlines {
  private readonly lists = new Map<Clock.Clock, Map<number, DeadlineList>>()
  private last: DeadlineList | undefined = undefined

  arm(deadline: Deadline, clock: Clock.Clock, millis: number, context: Context.Context<never>): void {
    const last = this.last
    const list =
      last !== undefined && last.clock === clock && last.millis === millis ? last : this.listOf(clock, millis)
    list.add(deadline, context)
  }

  private listOf(clock: Clock.Clock, millis: number): DeadlineList {
    let byMillis = this.lists.get(clock)
    if (byMillis === undefined) this.lists.set(clock, (byMillis = new Map()))
    let list = byMillis.get(millis)
    if (list === undefined) byMillis.set(millis, (list = new DeadlineList(this, clock, millis)))
    this.last = list
    return list
  }

  forget(list: DeadlineList): void {
    if (this.last === list) this.last = undefined
    const byMillis = this.lists.get(list.clock)
    if (byMillis === undefined || byMillis.get(list.millis) !== list) return
    byMillis.delete(list.millis)
    if (byMillis.size === 0) this.lists.delete(list.clock)
  }
}

/** @internal */
export class DeadlineList {
  private readonly owner: Deadlines
  readonly clock: Clock.Clock
  readonly millis: number
  private head: Deadline | undefined = undefined
  private tail: Deadline | undefined = undefined
  private sleeper: Fiber.Fiber<void> | undefined = undefined
  private retiring = false

  constructor(owner: Deadlines, clock: Clock.Clock, millis: number) {
    this.owner = owner
    this.clock = clock
    this.millis = millis
  }

  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1_000_000
  }

  add(deadline: Deadline, context: Context.Context<never>): void {
    deadline.list = this
    deadline.due = this.now() + this.millis
    const tail = this.tail
    if (tail === undefined) this.head = deadline
    else {
      tail.next = deadline
      deadline.previous = tail
    }
    this.tail = deadline
    if (this.sleeper === undefined) this.sleep(context)
  }

  remove(deadline: Deadline): void {
    const { previous, next } = deadline
    if (previous === undefined) this.head = next
    else previous.next = next
    if (next === undefined) this.tail = previous
    else next.previous = previous
    deadline.list = deadline.previous = deadline.next = undefined
    if (this.head === undefined && !this.retiring) this.retire()
  }

  private sleep(context: Context.Context<never>): void {
    this.sleeper = Effect.runForkWith(context)(this.watch)
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() => {
    const head = this.head
    if (head === undefined) return this.rest()
    const left = head.due - this.now()
    // A timer of the host may ring a fraction of a millisecond early.
    if (left > 0) return Effect.flatMap(this.clock.sleep(Duration.millis(Math.ceil(left))), () => this.watch)
    this.expireDue()
    return this.watch
  })

  private expireDue(): void {
    const now = this.now()
    for (let head = this.head; head !== undefined && head.due <= now; head = this.head) {
      this.remove(head)
      head.expire()
    }
  }

  private rest(): Effect.Effect<void> {
    this.sleeper = undefined
    this.owner.forget(this)
    return Effect.void
  }

  /**
   * An empty list must not hold a timer (it would keep Node alive), and a list that is empty for a moment must not pay
   * for ending and starting its sleeper: look again after the current run of tasks.
   */
  private retire(): void {
    const sleeper = this.sleeper
    if (sleeper === undefined) return
    this.retiring = true
    sleeper.currentDispatcher.scheduleTask(() => {
      this.retiring = false
      if (this.head !== undefined || this.sleeper !== sleeper) return
      this.sleeper = undefined
      this.owner.forget(this)
      sleeper.interruptUnsafe()
    }, 0)
  }
}
