/**
 * What happened: named events with measurements and metadata, and spans.
 *
 * @since 0.1.0
 */
export * as Telemetry from "./Telemetry.ts"
