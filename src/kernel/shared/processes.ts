/** What higher layers do with processes in one step: start, link, monitor, send. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import { ownKey } from "../../values/copies.ts"
import { isInstance } from "../../values/describe.ts"
import { CurrentAdoption } from "./adoption.ts"
import * as ExitReason from "../ExitReason.ts"
import { makePlain, runPlain, type PlainOptions } from "../internal/plainProcess.ts"
import * as Relations from "../internal/linksAndMonitors.ts"
import { bound } from "../Mailbox.ts"
import type { Pid } from "../Pid.ts"
import { checkedRecord, currentProcessUnsafe, Self as SelfKey, ProcessRecord, type Envelope } from "./processRecord.ts"
import * as Signal from "../Signal.ts"
import { discard } from "./death.ts"
import { post, signal, withdraw } from "./delivery.ts"
import { isHandle, targetOf, type TypeId as HandleTypeId } from "./handleTarget.ts"
import { linkedExit } from "./signals.ts"
import { resumeLater } from "./waitUntil.ts"
import { CurrentTreeEndListener } from "./treeEnd.ts"
import { currentKernel } from "./currentKernel.ts"

export const Callers: Context.Reference<ReadonlyArray<Pid>> = Context.Reference<ReadonlyArray<Pid>>(
  ownKey("effect-otp/kernel/Process/Callers"),
  { defaultValue: () => [] }
)

/** The record behind a pid that was checked already. */
export const recordOf = (pid: Pid): ProcessRecord => pid as unknown as ProcessRecord

/** A process: the pid of one run, or the client of a server. */
export type Target = Pid | { readonly [HandleTypeId]: { readonly key: string } }

/**
 * The record of the process that is meant. A client means the run that is up, and while its server is down the last
 * run, which is ending or dead. `to` names the function that was given it.
 */
export const recordBehind = (to: string, fiber: Fiber.Fiber<unknown, unknown>, target: Target): ProcessRecord => {
  if (isInstance(target, ProcessRecord) || !isHandle(target)) return checkedRecord(to, target, PID_OR_CLIENT)
  const { current, key, last } = targetOf(to, target)
  return current ?? last ?? nobodyUnsafe(currentKernel(fiber), key)
}

const PID_OR_CLIENT = "a pid or a client"

/** The record of the process that this fiber runs in. For effects whose type says that there is one. */
export const selfUnsafe = (fiber: Fiber.Fiber<unknown, unknown>): ProcessRecord =>
  Context.getUnsafe(fiber.context, SelfKey) as unknown as ProcessRecord

/**
 * Links a process to one that it has just started. If that one has ended, the effect is the same as if the link had
 * been made before.
 */
export const linkStartedUnsafe = (me: ProcessRecord, started: ProcessRecord): void => {
  if (me.isAlive) Relations.link<ProcessRecord>(me, started)
  else linkedExit(started, me, me.reason!)
}

export const monitorUnsafe = (watcher: ProcessRecord, target: ProcessRecord, name?: string): Signal.MonitorRef => {
  if (watcher.isAlive && target.isAlive) return Relations.monitor<ProcessRecord>(watcher, target, name)
  const made: Relations.Monitor<ProcessRecord> = { watcher, pid: target, name }
  if (watcher.isAlive) signal(watcher, new Signal.Down(made, target, ExitReason.noProcess))
  return made
}

/** A process that never existed. It stands for the owner of a name that nobody has. */
export const nobodyUnsafe = (kernel: ProcessRecord["kernel"], name: string): ProcessRecord => {
  const record = makePlain({ kernel, parent: undefined, context: Context.empty() })
  discard(record, ExitReason.noProcess)
  record.name = name
  return record
}

/** Adds a message to a mailbox that may be full. Under `suspend` it waits for room. */
export const postUnsafe = (
  fiber: Fiber.Fiber<unknown, unknown>,
  record: ProcessRecord,
  make: () => Envelope
): Effect.Effect<void> =>
  // The message is made and posted in the step that begins to wait. Between two steps its sender could end, or room could
  // be made, and nobody would be told.
  Effect.callback<void>((resume) => {
    const envelope = make()
    const admit = () => resumeLater(fiber, resume, Effect.void)
    if (post(record, envelope, admit)) return resume(Effect.void)
    return Effect.sync(() => {
      withdraw(record, envelope)
    })
  })

/**
 * The environment of a new process. It is that of the starter, without the span, which would never end, and without the
 * adoption that a supervisor offers the child it is starting. The listener of the starter's trees is removed, too: if a
 * tree that the process starts gives up, that concerns only the process.
 */
export const environment = (context: Context.Context<never>): Context.Context<never> => {
  let found = context
  if (Context.getOrUndefined(found, Tracer.ParentSpan) !== undefined) found = Context.omit(Tracer.ParentSpan)(found)
  if (Context.get(found, CurrentAdoption) !== undefined) found = Context.add(found, CurrentAdoption, undefined)
  if (Context.get(found, CurrentTreeEndListener) !== undefined)
    found = Context.add(found, CurrentTreeEndListener, undefined)
  return found
}

/**
 * The parent of a process that a fiber starts. In a kernel that was provided inside a process, that process is a
 * stranger and no parent. A dead process is never a parent.
 */
export const parentOf = (fiber: Fiber.Fiber<unknown, unknown>): ProcessRecord | undefined => {
  const current = currentProcessUnsafe(fiber)
  return current?.isAlive === true && current.kernel === currentKernel(fiber) ? current : undefined
}

export const makeIn = (
  fiber: Fiber.Fiber<unknown, unknown>,
  parent: ProcessRecord | undefined,
  options: PlainOptions
): ProcessRecord => {
  // Checked first, because a wrong bound must not leave half a process behind.
  const checked: PlainOptions =
    options.mailbox === undefined ? options : { ...options, mailbox: bound(options.mailbox) }
  const kernel = parent?.kernel ?? currentKernel(fiber)
  let context = environment(fiber.context)
  if (parent !== undefined) {
    // Dead callers are left out, or the list of processes that start their own successors would grow without end.
    const callers = Context.get(context, Callers).filter((pid) => recordOf(pid).isAlive)
    context = Context.add(context, Callers, [parent, ...callers])
  }
  return makePlain({ kernel, parent, context }, checked)
}

/** Starts a process. `adopt` gets it before its body runs. */
export const spawnIn = (
  fiber: Fiber.Fiber<unknown, unknown>,
  body: Effect.Effect<unknown, unknown>,
  options: PlainOptions & {
    readonly parent: ProcessRecord | undefined
    readonly adopt: (record: ProcessRecord) => void
  }
): ProcessRecord => {
  const record = makeIn(fiber, options.parent ?? parentOf(fiber), options)
  options.adopt(record)
  runPlain(record, body)
  return record
}
