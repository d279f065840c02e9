/**
 * The application as a process of Node.
 *
 * @since 0.1.0
 */
export * as NodeApplication from "./NodeApplication.ts"
