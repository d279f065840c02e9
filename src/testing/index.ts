/**
 * For the tests of programs that use processes.
 *
 * @since 0.1.0
 */
export * as Laws from "./Laws.ts"
export * as Probe from "./Probe.ts"
export * as SeededScheduler from "./SeededScheduler.ts"
export * as TestDouble from "./TestDouble.ts"
export * as TestKernel from "./TestKernel.ts"
