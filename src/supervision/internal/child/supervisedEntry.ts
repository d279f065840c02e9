/** What is known of a child whose process is up: the Layer that started it, what it provides, and the children below. */
import type { HandleTargets, StartedBy } from "../../../kernel/shared/adoption.ts"
import type { ProcessRecord } from "../../../kernel/shared/processRecord.ts"
import type { SupervisedEntry } from "../tree/supervisedLayers.ts"
import { isSupervisor } from "../tree/supervisorProcess.ts"
import { handlesOf } from "./exportedHandles.ts"

interface Child {
  readonly id: string
  readonly record: ProcessRecord | undefined
  readonly targets: HandleTargets
}

/** @internal */
export const supervisedEntry = (
  { id, record, targets }: Child,
  { gives, isFresh, layer }: StartedBy
): SupervisedEntry => ({
  id,
  layer,
  isFresh,
  supervised: { targets, context: handlesOf(gives) },
  below: isSupervisor(record) ? record.data.process.supervised : undefined
})
