/** How one child of a dynamic supervisor is treated, where that differs from the others. */
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

/** The policy of a child, checked. What is not given is that of the supervisor. @internal */
export const policyOf = (spec: DynamicSpec, { restart, shutdown }: PolicyOptions = {}): ChildPolicy => {
  if (restart !== undefined) checkedRestart(restart)
  if (restart === undefined && shutdown === undefined) return spec
  return {
    restart: restart ?? spec.restart,
    limit: shutdown === undefined ? spec.limit : checkedLimit(`${spec.id}: shutdown`, shutdown)
  }
}
