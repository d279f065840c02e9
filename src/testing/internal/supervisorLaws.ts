/** The laws of every supervisor, whatever its strategy. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { processCrash } from "../../kernel/shared/events.ts"
import { defect } from "../../kernel/ExitReason.ts"
import type { Pid } from "../../kernel/Pid.ts"
import * as Process from "../../kernel/Process.ts"
import * as Telemetry from "../../telemetry/Telemetry.ts"
import * as Probe from "../Probe.ts"
import * as TestKernel from "../TestKernel.ts"
import { holds, lawMaker, type Law, type LawOptions } from "./law.ts"
import { answers, bringDown, refuses, runningPid, type AnyHandle, type Dealings } from "./serverLaws.ts"

/** @internal */
export interface SupervisorSubject<C> extends Dealings<C>, LawOptions {
  readonly start: Effect.Effect<
    { readonly supervisor: AnyHandle; readonly children: ReadonlyArray<C> },
    unknown,
    Scope.Scope
  >
}

/** A number of failures that must be too many. */
const tooMany = 100

interface World<C> {
  readonly subject: SupervisorSubject<C>
  readonly law: ReturnType<typeof lawMaker>
  /** A started supervisor: its children, the first of them, and all pids. */
  readonly started: Effect.Effect<
    {
      readonly supervisor: Pid
      readonly children: ReadonlyArray<C>
      readonly first: C
      readonly pids: ReadonlyArray<Pid>
    },
    unknown,
    Scope.Scope
  >
}

/** @internal */
export const supervisorLaws = <C extends AnyHandle>(subject: SupervisorSubject<C>): ReadonlyArray<Law> => {
  const started = Effect.gen(function* () {
    const { children, supervisor } = yield* subject.start
    const [first] = children
    if (first === undefined) return yield* Effect.die(new RangeError("Laws.supervisor: a supervisor without children"))
    const pids = yield* Effect.forEach(children, runningPid)
    return { children, first, pids, supervisor: yield* runningPid(supervisor) }
  })
  const world = { subject, started, law: lawMaker(subject) }
  return [...restartLaws(world), ...crashLaws(world), ...endLaws(world)]
}

/** Its children are up, and come back. */
const restartLaws = <C extends AnyHandle>({ law, started, subject }: World<C>): ReadonlyArray<Law> => [
  law(
    "a supervisor's children are up when its start returns",
    Effect.flatMap(started, ({ children }) => eachAnswers(subject, children, "to a child that was just started"))
  ),
  law(
    "a child that crashes is started again, behind the same client",
    Effect.gen(function* () {
      const { children, first, pids, supervisor } = yield* started
      yield* bringDown(subject, first)
      const pid = yield* runningPid(first)
      yield* holds(pid !== pids[0], "it is the process that crashed")
      yield* eachAnswers(subject, children, "after a restart")
      yield* holds(yield* Process.isAlive(supervisor), "the supervisor has ended")
    })
  ),
  law(
    "a child that is killed is started again, behind the same client",
    Effect.gen(function* () {
      const { children, first, pids } = yield* started
      yield* Process.kill(pids[0]!)
      yield* TestKernel.quiet
      yield* holds((yield* runningPid(first)) !== pids[0], "it is the process that was killed")
      yield* eachAnswers(subject, children, "after a restart")
    })
  )
]

/** Laws about crashes: their reports, giving up, and the end of the children. */
const crashLaws = <C extends AnyHandle>({ law, started, subject }: World<C>): ReadonlyArray<Law> => [
  law(
    "a crash is reported once, with what the supervisor decided",
    Effect.gen(function* () {
      const crashes = yield* Telemetry.collect(processCrash)
      const { first } = yield* started
      yield* bringDown(subject, first)
      const decisions = (yield* crashes).map(({ metadata }) => metadata.report.decision)
      yield* holds(decisions.length === 1, `there are ${decisions.length} reports`)
      yield* holds(decisions[0] !== undefined, "the report does not say what follows")
    })
  ),
  law(
    "a supervisor gives up on a child that fails too often, and leaves nothing",
    Effect.gen(function* () {
      const { children, first, supervisor } = yield* started
      for (let failures = 0; failures < tooMany && (yield* Process.isAlive(supervisor)); failures++) {
        yield* bringDown(subject, first)
      }
      yield* holds(!(yield* Process.isAlive(supervisor)), `it is alive after ${tooMany} failures`)
      const reason = yield* Process.awaitExit(supervisor)
      yield* holds(reason._tag === "Shutdown", `its reason is ${reason._tag}, not Shutdown`)
      for (const child of children) yield* refuses(subject, child, "to a child of a supervisor that gave up")
    })
  )
]

/** What ends it, and what does not. */
const endLaws = <C extends AnyHandle>({ law, started, subject }: World<C>): ReadonlyArray<Law> => [
  law(
    "a supervisor has stopped its children before it ends",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const probe = yield* Probe.make()
      const { pids, supervisor } = yield* Scope.provide(started, scope)
      for (const pid of [supervisor, ...pids]) yield* probe.monitor(pid)
      yield* Scope.close(scope, Exit.void)
      yield* allDead(pids)
      const heard = (yield* probe.received).flatMap((signal) => ("pid" in Object(signal) ? [signal] : []))
      const last = heard.at(-1) as { readonly pid: Pid } | undefined
      yield* holds(heard.length === pids.length + 1, `${heard.length} ends were heard of`)
      yield* holds(last?.pid === supervisor, "it was not the last to end")
    })
  ),
  law(
    "nothing outlives a supervisor that is killed",
    Effect.gen(function* () {
      const { pids, supervisor } = yield* started
      yield* Process.kill(supervisor)
      yield* TestKernel.quiet
      yield* allDead(pids)
    })
  ),
  law(
    "a stranger cannot end a supervisor by an exit signal",
    Effect.gen(function* () {
      const { children, supervisor } = yield* started
      const stranger = yield* Probe.make()
      yield* stranger.run(Process.exit(supervisor, defect(new Error("a stranger's"))))
      yield* eachAnswers(subject, children, "after a stranger's exit signal")
      yield* holds(yield* Process.isAlive(supervisor), "it has ended")
    })
  )
]

const eachAnswers = <C>(subject: Dealings<C>, children: ReadonlyArray<C>, when: string) =>
  Effect.forEach(children, (child) => answers(subject, child, when), { discard: true })

const allDead = (pids: ReadonlyArray<Pid>) =>
  Effect.gen(function* () {
    const alive = (yield* Effect.forEach(pids, Process.isAlive)).filter((isAlive) => isAlive)
    yield* holds(alive.length === 0, `${alive.length} of its children are alive`)
  })
