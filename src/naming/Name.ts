/**
 * Unique names of processes, for those that ask for one.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import type { Pid } from "../kernel/Pid.ts"
import type { ProcessRecord } from "../kernel/ProcessRecord.ts"

/**
 * The name is taken by a process that runs already.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlreadyStarted extends Data.TaggedError("AlreadyStarted")<{ readonly name: string; readonly pid: Pid }> {
  override get message() {
    return `"${this.name}" is the name of ${String(this.pid)} already`
  }
}

/** Claims a name for a process that is about to start. @internal */
export const claimUnsafe = (
  kernel: ProcessRecord["kernel"],
  name: string,
  record: ProcessRecord
): Exit.Exit<void, AlreadyStarted> => {
  const holder = kernel.names.get(name)
  if (holder !== undefined) return Exit.fail(new AlreadyStarted({ name, pid: holder }))
  kernel.names.set(name, record)
  record.name = name
  return Exit.void
}
