/** Lets a process enter a registry, a group or a topic: the calling process, or another one. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Pid } from "../../kernel/Pid.ts"
import { NoProcess } from "../../kernel/Process.ts"
import { checkedRecord, type ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { currentKernel } from "../../kernel/shared/currentKernel.ts"
import { selfUnsafe } from "../../kernel/shared/processes.ts"

/**
 * Enters a process in one step. If the calling process was killed, nothing happens, because its actions are discarded.
 * If another process is given and is dead, that is a failure. The types of the callers say which of the two can happen.
 *
 * @internal
 */
export const enterProcess = <E>(
  to: string,
  pid: Pid | undefined,
  enter: (record: ProcessRecord) => Exit.Exit<void, E>
): Effect.Effect<void, E> =>
  Effect.withFiber((fiber) => {
    if (pid === undefined) {
      const self = selfUnsafe(fiber)
      return self.isAlive ? enter(self) : Exit.void
    }
    const record = checkedRecord(to, pid)
    const isHere = record.isAlive && record.kernel === currentKernel(fiber)
    return isHere ? enter(record) : (Exit.fail(new NoProcess({ process: pid })) as Exit.Exit<never, never>)
  })

/** The given process, or the one in which the effect runs. @internal */
export const withProcess = <A, E>(
  to: string,
  pid: Pid | undefined,
  f: (record: ProcessRecord) => Exit.Exit<A, E>
): Effect.Effect<A, E> => Effect.withFiber((fiber) => f(pid === undefined ? selfUnsafe(fiber) : checkedRecord(to, pid)))
