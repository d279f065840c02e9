/**
 * Processes you fill in.
 *
 * @since 0.1.0
 */
export * as Agent from "./Agent.ts"
export * as GenServer from "./GenServer.ts"
export * as Protocol from "./Protocol.ts"
export * as StateMachine from "./StateMachine.ts"
export * as Sys from "./Sys.ts"
export * as Task from "./Task.ts"
export * as Transition from "./Transition.ts"
