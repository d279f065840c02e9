/** The work of a task supervisor: an effect that runs in the environment of its caller. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { thisCopy } from "../../../values/copies.ts"
import type { TaskRun } from "../../../behaviour/shared/taskRun.ts"
import type { Adoption } from "../../../kernel/shared/adoption.ts"
import { TypeId as HandleTypeId } from "../../../kernel/Handle.ts"
import { Kernel } from "../../../kernel/Kernel.ts"
import type { Pid } from "../../../kernel/Pid.ts"
import { Callers } from "../../../kernel/Process.ts"
import { checkedRecord, currentProcessUnsafe, Self, type ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { kill } from "../../../kernel/shared/death.ts"
import type { ChildStarter } from "./dynamicChild.ts"
import { environment, linkStartedUnsafe, recordOf, spawnIn } from "../../../kernel/shared/processes.ts"

type AnyEffect = Effect.Effect<unknown, unknown>
type AnyFiber = Fiber.Fiber<unknown, unknown>

/** @internal */
export interface JobOptions {
  readonly key: string
  readonly effect: AnyEffect
  readonly label: string | undefined
  /** Undefined if nobody asks for the answer. Then a failure is a crash. */
  readonly run: TaskRun | undefined
}

/** @internal */
export class TaskJob {
  private readonly options: JobOptions
  /** The process of its first run. */
  firstProcess: ProcessRecord | undefined = undefined
  /** The environment of the caller. It is captured once, for all runs. */
  private readonly context: Context.Context<never>

  constructor(fiber: AnyFiber, options: JobOptions) {
    this.options = options
    this.context = Context.add(environment(fiber.context), Callers, callersOf(fiber))
  }

  get key(): string {
    return this.options.key
  }

  /** Starts its process, which its supervisor adopts. */
  spawn(fiber: AnyFiber, adoption: Adoption): ProcessRecord {
    const { effect, key, label, run } = this.options
    const inContext = this.inEnvironment(effect)
    const record = spawnIn(fiber, run === undefined ? inContext : run.body(inContext), {
      label,
      kind: "Task",
      parent: adoption.parent,
      adopt: (record) => {
        taskKeys.set(record, { supervisor: adoption.parent, key })
        adoption.adopt(record)
        run?.spawned(record)
      }
    })
    this.firstProcess ??= record
    // This is the same step, so its body has not begun.
    if (run?.owner !== undefined) linkStartedUnsafe(run.owner, record)
    if (run?.isUnwanted === true) kill(record)
    return record
  }

  /** Runs an effect in the caller's environment, with the process's own `Self`, scope and kernel. */
  private inEnvironment(effect: AnyEffect): AnyEffect {
    return Effect.withFiber(({ context }) => {
      const own = Context.pick(Self, Scope.Scope)(context as Context.Context<Self | Scope.Scope>)
      const all = Context.merge(this.context, own)
      return Effect.provideContext(effect, Context.add(all, Kernel, Context.get(context, Kernel)))
    })
  }
}

/** The supervisor and the key of a task, by its processes: the pid of each run identifies the task. */
const taskKeys = new WeakMap<ProcessRecord, { readonly supervisor: ProcessRecord; readonly key: string }>()

/** The key of a task under its supervisor, by the pid of any of its runs. @internal */
export const keyOf = (pid: Pid, supervisor: ProcessRecord): string | undefined => {
  const home = taskKeys.get(checkedRecord("TaskSupervisor.terminateChild", pid))
  return home?.supervisor === supervisor ? home.key : undefined
}

/** The caller of a task and the callers before it. Dead ones are left out, as when a process spawns another. */
const callersOf = (fiber: AnyFiber): ReadonlyArray<Pid> => {
  const callers = Context.get(fiber.context, Callers).filter((pid) => recordOf(pid).isAlive)
  const caller = currentProcessUnsafe(fiber)
  return caller === undefined ? callers : [caller, ...callers]
}

/** How a dynamic supervisor starts a job. @internal */
export const taskStarter = (id: string): ChildStarter => ({
  copy: thisCopy,
  id,
  client: (target) => ({ [HandleTypeId]: target }),
  start: () => Effect.die(new Error(`${id} starts its tasks in one step`)),
  spawn: (fiber, [job], adoption) => (job as TaskJob).spawn(fiber, adoption)
})
