/** One process in full. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { settingsOf } from "../../kernel/shared/displaySettings.ts"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import type { ChildView } from "../../kernel/shared/processView.ts"
import type * as Snapshot from "../Snapshot.ts"
import { shownNeighbours } from "./defaults.ts"
import { rowOf } from "./look.ts"
import type { Observation } from "./observation.ts"
import { shownText } from "./shownText.ts"

/** @internal */
export const detailsOf = (
  { kernel, known }: Observation,
  id: number
): Effect.Effect<Option.Option<Snapshot.ProcessDetails>> =>
  Effect.sync(() =>
    Option.map(Option.fromUndefinedOr(kernel.table.get(id)), (record) => details(record, known.crashes.all))
  )

const details = (record: ProcessRecord, crashes: ReadonlyArray<Snapshot.Crash>): Snapshot.ProcessDetails => {
  const { accounting, kind, relations, trapExit } = record
  const settings = settingsOf(record.context)
  const shown = kind.state?.(record)
  const children = Array.from(kind.children?.(record) ?? [], shownChild)
  const row = rowOf(record, { accounting, child: childOf(record) })
  // The run before had the same name.
  const lastCrash = crashes.findLast(({ displayName }) => displayName === row.displayName)
  return {
    process: row,
    messages: accounting,
    ...(shown === undefined ? {} : { state: shownText(shown.state, settings) }),
    ...(shown?.machine === undefined ? {} : { machine: shownText(shown.machine, settings) }),
    linkedTo: idsOf(relations?.links ?? [], (process) => process),
    monitoring: idsOf(relations?.watching ?? [], ({ pid }) => pid),
    monitoredBy: idsOf(relations?.watchers ?? [], ({ watcher }) => watcher),
    trapExit,
    childCount: children.length,
    children: children.slice(0, shownNeighbours),
    ...(lastCrash === undefined ? {} : { lastCrash })
  }
}

const shownChild = ({ id, restarts, state }: ChildView) => ({ key: id, restarts, state })

/** The process as its supervisor knows it. */
const childOf = (record: ProcessRecord): ChildView | undefined => {
  const { parent } = record
  for (const child of parent?.kind.children?.(parent) ?? []) if (child.pid === record) return child
  return undefined
}

const idsOf = <A>(neighbours: Iterable<A>, of: (neighbour: A) => ProcessRecord): ReadonlyArray<number> => {
  const ids: Array<number> = []
  for (const neighbour of neighbours) {
    if (ids.length === shownNeighbours) break
    ids.push(of(neighbour).id)
  }
  return ids
}
