/** How a server differs from other processes: what signals do to it, and how it is closed, killed and released. */
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import { close } from "../../../kernel/shared/death.ts"
import { post, wake } from "../../../kernel/shared/delivery.ts"
import type { EndedBy } from "../../../kernel/shared/life.ts"
import type { Kind, ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { interrupt, shutdown } from "../../../kernel/shared/signals.ts"
import { StopEnvelope } from "../call/envelopes.ts"
import { serverDown } from "../call/makeCallError.ts"
import { messageDone, failUnanswered, timeLeft } from "./answers.ts"
import { interruptTurn, noteMessage } from "./crash.ts"
import { loop } from "./loop.ts"
import { lastDutiesOf, heldCount, type Server } from "./server.ts"
import { shownStatus } from "./inspection.ts"
import { ShownCrash } from "./formattedStatus.ts"

/** @internal */
export const isServer = (record: ProcessRecord): record is ProcessRecord<Server> => record.kind === server

// ---- signals ------------------------------------------------------------------------------------------------------

/** Gives up the turn in hand; then `terminate` runs. A server that is starting has no turn. */
const endNow = (record: ProcessRecord<Server>, reason: ExitReason, by: EndedBy): void => {
  const starting = record.phase === "starting"
  if (!close(record, reason, by)) return
  if (starting) interrupt(record)
  else interruptTurn(record.data)
}

/** Lets the turn in hand end first and, with `drain`, all messages that came before. */
const endOrderly = (record: ProcessRecord<Server>, reason: ExitReason): void => {
  const server = record.data
  if (server.lastDuties?.stop?.isInLine === false) return
  if (record.phase === "starting") return endNow(record, reason, "signal")
  // If the server is suspended, the messages before it would wait for ever.
  const isInLine = server.spec.drain && !server.suspended
  lastDutiesOf(server).stop = { reason, isInLine }
  if (isInLine) post(record, new StopEnvelope(reason, undefined, "signal"), inLine)
  else wake(record)
}

/** Nobody waits while a request to stop waits for room. */
const inLine = () => {}

// ---- the end ------------------------------------------------------------------------------------------------------

/** The work in hand is kept for the report before anybody learns the reason. */
const closed = (record: ProcessRecord<Server>, reason: ExitReason): void => {
  const server = record.data
  const { life } = record
  if (server.inHand !== undefined || record.turn !== undefined) noteMessage(server)
  const isReported = reason._tag === "Crash" && life._tag === "exiting" && life.by === "itself"
  if (isReported && server.spec.formatStatus !== undefined) crashDetails(record, reason)
  server.target.markDown(record)
  failUnanswered(server, reason)
}

/** Gives up the message in hand. */
const killed = ({ data: server }: ProcessRecord<Server>, reason: ExitReason): void => {
  messageDone(server, "failed")
  const reply = server.lastDuties?.reply
  if (reply === undefined) return
  server.lastDuties!.reply = undefined
  reply.call.failWith(serverDown(reason))
}

const ended = ({ data: server, reason }: ProcessRecord<Server>): void => {
  // It was killed while it was crashing.
  if (reason?._tag !== "Crash") server.lastDuties?.details?.forget()
  server.state = server.inHand = server.castContext = server.unanswered = server.lastDuties = server.watch = undefined
}

const crashDetails = ({ data: server }: ProcessRecord<Server>, reason: ExitReason): ShownCrash => {
  const ending = lastDutiesOf(server)
  if (ending.details?.reason === reason) return ending.details
  // A finalizer has died, too.
  ending.details?.forget()
  return (ending.details = new ShownCrash(server.spec, { state: server.state, message: ending.message, reason }))
}

// ---- the kind -----------------------------------------------------------------------------------------------------

const server: Kind<Server> = {
  /** The parent's exit also ends a server that traps exits, whatever its reason. */
  onExit: (record, from, reason) => {
    if (!record.trapExit || from === undefined || from !== record.parent) return false
    shutdown(record, reason)
    return true
  },
  onSignal: endNow,
  onShutdown: endOrderly,
  onClose: closed,
  onKill: killed,
  onEnd: ended,
  inHand: ({ data }) => (data.inHand === undefined ? 0 : 1),
  setAside: (record) => (record.isOpen ? heldCount(record.data) : 0),
  crashDetails,
  view: ({ data }) => (data.suspended ? { ...data.spec.view, isSuspended: true } : data.spec.view),
  state: ({ data }) => shownStatus(data),
  timeLeft: ({ data }) => timeLeft(data),
  whenWoken: loop
}

/** @internal */
export { server as serverKind }
