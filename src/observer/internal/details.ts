/** One process in full. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { settingsOf } from "../../kernel/shared/displaySettings.ts"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import type { ChildView } from "../../kernel/shared/processView.ts"
import type * as Snapshot from "../Snapshot.ts"
import { shownNeighbours } from "./defaults.ts"
import { inSlices } from "./inSlices.ts"
import { rowOf } from "./look.ts"
import type { Observation } from "./observation.ts"
import { shownText } from "./shownText.ts"

/** @internal */
export const detailsOf = (
  { kernel, known }: Observation,
  id: number
): Effect.Effect<Option.Option<Snapshot.ProcessDetails>> =>
  Effect.suspend(() => {
    const record = kernel.table.get(id)
    if (record === undefined) return Effect.succeedNone
    return Effect.map(inSlices(familyOf(record)), (family) => Option.some(details(record, family, known.crashes.all)))
  })

interface Family {
  /** The process as its supervisor knows it. */
  readonly self: ChildView | undefined
  readonly childCount: number
  readonly children: Snapshot.ProcessDetails["children"]
}

function* familyOf(record: ProcessRecord): Generator<void, Family> {
  const { kind, parent } = record
  let self: ChildView | undefined = undefined
  for (const child of parent?.kind.children?.(parent) ?? []) {
    if (child.pid === record) self = child
    yield
  }
  const children: Array<Snapshot.ProcessDetails["children"][number]> = []
  let childCount = 0
  for (const { id, restarts, state } of kind.children?.(record) ?? []) {
    if (++childCount <= shownNeighbours) children.push({ key: id, restarts, state })
    yield
  }
  return { self, childCount, children }
}

const details = (
  record: ProcessRecord,
  { childCount, children, self }: Family,
  crashes: ReadonlyArray<Snapshot.Crash>
): Snapshot.ProcessDetails => {
  const { accounting, id, kind, parent, relations, trapExit } = record
  const settings = settingsOf(record.context)
  const shown = kind.state?.(record)
  const row = rowOf(record, { accounting, child: self })
  // An earlier run of the same child had the same name and the same supervisor.
  const wasIt = (crash: Snapshot.Crash) =>
    crash.process === id || (self !== undefined && crash.displayName === row.displayName && crash.parent === parent?.id)
  const lastCrash = crashes.findLast(wasIt)
  return {
    process: row,
    messages: accounting,
    ...(shown === undefined ? {} : { state: shownText(shown.state, settings) }),
    ...(shown?.machine === undefined ? {} : { machine: shownText(shown.machine, settings) }),
    linkedTo: idsOf(relations?.links ?? [], (process) => process),
    monitoring: idsOf(relations?.watching ?? [], ({ pid }) => pid),
    monitoredBy: idsOf(relations?.watchers ?? [], ({ watcher }) => watcher),
    trapExit,
    childCount,
    children,
    ...(lastCrash === undefined ? {} : { lastCrash })
  }
}

const idsOf = <A>(neighbours: Iterable<A>, of: (neighbour: A) => ProcessRecord): ReadonlyArray<number> => {
  const ids: Array<number> = []
  for (const neighbour of neighbours) {
    if (ids.length === shownNeighbours) break
    ids.push(of(neighbour).id)
  }
  return ids
}
