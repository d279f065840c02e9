/**
 * Finding a process by name.
 *
 * @since 0.1.0
 */
export * as Name from "./Name.ts"
