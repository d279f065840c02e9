/**
 * A tree that starts and stops as one.
 *
 * @since 0.1.0
 */
export * as Application from "./Application.ts"
