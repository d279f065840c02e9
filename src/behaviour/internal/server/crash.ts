/** What happens when a handler dies or its turn takes too long. */
import type * as Cause from "effect/Cause"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { close } from "../../../kernel/shared/death.ts"
import { wake } from "../../../kernel/shared/delivery.ts"
import { interrupt } from "../../../kernel/shared/signals.ts"
import { messageDone } from "./answers.ts"
import { explainFrozen } from "./frozenErrors.ts"
import { lastDutiesOf, subjectOf, type Server } from "./server.ts"

/** The turn has died. The state stays as it was before, and callers learn of the crash at once. @internal */
export const crash = (server: Server, cause: Cause.Cause<unknown>): void => {
  const { record } = server
  // A signal was faster, but the message in hand must still be counted.
  if (!record.isOpen) return messageDone(server, "failed")
  noteMessage(server)
  // It counts as the server's own crash, even if an orderly end was asked for, so that it is reported.
  close(record, ExitReason.crash(record.kernel.freezes ? explainFrozen(cause) : cause))
  messageDone(server, "failed")
}

/** Crashes the server in the middle of a turn, and gives the turn up. @internal */
export const crashTurn = (server: Server, cause: Cause.Cause<unknown>): void => {
  crash(server, cause)
  interruptTurn(server)
}

/** Interrupts the turn. Without a turn it wakes the loop, which then sees that it must end. @internal */
export const interruptTurn = ({ record }: Server): void => {
  if (record.turn === undefined) wake(record)
  else interrupt(record)
}

/** Keeps what the turn is about, for the crash report. @internal */
export const noteMessage = (server: Server): void => {
  lastDutiesOf(server).message = subjectOf(server, server.inHand?.content)
}
