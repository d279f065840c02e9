/**
 * What the process of a server does for those who look at it from outside: requests to the process itself, which its
 * handlers never see, and a suspension, in which it takes nothing else.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { settingsOf } from "../../../kernel/Display.ts"
import { Self, type Envelope, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { render } from "../../../values/render.ts"
import { CallEnvelope, StopEnvelope, SystemEnvelope } from "../call/envelopes.ts"
import * as Limits from "./limits.ts"
import { ServerRecord } from "./serverRecord.ts"
import type { ServerSpec } from "./serverSpec.ts"
import { shownBy } from "./status.ts"
import { overheard, Watchers, type StateReader, type Tally, type Tracer } from "./watch.ts"
import { deepFreeze } from "../../../kernel/shared/deepFreeze.ts"

/** @internal */
export abstract class SystemRecord extends ServerRecord {
  // ---- requests ---------------------------------------------------------------------------------------------------

  /** Answers a request to the process itself. An effect if it is to go on with a suspension. */
  protected system(message: SystemEnvelope<SystemRecord>): Effect.Effect<void> | undefined {
    message.begun = true
    this.answer(message, message.answerOf(this))
    return this.suspended ? suspension : undefined
  }

  protected stopRequested(message: StopEnvelope): undefined {
    this.done("handled")
    this.close(message.reason)
  }

  /** Takes stops and system requests, from a position in the mailbox on, until the server goes on or ends. @internal */
  serveSuspended(from: number): Effect.Effect<void> {
    this.admitControls()
    Limits.beginIdling(this)
    while (this.suspended && this.stopping === undefined && this.exiting === undefined) {
      const next = this.mailbox.take(isForProcess, from)
      if (next === undefined) {
        const seen = this.mailbox.end
        return Effect.flatMap(this.pause(seen), () => this.serveSuspended(seen))
      }
      this.inHand = next
      if (this.bound !== undefined) this.roomMade()
      if (next instanceof SystemEnvelope) this.system(next)
      else this.stopRequested(next as StopEnvelope)
    }
    return Effect.void
  }

  /** Waits for whatever a suspended server hears. */
  private pause(seen: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      // This fiber may have lost its turn between the look and here: what came meanwhile woke nobody.
      if (this.mailbox.end > seen || this.stopping !== undefined || this.exiting !== undefined) resume(Exit.void)
      else this.resume = resume
    })
  }

  // ---- the state --------------------------------------------------------------------------------------------------

  /** The state as its user knows it. */
  get userState(): unknown {
    const { lens } = this.spec
    return lens === undefined ? this.state : lens.get(this.state)
  }

  replaceState(value: unknown): void {
    const { lens } = this.spec
    const state = lens === undefined ? value : lens.set(this.state, value)
    if (this.kernel.freezes) deepFreeze(state)
    this.state = state
    this.watchers?.became(state)
  }

  /** The state as people may see it. */
  get shownState(): unknown {
    const { state } = shownBy(this.spec, { state: this.state, message: undefined, reason: undefined })
    return render(state, "same", settingsOf(this.context))
  }

  // ---- looking on -------------------------------------------------------------------------------------------------

  get messageCount(): Tally | undefined {
    return this.watchers?.tally
  }

  /** Begins to count messages, from nothing, or stops. */
  countMessages(enabled: boolean): void {
    const watchers = this.watched()
    watchers.tally = enabled ? { sinceNanos: this.nowNanos, messagesIn: 0, messagesOut: 0 } : undefined
    this.look(watchers)
  }

  addTracer(tracer: Tracer): void {
    const watchers = this.watched()
    watchers.tracers.add(tracer)
    this.look(watchers)
  }

  addReader(reader: StateReader): void {
    const watchers = this.watched()
    watchers.readers.add(reader)
    this.look(watchers)
  }

  /** Between two steps of the server: whoever is removed hears nothing more. */
  remove(who: Tracer | StateReader): void {
    const { watchers } = this
    if (watchers === undefined) return
    watchers.tracers.delete(who)
    watchers.readers.delete(who as StateReader)
    this.look(watchers)
  }

  get nowNanos(): bigint {
    return Context.get(this.context, Clock.Clock).monotonicTimeNanosUnsafe()
  }

  /** Those who look on by request. */
  private get watchers(): Watchers | undefined {
    return this.watch instanceof Watchers ? this.watch : undefined
  }

  private watched(): Watchers {
    return this.watchers ?? new Watchers(this.watch, this.spec)
  }

  /** Nobody who looks on costs a server nothing: then it is again as it was. */
  private look(watchers: Watchers): void {
    if (this.status === "dead") return
    this.spec = watchers.hearsMessages ? (watchers.overheard ??= this.listenTo(watchers)) : watchers.spec
    this.watch = watchers.isEmpty ? watchers.below : watchers
  }

  private listenTo(watchers: Watchers): ServerSpec {
    return overheard(watchers.spec, {
      message: (tag, payload) => {
        const message = this.inHand
        watchers.received(message?.from, { _tag: message instanceof CallEnvelope ? "Call" : "Cast", tag, payload })
      },
      other: (received) => watchers.received(this.inHand?.from, received)
    })
  }
}

// ---- the parts all servers share ----------------------------------------------------------------------------------

const isForProcess = (message: Envelope): boolean =>
  message instanceof SystemEnvelope || message instanceof StopEnvelope

const suspension: Effect.Effect<void> = Effect.suspend(() => {
  const record = Context.getUnsafe(Fiber.getCurrent()!.context, Self) as unknown as ProcessRecord
  return (record as SystemRecord).serveSuspended(0)
})
