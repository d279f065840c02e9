/** What listings show of processes besides their records. */
import type { Pid } from "../Pid.ts"

/** What kind of process it is, and what it does at the moment. */
export interface ProcessView {
  /** The module that made it. */
  readonly behaviour: Behaviour
  /** Whether it was told by `Sys.suspend` to handle no messages. */
  readonly isSuspended: boolean
}

/** The modules that make processes. A `Worker` is a child made by `Supervisor.worker`. */
export type Behaviour =
  | "Process"
  | "Worker"
  | "Task"
  | "GenServer"
  | "Agent"
  | "StateMachine"
  | "Supervisor"
  | "DynamicSupervisor"
  | "PartitionSupervisor"
  | "TaskSupervisor"

/** A child of a supervisor. It may have no process at the moment. */
export interface ChildView {
  /** Its id or key. */
  readonly id: string
  readonly state: "starting" | "running" | "restarting" | "stopping" | "stopped"
  /** Its process, if it has one now. */
  readonly pid: Pid | undefined
  /** How many times it was started again. */
  readonly restarts: number
}

/** What a process shows of its state. */
export interface StateView {
  readonly state: unknown
  /** Events and timers of a state machine. */
  readonly machine: unknown
}

/** The view of a process that is not suspended. Made once for each behaviour. */
export const viewAs = (behaviour: Behaviour): ProcessView => ({ behaviour, isSuspended: false })
