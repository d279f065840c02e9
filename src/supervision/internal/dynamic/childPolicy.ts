/** How one child of a dynamic supervisor is treated. Its own options may differ from those of the others. */
import type { Limit } from "../../../kernel/Shutdown.ts"
import { checkedLimit } from "../../../kernel/shared/shutdown.ts"
import type { Restart } from "../../RestartPolicy.ts"
import { checkedRestart } from "../core/restartType.ts"

/** @internal */
export interface ChildPolicy {
  readonly restart: Restart
  /** Undefined: the default for its process. */
  readonly limit: Limit | undefined
}

/** @internal */
export interface PolicyOptions {
  readonly restart?: Restart | undefined
  readonly shutdown?: Limit | undefined
}

/** The checked policy of a child. The supervisor's options are used where the child has none. @internal */
export const policyOf = (
  supervisor: ChildPolicy & { readonly id: string },
  { restart, shutdown }: PolicyOptions = {}
): ChildPolicy => {
  if (restart !== undefined) checkedRestart(restart)
  if (restart === undefined && shutdown === undefined) return supervisor
  return {
    restart: restart ?? supervisor.restart,
    limit: shutdown === undefined ? supervisor.limit : checkedLimit(`${supervisor.id}: shutdown`, shutdown)
  }
}
