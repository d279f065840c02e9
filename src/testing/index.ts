/**
 * For the tests of programs that use processes.
 *
 * @since 0.1.0
 */
export * as SeededScheduler from "./SeededScheduler.ts"
