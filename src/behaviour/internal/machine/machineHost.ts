/** What one run of a state machine holds besides its state: real timers, and the messages it has put aside. */
import * as Duration from "effect/Duration"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { isInstance } from "../../../values/describe.ts"
import type { Envelope, ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { recountFate } from "../../../kernel/shared/delivery.ts"
import { eventTimer, stateTimer, type TimerName } from "../../Transition.ts"
import type { CallEnvelope } from "../call/envelopes.ts"
import { ReplyTo } from "../server/handlerContext.ts"
import type { MachineStatus } from "../server/serverSpec.ts"
import { toArray, type List, type MachineState } from "./machineEngine.ts"
import type { Event } from "./machineEvent.ts"
import type { Timed } from "./machineTimers.ts"
import type { MessageContext } from "../call/messageContext.ts"
import { leftOf, startEnvelopeUnsafe, type MessageTimer } from "../../../kernel/shared/timers.ts"

/** The server state of a machine. @internal */
export interface MachineServerState {
  readonly running: MachineState
  readonly host: MachineHost
}

/** What came with a message. @internal */
export class Origin {
  readonly call: CallEnvelope | undefined
  readonly messageContext: MessageContext | undefined

  constructor(call: CallEnvelope | undefined, messageContext: MessageContext | undefined) {
    this.call = call
    this.messageContext = messageContext
  }
}

/** The time of a timer has passed. @internal */
export class Elapsed {
  readonly timer: TimerName
  readonly number: number

  constructor(timer: TimerName, number: number) {
    this.timer = timer
    this.number = number
  }
}

/** No bound may drop what the machine has asked for itself. */
class ElapsedEnvelope implements Envelope {
  readonly from = undefined
  readonly isControl = true
  readonly content: Elapsed

  constructor(content: Elapsed) {
    this.content = content
  }

  refuse(): "returned" {
    return "returned"
  }
}

interface RealTimer {
  readonly number: number
  readonly timer: MessageTimer
}

/** @internal */
export class MachineHost {
  private readonly record: ProcessRecord
  private readonly set = new Map<TimerName, RealTimer>()

  constructor(record: ProcessRecord) {
    this.record = record
  }

  /** Starts and ends real timers, so that they are those of the machine. */
  syncTimers(before: Timed, after: Timed): void {
    if (before.timers === after.timers) return
    for (const [name, { number, timer }] of this.set) {
      if (after.timers.get(name)?.number === number) continue
      timer.drop()
      this.set.delete(name)
    }
    for (const [name, { millis, number }] of after.timers) {
      if (number === 0 || this.set.has(name)) continue
      const make = () => new ElapsedEnvelope(new Elapsed(name, number))
      const timer = startEnvelopeUnsafe(this.record.fiber!, {
        to: this.record,
        make,
        delay: millis,
        every: false
      })
      // A timer to a process belongs to the process.
      this.set.set(name, { number, timer: timer })
    }
  }

  /** Zero for a timer that is due. */
  timeLeft(name: TimerName): Duration.Duration {
    const set = this.set.get(name)
    return set === undefined ? Duration.zero : Option.getOrElse(leftOf(set.timer), () => Duration.zero)
  }

  /** A postponed event has had its turn. If its caller has left meanwhile, it counts as abandoned. */
  postponedHandled(event: Event): void {
    const call = event.origin instanceof Origin ? event.origin.call : undefined
    if (call === undefined || !call.abandoned || wasLeft(call) || !this.record.isOpen) return
    call.keptIn = undefined
    recountFate(this.record, "abandoned")
  }
}

/**
 * How many messages a machine has put aside. Messages whose callers had left before were counted as abandoned already.
 * @internal
 */
export const postponedCount = ({ postponed, queue }: MachineState): number => {
  let count = 0
  for (const list of [queue, postponed]) {
    for (let at: List<Event> = list; at !== undefined; at = at.tail) {
      const { origin } = at.head
      if (origin instanceof Origin && !wasLeft(origin.call)) count++
    }
  }
  return count
}

/** What a machine has to handle besides messages, as its user wrote it. @internal */
export const machineStatus = ({ host, running }: MachineServerState): MachineStatus => ({
  queue: toArray(running.queue).map(shownEvent),
  postponed: toArray(running.postponed).map(shownEvent).toReversed(),
  timers: Array.from(running.timers, ([name, { event }]) => ({
    name: nameOfTimer(name),
    left: host.timeLeft(name),
    event: shownEvent(event)
  }))
})

const shownEvent = (event: Event): unknown => event.toJSON()

const nameOfTimer = (name: TimerName): string =>
  name === stateTimer ? "state timer" : name === eventTimer ? "event timer" : name

const wasLeft = (call: CallEnvelope | undefined): boolean => call?.abandoned === true && call.keptIn === undefined

/** Answers a caller. If the caller no longer waits, the answer is dropped. @internal */
export const answer = (from: unknown, exit: Exit.Exit<unknown, unknown>): void => {
  if (isInstance(from, ReplyTo)) from.giveUnsafe(exit)
}
