/**
 * What a running system looks like, as data: its processes, what became of its messages, and what changed since.
 *
 * All of it is plain data with Schemas, so it can be encoded as JSON, sent, and decoded by the dashboard, a test or a
 * tool of your own. {@link apply} turns a snapshot and the changes after it into the next snapshot.
 *
 * **Guarantees**
 *
 * - Version: each snapshot and each change says which version of this format it has. A field that is added keeps the
 *   version. A field that changes its meaning, takes other values or goes away gives the format a new version.
 * - Safety: states, messages and reasons are shown without secrets and within the limits of `Display`. Snapshots have no
 *   states: `Observer.process` gives the state of one process.
 *
 * **In Erlang/OTP**
 *
 * What `observer` and `recon` read by `process_info` and `supervisor:which_children`.
 *
 * @stability experimental
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { keptCrashes, keptRestarts } from "./internal/defaults.ts"

// ---- models -------------------------------------------------------------------------------------------------------

const version = 1

/**
 * The module that made a process. A `Worker` is a child made by `Supervisor.worker`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Behaviour = Schema.Literals([
  "Process",
  "Worker",
  "Task",
  "GenServer",
  "Agent",
  "StateMachine",
  "Supervisor",
  "DynamicSupervisor",
  "PartitionSupervisor",
  "TaskSupervisor"
])

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Behaviour = typeof Behaviour.Type

/**
 * The messages that were sent to a process, or to all of them, by what became of them. See `Accounting`.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Messages = Schema.Struct({
  accepted: Schema.Finite,
  handled: Schema.Finite,
  failed: Schema.Finite,
  returned: Schema.Finite,
  abandoned: Schema.Finite,
  dropped: Schema.Finite,
  deadLettered: Schema.Finite,
  pending: Schema.Finite
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Messages = typeof Messages.Type

/**
 * A live process.
 *
 * `id` is the number in its pid. `key` is its id or key in its supervisor, and `restarts` says how many times that child
 * was started again. `startedAt` is in milliseconds since 1970; it is missing for a process that is older than the
 * observer. `handledPerSecond` is since the look before, and 0 if there was none.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Process = Schema.Struct({
  id: Schema.Int,
  parent: Schema.optionalKey(Schema.Int),
  displayName: Schema.String,
  name: Schema.optionalKey(Schema.String),
  label: Schema.optionalKey(Schema.String),
  key: Schema.optionalKey(Schema.String),
  behaviour: Behaviour,
  status: Schema.Literals(["starting", "running", "suspended", "exiting"]),
  mailboxLength: Schema.Int,
  accepted: Schema.Int,
  handled: Schema.Int,
  handledPerSecond: Schema.Finite,
  restarts: Schema.Int,
  startedAt: Schema.optionalKey(Schema.Finite),
  links: Schema.Int,
  monitors: Schema.Int,
  monitoredBy: Schema.Int
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Process = typeof Process.Type

/**
 * A child of a supervisor that has no process at the moment. `supervisor` is the id of the supervisor.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const DownChild = Schema.Struct({
  supervisor: Schema.Int,
  key: Schema.String,
  state: Schema.Literals(["starting", "running", "restarting", "stopping", "stopped"]),
  restarts: Schema.Int
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type DownChild = typeof DownChild.Type

/**
 * A crash. `number` counts the crashes that the observer has seen. `at` is in milliseconds since 1970.
 *
 * `cause`, `message` and `state` are texts, without secrets and within the limits of `Display`. `decision` says what the
 * supervisor did, if there is one.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Crash = Schema.Struct({
  number: Schema.Int,
  at: Schema.Finite,
  process: Schema.Int,
  parent: Schema.optionalKey(Schema.Int),
  displayName: Schema.String,
  ancestors: Schema.Array(Schema.String),
  cause: Schema.String,
  message: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Schema.String),
  mailboxLength: Schema.Int,
  decision: Schema.optionalKey(Schema.String)
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Crash = typeof Crash.Type

/**
 * A child that was started again. `number` counts the restarts that the observer has seen. `process` is missing until
 * the new run has a process, and for a resource.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Restart = Schema.Struct({
  number: Schema.Int,
  at: Schema.Finite,
  supervisor: Schema.String,
  child: Schema.String,
  incarnation: Schema.Int,
  process: Schema.optionalKey(Schema.Int)
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Restart = typeof Restart.Type

/**
 * The whole system in numbers. Durations are in milliseconds, sizes in bytes.
 *
 * `eventLoopDelay` is how late timers were since the last change: the longest and the mean. It is missing in a snapshot
 * that nobody waited for. `heapUsed` is missing where the host does not say it.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Totals = Schema.Struct({
  processes: Schema.Int,
  zombies: Schema.Int,
  timers: Schema.Int,
  names: Schema.Int,
  lateReplies: Schema.Int,
  crashes: Schema.Int,
  restarts: Schema.Int,
  messages: Messages,
  eventLoopDelay: Schema.optionalKey(Schema.Struct({ longest: Schema.Finite, mean: Schema.Finite })),
  heapUsed: Schema.optionalKey(Schema.Finite)
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Totals = typeof Totals.Type

/**
 * All that is there at one moment, oldest processes first, and the last crashes and restarts, oldest first.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Snapshot = Schema.TaggedStruct("Snapshot", {
  version: Schema.Literal(version),
  /** In milliseconds since 1970. */
  at: Schema.Finite,
  processes: Schema.Array(Process),
  down: Schema.Array(DownChild),
  totals: Totals,
  crashes: Schema.Array(Crash),
  restarts: Schema.Array(Restart)
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Snapshot = typeof Snapshot.Type

/**
 * What is different since the snapshot or the change before.
 *
 * `changed` has new processes and processes of which anything is different. `removed` has the ids of processes that are
 * gone. `down` is the whole list, and is missing if it is the same. `crashes` and `restarts` are the new ones.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Delta = Schema.TaggedStruct("Delta", {
  version: Schema.Literal(version),
  at: Schema.Finite,
  changed: Schema.Array(Process),
  removed: Schema.Array(Schema.Int),
  down: Schema.optionalKey(Schema.Array(DownChild)),
  totals: Totals,
  crashes: Schema.Array(Crash),
  restarts: Schema.Array(Restart)
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Delta = typeof Delta.Type

/**
 * An element of `Observer.changes`: first a snapshot, then deltas. A reader that has fallen far behind gets a snapshot
 * again.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const Change = Schema.Union([Snapshot, Delta])

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type Change = typeof Change.Type

/**
 * One process in full. The lists of neighbours and of children have at most 100 items.
 *
 * `state` is a text, without secrets and within the limits of `Display`, or as `formatStatus` gives it. `machine` has the
 * events and timers of a state machine, shown in the same way.
 *
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export const ProcessDetails = Schema.Struct({
  process: Process,
  messages: Messages,
  state: Schema.optionalKey(Schema.String),
  machine: Schema.optionalKey(Schema.String),
  linkedTo: Schema.Array(Schema.Int),
  monitoring: Schema.Array(Schema.Int),
  monitoredBy: Schema.Array(Schema.Int),
  trapExit: Schema.Boolean,
  childCount: Schema.Int,
  children: Schema.Array(Schema.Struct({ key: Schema.String, state: DownChild.fields.state, restarts: Schema.Int })),
  lastCrash: Schema.optionalKey(Crash)
})

/**
 * @stability experimental
 * @category models
 * @since 0.1.0
 */
export type ProcessDetails = typeof ProcessDetails.Type

// ---- operations ---------------------------------------------------------------------------------------------------

/**
 * Applies a change to a snapshot. The result is the snapshot that an observer would give at the time of the change.
 *
 * **When to use**
 *
 * Use in a tool that reads `Observer.changes` and wants the whole picture.
 *
 * @stability experimental
 * @category operations
 * @since 0.1.0
 */
export const apply = (snapshot: Snapshot, change: Change): Snapshot => {
  if (change._tag === "Snapshot") return change
  const processes = new Map(snapshot.processes.map((process) => [process.id, process]))
  for (const id of change.removed) processes.delete(id)
  for (const process of change.changed) processes.set(process.id, process)
  return {
    _tag: "Snapshot",
    version,
    at: change.at,
    processes: [...processes.values()].toSorted((a, b) => a.id - b.id),
    down: change.down ?? snapshot.down,
    totals: change.totals,
    crashes: [...snapshot.crashes, ...change.crashes].slice(-keptCrashes),
    restarts: [...snapshot.restarts, ...change.restarts].slice(-keptRestarts)
  }
}
