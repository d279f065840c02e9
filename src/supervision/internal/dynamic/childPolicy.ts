/** The options of one child of a dynamic supervisor that differ from those of the others. */
import type { Limit } from "../../../kernel/Shutdown.ts"
import { checkedLimit } from "../../../kernel/shared/shutdown.ts"
import type { Restart } from "../../RestartPolicy.ts"
import { checkedRestart } from "../core/restartType.ts"
import type { ChildPolicy } from "./dynamicChild.ts"
import type { DynamicSpec } from "./dynamicSpec.ts"

/** @internal */
export interface PolicyOptions {
  readonly restart?: Restart | undefined
  readonly shutdown?: Limit | undefined
}

/** The checked policy of a child. The supervisor's options are used where the child has none. @internal */
export const policyOf = (spec: DynamicSpec, { restart, shutdown }: PolicyOptions = {}): ChildPolicy => {
  if (restart !== undefined) checkedRestart(restart)
  if (restart === undefined && shutdown === undefined) return spec
  return {
    restart: restart ?? spec.restart,
    limit: shutdown === undefined ? spec.limit : checkedLimit(`${spec.id}: shutdown`, shutdown)
  }
}
