/** The restart schedules of one supervisor. Each child has a step that it keeps as long as the supervisor lives. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Schedule from "effect/Schedule"
import { renderCause } from "../../../values/render.ts"
import type { RestartSchedule } from "../../ChildSpec.ts"
import type { ChildExit } from "../../RestartPolicy.ts"
import { monotonicMillis } from "../../../kernel/shared/monotonic.ts"
import { MonotonicNow } from "./monotonicNow.ts"
import type { ScheduleAnswer } from "../group/group.ts"

type Policy = Schedule.Schedule<unknown, ChildExit<unknown>>
type Step = Effect.Success<ReturnType<typeof Schedule.toStep<unknown, ChildExit<unknown>, never, never>>>

/** @internal */
export class RestartSteps {
  private readonly policy: Policy
  private readonly resetAfter: Duration.Duration
  private step: Step | undefined = undefined
  private attempts = 0

  constructor(policy: Policy, resetAfter: Duration.Duration) {
    this.policy = policy
    this.resetAfter = resetAfter
  }

  /** The answer of the schedule on this ending. A schedule that dies counts as exhausted. */
  ask(exit: ChildExit<unknown>): Effect.Effect<ScheduleAnswer> {
    return Effect.clockWith((clock) => {
      if (Duration.isGreaterThanOrEqualTo(exit.uptime, this.resetAfter)) this.reset()
      this.attempts++
      const stepped = Effect.flatMap(this.current, (step) => step(clock.currentTimeMillisUnsafe(), exit))
      const measured = Effect.provideService(stepped, MonotonicNow, monotonicMillis(clock))
      return Effect.flatMap(Effect.exit(measured), (stepped) => this.answerOf(stepped))
    })
  }

  private reset(): void {
    this.step = undefined
    this.attempts = 0
  }

  private get current(): Effect.Effect<Step> {
    return this.step !== undefined
      ? Effect.succeed(this.step)
      : Effect.map(Schedule.toStep(this.policy), (step) => (this.step = step))
  }

  private answerOf(stepped: Exit.Exit<readonly [unknown, Duration.Duration], unknown>): Effect.Effect<ScheduleAnswer> {
    if (stepped._tag === "Success") {
      return Effect.succeed({ _tag: "Delay", millis: Duration.toMillis(stepped.value[1]) })
    }
    const exhausted = Effect.succeed<ScheduleAnswer>({ _tag: "Exhausted", attempts: this.attempts })
    return Cause.hasDies(stepped.cause)
      ? Effect.andThen(
          Effect.logError("A restart schedule failed with a defect", renderCause(stepped.cause)),
          exhausted
        )
      : exhausted
  }
}

/** The Schedule itself, also if it was given as a function with a typing helper. @internal */
export const policyOf = (schedule: RestartSchedule<unknown, never> | undefined): Policy | undefined =>
  schedule === undefined || Schedule.isSchedule(schedule) ? schedule : schedule(identity)
