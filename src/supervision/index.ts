/**
 * Which processes restart, how often, in what order.
 *
 * @since 0.1.0
 */
export * as ChildSpec from "./ChildSpec.ts"
export * as DynamicSupervisor from "./DynamicSupervisor.ts"
export * as Events from "./Events.ts"
export * as PartitionSupervisor from "./PartitionSupervisor.ts"
export * as RestartPolicy from "./RestartPolicy.ts"
export * as Supervisor from "./Supervisor.ts"
export * as TaskSupervisor from "./TaskSupervisor.ts"
