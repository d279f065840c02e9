/**
 * Looking at a running system from outside.
 *
 * @since 0.1.0
 */
export * as Observer from "./Observer.ts"
export * as Snapshot from "./Snapshot.ts"
