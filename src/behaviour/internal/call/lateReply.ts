/** Drops an answer that nobody waits for any more: it is counted and sent as an event. */
import * as Events from "../../../kernel/shared/events.ts"
import { displayName } from "../../../kernel/shared/displayName.ts"
import * as Telemetry from "../../../telemetry/Telemetry.ts"
import type { CallEnvelope } from "./envelopes.ts"

/** @internal */
export const dropLateReply = ({ server, tag }: CallEnvelope): void => {
  const { kernel } = server
  kernel.lateReplies++
  if (!Telemetry.isActiveUnsafe(kernel.telemetry, Events.lateReply)) return
  const about = { pid: server, displayName: displayName(server), request: tag }
  Telemetry.executeUnsafe(kernel.telemetry, Events.lateReply, { count: 1 }, about)
}
