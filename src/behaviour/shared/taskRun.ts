/**
 * One task: the outcome of its process, and the listeners that wait for it.
 *
 * The outcome is known once the process is dead, so after its finalizers. If the answer existed before a signal came,
 * it stands. If a finalizer dies, it does not stand.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { pipeArguments } from "effect/Pipeable"
import * as Result from "effect/Result"
import { showBy } from "../../values/valueKinds.ts"
import { printAs } from "../../values/printAs.ts"
import type { ExitReason } from "../../kernel/ExitReason.ts"
import type { Pid } from "../../kernel/Pid.ts"
import type { Observer, ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { duringWait, waitForProcess } from "../../kernel/shared/waitCycles.ts"
import { waitUntil } from "../../kernel/shared/waitUntil.ts"
import { TaskExit } from "../internal/task/taskError.ts"
import { spawnIn } from "../../kernel/shared/processes.ts"

/** @internal */
export const TypeId = "~effect-otp/behaviour/Task"

type Outcome = Exit.Exit<unknown, unknown>

/** The owner of many tasks. Its functions run in the step of a death, so they must not run code of a user. @internal */
export interface TaskRunOwner {
  /** Whether the task is no longer needed, before it has started. */
  readonly isUnwanted: boolean
  spawned(record: ProcessRecord): void
  refused(): void
  completed(outcome: Outcome): void
  ended(): void
}

/** @internal */
export class TaskRun implements Observer {
  private readonly within: TaskRunOwner | undefined
  /** Undefined until it is spawned. */
  record: ProcessRecord | undefined = undefined
  /** The process that it is linked to. */
  owner: ProcessRecord | undefined = undefined
  /** Nobody wants the outcome any more, so no scope ends the task. */
  ignored = false
  /** It could not be started. */
  refused = false
  /** Whether its outcome is the result of its effect. */
  hasAnswer = false
  outcome: Outcome | undefined = undefined
  /** The result of its effect, until its process has ended. */
  private answer: Outcome | undefined = undefined
  private listeners: Array<() => void> | undefined = undefined

  constructor(within?: TaskRunOwner) {
    this.within = within
  }

  /** Carries types only. */
  get [TypeId](): undefined {
    return undefined
  }

  pipe() {
    return pipeArguments(this, arguments)
  }

  get pid(): Pid | undefined {
    return this.record
  }

  /** Whether it is no longer needed, before it has started. */
  get isUnwanted(): boolean {
    return this.within?.isUnwanted === true
  }

  /** The body of its process. A typed failure is an answer, so the process ends with `Normal`. */
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

  /** Its process exists. */
  spawned(record: ProcessRecord): void {
    this.record = record
    record.observe(this)
    this.within?.spawned(record)
  }

  dead(reason: ExitReason): void {
    const { answer, record } = this
    this.hasAnswer = answer !== undefined && reason._tag !== "Crash"
    this.complete(this.hasAnswer ? answer! : Exit.fail(new TaskExit({ pid: record!, reason })))
  }

  /** It cannot be started. */
  refuse(error: unknown): void {
    this.refused = true
    this.complete(Exit.fail(error))
    this.within?.refused()
  }

  /** Its process has ended, with everything it held. */
  ended(): void {
    this.within?.ended()
  }

  /** Sets its outcome. This runs in the step of a death, so it must not run a user's code. */
  complete(outcome: Outcome): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.answer = undefined
    const { listeners } = this
    this.listeners = undefined
    for (const listener of listeners ?? []) listener()
    this.within?.completed(outcome)
  }

  listen(listener: () => void): void {
    ;(this.listeners ??= []).push(listener)
  }

  unlisten(listener: () => void): void {
    const at = this.listeners?.indexOf(listener) ?? -1
    if (at >= 0) this.listeners!.splice(at, 1)
  }
}

/** Starts the process of a task. Its parent is the process of this fiber, if there is one. @internal */
export const spawnTask = (
  fiber: Fiber.Fiber<unknown, unknown>,
  run: TaskRun,
  options: { readonly effect: Effect.Effect<unknown, unknown>; readonly label?: string | undefined }
): ProcessRecord =>
  spawnIn(fiber, run.body(options.effect), {
    label: options.label,
    kind: "Task",
    parent: undefined,
    adopt: (record) => run.spawned(record)
  })

/** Waits for the outcome of a task, and ends with it. @internal */
export const awaitOutcome = (run: TaskRun): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    if (run.outcome !== undefined) return run.outcome
    const wait = waitForProcess(
      () => run.outcome !== undefined,
      () => run.record
    )
    const outcome = waitUntil<unknown, unknown>((resume, resumeNow) => {
      // The outcome may have come after the look and before this step.
      if (run.outcome !== undefined) return resumeNow(run.outcome)
      const listener = () => resume(run.outcome!)
      run.listen(listener)
      return () => run.unlisten(listener)
    })
    return duringWait(wait, outcome)
  })

/** Whether a cause holds only typed failures. */
const isFailure = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.length > 0 && cause.reasons.every(Cause.isFailReason)

/** An outcome as a value. It is either a success or one failure. @internal */
export const toResult = (outcome: Outcome): Result.Result<unknown, unknown> => {
  if (outcome._tag === "Success") return Result.succeed(outcome.value)
  return Result.fail(outcome.cause.reasons.find(Cause.isFailReason)?.error)
}

const textOf = ({ record }: TaskRun): string => `Task(${record === undefined ? "not started" : record.toString()})`

showBy<TaskRun>(TypeId, (_, task) => `[${textOf(task)}]`)

printAs(TaskRun.prototype, textOf)
