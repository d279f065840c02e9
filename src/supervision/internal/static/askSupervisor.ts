/** The requests of static supervisors about their children. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Waiting from "../../../kernel/shared/waitCycles.ts"
import { waitUntil } from "../../../kernel/shared/waitUntil.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import { ChildNotFound, ChildRestarting, ChildRunning, StartFailed, SupervisorDown } from "../core/errors.ts"
import type { Result } from "../group/group.ts"
import type { ChildRequest } from "../group/member.ts"
import type { RunningSupervisor } from "./runningSupervisor.ts"
import type { ChildView } from "./supervisorView.ts"
import type { HandleTarget } from "../../../kernel/shared/handleTarget.ts"

type Answer = Exclude<Result<ChildEnd>, { readonly _tag: "ChildNotFound" | "SupervisorStopping" }>

const currentOf = (target: HandleTarget): RunningSupervisor | undefined =>
  target.current?.data as RunningSupervisor | undefined

/** The children in start order. None while the supervisor is down. */
export const viewOf = (target: HandleTarget): ReadonlyArray<ChildView> => currentOf(target)?.view ?? []

/** The exit for an answer to a start. */
export const startAnswer = (
  id: string,
  result: Answer
): Exit.Exit<void, ChildRunning | ChildRestarting | StartFailed> => {
  switch (result._tag) {
    case "ChildRunning":
      return Exit.fail(new ChildRunning({ id }))
    case "ChildRestarting":
      return Exit.fail(new ChildRestarting({ id }))
    case "StartFailed":
      return Exit.fail(new StartFailed({ id, error: errorOf(result.exit.reason) }))
    case "StartInterrupted":
      return Exit.fail(new StartFailed({ id, error: new Error("it was told to stop before it was up") }))
    case "Done":
      return Exit.void
  }
}

const errorOf = (reason: ChildEnd["reason"]): unknown => {
  if (reason._tag === "StartFailed") return reason.error
  return reason._tag === "Crash" ? Cause.squash(reason.cause) : reason
}

/** Sends a request to the run of a supervisor that is up. */
export const ask = (
  target: HandleTarget,
  tag: ChildRequest["_tag"],
  id: string
): Effect.Effect<Answer, ChildNotFound | SupervisorDown> =>
  Effect.suspend(() => {
    const supervisor = currentOf(target)
    return supervisor === undefined
      ? Effect.fail(new SupervisorDown({ supervisor: target.key }))
      : askRun(supervisor, tag, id)
  })

/** Sends a request to one run of a supervisor. */
export const askRun = (
  supervisor: RunningSupervisor,
  tag: ChildRequest["_tag"],
  id: string
): Effect.Effect<Answer, ChildNotFound | SupervisorDown> =>
  Effect.suspend(() => {
    const down = Exit.fail(new SupervisorDown({ supervisor: supervisor.spec.id }))
    let answered = false
    const wait = Waiting.makeWait(() => (answered ? [] : supervisor.waits.beforeAnswer(tag, id)))
    const asked = waitUntil<Answer, ChildNotFound | SupervisorDown>((resume) => {
      supervisor.request(tag, id, (result) => {
        answered = true
        resume(answerOf(result, id, down))
      })
    })
    return Waiting.duringWait(wait, asked)
  })

const answerOf = (
  result: Result<ChildEnd>,
  id: string,
  down: Exit.Exit<never, SupervisorDown>
): Exit.Exit<Answer, ChildNotFound | SupervisorDown> => {
  if (result._tag === "ChildNotFound") return Exit.fail(new ChildNotFound({ id }))
  return result._tag === "SupervisorStopping" ? down : Exit.succeed(result)
}
