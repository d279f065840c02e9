/** Names of processes: claimed, looked up, and refused if they are taken. */
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import * as Check from "../../values/check.ts"
import { describe } from "../../values/describe.ts"
import { has } from "../../values/valueKinds.ts"
import { type Handle } from "../../kernel/Handle.ts"
import type { Pid } from "../../kernel/Pid.ts"
import { checkedRecord, type ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { isHandle, targetOf } from "../../kernel/shared/handleTarget.ts"

export const TypeId = "~effect-otp/naming/Name"

export class AlreadyStarted extends Data.TaggedError("AlreadyStarted")<{
  readonly processName: string
  readonly pid: Pid | undefined
}> {
  override get message() {
    const who = this.pid === undefined ? "a child that has no process at the moment" : describe(this.pid)
    return `"${this.processName}" is taken by ${who}`
  }
}

type KernelState = ProcessRecord["kernel"]

interface Named {
  readonly [TypeId]: unknown
  readonly name: string
}

export type Reference = Pid<never> | Named | Handle<unknown>

/** The record of the live process behind a pid, a name or a handle. */
export const resolveName = (to: string, kernel: KernelState, reference: Reference): ProcessRecord | undefined => {
  const record = recordIn(to, kernel, reference)
  return record?.isAlive === true ? record : undefined
}

const isNamed = (u: unknown): u is Named => has(u, TypeId)

const recordIn = (to: string, kernel: KernelState, reference: Reference): ProcessRecord | undefined => {
  if (isNamed(reference)) return kernel.names.get(reference.name)
  if (isHandle(reference)) return targetOf(to, reference).current
  return checkedRecord(to, reference, "a pid, a name or a client")
}

/** Claims a name for a process that is about to start, in this step. */
export const claimName = (
  kernel: KernelState,
  name: string,
  record: ProcessRecord
): Exit.Exit<void, AlreadyStarted> => {
  const holder = kernel.names.get(name)
  if (holder !== undefined) return Exit.fail(new AlreadyStarted({ processName: name, pid: holder }))
  give(kernel, name, record)
  return Exit.void
}

export const give = (kernel: KernelState, name: string, record: ProcessRecord): void => {
  kernel.names.set(name, record)
  record.name = name
}

/** Checks a name that a user gave. */
export const checkedName = (name: unknown): string => {
  if (typeof name === "string" && name !== "") return name
  return Check.refuse("A name", "a string that is not empty", name)
}
