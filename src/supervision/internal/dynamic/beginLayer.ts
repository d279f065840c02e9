/** Begins a run of a child that is a Layer, and tells its supervisor what becomes of it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ExitReason } from "../../../kernel/ExitReason.ts"
import type { Crash } from "../../../kernel/shared/crashReports.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import { failedStart, type ChildEnd } from "../core/childEnd.ts"
import type { ChildrenOwner } from "./childrenOwner.ts"
import type { DynamicChild } from "./dynamicChild.ts"
import type { LayerRuns } from "./layerRuns.ts"

/** What hears of the run. @internal */
export interface LayerHost {
  readonly owner: ChildrenOwner
  readonly started: (child: DynamicChild, begunMillis: number) => void
  readonly startFailed: (child: DynamicChild, ending: ChildEnd) => void
  readonly died: (child: DynamicChild, reason: ExitReason) => void
  readonly diedUnheard: (child: DynamicChild) => void
  readonly childCrashed: (child: DynamicChild, crash: Crash) => void
  readonly childOverran: (child: DynamicChild, record: ProcessRecord) => void
  readonly releaseOver: (child: DynamicChild) => void
}

/** @internal */
export const beginLayer = (child: DynamicChild, runs: LayerRuns, host: LayerHost): void => {
  const { context, nowMillis, record, spec } = host.owner
  const begunMillis = nowMillis()
  const made = Effect.sync(() => spec.starter.layer!(child.args!))
  child.runStartStep(context(), Effect.exit(made), (made) => {
    if (made._tag === "Failure") return host.startFailed(child, failedStart(child.key, made.cause))
    runs.begin({
      layer: made.value,
      policy: child.policy,
      parent: record,
      listener: {
        adopted: (record) => child.adopted(record, () => host.diedUnheard(child)),
        crashed: (crash) => host.childCrashed(child, crash),
        started: () => {
          host.started(child, begunMillis)
          child.answerStart(Exit.void)
        },
        startFailed: (ending) => host.startFailed(child, ending),
        exited: (reason) => host.died(child, reason),
        overran: (record) => host.childOverran(child, record),
        released: () => host.releaseOver(child),
        overdue: () => host.releaseOver(child)
      }
    })
  })
}
