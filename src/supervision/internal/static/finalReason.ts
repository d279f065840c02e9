/** The exit reason of a supervisor's process, made from the end that the core has decided. */
import * as ExitReason from "../../../kernel/ExitReason.ts"
import type { ChildEnd } from "../core/childEnd.ts"
import type { EndReason } from "../group/group.ts"
import type { GivingUp } from "../tree/supervisorProcess.ts"

/** @internal */
export const finalReason = (
  end: EndReason<ChildEnd>,
  supervisor: { readonly idOf: (child: number) => string; readonly gaveUp: (why: GivingUp) => ExitReason.ExitReason }
): ExitReason.ExitReason => {
  if (end._tag === "Requested") return end.reason.reason as ExitReason.ExitReason
  const child = supervisor.idOf(end.child)
  if (end._tag !== "RestartLimit") return ExitReason.shutdown({ _tag: end._tag, child })
  const { attempts, exit, policy } = end
  return supervisor.gaveUp({ child, reason: exit.reason, attempts, policy })
}
