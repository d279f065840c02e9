/**
 * A process whose body is an effect. It receives messages only if the body asks for them. To end it, its fiber is
 * interrupted.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { describe } from "../../values/describe.ts"
import * as ExitReason from "../ExitReason.ts"
import type { Bound } from "../Mailbox.ts"
import { close, finish } from "../shared/death.ts"
import { roomMade, countFate } from "../shared/delivery.ts"
import { running, type EndedBy } from "../shared/life.ts"
import { become, ProcessRecord, scopeUnsafe, Self, type Kind, type RecordOptions } from "../shared/processRecord.ts"
import { viewAs, type Behaviour } from "../shared/processView.ts"
import { addDefects } from "../shared/scopeExit.ts"
import { interrupt } from "../shared/signals.ts"
import { resumeLater } from "../shared/waitUntil.ts"

/** @internal */
export interface PlainOptions {
  readonly label?: string | undefined
  readonly trapExit?: boolean | undefined
  readonly mailbox?: Bound | undefined
  /** What listings call it. Default: `"Process"`. */
  readonly kind?: keyof typeof kinds | undefined
}

// ---- the kind -----------------------------------------------------------------------------------------------------

/** All kinds of plain process differ only in what listings call them. */
const makeKind = (behaviour: Behaviour): Kind<undefined> => {
  const view = viewAs(behaviour)
  return { onSignal, onShutdown, onClose, view: () => view }
}

const onSignal = (record: ProcessRecord, reason: ExitReason.ExitReason, by: EndedBy): void => {
  if (close(record, reason, by)) interrupt(record)
}

const onShutdown = (record: ProcessRecord, reason: ExitReason.ExitReason): void => onSignal(record, reason, "signal")

/** A fiber that waits for a message would now wait for ever. It ends as if it had been interrupted. */
const onClose = (record: ProcessRecord): void => {
  const { fiber, resume } = record
  if (resume === undefined) return
  record.resume = undefined
  resumeLater(fiber!, resume, Effect.interrupt)
}

const kinds = { Process: makeKind("Process"), Worker: makeKind("Worker"), Task: makeKind("Task") }

/** @internal */
export const makePlain = (
  options: Omit<RecordOptions<undefined>, "kind">,
  { kind = "Process", label, mailbox, trapExit = false }: PlainOptions = {}
): ProcessRecord => {
  const record = new ProcessRecord<undefined>({ ...options, kind: kinds[kind] })
  record.label = label
  record.trapExit = trapExit
  record.bound = mailbox
  return record
}

// ---- the body -----------------------------------------------------------------------------------------------------

/** Runs the body from the next task on. By then the process that spawned it has set up its relations. @internal */
export const runPlain = (record: ProcessRecord, body: Effect.Effect<unknown, unknown>): void => {
  if (!record.isOpen) return
  record.context = Context.add(Context.add(record.context, Self, record), Scope.Scope, scopeUnsafe(record))
  become(record, running)
  const fiber = Effect.runForkWith(record.context)(Effect.andThen(Effect.yieldNow, () => begin(record, body)))
  record.fiber = fiber
  fiber.addObserver((exit) => bodyEnded(record, exit))
}

/** A signal may have come before the first step. Then the interruption is still on its way. */
const begin = (record: ProcessRecord, body: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> =>
  record.isOpen ? body : Effect.interrupt

const bodyEnded = (record: ProcessRecord, exit: Exit.Exit<unknown, unknown>): void => {
  const { exiting } = record
  if (exiting === undefined) finish(record, ExitReason.fromExit(exit))
  else finish(record, exit._tag === "Failure" ? addDefects(exiting, exit.cause) : exiting)
}

// ---- its inbox ----------------------------------------------------------------------------------------------------

type Matches = (message: unknown) => boolean

/** Takes the first message that matches, starting at a position. None if there is no such message. @internal */
export const poll = (record: ProcessRecord, matches: Matches, from?: number): Option.Option<unknown> => {
  const found = record.mailbox.take((envelope) => matches(envelope.content), from)
  if (found === undefined) return Option.none()
  countFate(record, found, "handled")
  roomMade(record)
  return Option.some(found.content)
}

/** Takes the first message that matches, and waits for one if there is none. @internal */
export const receive = (record: ProcessRecord, matches: Matches): Effect.Effect<unknown> =>
  Effect.suspend(() => look(record, matches, 0))

/** Messages before `from` have been tried already. */
const look = (record: ProcessRecord, matches: Matches, from: number): Effect.Effect<unknown> => {
  const found = poll(record, matches, from)
  if (Option.isSome(found)) return Exit.succeed(found.value)
  const seen = record.mailbox.end
  return Effect.flatMap(park(record, seen), () => look(record, matches, seen))
}

const park = (record: ProcessRecord, seen: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // A message may have come after the look and before this step. It has woken nobody, because nobody was waiting.
    if (record.mailbox.end > seen) return resume(Exit.void)
    if (!record.isOpen) return resume(Effect.interrupt)
    if (record.resume !== undefined) return resume(Effect.die(new Error(twoReceivers(record))))
    record.resume = resume
    return Effect.sync(() => {
      if (record.resume === resume) record.resume = undefined
    })
  })

const twoReceivers = (process: ProcessRecord) =>
  `Two fibers receive from the inbox of ${describe(process)} at the same time`
