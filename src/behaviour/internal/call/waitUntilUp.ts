/** Calls that wait until their server is up. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ProcessRecord, Wait } from "../../../kernel/shared/processRecord.ts"
import { findCycleUnsafe } from "../../../kernel/shared/waitCycles.ts"
import { resumeLater } from "../../../kernel/shared/waitUntil.ts"
import { isInstance } from "../../../values/describe.ts"
import { CallError } from "./callError.ts"
import { timeout } from "./makeCallError.ts"
import { failWithCycle, downReason, callErrorOf, type Ask, type Call } from "./call.ts"
import { disarm, millisLeft, type Deadline } from "../../../kernel/shared/deadlines.ts"
import { monotonicMillis } from "../../../kernel/shared/monotonic.ts"
import { armUnsafe } from "../../../kernel/shared/timers.ts"

/** Sends a call again if the server ends before the call begins. All attempts share one timeout. @internal */
export const askWhenUp = (call: Call, ask: Ask): Effect.Effect<unknown, unknown> => {
  const clock = Context.get(call.fiber.context, Clock.Clock)
  const now = () => monotonicMillis(clock)
  const limit = now() + call.millis
  const attempt: Effect.Effect<unknown, unknown> = Effect.suspend(() => {
    const { target } = call
    const rest = { ...call, millis: limit - now() }
    if (target.goneReason !== undefined) return Effect.fail(callErrorOf(call, downReason(target)))
    const asked = target.current === undefined ? waitUntilUp(rest, ask) : ask(rest, target.current)
    return Effect.catchIf(
      asked,
      (error) => shouldAskAgain(call, error),
      () => attempt
    )
  })
  return attempt
}

/** A killed caller does not ask again: its messages are discarded. */
const shouldAskAgain = ({ from }: Call, error: unknown): boolean =>
  from?.wasKilled !== true &&
  isInstance(error, CallError) &&
  error.started === "no" &&
  (error.reason._tag === "ServerDown" || error.reason._tag === "NoProcess")

const waitUntilUp = (call: Call, ask: Ask): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(
    Effect.callback<UpCall, CallError>((resume) => new UpWait(call, resume).begin()),
    (up) => ask(up, up.server)
  )

/** A call, with the run of the server that will get it. */
interface UpCall extends Call {
  readonly server: ProcessRecord
}

/** One call that waits until its server is up or gone, or its time is over. */
class UpWait implements Deadline, Wait {
  list: Deadline["list"] = undefined
  due = 0
  previous: Deadline["previous"] = undefined
  next: Deadline["next"] = undefined
  private readonly call: Call
  private readonly resume: (effect: Effect.Effect<UpCall, CallError>) => void
  /** The process whose own fiber waits. */
  private readonly owner: ProcessRecord | undefined
  private isDone = false

  constructor(call: Call, resume: (effect: Effect.Effect<UpCall, CallError>) => void) {
    this.call = call
    this.resume = resume
    this.owner = call.from?.isOwn(call.fiber) === true ? call.from : undefined
  }

  get blockers(): Iterable<ProcessRecord> {
    return this.call.target.blockers
  }

  /** Returns what calls the wait off; undefined if it is over already. */
  begin(): Effect.Effect<void> | undefined {
    const { call, owner } = this
    const { target } = call
    // The server may have come up, or be gone, since this fiber looked.
    const isKnown = target.current !== undefined || target.goneReason !== undefined
    // This is one step with the note that the process waits, as for a call.
    if (owner !== undefined && target.goneReason === undefined) {
      const cycle = findCycleUnsafe(owner, target.blockers)
      if (cycle !== undefined) {
        this.resume(failWithCycle(call, cycle))
        return undefined
      }
      owner.waitingFor = this
      owner.kernel.waitingUntilUp.add(owner)
    }
    if (call.millis !== Infinity) armUnsafe(this, call.fiber, call.millis)
    if (isKnown) this.upOrGone()
    else target.addWaiter(this.upOrGone)
    return Effect.sync(() => {
      this.stopWaiting()
      this.clearWaitingFor()
    })
  }

  /** The server is up, or gone. */
  private readonly upOrGone = (): void => {
    const { call } = this
    const millis = this.stopWaiting()
    // The waiting fiber looks the server up, not the step of the caller: the process behind a key may be no such
    // server. Until then the owner still waits for the server that is up.
    this.finish(
      Effect.suspend(() => {
        const server = call.target.current
        if (server !== undefined) return Effect.succeed({ ...call, millis, server })
        this.clearWaitingFor()
        return Effect.fail(callErrorOf(call, downReason(call.target)))
      })
    )
  }

  expire(): void {
    this.stopWaiting()
    this.clearWaitingFor()
    this.finish(Effect.fail(callErrorOf(this.call, timeout)))
  }

  fail(cycle: ReadonlyArray<ProcessRecord>): boolean {
    if (this.isDone) return false
    this.stopWaiting()
    this.clearWaitingFor()
    this.finish(failWithCycle(this.call, cycle))
    return true
  }

  /** Ends the wait and returns the milliseconds that are left. */
  private stopWaiting(): number {
    const left = millisLeft(this) ?? Infinity
    this.isDone = true
    disarm(this)
    this.call.target.removeWaiter(this.upOrGone)
    if (this.owner !== undefined) this.owner.kernel.waitingUntilUp.delete(this.owner)
    return left
  }

  private clearWaitingFor(): void {
    if (this.owner?.waitingFor === this) this.owner.waitingFor = undefined
  }

  private finish(effect: Effect.Effect<UpCall, CallError>): void {
    resumeLater(this.call.fiber, this.resume, effect)
  }
}
