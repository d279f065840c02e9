/**
 * What an observer knows: the latest row of each process, and since which look it is so. Plain data: no fiber, no clock.
 *
 * A reader asks for what has changed since the look that it has seen. So a slow reader costs no memory: it gets fewer
 * and larger changes. Removed processes are remembered for some time; a reader that comes later gets a snapshot.
 */
import type * as Snapshot from "../Snapshot.ts"
import { ProcessTable } from "../../kernel/shared/processTable.ts"
import { keptCrashes, keptRemovals, keptRestarts } from "./defaults.ts"
import { Recent } from "./recent.ts"

interface Entry {
  readonly id: number
  row: Snapshot.Process
  /** The look in which it changed. */
  changedIn: number
  /** The latest look that has found it. */
  foundIn: number
}

/** @internal */
export interface Found {
  readonly at: number
  readonly down: ReadonlyArray<Snapshot.DownChild>
  readonly totals: Snapshot.Totals
}

/** What a reader has seen: the number of the look, and the numbers of the last crash and restart. @internal */
export interface Seen {
  readonly look: number
  readonly crash: number
  readonly restart: number
}

/** @internal */
export class Known {
  /** The number of the latest look that is over. */
  look = 0
  /** The number of the latest look that has begun. It may have been interrupted. */
  private present = 0
  /** When that look began, in milliseconds since 1970. */
  at: number | undefined = undefined
  readonly crashes = new Recent<Snapshot.Crash>(keptCrashes)
  readonly restarts = new Recent<Snapshot.Restart>(keptRestarts)
  private readonly entries = new ProcessTable<Entry>()
  private readonly removals: Array<{ readonly id: number; readonly removedIn: number }> = []
  /** A reader that has seen an earlier look may not know of all removals. */
  private removalsSince = 0
  private down: ReadonlyArray<Snapshot.DownChild> = []
  private downChangedIn = 0
  private totals: Snapshot.Totals | undefined = undefined

  // ---- a look -----------------------------------------------------------------------------------------------------

  begin(): void {
    this.present++
  }

  /** The row of a process in an earlier look. */
  before(id: number): Snapshot.Process | undefined {
    return this.entries.get(id)?.row
  }

  /** Notes a process that the present look has found. */
  found(row: Snapshot.Process): void {
    const look = this.present
    const entry = this.entries.get(row.id)
    if (entry === undefined) {
      this.entries.add({ id: row.id, row, changedIn: look, foundIn: look })
      return
    }
    entry.foundIn = look
    if (isSameRow(entry.row, row)) return
    entry.row = row
    entry.changedIn = look
  }

  /** The present look is over. Processes that it has not found are gone. */
  *finish({ at, down, totals }: Found): Generator<void> {
    const look = this.present
    for (const entry of this.entries.values()) {
      if (entry.foundIn !== look) this.remove(entry, look)
      yield
    }
    if (!isSameList(this.down, down)) {
      this.down = down
      this.downChangedIn = look
    }
    this.totals = totals
    this.at = at
    this.look = look
  }

  private remove(entry: Entry, removedIn: number): void {
    this.entries.remove(entry)
    this.removals.push({ id: entry.id, removedIn })
    if (this.removals.length < keptRemovals * 2) return
    const [last] = this.removals.splice(0, keptRemovals).slice(-1)
    this.removalsSince = last!.removedIn
  }

  // ---- what a reader gets -----------------------------------------------------------------------------------------

  /** What a reader has to learn, and what it knows then. A reader that is new, or far behind, gets a snapshot. */
  *read(seen: Seen | undefined): Generator<void, readonly [Snapshot.Change, Seen]> {
    const { look } = this
    const isNew = seen === undefined || seen.look < this.removalsSince
    const since = isNew ? 0 : seen.look
    const rows: Array<Snapshot.Process> = []
    // Ids only grow, so the rows are in the order of the table.
    for (const { changedIn, row } of this.entries.values()) {
      if (changedIn > since) rows.push(row)
      yield
    }
    const now = { look, crash: this.crashes.last, restart: this.restarts.last }
    return [isNew ? this.snapshot(rows) : this.delta(rows, seen), now]
  }

  private snapshot(processes: ReadonlyArray<Snapshot.Process>): Snapshot.Snapshot {
    return {
      _tag: "Snapshot",
      version: 1,
      at: this.at ?? 0,
      processes,
      down: this.down,
      totals: this.totals!,
      crashes: this.crashes.all,
      restarts: this.restarts.all
    }
  }

  private delta(changed: ReadonlyArray<Snapshot.Process>, { crash, look, restart }: Seen): Snapshot.Delta {
    return {
      _tag: "Delta",
      version: 1,
      at: this.at ?? 0,
      changed,
      removed: this.removals.filter(({ removedIn }) => removedIn > look).map(({ id }) => id),
      ...(this.downChangedIn > look ? { down: this.down } : {}),
      totals: this.totals!,
      crashes: this.crashes.after(crash),
      restarts: this.restarts.after(restart)
    }
  }
}

/** The fields of a row that can change. */
const isSameRow = (a: Snapshot.Process, b: Snapshot.Process): boolean =>
  a.accepted === b.accepted &&
  a.handled === b.handled &&
  a.handledPerSecond === b.handledPerSecond &&
  a.mailboxLength === b.mailboxLength &&
  a.status === b.status &&
  a.parent === b.parent &&
  a.displayName === b.displayName &&
  a.name === b.name &&
  a.label === b.label &&
  a.key === b.key &&
  a.restarts === b.restarts &&
  a.links === b.links &&
  a.monitors === b.monitors &&
  a.monitoredBy === b.monitoredBy

const isSameChild = (a: Snapshot.DownChild, b: Snapshot.DownChild): boolean =>
  a.supervisor === b.supervisor && a.key === b.key && a.state === b.state && a.restarts === b.restarts

const isSameList = (a: ReadonlyArray<Snapshot.DownChild>, b: ReadonlyArray<Snapshot.DownChild>): boolean =>
  a.length === b.length && a.every((child, index) => isSameChild(child, b[index]!))
