/**
 * All core modules of effect-otp, by layer, the lowest first.
 *
 * @since 0.1.0
 */

// telemetry: what happened
export * as Telemetry from "./telemetry/Telemetry.ts"

// kernel: processes, and the signals between them
export * as Accounting from "./kernel/Accounting.ts"
export * as CrashReport from "./kernel/CrashReport.ts"
export * as Display from "./kernel/Display.ts"
export * as EventLoop from "./kernel/EventLoop.ts"
export * as ExitReason from "./kernel/ExitReason.ts"
export * as Handle from "./kernel/Handle.ts"
export * as Kernel from "./kernel/Kernel.ts"
export * as Mailbox from "./kernel/Mailbox.ts"
export * as Pid from "./kernel/Pid.ts"
export * as Process from "./kernel/Process.ts"
export * as Shutdown from "./kernel/Shutdown.ts"
export * as Signal from "./kernel/Signal.ts"
export * as Timer from "./kernel/Timer.ts"

// naming: finding a process by name or by group
export * as Name from "./naming/Name.ts"
export * as ProcessGroup from "./naming/ProcessGroup.ts"
export * as Registry from "./naming/Registry.ts"
export * as Topic from "./naming/Topic.ts"

// behaviour: processes you fill in
export * as Agent from "./behaviour/Agent.ts"
export * as GenServer from "./behaviour/GenServer.ts"
export * as Protocol from "./behaviour/Protocol.ts"
export * as StateMachine from "./behaviour/StateMachine.ts"
export * as Sys from "./behaviour/Sys.ts"
export * as Task from "./behaviour/Task.ts"
export * as Transition from "./behaviour/Transition.ts"

// supervision: which children restart, how often, in what order
export * as ChildSpec from "./supervision/ChildSpec.ts"
export * as DynamicSupervisor from "./supervision/DynamicSupervisor.ts"
export * as Events from "./supervision/Events.ts"
export * as PartitionSupervisor from "./supervision/PartitionSupervisor.ts"
export * as RestartPolicy from "./supervision/RestartPolicy.ts"
export * as Supervisor from "./supervision/Supervisor.ts"
export * as TaskSupervisor from "./supervision/TaskSupervisor.ts"

// application: a tree that starts and stops as one
export * as Application from "./application/Application.ts"
