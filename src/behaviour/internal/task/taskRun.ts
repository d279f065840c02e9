/**
 * One task: what its process has come to, and who waits for it.
 *
 * An answer is known once the process is dead, so after its finalizers. An answer that was there before a signal came
 * stands; one that a finalizer has spoilt by dying does not.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { showBy } from "../../../values/kinds.ts"
import { printAs } from "../../../values/printed.ts"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import type { Pid } from "../../../kernel/Pid.ts"
import { spawnIn } from "../../../kernel/Process.ts"
import type { Observer, ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { during, until } from "../../../kernel/shared/waiting.ts"
import { waitUntil } from "../../../kernel/shared/waitUntil.ts"
import { TaskExit } from "../../TaskError.ts"

/** @internal */
export const TypeId = "~effect-otp/behaviour/Task"

type Outcome = Exit.Exit<unknown, unknown>

/** Who has a task among others, and sees to it. Its functions run in the step of a death: no code of a user. @internal */
export interface RunOwner {
  /** Whether nobody needs it any more before it is started. */
  readonly isUnwanted: boolean
  started(record: ProcessRecord): void
  refused(): void
  settled(outcome: Outcome): void
  ended(): void
}

/** @internal */
export class TaskRun implements Observer {
  private readonly within: RunOwner | undefined
  /** Undefined until it is spawned. */
  record: ProcessRecord | undefined = undefined
  /** The process it is linked to. */
  owner: ProcessRecord | undefined = undefined
  /** Nobody wants to know any more: no scope ends it. */
  ignored = false
  /** It could not be started. */
  refused = false
  /** Whether its outcome is what its effect came to. */
  hasAnswer = false
  outcome: Outcome | undefined = undefined
  /** What its effect has come to, while its process has not ended yet. */
  private answer: Outcome | undefined = undefined
  private listeners: Array<() => void> | undefined = undefined

  constructor(within?: RunOwner) {
    this.within = within
  }

  /** Carries types only. */
  get [TypeId](): undefined {
    return undefined
  }

  get pid(): Pid | undefined {
    return this.record
  }

  /** Whether nobody needs it any more before it is started. */
  get isUnwanted(): boolean {
    return this.within?.isUnwanted === true
  }

  /** What its process runs. A failure with a type is an answer: the process ends well. */
  body(effect: Effect.Effect<unknown, unknown>): Effect.Effect<void, unknown> {
    return Effect.matchCauseEffect(effect, {
      onSuccess: (value) => this.answered(Exit.succeed(value)),
      onFailure: (cause) => (isFailure(cause) ? this.answered(Exit.failCause(cause)) : Exit.failCause(cause))
    })
  }

  private answered(answer: Outcome): Exit.Exit<void> {
    this.answer = answer
    return Exit.void
  }

  /** Its process is there. */
  started(record: ProcessRecord): void {
    this.record = record
    record.observe(this)
    this.within?.started(record)
  }

  dead(reason: ExitReason): void {
    const { answer, record } = this
    this.hasAnswer = answer !== undefined && reason._tag !== "Crash"
    this.settle(this.hasAnswer ? answer! : Exit.fail(new TaskExit({ pid: record!, reason })))
  }

  /** It cannot be started. */
  refuse(error: unknown): void {
    this.refused = true
    this.settle(Exit.fail(error))
    this.within?.refused()
  }

  /** Its process and all it holds have ended. */
  ended(): void {
    this.within?.ended()
  }

  /** Says what has become of it. In the step of a death: must not run a user's code. */
  settle(outcome: Outcome): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.answer = undefined
    const { listeners } = this
    this.listeners = undefined
    for (const listener of listeners ?? []) listener()
    this.within?.settled(outcome)
  }

  listen(listener: () => void): void {
    ;(this.listeners ??= []).push(listener)
  }

  unlisten(listener: () => void): void {
    const at = this.listeners?.indexOf(listener) ?? -1
    if (at >= 0) this.listeners!.splice(at, 1)
  }
}

/** Starts the process of a task; its parent is the process of this fiber, if there is one. @internal */
export const spawnTask = (
  fiber: Fiber.Fiber<unknown, unknown>,
  run: TaskRun,
  options: { readonly effect: Effect.Effect<unknown, unknown>; readonly label?: string | undefined }
): ProcessRecord =>
  spawnIn(fiber, run.body(options.effect), {
    label: options.label,
    parent: undefined,
    adopt: (record) => run.started(record)
  })

/** Waits for the outcome of a task and has it as its own. @internal */
export const outcomeOf = (run: TaskRun): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    if (run.outcome !== undefined) return run.outcome
    const wait = until(
      () => run.outcome !== undefined,
      () => run.record
    )
    const outcome = waitUntil<unknown, unknown>((resume, resumeNow) => {
      // This fiber may have lost its turn between the look and here.
      if (run.outcome !== undefined) return resumeNow(run.outcome)
      const listener = () => resume(run.outcome!)
      run.listen(listener)
      return () => run.unlisten(listener)
    })
    return during(wait, outcome)
  })

/** Whether a cause is a failure with a type and nothing else. */
const isFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.length > 0 && cause.reasons.every(Cause.isFailReason)

/** An outcome as a value. It is a success, or a failure and nothing else. @internal */
export const toResult = (outcome: Outcome): Result.Result<unknown, unknown> => {
  if (outcome._tag === "Success") return Result.succeed(outcome.value)
  return Result.fail(outcome.cause.reasons.find(Cause.isFailReason)?.error)
}

const textOf = ({ record }: TaskRun): string => `Task(${record === undefined ? "not started" : record.toString()})`

showBy<TaskRun>(TypeId, (_, task) => `[${textOf(task)}]`)

printAs(TaskRun.prototype, textOf)
