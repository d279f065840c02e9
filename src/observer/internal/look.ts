/** One look at all processes of a kernel, in small steps, so that it never holds up the program for long. */
import type { Accounting } from "../../kernel/Accounting.ts"
import { displayName } from "../../kernel/shared/displayName.ts"
import type { KernelState } from "../../kernel/shared/kernelState.ts"
import type { ProcessRecord } from "../../kernel/shared/processRecord.ts"
import { ProcessTable } from "../../kernel/shared/processTable.ts"
import type { ChildView } from "../../kernel/shared/processView.ts"
import { addTo } from "../../kernel/shared/tally.ts"
import type * as Snapshot from "../Snapshot.ts"
import type { Known } from "./known.ts"

interface Found {
  readonly id: number
  readonly child: ChildView
}

/** What a look gets from outside of the kernel. @internal */
export interface Measured {
  /** In milliseconds since 1970. */
  readonly at: number
  readonly eventLoopDelay: Snapshot.Totals["eventLoopDelay"]
  readonly heapUsed: number | undefined
}

/** @internal */
export function* look(kernel: KernelState<ProcessRecord>, known: Known, measured: Measured): Generator<void> {
  known.begin()
  const elapsed = known.at === undefined ? 0 : (measured.at - known.at) / 1000
  const messages = { ...kernel.retired, pending: 0 }
  const down: Array<Snapshot.DownChild> = []
  // A supervisor is older than its children, so it has been looked at before them.
  const children = new ProcessTable<Found>()
  for (const record of kernel.table.values()) {
    for (const child of record.kind.children?.(record) ?? []) {
      if (child.pid !== undefined) children.add({ id: child.pid.id, child })
      else down.push({ supervisor: record.id, key: child.id, state: child.state, restarts: child.restarts })
      yield
    }
    const { accounting } = record
    addTo(messages, accounting)
    messages.pending += accounting.pending
    known.found(
      rowOf(record, { accounting, child: children.get(record.id)?.child, before: known.before(record.id), elapsed })
    )
    yield
  }
  const { lateReplies, names, table, timers, zombies } = kernel
  const totals: Snapshot.Totals = {
    processes: table.size,
    zombies: zombies.size,
    timers,
    names: names.size,
    lateReplies,
    crashes: known.crashes.last,
    restarts: known.restarts.last,
    messages,
    ...(measured.eventLoopDelay === undefined ? {} : { eventLoopDelay: measured.eventLoopDelay }),
    ...(measured.heapUsed === undefined ? {} : { heapUsed: measured.heapUsed })
  }
  yield* known.finish({ at: measured.at, down, totals })
}

interface RowOptions {
  readonly accounting: Accounting
  readonly child: ChildView | undefined
  /** Its row in an earlier look, so many seconds ago. */
  readonly before?: Snapshot.Process | undefined
  readonly elapsed?: number
}

/** The row of one process now. @internal */
export const rowOf = (
  record: ProcessRecord,
  { accounting: { accepted, handled }, before, child, elapsed = 0 }: RowOptions
): Snapshot.Process => {
  const { id, kernel, label, name, parent, phase, relations } = record
  const { behaviour, isSuspended } = record.kind.view(record)
  const row: Draft = {
    id,
    displayName: displayName(record),
    behaviour,
    status: phase === "dead" ? "exiting" : isSuspended && phase === "running" ? "suspended" : phase,
    mailboxLength: record.mailbox.size,
    accepted,
    handled,
    handledPerSecond: before === undefined || elapsed <= 0 ? 0 : rate(handled - before.handled, elapsed),
    restarts: child?.restarts ?? 0,
    links: relations?.links.size ?? 0,
    monitors: relations?.watching.size ?? 0,
    monitoredBy: relations?.watchers.size ?? 0
  }
  // Fields that are missing are set one by one: to spread them in would make as many objects more.
  const startedAt = kernel.births?.of(id)
  if (parent !== undefined) row.parent = parent.id
  if (name !== undefined) row.name = name
  if (label !== undefined) row.label = label
  if (child !== undefined) row.key = child.id
  if (startedAt !== undefined) row.startedAt = startedAt
  return row
}

type Draft = { -readonly [K in keyof Snapshot.Process]: Snapshot.Process[K] }

/** To one decimal. */
const rate = (count: number, seconds: number): number => Math.round((count / seconds) * 10) / 10
