/** A handler has died, or its turn has taken too long. */
import type * as Cause from "effect/Cause"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { close } from "../../../kernel/shared/death.ts"
import { wake } from "../../../kernel/shared/delivery.ts"
import { interrupt } from "../../../kernel/shared/signals.ts"
import { done } from "./answers.ts"
import { explainFrozen } from "./frozen.ts"
import { endingOf, subjectOf, type Server } from "./server.ts"

/** The turn has died: the state stays what it was before, callers learn of it at once. @internal */
export const crash = (server: Server, cause: Cause.Cause<unknown>): void => {
  const { record } = server
  // A signal was faster, but the message in hand is still without a fate.
  if (!record.isOpen) return done(server, "failed")
  noteWork(server)
  // Nobody's signal did this, even if an orderly end was asked for: it is to be reported.
  close(record, ExitReason.crash(record.kernel.freezes ? explainFrozen(cause) : cause))
  done(server, "failed")
}

/** It crashes in the midst of a turn, which is given up. @internal */
export const crashIn = (server: Server, cause: Cause.Cause<unknown>): void => {
  crash(server, cause)
  giveUpTurn(server)
}

/** Interrupts the turn. Without one it wakes the loop, which sees for itself. @internal */
export const giveUpTurn = ({ record }: Server): void => {
  if (record.turn === undefined) wake(record)
  else interrupt(record)
}

/** Notes what it is at, for the crash report. @internal */
export const noteWork = (server: Server): void => {
  endingOf(server).message = subjectOf(server, server.inHand?.content)
}
