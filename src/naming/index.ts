/**
 * Finding a process by name, by key, or by group.
 *
 * @since 0.1.0
 */
export * as Name from "./Name.ts"
export * as ProcessGroup from "./ProcessGroup.ts"
export * as Registry from "./Registry.ts"
export * as Topic from "./Topic.ts"
