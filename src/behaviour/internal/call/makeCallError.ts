/** Makes the errors of calls. */
import * as Data from "effect/Data"
import type * as ExitReason from "../../../kernel/ExitReason.ts"
import { CallError, type CallStarted } from "./callError.ts"
import { CallCycle, type CallReason, MailboxFull, NoProcess, ServerDown, Timeout } from "./callReason.ts"

interface Parts {
  readonly server: string
  readonly request: string
  readonly reason: CallReason
  readonly started: CallStarted
}

/** @internal */
export const makeCallError = ({ server, request, reason, started }: Parts): CallError =>
  construct(CallError, { _tag: "CallError", server, request, reason, started })

/** @internal */
export const serverDown = (reason: ExitReason.ExitReason): ServerDown =>
  withoutStack(() => construct(ServerDown, { _tag: "ServerDown", reason }))

/** @internal */
export const callCycle = (path: ReadonlyArray<string>): CallCycle =>
  withoutStack(() => construct(CallCycle, { _tag: "CallCycle", path }))

/** Runs no check of a Schema, because the compiler has checked the fields. With it an error takes twice as long to make. */
const construct = <A extends Error>(
  type: abstract new (...args: Array<never>) => A,
  fields: Readonly<Record<string, unknown>>
): A => Reflect.construct(Data.Error, [fields], type) as A

/** The stack of the `CallError` says where the call failed. To take a second one for its reason would double the cost. */
const withoutStack = <A>(make: () => A): A => {
  const limit: unknown = Reflect.get(Error, "stackTraceLimit")
  Reflect.set(Error, "stackTraceLimit", 0)
  const made = make()
  Reflect.set(Error, "stackTraceLimit", limit)
  return made
}

// These reasons have no fields, so one of each is enough.

/** @internal */
export const timeout: Timeout = withoutStack(() => Object.freeze(new Timeout()))
/** @internal */
export const noProcess: NoProcess = withoutStack(() => Object.freeze(new NoProcess()))
/** @internal */
export const mailboxFull: MailboxFull = withoutStack(() => Object.freeze(new MailboxFull()))
